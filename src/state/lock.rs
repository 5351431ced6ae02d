//! Who holds a lock, and the proof of holding it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{local, memory};
use crate::fleet::StackName;

/// Who holds a lock, since when, and what for. Read from a file: every text in it is untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockInfo {
    /// Names this one taking of the lock; `force-unlock` asks for it.
    pub id: Uuid,
    /// The person or account, for example `ops@build-7`.
    pub who: String,
    /// The machine.
    pub host: String,
    /// The process on that machine.
    pub pid: u32,
    /// When the lock was taken, by the clock of that machine.
    pub since: Timestamp,
    /// The command that took it, for example `apply`.
    pub command: String,
    /// The stack whose state is locked.
    pub stack: StackName,
}

impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (process {} on {}, running \"{}\" on the stack {} since {}, lock id {})",
            self.who,
            self.pid,
            self.host,
            self.command,
            self.stack,
            format_args!("{:.0}", self.since),
            self.id.hyphenated()
        )
    }
}

/// The content of a lock as text. Fields that are unknown are ignored: it only informs.
#[derive(Serialize, Deserialize)]
struct Content {
    id: String,
    who: String,
    host: String,
    pid: u32,
    since: Timestamp,
    command: String,
    stack: StackName,
}

impl LockInfo {
    /// The content of a lock, as JSON.
    pub(super) fn to_text(&self) -> Vec<u8> {
        let content = Content {
            id: self.id.hyphenated().to_string(),
            who: self.who.clone(),
            host: self.host.clone(),
            pid: self.pid,
            since: self.since,
            command: self.command.clone(),
            stack: self.stack.clone(),
        };
        let mut text =
            serde_json::to_vec_pretty(&content).expect("strings and whole numbers have a JSON form");
        text.push(b'\n');
        text
    }

    /// Reads the content of a lock. None if there is none, or only a part of one: a holder writes it after it has
    /// taken the lock, and can die before it is done.
    pub(super) fn from_text(text: &[u8]) -> Option<Self> {
        let content: Content = serde_json::from_slice(text).ok()?;
        Some(Self {
            id: Uuid::try_parse(&content.id).ok()?,
            who: content.who,
            host: content.host,
            pid: content.pid,
            since: content.since,
            command: content.command,
            stack: content.stack,
        })
    }
}

/// The proof that a lock is held. Give it back with [`Store::unlock`](super::Store::unlock).
///
/// Dropped instead, it frees the lock as the death of the process would: the next one to lock is told that it took
/// over.
#[derive(Debug)]
#[must_use = "the lock is free again as soon as this is dropped"]
pub struct Held {
    /// What the lock says.
    pub info: LockInfo,
    /// Whose lock this was, where a process left it without giving it back.
    pub took_over: Option<LockInfo>,
    pub(super) guard: Guard,
}

/// What keeps the lock; one arm for each kind of store.
#[derive(Debug)]
pub(super) enum Guard {
    /// An open file with the operating system's lock on it.
    Local(local::LockedFile),
    /// A place in memory.
    Memory(memory::Guard),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> LockInfo {
        LockInfo {
            id: Uuid::from_u128(0xAB),
            who: "ops@build-7".to_owned(),
            host: "build-7".to_owned(),
            pid: 4711,
            since: "2026-11-21T20:04:00Z".parse().unwrap(),
            command: "apply".to_owned(),
            stack: StackName::new("web-shop").unwrap(),
        }
    }

    #[test]
    fn a_lock_reads_back_as_it_was_written_and_partial_content_is_no_content() {
        let text = info().to_text();
        assert_eq!(LockInfo::from_text(&text), Some(info()));
        for length in 0..text.len() - 2 {
            assert_eq!(LockInfo::from_text(&text[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_lock_tells_who_holds_it_where_since_when_and_what_for() {
        assert_eq!(
            info().to_string(),
            "ops@build-7 (process 4711 on build-7, running \"apply\" on the stack web-shop since \
             2026-11-21T20:04:00Z, lock id 00000000-0000-0000-0000-0000000000ab)"
        );
    }
}
