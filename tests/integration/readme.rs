//! README.md is true: its commands exist, its configurations are valid, and its output is what the binary prints.
//!
//! A comment on the line above a fenced block says what is done with it. `<!-- file: NAME -->` puts the block into that
//! file of a fresh folder that has the examples; `<!-- checked -->` runs the commands of a `console` block there, all
//! in the order of the document. A line `...` in the output stands for any number of lines.

#![expect(clippy::unwrap_used, reason = "what cannot be read or run fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod document;
mod output;

use document::{Block, Mark};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The binary, kept from the environment of whoever runs the tests.
fn powerform(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powerform"));
    command.env_clear().current_dir(folder).args(arguments);
    command
}

/// The arguments of a command line that runs powerform; none where it runs something else.
fn arguments(line: &str) -> Option<Vec<&str>> {
    assert!(!line.contains(['"', '\'', '|', '>', '&']), "only plain words are understood here: {line}");
    let rest = line.strip_prefix("powerform").or_else(|| line.strip_prefix("cargo run --locked --"))?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.split_whitespace().collect())
}

/// Whether the real command line takes these arguments. Nothing is run: help is asked for last.
fn is_understood(arguments: &[&str]) -> bool {
    powerform(&root(), arguments).arg("--help").output().unwrap().status.success()
}

#[test]
fn every_command_is_understood_by_the_real_command_line() {
    let text = readme();
    let blocks = document::blocks(&text);
    let in_blocks = blocks.iter().filter(|block| block.language == "sh" || block.language == "console");
    let lines = in_blocks.flat_map(|block| {
        let is_console = block.language == "console";
        block.lines.iter().filter_map(move |line| line.strip_prefix("$ ").or((!is_console).then_some(line)))
    });
    let spans = document::spans(&text);
    let commands: BTreeSet<&str> = lines.chain(spans.iter().map(String::as_str)).collect();
    let ours: Vec<(&str, Vec<&str>)> = commands
        .iter()
        .filter(|line| line.starts_with("powerform ") || line.starts_with("cargo run"))
        .filter_map(|line| Some((*line, arguments(line)?)))
        .filter(|(_, arguments)| !arguments.is_empty())
        .collect();
    assert!(ours.len() > 5, "README shows commands: {ours:?}");
    for (line, arguments) in ours {
        assert!(is_understood(&arguments), "not understood: {line}");
    }
    assert!(!is_understood(&["plan", "--no-such-flag"]), "help must not hide a mistake before it");
}

#[test]
fn every_command_and_flag_is_named_and_no_other() {
    let text = readme();
    let mut commands = vec![vec![]];
    let mut flags = BTreeSet::new();
    let mut names = BTreeSet::new();
    while let Some(command) = commands.pop() {
        let output = powerform(&root(), &command).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let mut in_commands = false;
        for line in help.lines() {
            in_commands = line == "Commands:" || (in_commands && line.starts_with("  "));
            let first = line.split_whitespace().next().unwrap_or_default();
            if in_commands && line.starts_with("  ") && !line.starts_with("   ") && first != "help" {
                let path: Vec<&str> =
                    command.iter().copied().chain([first.to_owned().leak() as &str]).collect();
                names.insert(path.join(" "));
                commands.push(path);
            } else if first.starts_with('-') {
                let words = line.split([' ', ',', '=']).filter(|word| word.starts_with("--"));
                flags.extend(words.take(1).map(str::to_owned));
            }
        }
    }
    for own in ["--help", "--version"] {
        assert!(flags.remove(own));
    }
    assert!(flags.len() > 10 && names.len() > 10, "{flags:?} {names:?}");
    // The first cells of the two tables under "Commands".
    let section = text.split("\n## ").find(|section| section.starts_with("Commands\n")).unwrap();
    let cells: Vec<Vec<String>> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| document::spans(&format!("`{}", row.split(" |").next().unwrap())))
        .collect();
    let named: BTreeSet<String> = cells.into_iter().flatten().collect();
    let named_flags: BTreeSet<String> = named
        .iter()
        .filter(|name| name.starts_with('-'))
        .map(|name| name.split(' ').next().unwrap().to_owned())
        .filter(|name| name.starts_with("--"))
        .collect();
    assert_eq!(named_flags, flags, "the flags of README (left) and of the command line (right)");
    for name in names.iter().filter(|name| *name != "state") {
        assert!(named.contains(name), "README does not name the command {name}");
    }
}

