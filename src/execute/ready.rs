//! Whose turn it is: a plain data structure with `next`, `finish` and `fail`.
//!
//! Knows groups, slots and chains; knows nothing of calls, looks or time passing. Cycles were refused long before, so
//! every group opens in the end, or is skipped.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::fleet::Strength;

/// A step, by its position in the list that the queue was made from.
pub(super) type StepIndex = usize;

/// One group as the queue sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadyGroup {
    /// The groups that this one comes after.
    pub(super) after: Vec<(usize, Strength)>,
    /// Its steps, in the order in which they shall go.
    pub(super) steps: Vec<StepIndex>,
    /// Steps of it whose instances are in transition from the outset. They hold a slot, but never wait for one.
    pub(super) moving: Vec<StepIndex>,
    /// At most so many of them in transition.
    pub(super) at_once: Option<usize>,
    /// The longest chain that begins with it: who competes for a slot with a longer one goes first.
    pub(super) chain: Duration,
}

/// A step that will not be tried, and the step whose failure that follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skip {
    /// The step that is skipped.
    pub(super) step: StepIndex,
    /// The failed or skipped step that it comes after.
    pub(super) because: StepIndex,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Ready {
    groups: Vec<State>,
    group_of: Vec<usize>,
    /// Open groups that have a step to give and a slot of their own for it.
    offering: BTreeSet<(Reverse<Duration>, usize)>,
    slots: Option<usize>,
    taken: usize,
    holds_slot: Vec<bool>,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<StepIndex>,
    followers: Vec<(usize, Strength)>,
    waits_for: usize,
    unfinished: usize,
    at_once: Option<usize>,
    taken: usize,
    chain: Duration,
    skipped_by: Option<StepIndex>,
    has_failed: bool,
}

impl Ready {
    /// `steps` is the number of steps in all; each stands in exactly one group. `slots` bounds those in transition.
    pub(super) fn new(groups: Vec<ReadyGroup>, steps: usize, slots: Option<usize>) -> Self {
        let mut group_of = vec![usize::MAX; steps];
        let mut states: Vec<State> = groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                for step in group.steps.iter().chain(&group.moving) {
                    group_of[*step] = index;
                }
                State {
                    queue: group.steps.iter().copied().collect(),
                    followers: Vec::new(),
                    waits_for: group.after.len(),
                    unfinished: group.steps.len() + group.moving.len(),
                    at_once: group.at_once,
                    taken: 0,
                    chain: group.chain,
                    skipped_by: None,
                    has_failed: false,
                }
            })
            .collect();
        for (index, group) in groups.iter().enumerate() {
            for (after, strength) in &group.after {
                states[*after].followers.push((index, *strength));
            }
        }
        let mut ready = Self {
            groups: states,
            group_of,
            offering: BTreeSet::new(),
            slots,
            taken: 0,
            holds_slot: vec![false; steps],
        };
        for step in groups.iter().flat_map(|group| &group.moving) {
            ready.take_slot(*step);
        }
        for (index, group) in groups.iter().enumerate() {
            ready.refresh(index);
            if group.steps.is_empty() && group.moving.is_empty() {
                ready.close(index);
            }
        }
        ready
    }

    /// Puts a step whose instance was in transition, and has settled, into its group's queue: now it waits for its
    /// turn as the others do.
    pub(super) fn settle(&mut self, step: StepIndex) {
        let group = self.group_of[step];
        self.free_slot(step);
        self.groups[group].queue.push_back(step);
        self.refresh(group);
    }

    /// The next step whose turn has come, if there is a slot for it.
    pub(super) fn next(&mut self) -> Option<StepIndex> {
        if self.slots.is_some_and(|slots| self.taken >= slots) {
            return None;
        }
        let &(_, group) = self.offering.first()?;
        let step = self.groups[group].queue.pop_front()?;
        self.take_slot(step);
        self.refresh(group);
        Some(step)
    }

    /// A step reached its goal.
    pub(super) fn finish(&mut self, step: StepIndex) {
        self.free_slot(step);
        self.end(step);
    }

    /// A step failed. Gives the steps that are skipped for it, nearest first; steps that are under way already are
    /// not among them.
    pub(super) fn fail(&mut self, step: StepIndex) -> Vec<Skip> {
        self.free_slot(step);
        let mut skips = Vec::new();
        let mut failed = VecDeque::from([step]);
        while let Some(because) = failed.pop_front() {
            let group = self.group_of[because];
            // The first failure in a group has skipped all that follow it.
            let first = !std::mem::replace(&mut self.groups[group].has_failed, true);
            let followers = if first { self.groups[group].followers.clone() } else { Vec::new() };
            for (follower, strength) in followers {
                if strength == Strength::Soft || self.groups[follower].skipped_by.is_some() {
                    continue;
                }
                self.groups[follower].skipped_by = Some(because);
                for step in std::mem::take(&mut self.groups[follower].queue) {
                    skips.push(Skip { step, because });
                    failed.push_back(step);
                }
                self.refresh(follower);
            }
            self.end(because);
        }
        skips
    }

    /// The failed or skipped step that this one comes after, if there is one: its instance may settle, but it must
    /// not be called.
    pub(super) fn skipped_by(&self, step: StepIndex) -> Option<StepIndex> {
        self.groups[self.group_of[step]].skipped_by
    }

    fn end(&mut self, step: StepIndex) {
        let group = self.group_of[step];
        self.groups[group].unfinished -= 1;
        if self.groups[group].unfinished == 0 {
            self.close(group);
        }
    }

    /// A group whose steps have all ended lets its followers go. That its own turn may not have come yet does not
    /// matter to them: its instances are where they have to be.
    fn close(&mut self, group: usize) {
        for (follower, _) in self.groups[group].followers.clone() {
            self.groups[follower].waits_for -= 1;
            self.refresh(follower);
        }
    }

    fn take_slot(&mut self, step: StepIndex) {
        if !std::mem::replace(&mut self.holds_slot[step], true) {
            self.taken += 1;
            self.groups[self.group_of[step]].taken += 1;
        }
    }

    fn free_slot(&mut self, step: StepIndex) {
        if std::mem::replace(&mut self.holds_slot[step], false) {
            let group = self.group_of[step];
            self.taken -= 1;
            self.groups[group].taken -= 1;
            self.refresh(group);
        }
    }

    /// Enters the group among those that have a step to offer, or takes it out.
    fn refresh(&mut self, group: usize) {
        let state = &self.groups[group];
        let key = (Reverse(state.chain), group);
        let offers = state.waits_for == 0
            && !state.queue.is_empty()
            && state.at_once.is_none_or(|at_once| state.taken < at_once);
        if offers {
            self.offering.insert(key);
        } else {
            self.offering.remove(&key);
        }
    }
}
