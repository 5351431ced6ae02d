//! Which calls a run makes now: those whose turn has come, whose instance and needs were seen lately and as planned,
//! within the limits of ECS. The only place that decides that a call is made.

use std::time::Duration;

use super::gate::{Gate, TOGETHER};
use super::{Command, Needs, Provider, Run, Standing, is_fresh};
use crate::cloud::{Advice, BATCH_LIMIT, Refusal, StartRequest, StopRequest};
use crate::execute::event::Failure;
use crate::execute::ready::StepIndex;
use crate::execute::step::{Moment, OLD_READS, Phase, Turn, View};
use crate::fleet::{Goal, Power, Strength};
use crate::plan::Request;

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
        self.gate(step).wait(rank, step);
    }

    pub(super) fn unpark(&mut self) {
        let Self { providers, rank_of, .. } = self;
        for provider in providers {
            provider.starts.unpark(rank_of);
            provider.stops.unpark(rank_of);
        }
    }

    pub(super) fn call(&mut self, now: Moment, commands: &mut Vec<Command>) {
        for provider in 0..self.providers.len() {
            if self.providers[provider].calls_wait_until > now {
                continue;
            }
            for goal in [Goal::Running, Goal::Stopped] {
                self.call_in_turn(now, provider, goal, commands);
            }
        }
    }

    /// Makes the calls of one action at one provider: as many as may go now, and do not wait for company.
    fn call_in_turn(&mut self, now: Moment, provider: usize, goal: Goal, commands: &mut Vec<Command>) {
        let mut waits_no_more = false;
        let mut due = 0;
        while let Some(step) = self.gate_of(provider, goal).next(now) {
            if !self.is_clear(now, step) {
                continue;
            }
            let steps = match self.travels_alone(step) {
                true => vec![step],
                false => self.with_companions(now, provider, step, &mut due),
            };
            let is_full = steps.len() >= BATCH_LIMIT;
            if !waits_no_more && !self.travels_alone(step) {
                let others_may_come = self.others_may_come(now, provider);
                if self.gate_of(provider, goal).waits_for_company(now, steps.len(), others_may_come) {
                    steps.into_iter().for_each(|step| self.wait_for_call(step));
                    return;
                }
                // Those that are left after a full request wait anew.
                waits_no_more = !is_full;
            }
            self.send(now, steps, commands);
        }
    }

    /// Whether the call cannot be one of many: with local disks to be set up anew, or after a request for many in which
    /// just this one was refused.
    fn travels_alone(&self, step: StepIndex) -> bool {
        let step = &self.steps[step];
        // InitLocalDisk is no parameter of StartInstances.
        step.goes_alone || step.call == Some(Request::Start { init_local_disk: true })
    }

    /// Whether an answer is on its way, or will be in a moment, that may let others go there: so many that they travel
    /// together.
    fn others_may_come(&self, now: Moment, provider: usize) -> bool {
        let Provider { ref poll, batch_above, looks_under_way, quota, .. } = self.providers[provider];
        let looks_soon = || poll.wake_at(&self.quotas[quota]).is_some_and(|at| at <= now + TOGETHER);
        let answers = looks_under_way > 0 || self.readying.is_asking() || looks_soon();
        batch_above > 0 && self.unfinished > batch_above && answers
    }

    fn gate_of(&mut self, provider: usize, goal: Goal) -> &mut Gate {
        let provider = &mut self.providers[provider];
        match goal {
            Goal::Running | Goal::Any => &mut provider.starts,
            Goal::Stopped => &mut provider.stops,
        }
    }

    /// The steps that travel in one request with this one: those that are due at this moment and ask for the same, if
    /// more than `batch_above` are due, whatever they ask for. `due` is how many were due at this moment so far.
    fn with_companions(
        &mut self,
        now: Moment,
        provider: usize,
        first: StepIndex,
        due: &mut usize,
    ) -> Vec<StepIndex> {
        let mut steps = vec![first];
        let (goal, call) = (self.steps[first].goal, self.steps[first].call);
        let batch_above = self.providers[provider].batch_above;
        *due = (*due).max(self.gate_of(provider, goal).waiting() + 1);
        if batch_above == 0 || *due <= batch_above {
            return steps;
        }
        let mut others = Vec::new();
        while steps.len() < BATCH_LIMIT {
            let Some(step) = self.gate_of(provider, goal).take() else { break };
            if self.steps[step].call != call || self.travels_alone(step) {
                others.push(step);
            } else if self.is_clear(now, step) {
                steps.push(step);
            }
        }
        for step in others {
            self.wait_for_call(step);
        }
        steps
    }

    /// Whether the call may be made: what was seen lately of the instance, and of all that it comes after, allows it.
    /// If not, the step has ended, or waits for a look.
    fn is_clear(&mut self, now: Moment, step: StepIndex) -> bool {
        let change = self.steps[step].change;
        if self.call_deadline(step).is_some_and(|deadline| now > deadline) {
            let failure = self.out_of_time(step);
            self.take_turn(now, step, Turn::Fail(failure));
            return false;
        }
        let Some(view) = self.views[change].clone().filter(|view| is_fresh(view.asked_at, now)) else {
            self.want_for_call(change, now);
            self.gate(step).park(step);
            return false;
        };
        match self.steps[step].check(&view) {
            Turn::Call => {}
            Turn::Look(at) => {
                self.want(change, at);
                self.gate(step).park(step);
                return false;
            }
            turn => {
                self.take_turn(now, step, turn);
                return false;
            }
        }
        match self.needs(now, step) {
            Needs::Met => true,
            Needs::NotSeenLately => {
                self.gate(step).park(step);
                false
            }
            Needs::CannotBeSeen(refusal) => {
                self.take_turn(now, step, Turn::Fail(Failure::CannotLook(refusal)));
                false
            }
            Needs::Unmet(need) => {
                let failure = self.need_moved(step, need);
                self.take_turn(now, step, Turn::Fail(failure));
                false
            }
        }
    }

    /// Sends the calls of these steps, which differ in nothing but the instance, in one request.
    fn send(&mut self, now: Moment, steps: Vec<StepIndex>, commands: &mut Vec<Command>) {
        let first = steps[0];
        self.gate(first).sent(now, first);
        for step in &steps {
            self.steps[*step].phase = Phase::Calling;
            self.steps[*step].sends += 1;
        }
        let key = |step: StepIndex| &self.plan.changes[self.steps[step].change].key;
        let provider = key(first).provider.clone();
        let id = |step: StepIndex| key(step).id.clone();
        commands.push(match self.steps[first].call {
            Some(Request::Stop { policy }) => {
                let call = |step| (step, StopRequest { id: id(step), policy });
                Command::Stop { provider, calls: steps.into_iter().map(call).collect() }
            }
            Some(Request::Start { init_local_disk }) => {
                let call = |step| (step, StartRequest { id: id(step), init_local_disk });
                Command::Start { provider, calls: steps.into_iter().map(call).collect() }
            }
            // Only steps with a call are ever queued.
            None => return,
        });
    }

    pub(super) fn call_deadline(&mut self, step: StepIndex) -> Option<Moment> {
        let last_dealt_with = self.gate(step).last_dealt_with();
        self.steps[step].call_deadline(last_dealt_with)
    }

    fn out_of_time(&mut self, step: StepIndex) -> Failure {
        if self.steps[step].last_refusal.is_none()
            && let Some(need) = self.unmet_need(step)
        {
            return self.need_moved(step, need);
        }
        let waits_for = self.gate(step).last_refusal().cloned();
        let step = &self.steps[step];
        let looking = &self.providers[self.provider_of[step.change]].look_refusal;
        match (step.last_refusal.clone().or(waits_for), looking) {
            (Some(refusal), _) => Failure::GaveUp { refusal, sends: step.sends },
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

    /// One that the step must come after, and that was last seen otherwise than it has to be.
    fn unmet_need(&mut self, step: StepIndex) -> Option<usize> {
        let plan = self.plan;
        let group = plan.changes[self.steps[step].change].entry?;
        let goal = self.steps[step].goal;
        let hard = plan.groups[group.at()].after.iter().filter(|after| after.strength == Strength::Hard);
        hard.map(|after| after.group.at()).find_map(|group| {
            let standing = self.standing(group);
            match goal {
                Goal::Running | Goal::Any => standing.not_running,
                Goal::Stopped => standing.not_stopped,
            }
        })
    }

    fn need_moved(&self, step: StepIndex, need: usize) -> Failure {
        Failure::NeedMoved {
            need: self.plan.changes[need].address.clone(),
            goal: self.steps[step].goal,
            seen: self.views[need].as_ref().map_or_else(|| "not seen".to_owned(), View::words),
        }
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
