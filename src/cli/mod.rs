//! The edge: commands, prompts, streams and exit statuses. Everything that a person types or sees goes through here.
//!
//! Each command is one file: what it takes is in `arguments`, what it does is wiring. Only this module knows
//! stdout from stderr, and only [`environment`] reads variables and the clock.

mod apply;
mod approval;
mod arguments;
mod completion;
mod configuration;
mod connection;
mod console;
mod doctor;
pub mod environment;
mod failure;
mod force_unlock;
mod graph;
mod import;
mod init;
mod interruption;
mod log;
mod man;
mod plan;
mod plan_file;
mod probes;
pub mod progress;
mod record;
mod report;
mod simulator;
mod validate;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::config;
use arguments::{Arguments, Command, Global, State};
use console::{Console, Level};
use environment::Environment;
pub use failure::Exit;
use failure::{Chain, Failure};
use interruption::Interruption;

/// Runs the command that these arguments ask for, as the process of its own that it is, and gives its exit status.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let environment = Environment::of_this_process();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(answered) = completion::answer(environment, &arguments) {
        return answered;
    }
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let printed = match error.print() {
                // Whoever does not read this has closed the stream.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    let _ = writeln!(std::io::stderr(), "error: cannot write to stdout: {error}");
                    false
                }
                _ => true,
            };
            let exit = if asked_for && printed { Exit::Success } else { Exit::Failure };
            return ExitCode::from(exit.status());
        }
    };
    let console = Console::new(environment, arguments.global.color);
    if let Err(error) = log::begin(&arguments.global, environment) {
        console.error(&error);
        return ExitCode::from(Exit::Failure.status());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console.error(format_args!("cannot start: {error}"));
            return ExitCode::from(Exit::Failure.status());
        }
    };
    let exit = runtime.block_on(run(arguments, &console));
    // A read from a terminal that nobody answers must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(console.last_word(exit).status())
}

/// What is said of an apply that was refused.
const NOTHING_WAS_CALLED: &str = "nothing was called";

/// What every command is given.
struct Session<'a> {
    console: &'a Console,
    environment: Environment,
    global: &'a Global,
    interruption: Interruption,
}

impl Session<'_> {
    /// A path of the command line, as it is found from the working directory.
    fn path(&self, path: &Path) -> PathBuf {
        match &self.global.chdir {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        }
    }
}

async fn run(arguments: Arguments, console: &Console) -> Exit {
    let Arguments { global, command } = arguments;
    let interruption = match Interruption::listen() {
        Ok(interruption) => interruption,
        Err(error) => {
            console.error(format_args!("cannot listen for signals: {error}"));
            return Exit::Failure;
        }
    };
    let session = Session { console, environment: console.environment(), global: &global, interruption };
    // Whatever keeps an apply from its plan comes before its first call; what comes after is told by its summary.
    let called_nothing = matches!(command, Command::Apply(_));
    let outcome = match command {
        Command::Init => init::run(&session),
        Command::Validate(arguments) => validate::run(&session, &arguments),
        Command::Plan(arguments) => plan::run(&session, &arguments).await,
        Command::Apply(arguments) => apply::run(&session, &arguments).await,
        Command::Show(arguments) => record::show(&session, &arguments).await,
        Command::Schema => {
            console.document(config::SCHEMA);
            Ok(Exit::Success)
        }
        Command::Graph(arguments) => graph::run(&session, &arguments).await,
        Command::Import(arguments) => import::run(&session, &arguments).await,
        Command::State(State::List { json }) => record::list(&session, json).await,
        Command::State(State::Show { address }) => record::show_address(&session, &address).await,
        Command::State(State::Rm { address, lock_timeout }) => {
            record::remove(&session, &address, lock_timeout).await
        }
        Command::Doctor(arguments) => doctor::run(&session, &arguments).await,
        Command::ForceUnlock(arguments) => force_unlock::run(&session, &arguments).await,
        Command::Simulator(arguments) => simulator::run(&session, arguments).await,
        Command::Completions(arguments) => completion::run(&session, &arguments),
        Command::Man(arguments) => man::run(&session, &arguments),
    };
    match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            match &failure {
                Failure::Configuration { text, diagnostics } => console.problems(text, diagnostics),
                Failure::Other(error) => {
                    let mut lines = failure::lines(error);
                    if called_nothing && !lines.iter().any(|line| line.contains(NOTHING_WAS_CALLED)) {
                        lines.push(NOTHING_WAS_CALLED.to_owned());
                    }
                    console.say_lines(Level::Error, &lines);
                }
                Failure::Interrupted => console.say(Level::Note, "interrupted: nothing was called"),
            }
            failure.exit()
        }
    }
}
