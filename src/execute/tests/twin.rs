//! A cloud in memory under a made-up clock, stricter than the real one, and a driver that plays a run against it.
//!
//! Strict: a call that ECS would refuse is refused, every call is logged with the true status of the whole fleet's
//! needs at that instant, and a second accepted start of a machine is counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::cloud::{Accepted, Advice, Refusal};
use crate::execute::event::{Event, EventKind};
use crate::execute::run::{Command, Limits, Run};
use crate::execute::{Action, Report};
use crate::fleet::{
    Actual, Desired, InstanceId, InstanceKey, Power, Probe, ProviderAlias, Region, Seen, Sighting,
    StoppedMode, Strength,
};
use crate::plan::{Change, Plan, plan};
use crate::probe::{Attempt, NotReady};

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What becomes of one call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    /// Refused with this, before anything is done.
    Refuse(Refusal),
    /// Done, and the answer lost.
    LoseAnswer,
    /// Lost on the way there.
    LoseRequest,
    /// Accepted, and then it hangs for ever.
    Hang,
    /// Accepted, and then it falls back.
    FallBack,
}

#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// Statuses from moments on, oldest first.
    phases: Vec<(Duration, Option<Power>)>,
    pub(super) takes: Duration,
    /// The fates of its next calls; when they are used up, calls succeed.
    pub(super) fates: Vec<Fate>,
    pub(super) accepted_starts: usize,
    pub(super) accepted_stops: usize,
    /// How it says that it is stopped, while it is.
    pub(super) stopped_mode: StoppedMode,
}

impl Machine {
    pub(super) fn new(power: Power, takes: Duration) -> Self {
        Self {
            phases: vec![(Duration::ZERO, Some(power))],
            takes,
            fates: Vec::new(),
            accepted_starts: 0,
            accepted_stops: 0,
            stopped_mode: StoppedMode::NotApplicable,
        }
    }

    pub(super) fn at(&self, now: Duration) -> Option<&Power> {
        let (_, power) = self.phases.iter().rev().find(|(from, _)| *from <= now)?;
        power.as_ref()
    }

    pub(super) fn set(&mut self, at: Duration, power: Option<Power>) {
        self.phases.retain(|(from, _)| *from < at);
        self.phases.push((at, power));
    }

    fn act(&mut self, now: Duration, action: Action, fate: Option<&Fate>) {
        let (from, way, to) = match action {
            Action::Stop => (Power::Running, Power::Stopping, Power::Stopped),
            _ => (Power::Stopped, Power::Starting, Power::Running),
        };
        self.set(now, Some(way));
        match fate {
            Some(Fate::Hang) => {}
            Some(Fate::FallBack) => self.phases.push((now + self.takes, Some(from))),
            _ => self.phases.push((now + self.takes, Some(to))),
        }
    }
}

/// One call that was accepted, or refused.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    pub(super) at: Duration,
    pub(super) action: Action,
    pub(super) id: InstanceId,
    pub(super) accepted: bool,
    /// Hard needs (for a start) or dependents (for a stop) that were not as they have to be at that instant.
    pub(super) out_of_order: Vec<String>,
}

/// A span in which looks fail.
#[derive(Debug, Clone)]
pub(super) struct Blind {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) advice: Advice,
    /// Only looks at this provider's instances.
    pub(super) provider: Option<ProviderAlias>,
}

impl Blind {
    /// No look at anything gets an answer.
    pub(super) fn between(from: Duration, to: Duration) -> Self {
        Self { from, to, advice: Advice::OutcomeUnknown, provider: None }
    }

    fn covers(&self, now: Duration, provider: &ProviderAlias) -> bool {
        self.from <= now && now < self.to && self.provider.as_ref().is_none_or(|only| only == provider)
    }
}