/// A fresh folder with the examples, in which the commands of the document are run one after the other.
struct Session {
    folder: tempfile::TempDir,
    last_status: Option<i32>,
}

impl Session {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for example in fs::read_dir(root().join("examples")).unwrap() {
            let example = example.unwrap().path();
            let copy = folder.path().join("examples").join(example.file_name().unwrap());
            fs::create_dir_all(&copy).unwrap();
            for file in fs::read_dir(&example).unwrap().map(Result::unwrap) {
                if file.file_type().unwrap().is_file() {
                    fs::copy(file.path(), copy.join(file.file_name())).unwrap();
                }
            }
        }
        Self { folder, last_status: None }
    }

    fn put(&self, name: &str, block: &Block<'_>) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{}\n", block.lines.join("\n"))).unwrap();
    }

    /// Runs one command, with its output kept apart or, as on a terminal, in one stream.
    fn run(&mut self, line: &str, in_one: bool) -> output::Printed {
        if line == "echo $?" {
            let status = self.last_status.unwrap();
            return output::Printed { out: format!("{status}\n"), err: String::new() };
        }
        let arguments = arguments(line).unwrap_or_else(|| panic!("only powerform is run here: {line}"));
        let mut command = powerform(self.folder.path(), &arguments);
        let printed = if in_one {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let mut child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
            // The command holds the writing ends; the reading would not end before it is gone.
            drop(command);
            let mut text = String::new();
            std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
            self.last_status = child.wait().unwrap().code();
            output::Printed { out: text, err: String::new() }
        } else {
            let output = command.output().unwrap();
            self.last_status = output.status.code();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            output::Printed { out: text(output.stdout), err: text(output.stderr) }
        };
        assert!(self.last_status.is_some(), "ended by a signal: {line}");
        printed
    }
}

#[test]
fn what_is_shown_is_what_the_binary_prints() {
    let text = readme();
    let mut session = Session::new();
    let mut compared = 0;
    for block in document::blocks(&text) {
        match block.mark {
            Some(Mark::File(name)) => session.put(name, &block),
            Some(Mark::Checked) => {
                for (command, shown) in block.commands() {
                    let printed = session.run(command, false);
                    if let Err(difference) = output::agree(&shown, &printed) {
                        panic!(
                            "README.md shows something else for `{command}` (line {}): {difference}\n\
                             cargo test --test integration -- --ignored bless_readme shows it in full",
                            block.line
                        );
                    }
                    compared += 1;
                }
            }
            None => assert_ne!(block.language, "console", "line {}: output that nothing checks", block.line),
        }
    }
    assert!(compared > 5, "README shows output");
}

#[test]
fn every_whole_configuration_is_valid_but_the_one_that_is_mistaken() {
    let text = readme();
    let blocks = document::blocks(&text);
    let session = Session::new();
    let mut valid = 0;
    for block in blocks.iter().filter(|block| block.language == "yaml") {
        let Some(Mark::File(name)) = block.mark else { panic!("line {}: no file for it", block.line) };
        session.put(name, block);
        if block.lines.iter().any(|line| line.starts_with("stack:")) {
            let output = powerform(session.folder.path(), &["-f", name, "validate"]).output().unwrap();
            assert_eq!(output.status.success(), name != "mistaken.yaml", "line {}: {output:?}", block.line);
            valid += usize::from(output.status.success());
        }
    }
    assert!(valid > 0, "README shows a configuration");
}

/// Writes into README.md what the commands print now, wherever that differs from what is shown.
#[test]
#[ignore = "writes README.md"]
fn bless_readme() {
    let mut text = readme();
    let mut session = Session::new();
    for index in 0..document::blocks(&text).len() {
        let blocks = document::blocks(&text);
        let block = &blocks[index];
        match block.mark {
            Some(Mark::File(name)) => session.put(name, block),
            Some(Mark::Checked) => {
                let mut lines: Vec<String> = Vec::new();
                for (command, shown) in block.commands() {
                    lines.push(format!("$ {command}"));
                    let printed = session.run(command, true);
                    if output::agree(&shown, &printed).is_ok() {
                        lines.extend(shown.iter().map(|line| (*line).to_owned()));
                    } else {
                        lines.extend(printed.out.trim_end().lines().map(str::to_owned));
                    }
                }
                text = document::with_block(&text, block, &lines);
            }
            None => {}
        }
    }
    fs::write(root().join("README.md"), text).unwrap();
}
