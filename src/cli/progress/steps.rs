//! Where the steps of an apply stand, and how long they are expected to take. Pure: nothing is drawn here.

use std::time::Duration;

use super::siblings::Siblings;
use crate::execute::Action;
use crate::fleet::{Address, Durations, InstanceId, Power};
use crate::plan::{Plan, Stand, Verdict};

/// The instances of a plan and their entries.
#[derive(Debug)]
pub(super) struct Steps {
    /// By position in the plan.
    subjects: Vec<Subject>,
    /// By position in the plan's groups.
    groups: Vec<Group>,
}

/// An instance.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) address: Address,
    pub(super) id: InstanceId,
    /// What it was when the plan was made.
    pub(super) seen: Option<Power>,
    /// What the instance has to be before it can be called.
    pub(super) first: Option<&'static str>,
    group: Option<usize>,
    action: Action,
    /// How long earlier steps like this took.
    recorded: Option<Duration>,
    stage: Stage,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its turn has not come.
    Waiting,
    /// Its turn has come, and its call has not been taken.
    Due,
    /// It has been on its way to its goal since then.
    OnTheWay(Duration),
    /// It has been up since then, and has yet to show that it is ready.
    Up(Duration),
    /// It ended then; zero if it never began.
    Ended(Duration),
}

impl Stage {
    fn is_open(self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

/// The steps of an entry.
#[derive(Debug)]
struct Group {
    /// The groups that it comes after.
    after: Vec<usize>,
    /// How many of its instances may be in transition at a time.
    at_once: Option<usize>,
    /// Steps whose turn has not come.
    waiting: usize,
    /// Steps that have not ended.
    open: usize,
    siblings: Siblings,
}

impl Steps {
    /// The steps of a plan, none of which has begun.
    pub(super) fn of(plan: &Plan) -> Self {
        let subjects = plan.changes.iter().map(|change| {
            let (first, action, stage) = match &change.verdict {
                Verdict::Start { once_stopped, .. } => {
                    (once_stopped.then_some("Stopped"), Action::Start, Stage::Waiting)
                }
                Verdict::Stop { once_running, .. } => {
                    (once_running.then_some("Running"), Action::Stop, Stage::Waiting)
                }
                Verdict::Wait { .. } => (None, Action::Wait, Stage::Waiting),
                Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => {
                    (None, Action::Wait, Stage::Ended(Duration::ZERO))
                }
            };
            Subject {
                address: change.address.clone(),
                id: change.key.id.clone(),
                seen: change.seen.sighting().map(|sighting| sighting.power.clone()),
                first,
                group: change.entry.map(|entry| entry.at()),
                action,
                recorded: change.expected,
                stage,
            }
        });
        let groups = plan.groups.iter().map(|group| Group {
            after: group.after.iter().map(|after| after.group.at()).collect(),
            at_once: group.at_once.map(|at_once| at_once.get() as usize),
            waiting: 0,
            open: 0,
            siblings: Siblings::default(),
        });
        let mut steps = Self { subjects: subjects.collect(), groups: groups.collect() };
        for subject in steps.subjects.iter().filter(|subject| subject.stage.is_open()) {
            if let Some(group) = subject.group.and_then(|group| steps.groups.get_mut(group)) {
                group.waiting += 1;
                group.open += 1;
            }
        }
        steps
    }

    /// An instance, by its position in the plan.
    pub(super) fn get(&self, change: usize) -> Option<&Subject> {
        self.subjects.get(change)
    }

    /// How many have not ended.
    pub(super) fn open(&self) -> usize {
        self.subjects.iter().filter(|subject| subject.stage.is_open()).count()
    }

    /// Its turn has come. Whether it is one more step than the plan has: an instance that is as wanted may have to show
    /// that it is ready.
    pub(super) fn begin(&mut self, change: usize, action: Action, at: Duration) -> bool {
        let Some(subject) = self.subjects.get_mut(change) else { return false };
        let stage = match action {
            Action::Wait => Stage::OnTheWay(at),
            Action::Start | Action::Stop => Stage::Due,
        };
        subject.action = action;
        let before = std::mem::replace(&mut subject.stage, stage);
        if let Some(group) = subject.group.and_then(|group| self.groups.get_mut(group)) {
            group.waiting -= usize::from(before == Stage::Waiting);
            group.open += usize::from(!before.is_open());
        }
        !before.is_open()
    }

    /// Its call was taken.
    pub(super) fn set_out(&mut self, change: usize, at: Duration) {
        self.enter(change, Stage::OnTheWay(at), |stage| stage == Stage::Due);
    }

    /// It is seen as this: that is how it shows that its call was taken where no answer has said so.
    pub(super) fn moved(&mut self, change: usize, power: Option<&Power>, at: Duration) {
        let is_on_its_way = match self.subjects.get(change).map(|subject| subject.action) {
            Some(Action::Start) => power == Some(&Power::Starting),
            Some(Action::Stop) => power == Some(&Power::Stopping),
            Some(Action::Wait) | None => false,
        };
        if is_on_its_way {
            self.set_out(change, at);
        }
    }

    /// It is up, and has yet to show that it is ready.
    pub(super) fn come_up(&mut self, change: usize, at: Duration) {
        self.enter(change, Stage::Up(at), |stage| matches!(stage, Stage::Due | Stage::OnTheWay(_)));
    }

    fn enter(&mut self, change: usize, stage: Stage, may: impl Fn(Stage) -> bool) {
        if let Some(subject) = self.subjects.get_mut(change).filter(|subject| may(subject.stage)) {
            subject.stage = stage;
        }
    }

    /// It has arrived, so long after its call was taken.
    pub(super) fn arrived(&mut self, change: usize, took: Duration, at: Duration) {
        let Some(subject) = self.subjects.get(change) else { return };
        let readied = match subject.stage {
            Stage::Up(since) => Some(at.saturating_sub(since)),
            _ => None,
        };
        if let Some(group) = subject.group.and_then(|group| self.groups.get_mut(group)) {
            group.siblings.arrived(subject.action, took, readied);
        }
    }

    /// It has ended, however it did.
    pub(super) fn end(&mut self, change: usize, at: Duration) {
        let Some(subject) = self.subjects.get_mut(change) else { return };
        let before = subject.stage;
        if before.is_open() {
            let at = if before == Stage::Waiting { Duration::ZERO } else { at };
            subject.stage = Stage::Ended(at);
        }
        if let Some(group) = subject.group.and_then(|group| self.groups.get_mut(group)) {
            group.waiting -= usize::from(before == Stage::Waiting);
            group.open -= usize::from(before.is_open());
        }
    }

    /// Steps that nothing keeps from beginning but the number of those that have begun.
    pub(super) fn waiting_for_slots(&self, all_are_taken: bool) -> usize {
        let is_for_slots = |group: &&Group| {
            let are_taken = group.at_once.is_some_and(|slots| group.open - group.waiting >= slots);
            let before = || group.after.iter().filter_map(|before| self.groups.get(*before));
            (all_are_taken || are_taken) && before().all(|before| before.open == 0)
        };
        let waiting = self.groups.iter().filter(|group| group.waiting > 0);
        waiting.filter(is_for_slots).map(|group| group.waiting).sum()
    }

    /// Where a step stands at a moment, and how long it is expected to take, or until when.
    pub(super) fn stand(&self, change: usize, now: Duration) -> Stand {
        let Some(subject) = self.subjects.get(change) else { return Stand::Ended(Duration::ZERO) };
        let (way, ready) = (self.way(subject), self.ready(subject));
        // Of being ready nothing is recorded. Where siblings tell nothing, it counts for nothing until that is waited for.
        let takes = way.map(|way| way.saturating_add(ready.unwrap_or_default()));
        let (since, takes, is_recorded) = match subject.stage {
            Stage::Ended(at) => return Stand::Ended(at),
            Stage::Waiting | Stage::Due => return Stand::Ahead(takes),
            Stage::OnTheWay(since) => (since, takes, subject.recorded.is_some()),
            Stage::Up(since) if ready.is_some() => (since, ready, false),
            Stage::Up(_) => return Stand::UnderWay(None),
        };
        let ends = takes.map(|takes| (takes, since.saturating_add(takes)));
        Stand::UnderWay(match ends {
            // Siblings that set out together arrive one after the other: that it is not among the first says little.
            Some((takes, ends)) if ends < now && !is_recorded => {
                Durations::are_alike(takes, now.saturating_sub(since)).then_some(now)
            }
            _ => ends.map(|(_, ends)| ends),
        })
    }

    /// How long a step that began at a moment is expected to take until what it waits for now: its goal, or that it is
    /// ready.
    pub(super) fn takes(&self, change: usize, began: Duration) -> Option<Duration> {
        let subject = self.subjects.get(change)?;
        let (since, takes) = match subject.stage {
            Stage::OnTheWay(since) => (since, self.way(subject)?),
            Stage::Up(since) => (since, self.ready(subject)?),
            Stage::Waiting | Stage::Due | Stage::Ended(_) => (began, self.way(subject)?),
        };
        Some(since.saturating_sub(began).saturating_add(takes))
    }

    /// How long the way to the goal takes: what is recorded, or else what siblings tell.
    fn way(&self, subject: &Subject) -> Option<Duration> {
        subject.recorded.or_else(|| self.siblings(subject)?.way(subject.action))
    }

    fn ready(&self, subject: &Subject) -> Option<Duration> {
        self.siblings(subject)?.ready(subject.action)
    }

    fn siblings(&self, subject: &Subject) -> Option<&Siblings> {
        Some(&self.groups.get(subject.group?)?.siblings)
    }
}
