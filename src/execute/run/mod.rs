//! One run of a plan as a plain data structure: it is told what happened and when, and says what to do next.
//!
//! Joins the queue, the steps and the poll. Nothing here waits, calls or reads a clock, so that whole runs can be
//! tried under a made-up clock in no time.

mod calls;
mod gate;
mod looks;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::time::Duration;

use super::event::{Action, Event, EventKind, Failure, How};
use super::poll::{Poll, next_look};

use super::ready::{Ready, ReadyGroup, StepIndex};
use super::step::{Call, FRESH, Moment, Phase, Step, Turn, View, Watch};
use crate::cloud::{Accepted, Advice, Refusal, StartRequest, StopRequest};
use crate::fleet::{Goal, InstanceId, ProviderAlias, Seen, Sighting, StopMode, StoppedMode};
use crate::plan::{Block, Change, Plan, Then, Verdict, remaining_chains};
use gate::Gate;

/// What bounds a run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At most so many instances in transition; no limit if none.
    pub parallelism: Option<NonZeroUsize>,
    /// At most so many calls of one action under way for one provider.
    pub max_in_flight: NonZeroUsize,
    /// Where more than this are due at one moment, they travel together (StartInstances, StopInstances); 0: never.
    pub batch_above: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let max_in_flight = NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN);
        Self { parallelism: None, max_in_flight, batch_above: 10 }
    }
}

/// What a step is taken to last for the sake of order, if nobody knows: some boot. Only its relation to known
/// durations matters.
const UNKNOWN_DURATION: Duration = Duration::from_secs(30);
/// After a look that failed the next one waits: longer with each failure in a row.
const WAIT_FOR_LOOKS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(10),
];
/// A timeout is declared on a look made after the deadline; if none succeeds within so long, the step fails as not
/// to be looked at.
const GRACE: Duration = Duration::from_secs(60);

/// Something that has to be done now.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Look at some instances of a provider; answer with [`Run::looked`].
    Look { number: u64, provider: ProviderAlias, ids: Vec<InstanceId> },
    /// Call StartInstance, or StartInstances if there are several; answer with [`Run::answered`].
    Start { provider: ProviderAlias, calls: Vec<(StepIndex, StartRequest)> },
    /// Call StopInstance, or StopInstances if there are several, which all have one policy; answer with
    /// [`Run::answered`].
    Stop { provider: ProviderAlias, calls: Vec<(StepIndex, StopRequest)> },
}

/// A run.
#[derive(Debug)]
pub(super) struct Run<'p> {
    plan: &'p Plan,
    /// The run began so long after the look that the plan rests on.
    origin: Moment,
    limits: Limits,
    steps: Vec<Step>,
    step_of: Vec<Option<StepIndex>>,
    /// Among calls that compete, the one with the longest remaining chain goes first.
    rank_of: Vec<Reverse<Duration>>,
    /// Where the failure began, for steps that were skipped.
    root_of: Vec<Option<StepIndex>>,
    ready: Ready,
    views: Vec<Option<View>>,
    completed_at: Vec<Option<Moment>>,
    standings: Vec<Option<Standing>>,
    followers: Vec<Vec<usize>>,
    providers: Vec<Provider>,
    provider_of: Vec<usize>,
    looks: HashMap<u64, Look>,
    next_number: u64,
    unfinished: usize,
    interrupted: bool,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Provider {
    alias: ProviderAlias,
    poll: Poll,
    look_refusal: Option<Refusal>,
    /// After a failed look nothing is called, and so nothing is looked at for the sake of a call, before this.
    calls_wait_until: Moment,
    starts: Gate,
    stops: Gate,
}

#[derive(Debug)]
struct Look {
    provider: usize,
    changes: Vec<usize>,
    asked_at: Moment,
}