/// What becomes of probes.
#[derive(Debug, Clone)]
pub(super) enum Answers {
    /// They pass from this moment on, and not before it.
    PassFrom(Duration),
    /// They pass and fail in turns of so long, and pass at first.
    Flap(Duration),
    /// TCP probes never answer within their time; others pass.
    TcpHangs,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Twin {
    pub(super) machines: BTreeMap<InstanceId, Machine>,
    /// How long reads show what was before.
    pub(super) lag: Duration,
    /// A call or a look takes so long, half of it on the way there.
    pub(super) latency: Duration,
    /// Answers to looks take up to so much longer, each another part of it.
    pub(super) look_jitter: Duration,
    /// When looks fail.
    pub(super) blind: Vec<Blind>,
    pub(super) log: Vec<Logged>,
    pub(super) looks: Vec<(Duration, usize)>,
    /// Calls in these spans are refused because too many come.
    pub(super) throttled: Vec<(Duration, Duration)>,
    /// When calls were refused because too many came.
    pub(super) refused: Vec<Duration>,
    /// How many calls each request held.
    pub(super) requests: Vec<usize>,
    /// What becomes of the probes of an instance; those that are not named pass.
    pub(super) probes: HashMap<InstanceId, Answers>,
    /// The attempts that were made: when, of which, and with how much time.
    pub(super) attempts: Vec<(Duration, InstanceId, Probe, Duration)>,
    /// Instances and goals that each call must find met.
    order: HashMap<(Action, InstanceId), Vec<(InstanceId, Power)>>,
}

impl Twin {
    pub(super) fn sightings(&self, now: Duration, ids: &[InstanceId]) -> Vec<Sighting> {
        let then = now.saturating_sub(self.lag);
        ids.iter()
            .filter_map(|id| {
                let machine = self.machines.get(id)?;
                let mut sighting = Sighting::plain(id.clone(), machine.at(then)?.clone());
                if sighting.power == Power::Stopped {
                    sighting.stopped_mode = machine.stopped_mode;
                }
                Some(sighting)
            })
            .collect()
    }

    /// Answers a probe: when, and how.
    fn probe(&mut self, now: Duration, attempt: Attempt) -> (Duration, Result<(), NotReady>) {
        let Attempt { subject, probe, timeout } = attempt;
        let id = subject.key.id;
        let is_tcp = matches!(probe, Probe::Tcp { .. });
        self.attempts.push((now, id.clone(), probe, timeout));
        let no = |answer: &str| Err(NotReady { answer: answer.to_owned() });
        let back = now + self.latency / 2;
        match self.probes.get(&id) {
            Some(Answers::TcpHangs) if is_tcp => (now + timeout, no("no answer")),
            Some(Answers::PassFrom(from)) if now < *from => (back, no("connection refused")),
            Some(Answers::Flap(turn)) if now.as_millis() / turn.as_millis() % 2 == 1 => (back, no("503")),
            Some(_) | None => (back, Ok(())),
        }
    }

    /// Looks at everything.
    pub(super) fn actual(&self, desired: &Desired, now: Duration) -> Actual {
        let mut instances = HashMap::new();
        for entry in &desired.entries {
            for id in entry.ids() {
                let key = InstanceKey { provider: entry.provider.clone(), id: id.clone() };
                let seen = self
                    .sightings(now, std::slice::from_ref(id))
                    .pop()
                    .map_or(Seen::Absent, |sighting| Seen::There(Arc::new(sighting)));
                instances.insert(key, seen);
            }
        }
        let region = Region::new("cn-hangzhou").expect("valid");
        let regions = BTreeMap::from([(ProviderAlias::main(), region)]);
        Actual { regions, instances, ..Actual::new(Timestamp::UNIX_EPOCH) }
    }

    /// Learns what each call must find met.
    pub(super) fn learn(&mut self, desired: &Desired) {
        for entry in &desired.entries {
            for need in entry.needs.iter().filter(|need| need.strength == Strength::Hard) {
                let needed = &desired.entries[need.entry.at()];
                for id in entry.ids() {
                    for other in needed.ids() {
                        self.order
                            .entry((Action::Start, id.clone()))
                            .or_default()
                            .push((other.clone(), Power::Running));
                        self.order
                            .entry((Action::Stop, other.clone()))
                            .or_default()
                            .push((id.clone(), Power::Stopped));
                    }
                }
            }
        }
    }

