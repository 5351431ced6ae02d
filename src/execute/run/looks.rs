//! Which looks a run sends now, and what it learns from them.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Command, Look, Run, WAIT_FOR_LOOKS};
use crate::cloud::{LOOK_LIMIT, Refusal};
use crate::execute::event::{EventKind, Failure};
use crate::execute::ready::StepIndex;
use crate::execute::step::{FRESH, Moment, Phase, Turn, View, WHILE_READYING};
use crate::fleet::{Sighting, StoppedMode};

/// Among so many it is chosen what a look takes along.
const MOST_CANDIDATES: usize = 20 * LOOK_LIMIT;

impl Run<'_> {
    pub(super) fn want(&mut self, change: usize, at: Moment) {
        self.providers[self.provider_of[change]].poll.want(change, at);
    }

    /// Wants a look at an instance for the sake of a call: now, or when looks are tried again after failing.
    pub(super) fn want_for_call(&mut self, change: usize, now: Moment) {
        let provider = &mut self.providers[self.provider_of[change]];
        provider.poll.want_for_call(change, now.max(provider.calls_wait_until));
    }

    pub(super) fn look(&mut self, now: Moment, commands: &mut Vec<Command>) {
        for provider in 0..self.providers.len() {
            let quota = self.providers[provider].quota;
            while self.providers[provider].poll.is_due(&self.quotas[quota], now) {
                let called_next = self.called_next(now, provider);
                let has_room = self.providers[provider].poll.has_room(now);
                let others = if has_room { self.worth_taking_along(now, provider) } else { Vec::new() };
                let poll = &mut self.providers[provider].poll;
                let others = called_next.into_iter().chain(others);
                let Some(changes) = poll.next(&mut self.quotas[quota], now, others) else { break };
                let number = self.next_number;
                self.next_number += 1;
                commands.push(Command::Look {
                    number,
                    provider: self.providers[provider].alias.clone(),
                    ids: changes.iter().map(|change| self.plan.changes[*change].key.id.clone()).collect(),
                });
                self.providers[provider].looks_under_way += 1;
                self.looks.insert(number, Look { provider, changes, asked_at: now });
            }
        }
    }

    /// What calls depend on next: the instances that are called once those have arrived that a look is sent for, because
    /// they come after them or have their slots, and what they come after in turn. Seen by the same look, they need no
    /// other one. Those that are due before long follow, each with what depends on it.
    fn called_next(&self, now: Moment, provider: usize) -> Vec<usize> {
        let poll = &self.providers[provider].poll;
        let due: Vec<usize> = poll.due(now).collect();
        let mut opening = self.opening(due.iter().copied().chain(poll.soon_due(now)));
        let mut along = Along { run: self, now, provider, needs: HashSet::new(), changes: Vec::new() };
        let mut in_line = self.ready.in_line();
        let soon = poll.soon_due(now).map(|change| (change, Some(change)));
        for (change, itself) in due.iter().map(|change| (*change, None)).chain(soon) {
            if due.len() + along.changes.len() >= LOOK_LIMIT {
                break;
            }
            along.changes.extend(itself);
            in_line.next().into_iter().for_each(|step| along.take_along(step));
            let Some(group) = self.group_of(change) else { continue };
            self.ready.in_line_of(group).take(1).for_each(|step| along.take_along(step));
            for follower in opening.remove(&group).into_iter().flatten() {
                self.ready.in_line_of(follower).take(LOOK_LIMIT).for_each(|step| along.take_along(step));
            }
        }
        along.changes
    }

    /// The groups that will open once these instances have arrived, each by one of the groups that close then. Each
    /// group is gone through once, however many of its instances arrive.
    fn opening(&self, arriving: impl Iterator<Item = usize>) -> HashMap<usize, Vec<usize>> {
        let mut arrivals: HashMap<usize, usize> = HashMap::new();
        for group in arriving.filter_map(|change| self.group_of(change)) {
            *arrivals.entry(group).or_default() += 1;
        }
        let closes = |(group, arrivals): (usize, usize)| {
            let unfinished = self.ready.unfinished(group);
            (unfinished > 0 && arrivals >= unfinished).then_some(group)
        };
        let closing: BTreeSet<usize> = arrivals.into_iter().filter_map(closes).collect();
        let mut closings: HashMap<usize, usize> = HashMap::new();
        let mut opening: HashMap<usize, Vec<usize>> = HashMap::new();
        for group in closing {
            for follower in &self.followers[group] {
                let closings = closings.entry(*follower).or_default();
                *closings += 1;
                if *closings == self.ready.waits_for(*follower) {
                    opening.entry(group).or_default().push(*follower);
                }
            }
        }
        opening
    }

    pub(super) fn group_of(&self, change: usize) -> Option<usize> {
        self.plan.changes[change].entry.map(|entry| entry.at())
    }

    fn needs_of(&self, group: usize) -> impl Iterator<Item = usize> {
        self.plan.groups[group].after.iter().map(|after| after.group.at())
    }

    fn may_be_shown(&self, now: Moment, provider: usize, change: usize) -> bool {
        let seen_at = self.views[change].as_ref().map(|view| view.asked_at);
        self.provider_of[change] == provider
            && seen_at.is_some_and(|seen_at| now >= seen_at + FRESH / 2)
            && self.step_of[change].is_none_or(|step| self.may_be_taken_along(step))
    }

    /// Instances that a look may take along for nothing, because a call is likely to depend on them soon: those that
    /// wait to be called, and for every group that moves the groups that follow it, with what these come after. Those
    /// that were not seen for the longest come first, and those that were seen lately not at all.
    fn worth_taking_along(&self, now: Moment, provider: usize) -> Vec<usize> {
        let mut others = Vec::with_capacity(2 * LOOK_LIMIT);
        let gates = [&self.providers[provider].starts, &self.providers[provider].stops];
        for gate in gates {
            let steps = gate.queue().take(LOOK_LIMIT);
            others.extend(steps.map(|step| self.steps[step].change));
        }
        let moving = self.providers[provider].poll.watched().take(LOOK_LIMIT);
        let groups: BTreeSet<usize> = moving.filter_map(|change| self.group_of(change)).collect();
        let follows = |group: usize| {
            let followers = self.followers[group].iter().copied();
            followers.flat_map(|follower| std::iter::once(follower).chain(self.needs_of(follower)))
        };
        let related = groups.into_iter().flat_map(|group| std::iter::once(group).chain(follows(group)));
        others.extend(related.flat_map(|group| &self.plan.groups[group].changes).take(MOST_CANDIDATES));
        others.retain(|change| self.may_be_shown(now, provider, *change));
        if others.len() > LOOK_LIMIT {
            others.select_nth_unstable_by_key(LOOK_LIMIT, |change| {
                self.views[*change].as_ref().map(|view| view.asked_at)
            });
        }
        others
    }

    /// The steps among these that wait for looks at their instances.
    pub(super) fn on_their_way(&self, changes: &[usize]) -> Vec<StepIndex> {
        let steps = changes.iter().filter_map(|change| self.step_of[*change]);
        steps.filter(|step| self.steps[*step].is_watched()).collect()
    }

    /// Looks are spent sparingly where they find nothing new: this one was not, as far as it found what it was sent for.
    #[expect(clippy::cast_precision_loss, reason = "at most a hundred")]
    pub(super) fn refund(&mut self, provider: usize, sent_for: &[StepIndex]) {
        let arrived = sent_for.iter().filter(|step| !self.steps[**step].is_watched()).count();
        if arrived > 0 {
            let quota = self.providers[provider].quota;
            self.quotas[quota].refund(arrived as f64 / sent_for.len() as f64);
        }
    }

    /// Whether a look that was sent for others may show its instance: not if one is wanted for its own sake, or if what it
    /// shows is about to change.
    fn may_be_taken_along(&self, step: StepIndex) -> bool {
        !self.steps[step].is_watched() && self.steps[step].phase != Phase::Calling
    }

    /// Takes in what a look showed of one instance.
    pub(super) fn see(&mut self, now: Moment, asked_at: Moment, change: usize, sighting: Option<&Sighting>) {
        let power = sighting.map(|sighting| sighting.power.clone());
        let before = self.views[change].as_ref();
        if before.is_some_and(|before| before.asked_at > asked_at) {
            return;
        }
        let unchanged = before.filter(|before| before.power == power);
        let view = View {
            since: unchanged.map_or(asked_at, |before| before.since),
            has_changed: unchanged.is_none(),
            otherwise_at: before.map_or(Moment::ZERO, |before| match unchanged {
                Some(before) => before.otherwise_at,
                None => before.asked_at,
            }),
            stopped_mode: sighting.map_or(StoppedMode::NotApplicable, |sighting| sighting.stopped_mode),
            private_address: sighting.and_then(|sighting| sighting.private_address),
            public_address: sighting.and_then(|sighting| sighting.public_address),
            power,
            asked_at,
        };
        self.views[change] = Some(view.clone());
        self.forget_standing(change);
        let Some(step) = self.step_of[change] else { return };
        let turn = self.steps[step].observe(&view);
        if let (Some(Turn::Look(_) | Turn::Poll(_)), true) = (&turn, view.has_changed) {
            self.say(now, EventKind::Moved { change, power: view.power });
        }
        if let Some(turn) = turn {
            self.take_turn(now, step, turn);
        }
    }

    fn forget_standing(&mut self, change: usize) {
        if let Some(group) = self.group_of(change) {
            self.standings[group] = None;
        }
    }

    /// A look failed: it is repeated, calmly, for as long as anyone may wait for it.
    pub(super) fn look_failed(&mut self, now: Moment, look: &Look, refusal: Refusal) {
        self.say(now, EventKind::LookFailed { refusal: refusal.clone() });
        let failures = self.providers[look.provider].poll.failures();
        let pause = WAIT_FOR_LOOKS[(failures as usize).min(WAIT_FOR_LOOKS.len()) - 1];
        self.providers[look.provider].look_refusal = Some(refusal.clone());
        let hopeless = self.providers[look.provider].hopeless().is_some();
        for &change in &look.changes {
            self.forget_standing(change);
            // Only those that wait for looks: a step that was taken along may stand in the queue still, or be under
            // way to ECS, and whoever is parked for it asks again.
            let Some(step) = self.step_of[change] else { continue };
            if matches!(self.steps[step].phase, Phase::Readying(_)) {
                self.want(change, now + WHILE_READYING);
                continue;
            }
            if !self.steps[step].is_watched() {
                continue;
            }
            if hopeless || self.is_past_its_deadline(now, step) {
                self.take_turn(now, step, Turn::Fail(Failure::CannotLook(refusal.clone())));
            } else {
                self.want(change, now + pause);
            }
        }
        if hopeless {
            self.give_up_parked(now, look.provider, &refusal);
        }
        self.providers[look.provider].calls_wait_until = now + pause;
    }

    /// Nothing will ever be seen there, so nothing that waits to be called there can be.
    fn give_up_parked(&mut self, now: Moment, provider: usize, refusal: &Refusal) {
        let gates = &self.providers[provider];
        let parked: Vec<StepIndex> =
            gates.starts.parked().iter().chain(gates.stops.parked()).copied().collect();
        for step in parked {
            if self.steps[step].phase == Phase::Due {
                self.take_turn(now, step, Turn::Fail(Failure::CannotLook(refusal.clone())));
            }
        }
    }

    fn is_past_its_deadline(&mut self, now: Moment, step: StepIndex) -> bool {
        match &self.steps[step].phase {
            Phase::Settling(watch) | Phase::Awaiting(watch) => {
                now > watch.deadline.saturating_add(super::GRACE)
            }
            Phase::InDoubt(_) => {
                self.call_deadline(step).is_some_and(|deadline| now > deadline.saturating_add(super::GRACE))
            }
            Phase::Queued
            | Phase::Due
            | Phase::Calling
            | Phase::OutOfStock(_)
            | Phase::Readying(_)
            | Phase::Ended => false,
        }
    }
}

/// What a look takes along.
struct Along<'r, 'p> {
    run: &'r Run<'p>,
    now: Moment,
    provider: usize,
    /// The groups that others come after and that are in it, as far as they were not seen lately.
    needs: HashSet<usize>,
    changes: Vec<usize>,
}

impl Along<'_, '_> {
    /// Takes along the instance of a step that waits for its turn, and what it comes after.
    fn take_along(&mut self, step: StepIndex) {
        let Self { run, .. } = *self;
        let change = run.steps[step].change;
        self.show(change);
        for need in run.group_of(change).into_iter().flat_map(|group| run.needs_of(group)) {
            if self.needs.insert(need) {
                run.plan.groups[need].changes.iter().for_each(|change| self.show(*change));
            }
        }
    }

    fn show(&mut self, change: usize) {
        if self.run.may_be_shown(self.now, self.provider, change) {
            self.changes.push(change);
        }
    }
}
