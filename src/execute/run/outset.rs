//! How a run is made from a plan: its steps, its queue, and what is known of every instance at the outset.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::time::Duration;

use super::readying::Readying;
use super::{Gate, Limits, Provider, Run, Siblings};
use crate::execute::event::{Action, Event, EventKind, How};
use crate::execute::poll::{Poll, Quota};
use crate::execute::ready::{Ready, ReadyGroup, ReadyStage};
use crate::execute::step::{Moment, Phase, Step, Turn, View, Watch};
use crate::fleet::{Goal, Power, ProviderAlias, Seen, StoppedMode};
use crate::plan::{Block, Change, Plan, Sequence, Then, Verdict, remaining_chains};

/// What a step is taken to last for the sake of order, if nobody knows: some boot. Only its relation to known
/// durations matters.
const UNKNOWN_DURATION: Duration = Duration::from_secs(30);

impl<'p> Run<'p> {
    /// `origin` is the age of the look that the plan rests on; `expected` says what an instance's change is expected
    /// to take.
    pub(in crate::execute) fn new(
        plan: &'p Plan,
        origin: Moment,
        limits: &Limits,
        expected: impl Fn(&Change) -> Option<Duration>,
    ) -> Self {
        let mut steps = Vec::new();
        let mut step_of = vec![None; plan.changes.len()];
        let is_probed = plan.groups_that_starts_need();
        for (position, change) in plan.changes.iter().enumerate() {
            let step = step_for(plan, position, change, origin, expected(change));
            if let Some(step) = step.or_else(|| step_to_probe(plan, position, change, origin, &is_probed)) {
                step_of[position] = Some(steps.len());
                steps.push(step);
            }
        }
        let takes = |step: &Step| match step.phase {
            // It is up.
            Phase::Readying(_) => Duration::ZERO,
            _ => step.expected.unwrap_or(UNKNOWN_DURATION),
        };
        let chains = remaining_chains(&plan.groups, |group| {
            let own = group.changes.iter().filter_map(|change| step_of[*change]);
            own.map(|step| takes(&steps[step])).max().unwrap_or_default()
        });
        let mut followers = vec![Vec::new(); plan.groups.len()];
        let mut rank_of = vec![Reverse(Duration::ZERO); steps.len()];
        let mut queue = Vec::with_capacity(plan.groups.len());
        for (index, group) in plan.groups.iter().enumerate() {
            for after in &group.after {
                followers[after.group.at()].push(index);
            }
            for step in group.changes.iter().filter_map(|change| step_of[*change]) {
                rank_of[step] = Reverse(chains[index]);
            }
            let stage = |changes: &[usize], is_listed: bool| {
                let mut stage = ReadyStage::default();
                for step in changes.iter().filter_map(|change| step_of[*change]) {
                    match steps[step].phase {
                        Phase::Queued => stage.steps.push(step),
                        Phase::Readying(_) => stage.probed.push(step),
                        _ => stage.moving.push(step),
                    }
                }
                if !is_listed {
                    stage.steps.sort_by_key(|step| Reverse(takes(&steps[*step])));
                }
                stage
            };
            queue.push(ReadyGroup {
                after: group.after.iter().map(|after| (after.group.at(), after.strength)).collect(),
                stages: match &group.sequence {
                    Some(Sequence::ByZone(zones)) => zones.iter().map(|zone| stage(zone, false)).collect(),
                    Some(Sequence::AsListed(listed)) => vec![stage(listed, true)],
                    None => vec![stage(&group.changes, false)],
                },
                at_once: group.at_once.map(|at_once| at_once.get() as usize),
                pause: group.pause,
                on_failure: group.on_failure,
                chain: chains[index],
            });
        }
        let siblings = plan.groups.iter().map(|group| {
            let own = group.changes.iter().filter_map(|change| step_of[*change]);
            Siblings::new(own.filter_map(|step| steps[step].expected))
        });
        let siblings = siblings.collect();
        let (providers, provider_of, quotas) = providers(plan, origin, limits);
        let slots = limits.parallelism.map(NonZeroUsize::get);
        let mut run = Self {
            plan,
            origin,
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
            siblings,
            providers,
            provider_of,
            quotas,
            looks: HashMap::new(),
            readying: Readying::default(),
            timers: BTreeSet::new(),
            next_number: 0,
            interrupted: false,
            events: Vec::new(),
        };
        run.say_what_is_held_up();
        run.watch_what_moves();
        run.probe_what_runs();
        run
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

    fn probe_what_runs(&mut self) {
        for step in 0..self.steps.len() {
            if matches!(self.steps[step].phase, Phase::Readying(_))
                && let Some(readiness) = self.readiness_of(step)
            {
                self.ready_up(self.origin, step, How::Ready, None, readiness);
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
}

/// The step of an instance that runs, as it shall, and has to show that it is ready before others are started.
fn step_to_probe(
    plan: &Plan,
    position: usize,
    change: &Change,
    origin: Moment,
    is_probed: &[bool],
) -> Option<Step> {
    let entry = change.entry.filter(|entry| is_probed[entry.at()])?;
    let group = &plan.groups[entry.at()];
    let runs = matches!(change.verdict, Verdict::InSync | Verdict::Any)
        && change.seen.power() == Some(&Power::Running)
        && group.goal != Goal::Stopped;
    let phase = Phase::Readying(Watch::new(origin, group.timeouts.ready));
    runs.then(|| Step::new(position, Action::Wait, Goal::Running, phase, group))
}

/// The step that a change asks for, if it asks for one.
fn step_for(
    plan: &Plan,
    position: usize,
    change: &Change,
    origin: Moment,
    expected: Option<Duration>,
) -> Option<Step> {
    let group = &plan.groups[change.entry?.at()];
    let timeouts = group.timeouts;
    let (action, goal, phase) = match &change.verdict {
        Verdict::Start { once_stopped, .. } => {
            let phase = if *once_stopped {
                Phase::Settling(Watch::new(origin, timeouts.stop))
            } else {
                Phase::Queued
            };
            (Action::Start, Goal::Running, phase)
        }
        Verdict::Stop { once_running, .. } => {
            let phase = if *once_running {
                Phase::Settling(Watch::new(origin, timeouts.start))
            } else {
                Phase::Queued
            };
            (Action::Stop, Goal::Stopped, phase)
        }
        Verdict::Wait { until, .. } => {
            let timeout = if *until == Goal::Stopped { timeouts.stop } else { timeouts.start };
            (Action::Wait, *until, Phase::Settling(Watch::new(origin, timeout)))
        }
        Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => return None,
    };
    let blocked = match &change.verdict {
        Verdict::Wait { then: Some(Then::Blocked(block)), .. } => Some(block.clone()),
        _ => None,
    };
    // An instance that set out before the run began has an unknown part of its way behind it.
    let expected = expected.filter(|_| phase == Phase::Queued);
    let step = Step::new(position, action, goal, phase, group);
    Some(Step { blocked, call: change.verdict.request(), expected, ..step })
}

fn first_view(change: &Change) -> Option<View> {
    let sighting = match &change.seen {
        Seen::There(sighting) => Some(sighting),
        Seen::Absent => None,
        Seen::NotSeen { .. } => return None,
    };
    let never = Moment::ZERO;
    Some(View {
        power: sighting.map(|sighting| sighting.power.clone()),
        asked_at: never,
        since: never,
        has_changed: false,
        otherwise_at: never,
        stopped_mode: sighting.map_or(StoppedMode::NotApplicable, |sighting| sighting.stopped_mode),
        private_address: sighting.and_then(|sighting| sighting.private_address),
        public_address: sighting.and_then(|sighting| sighting.public_address),
    })
}

/// The providers of a plan, with gates for as many calls at a time as are allowed, which of them each change belongs
/// to, and the quotas of their looks.
fn providers(plan: &Plan, origin: Moment, limits: &Limits) -> (Vec<Provider>, Vec<usize>, Vec<Quota>) {
    let mut providers: Vec<Provider> = Vec::new();
    let mut quotas: Vec<Quota> = Vec::new();
    let mut quota_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut known: BTreeMap<&ProviderAlias, usize> = BTreeMap::new();
    let mut provider_of = Vec::with_capacity(plan.changes.len());
    for change in &plan.changes {
        let alias = &change.key.provider;
        let provider = *known.entry(alias).or_insert_with(|| {
            let bounds = limits.calls.get(alias).copied().unwrap_or_default();
            let most = bounds.max_in_flight.get();
            let mut new_quota = || {
                quotas.push(Quota::new(origin));
                quotas.len() - 1
            };
            let quota = match limits.quotas.get(alias) {
                Some(name) => *quota_of.entry(name).or_insert_with(new_quota),
                None => new_quota(),
            };
            providers.push(Provider {
                alias: alias.clone(),
                poll: Poll::default(),
                looks_under_way: 0,
                quota,
                look_refusal: None,
                calls_wait_until: Moment::ZERO,
                starts: Gate::new(most, bounds.batch_above > 0),
                stops: Gate::new(most, bounds.batch_above > 0),
                batch_above: bounds.batch_above,
            });
            providers.len() - 1
        });
        provider_of.push(provider);
    }
    (providers, provider_of, quotas)
}
