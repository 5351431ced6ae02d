//! What is written where: results on stdout, everything else on stderr; or, with `--json`, only JSON on stdout.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;

use super::arguments::Colour;
use super::environment::Environment;
use super::failure::Exit;
use crate::render::json::v1::{self, Diagnostic, Severity};
use crate::render::style::{Ink, Style};
use crate::render::visible::visible;

/// The streams of this process.
pub(super) struct Console {
    environment: Environment,
    out_coloured: bool,
    err_coloured: bool,
    json: Cell<bool>,
    json_file: RefCell<Option<File>>,
    stdout_trouble: RefCell<Option<io::Error>>,
    file_trouble: RefCell<Option<io::Error>>,
}

/// What a word on stderr is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Something that went wrong.
    Error,
    /// Something to know before going on.
    Warning,
    /// Something that may help.
    Note,
}

impl Console {
    pub(super) fn new(environment: Environment, colour: Colour) -> Self {
        let is_dumb = environment.variable("TERM").is_some_and(|terminal| terminal == "dumb");
        let allowed = environment.variable("NO_COLOR").is_none() && !is_dumb;
        let coloured = |is_terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => is_terminal && allowed,
        };
        Self {
            environment,
            out_coloured: coloured(environment.stdout_is_terminal),
            err_coloured: coloured(environment.stderr_is_terminal),
            json: Cell::new(false),
            json_file: RefCell::new(None),
            stdout_trouble: RefCell::new(None),
            file_trouble: RefCell::new(None),
        }
    }

    pub(super) fn environment(&self) -> Environment {
        self.environment
    }

    /// The style of what goes to stdout.
    pub(super) fn out_style(&self) -> Style {
        let style = if self.out_coloured { Style::coloured() } else { Style::plain() };
        style.within(self.environment.stdout_columns())
    }

    /// Whether what goes to stderr is coloured.
    pub(super) fn err_coloured(&self) -> bool {
        self.err_coloured
    }

    /// The style of what goes to stderr.
    pub(super) fn err_style(&self) -> Style {
        if self.err_coloured { Style::coloured() } else { Style::plain() }
    }

    /// From now on stdout takes JSON only.
    pub(super) fn speak_json(&self) {
        self.json.set(true);
    }

    /// From now on JSON lines go to this file too.
    pub(super) fn json_into(&self, path: &Path) -> anyhow::Result<()> {
        let file = File::create(path)
            .with_context(|| format!("cannot write the JSON lines to {}", path.display()))?;
        *self.json_file.borrow_mut() = Some(file);
        Ok(())
    }

    /// Whether anybody takes JSON lines.
    pub(super) fn takes_json_lines(&self) -> bool {
        self.json.get() || self.json_file.borrow().is_some()
    }

    /// Writes a result for people. Nothing while stdout takes JSON only.
    pub(super) fn result(&self, text: &str) {
        if !self.json.get() {
            self.to_stdout(text);
        }
    }

    /// Writes a result as it is, whatever stdout takes.
    pub(super) fn document(&self, text: &str) {
        self.to_stdout(text);
        if !text.ends_with('\n') {
            self.to_stdout("\n");
        }
    }

    /// Writes one JSON line to all who take them.
    pub(super) fn json_line(&self, line: &str) {
        if self.json.get() {
            self.to_stdout(&format!("{line}\n"));
        }
        if let Some(file) = self.json_file.borrow_mut().as_mut()
            && let Err(error) = writeln!(file, "{line}")
        {
            self.file_trouble.borrow_mut().get_or_insert(error);
        }
    }

    fn to_stdout(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            self.stdout_trouble.borrow_mut().get_or_insert(error);
        }
    }

    /// Says a sentence on stderr. It may quote anything.
    pub(super) fn say(&self, level: Level, message: impl Display) {
        self.say_lines(level, &[message.to_string()]);
    }

    /// Says several lines on stderr, those after the first one indented. Each may quote anything.
    pub(super) fn say_lines(&self, level: Level, lines: &[String]) {
        let (heading, ink) = match level {
            Level::Error => ("error", Ink::Trouble),
            Level::Warning => ("warning", Ink::Caution),
            Level::Note => ("note", Ink::Aside),
        };
        let style = self.err_style();
        let Some((first, rest)) = lines.split_first() else { return };
        let mut text = format!("{}: {}\n", style.paint(ink, heading), visible(first));
        for line in rest {
            text.push_str(&format!("  {}\n", visible(line)));
        }
        self.to_stderr(&text);
        let severity = match level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => return,
        };
        if self.takes_json_lines() {
            self.json_line(&v1::diagnostic(
                self.environment.now(),
                &Diagnostic::new(severity, first, rest.join("\n")),
            ));
        }
    }

    /// Says what went wrong.
    pub(super) fn error(&self, message: impl Display) {
        self.say(Level::Error, message);
    }

    /// Shows problems of the configuration, rendered already.
    pub(super) fn problems(&self, text: &str, diagnostics: &[Diagnostic]) {
        self.to_stderr(text);
        if self.takes_json_lines() {
            for diagnostic in diagnostics {
                self.json_line(&v1::diagnostic(self.environment.now(), diagnostic));
            }
        }
    }

    /// Writes to stderr as it is. A person who has closed stderr does not want to hear it.
    pub(super) fn to_stderr(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// How the process ends, given how the command did: output that was lost is a failure, unless the reader went
    /// away, which is its own choice.
    pub(super) fn last_word(&self, exit: Exit) -> Exit {
        let trouble = [("stdout", self.stdout_trouble.take()), ("the JSON file", self.file_trouble.take())];
        let mut exit = exit;
        for (place, trouble) in trouble {
            if let Some(error) = trouble.filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
                self.to_stderr(&format!("error: cannot write to {place}: {error}\n"));
                if exit == Exit::Success || exit == Exit::Changes {
                    exit = Exit::Failure;
                }
            }
        }
        exit
    }
}
