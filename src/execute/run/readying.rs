//! Instances that are up and have yet to show that they are ready: what is asked of them and when.
//!
//! Every probe goes by itself: one that hangs or fails holds up no other. An instance is ready once the latest answer of
//! each of its probes is a pass, and its delay is over.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::{Command, Run};
use crate::execute::event::{EventKind, Failure, How};
use crate::execute::ready::StepIndex;
use crate::execute::step::{Moment, Phase, View, WHILE_READYING, Watch};
use crate::fleet::{Goal, Readiness};
use crate::probe::{Attempt, NotReady, Subject};

/// At most so many attempts are under way at one time: each may hold a socket.
const MOST: usize = 256;
/// An attempt has ended after so long, whatever happens.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(10);
/// A probe that has passed is asked once more when the others have, if that is longer ago than so many of its intervals.
const STALE: u32 = 3;

/// What is asked, and of whom.
#[derive(Debug, Default)]
pub(super) struct Readying {
    waiting: HashMap<StepIndex, Waiting>,
    due: BTreeSet<Due>,
    /// The attempts under way.
    out: HashMap<u64, (StepIndex, usize)>,
}

/// When a probe is to be tried. Of those that are due together, the one goes first on which the longest chain waits.
type Due = (Moment, Reverse<Duration>, StepIndex, usize);

/// One instance.
#[derive(Debug)]
struct Waiting {
    readiness: Arc<Readiness>,
    how: How,
    took: Option<Duration>,
    deadline: Moment,
    within: Duration,
    probes: Vec<Asked>,
    /// All probes have passed: it is ready then.
    delay_until: Option<Moment>,
    said: Option<Said>,
}

/// What was said last: of which probe, and its answer.
type Said = (Option<usize>, Option<String>);

/// One probe of one instance.
#[derive(Debug, Default)]
struct Asked {
    passed_at: Option<Moment>,
    answer: Option<String>,
    due: Option<Moment>,
}

impl Waiting {
    /// The first probe whose latest answer is not a pass.
    fn open(&self) -> Option<usize> {
        self.probes.iter().position(|asked| asked.passed_at.is_none())
    }
}

impl Readying {
    /// When an attempt is to be made.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        self.due.first().map(|(at, ..)| *at).filter(|_| self.out.len() < MOST)
    }

    /// Whether attempts are under way.
    pub(super) fn is_asking(&self) -> bool {
        !self.out.is_empty()
    }

    /// Nothing more is asked of an instance.
    pub(super) fn forget(&mut self, step: StepIndex) {
        if let Some(waiting) = self.waiting.remove(&step)
            && waiting.probes.iter().any(|asked| asked.due.is_some())
        {
            self.due.retain(|(_, _, other, _)| *other != step);
        }
    }

    fn plan(&mut self, at: Moment, rank: Reverse<Duration>, step: StepIndex, probe: usize) {
        if let Some(waiting) = self.waiting.get_mut(&step) {
            waiting.probes[probe].due = Some(at);
            self.due.insert((at, rank, step, probe));
        }
    }
}

