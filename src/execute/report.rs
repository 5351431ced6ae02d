//! How a run ended, for each instance: a fold over its events.

use std::collections::BTreeMap;

use super::event::{Action, Event, EventKind, Failure, How};
use crate::fleet::Address;
use crate::plan::{Plan, Verdict};

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The outcome of each step, by its position in [`Plan::changes`]. Steps that have not ended are missing.
    pub outcomes: BTreeMap<usize, Outcome>,
    /// The run was interrupted.
    pub interrupted: bool,
}

/// How one step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Started by a call of this run.
    Started,
    /// Stopped by a call of this run.
    Stopped,
    /// Was on its way already, and arrived without a call of this run.
    Arrived,
    /// Was at the goal before anything was called.
    AlreadyThere,
    /// Was as wanted all along, and has shown that it is ready.
    Ready,
    /// Failed.
    Failed(Failure),
    /// Not tried, because of another instance.
    Skipped {
        /// The nearest failed, skipped or blocked instance.
        because: Address,
        /// Where the failure began.
        root: Address,
    },
    /// The run was interrupted first.
    NotReached {
        /// The instance is on its way, or may be, but nobody waited for its end.
        in_transition: bool,
    },
}

impl Report {
    /// Takes in one event.
    pub fn hear(&mut self, event: &Event) {
        let (change, outcome) = match &event.kind {
            EventKind::Completed { change, action, how, .. } => (
                *change,
                match (how, action) {
                    (How::AlreadyThere, _) => Outcome::AlreadyThere,
                    (How::Ready, _) => Outcome::Ready,
                    (How::Arrived, _) => Outcome::Arrived,
                    (How::Called, Action::Stop) => Outcome::Stopped,
                    (How::Called, Action::Start | Action::Wait) => Outcome::Started,
                },
            ),
            EventKind::Failed { change, failure, .. } => (*change, Outcome::Failed(failure.clone())),
            EventKind::Skipped { change, because, root, .. } => {
                (*change, Outcome::Skipped { because: because.clone(), root: root.clone() })
            }
            EventKind::NotReached { change, in_transition, .. } => {
                (*change, Outcome::NotReached { in_transition: *in_transition })
            }
            EventKind::Interrupted => {
                self.interrupted = true;
                return;
            }
            EventKind::Began { .. }
            | EventKind::Accepted { .. }
            | EventKind::Retrying { .. }
            | EventKind::OutOfStock { .. }
            | EventKind::Readying { .. }
            | EventKind::Moved { .. }
            | EventKind::Throttled { .. }
            | EventKind::LookFailed { .. } => return,
        };
        self.outcomes.insert(change, outcome);
    }

    /// Whether every goal of the plan is met now: nothing failed, was skipped, blocked or left out.
    #[must_use]
    pub fn meets_every_goal(&self, plan: &Plan) -> bool {
        let all_known = plan.groups.iter().all(|group| group.not_seen().is_none());
        all_known
            && plan.changes.iter().enumerate().all(|(position, change)| match change.verdict {
                // As wanted, unless it had to show that it is ready, and did not.
                Verdict::InSync | Verdict::Release | Verdict::Any => {
                    matches!(self.outcomes.get(&position), None | Some(Outcome::Ready))
                }
                Verdict::Blocked(_) => false,
                Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. } => matches!(
                    self.outcomes.get(&position),
                    Some(
                        Outcome::Started
                            | Outcome::Stopped
                            | Outcome::Arrived
                            | Outcome::AlreadyThere
                            | Outcome::Ready
                    )
                ),
            })
    }
}
