//! One run of a plan as a plain data structure: it is told what happened and when, and says what to do next.
//!
//! Joins the queue, the steps and the poll. Nothing here waits, calls or reads a clock, so that whole runs can be
//! tried under a made-up clock in no time.

mod calls;
mod gate;
mod looks;
mod outset;
mod pace;
mod readying;
mod siblings;
mod turns;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::time::Duration;

use super::event::{Event, EventKind};
use super::poll::{Poll, Quota};
use super::ready::{Ready, StepIndex};
use super::step::{FRESH, Moment, Phase, Step, Turn, View};
use crate::cloud::{Accepted, Advice, Refusal, StartRequest, StopRequest};
use crate::fleet::{Address, InstanceId, ProviderAlias, Sighting};
use crate::plan::Plan;
use crate::probe::Attempt;
use gate::Gate;
use readying::Readying;
use siblings::Siblings;

/// What bounds a run.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// At most so many instances in transition; no limit if none.
    pub parallelism: Option<NonZeroUsize>,
    /// What bounds the calls of each provider; the default for those that are not named.
    pub calls: BTreeMap<ProviderAlias, CallBounds>,
    /// The account and region that each provider reaches, in whatever words: ECS counts the looks of those together
    /// that have the same. Those that are not named are counted by themselves.
    pub quotas: BTreeMap<ProviderAlias, String>,
}

impl Limits {
    /// Any number of instances in transition, and these bounds for the main provider.
    #[must_use]
    pub fn of_main(calls: CallBounds) -> Self {
        Self { calls: BTreeMap::from([(ProviderAlias::main(), calls)]), ..Self::default() }
    }
}

/// What bounds the calls of one provider.
#[derive(Debug, Clone, Copy)]
pub struct CallBounds {
    /// At most so many calls of one action under way.
    pub max_in_flight: NonZeroUsize,
    /// Where more than this are due at one moment, they travel together (StartInstances, StopInstances); 0: never.
    pub batch_above: usize,
}

impl Default for CallBounds {
    fn default() -> Self {
        let max_in_flight = NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN);
        Self { max_in_flight, batch_above: 10 }
    }
}

/// After a look that failed the next one waits: longer with each failure in a row.
const WAIT_FOR_LOOKS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(10),
];
/// So many failures in a row that nothing will mend, and those who wait for a look give up.
const HOPELESS: u32 = 3;
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
    /// Ask an instance whether it is ready; answer with [`Run::probed`].
    Probe { number: u64, attempt: Box<Attempt> },
}

/// A run.
#[derive(Debug)]
pub(super) struct Run<'p> {
    plan: &'p Plan,
    /// The run began so long after the look that the plan rests on.
    origin: Moment,
    steps: Vec<Step>,
    step_of: Vec<Option<StepIndex>>,
    /// Among calls that compete, the one with the longest remaining chain goes first.
    rank_of: Vec<Reverse<Duration>>,
    /// Where the failure began, for steps that were skipped.
    root_of: Vec<Option<Address>>,
    ready: Ready,
    views: Vec<Option<View>>,
    completed_at: Vec<Option<Moment>>,
    standings: Vec<Option<Standing>>,
    followers: Vec<Vec<usize>>,
    /// Of each group.
    siblings: Vec<Siblings>,
    providers: Vec<Provider>,
    provider_of: Vec<usize>,
    quotas: Vec<Quota>,
    looks: HashMap<u64, Look>,
    readying: Readying,
    /// When steps are to be dealt with that wait for time to pass.
    timers: BTreeSet<(Moment, StepIndex)>,
    next_number: u64,
    unfinished: usize,
    interrupted: bool,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Provider {
    alias: ProviderAlias,
    poll: Poll,
    looks_under_way: usize,
    /// Which of the run's quotas its looks are counted in.
    quota: usize,
    look_refusal: Option<Refusal>,
    /// After a failed look nothing is called, and so nothing is looked at for the sake of a call, before this.
    calls_wait_until: Moment,
    starts: Gate,
    stops: Gate,
    batch_above: usize,
}

impl Provider {
    /// Why looks there have been refused so often, and so finally, that nothing will mend it.
    fn hopeless(&self) -> Option<&Refusal> {
        let last = self.look_refusal.as_ref().filter(|refusal| refusal.advice == Advice::Final);
        last.filter(|_| self.poll.failures() >= HOPELESS)
    }
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
    /// Looks at it are refused for good.
    CannotBeSeen(Refusal),
}

