//! What can go wrong with a state or its lock. Each says what happened, to what, and what to do next, in one line.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::LockInfo;
use super::document::{Edition, Refused};
use crate::fleet::StackName;

/// Why a record was not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// What is stored is not a record that may be used.
    #[error("the state at {place} is refused: {refused}")]
    Refused {
        /// The state, as a person finds it.
        place: String,
        /// Why.
        refused: Refused,
    },
    /// What is stored is not what the new record was made from.
    #[error(
        "the state at {place} was changed by someone else: it holds serial {} of lineage {}, and serial {} of lineage \
         {} was to be written. Nothing was written. Run the command again: it looks at everything afresh",
        stored.serial, stored.lineage, offered.serial, offered.lineage
    )]
    Conflict {
        /// The state, as a person finds it.
        place: String,
        /// What is stored.
        stored: Edition,
        /// What was to be written.
        offered: Edition,
    },
    /// A record with the serial 0 was to be written, which stands for one that never is.
    #[error("the state at {place} was not written: its serial was not raised. This is a defect of powerform")]
    SerialNotRaised {
        /// The state, as a person finds it.
        place: String,
    },
    /// The record to be written belongs to another stack than the store.
    #[error("the state at {place} is for another stack than \"{offered}\". This is a defect of powerform")]
    WrongStore {
        /// The state, as a person finds it.
        place: String,
        /// The stack of the record that was to be written.
        offered: StackName,
    },
    /// The lock under which the record was to be written is not held any more.
    #[error(
        "the lock of the state at {place} was lost: its lock file was removed or replaced. Nothing was written. Make \
         sure that no other powerform works on this stack, and run the command again"
    )]
    LockLost {
        /// The state, as a person finds it.
        place: String,
    },
    /// Where the history of an apply is to be kept stands something else.
    #[error(
        "{place} is not the history of an apply, and stands where it would be kept. Nothing was written. Move it away, \
         or give the state another path as backend.local.path"
    )]
    Misplaced {
        /// What stands there, as a person finds it.
        place: String,
    },
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileTrouble),
}

/// Why a lock was not taken, not given back or not broken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Someone else holds it.
    #[error(
        "the state at {place} is locked by {}. Wait until that is done, or let this command wait with --lock-timeout",
        named(holder.as_deref())
    )]
    Held {
        /// The state, as a person finds it.
        place: String,
        /// The holder; none if it has not yet said who it is.
        holder: Option<Box<LockInfo>>,
    },
    /// The lock to be broken has another id.
    #[error(
        "the lock {given} is not the one on the state at {place}, which is that of {holder}. Nothing was unlocked. If \
         it is that one that shall go, give its id"
    )]
    WrongId {
        /// The state, as a person finds it.
        place: String,
        /// The id that was given.
        given: Uuid,
        /// What the lock says.
        holder: Box<LockInfo>,
    },
    /// There is no lock to be broken.
    #[error("the state at {place} is not locked: there is nothing to unlock")]
    NotLocked {
        /// The state, as a person finds it.
        place: String,
    },
    /// The lock to be broken belongs to a process that still works.
    #[error(
        "the state at {place} is locked by {}, and that process is alive: its lock cannot be taken away. Interrupt \
         that process; its lock ends with it, and no unlocking is needed then",
        named(holder.as_deref())
    )]
    HolderAlive {
        /// The state, as a person finds it.
        place: String,
        /// The holder; none if it has not yet said who it is.
        holder: Option<Box<LockInfo>>,
    },
    /// The lock to be given back is not held any more.
    #[error(
        "the lock of the state at {place} was lost before it was given back: its lock file was removed or replaced"
    )]
    Lost {
        /// The state, as a person finds it.
        place: String,
    },
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileTrouble),
}

fn named(holder: Option<&LockInfo>) -> String {
    holder.map_or_else(|| "a process that has not yet said who it is".to_owned(), LockInfo::to_string)
}

/// What the file system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {reason}{}. {}", path.display(), self.aftermath(), self.remedy())]
pub struct FileTrouble {
    /// What was being done, as in "cannot ...".
    pub doing: &'static str,
    /// To what.
    pub path: PathBuf,
    /// Whether this stopped a write before it replaced anything.
    pub intact: bool,
    /// What the operating system said. It is part of the message, hence not named as its source.
    pub reason: io::Error,
}

impl FileTrouble {
    /// Makes an [`io::Error`] into one that says what was being done to what.
    pub(super) fn on(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self { doing, path: path.to_owned(), intact: false, reason }
    }

    /// The same, of a write that has not replaced anything.
    pub(super) fn intact(mut self) -> Self {
        self.intact = true;
        self
    }

    fn aftermath(&self) -> &'static str {
        if self.intact { "; the previous state is intact" } else { "" }
    }

    fn remedy(&self) -> &'static str {
        match self.reason.kind() {
            ErrorKind::PermissionDenied => "Check who owns it and its folder, and run as that user",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                "Make room there and run the command again"
            }
            ErrorKind::ReadOnlyFilesystem => "Name a place that can be written to as backend.local.path",
            ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput => "Name a file as backend.local.path",
            ErrorKind::Unsupported => {
                "Name a place on a file system that can lock files as backend.local.path"
            }
            _ => "If the disk is sound, run the command again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_trouble_says_what_happened_to_what_and_what_to_do() {
        let full =
            FileTrouble::on("write the state to", Path::new("state/x.json"))(ErrorKind::StorageFull.into());
        assert_eq!(
            full.intact().to_string(),
            "cannot write the state to state/x.json: no storage space; the previous state is intact. Make room there \
             and run the command again"
        );
        let folder = FileTrouble::on("read the state", Path::new("state"))(ErrorKind::IsADirectory.into());
        assert_eq!(
            folder.to_string(),
            "cannot read the state state: is a directory. Name a file as backend.local.path"
        );
    }
}
