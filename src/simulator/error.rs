//! Why a simulator cannot be used, in words that say what to do.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use super::account::{Account, LoadError, Problem};
use super::memory::MemoryError;

/// Why a simulator cannot be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The account file cannot be read.
    #[error("cannot read the simulator's account file {}: check the path and its permissions", path.display())]
    AccountFile {
        /// The account file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The account file is too large.
    #[error("the simulator's account file {} is larger than {} MiB: split the account", path.display(), limit >> 20)]
    AccountTooLarge {
        /// The account file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The account file is unsound.
    #[error("{}", problem_list(path, problems))]
    Account {
        /// The account file.
        path: PathBuf,
        /// Everything that is wrong, in the order of the file.
        problems: Vec<Problem>,
    },
    /// An account file is given twice.
    #[error("the account file {} is given twice: give it once", path.display())]
    AccountTwice {
        /// The account file.
        path: PathBuf,
    },
    /// Two accounts share what only one of them can have.
    #[error("{} and {} both {what}: {remedy}", first.display(), second.display())]
    Shared {
        /// What they both do.
        what: String,
        /// What to write instead.
        remedy: &'static str,
        /// The account file that came first.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The memory file cannot be read or written.
    #[error(
        "cannot use the simulator's memory {}: check its permissions, or name another with memory: in the account file",
        path.display()
    )]
    Memory {
        /// The memory file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The memory file is not one, or is damaged.
    #[error(
        "line {line} of the simulator's memory {} is not a line of a simulator's log: if the file is the simulator's, \
         delete it to begin anew; if not, name another with memory: in the account file",
        path.display()
    )]
    DamagedMemory {
        /// The memory file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The memory file was written by a later version of this program.
    #[error(
        "the simulator's memory {} has format version {version}, which this program does not know: update the \
         program, or delete the file to begin anew",
        path.display()
    )]
    NewerMemory {
        /// The memory file.
        path: PathBuf,
        /// The version that it has.
        version: u32,
    },
    /// The account file was changed, and another process began the memory anew.
    #[error(
        "the simulator's memory {} now belongs to a changed account file: start this simulator again",
        path.display()
    )]
    AccountChanged {
        /// The memory file.
        path: PathBuf,
    },
    /// There is no such instance.
    #[error("{} has no instance \"{id}\"{}", account.display(), suggestion(near))]
    UnknownInstance {
        /// The account file.
        account: PathBuf,
        /// The id that was asked for.
        id: String,
        /// The ids that may have been meant, the nearest first.
        near: Vec<String>,
    },
    /// The instance is gone.
    #[error(
        "the instance {id} was released: nothing can happen to it any more (delete {} to begin anew)",
        memory.display()
    )]
    Released {
        /// The instance.
        id: String,
        /// The memory file.
        memory: PathBuf,
    },
}

impl SimulatorError {
    pub(super) fn of_account(path: &Path, error: LoadError) -> Self {
        let path = path.to_owned();
        match error {
            LoadError::Io(error) => Self::AccountFile { path, error },
            LoadError::TooLarge(limit) => Self::AccountTooLarge { path, limit },
            LoadError::Unsound(problems) => Self::Account { path, problems },
        }
    }

    pub(super) fn of_memory(path: &Path, error: MemoryError) -> Self {
        let path = path.to_owned();
        match error {
            MemoryError::Io(error) => Self::Memory { path, error },
            MemoryError::AccountChanged => Self::AccountChanged { path },
            MemoryError::Damaged(line) => Self::DamagedMemory { path, line },
            MemoryError::Newer(version) => Self::NewerMemory { path, version },
        }
    }

    pub(super) fn unknown_instance(path: &Path, account: &Account, id: &str) -> Self {
        let named = account.instances.iter().filter(|instance| instance.name == id);
        let mut near: Vec<String> = named.take(3).map(|instance| instance.id.to_string()).collect();
        if near.is_empty() {
            // The ids of an account often differ in a few places only; the nearest three are enough to see it.
            let slips = |other: &str| strsim::damerau_levenshtein(id, other);
            let mut by_slips: Vec<(usize, &str)> = account
                .instances
                .iter()
                .map(|instance| &*instance.id)
                .filter(|other| other.len().abs_diff(id.len()) <= 3)
                .map(|other| (slips(other), other))
                .filter(|(slips, _)| *slips <= 3)
                .collect();
            by_slips.sort_unstable();
            near = by_slips.into_iter().take(3).map(|(_, other)| other.to_owned()).collect();
        }
        Self::UnknownInstance { account: path.to_owned(), id: id.to_owned(), near }
    }
}

fn problem_list(path: &Path, problems: &[Problem]) -> String {
    let mut text = format!("the simulator's account file {} is not sound:", path.display());
    for problem in problems {
        let _ = write!(text, "\n  {}:{problem}", path.display());
    }
    text
}

fn suggestion(near: &[String]) -> String {
    match near {
        [] => ": use one of the ids under its `instances`".to_owned(),
        [.., _] => format!(": did you mean {}?", near.join(" or ")),
    }
}
