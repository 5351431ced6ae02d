//! What became of each instance that an apply had to do with, and when: a fold over the events of its history.

use std::collections::HashSet;
use std::time::Duration;

use crate::cloud::Refusal;
use crate::execute::{Action, Event, EventKind, Failure, How};
use crate::fleet::{Goal, Power};
use crate::history::History;
use crate::plan::{Change, Verdict};
use crate::render::words::{self, Explanation};

/// How it ended for one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Failed,
    NotReached,
    Skipped,
    Blocked,
    Started,
    Stopped,
    Arrived,
    AlreadyThere,
    Released,
}

impl Outcome {
    /// In the order in which they are spoken of: trouble first.
    pub(super) const ALL: [Self; 9] = [
        Self::Failed,
        Self::NotReached,
        Self::Skipped,
        Self::Blocked,
        Self::Started,
        Self::Stopped,
        Self::Arrived,
        Self::AlreadyThere,
        Self::Released,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotReached => "not reached",
            Self::Skipped => "skipped",
            Self::Blocked => "blocked",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Arrived => "arrived by itself",
            Self::AlreadyThere => "already there",
            Self::Released => "released",
        }
    }

    /// A sign of its own shape, so that nobody needs the colour.
    pub(super) fn sign(self) -> char {
        match self {
            Self::Failed => '✕',
            Self::NotReached => '…',
            Self::Skipped => '↷',
            Self::Blocked => '⊘',
            Self::Started => '▲',
            Self::Stopped => '■',
            Self::Arrived => '▷',
            Self::AlreadyThere => '●',
            Self::Released => '○',
        }
    }

    /// The name of its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Failed => "f",
            Self::NotReached => "n",
            Self::Skipped => "k",
            Self::Blocked => "b",
            Self::Started => "s",
            Self::Stopped => "p",
            Self::Arrived => "a",
            Self::AlreadyThere => "y",
            Self::Released => "l",
        }
    }

    /// Whether somebody has to do something about it.
    pub(super) fn is_trouble(self) -> bool {
        matches!(self, Self::Failed | Self::NotReached | Self::Skipped | Self::Blocked)
    }
}

/// One instance on the timeline. Times are since the run began.
#[derive(Debug)]
pub(super) struct Lane<'h> {
    /// Its position in the plan.
    pub(super) at: usize,
    pub(super) change: &'h Change,
    pub(super) outcome: Outcome,
    /// What happened and what to do, where that is more than the outcome says.
    pub(super) explanation: Option<Explanation>,
    /// When its turn to be called came, or, if it never was, when it was first watched. None if it never began.
    pub(super) turn: Option<Duration>,
    /// When ECS accepted the call.
    pub(super) accepted: Option<Duration>,
    /// When it was first seen at its goal, where it was awaited for longer than that.
    pub(super) arrived: Option<Duration>,
    /// When its step ended.
    pub(super) ended: Option<Duration>,
    /// When a call was to be sent again.
    pub(super) retries: Vec<Duration>,
    /// The id under which ECS keeps the last request about it that is known.
    pub(super) request_id: Option<&'h str>,
}

impl Lane<'_> {
    /// From when to when something was done about it.
    pub(super) fn span(&self) -> Option<(Duration, Duration)> {
        Some((self.turn?, self.ended?))
    }
}

/// The lanes of all instances that a run had to do with, in the order of the plan. Those that were as wanted, or are
/// only looked at, have none, unless they had to show that they are ready.
pub(super) fn lanes<'h>(history: &'h History<'_>) -> Vec<Lane<'h>> {
    let plan = &*history.plan;
    let began = |event: &Event| event.change().filter(|_| matches!(event.kind, EventKind::Began { .. }));
    let begun: HashSet<usize> = history.events.iter().filter_map(began).collect();
    let mut lanes: Vec<Option<Lane<'h>>> =
        plan.changes.iter().enumerate().map(|(at, change)| outset(at, change, begun.contains(&at))).collect();
    for event in &history.events {
        let lane = event.change().and_then(|change| lanes.get_mut(change)).and_then(Option::as_mut);
        if let Some(lane) = lane {
            hear(lane, event.at, &event.kind);
        }
    }
    for lane in lanes.iter_mut().flatten() {
        if lane.outcome == Outcome::NotReached && lane.explanation.is_none() {
            lane.explanation = Some(words::left_over(false));
        }
        // What was seen at its goal at the very end was not awaited any longer.
        lane.arrived = lane.arrived.filter(|arrived| lane.ended.is_some_and(|ended| *arrived < ended));
    }
    lanes.into_iter().flatten().collect()
}

