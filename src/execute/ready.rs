//! Whose turn it is: a plain data structure with `next`, `finish` and `fail`.
//!
//! Knows groups, slots, chains, and how the steps of one group take their turns; knows nothing of calls or looks, and of
//! time only what it is told. Cycles were refused long before, so every group opens in the end, or is skipped.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::step::Moment;
use crate::fleet::{OnFailure, Strength};

/// A step, by its position in the list that the queue was made from.
pub(super) type StepIndex = usize;

/// One group as the queue sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadyGroup {
    /// The groups that this one comes after.
    pub(super) after: Vec<(usize, Strength)>,
    /// Its steps by stages: none of a stage goes before all of the stage before have ended. One stage where no order
    /// is asked for.
    pub(super) stages: Vec<ReadyStage>,
    /// At most so many of them in transition.
    pub(super) at_once: Option<usize>,
    /// How long a turn rests that has come free, and a new stage before it begins.
    pub(super) pause: Duration,
    /// What a failure means for those whose turn has not come.
    pub(super) on_failure: OnFailure,
    /// The longest chain that begins with it: who competes for a slot with a longer one goes first.
    pub(super) chain: Duration,
}

/// One stage of a group.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadyStage {
    /// Its steps, in the order in which they shall go.
    pub(super) steps: Vec<StepIndex>,
    /// Steps of it whose instances are in transition from the outset. They hold a slot, but never wait for one.
    pub(super) moving: Vec<StepIndex>,
    /// Steps of it whose instances are where they have to be, and have yet to show that they are ready. They neither
    /// hold a slot nor wait for one.
    pub(super) probed: Vec<StepIndex>,
}

impl ReadyStage {
    fn all(&self) -> impl Iterator<Item = StepIndex> {
        self.steps.iter().chain(&self.moving).chain(&self.probed).copied()
    }
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
    /// The group and the stage of each step.
    place_of: Vec<(usize, usize)>,
    /// Open groups that have a step to give and a slot of their own for it.
    offering: BTreeSet<(Reverse<Duration>, usize)>,
    /// When a group has something to offer again that rests now.
    resting: BTreeSet<(Moment, usize)>,
    slots: Option<usize>,
    taken: usize,
    holds_slot: Vec<bool>,
}

#[derive(Debug)]
struct State {
    stages: Vec<Stage>,
    /// The stage whose turn it is.
    stage: usize,
    followers: Vec<(usize, Strength)>,
    waits_for: usize,
    unfinished: usize,
    at_once: Option<usize>,
    taken: usize,
    /// When turns come free that rest now, the next one first.
    resting: VecDeque<Moment>,
    /// The stage does not begin before this.
    begins_at: Moment,
    pause: Duration,
    on_failure: OnFailure,
    chain: Duration,
    skipped_by: Option<StepIndex>,
    has_failed: bool,
}

#[derive(Debug, Default)]
struct Stage {
    queue: VecDeque<StepIndex>,
    unfinished: usize,
}

impl State {
    fn new(group: &ReadyGroup) -> Self {
        let stage = |stage: &ReadyStage| Stage {
            queue: stage.steps.iter().copied().collect(),
            unfinished: stage.all().count(),
        };
        let mut stages: Vec<Stage> = group.stages.iter().map(stage).collect();
        if stages.is_empty() {
            stages.push(Stage::default());
        }
        let mut state = Self {
            unfinished: stages.iter().map(|stage| stage.unfinished).sum(),
            stages,
            stage: 0,
            followers: Vec::new(),
            waits_for: group.after.len(),
            at_once: group.at_once,
            taken: 0,
            resting: VecDeque::new(),
            begins_at: Moment::ZERO,
            pause: group.pause,
            on_failure: group.on_failure,
            chain: group.chain,
            skipped_by: None,
            has_failed: false,
        };
        state.move_on();
        state
    }

    /// Goes to the next stage in which there is something left, if all of this one have ended. Says whether it did.
    fn move_on(&mut self) -> bool {
        let before = self.stage;
        while self.stages[self.stage].unfinished == 0 && self.stage + 1 < self.stages.len() {
            self.stage += 1;
        }
        self.stage != before
    }