/// What is known of all instances of a group together.
#[derive(Debug, Clone, Copy)]
struct Standing {
    oldest: Moment,
    not_running: Option<usize>,
    not_stopped: Option<usize>,
    /// Those that were not seen lately have been asked for, and nothing has been heard since.
    asked: bool,
}

/// Whether what must come before a step is as it has to be.
enum Needs {
    Met,
    NotSeenLately,
    Unmet(usize),
}

impl<'p> Run<'p> {
    /// `origin` is the age of the look that the plan rests on; `expected` says what an instance's change is expected
    /// to take.
    pub(super) fn new(
        plan: &'p Plan,
        origin: Moment,
        limits: Limits,
        expected: impl Fn(&Change) -> Option<Duration>,
    ) -> Self {
        let mut steps = Vec::new();
        let mut step_of = vec![None; plan.changes.len()];
        for (position, change) in plan.changes.iter().enumerate() {
            if let Some(step) = step_for(plan, position, change, origin, expected(change)) {
                step_of[position] = Some(steps.len());
                steps.push(step);
            }
        }
        let chains = remaining_chains(&plan.groups, |group| {
            let takes = group.changes.iter().filter_map(|change| step_of[*change]);
            takes.map(|step| steps[step].expected.unwrap_or(UNKNOWN_DURATION)).max().unwrap_or_default()
        });
        let mut followers = vec![Vec::new(); plan.groups.len()];
        let mut rank_of = vec![Reverse(Duration::ZERO); steps.len()];
        let mut queue = Vec::with_capacity(plan.groups.len());
        for (index, group) in plan.groups.iter().enumerate() {
            let mut ready = ReadyGroup {
                after: group.after.iter().map(|after| (after.group.at(), after.strength)).collect(),
                at_once: group.at_once.map(|at_once| at_once.get() as usize),
                chain: chains[index],
                ..ReadyGroup::default()
            };
            for after in &group.after {
                followers[after.group.at()].push(index);
            }
            for step in group.changes.iter().filter_map(|change| step_of[*change]) {
                rank_of[step] = Reverse(chains[index]);
                if steps[step].phase == Phase::Queued {
                    ready.steps.push(step);
                } else {
                    ready.moving.push(step);
                }
            }
            ready.steps.sort_by_key(|step| Reverse(steps[*step].expected.unwrap_or(UNKNOWN_DURATION)));
            queue.push(ready);
        }
        let (providers, provider_of) = providers(plan, origin, limits.max_in_flight.get());
        let slots = limits.parallelism.map(NonZeroUsize::get);
        let mut run = Self {
            plan,
            origin,
            limits,
            ready: Ready::new(queue, steps.len(), slots),
            unfinished: steps.len(),
            root_of: vec![None; steps.len()],
            rank_of,
            steps,
            step_of,
            views: plan.changes.iter().map(first_view).collect(),
            completed_at: vec![None; plan.changes.len()],
            standings: vec![None; plan.groups.len()],
            followers,
            providers,
            provider_of,
            looks: HashMap::new(),
            next_number: 0,
            interrupted: false,
            events: Vec::new(),
        };
        run.say_what_is_held_up();
        run.watch_what_moves();
        run
    }

