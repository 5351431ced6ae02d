//! The words of powerform: plurals, lists, times, and a sentence with a remedy for everything that can be said of an
//! instance. Screen and machine output both take their words here, so that one thing has one name everywhere.
//!
//! | the word | what it is | and not |
//! |---|---|---|
//! | instance | an instance of ECS that is looked at, started or stopped | machine, server, VM, node |
//! | this machine | where powerform runs | host, unless its name is meant |
//! | configuration | what all files together say; one of them is a file | config, manifest |
//! | entry, address | a name under `instances`, and the name of one instance of it | resource, target |
//! | status, goal | what ECS shows, and what the configuration wants | state, power state |
//! | state, record | the file that is locked and saved, and what it says of the instances | database, cache |
//! | plan, verdict | what is decided of all instances, and of one | diff, change set |
//! | in transition, on its way | between the call and the goal: counted, and told in a sentence | pending, which is a status |
//! | call, look | what changes an instance, and what only asks | request, which ECS numbers; poll |
//! | circle, chain | needs that lead back, and needs that follow each other | cycle, path |
//! | folder | where files are | directory |
//! | refused, failed, skipped, blocked | by ECS or a guard; at work; because of another; in the plan | denied, aborted |
//!
//! What leaves this module is safe to print: text from elsewhere is made visible and cut to a sane width.

mod failure;
mod order;
mod probe;
mod reason;
mod selection;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use unicode_width::UnicodeWidthChar;

pub use failure::{
    doing, failure, left_over, remedy_of, retrying, seen, skipped, status, still, stopped_otherwise,
};
pub use order::{Order, narrowed};
pub use probe::{out_of_stock, probe, readiness, readying};
pub use reason::{block, drift, excess, heading, heading_of_several, reason, then, verdict, warning};
pub use selection::selecting;

use super::visible::visible;
use crate::fleet::Address;

/// The columns that a name, a status word or an id may take.
pub const NAME_COLUMNS: usize = 80;

/// The columns that an address may take: an entry's name of 63 characters and an id of usual length fit.
pub const ADDRESS_COLUMNS: usize = 120;

/// The columns that a message of ECS may take.
pub const MESSAGE_COLUMNS: usize = 400;

/// The most names in one list.
pub const LISTED: usize = 5;

/// What happened or holds, and what a person can do about it. Fragments of sentences without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What happened, and why.
    pub what: String,
    /// What to do next.
    pub remedy: Cow<'static, str>,
}

impl Explanation {
    fn new(what: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// `1 instance`, `2 instances`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `a`, `a and b`, `a, b and c`; of more than `most` names the first ones and how many more: `a, b and 3 more`.
#[must_use]
pub fn list<T: fmt::Display>(names: &[T], most: usize) -> String {
    let shown = names.len().min(most.max(1));
    let mut parts: Vec<String> = names.iter().take(shown).map(ToString::to_string).collect();
    if names.len() > shown {
        parts.push(format!("{} more", names.len() - shown));
    }
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}

/// A moment to the minute: `2026-11-21 20:04 UTC`.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// An address, cut to [`ADDRESS_COLUMNS`]: entries have short names, but ECS promises no length for ids.
#[must_use]
pub fn address(address: &Address) -> String {
    let text = address.to_string();
    match short(&text, ADDRESS_COLUMNS) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cut) => cut,
    }
}

/// Text from elsewhere, made visible and cut to `columns` with an ellipsis.
#[must_use]
pub fn short(text: &str, columns: usize) -> Cow<'_, str> {
    // Characters that take no column are bounded too, and nothing beyond is looked at, however long the text is.
    let bound = text.char_indices().nth(columns.saturating_mul(2)).map_or(text.len(), |(at, _)| at);
    let shown = visible(&text[..bound]);
    let mut width = 0;
    let mut fits = 0;
    for (at, character) in shown.char_indices() {
        width += character.width().unwrap_or(0);
        if width > columns {
            break;
        }
        if width < columns {
            fits = at + character.len_utf8();
        }
    }
    if width <= columns && bound == text.len() { shown } else { Cow::Owned(format!("{}…", &shown[..fits])) }
}

/// A name or a status word from elsewhere, cut to [`NAME_COLUMNS`]. One that is empty is said to be.
#[must_use]
pub fn name(text: &str) -> Cow<'_, str> {
    if text.is_empty() { Cow::Borrowed("(empty)") } else { short(text, NAME_COLUMNS) }
}

/// A message from elsewhere, cut to [`MESSAGE_COLUMNS`], without the full stop at its end.
#[must_use]
pub fn message(text: &str) -> Cow<'_, str> {
    short(text.trim().trim_end_matches('.'), MESSAGE_COLUMNS)
}
