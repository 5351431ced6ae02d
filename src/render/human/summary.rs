//! The last words of an apply: what became of every instance that the plan meant to move.

use std::fmt::Write as _;

use crate::execute::Report;
use crate::plan::{Change, Plan};
use crate::render::ending::{Ending, RunVerdict, asked};
use crate::render::style::{Ink, Style};
use crate::render::words::{self, Explanation};

/// The most instances that are explained, two lines each, unless all are asked for: together about a screenful.
const EXPLAINED: usize = 10;

/// However many were explained before it, each kind of trouble gets at least so many.
const EXPLAINED_AT_LEAST: usize = 2;

/// The most instances that are named in one list.
const NAMED: usize = 10;

/// The one summary that ends every apply, however it ended: the counts in its first line, then everything that did
/// not go as planned with reason and remedy, then the names of what did. `is_saved` says whether the record could be
/// saved; `all` names every instance.
#[must_use]
pub fn apply_summary(plan: &Plan, report: &Report, is_saved: bool, style: Style, all: bool) -> String {
    let ending = Ending::of(plan, report, is_saved);
    let ink = match ending.verdict {
        RunVerdict::Complete => Ink::Up,
        RunVerdict::Incomplete | RunVerdict::Interrupted => Ink::Trouble,
    };
    let mut page = Page { text: String::new(), style, all, left: EXPLAINED, left_out: false };
    // Writing to a string cannot fail.
    let _ = writeln!(page.text, "{}", style.paint(ink, ending.headline()));
    if !is_saved {
        let line = "The state could not be saved: see above why, and what it would say.";
        let _ = writeln!(page.text, "{}", style.paint(Ink::Trouble, line));
    }
    page.explain("Failed", &ending.failed, |(change, failure)| {
        (*change, words::failure(failure, asked(&change.verdict)))
    });
    page.explain("Blocked", &ending.blocked, |(change, block)| (*change, words::block(block)));
    page.explain("Not reached", &ending.not_reached, |(change, in_transition)| {
        (*change, words::left_over(*in_transition))
    });
    page.explain("Skipped", &ending.skipped, |skipped| {
        (skipped.change, words::skipped(skipped.because, skipped.root))
    });
    page.name("Started", &ending.started);
    page.name("Stopped", &ending.stopped);
    page.name("Arrived without a call", &ending.arrived);
    page.name("Already there", &ending.already_there);
    page.name("Released", &ending.released);
    if page.left_out {
        page.text.push_str("\n--all names every instance.\n");
    }
    page.text
}

struct Page {
    text: String,
    style: Style,
    all: bool,
    /// How many more instances may be explained before the screen is full.
    left: usize,
    left_out: bool,
}

impl Page {
    fn explain<T>(&mut self, kind: &str, items: &[T], explain: impl Fn(&T) -> (&Change, Explanation)) {
        if items.is_empty() {
            return;
        }
        let most = if self.all { items.len() } else { self.left.max(EXPLAINED_AT_LEAST).min(items.len()) };
        let _ = writeln!(self.text, "\n{}", self.style.paint(Ink::Heading, format!("{kind}:")));
        for item in items.iter().take(most) {
            let (change, Explanation { what, remedy }) = explain(item);
            let _ = writeln!(self.text, "  {}: {what}", subject(change));
            let _ = writeln!(self.text, "    -> {remedy}");
        }
        self.left = self.left.saturating_sub(most);
        if items.len() > most {
            self.left_out = true;
            let _ = writeln!(self.text, "  and {} more", items.len() - most);
        }
    }

    fn name(&mut self, kind: &str, changes: &[&Change]) {
        if changes.is_empty() {
            return;
        }
        let most = if self.all { changes.len() } else { NAMED };
        self.left_out |= changes.len() > most;
        // Only the names that are shown are made: an apply may end with a hundred thousand.
        let mut names: Vec<String> = changes.iter().take(most).map(|c| words::address(&c.address)).collect();
        if changes.len() > most {
            names.push(format!("{} more", changes.len() - most));
        }
        let heading = self.style.paint(Ink::Heading, format!("{kind}:"));
        let _ = writeln!(self.text, "\n{heading} {}", words::list(&names, names.len()));
    }
}

/// An instance as a summary names it: with its id, where the address does not hold it.
fn subject(change: &Change) -> String {
    let address = words::address(&change.address);
    match change.address.instance {
        Some(_) => address,
        None => format!("{address} ({})", words::name(change.key.id.as_str())),
    }
}
