//! Random fleets whose entries wait to be ready, take turns and run out of stock: laws that hold for every run.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::sketch::Sketch;
use super::twin::{Answers, Fate, Machine, Play, Played, fleet, plan_for, play, secs};
use crate::cloud::{Advice, Refusal};
use crate::execute::event::{EventKind, Failure};
use crate::execute::{CallBounds, Limits, Outcome};
use crate::fleet::{AtOnce, Goal, OnFailure, OnNoStock, Power, Probe, ProbeAddress, Readiness, Strength};
use crate::plan::{Plan, Sequence, Verdict};

/// How long an instance may take to be ready.
const WITHIN: Duration = Duration::from_secs(40);
/// How long a missing stock is asked for.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
struct EntryCase {
    machines: Vec<MachineCase>,
    needs: Vec<bool>,
    at_once: Option<u32>,
    pause: u64,
    zones: usize,
    stops: bool,
    is_patient: bool,
    /// How many of the two probes it has, and whether a delay follows; none for no readiness.
    readiness: Option<(usize, bool)>,
}

#[derive(Debug, Clone)]
struct MachineCase {
    runs: bool,
    takes: u64,
    /// Calls that find no stock, and then whether one is refused for good.
    no_stock: usize,
    is_refused: bool,
    probes: u8,
}

fn any_entry() -> impl Strategy<Value = EntryCase> {
    let machine = (
        prop::bool::weighted(0.2),
        0u64..20,
        prop_oneof![6 => Just(0usize), 1 => 0usize..8],
        prop::bool::weighted(0.08),
        0u8..12,
    )
        .prop_map(|(runs, takes, no_stock, is_refused, probes)| MachineCase {
            runs,
            takes,
            no_stock,
            is_refused,
            probes,
        });
    let turns = (
        prop::option::of(1u32..4),
        prop::sample::select(vec![0u64, 0, 3, 30]),
        0usize..4,
        any::<bool>(),
        any::<bool>(),
    );
    let readiness = prop::option::of((0usize..3, any::<bool>()));
    (
        prop::collection::vec(machine, 1..6),
        prop::collection::vec(prop::bool::weighted(0.4), 6),
        turns,
        readiness,
    )
        .prop_map(|(machines, needs, (at_once, pause, zones, stops, is_patient), readiness)| EntryCase {
            machines,
            needs,
            at_once,
            pause,
            zones,
            stops,
            is_patient,
            readiness,
        })
}

fn readiness(probes: usize, is_delayed: bool) -> Readiness {
    let port = NonZeroU16::new(80).expect("a port");
    let all = [
        Probe::Tcp { port, address: ProbeAddress::Private },
        Probe::Command { words: vec!["check".to_owned()] },
    ];
    let delay = if is_delayed || probes == 0 { secs(5) } else { Duration::ZERO };
    Readiness { probes: all.into_iter().take(probes).collect(), delay, every: secs(1), within: Some(WITHIN) }
}

fn played(entries: &[EntryCase], parallelism: Option<usize>) -> (Plan, Played) {
    let names: Vec<String> = (0..entries.len()).map(|at| format!("e{at}")).collect();
    let mut sketch = Sketch::new();
    for (at, (entry, name)) in entries.iter().zip(&names).enumerate() {
        let needs: Vec<(&str, Strength)> = names
            .iter()
            .zip(&entry.needs)
            .take(at)
            .filter(|(_, need)| **need)
            .map(|(name, _)| (name.as_str(), Strength::Hard))
            .collect();
        sketch = sketch.entry(name, Goal::Running, entry.machines.len(), &needs).with(|made| {
            made.at_once = entry.at_once.and_then(NonZeroU32::new).map(AtOnce::Count);
            made.pause = secs(entry.pause);
            made.on_failure = if entry.stops { OnFailure::Stop } else { OnFailure::Continue };
            made.on_no_stock = if entry.is_patient { OnNoStock::RetryFor(PATIENCE) } else { OnNoStock::Fail };
            made.readiness = entry.readiness.map(|(probes, delayed)| Arc::new(readiness(probes, delayed)));
        });
    }
    let desired = sketch.desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    for (made, entry) in desired.entries.iter().zip(entries) {
        for (id, machine) in made.ids().iter().zip(&entry.machines) {
            let power = if machine.runs { Power::Running } else { Power::Stopped };
            let mut fates = vec![Fate::Refuse(Refusal::new(Advice::Capacity, "no stock")); machine.no_stock];
            if machine.is_refused {
                fates.push(Fate::Refuse(Refusal::new(Advice::Final, "no")));
            }
            let mut there = Machine::new(power, secs(machine.takes));
            there.fates = fates;
            twin.machines.insert(id.clone(), there);
            let answers = match machine.probes {
                0 => Some(Answers::TcpHangs),
                1 => Some(Answers::PassFrom(secs(9_999))),
                2 => Some(Answers::Flap(secs(3))),
                late @ 3..7 => Some(Answers::PassFrom(secs(u64::from(late) * 8))),
                _ => None,
            };
            twin.probes.extend(answers.map(|answers| (id.clone(), answers)));
        }
    }
    let mut plan = plan_for(&desired, &twin);
    for (group, entry) in plan.groups.iter_mut().zip(entries).filter(|(_, entry)| entry.zones > 0) {
        let mut zones = vec![Vec::new(); entry.zones];
        for (at, change) in group.changes.iter().enumerate() {
            zones[at % entry.zones].push(*change);
        }
        group.sequence = Some(Sequence::ByZone(zones));
    }
    let calls = CallBounds { batch_above: 0, ..CallBounds::default() };
    let limits =
        Limits { parallelism: parallelism.and_then(std::num::NonZeroUsize::new), ..Limits::of_main(calls) };
    let played = play(&plan, twin, &Play { limits, ..Play::default() });
    (plan, played)
}

