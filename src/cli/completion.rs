//! Completion of the command line in shells: the script that a shell reads once, and the answers that it then asks for.
//!
//! An answer comes while somebody types. So nothing here asks the network or writes a word of complaint: a file that
//! cannot be read gives no names, and the shell shows what else there is.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;

use super::Session;
use super::arguments::{Arguments, Completions, Shell};
use super::configuration::{self, Named};
use super::environment::Environment;
use super::failure::{Exit, Failure};
use crate::config;

/// The variable by which a shell asks for completions instead of a command; its value names the shell.
const VARIABLE: &str = "POWERFORM_COMPLETE";

/// As many addresses as anybody wants to see. Who types some letters gets those that begin with them.
const MOST: usize = 1_000;

pub(super) fn run(session: &Session<'_>, arguments: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    // All that can be written on the command line are among the shells of the library.
    if let Some(shell) = shells.completer(name(arguments.shell)) {
        shell.write_registration(VARIABLE, "powerform", "powerform", "powerform", &mut script)?;
    }
    session.console.document(&String::from_utf8_lossy(&script));
    Ok(Exit::Success)
}

fn name(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
        Shell::Elvish => "elvish",
    }
}

/// Answers a shell, if it is a shell that asks.
pub(super) fn answer(environment: Environment, arguments: &[OsString]) -> Option<ExitCode> {
    let shell = environment.variable(VARIABLE)?;
    let known = Shell::value_variants().iter().map(|shell| name(*shell)).find(|known| *known == shell);
    let shells = Shells::builtins();
    let Some(completer) = known.and_then(|known| shells.completer(known)) else {
        return Some(ExitCode::from(Exit::Failure.status()));
    };
    // The shell gives its line after two hyphens.
    let line: Vec<OsString> = arguments.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let mut command = Arguments::command();
    let mut answers = Vec::new();
    let here = environment.folder();
    let answered = completer.write_complete(&mut command, line, here.as_deref(), &mut answers).is_ok();
    // A shell that no longer listens has its answer.
    let written = answered && std::io::stdout().lock().write_all(&answers).is_ok();
    Some(ExitCode::from(if written { Exit::Success.status() } else { Exit::Failure.status() }))
}

/// The entries and addresses of the configuration that the line names, as far as they begin like this.
pub(super) fn addresses(begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    let mut line = named(Environment::arguments().into_iter());
    line.environment = Environment::of_this_process().variables_that_begin_with(config::ENVIRONMENT_PREFIX);
    let Some(configuration) = configuration::quietly(&line) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in &configuration.desired.entries {
        let name = entry.name.to_string();
        if name.starts_with(&*begun) {
            found.push(name.clone());
        }
        // Instances only for who asks for those of one entry, or they would bury the entries.
        let asks = begun.starts_with(&format!("{name}["));
        let own = entry.ids().iter().filter(|_| asks).map(|id| entry.address_of(id).to_string());
        found.extend(own.filter(|address| *address != name && address.starts_with(&*begun)));
        if found.len() >= MOST {
            break;
        }
    }
    found.truncate(MOST);
    found.into_iter().map(CompletionCandidate::new).collect()
}

/// What a line that is not finished says of where the configuration is.
fn named(words: impl Iterator<Item = OsString>) -> Named {
    let mut line = Named::default();
    let mut words = words.skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        let word = word.to_string_lossy();
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
            // Short flags may have their value right behind them.
            _ if word.starts_with("-f") || word.starts_with("-C") => {
                let (flag, value) = word.split_at(2);
                (flag.to_owned(), (!value.is_empty()).then(|| value.to_owned()))
            }
            _ => (word.into_owned(), None),
        };
        const FLAGS: [&str; 7] = ["-f", "--file", "-C", "--chdir", "--overlay", "--var", "--var-file"];
        if !FLAGS.contains(&flag.as_str()) {
            continue;
        }
        let Some(value) = value.map(OsString::from).or_else(|| words.next()) else { break };
        match flag.as_str() {
            "-f" | "--file" => line.files.push(value.into()),
            "--overlay" => line.overlays.push(value.into()),
            "--var-file" => line.var_files.push(value.into()),
            "--var" => line.assignments.push(value.to_string_lossy().into_owned()),
            _ => line.from = Some(value.into()),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_line_says_where_its_configuration_is_in_every_way_that_flags_are_written() {
        let line = |words: &[&str]| {
            let words = ["powerform", "--", "powerform"].iter().chain(words).map(OsString::from);
            named(words.collect::<Vec<_>>().into_iter())
        };
        let files =
            |names: &[&str]| Named { files: names.iter().map(PathBuf::from).collect(), ..Named::default() };
        assert_eq!(line(&["plan"]), files(&[]));
        assert_eq!(line(&["-f", "a.yaml", "plan", "--file", "b.yaml"]), files(&["a.yaml", "b.yaml"]));
        assert_eq!(
            line(&["-fa.yaml", "--file=b.yaml", "plan", "--target", ""]),
            files(&["a.yaml", "b.yaml"])
        );
        assert_eq!(line(&["-C", "d", "-f"]), Named { from: Some("d".into()), ..files(&[]) });
        assert_eq!(
            line(&["--var", "a=b=c", "--var=d=", "--overlay=o.yaml", "--var-file", "v.yaml", "plan"]),
            Named {
                overlays: vec!["o.yaml".into()],
                var_files: vec!["v.yaml".into()],
                assignments: vec!["a=b=c".into(), "d=".into()],
                ..Named::default()
            }
        );
        assert_eq!(line(&["--chdir=d", "plan"]), Named { from: Some("d".into()), ..files(&[]) });
    }
}
