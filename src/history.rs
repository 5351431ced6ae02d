//! The history of one apply: what was planned, and everything that happened, in order.
//!
//! A fold over the events of a run, kept beside the record by every apply that does anything, so that it can still be
//! shown afterwards. Pure: nothing here is read, written or rendered, and nothing is ever decided from a history.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::execute::{Event, EventKind, Report};
use crate::fleet::StackName;
use crate::plan::{Plan, Shape};

/// The format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u64 = 1;

/// The longest history that is kept, in bytes: that of some ten thousand instances.
pub const LONGEST: usize = 64 * 1024 * 1024;

/// The most events that are kept of what happens on the way. How each step ended is always kept.
pub const MOST_EVENTS: usize = 100_000;

/// What one apply was, from its beginning to its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct History<'p> {
    /// When the run began.
    pub began_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Who applied, as `user@host`. Untrusted text.
    pub who: String,
    /// The version of powerform.
    pub version: String,
    /// How the plan was asked for.
    pub shape: Shape,
    /// At most so many instances were to be in transition; no limit if none.
    pub parallelism: Option<NonZeroUsize>,
    /// The lineage of the record.
    pub lineage: Uuid,
    /// The serial of the record afterwards.
    pub serial: u64,
    /// Whether the record could be saved.
    pub is_saved: bool,
    /// What was planned.
    pub plan: Cow<'p, Plan>,
    /// What happened.
    pub events: Vec<Event>,
    /// How many events on the way were left out, because there were more than [`MOST_EVENTS`].
    pub left_out: usize,
}

impl History<'_> {
    /// Takes in one event. Past [`MOST_EVENTS`] only ends are kept.
    pub fn hear(&mut self, event: &Event) {
        let is_end = match event.kind {
            EventKind::Completed { .. }
            | EventKind::Failed { .. }
            | EventKind::Skipped { .. }
            | EventKind::NotReached { .. }
            | EventKind::Interrupted => true,
            EventKind::Began { .. }
            | EventKind::Accepted { .. }
            | EventKind::Retrying { .. }
            | EventKind::OutOfStock { .. }
            | EventKind::Readying { .. }
            | EventKind::Moved { .. }
            | EventKind::Throttled { .. }
            | EventKind::LookFailed { .. } => false,
        };
        if is_end || self.events.len() < MOST_EVENTS {
            self.events.push(event.clone());
        } else {
            self.left_out += 1;
        }
    }

    /// How it ended, for each instance.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = Report::default();
        self.events.iter().for_each(|event| report.hear(event));
        report
    }
}

/// The first key of the text, by which a store knows it for a history.
#[derive(Serialize)]
struct File<'a> {
    kind: &'static str,
    format_version: u64,
    #[serde(flatten)]
    history: &'a History<'a>,
}

/// What the text says of itself.
const KIND: &str = "powerform-last-apply";

/// Why a history is refused. Nothing but the look back is lost with it: the next apply writes a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not a history, or a damaged one.
    #[error(
        "it is not the history of an apply, or it is damaged ({why}); the next apply that does anything writes a new one"
    )]
    NotAHistory {
        /// What is wrong with it.
        why: String,
    },
    /// It was made by a newer program.
    #[error(
        "it has the format {version}, made by a newer powerform; this one reads format {FORMAT_VERSION}: upgrade it"
    )]
    Newer {
        /// Its format.
        version: u64,
    },
    /// It belongs to another stack.
    #[error("it is that of the stack {found}: give each stack a path of its own as backend.local.path")]
    OtherStack {
        /// The stack that it names.
        found: StackName,
    },
}

/// The text of a history; none if it would be longer than [`LONGEST`].
#[must_use]
pub fn write(history: &History<'_>) -> Option<Vec<u8>> {
    let file = File { kind: KIND, format_version: FORMAT_VERSION, history };
    // Plain data with text keys always has a JSON form.
    let mut text = serde_json::to_vec(&file).ok()?;
    text.push(b'\n');
    (text.len() <= LONGEST).then_some(text)
}

/// Reads the history of this stack.
///
/// # Errors
/// [`Refused`], with what to do about it.
pub fn read(text: &[u8], stack: &StackName) -> Result<History<'static>, Refused> {
    #[derive(Deserialize)]
    struct Head {
        kind: String,
        format_version: u64,
    }
    let refused = |why: String| Refused::NotAHistory { why };
    let head: Head = serde_json::from_slice(text).map_err(|error| refused(error.to_string()))?;
    if head.kind != KIND {
        return Err(refused("it says that it is something else".to_owned()));
    }
    if head.format_version > FORMAT_VERSION {
        return Err(Refused::Newer { version: head.format_version });
    }
    let history: History<'static> =
        serde_json::from_slice(text).map_err(|error| refused(error.to_string()))?;
    let plan = &history.plan;
    if plan.stack != *stack {
        return Err(Refused::OtherStack { found: plan.stack.clone() });
    }
    let points_somewhere = |event: &Event| event.change().is_none_or(|change| change < plan.changes.len());
    if !plan.is_whole() || !history.events.iter().all(points_somewhere) {
        return Err(refused("it speaks of instances that it does not name".to_owned()));
    }
    Ok(history)
}

#[cfg(test)]
mod tests;
