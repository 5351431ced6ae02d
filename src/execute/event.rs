//! What execution says while it works. One listener hears it all, in order; screen, record and report are made of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cloud::Refusal;
use crate::fleet::{Address, Goal, Power, Probe, StoppedMode};
use crate::plan::Block;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, since the run began.
    pub at: Duration,
    /// What.
    pub kind: EventKind,
}

impl Event {
    /// The instance that it is about: a position in [`crate::plan::Plan::changes`]; none if it is about all.
    #[must_use]
    pub fn change(&self) -> Option<usize> {
        match &self.kind {
            EventKind::Began { change, .. }
            | EventKind::Accepted { change, .. }
            | EventKind::Retrying { change, .. }
            | EventKind::OutOfStock { change, .. }
            | EventKind::Readying { change, .. }
            | EventKind::Moved { change, .. }
            | EventKind::Completed { change, .. }
            | EventKind::Failed { change, .. }
            | EventKind::Skipped { change, .. }
            | EventKind::NotReached { change, .. } => Some(*change),
            EventKind::Interrupted | EventKind::Throttled { .. } | EventKind::LookFailed { .. } => None,
        }
    }
}

/// What happened. `change` is always a position in [`crate::plan::Plan::changes`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EventKind {
    /// A step's turn came: from now on its instance is watched or called.
    Began {
        /// Which instance.
        change: usize,
        /// What is being done.
        action: Action,
    },
    /// A call was accepted by ECS.
    Accepted {
        /// Which instance.
        change: usize,
        /// What is being done.
        action: Action,
        /// The id under which ECS keeps the request.
        request_id: Option<String>,
    },
    /// A call will be sent again, or its outcome is being looked for.
    Retrying {
        /// Which instance.
        change: usize,
        /// What is being done.
        action: Action,
        /// What the last attempt met.
        refusal: Refusal,
        /// How often it was sent so far.
        sends: u32,
    },
    /// There is no stock for a start; it will be asked for again.
    OutOfStock {
        /// Which instance.
        change: usize,
        /// What the last attempt met.
        refusal: Refusal,
        /// When it is asked for again, since the run began.
        again: Duration,
        /// When it is given up, since the run began.
        until: Duration,
    },
    /// An instance is Running, and has yet to show that it is ready. Said when that begins, and whenever there is another
    /// answer.
    Readying {
        /// Which instance.
        change: usize,
        /// The first probe that has not passed; none while only the delay is waited for.
        probe: Option<Probe>,
        /// Its last answer, if there was one: one line of bounded length. Untrusted text.
        answer: Option<String>,
    },
    /// An instance in transition shows another status than at the look before.
    Moved {
        /// Which instance.
        change: usize,
        /// What it was seen as; none if it was not visible any more.
        power: Option<Power>,
    },
    /// A step reached its goal.
    Completed {
        /// Which instance.
        change: usize,
        /// What was done.
        action: Action,
        /// How.
        how: How,
        /// What it was last seen as.
        power: Power,
        /// Since the step began.
        elapsed: Duration,
        /// From the accepted call to the goal, as far as the looks before and after its arrival tell, where there was
        /// a call.
        took: Option<Duration>,
        /// The id under which ECS keeps the accepted request.
        request_id: Option<String>,
        /// After a stop: how ECS says it is stopped, if that is not what was asked for.
        stopped_mode: Option<StoppedMode>,
    },
    /// A step failed.
    Failed {
        /// Which instance.
        change: usize,
        /// What was being done.
        action: Action,
        /// How it failed.
        failure: Failure,
        /// What it was last seen as.
        power: Option<Power>,
        /// Since the step began.
        elapsed: Duration,
    },
    /// A step will not be tried, because of another one.
    Skipped {
        /// Which instance.
        change: usize,
        /// What would have been done.
        action: Action,
        /// The nearest failed, skipped or blocked instance that it must come after.
        because: Address,
        /// Where the failure began.
        root: Address,
    },
    /// The run was interrupted before this step ended.
    NotReached {
        /// Which instance.
        change: usize,
        /// What would have been done.
        action: Action,
        /// The instance is on its way, or may be (its call was accepted, or the answer got lost), but nobody waited
        /// for it.
        in_transition: bool,
    },
    /// The run was interrupted: nothing more is called. What had not ended says so for itself.
    Interrupted,
    /// Calls of one action are refused because too many come; they wait together. Said once until one is let through.
    Throttled {
        /// Which call.
        action: Action,
        /// When the next of them is tried, since the run began.
        until: Duration,
    },
    /// A look failed; it will be repeated.
    LookFailed {
        /// What it met.
        refusal: Refusal,
    },
}

/// What a step does, in the words of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// StartInstance, and wait for Running.
    Start,
    /// StopInstance, and wait for Stopped.
    Stop,
    /// Wait for an instance that is on its way already.
    Wait,
}

impl Action {
    /// The word of the plan.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Wait => "wait",
        }
    }
}

/// How a step reached its goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// By an accepted call.
    Called,
    /// It was on its way by itself, and arrived.
    Arrived,
    /// It was at the goal before anything was called.
    AlreadyThere,
    /// It was as wanted all along, and has shown that it is ready for those that depend on it.
    Ready,
}

/// How a step failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Failure {
    /// ECS refused, finally.
    Refused(Refusal),
    /// Sent as often as is allowed, and still not accepted.
    GaveUp {
        /// What the last attempt met.
        refusal: Refusal,
        /// How often it was sent.
        sends: u32,
    },
    /// It is neither at the goal nor as planned.
    Moved {
        /// What the plan expected.
        planned: String,
        /// What was seen.
        seen: String,
    },
    /// Something that it must come after is no longer as it has to be.
    NeedMoved {
        /// The other instance.
        need: Address,
        /// What that has to be.
        goal: Goal,
        /// What it was seen as.
        seen: String,
    },
    /// It went on its way and fell back.
    FellBack {
        /// What it was seen as, twice.
        seen: String,
        /// How long after the accepted call, or after it was first awaited, it was first seen as that.
        after: Duration,
        /// Whether this run has called it; otherwise it was on its way by itself.
        was_called: bool,
    },
    /// It settled away from its goal, and the call that would be called for is blocked.
    Blocked(Block),
    /// It vanished while it was awaited.
    Vanished {
        /// How long after the accepted call, or after it was first awaited, it was first missing.
        after: Duration,
    },
    /// It did not arrive in time.
    TimedOut {
        /// What it was last seen as.
        last_seen: String,
        /// For how long it was seen as that.
        for_so_long: Duration,
        /// The timeout.
        timeout: Duration,
    },
    /// There was no stock for it, as long as it was asked for.
    NoStock {
        /// What the last attempt met.
        refusal: Refusal,
        /// How often it was asked for.
        tries: u32,
        /// For how long.
        patience: Duration,
    },
    /// It is Running, and did not show in time that it is ready.
    NotReady {
        /// The first probe that did not pass.
        probe: Probe,
        /// Its last answer; none if there was none yet. Untrusted text.
        answer: Option<String>,
        /// How long it was given.
        within: Duration,
    },
    /// It could not be looked at any more.
    CannotLook(Refusal),
}
