//! What is known of a trial, and how the log is read: plain, slow, and without anything of the executor's own.

use std::time::Duration;

use super::case::{Case, MachineCase};
use super::cloud::{Answer, Item, LOOK, Request, World};
use crate::execute::{Event, EventKind};
use crate::fleet::{Desired, Goal, InstanceId, Power, Seen, Strength};
use crate::plan::{Change, Plan, Verdict};

/// One trial after its end. All moments are the cloud's, but those of the events.
pub(super) struct Evidence<'a> {
    pub(super) case: &'a Case,
    pub(super) desired: &'a Desired,
    pub(super) plan: &'a Plan,
    pub(super) world: &'a World,
    pub(super) events: &'a [Event],
    pub(super) ended: Duration,
}

/// What a look said about an instance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observation {
    pub(super) sent: Duration,
    pub(super) back: Duration,
    pub(super) power: Option<Power>,
}

impl<'a> Evidence<'a> {
    /// When the run began.
    pub(super) fn began(&self) -> Duration {
        LOOK + Duration::from_secs(self.case.age)
    }

    /// The moment of an event.
    pub(super) fn at(&self, event: &Event) -> Duration {
        self.began() + event.at
    }

    pub(super) fn change(&self, id: &InstanceId) -> (usize, &'a Change) {
        let at = self.plan.changes.iter().position(|change| change.key.id == *id).expect("in the plan");
        (at, &self.plan.changes[at])
    }

    /// What was drawn for an instance.
    pub(super) fn drawn(&self, id: &InstanceId) -> &'a MachineCase {
        let machines = self
            .desired
            .entries
            .iter()
            .zip(&self.case.entries)
            .flat_map(|(made, drawn)| made.ids().iter().zip(&drawn.machines));
        let mut machines = machines.filter(|(other, _)| *other == id);
        machines.next().expect("drawn").1
    }

    pub(super) fn truth(&self, id: &InstanceId, at: Duration) -> Option<&'a Power> {
        self.world.machines[id].at(at)
    }

    /// The instances that an instance's start or stop comes after: those that are hard-needed (a start) or that
    /// hard-need it (a stop), or with `hard` unset all that are ordered before it.
    pub(super) fn before(&self, change: &Change, goal: Goal, hard: bool) -> Vec<&'a InstanceId> {
        let own = change.entry.expect("an entry").at();
        let counts = |strength: Strength| !hard || strength == Strength::Hard;
        let mut before = Vec::new();
        for (at, entry) in self.desired.entries.iter().enumerate() {
            let comes_before = if goal == Goal::Stopped {
                entry.needs.iter().any(|need| need.entry.at() == own && counts(need.strength))
            } else {
                let needs = &self.desired.entries[own].needs;
                needs.iter().any(|need| need.entry.at() == at && counts(need.strength))
            };
            if comes_before {
                before.extend(entry.ids());
            }
        }
        before
    }

    /// Every item of every request, in the order in which they were sent.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&'a Request, &'a Item)> {
        self.world.requests.iter().flat_map(|request| request.items.iter().map(move |item| (request, item)))
    }

    pub(super) fn calls_of(&self, id: &InstanceId) -> impl Iterator<Item = (&'a Request, &'a Item)> {
        self.calls().filter(move |(_, item)| item.id == *id)
    }

    /// What the run may take for the latest observation of an instance at a moment: the one that was sent last of
    /// those that had come back. Those that come back at this very moment may have been heard or not.
    pub(super) fn latest(&self, id: &InstanceId, now: Duration) -> Vec<Observation> {
        let power = seen_power(self.change(id).1).cloned();
        let mut surely = Observation { sent: LOOK, back: LOOK, power };
        let mut perhaps = Vec::new();
        for look in self.world.looks.iter().filter(|look| look.ids.contains(id)) {
            let (Some(back), Some(seen)) = (look.back, &look.seen) else { continue };
            let observation = Observation { sent: look.sent, back, power: seen.get(id).cloned() };
            if back < now {
                if (look.sent, back) >= (surely.sent, surely.back) {
                    surely = observation;
                }
            } else if back == now {
                perhaps.push(observation);
            }
        }
        perhaps.retain(|observation| observation.sent >= surely.sent);
        perhaps.push(surely);
        perhaps
    }

    /// Every observation of an instance until a moment.
    pub(super) fn observations(&self, id: &InstanceId, now: Duration) -> Vec<Observation> {
        let looks = self.world.looks.iter().filter(|look| look.ids.contains(id));
        looks
            .filter_map(|look| {
                let (back, seen) = (look.back?, look.seen.as_ref()?);
                (back <= now).then(|| Observation { sent: look.sent, back, power: seen.get(id).cloned() })
            })
            .collect()
    }

    /// Whether the plan asks for anything to be done or awaited.
    pub(super) fn is_step(change: &Change) -> bool {
        matches!(change.verdict, Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. })
    }

    /// The event that ended a change, and its moment.
    pub(super) fn end(&self, position: usize) -> Option<(Duration, &'a EventKind)> {
        self.events.iter().find_map(|event| {
            let (EventKind::Completed { change, .. }
            | EventKind::Failed { change, .. }
            | EventKind::Skipped { change, .. }
            | EventKind::NotReached { change, .. }) = &event.kind
            else {
                return None;
            };
            (*change == position).then(|| (self.at(event), &event.kind))
        })
    }

    /// When the run was interrupted.
    pub(super) fn interrupted(&self) -> Option<Duration> {
        let mut interruptions = self
            .events
            .iter()
            .filter(|event| event.kind == EventKind::Interrupted)
            .map(|event| self.at(event));
        interruptions.next()
    }
}

/// The status that a call starts from, and the one that it leads to.
pub(super) fn from_and_to(goal: Goal) -> (Power, Power) {
    match goal {
        Goal::Stopped => (Power::Running, Power::Stopped),
        Goal::Running | Goal::Any => (Power::Stopped, Power::Running),
    }
}

/// Whether the call may have had an effect, as far as its answer tells.
pub(super) fn may_have_acted(item: &Item) -> bool {
    match item.answer {
        Answer::Accepted | Answer::Pending => true,
        Answer::Refused { advice, http_500 } => http_500 || advice == crate::cloud::Advice::OutcomeUnknown,
    }
}

/// What an instance was at the plan's look, as far as it was seen.
pub(super) fn seen_power(change: &Change) -> Option<&Power> {
    match &change.seen {
        Seen::There(sighting) => Some(&sighting.power),
        Seen::Absent | Seen::NotSeen { .. } => None,
    }
}