    fn call(&mut self, now: Duration, action: Action, id: &InstanceId) -> Result<Accepted, Refusal> {
        if self.throttled.iter().any(|(from, to)| *from <= now && now < *to) {
            self.refused.push(now);
            return Err(Refusal::new(Advice::Throttled { retry_after: None }, "Throttling.User"));
        }
        let out_of_order = self
            .order
            .get(&(action, id.clone()))
            .into_iter()
            .flatten()
            .filter(|(other, power)| self.machines.get(other).and_then(|m| m.at(now)) != Some(power))
            .map(|(other, power)| format!("{other} is not {power}"))
            .collect();
        let needed = if action == Action::Stop { Power::Running } else { Power::Stopped };
        let Some(machine) = self.machines.get_mut(id) else {
            return Err(Refusal::new(Advice::Final, "InvalidInstanceId.NotFound"));
        };
        let fate = (!machine.fates.is_empty()).then(|| machine.fates.remove(0));
        let reached = !matches!(fate, Some(Fate::LoseRequest | Fate::Refuse(_)));
        let fits = machine.at(now) == Some(&needed);
        let accepted = reached && fits;
        if accepted {
            machine.act(now, action, fate.as_ref());
            if action == Action::Stop {
                machine.accepted_stops += 1;
            } else {
                machine.accepted_starts += 1;
            }
        }
        self.log.push(Logged { at: now, action, id: id.clone(), accepted, out_of_order });
        match fate {
            Some(Fate::Refuse(refusal)) => Err(refusal),
            Some(Fate::LoseRequest | Fate::LoseAnswer) => {
                Err(Refusal::new(Advice::OutcomeUnknown, "the connection broke"))
            }
            _ if !fits => Err(Refusal::new(Advice::WrongStatus, "IncorrectInstanceStatus")),
            _ => Ok(Accepted { request_id: Some(format!("request-{}", self.log.len())) }),
        }
    }
}

/// What a run was like.
pub(super) struct Played {
    pub(super) report: Report,
    pub(super) events: Vec<Event>,
    pub(super) twin: Twin,
    /// When the last step ended, since the run began.
    pub(super) ended_at: Duration,
}

enum Pending {
    Reach(Command),
    ProbeBack(u64, Result<(), NotReady>),
    LookBack(u64, Result<Vec<Sighting>, Refusal>),
    CallBack(Vec<(usize, Result<Accepted, Refusal>)>),
}

type Expected<'a> = dyn Fn(&Change) -> Option<Duration> + 'a;

/// How a run is played.
#[derive(Default)]
pub(super) struct Play<'a> {
    pub(super) limits: Limits,
    pub(super) age: Duration,
    pub(super) expected: Option<&'a Expected<'a>>,
    pub(super) interrupt_at: Option<Duration>,
    /// Someone else's clicks: moments since the look, instances, and what they become.
    pub(super) clicks: Vec<(Duration, InstanceId, Option<Power>)>,
}

/// Plays a whole run. Panics if it does not end within a simulated day or a million turns.
pub(super) fn play(plan: &Plan, mut twin: Twin, play: &Play<'_>) -> Played {
    let expected = |change: &Change| play.expected.and_then(|expected| expected(change));
    let mut run = Run::new(plan, play.age, &play.limits, expected);
    let mut now = play.age;
    let mut pending: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let mut work: HashMap<usize, Pending> = HashMap::new();
    let mut next = 0;
    let mut push = |pending: &mut BinaryHeap<_>, work: &mut HashMap<_, _>, at: Duration, what: Pending| {
        pending.push(Reverse((at, next)));
        work.insert(next, what);
        next += 1;
    };
    let mut report = Report::default();
    let mut events = Vec::new();
    let mut clicks = play.clicks.clone();
    clicks.sort_by_key(|(at, _, _)| *at);
    let mut interrupt_at = play.interrupt_at;
    for turn in 0.. {
        assert!(turn < 1_000_000 && now < secs(100 * 3600), "the run does not end: {now:?}");
        while clicks.first().is_some_and(|(at, _, _)| *at <= now) {
            let (at, id, power) = clicks.remove(0);
            if let Some(machine) = twin.machines.get_mut(&id) {
                machine.set(at, power);
            }
        }
        if interrupt_at.is_some_and(|at| at <= now) {
            interrupt_at = None;
            run.interrupt(now);
        }
        for command in run.poll(now) {
            push(&mut pending, &mut work, now + twin.latency / 2, Pending::Reach(command));
        }
        for event in run.take_events() {
            report.hear(&event);
            events.push(event);
        }
        if run.is_over() {
            break;
        }
        let answer = pending.peek().map(|Reverse((at, _))| *at);
        let click = clicks.first().map(|(at, _, _)| *at);
        now = [answer, run.wake_at(), interrupt_at, click]
            .into_iter()
            .flatten()
            .min()
            .expect("a run that is not over waits for something")
            .max(now);
        while pending.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, number))) = pending.pop() else { break };
            let back = now + twin.latency / 2;
            match work.remove(&number).expect("known") {
                Pending::Reach(Command::Look { number, provider, ids }) => {
                    assert!(ids.len() <= 100, "a look at {} instances", ids.len());
                    twin.looks.push((now, ids.len()));
                    let answer = match twin.blind.iter().find(|blind| blind.covers(now, &provider)) {
                        Some(blind) => Err(Refusal::new(blind.advice, "nothing to be seen")),
                        None => Ok(twin.sightings(now, &ids)),
                    };
                    let later = twin.look_jitter * (u32::try_from(twin.looks.len()).expect("few") % 5) / 4;
                    push(&mut pending, &mut work, back + later, Pending::LookBack(number, answer));
                }
                Pending::Reach(Command::Start { calls, .. }) => {
                    twin.requests.push(calls.len());
                    let answers = calls
                        .iter()
                        .map(|(step, request)| (*step, twin.call(now, Action::Start, &request.id)));
                    let answers = answers.collect();
                    push(&mut pending, &mut work, back, Pending::CallBack(answers));
                }
                Pending::Reach(Command::Stop { calls, .. }) => {
                    twin.requests.push(calls.len());
                    let answers = calls
                        .iter()
                        .map(|(step, request)| (*step, twin.call(now, Action::Stop, &request.id)));
                    let answers = answers.collect();
                    push(&mut pending, &mut work, back, Pending::CallBack(answers));
                }
                Pending::Reach(Command::Probe { number, attempt }) => {
                    let (at, answer) = twin.probe(now, *attempt);
                    push(&mut pending, &mut work, at, Pending::ProbeBack(number, answer));
                }
                Pending::ProbeBack(number, answer) => run.probed(now, number, answer),
                Pending::LookBack(number, answer) => run.looked(now, number, answer),
                Pending::CallBack(answers) => run.answered(now, answers),
            }
        }
    }
    Played { report, events, twin, ended_at: now - play.age }
}

