//! The simulator's log: what happened in the simulated cloud, one JSON object a line. It is also its memory.
//!
//! The first line is the header:
//!
//! ```json
//! {"format_version":1,"account_digest":"<sha-256 of the account file>","begun":"2026-11-22T10:00:00Z","id":"<uuid>"}
//! ```
//!
//! Every other line is one [`LogLine`], `{"at": TIME, "event": {"kind": KIND, ...}}`. The kinds:
//!
//! - `request`: a request that reached the cloud (what the signature check refuses is not logged). `action`;
//!   `region`: whose limits it counts against; `instance` where it is about one; `ids` how many ids a read or a batch
//!   named; `parameters`, those of a power call or of STS; `answer`: `accepted`, or the error code, or `unserved`
//!   where a fault kept the request away; `request_id`; `answered`: false where a fault kept the true answer from the
//!   client; `faults`: the positions of the faults that counted this request; `phases`: what an accepted power call
//!   leads to; `items`, of a batch: for every instance that it names `instance`, `answer` and `phases`; `invocation`,
//!   of an accepted RunCommand: which command runs where, and what it is when.
//! - `set`: the status of `instance` was changed by someone else, to `phases`.
//! - `lock`, `unlock`: an operation lock was put on (`reason`) or all were taken off `instance`.
//! - `scheduled`: the fault that was due is done; the `set`, `lock` and `unlock` lines before it are its doing.
//! - `snapshot`: everything before this line, folded: a log that has grown large is begun anew with it.
//!
//! This is the stable form that tests read. Fields are added, never renamed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SimulatorError;
use super::status::{Status, StoppedMode};

/// The version of the format that is written.
pub(super) const FORMAT_VERSION: u32 = 1;

/// The longest header that is read, in bytes.
pub(super) const LONGEST_HEADER: u64 = 4096;

/// The answer of a request that was done.
pub const ACCEPTED: &str = "accepted";

/// The answer of a request that a fault kept away from the cloud.
pub const UNSERVED: &str = "unserved";

/// The first line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format_version: u32,
    pub(super) account_digest: String,
    pub(super) begun: Timestamp,
    /// Another file, another id: this is how processes that share a log notice that it was written anew.
    pub(super) id: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: LogEvent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogEvent {
    /// A request reached the cloud.
    Request(RequestLine),
    /// Someone else changed the status of an instance.
    Set {
        /// Whose.
        instance: String,
        /// What it is from then on.
        phases: Vec<Phase>,
    },
    /// A lock was put on an instance.
    Lock {
        /// Which.
        instance: String,
        /// Why, in the words of ECS.
        reason: String,
    },
    /// All locks were taken off an instance.
    Unlock {
        /// Which.
        instance: String,
    },
    /// The next of the changes that were due is done.
    Scheduled {
        /// How many are done with this one.
        done: usize,
    },
    /// Everything before, folded.
    Snapshot(Snapshot),
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestLine {
    /// The operation.
    pub action: String,
    /// The region whose limits it counts against; empty where the action has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// The instance that a power call is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// How many ids a read or a batch named; none where a read asked for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<usize>,
    /// The parameters of a power call, without the public ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// [`ACCEPTED`], an error code, or [`UNSERVED`].
    pub answer: String,
    /// The id that the answer carries.
    pub request_id: String,
    /// Whether nothing was done to the answer on its way.
    pub answered: bool,
    /// The positions of the faults that counted this request, from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<usize>,
    /// What the instance is from then on, where a power call was accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// Of a batch: what became of each instance that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemLine>,
    /// Of RunCommand: the command that runs from then on, where it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<Box<Invocation>>,
}

/// A command that runs in some instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Its `InvokeId`.
    pub id: String,
    /// Its `CommandId`.
    pub command: String,
    /// The region of its instances.
    pub region: String,
    /// What is run.
    pub content: String,
    /// The `ClientToken` of the call, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What it is in each instance, in the order of the call.
    pub instances: Vec<Invoked>,
}

/// A command in one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoked {
    /// Which.
    pub instance: String,
    /// The position of the account's answer that it is given, from 0; none where no answer is for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<usize>,
    /// Its statuses, the earliest first; never empty.
    pub stages: Vec<Stage>,
    /// What it exits with, if it exits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// What it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// The error code that it ends with, where it does not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a command is from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// From when.
    pub from: Timestamp,
    /// What.
    pub status: InvocationStatus,
}

/// What a command is in one instance, in the words of ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvocationStatus {
    /// Not delivered yet.
    Pending,
    /// It runs.
    Running,
    /// It exited with 0.
    Success,
    /// It exited with anything else.
    Failed,
    /// It was never delivered.
    Aborted,
    /// It cannot go on.
    Error,
    /// It took longer than it was given.
    Timeout,
}

impl InvocationStatus {
    /// The word of ECS.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
            Self::Error => "Error",
            Self::Timeout => "Timeout",
        }
    }

    /// Whether it stays.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// What became of one instance of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemLine {
    /// Which.
    pub instance: String,
    /// [`ACCEPTED`], an error code, or [`UNSERVED`].
    pub answer: String,
    /// What the instance is from then on, where it was accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
}

/// What an instance is from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// From when.
    pub from: Timestamp,
    /// What.
    pub status: Status,
    /// How it is billed while stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_mode: Option<StoppedMode>,
}

/// The whole cloud at one moment, as far as it differs from the account file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The instances that something happened to.
    pub instances: BTreeMap<String, Remembered>,
    /// How often each fault counted a request.
    pub faults: Vec<u64>,
    /// Since when the faults strike that last for some time once they began, by position.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub since: BTreeMap<usize, Timestamp>,
    /// How many of the scheduled changes are done.
    pub scheduled: usize,
    /// For each limited action and region (as `action/region`) its latest window (counted from the epoch) and the
    /// calls in it.
    pub windows: BTreeMap<String, (i64, u64)>,
    /// The commands that were run, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invocations: Vec<Invocation>,
}

/// What is remembered of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Its phases, the earliest first.
    pub phases: Vec<Phase>,
    /// Its locks.
    pub locks: Vec<String>,
    /// When it was last started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
}

/// Reads a log from its beginning, without locking it: a last line that is still being written is left out.
///
/// # Errors
/// The file cannot be read, or a line that is not the last is not a line of a log.
pub fn read_log(path: &Path) -> Result<Vec<LogLine>, SimulatorError> {
    let failed = |error| SimulatorError::Memory { path: path.to_owned(), error };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut lines = Vec::new();
    let mut text = Vec::new();
    for number in 1_u64.. {
        text.clear();
        reader.read_until(b'\n', &mut text).map_err(failed)?;
        if text.last() != Some(&b'\n') {
            break;
        }
        if number > 1 {
            let line = serde_json::from_slice(&text)
                .map_err(|_| SimulatorError::DamagedMemory { path: path.to_owned(), line: number })?;
            lines.push(line);
        }
    }
    Ok(lines)
}