impl Run<'_> {
    /// What has to be done now.
    pub(super) fn poll(&mut self, now: Moment) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.interrupted {
            return commands;
        }
        self.ring(now);
        // A call can end a step without having been made, which lets others go: hence the loop.
        loop {
            while let Some(step) = self.ready.next(now) {
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
        self.probe(now, &mut commands);
        commands
    }

    /// When there will be something to do, if no answer comes before.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        if self.interrupted {
            return None;
        }
        let looks =
            self.providers.iter().filter_map(|provider| provider.poll.wake_at(&self.quotas[provider.quota]));
        let calls = self.providers.iter().flat_map(|provider| {
            let gates = [&provider.starts, &provider.stops].into_iter();
            gates.filter_map(Gate::opens_at).map(|opens_at| opens_at.max(provider.calls_wait_until))
        });
        let timers = self.timers.first().map(|(at, _)| *at);
        let others = [timers, self.ready.wake_at(), self.readying.wake_at()].into_iter().flatten();
        looks.chain(calls).chain(others).min()
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
        self.say(now, EventKind::Interrupted);
        for step in 0..self.steps.len() {
            if !matches!(self.steps[step].phase, Phase::Ended | Phase::Calling) {
                self.leave(now, step);
            }
        }
    }

    /// The answer to a [`Command::Look`].
    pub(super) fn looked(&mut self, now: Moment, number: u64, answer: Result<Vec<Sighting>, Refusal>) {
        let Some(look) = self.looks.remove(&number) else { return };
        self.providers[look.provider].looks_under_way -= 1;
        self.providers[look.provider].poll.came_back(&look.changes, answer.is_ok());
        match answer {
            Ok(sightings) => {
                self.providers[look.provider].look_refusal = None;
                let sightings: HashMap<&InstanceId, &Sighting> =
                    sightings.iter().map(|sighting| (&sighting.id, sighting)).collect();
                let sent_for: Vec<StepIndex> = self.on_their_way(&look.changes);
                for change in look.changes {
                    let sighting = sightings.get(&self.plan.changes[change].key.id).copied();
                    self.see(now, look.asked_at, change, sighting);
                }
                self.refund(look.provider, &sent_for);
            }
            Err(refusal) => self.look_failed(now, &look, refusal),
        }
        self.unpark();
    }

    /// The answers to a [`Command::Start`] or [`Command::Stop`], one for each of its calls.
    pub(super) fn answered(&mut self, now: Moment, answers: Vec<(StepIndex, Result<Accepted, Refusal>)>) {
        if let Some((step, _)) = answers.first() {
            let (step, action) = (*step, self.steps[*step].call_action());
            if let Some(until) = self.gate(step).answered(now, &answers) {
                self.say(now, EventKind::Throttled { action, until: until.saturating_sub(self.origin) });
            }
        }
        let travelled_together = answers.len() > 1;
        for (step, answer) in answers {
            match answer {
                Ok(accepted) => self.accepted(now, step, accepted),
                Err(refusal) => {
                    let is_its_own =
                        !matches!(refusal.advice, Advice::Throttled { .. } | Advice::OutcomeUnknown);
                    self.steps[step].goes_alone |= travelled_together && is_its_own;
                    self.refused(now, step, refusal);
                }
            }
            if self.interrupted && self.steps[step].phase != Phase::Ended {
                self.leave(now, step);
            }
        }
    }

    fn accepted(&mut self, now: Moment, step: StepIndex, accepted: Accepted) {
        let action = self.steps[step].call_action();
        let request_id = accepted.request_id.clone();
        self.say(now, EventKind::Accepted { change: self.steps[step].change, action, request_id });
        let turn = self.steps[step].accept(now, accepted.request_id);
        self.take_turn(now, step, turn);
    }

    fn refused(&mut self, now: Moment, step: StepIndex, refusal: Refusal) {
        let action = self.steps[step].call_action();
        let turn = self.steps[step].refuse(now, refusal.clone());
        if let Turn::Look(_) = turn {
            let Step { change, sends, .. } = self.steps[step];
            self.say(now, EventKind::Retrying { change, action, refusal: refusal.clone(), sends });
        }
        self.steps[step].last_refusal = Some(refusal);
        self.take_turn(now, step, turn);
    }

    /// Deals with the steps whose time has come.
    fn ring(&mut self, now: Moment) {
        while let Some(&(at, step)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            match &self.steps[step].phase {
                Phase::OutOfStock(again) if *again <= now => {
                    self.steps[step].phase = Phase::Due;
                    // From now on it waits for its turn anew.
                    self.steps[step].turn_at = Some(now);
                    self.wait_for_call(step);
                }
                Phase::Readying(_) => self.ready_or_late(now, step),
                _ => {}
            }
        }
    }

    fn say(&mut self, now: Moment, kind: EventKind) {
        self.events.push(Event { at: now.saturating_sub(self.origin), kind });
    }
}

fn is_fresh(asked_at: Moment, now: Moment) -> bool {
    now.saturating_sub(asked_at) <= FRESH
}