impl Run<'_> {
    /// What the instance of a step has to show once it is up, if anything.
    pub(super) fn readiness_of(&self, step: StepIndex) -> Option<Arc<Readiness>> {
        let group = self.plan.changes[self.steps[step].change].entry?;
        let readiness = self.plan.groups[group.at()].readiness.as_ref()?;
        (self.steps[step].goal == Goal::Running).then(|| Arc::clone(readiness))
    }

    /// The instance is up: from now on it is asked whether it is ready.
    pub(super) fn ready_up(
        &mut self,
        now: Moment,
        step: StepIndex,
        how: How,
        took: Option<Duration>,
        readiness: Arc<Readiness>,
    ) {
        self.begin(now, step);
        let change = self.steps[step].change;
        let group = self.plan.changes[change].entry.map(|entry| &self.plan.groups[entry.at()]);
        let within = readiness.within.or_else(|| Some(group?.timeouts.ready)).unwrap_or_default();
        let deadline = now.saturating_add(within);
        self.steps[step].phase = Phase::Readying(Watch::new(now, within));
        self.timers.insert((deadline, step));
        self.want(change, now + WHILE_READYING);
        let probes = readiness.probes.iter().map(|_| Asked::default()).collect();
        let waiting =
            Waiting { readiness, how, took, deadline, within, probes, delay_until: None, said: None };
        let number = waiting.probes.len();
        self.readying.waiting.insert(step, waiting);
        let rank = self.rank_of[step];
        for probe in 0..number {
            self.readying.plan(now, rank, step, probe);
        }
        self.ready_or_late(now, step);
    }

    /// Makes the attempts that are due.
    pub(super) fn probe(&mut self, now: Moment, commands: &mut Vec<Command>) {
        while self.readying.out.len() < MOST
            && let Some(&(at, rank, step, probe)) = self.readying.due.first()
            && at <= now
        {
            self.readying.due.remove(&(at, rank, step, probe));
            let subject = self.subject(step);
            let Some(waiting) = self.readying.waiting.get_mut(&step) else { continue };
            waiting.probes[probe].due = None;
            let timeout = LONGEST_ATTEMPT.min(waiting.deadline.saturating_sub(now));
            if timeout.is_zero() {
                continue;
            }
            let number = self.next_number;
            self.next_number += 1;
            let attempt = Attempt { subject, probe: waiting.readiness.probes[probe].clone(), timeout };
            self.readying.out.insert(number, (step, probe));
            commands.push(Command::Probe { number, attempt: Box::new(attempt) });
        }
    }

    /// The answer to a [`Command::Probe`].
    pub(in crate::execute) fn probed(&mut self, now: Moment, number: u64, answer: Result<(), NotReady>) {
        let Some((step, probe)) = self.readying.out.remove(&number) else { return };
        let Some(waiting) = self.readying.waiting.get_mut(&step) else { return };
        let every = waiting.readiness.every;
        let asked = &mut waiting.probes[probe];
        match answer {
            Ok(()) => {
                asked.passed_at = Some(now);
                asked.answer = None;
            }
            Err(NotReady { answer }) => {
                asked.passed_at = None;
                asked.answer = Some(answer);
                let rank = self.rank_of[step];
                self.readying.plan(now + every, rank, step, probe);
            }
        }
        self.ready_or_late(now, step);
    }

    /// Looks whether an instance is ready, or will not be any more in its time.
    pub(super) fn ready_or_late(&mut self, now: Moment, step: StepIndex) {
        let Some(waiting) = self.readying.waiting.get_mut(&step) else { return };
        if let Some(at) = waiting.delay_until {
            if now >= at {
                let (how, took) = (waiting.how, waiting.took);
                self.complete(now, step, how, took);
            }
            return;
        }
        match waiting.open() {
            Some(open) if now >= waiting.deadline => {
                let probe = waiting.readiness.probes[open].clone();
                let answer = waiting.probes[open].answer.clone();
                let within = waiting.within;
                self.fail(now, step, Failure::NotReady { probe, answer, within });
                return;
            }
            Some(_) => {}
            None => {
                let old = waiting.readiness.every.saturating_mul(STALE);
                let is_stale = |asked: &Asked| asked.passed_at.is_some_and(|at| now > at.saturating_add(old));
                let stale: Vec<usize> = (0..waiting.probes.len())
                    .filter(|probe| now < waiting.deadline && is_stale(&waiting.probes[*probe]))
                    .collect();
                if stale.is_empty() {
                    let at = now.saturating_add(waiting.readiness.delay);
                    waiting.delay_until = Some(at);
                    if at <= now {
                        return self.ready_or_late(now, step);
                    }
                    self.timers.insert((at, step));
                } else {
                    let rank = self.rank_of[step];
                    for probe in stale {
                        if let Some(waiting) = self.readying.waiting.get_mut(&step) {
                            waiting.probes[probe].passed_at = None;
                        }
                        self.readying.plan(now, rank, step, probe);
                    }
                }
            }
        }
        self.say_readying(now, step);
    }

    /// Says what is waited for, unless that has been said.
    fn say_readying(&mut self, now: Moment, step: StepIndex) {
        let Some(waiting) = self.readying.waiting.get_mut(&step) else { return };
        let open = waiting.open();
        let answer = open.and_then(|open| waiting.probes[open].answer.clone());
        let said: Said = (open, answer.clone());
        if waiting.said.as_ref() != Some(&said) {
            waiting.said = Some(said);
            let probe = open.map(|open| waiting.readiness.probes[open].clone());
            let change = self.steps[step].change;
            self.say(now, EventKind::Readying { change, probe, answer });
        }
    }

    fn subject(&self, step: StepIndex) -> Subject {
        let position = self.steps[step].change;
        let change = &self.plan.changes[position];
        let view = self.views[position].as_ref();
        Subject {
            address: change.address.clone(),
            key: change.key.clone(),
            region: change.region.clone(),
            name: change.seen.sighting().map(|sighting| sighting.name.clone()).unwrap_or_default(),
            private_address: view.and_then(|view: &View| view.private_address),
            public_address: view.and_then(|view| view.public_address),
        }
    }
}