    /// What has to be done now.
    pub(super) fn poll(&mut self, now: Moment) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.interrupted {
            return commands;
        }
        // A call can end a step without having been made, which lets others go: hence the loop.
        loop {
            while let Some(step) = self.ready.next() {
                self.begin(now, step);
                self.steps[step].turn_at = Some(now);
                self.steps[step].phase = Phase::Due;
                self.wait_for_call(step);
            }
            let unfinished = self.unfinished;
            self.call(now, &mut commands);
            if self.unfinished == unfinished {
                break;
            }
        }
        self.look(now, &mut commands);
        commands
    }

    /// When there will be something to do, if no answer comes before.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        if self.interrupted {
            return None;
        }
        let looks = self.providers.iter().filter_map(|provider| provider.poll.wake_at());
        let calls = self.providers.iter().flat_map(|provider| {
            let gates = [&provider.starts, &provider.stops].into_iter();
            gates.filter_map(Gate::opens_at).map(|opens_at| opens_at.max(provider.calls_wait_until))
        });
        looks.chain(calls).min()
    }

    /// Whether every step has ended.
    pub(super) fn is_over(&self) -> bool {
        self.unfinished == 0
    }

    /// What has happened since the last time.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// No new call from now on. Calls under way are awaited, everything else ends.
    pub(super) fn interrupt(&mut self, now: Moment) {
        self.interrupted = true;
        for step in 0..self.steps.len() {
            if !matches!(self.steps[step].phase, Phase::Ended | Phase::Calling) {
                self.leave(now, step);
            }
        }
    }

    /// The answer to a [`Command::Look`].
    pub(super) fn looked(&mut self, now: Moment, number: u64, answer: Result<Vec<Sighting>, Refusal>) {
        let Some(look) = self.looks.remove(&number) else { return };
        self.providers[look.provider].poll.came_back(&look.changes, answer.is_ok());
        match answer {
            Ok(sightings) => {
                self.providers[look.provider].look_refusal = None;
                let sightings: HashMap<&InstanceId, &Sighting> =
                    sightings.iter().map(|sighting| (&sighting.id, sighting)).collect();
                for change in look.changes {
                    let sighting = sightings.get(&self.plan.changes[change].key.id).copied();
                    self.see(now, look.asked_at, change, sighting);
                }
            }
            Err(refusal) => self.look_failed(now, &look, refusal),
        }
        self.unpark();
    }

    /// The answers to a [`Command::Start`] or [`Command::Stop`], one for each of its calls.
    pub(super) fn answered(&mut self, now: Moment, answers: Vec<(StepIndex, Result<Accepted, Refusal>)>) {
        if let Some((step, _)) = answers.first() {
            self.gate(*step).answered();
        }
        for (step, answer) in answers {
            match answer {
                Ok(accepted) => self.accepted(now, step, accepted),
                Err(refusal) => self.refused(now, step, refusal),
            }
            if self.interrupted && self.steps[step].phase != Phase::Ended {
                self.leave(now, step);
            }
        }
    }

    fn accepted(&mut self, now: Moment, step: StepIndex, accepted: Accepted) {
        self.gate(step).passed(now);
        let action = self.steps[step].call_action();
        let request_id = accepted.request_id.clone();
        self.say(now, EventKind::Accepted { change: self.steps[step].change, action, request_id });
        let turn = self.steps[step].accept(now, accepted.request_id);
        self.take_turn(now, step, turn);
    }

    fn refused(&mut self, now: Moment, step: StepIndex, refusal: Refusal) {
        let action = self.steps[step].call_action();
        match refusal.advice {
            Advice::Throttled { retry_after } => {
                if let Some(until) = self.gate(step).throttled(now, retry_after, &refusal) {
                    let until = until.saturating_sub(self.origin);
                    self.say(now, EventKind::Throttled { action, until });
                }
            }
            // It is not known whether it was let through.
            Advice::OutcomeUnknown => {}
            Advice::Final | Advice::Capacity | Advice::Busy { .. } | Advice::WrongStatus => {
                self.gate(step).passed(now);
            }
        }
        let turn = self.steps[step].refuse(now, refusal.clone());
        if let Turn::Look(_) = turn {
            let Step { change, sends, .. } = self.steps[step];
            self.say(now, EventKind::Retrying { change, action, refusal: refusal.clone(), sends });
        }
        self.steps[step].last_refusal = Some(refusal);
        self.take_turn(now, step, turn);
    }

    /// Instances behind a blocked one are skipped from the outset; the run says so for each, as for any other skip.
    fn say_what_is_held_up(&mut self) {
        for (position, change) in self.plan.changes.iter().enumerate() {
            if let Verdict::Blocked(Block::HeldUp { by, root }) = &change.verdict {
                let action = if change.goal == Some(Goal::Stopped) { Action::Stop } else { Action::Start };
                self.events.push(Event {
                    at: Duration::ZERO,
                    kind: EventKind::Skipped {
                        change: position,
                        action,
                        because: by.clone(),
                        root: root.clone(),
                    },
                });
            }
        }
    }

    fn watch_what_moves(&mut self) {
        for step in 0..self.steps.len() {
            if let Phase::Settling(watch) = &self.steps[step].phase {
                let watch = watch.clone();
                self.begin(self.origin, step);
                self.take_turn(self.origin, step, Turn::Poll(watch));
            }
        }
    }

    fn begin(&mut self, now: Moment, step: StepIndex) {
        if self.steps[step].began.is_none() {
            self.steps[step].began = Some(now);
            let Step { change, action, .. } = self.steps[step];
            self.say(now, EventKind::Began { change, action });
        }
    }

    /// What follows from an observation or an answer.
    fn take_turn(&mut self, now: Moment, step: StepIndex, turn: Turn) {
        let change = self.steps[step].change;
        match turn {
            Turn::Look(at) => self.want(change, at),
            Turn::Poll(watch) => {
                let next = next_look(now, watch.since, self.steps[step].expected);
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
                    self.ready.settle(step);
                }
            },
            Turn::Call | Turn::CallAgain => self.wait_for_call(step),
            Turn::Done(how) => self.complete(now, step, how),
            Turn::Fail(failure) => self.fail(now, step, failure),
        }
    }

    fn complete(&mut self, now: Moment, step: StepIndex, how: How) {
        let Step { change, action, ref phase, .. } = self.steps[step];
        let view = self.views[change].as_ref();
        let took = match (phase, how, view) {
            (Phase::Awaiting(watch), How::Called, Some(view)) => {
                Some(view.asked_at.saturating_sub(watch.since))
            }
            _ => None,
        };
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
        self.ready.finish(step);
    }

    /// Whether a stop by a call left the instance billed although it was asked not to be.
    fn is_unwanted(&self, step: StepIndex, how: How, mode: StoppedMode) -> bool {
        let wanted = matches!(
            self.steps[step].call,
            Some(Call::Stop { policy }) if policy.mode == StopMode::StopCharging
        );
        wanted && how == How::Called && mode == StoppedMode::KeepCharging
    }

    fn fail(&mut self, now: Moment, step: StepIndex, failure: Failure) {
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
        for skip in self.ready.fail(step) {
            if self.steps[skip.step].phase != Phase::Ended {
                self.skip(now, skip.step, skip.because);
            }
        }
    }

    fn skip(&mut self, now: Moment, step: StepIndex, because: StepIndex) {
        if self.steps[step].phase == Phase::Ended {
            // An interruption has ended it, and only then was the answer heard that it would be skipped for.
            return;
        }
        let root = self.root_of[because].unwrap_or(because);
        self.root_of[step] = Some(root);
        let address = |step: StepIndex| self.plan.changes[self.steps[step].change].address.clone();
        let Step { change, action, .. } = self.steps[step];
        let kind = EventKind::Skipped { change, action, because: address(because), root: address(root) };
        self.say(now, kind);
        self.end(step);
    }

    /// Ends a step that an interruption leaves as it is.
    fn leave(&mut self, now: Moment, step: StepIndex) {
        let Step { change, action, ref phase, .. } = self.steps[step];
        let in_transition = match phase {
            Phase::Settling(_) | Phase::Awaiting(_) => true,
            Phase::InDoubt(_) => self.steps[step].may_have_acted,
            Phase::Queued | Phase::Due | Phase::Calling | Phase::Ended => false,
        };
        self.say(now, EventKind::NotReached { change, action, in_transition });
        self.end(step);
    }

    fn end(&mut self, step: StepIndex) {
        let Step { change, .. } = self.steps[step];
        let rank = self.rank_of[step];
        self.gate(step).forget(rank, step);
        self.steps[step].phase = Phase::Ended;
        self.unfinished -= 1;
        self.providers[self.provider_of[change]].poll.forget(change);
    }

    fn elapsed(&self, now: Moment, step: StepIndex) -> Duration {
        self.steps[step].began.map_or(Duration::ZERO, |began| now.saturating_sub(began))
    }

    fn say(&mut self, now: Moment, kind: EventKind) {
        self.events.push(Event { at: now.saturating_sub(self.origin), kind });
    }
}

