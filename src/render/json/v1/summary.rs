//! The line that ends an apply.

use jiff::Timestamp;
use serde::Serialize;

use super::hook::Error;
use super::plan::block_code;
use super::{Level, line};
use crate::execute::Report;
use crate::plan::{Change, Plan};
use crate::render::ending::{Ending, asked};
use crate::render::words::{self, Explanation};

/// The `apply_summary` line: the counts, and every instance that the plan meant to move under what became of it.
/// `is_saved` says whether the record could be saved.
#[must_use]
pub fn apply_summary(now: Timestamp, plan: &Plan, report: &Report, is_saved: bool) -> String {
    #[derive(Serialize)]
    struct Body {
        summary: Summary,
    }
    #[derive(Serialize)]
    struct Summary {
        result: &'static str,
        state_saved: bool,
        counts: Counts,
        started: Vec<String>,
        stopped: Vec<String>,
        arrived: Vec<String>,
        already_there: Vec<String>,
        released: Vec<String>,
        failed: Vec<Explained>,
        skipped: Vec<Explained>,
        not_reached: Vec<Explained>,
        blocked: Vec<Explained>,
    }
    #[derive(Serialize)]
    struct Counts {
        started: usize,
        stopped: usize,
        arrived: usize,
        already_there: usize,
        failed: usize,
        skipped: usize,
        not_reached: usize,
        blocked: usize,
        released: usize,
    }
    let ending = Ending::of(plan, report, is_saved);
    let addresses = |changes: &[&Change]| changes.iter().map(|change| change.address.to_string()).collect();
    let summary = Summary {
        result: ending.verdict.word(),
        state_saved: is_saved,
        counts: Counts {
            started: ending.started.len(),
            stopped: ending.stopped.len(),
            arrived: ending.arrived.len(),
            already_there: ending.already_there.len(),
            failed: ending.failed.len(),
            skipped: ending.skipped.len(),
            not_reached: ending.not_reached.len(),
            blocked: ending.blocked.len(),
            released: ending.released.len(),
        },
        started: addresses(&ending.started),
        stopped: addresses(&ending.stopped),
        arrived: addresses(&ending.arrived),
        already_there: addresses(&ending.already_there),
        released: addresses(&ending.released),
        failed: ending
            .failed
            .iter()
            .map(|(change, failure)| {
                let action = asked(&change.verdict);
                let error = Error::of(failure, action);
                let code = error.kind;
                Explained {
                    error: Some(error),
                    ..Explained::of(change, code, words::failure(failure, action))
                }
            })
            .collect(),
        skipped: ending
            .skipped
            .iter()
            .map(|skipped| {
                let explanation = words::skipped(skipped.because, skipped.root);
                Explained {
                    because: Some(skipped.because.to_string()),
                    root: Some(skipped.root.to_string()),
                    ..Explained::of(skipped.change, "skipped", explanation)
                }
            })
            .collect(),
        not_reached: ending
            .not_reached
            .iter()
            .map(|(change, in_transition)| {
                let code = if *in_transition { "in_transition" } else { "not_ended" };
                Explained::of(change, code, words::left_over(*in_transition))
            })
            .collect(),
        blocked: ending
            .blocked
            .iter()
            .map(|(change, block)| Explained::of(change, block_code(block), words::block(block)))
            .collect(),
    };
    line(now, Level::Info, "apply_summary", &ending.headline(), Body { summary })
}

/// An instance that is not as wanted, and why.
#[derive(Serialize)]
struct Explained {
    addr: String,
    code: &'static str,
    reason: String,
    remedy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
}

impl Explained {
    fn of(change: &Change, code: &'static str, explanation: Explanation) -> Self {
        Self {
            addr: change.address.to_string(),
            code,
            reason: explanation.what,
            remedy: explanation.remedy.into_owned(),
            because: None,
            root: None,
            error: None,
        }
    }
}
