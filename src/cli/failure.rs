//! How a command fails: the one place that knows headings, hints and exit statuses.

use std::fmt;

use crate::render::json::v1::Diagnostic;
use crate::simulator::SimulatorError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success,
    /// Something failed, or was refused.
    Failure,
    /// `plan --detailed-exitcode`: the plan holds something.
    Changes,
    /// Interrupted by SIGINT or SIGTERM.
    Interrupted,
}

impl Exit {
    /// The exit status of the process.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Changes => 2,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// The configuration has problems, already rendered for people and for programs.
    Configuration { text: String, diagnostics: Vec<Diagnostic> },
    /// Anything else: one sentence per cause.
    Other(anyhow::Error),
    /// Interrupted before anything was done.
    Interrupted,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Configuration { .. } | Self::Other(_) => Exit::Failure,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

/// What to say of an error, in lines of this program's own making: what any of them quotes breaks no line.
pub(super) fn lines(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref::<SimulatorError>() {
        Some(SimulatorError::Account { path, problems }) => {
            let path = path.display();
            let heading = format!("the simulator's account file {path} is not sound:");
            let problems = problems.iter().map(|problem| format!("{path}:{problem}"));
            std::iter::once(heading).chain(problems).collect()
        }
        _ => vec![Chain(error).to_string()],
    }
}

/// An error and its causes in one line: "a: b: c".
pub(super) struct Chain<'a>(pub(super) &'a anyhow::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, cause) in self.0.chain().enumerate() {
            if position > 0 {
                f.write_str(": ")?;
            }
            write!(f, "{cause}")?;
        }
        Ok(())
    }
}