/// When each step began and ended, and whether well.
fn spans(played: &Played) -> BTreeMap<usize, (Duration, Duration, bool)> {
    let mut began = BTreeMap::new();
    let mut spans = BTreeMap::new();
    for event in &played.events {
        match &event.kind {
            EventKind::Began { change, .. } => {
                began.insert(*change, event.at);
            }
            EventKind::Completed { change, .. } => {
                spans.insert(*change, (began[change], event.at, true));
            }
            EventKind::Failed { change, .. } => {
                spans.insert(*change, (began[change], event.at, false));
            }
            _ => {}
        }
    }
    spans
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_keeps_to_order_turns_and_deadlines(
        entries in prop::collection::vec(any_entry(), 1..6), parallelism in prop::option::of(1usize..6),
    ) {
        let (plan, played) = played(&entries, parallelism);
        let spans = spans(&played);
        let is_start = |change: &usize| matches!(plan.changes[*change].verdict, Verdict::Start { .. });

        // Every step has ended, and what failed says why it had to.
        for (position, change) in plan.changes.iter().enumerate() {
            let outcome = played.report.outcomes.get(&position);
            prop_assert!(outcome.is_some() || change.verdict == Verdict::InSync, "{} did not end", change.address);
            let drawn = &entries[change.entry.expect("an entry").at()];
            if let (Some(Outcome::Started | Outcome::Ready), Some((1.., _))) = (outcome, drawn.readiness) {
                let own = plan.groups[change.entry.expect("an entry").at()].changes.iter();
                let machine = own.zip(&drawn.machines).find(|(other, _)| **other == position).expect("drawn").1;
                prop_assert!(machine.probes > 1, "{} was never ready", change.address);
                let late = if (3..7).contains(&machine.probes) { u64::from(machine.probes) * 8 } else { 0 };
                prop_assert!(spans[&position].1 >= secs(late), "{} was not ready yet", change.address);
            }
            match outcome {
                Some(Outcome::Failed(Failure::NotReady { within, .. })) => {
                    let (began, ended, _) = spans[&position];
                    prop_assert_eq!(*within, WITHIN);
                    prop_assert!(ended - began >= WITHIN, "{} was given up too early", change.address);
                }
                Some(Outcome::Failed(Failure::NoStock { tries, .. })) => {
                    prop_assert!(drawn.is_patient && *tries >= 3 && *tries <= 5, "{tries} tries within a minute");
                }
                Some(Outcome::Failed(failure)) => prop_assert!(matches!(failure, Failure::Refused(_)), "{failure:?}"),
                _ => {}
            }
        }
        for group in &plan.groups {
            let own: Vec<usize> = group.changes.iter().copied().filter(|change| spans.contains_key(change)).collect();
            // Nothing is called before everything that it needs is ready.
            for after in &group.after {
                for needed in &plan.groups[after.group.at()].changes {
                    for change in own.iter().filter(|change| is_start(change)) {
                        let (began, ..) = spans[change];
                        if let Some((_, ended, well)) = spans.get(needed) {
                            prop_assert!(*well && *ended <= began, "{} began before {} was ready", plan.changes[*change].address, plan.changes[*needed].address);
                        }
                        let outcome = played.report.outcomes.get(needed);
                        let is_bad = matches!(outcome, Some(Outcome::Failed(_) | Outcome::Skipped { .. }));
                        prop_assert!(!is_bad, "what it needs is not there: {outcome:?}");
                    }
                }
            }
            let starts: Vec<(Duration, Duration, bool)> = own.iter().filter(|change| is_start(change)).map(|change| spans[change]).collect();
            if let Some(at_once) = group.at_once {
                for (began, ..) in &starts {
                    let out = starts.iter().filter(|(from, to, _)| from <= began && began < to).count();
                    prop_assert!(out <= at_once.get() as usize, "{} at a time", out);
                    // With one turn, the next begins a pause after the end of the last.
                    let last = starts.iter().map(|(_, ended, _)| *ended).filter(|ended| ended <= began).max();
                    if let (1, Some(last)) = (at_once.get(), last) {
                        prop_assert!(*began >= last + group.pause);
                    }
                }
            }
            if group.on_failure == OnFailure::Stop {
                let failed = own.iter().map(|change| spans[change]).filter(|(.., well)| !well).map(|(_, ended, _)| ended).min();
                for (began, ..) in starts.iter().filter(|_| failed.is_some()) {
                    prop_assert!(Some(*began) <= failed, "one began after the entry had failed");
                }
            }
            if let Some(Sequence::ByZone(zones)) = &group.sequence {
                let ends = |zone: &[usize]| zone.iter().filter_map(|change| spans.get(change)).map(|(_, ended, _)| *ended).max();
                for pair in zones.windows(2) {
                    let first = pair[1].iter().filter(|change| is_start(change)).filter_map(|change| spans.get(change)).map(|(began, ..)| *began).min();
                    if let (Some(ended), Some(began)) = (ends(&pair[0]), first) {
                        prop_assert!(began >= ended, "a zone began before the one before had ended");
                    }
                }
            }
        }
        // No attempt outlives its instance's time, and none is made before that is up.
        for (at, id, _, timeout) in &played.twin.attempts {
            let position = plan.changes.iter().position(|change| change.key.id == *id).expect("known");
            let (began, ended, _) = spans[&position];
            prop_assert!(*at >= began && *at <= ended);
            prop_assert!(*timeout <= secs(10));
        }
    }
}
