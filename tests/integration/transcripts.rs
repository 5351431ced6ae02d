//! Golden transcripts: `tests/data/transcripts/*.txt` show what every command prints.
//!
//! Each is a script (its form is told in `script.rs`) that is run by the built binary in a fresh folder, with nothing
//! in its environment. What differs from run to run is replaced before anything is compared. To take over what is
//! printed now, after reading the difference:
//!
//! ```text
//! BLESS=1 cargo test --test integration transcripts
//! ```

#![expect(clippy::unwrap_used, reason = "what cannot be read or run fails the test")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use nix::sys::signal::Signal;
use similar::TextDiff;

use crate::harness::{Ended, Running, side_by_side};
use crate::volatile;

mod script;

use script::{Piece, Run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts")
}

fn transcripts() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    found.sort();
    found
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests asks for it")]
pub(crate) fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// The account of every transcript's simulated cloud.
const ACCOUNT: &str = "account.yaml";

/// What has reached that cloud.
const MEMORY: &str = "account.cloud.json";

/// A folder in which a transcript is made.
struct Stage {
    folder: tempfile::TempDir,
    going_on: Option<Running>,
}

impl Stage {
    /// What the script prints now, as a transcript.
    fn perform(script: &str) -> Result<String, String> {
        let mut stage = Self { folder: tempfile::tempdir().unwrap(), going_on: None };
        let mut text = String::new();
        for piece in script::pieces(script)? {
            let mut lines = piece.script();
            match &piece {
                Piece::Aside(_) => {}
                Piece::Write { name, lines } => stage.write(name, &lines.join("\n")),
                Piece::Remove { name, .. } => fs::remove_file(stage.folder.path().join(name)).unwrap(),
                Piece::Kill { .. } => {
                    let going_on = stage.going_on.take().ok_or("nothing goes on that could be killed")?;
                    going_on.signal(Signal::SIGKILL);
                    going_on.finish();
                }
                Piece::Run { run, .. } => lines.extend(stage.run(run)),
            }
            for line in lines {
                text.push_str(&line);
                text.push('\n');
            }
        }
        Ok(text)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{content}\n")).unwrap();
        if name == ACCOUNT {
            // It begins anew with another account in any case; so nobody takes what was for what is.
            let _ = fs::remove_file(self.folder.path().join(MEMORY));
        }
    }

    /// How often this was written into the memory of the simulated cloud.
    fn calls(&self, call: &str) -> usize {
        fs::read_to_string(self.folder.path().join(MEMORY)).unwrap_or_default().matches(call).count()
    }

    /// Runs one command, and gives the lines that tell what it printed.
    fn run(&mut self, run: &Run) -> Vec<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_powerform"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("USER", "tester")
            .envs(run.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .args(&run.arguments);
        let _terminal = run.typing.as_ref().map(|typed| {
            let terminal = nix::pty::openpty(None, None).unwrap();
            command.stdin(Stdio::from(terminal.slave));
            let mut keyboard = File::from(terminal.master);
            writeln!(keyboard, "{typed}").unwrap();
            keyboard
        });
        let call = run.interrupted_after.as_ref().or(run.going_on_after.as_ref());
        let before = call.map_or(0, |call| self.calls(call));
        let mut running = Running::start(&mut command);
        if let Some(call) = call {
            running.until(call, |_| self.calls(call) > before);
        }
        if run.going_on_after.is_some() {
            self.going_on = Some(running);
            return Vec::new();
        }
        if run.interrupted_after.is_some() {
            running.signal(Signal::SIGINT);
        }
        self.told(&running.finish(), run)
    }

    fn told(&self, ended: &Ended, run: &Run) -> Vec<String> {
        // What does not look at the cloud tells of durations as examples only.
        let is_stable =
            run.arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h" | "validate"));
        let stable = |line: &str| {
            let line = line
                .replace(&*self.folder.path().to_string_lossy(), "FOLDER")
                .replace(&host(), "HOST")
                .replace(env!("CARGO_PKG_VERSION"), "VERSION");
            let is_stable = is_stable || line.starts_with("error: invalid value");
            let line = if is_stable { line } else { volatile::replaced(&line) };
            line.replace('\u{1b}', "\\e")
        };
        let stdout = ended.stdout.lines().map(|line| format!("| {}", stable(line)));
        // What takes unusually long on a busy machine is told again.
        let is_patience = |line: &&str| line.contains(": Still ") && line.contains(" elapsed]");
        let stderr = ended.stderr.lines().filter(|line| !is_patience(line));
        let stderr = stderr.map(|line| format!("! {}", stable(line)));
        let status = match ended.status {
            Some(0) => None,
            Some(status) => Some(format!("= {status}")),
            None => Some("= ended by a signal".to_owned()),
        };
        let lines = stdout.chain(stderr).chain(status);
        lines.map(|line| line.trim_end().to_owned()).collect()
    }
}