    fn queue(&mut self) -> &mut VecDeque<StepIndex> {
        let stage = self.stage;
        &mut self.stages[stage].queue
    }

    /// Everything that waits for its turn, in order.
    fn take_all(&mut self) -> Vec<StepIndex> {
        self.stages.iter_mut().flat_map(|stage| std::mem::take(&mut stage.queue)).collect()
    }

    /// When it may give a step, if it has one and a turn for it comes free by itself.
    fn opens_at(&self) -> Option<Moment> {
        let has_something = self.waits_for == 0 && !self.stages[self.stage].queue.is_empty();
        if !has_something {
            return None;
        }
        let busy = self.taken + self.resting.len();
        let turn = match self.at_once {
            Some(at_once) if busy >= at_once => *self.resting.front()?,
            Some(_) | None => Moment::ZERO,
        };
        Some(turn.max(self.begins_at))
    }
}

impl Ready {
    /// `steps` is the number of steps in all; each stands in exactly one group. `slots` bounds those in transition.
    pub(super) fn new(groups: Vec<ReadyGroup>, steps: usize, slots: Option<usize>) -> Self {
        let mut place_of = vec![(usize::MAX, usize::MAX); steps];
        for (index, group) in groups.iter().enumerate() {
            for (at, stage) in group.stages.iter().enumerate() {
                for step in stage.all() {
                    place_of[step] = (index, at);
                }
            }
        }
        let mut states: Vec<State> = groups.iter().map(State::new).collect();
        for (index, group) in groups.iter().enumerate() {
            for (after, strength) in &group.after {
                states[*after].followers.push((index, *strength));
            }
        }
        let mut ready = Self {
            groups: states,
            place_of,
            offering: BTreeSet::new(),
            resting: BTreeSet::new(),
            slots,
            taken: 0,
            holds_slot: vec![false; steps],
        };
        for step in groups.iter().flat_map(|group| &group.stages).flat_map(|stage| &stage.moving) {
            ready.take_slot(*step);
        }
        for (index, group) in groups.iter().enumerate() {
            ready.refresh(index, Moment::ZERO);
            if group.stages.iter().all(|stage| stage.all().next().is_none()) {
                ready.close(index, Moment::ZERO);
            }
        }
        ready
    }

    /// Puts a step whose instance was in transition, and has settled, into its group's queue: now it waits for its
    /// turn as the others do.
    pub(super) fn settle(&mut self, step: StepIndex, now: Moment) {
        let (group, stage) = self.place_of[step];
        self.free_slot(step, now, false);
        self.groups[group].stages[stage].queue.push_back(step);
        self.refresh(group, now);
    }

    /// The next step whose turn has come, if there is a slot for it.
    pub(super) fn next(&mut self, now: Moment) -> Option<StepIndex> {
        while let Some(&(at, group)) = self.resting.first()
            && at <= now
        {
            self.resting.pop_first();
            self.refresh(group, now);
        }
        if self.slots.is_some_and(|slots| self.taken >= slots) {
            return None;
        }
        let &(_, group) = self.offering.first()?;
        let step = self.groups[group].queue().pop_front()?;
        self.take_slot(step);
        self.refresh(group, now);
        Some(step)
    }

    /// The steps that would go next if slots came free, the next one first.
    pub(super) fn in_line(&self) -> impl Iterator<Item = StepIndex> {
        self.offering.iter().flat_map(|(_, group)| self.in_line_of(*group))
    }

    /// The steps of a group's stage that have not had their turn, the next one first.
    pub(super) fn in_line_of(&self, group: usize) -> impl Iterator<Item = StepIndex> {
        let state = &self.groups[group];
        state.stages[state.stage].queue.iter().copied()
    }

    /// For how many groups a group waits.
    pub(super) fn waits_for(&self, group: usize) -> usize {
        self.groups[group].waits_for
    }

    /// How many steps of a group have not ended.
    pub(super) fn unfinished(&self, group: usize) -> usize {
        self.groups[group].unfinished
    }

