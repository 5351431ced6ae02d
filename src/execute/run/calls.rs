//! Which calls a run makes now: those whose turn has come, whose instance and needs were seen lately and as planned,
//! within the limits of ECS. The only place that decides that a call is made.

use std::time::Duration;

use super::{Command, Gate, Needs, Run, Standing, is_fresh};
use crate::cloud::{Advice, Refusal, StartRequest, StopRequest};
use crate::execute::event::Failure;
use crate::execute::ready::StepIndex;
use crate::execute::step::{Call, Moment, OLD_READS, Phase, Turn, View};
use crate::fleet::{Goal, Power, Strength};

/// An instance that was up a moment ago and reads otherwise is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// An instance that was seen so lately need not be looked at again together with others.
const JUST_NOW: Duration = Duration::from_secs(1);

impl Run<'_> {
    pub(super) fn gate(&mut self, step: StepIndex) -> &mut Gate {
        let provider = &mut self.providers[self.provider_of[self.steps[step].change]];
        match self.steps[step].goal {
            Goal::Running | Goal::Any => &mut provider.starts,
            Goal::Stopped => &mut provider.stops,
        }
    }

    pub(super) fn wait_for_call(&mut self, step: StepIndex) {
        let rank = self.rank_of[step];
        self.gate(step).waiting.insert((rank, step));
    }

    pub(super) fn unpark(&mut self) {
        let Self { providers, rank_of, .. } = self;
        for gate in providers.iter_mut().flat_map(|provider| [&mut provider.starts, &mut provider.stops]) {
            gate.waiting.extend(gate.parked.drain(..).map(|step| (rank_of[step], step)));
        }
    }

    pub(super) fn call(&mut self, now: Moment, commands: &mut Vec<Command>) {
        for provider in 0..self.providers.len() {
            for goal in [Goal::Running, Goal::Stopped] {
                while let Some(step) = self.next_call(provider, goal, now) {
                    self.try_to_call(now, step, commands);
                }
            }
        }
    }

    fn next_call(&mut self, provider: usize, goal: Goal, now: Moment) -> Option<StepIndex> {
        let most = self.limits.max_in_flight.get();
        let provider = &mut self.providers[provider];
        let gate = if goal == Goal::Stopped { &mut provider.stops } else { &mut provider.starts };
        let open = gate.closed_until <= now && provider.calls_wait_until <= now && gate.has_room(most);
        if open { gate.waiting.pop_first().map(|(_, step)| step) } else { None }
    }

    /// Makes the call, if what was seen lately of the instance and of all that it comes after allows it.
    fn try_to_call(&mut self, now: Moment, step: StepIndex, commands: &mut Vec<Command>) {
        let change = self.steps[step].change;
        if self.call_deadline(step).is_some_and(|deadline| now > deadline) {
            let failure = self.out_of_time(step);
            return self.take_turn(now, step, Turn::Fail(failure));
        }
        let Some(view) = self.views[change].clone().filter(|view| is_fresh(view.asked_at, now)) else {
            self.want_for_call(change, now);
            return self.gate(step).parked.push(step);
        };
        match self.steps[step].check(&view) {
            Turn::Call => {}
            Turn::Look(at) => {
                self.want(change, at);
                return self.gate(step).parked.push(step);
            }
            turn => return self.take_turn(now, step, turn),
        }
        match self.needs(now, step) {
            Needs::Met => {}
            Needs::NotSeenLately => return self.gate(step).parked.push(step),
            Needs::CannotBeSeen(refusal) => {
                return self.take_turn(now, step, Turn::Fail(Failure::CannotLook(refusal)));
            }
            Needs::Unmet(need) => {
                let failure = Failure::NeedMoved {
                    need: self.plan.changes[need].address.clone(),
                    goal: self.steps[step].goal,
                    seen: self.views[need].as_ref().map_or_else(|| "not seen".to_owned(), View::words),
                };
                return self.take_turn(now, step, Turn::Fail(failure));
            }
        }
        self.steps[step].phase = Phase::Calling;
        self.steps[step].sends += 1;
        self.gate(step).in_flight += 1;
        let key = &self.plan.changes[change].key;
        let (provider, id) = (key.provider.clone(), key.id.clone());
        match self.steps[step].call {
            Some(Call::Stop { policy }) => {
                commands.push(Command::Stop { step, provider, request: StopRequest { id, policy } });
            }
            Some(Call::Start { init_local_disk }) => {
                commands.push(Command::Start {
                    step,
                    provider,
                    request: StartRequest { id, init_local_disk },
                });
            }
            None => {}
        }
    }

    pub(super) fn call_deadline(&mut self, step: StepIndex) -> Option<Moment> {
        let last_dealt_with = self.gate(step).last_dealt_with;
        self.steps[step].call_deadline(last_dealt_with)
    }

    fn out_of_time(&self, step: StepIndex) -> Failure {
        let step = &self.steps[step];
        let looking = &self.providers[self.provider_of[step.change]].look_refusal;
        match (&step.last_refusal, looking) {
            (Some(refusal), _) => Failure::GaveUp { refusal: refusal.clone(), sends: step.sends },
            (None, Some(refusal)) => Failure::CannotLook(refusal.clone()),
            (None, None) => Failure::CannotLook(Refusal::new(
                Advice::Final,
                "its turn to be called did not come within its timeout",
            )),
        }
    }

    /// Whether all that the step must come after was seen lately, and as it has to be.
    fn needs(&mut self, now: Moment, step: StepIndex) -> Needs {
        let plan = self.plan;
        let Some(group) = plan.changes[self.steps[step].change].entry else { return Needs::Met };
        let mut answer = Needs::Met;
        for after in plan.groups[group.at()].after.iter().filter(|after| after.strength == Strength::Hard) {
            let standing = self.standing(after.group.at());
            let unmet = match self.steps[step].goal {
                Goal::Running | Goal::Any => standing.not_running,
                Goal::Stopped => standing.not_stopped,
            };
            if !is_fresh(standing.oldest, now) {
                if let Some(refusal) = self.cannot_be_seen(after.group.at()) {
                    return Needs::CannotBeSeen(refusal);
                }
                self.ask_for(after.group.at(), now);
                answer = Needs::NotSeenLately;
            } else if let Some(unmet) = unmet {
                let seen_at = self.views[unmet].as_ref().map_or(now, |view| view.asked_at);
                if self.completed_at[unmet].is_some_and(|completed| seen_at < completed + OLD_READS) {
                    // It was up a moment ago, so this is likely an old read.
                    self.want(unmet, seen_at + LOOK_AGAIN);
                    answer = Needs::NotSeenLately;
                } else {
                    return Needs::Unmet(unmet);
                }
            }
        }
        answer
    }

    /// Why a group cannot be looked at any more. Its instances all live at one provider.
    fn cannot_be_seen(&self, group: usize) -> Option<Refusal> {
        let &change = self.plan.groups[group].changes.first()?;
        self.providers[self.provider_of[change]].hopeless().cloned()
    }

    /// Wants looks at the instances of a group, once for all the steps that wait for them. All together: those that
    /// are not too old yet would be by the time the others have been looked at.
    fn ask_for(&mut self, group: usize, now: Moment) {
        let asked =
            self.standings[group].as_mut().map(|standing| std::mem::replace(&mut standing.asked, true));
        if asked == Some(true) {
            return;
        }
        let plan = self.plan;
        for &change in &plan.groups[group].changes {
            if self.views[change].as_ref().is_none_or(|view| now >= view.asked_at + JUST_NOW) {
                self.want_for_call(change, now);
            }
        }
    }

    fn standing(&mut self, group: usize) -> Standing {
        let Self { standings, plan, views, .. } = self;
        *standings[group].get_or_insert_with(|| {
            let mut standing =
                Standing { oldest: Moment::MAX, not_running: None, not_stopped: None, asked: false };
            for &change in &plan.groups[group].changes {
                let power = views[change].as_ref().and_then(|view| view.power.as_ref());
                let asked_at = views[change].as_ref().map_or(Moment::ZERO, |view| view.asked_at);
                standing.oldest = standing.oldest.min(asked_at);
                if power != Some(&Power::Running) {
                    standing.not_running.get_or_insert(change);
                }
                if power != Some(&Power::Stopped) {
                    standing.not_stopped.get_or_insert(change);
                }
            }
            standing
        })
    }
}