/// What a plan alone says of an instance. A step that never ends counts as not reached.
fn outset(at: usize, change: &Change, has_begun: bool) -> Option<Lane<'_>> {
    let (outcome, explanation) = match &change.verdict {
        Verdict::InSync | Verdict::Any if has_begun => (Outcome::NotReached, None),
        Verdict::InSync | Verdict::Any => return None,
        Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. } => (Outcome::NotReached, None),
        Verdict::Blocked(block) => (Outcome::Blocked, Some(words::block(block))),
        Verdict::Release => (Outcome::Released, None),
    };
    Some(Lane {
        at,
        change,
        outcome,
        explanation,
        turn: None,
        accepted: None,
        arrived: None,
        ended: None,
        retries: Vec::new(),
        request_id: None,
    })
}

fn hear<'h>(lane: &mut Lane<'h>, at: Duration, kind: &'h EventKind) {
    match kind {
        // A wait that turns into a call begins twice: its turn is the second time.
        EventKind::Began { .. } => lane.turn = Some(at),
        EventKind::Accepted { request_id, .. } => {
            lane.accepted = Some(at);
            lane.request_id = request_id.as_deref();
        }
        EventKind::Retrying { refusal, .. } => {
            lane.retries.push(at);
            lane.request_id = refusal.request_id.as_deref().or(lane.request_id);
        }
        EventKind::OutOfStock { refusal, .. } => {
            lane.retries.push(at);
            lane.request_id = refusal.request_id.as_deref().or(lane.request_id);
        }
        EventKind::Readying { .. } => lane.arrived = lane.arrived.or(Some(at)),
        EventKind::Moved { power, .. } => {
            let is_there = matches!(
                (power, lane.change.goal),
                (Some(Power::Running), Some(Goal::Running)) | (Some(Power::Stopped), Some(Goal::Stopped))
            );
            lane.arrived = is_there.then_some(at);
        }
        EventKind::Completed { action, how, stopped_mode, .. } => {
            lane.ended = Some(at);
            lane.outcome = match (how, action) {
                (How::AlreadyThere | How::Ready, _) => Outcome::AlreadyThere,
                (How::Arrived, _) => Outcome::Arrived,
                (How::Called, Action::Stop) => Outcome::Stopped,
                (How::Called, Action::Start | Action::Wait) => Outcome::Started,
            };
            lane.explanation = stopped_mode.map(|mode| Explanation {
                what: words::stopped_otherwise(mode).to_owned(),
                remedy: "to change the mode, start it and stop it again".into(),
            });
        }
        EventKind::Failed { failure, action, .. } => {
            lane.ended = Some(at);
            lane.outcome = Outcome::Failed;
            lane.explanation = Some(words::failure(failure, *action));
            lane.request_id = refusal_of(failure).and_then(|it| it.request_id.as_deref()).or(lane.request_id);
        }
        EventKind::Skipped { because, root, .. } => {
            lane.outcome = Outcome::Skipped;
            lane.explanation = Some(words::skipped(because, root));
        }
        EventKind::NotReached { in_transition, .. } => {
            lane.ended = lane.turn.map(|_| at);
            lane.outcome = Outcome::NotReached;
            lane.explanation = Some(words::left_over(*in_transition));
        }
        EventKind::Interrupted | EventKind::Throttled { .. } | EventKind::LookFailed { .. } => {}
    }
}

/// What ECS answered, where that is how it failed.
pub(super) fn refusal_of(failure: &Failure) -> Option<&Refusal> {
    match failure {
        Failure::Refused(refusal)
        | Failure::GaveUp { refusal, .. }
        | Failure::NoStock { refusal, .. }
        | Failure::CannotLook(refusal) => Some(refusal),
        Failure::Moved { .. }
        | Failure::NeedMoved { .. }
        | Failure::FellBack { .. }
        | Failure::Blocked(_)
        | Failure::NotReady { .. }
        | Failure::Vanished { .. }
        | Failure::TimedOut { .. } => None,
    }
}
