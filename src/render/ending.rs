//! What became of the instances of a plan, sorted out once for every kind of output.

use crate::execute::{Action, Failure, Outcome, Report};
use crate::fleet::Address;
use crate::plan::{Block, Call, Change, Plan, Request, Verdict};

/// The instances of a plan by what became of them, each list in the order of the plan.
#[derive(Debug, Default)]
pub(super) struct Ending<'a> {
    /// Started by a call of this run.
    pub(super) started: Vec<&'a Change>,
    /// Stopped by a call of this run.
    pub(super) stopped: Vec<&'a Change>,
    /// Arrived without a call of this run.
    pub(super) arrived: Vec<&'a Change>,
    /// At the goal before anything was called.
    pub(super) already_there: Vec<&'a Change>,
    /// Failed, and how.
    pub(super) failed: Vec<(&'a Change, &'a Failure)>,
    /// Not tried.
    pub(super) skipped: Vec<Skipped<'a>>,
    /// The run ended first; whether the instance may be on its way.
    pub(super) not_reached: Vec<(&'a Change, bool)>,
    /// Blocked in the plan, where the blocking begins before what is only held up.
    pub(super) blocked: Vec<(&'a Change, &'a Block)>,
    /// Forgotten.
    pub(super) released: Vec<&'a Change>,
    /// How the run ended as a whole.
    pub(super) verdict: RunVerdict,
}

/// A step that was not tried, and because of whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skipped<'a> {
    pub(super) change: &'a Change,
    pub(super) because: &'a Address,
    pub(super) root: &'a Address,
}

/// How a run ended as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RunVerdict {
    /// Every goal is met.
    #[default]
    Complete,
    /// Some goal is not met, or what became of the instances could not be recorded.
    Incomplete,
    /// Someone ended it early.
    Interrupted,
}

impl RunVerdict {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Interrupted => "interrupted",
        }
    }
}

impl<'a> Ending<'a> {
    /// Sorts out a run. A step that never ended counts as not reached, whatever kept it. `is_saved` says whether the
    /// record of it could be saved.
    pub(super) fn of(plan: &'a Plan, report: &'a Report, is_saved: bool) -> Self {
        let mut ending = Self::default();
        for (position, change) in plan.changes.iter().enumerate() {
            match (report.outcomes.get(&position), &change.verdict) {
                (Some(outcome), _) => ending.add(change, outcome),
                (None, Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. }) => {
                    ending.not_reached.push((change, false));
                }
                (None, Verdict::Blocked(block)) => ending.blocked.push((change, block)),
                (None, Verdict::Release) => ending.released.push(change),
                (None, Verdict::InSync | Verdict::Any) => {}
            }
        }
        ending.blocked.sort_by_key(|(_, block)| matches!(block, Block::HeldUp { .. }));
        ending.verdict = if report.interrupted {
            RunVerdict::Interrupted
        } else if is_saved && report.meets_every_goal(plan) {
            RunVerdict::Complete
        } else {
            RunVerdict::Incomplete
        };
        ending
    }

    fn add(&mut self, change: &'a Change, outcome: &'a Outcome) {
        match outcome {
            Outcome::Started => self.started.push(change),
            Outcome::Stopped => self.stopped.push(change),
            Outcome::Arrived => self.arrived.push(change),
            Outcome::AlreadyThere => self.already_there.push(change),
            // It was in sync, and is still.
            Outcome::Ready => {}
            Outcome::Failed(failure) => self.failed.push((change, failure)),
            Outcome::Skipped { because, root } => self.skipped.push(Skipped { change, because, root }),
            Outcome::NotReached { in_transition } => self.not_reached.push((change, *in_transition)),
        }
    }

    /// The first line of the summary: the run as a whole, and the counts.
    pub(super) fn headline(&self) -> String {
        let mut line = format!(
            "Apply {}: {} started, {} stopped, {} already there, {} failed, {} skipped, {} not reached",
            self.verdict.word(),
            self.started.len(),
            self.stopped.len(),
            self.already_there.len(),
            self.failed.len(),
            self.skipped.len(),
            self.not_reached.len(),
        );
        for (number, what) in [
            (self.arrived.len(), "arrived by themselves"),
            (self.blocked.len(), "blocked"),
            (self.released.len(), "released"),
        ] {
            if number > 0 {
                let what = if number == 1 { what.replace("themselves", "itself") } else { what.to_owned() };
                line.push_str(&format!(", {number} {what}"));
            }
        }
        line.push('.');
        line
    }
}

/// What was asked of ECS for an instance, as far as its verdict tells.
pub(super) fn asked(verdict: &Verdict) -> Action {
    match verdict.request().map(Request::call) {
        Some(Call::Start) => Action::Start,
        Some(Call::Stop) => Action::Stop,
        None => Action::Wait,
    }
}