fn is_fresh(asked_at: Moment, now: Moment) -> bool {
    now.saturating_sub(asked_at) <= FRESH
}

/// The step that a change asks for, if it asks for one.
fn step_for(
    plan: &Plan,
    position: usize,
    change: &Change,
    origin: Moment,
    expected: Option<Duration>,
) -> Option<Step> {
    let timeouts = plan.groups[change.entry?.at()].timeouts;
    let (action, goal, call, phase) = match &change.verdict {
        Verdict::Start { once_stopped, init_local_disk } => {
            let phase = if *once_stopped {
                Phase::Settling(Watch::new(origin, timeouts.stop))
            } else {
                Phase::Queued
            };
            (Action::Start, Goal::Running, Some(Call::Start { init_local_disk: *init_local_disk }), phase)
        }
        Verdict::Stop { once_running, policy } => {
            let phase = if *once_running {
                Phase::Settling(Watch::new(origin, timeouts.start))
            } else {
                Phase::Queued
            };
            (Action::Stop, Goal::Stopped, Some(Call::Stop { policy: *policy }), phase)
        }
        Verdict::Wait { until, then } => {
            let timeout = if *until == Goal::Stopped { timeouts.stop } else { timeouts.start };
            let call = then.as_ref().map(|then| match then {
                Then::Start { init_local_disk } => Call::Start { init_local_disk: *init_local_disk },
                Then::Stop { policy } => Call::Stop { policy: *policy },
            });
            (Action::Wait, *until, call, Phase::Settling(Watch::new(origin, timeout)))
        }
        Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => return None,
    };
    Some(Step {
        change: position,
        action,
        goal,
        call,
        start_timeout: timeouts.start,
        stop_timeout: timeouts.stop,
        // An instance that set out before the run began has an unknown part of its way behind it.
        expected: expected.filter(|_| phase == Phase::Queued),
        phase,
        began: None,
        turn_at: None,
        sends: 0,
        may_have_acted: false,
        settled_at: None,
        request_id: None,
        last_refusal: None,
    })
}