/// The name of this machine, as powerform learns it.
fn host() -> String {
    let named = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = named.trim();
    if name.is_empty() { "an unnamed host".to_owned() } else { name.to_owned() }
}

#[test]
fn every_transcript_shows_what_the_binary_prints() {
    let blessing = is_blessing();
    let differences = Mutex::new(Vec::new());
    side_by_side(&transcripts(), |path| {
        let name = path.file_name().unwrap().to_string_lossy();
        let shown = fs::read_to_string(path).unwrap();
        match Stage::perform(&shown) {
            Ok(printed) if printed == shown => {}
            Ok(printed) if blessing => fs::write(path, printed).unwrap(),
            Ok(printed) => {
                let difference = TextDiff::from_lines(&shown, &printed);
                let difference =
                    difference.unified_diff().context_radius(3).header("shown", "printed").to_string();
                differences.lock().unwrap().push(format!("{name}:\n{difference}"));
            }
            Err(mistake) => differences.lock().unwrap().push(format!("{name}: {mistake}")),
        }
    });
    let mut differences = differences.into_inner().unwrap();
    differences.sort();
    assert!(
        differences.is_empty(),
        "transcripts show something else than is printed; if it is right now, take it over with\n    \
         BLESS=1 cargo test --test integration transcripts\n\n{}",
        differences.join("\n")
    );
}

/// Words for what has another name everywhere: `src/render/words` has the list.
const OTHER_WORDS: [(&str, &str); 6] = [
    ("directory", "folder"),
    ("cycle", "circle"),
    ("the machine", "the instance"),
    ("server", "instance"),
    ("abort", "interrupt"),
    ("config ", "configuration"),
];

#[test]
fn one_thing_has_one_name_in_every_transcript() {
    for path in transcripts() {
        let text = fs::read_to_string(&path).unwrap();
        // What the operating system says is in its own words.
        for line in text.lines().filter(|line| line.starts_with(['|', '!']) && !line.contains("(os error ")) {
            for (other, ours) in OTHER_WORDS {
                assert!(
                    !line.to_lowercase().contains(other),
                    "{}: \"{other}\" is called \"{ours}\": {line}",
                    path.display()
                );
            }
        }
    }
}

/// Every command that the binary has, found by its help: each as the words after `powerform`.
fn every_command() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut unseen = vec![Vec::<String>::new()];
    while let Some(command) = unseen.pop() {
        let output =
            Command::new(env!("CARGO_BIN_EXE_powerform")).env_clear().args(&command).arg("--help").output();
        let help = String::from_utf8(output.unwrap().stdout).unwrap();
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in listed.take_while(|line| line.starts_with("  ")) {
            let name = line.split_whitespace().next().unwrap();
            if line.starts_with("   ") || name == "help" {
                continue;
            }
            let path: Vec<String> = command.iter().cloned().chain([name.to_owned()]).collect();
            found.insert(path.join(" "));
            unseen.push(path);
        }
    }
    found
}

#[test]
fn every_command_is_run_and_asked_for_help_in_a_transcript() {
    let commands = every_command();
    assert!(commands.len() > 10 && commands.contains("state rm"), "{commands:?}");
    let texts: Vec<String> = transcripts().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut helped = BTreeSet::new();
    let mut run = BTreeSet::new();
    for text in &texts {
        for piece in script::pieces(text).unwrap() {
            let Piece::Run { run: it, .. } = piece else { continue };
            let words: Vec<&str> = it.arguments.iter().map(String::as_str).collect();
            let is_help = words.contains(&"--help");
            for command in &commands {
                let path: Vec<&str> = command.split(' ').collect();
                if words.windows(path.len()).any(|window| window == path) {
                    if is_help {
                        helped.insert(command.clone())
                    } else {
                        run.insert(command.clone())
                    };
                }
            }
        }
    }
    // This one only holds others.
    let groups = ["state".to_owned()].into();
    assert_eq!(commands, helped, "all commands (left), and those whose help a transcript shows (right)");
    assert_eq!(
        &commands - &groups,
        &run - &groups,
        "all commands (left), and those that a transcript runs (right)"
    );
}