/// A fleet whose machines are all in one status, and the plan for it.
pub(super) fn fleet(desired: &Desired, power: &Power, takes: Duration) -> Twin {
    let mut twin = Twin { latency: ms(50), ..Twin::default() };
    for entry in &desired.entries {
        for id in entry.ids() {
            twin.machines.insert(id.clone(), Machine::new(power.clone(), takes));
        }
    }
    twin.learn(desired);
    twin
}

pub(super) fn plan_for(desired: &Desired, twin: &Twin) -> Plan {
    plan(desired, None, &twin.actual(desired, Duration::ZERO)).expect("no cycle")
}

pub(super) fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

/// The events of one instance, without their times, as short words.
pub(super) fn story(plan: &Plan, events: &[Event], address: &str) -> Vec<String> {
    let is_it = |change: usize| plan.changes[change].address.to_string() == address;
    events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Began { change, action } if is_it(*change) => Some(format!("began {}", action.word())),
            EventKind::Accepted { change, .. } if is_it(*change) => Some("accepted".to_owned()),
            EventKind::Retrying { change, sends, .. } if is_it(*change) => {
                Some(format!("in doubt after {sends}"))
            }
            EventKind::OutOfStock { change, .. } if is_it(*change) => Some("no stock".to_owned()),
            EventKind::Readying { change, probe, answer } if is_it(*change) => Some(match (probe, answer) {
                (None, _) => "up, delayed".to_owned(),
                (Some(_), None) => "up, probed".to_owned(),
                (Some(_), Some(answer)) => format!("up: {answer}"),
            }),
            EventKind::Moved { change, power } if is_it(*change) => {
                Some(power.as_ref().map_or_else(|| "not visible".to_owned(), |power| format!("seen {power}")))
            }
            EventKind::Completed { change, how, .. } if is_it(*change) => Some(format!("done {how:?}")),
            EventKind::Failed { change, failure, .. } if is_it(*change) => {
                let words = format!("{failure:?}");
                let end = words.find([' ', '(', '{']).unwrap_or(words.len());
                Some(format!("failed {}", &words[..end]))
            }
            EventKind::Skipped { change, because, .. } if is_it(*change) => {
                Some(format!("skipped because of {because}"))
            }
            EventKind::NotReached { change, in_transition, .. } if is_it(*change) => {
                Some(format!("not reached, in transition: {in_transition}"))
            }
            _ => None,
        })
        .collect()
}
