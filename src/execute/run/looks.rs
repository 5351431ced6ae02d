//! Which looks a run sends now, and what it learns from them.

use std::collections::BTreeSet;

use super::{Command, Look, Run, WAIT_FOR_LOOKS};
use crate::cloud::{Advice, LOOK_LIMIT, Refusal};
use crate::execute::event::{EventKind, Failure};
use crate::execute::ready::StepIndex;
use crate::execute::step::{Moment, Phase, Turn, View};
use crate::fleet::{Sighting, StoppedMode};

/// So many failures in a row that nothing will mend, and those who wait for a look give up.
const HOPELESS: u32 = 3;

impl Run<'_> {
    pub(super) fn want(&mut self, change: usize, at: Moment) {
        self.providers[self.provider_of[change]].poll.want(change, at);
    }

    pub(super) fn want_now(&mut self, change: usize, now: Moment) {
        self.providers[self.provider_of[change]].poll.want_by(change, now);
    }

    pub(super) fn look(&mut self, now: Moment, commands: &mut Vec<Command>) {
        for provider in 0..self.providers.len() {
            while self.providers[provider].poll.is_due(now) {
                let others = self.worth_taking_along(provider);
                let Some(changes) = self.providers[provider].poll.next(now, others.into_iter()) else {
                    break;
                };
                let number = self.next_number;
                self.next_number += 1;
                commands.push(Command::Look {
                    number,
                    provider: self.providers[provider].alias.clone(),
                    ids: changes.iter().map(|change| self.plan.changes[*change].key.id.clone()).collect(),
                });
                self.looks.insert(number, Look { provider, changes, asked_at: now });
            }
        }
    }

    /// Instances that a look may take along for nothing, because a call is likely to depend on them soon: those that
    /// wait to be called, and for every group that moves the groups that follow it, with what these come after.
    fn worth_taking_along(&self, provider: usize) -> Vec<usize> {
        let mut others = Vec::with_capacity(2 * LOOK_LIMIT);
        let gates = [&self.providers[provider].starts, &self.providers[provider].stops];
        for gate in gates {
            let steps = gate.queue().take(LOOK_LIMIT);
            others.extend(steps.map(|step| self.steps[step].change));
        }
        let moving = self.providers[provider].poll.watched().take(LOOK_LIMIT);
        let groups: BTreeSet<usize> =
            moving.filter_map(|change| self.plan.changes[change].entry).map(|entry| entry.at()).collect();
        for group in groups {
            others.extend(&self.plan.groups[group].changes);
            for &follower in &self.followers[group] {
                others.extend(&self.plan.groups[follower].changes);
                for after in &self.plan.groups[follower].after {
                    others.extend(&self.plan.groups[after.group.at()].changes);
                }
                if others.len() > 4 * LOOK_LIMIT {
                    break;
                }
            }
        }
        others.retain(|change| {
            self.provider_of[*change] == provider
                && self.views[*change].is_some()
                && self.step_of[*change].is_none_or(|step| self.steps[step].phase != Phase::Calling)
        });
        others
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
            stopped_mode: sighting.map_or(StoppedMode::NotApplicable, |sighting| sighting.stopped_mode),
            power,
            asked_at,
        };
        self.views[change] = Some(view.clone());
        if let Some(group) = self.plan.changes[change].entry {
            self.standings[group.at()] = None;
        }
        let Some(step) = self.step_of[change] else { return };
        let turn = self.steps[step].observe(&view);
        if let (Some(Turn::Look(_) | Turn::Poll(_)), Some(power), true) =
            (&turn, view.power, view.has_changed)
        {
            self.say(now, EventKind::Moved { change, power });
        }
        if let Some(turn) = turn {
            self.take_turn(now, step, turn);
        }
    }

    /// A look failed: it is repeated, calmly, for as long as anyone may wait for it.
    pub(super) fn look_failed(&mut self, now: Moment, look: &Look, refusal: Refusal) {
        self.say(now, EventKind::LookFailed { refusal: refusal.clone() });
        let failures = self.providers[look.provider].poll.failures();
        let hopeless = refusal.advice == Advice::Final && failures >= HOPELESS;
        let pause = WAIT_FOR_LOOKS[(failures as usize).min(WAIT_FOR_LOOKS.len()) - 1];
        self.providers[look.provider].look_refusal = Some(refusal.clone());
        for &change in &look.changes {
            // Only those that wait for looks: a step that was taken along may stand in the queue still, or be under
            // way to ECS, and whoever is parked for it asks again.
            let Some(step) = self.step_of[change].filter(|step| self.steps[*step].is_watched()) else {
                continue;
            };
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

    fn is_past_its_deadline(&self, now: Moment, step: StepIndex) -> bool {
        match &self.steps[step].phase {
            Phase::Settling(watch) | Phase::Awaiting(watch) => now > watch.deadline + super::GRACE,
            Phase::InDoubt(_) => {
                self.steps[step].call_deadline().is_some_and(|deadline| now > deadline + super::GRACE)
            }
            Phase::Queued | Phase::Due | Phase::Calling | Phase::Ended => false,
        }
    }
}
