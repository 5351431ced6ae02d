//! What becomes of a step: it is watched, waits, is called again, or ends; and what its end means for others.

use std::time::Duration;

use super::Run;
use crate::execute::event::{Action, EventKind, Failure, How};
use crate::execute::poll::took;
use crate::execute::ready::StepIndex;
use crate::execute::step::{Moment, Phase, Step, Turn};
use crate::fleet::{Address, OnFailure, OnNoStock, StopMode, StoppedMode};
use crate::plan::{Block, Request};

impl Run<'_> {
    pub(super) fn begin(&mut self, now: Moment, step: StepIndex) {
        if self.steps[step].began.is_none() {
            self.steps[step].began = Some(now);
            let Step { change, action, .. } = self.steps[step];
            self.say(now, EventKind::Began { change, action });
        }
    }

    /// What follows from an observation or an answer.
    pub(super) fn take_turn(&mut self, now: Moment, step: StepIndex, turn: Turn) {
        let change = self.steps[step].change;
        match turn {
            Turn::Look(at) => self.want(change, at),
            Turn::Poll(watch) => {
                let next = self.next_look(now, step, &watch);
                self.want(change, next.min(watch.deadline.max(now)));
            }
            Turn::Queue => match self.ready.skipped_by(step) {
                Some(because) => {
                    self.skip(now, step, because);
                    self.fail_followers(now, step);
                }
                None => {
                    let settled = &mut self.steps[step];
                    if settled.action == Action::Wait {
                        // It was awaited; from now on it is started or stopped, and that has its own beginning.
                        settled.action = settled.call_action();
                        settled.began = None;
                    }
                    self.ready.settle(step, now);
                }
            },
            Turn::Call | Turn::CallAgain => self.wait_for_call(step),
            Turn::Stock(again) => {
                self.timers.insert((again, step));
                self.say_out_of_stock(now, step, again);
            }
            Turn::Done(how) => {
                let took = self.took(step, how);
                if let Some(took) = took {
                    self.tell_siblings(now, step, took);
                }
                match self.readiness_of(step) {
                    Some(readiness) => self.ready_up(now, step, how, took, readiness),
                    None => self.complete(now, step, how, took),
                }
            }
            Turn::Blocked(Block::HeldUp { by, root }) => {
                self.skip_for(now, step, by, root);
                self.fail_followers(now, step);
            }
            // The blocking begins here.
            Turn::Blocked(block) => self.fail(now, step, Failure::Blocked(block)),
            Turn::Fail(failure) => self.fail(now, step, failure),
        }
    }

    /// How long the way to the goal took, from the accepted call on.
    fn took(&self, step: StepIndex, how: How) -> Option<Duration> {
        let Step { change, ref phase, .. } = self.steps[step];
        match (phase, how, self.views[change].as_ref()) {
            (Phase::Awaiting(watch), How::Called, Some(view)) => {
                Some(took(watch.since, view.otherwise_at, view.asked_at))
            }
            _ => None,
        }
    }

    pub(super) fn complete(&mut self, now: Moment, step: StepIndex, how: How, took: Option<Duration>) {
        let Step { change, action, .. } = self.steps[step];
        let view = self.views[change].as_ref();
        let kind = EventKind::Completed {
            change,
            action,
            how,
            power: view.and_then(|view| view.power.clone()).unwrap_or_else(|| self.steps[step].arrived_as()),
            elapsed: self.elapsed(now, step),
            took,
            request_id: self.steps[step].request_id.clone(),
            stopped_mode: view
                .map(|view| view.stopped_mode)
                .filter(|mode| self.is_unwanted(step, how, *mode)),
        };
        self.completed_at[change] = Some(now);
        self.say(now, kind);
        self.end(step);
        self.ready.finish(step, now);
    }

    /// Whether a stop by a call left the instance billed although it was asked not to be.
    fn is_unwanted(&self, step: StepIndex, how: How, mode: StoppedMode) -> bool {
        let wanted = matches!(
            self.steps[step].call,
            Some(Request::Stop { policy }) if policy.mode == StopMode::StopCharging
        );
        wanted && how == How::Called && mode == StoppedMode::KeepCharging
    }

    pub(super) fn fail(&mut self, now: Moment, step: StepIndex, failure: Failure) {
        let Step { change, action, .. } = self.steps[step];
        let power = self.views[change].as_ref().and_then(|view| view.power.clone());
        let elapsed = self.elapsed(now, step);
        self.say(now, EventKind::Failed { change, action, failure, power, elapsed });
        self.end(step);
        self.fail_followers(now, step);
    }

    /// Skips all that must come after a step that failed or was skipped. A call that was under way when the run was
    /// interrupted can still fail; those that come after it have been left by then.
    fn fail_followers(&mut self, now: Moment, step: StepIndex) {
        for skip in self.ready.fail(step, now) {
            if self.steps[skip.step].phase != Phase::Ended {
                self.skip(now, skip.step, skip.because);
            }
        }
        self.stop_siblings(now, step);
    }

    /// Where a failure stops its entry, those go too whose turn has come, but whose call was never sent.
    fn stop_siblings(&mut self, now: Moment, failed: StepIndex) {
        let plan = self.plan;
        let group =
            plan.changes[self.steps[failed].change].entry.and_then(|entry| plan.groups.get(entry.at()));
        let Some(group) = group.filter(|group| group.on_failure == OnFailure::Stop) else { return };
        for change in &group.changes {
            let Some(step) = self.step_of[*change] else { continue };
            let Step { ref phase, sends, may_have_acted, .. } = self.steps[step];
            if matches!(phase, Phase::Due | Phase::OutOfStock(_)) && sends == 0 && !may_have_acted {
                self.skip(now, step, failed);
                self.fail_followers(now, step);
            }
        }
    }

    fn skip(&mut self, now: Moment, step: StepIndex, because: StepIndex) {
        let because_of = self.plan.changes[self.steps[because].change].address.clone();
        let root = self.root_of[because].clone().unwrap_or_else(|| because_of.clone());
        self.skip_for(now, step, because_of, root);
    }

    fn skip_for(&mut self, now: Moment, step: StepIndex, because: Address, root: Address) {
        self.root_of[step] = Some(root.clone());
        let Step { change, action, .. } = self.steps[step];
        self.say(now, EventKind::Skipped { change, action, because, root });
        self.end(step);
    }

    fn say_out_of_stock(&mut self, now: Moment, step: StepIndex, again: Moment) {
        let Step { change, on_no_stock, no_stock, ref last_refusal, .. } = self.steps[step];
        if let (Some((since, _)), OnNoStock::RetryFor(patience), Some(refusal)) =
            (no_stock, on_no_stock, last_refusal.clone())
        {
            let since_the_beginning = |at: Moment| at.saturating_sub(self.origin);
            let until = since_the_beginning(since.saturating_add(patience));
            self.say(
                now,
                EventKind::OutOfStock { change, refusal, again: since_the_beginning(again), until },
            );
        }
    }

    /// Ends a step that an interruption leaves as it is.
    pub(super) fn leave(&mut self, now: Moment, step: StepIndex) {
        let Step { change, action, ref phase, .. } = self.steps[step];
        let in_transition = match phase {
            Phase::Settling(_) | Phase::Awaiting(_) => true,
            // One that waits to be called again may have been set on its way by the call before.
            Phase::InDoubt(_) | Phase::Due | Phase::OutOfStock(_) | Phase::Calling => {
                self.steps[step].may_have_acted
            }
            // It is up; only that it is ready has not been shown.
            Phase::Readying(_) => false,
            Phase::Queued | Phase::Ended => false,
        };
        self.say(now, EventKind::NotReached { change, action, in_transition });
        self.end(step);
    }

    pub(super) fn end(&mut self, step: StepIndex) {
        let Step { change, .. } = self.steps[step];
        let rank = self.rank_of[step];
        self.gate(step).forget(rank, step);
        self.steps[step].phase = Phase::Ended;
        self.readying.forget(step);
        self.leave_siblings(step);
        self.unfinished -= 1;
        self.providers[self.provider_of[change]].poll.forget(change);
    }

    fn elapsed(&self, now: Moment, step: StepIndex) -> Duration {
        self.steps[step].began.map_or(Duration::ZERO, |began| now.saturating_sub(began))
    }
}