fn first_view(change: &Change) -> Option<View> {
    let (power, stopped_mode) = match &change.seen {
        Seen::There(sighting) => (Some(sighting.power.clone()), sighting.stopped_mode),
        Seen::Absent => (None, StoppedMode::NotApplicable),
        Seen::NotSeen { .. } => return None,
    };
    Some(View { power, asked_at: Moment::ZERO, since: Moment::ZERO, has_changed: false, stopped_mode })
}

/// The providers of a plan, with gates for `most` calls at a time, and which of them each change belongs to.
fn providers(plan: &Plan, origin: Moment, most: usize) -> (Vec<Provider>, Vec<usize>) {
    let mut providers: Vec<Provider> = Vec::new();
    let mut known: BTreeMap<&ProviderAlias, usize> = BTreeMap::new();
    let mut provider_of = Vec::with_capacity(plan.changes.len());
    for change in &plan.changes {
        let alias = &change.key.provider;
        let provider = *known.entry(alias).or_insert_with(|| {
            providers.push(Provider {
                alias: alias.clone(),
                poll: Poll::new(origin),
                look_refusal: None,
                calls_wait_until: Moment::ZERO,
                starts: Gate::new(most),
                stops: Gate::new(most),
            });
            providers.len() - 1
        });
        provider_of.push(provider);
    }
    (providers, provider_of)
}