    /// When a turn comes free by itself, if one rests.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        self.resting.first().map(|(at, _)| *at)
    }

    /// A step reached its goal.
    pub(super) fn finish(&mut self, step: StepIndex, now: Moment) {
        self.free_slot(step, now, true);
        self.end(step, now);
    }

    /// A step failed. Gives the steps that are skipped for it, nearest first; steps that are under way already are
    /// not among them.
    pub(super) fn fail(&mut self, step: StepIndex, now: Moment) -> Vec<Skip> {
        self.free_slot(step, now, true);
        let mut skips = Vec::new();
        let mut failed = VecDeque::from([step]);
        while let Some(because) = failed.pop_front() {
            let (group, _) = self.place_of[because];
            if self.groups[group].on_failure == OnFailure::Stop {
                self.skip_all(group, because, now, &mut skips, &mut failed);
            }
            // The first failure in a group has skipped all that follow it.
            let first = !std::mem::replace(&mut self.groups[group].has_failed, true);
            let followers = if first { self.groups[group].followers.clone() } else { Vec::new() };
            for (follower, strength) in followers {
                if strength == Strength::Hard {
                    self.skip_all(follower, because, now, &mut skips, &mut failed);
                }
            }
            self.end(because, now);
        }
        skips
    }

    /// Skips all of a group whose turn has not come.
    fn skip_all(
        &mut self,
        group: usize,
        because: StepIndex,
        now: Moment,
        skips: &mut Vec<Skip>,
        failed: &mut VecDeque<StepIndex>,
    ) {
        if self.groups[group].skipped_by.is_some() {
            return;
        }
        self.groups[group].skipped_by = Some(because);
        for step in self.groups[group].take_all() {
            skips.push(Skip { step, because });
            failed.push_back(step);
        }
        self.refresh(group, now);
    }

    /// The failed or skipped step that this one comes after, if there is one: its instance may settle, but it must
    /// not be called.
    pub(super) fn skipped_by(&self, step: StepIndex) -> Option<StepIndex> {
        let (group, _) = self.place_of[step];
        self.groups[group].skipped_by
    }

    fn end(&mut self, step: StepIndex, now: Moment) {
        let (group, stage) = self.place_of[step];
        let state = &mut self.groups[group];
        state.unfinished -= 1;
        state.stages[stage].unfinished -= 1;
        if state.move_on() {
            state.begins_at = now + state.pause;
        }
        if state.unfinished == 0 {
            self.close(group, now);
        }
        self.refresh(group, now);
    }

    /// A group whose steps have all ended lets its followers go. That its own turn may not have come yet does not
    /// matter to them: its instances are where they have to be.
    fn close(&mut self, group: usize, now: Moment) {
        for (follower, _) in self.groups[group].followers.clone() {
            self.groups[follower].waits_for -= 1;
            self.refresh(follower, now);
        }
    }

    fn take_slot(&mut self, step: StepIndex) {
        if !std::mem::replace(&mut self.holds_slot[step], true) {
            let (group, _) = self.place_of[step];
            self.taken += 1;
            self.groups[group].taken += 1;
        }
    }

    /// Gives a slot back. The turn in the group rests if its step has ended.
    fn free_slot(&mut self, step: StepIndex, now: Moment, has_ended: bool) {
        if std::mem::replace(&mut self.holds_slot[step], false) {
            let (group, _) = self.place_of[step];
            self.taken -= 1;
            let state = &mut self.groups[group];
            state.taken -= 1;
            if has_ended && state.at_once.is_some() && !state.pause.is_zero() {
                state.resting.push_back(now + state.pause);
            }
            self.refresh(group, now);
        }
    }

    /// Enters the group among those that have a step to offer, or among those that will have, or takes it out.
    fn refresh(&mut self, group: usize, now: Moment) {
        let state = &mut self.groups[group];
        while state.resting.front().is_some_and(|at| *at <= now) {
            state.resting.pop_front();
        }
        let key = (Reverse(state.chain), group);
        match state.opens_at() {
            Some(at) if at <= now => {
                self.offering.insert(key);
            }
            Some(at) => {
                self.offering.remove(&key);
                self.resting.insert((at, group));
            }
            None => {
                self.offering.remove(&key);
            }
        }
    }
}
