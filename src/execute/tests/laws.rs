//! Laws that hold for every run, tried on random fleets.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use proptest::prelude::*;

use super::sketch::Sketch;
use super::stories::most_in_transition;
use super::twin::{Fate, Machine, Play, Played, Twin, fleet, plan_for, play, secs};
use crate::cloud::{Advice, Refusal};
use crate::execute::{Action, EventKind, Limits, Outcome};
use crate::fleet::{AtOnce, Desired, Durations, Goal, InstanceId, Power, Strength};
use crate::plan::{Change, Plan, Then, Verdict};

/// A fleet as a seed of numbers, so that a failing case shrinks to something small.
#[derive(Debug, Clone)]
pub(super) struct Case {
    entries: Vec<EntryCase>,
    parallelism: Option<u8>,
    lag: u8,
    clicks: Vec<(u16, u8, u8)>,
}

impl Case {
    /// The clicks of someone else on the instances of the fleet.
    pub(super) fn clicks(&self, desired: &Desired) -> Vec<(Duration, InstanceId, Option<Power>)> {
        let all = ids(desired);
        let click = |(at, which, power): &(u16, u8, u8)| {
            let power = match power {
                0 => None,
                1 => Some(Power::Running),
                2 => Some(Power::Starting),
                3 => Some(Power::Stopping),
                _ => Some(Power::Stopped),
            };
            let id = all[usize::from(*which) % all.len()].clone();
            (Duration::from_millis(u64::from(*at) * 100), id, power)
        };
        self.clicks.iter().map(click).collect()
    }
}

#[derive(Debug, Clone)]
struct EntryCase {
    goal: u8,
    size: u8,
    /// Whether it needs each of the entries before it: 0 and above 2 no, 1 hard, 2 soft.
    needs: Vec<u8>,
    at_once: u8,
    powers: Vec<u8>,
    takes: Vec<u16>,
    fates: Vec<u8>,
}

fn entry_case() -> impl Strategy<Value = EntryCase> {
    (
        0u8..8,
        1u8..4,
        prop::collection::vec(0u8..6, 12),
        0u8..6,
        prop::collection::vec(0u8..16, 4),
        prop::collection::vec(0u16..600, 4),
        prop::collection::vec(0u8..24, 4),
    )
        .prop_map(|(goal, size, needs, at_once, powers, takes, fates)| EntryCase {
            goal,
            size,
            needs,
            at_once,
            powers,
            takes,
            fates,
        })
}

pub(super) fn case(faults: bool) -> impl Strategy<Value = Case> {
    let clicks = if faults { 0..6usize } else { 0..1 };
    (
        prop::collection::vec(entry_case(), 1..12),
        prop::option::of(1u8..4),
        0u8..21,
        prop::collection::vec((0u16..1200, 0u8..40, 0u8..5), clicks),
    )
        .prop_map(move |(mut entries, parallelism, lag, clicks)| {
            if !faults {
                for entry in &mut entries {
                    entry.fates = vec![0; 4];
                    entry.powers.iter_mut().for_each(|power| *power %= 12);
                }
            }
            Case { entries, parallelism, lag: if faults { lag } else { 0 }, clicks }
        })
}

fn fate(seed: u8) -> Vec<Fate> {
    let busy = Fate::Refuse(Refusal::new(Advice::Busy { sends: 5 }, "busy"));
    match seed {
        1 => vec![Fate::LoseAnswer],
        2 => vec![Fate::LoseRequest],
        3 => vec![Fate::LoseRequest, Fate::LoseAnswer],
        4 => vec![busy],
        5 => vec![busy.clone(), Fate::LoseAnswer, busy],
        6 => vec![Fate::Refuse(Refusal::new(Advice::Final, "no"))],
        7 => vec![Fate::FallBack],
        8 => vec![Fate::Hang],
        9 => vec![Fate::Refuse(Refusal::new(Advice::Throttled { retry_after: None }, "throttled"))],
        10 => vec![Fate::Refuse(Refusal::new(Advice::WrongStatus, "status")), Fate::LoseAnswer],
        _ => vec![],
    }
}

/// A random fleet: what is wanted of it, and what it is.
pub(super) fn build(case: &Case) -> (Desired, Twin) {
    let mut sketch = Sketch::new();
    let names: Vec<String> = (0..case.entries.len()).map(|at| format!("e{at:02}")).collect();
    let goals: Vec<Goal> = case
        .entries
        .iter()
        .map(|entry| match entry.goal {
            0..4 => Goal::Running,
            4..7 => Goal::Stopped,
            _ => Goal::Any,
        })
        .collect();
    for (at, entry) in case.entries.iter().enumerate() {
        let needs: Vec<(&str, Strength)> = (0..at)
            .filter_map(|other| {
                let contradicts = goals[at] == Goal::Running && goals[other] == Goal::Stopped;
                match entry.needs.get(other) {
                    Some(1) if !contradicts => Some((names[other].as_str(), Strength::Hard)),
                    Some(2) => Some((names[other].as_str(), Strength::Soft)),
                    _ => None,
                }
            })
            .collect();
        sketch = sketch.entry(&names[at], goals[at], usize::from(entry.size), &needs).with(|made| {
            made.at_once = if entry.at_once < 3 {
                NonZeroU32::new(u32::from(entry.at_once)).map(AtOnce::Count)
            } else {
                None
            };
        });
    }
    let desired = sketch.desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.lag = secs(u64::from(case.lag));
    for (entry, made) in case.entries.iter().zip(&desired.entries) {
        for (at, id) in made.ids().iter().enumerate() {
            let takes = Duration::from_millis(u64::from(entry.takes[at]) * 100);
            let settles = Duration::from_millis(u64::from(entry.takes[at]) * 50);
            let (power, then) = match entry.powers[at] {
                0..5 => (Power::Stopped, None),
                5..9 => (Power::Running, None),
                9 => (Power::Starting, Some(Power::Running)),
                10 => (Power::Stopping, Some(Power::Stopped)),
                11 => (Power::Pending, Some(Power::Stopped)),
                12 => (Power::Unrecognised("Odd".into()), None),
                13 => (Power::Starting, None),
                _ => (Power::Running, None),
            };
            let mut machine = Machine::new(power, takes);
            if let Some(then) = then {
                machine.set(settles, Some(then));
            }
            machine.fates = fate(entry.fates[at]);
            twin.machines.insert(id.clone(), machine);
        }
    }
    (desired, twin)
}

fn ids(desired: &Desired) -> Vec<InstanceId> {
    desired.entries.iter().flat_map(|entry| entry.ids().to_vec()).collect()
}

pub(super) fn may_be_called(plan: &Plan, id: &InstanceId, action: Action) -> bool {
    plan.changes.iter().any(|change| {
        change.key.id == *id
            && matches!(
                (&change.verdict, action),
                (Verdict::Start { .. } | Verdict::Wait { then: Some(Then::Start { .. }), .. }, Action::Start)
                    | (
                        Verdict::Stop { .. } | Verdict::Wait { then: Some(Then::Stop { .. }), .. },
                        Action::Stop
                    )
            )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without faults everything that is not blocked is done, in order, within the slots, with one call each.
    #[test]
    fn without_faults_all_goals_are_reached_in_order(case in case(false)) {
        let (desired, twin) = build(&case);
        let plan = plan_for(&desired, &twin);
        let limits = Limits {
            parallelism: case.parallelism.and_then(|most| NonZeroUsize::new(usize::from(most))),
            ..Limits::default()
        };
        // Those that move by themselves take slots, but do not wait for one; those that are not touched take none.
        let steps: Vec<InstanceId> = plan
            .changes
            .iter()
            .filter(|change| !matches!(change.verdict, Verdict::Any | Verdict::InSync | Verdict::Blocked(_)))
            .map(|change| change.key.id.clone())
            .collect();
        let moves = |id: &&InstanceId| twin.machines[*id].at(Duration::ZERO).is_some_and(Power::is_in_transition);
        let moving_at_first: Vec<InstanceId> = steps.iter().filter(moves).cloned().collect();
        let moving = moving_at_first.len();
        let played = play(&plan, twin, &Play { limits, ..Play::default() });
        for call in &played.twin.log {
            prop_assert!(call.accepted, "{call:?}");
            prop_assert!(call.out_of_order.is_empty(), "{call:?}");
            prop_assert!(may_be_called(&plan, &call.id, call.action), "{call:?}");
        }
        for (position, change) in plan.changes.iter().enumerate() {
            let outcome = played.report.outcomes.get(&position);
            if let Some(Outcome::Skipped { root, .. }) = outcome {
                // The one thing that fails here: a pending instance that settles as stopped, and that must not be
                // started because what it needs is blocked.
                let root = plan.changes.iter().find(|change| change.address == *root).expect("known");
                let alone = matches!(
                    root.verdict,
                    Verdict::Wait { then: Some(Then::Blocked(_)), .. } | Verdict::Blocked(_)
                );
                prop_assert!(alone, "{} was skipped because of {}", change.address, root.address);
                continue;
            }
            match change.verdict {
                Verdict::Start { .. }
                | Verdict::Stop { .. }
                | Verdict::Wait { then: Some(Then::Start { .. } | Then::Stop { .. }), .. } => prop_assert!(
                    matches!(outcome, Some(Outcome::Started | Outcome::Stopped | Outcome::Arrived)),
                    "{} ended as {outcome:?}", change.address
                ),
                _ => {}
            }
            let machine = &played.twin.machines[&change.key.id];
            prop_assert!(machine.accepted_starts <= 1 && machine.accepted_stops <= 1);
        }
        if let Some(most) = case.parallelism {
            prop_assert!(most_in_transition(&played.twin, &steps) <= usize::from(most).max(moving));
        }
        for made in &desired.entries {
            if let Some(AtOnce::Count(at_once)) = made.at_once {
                let own: Vec<InstanceId> =
                    made.ids().iter().filter(|id| steps.contains(id)).cloned().collect();
                let moving = own.iter().filter(|id| moving_at_first.contains(id)).count();
                let most = most_in_transition(&played.twin, &own);
                prop_assert!(most <= (at_once.get() as usize).max(moving));
            }
        }
    }

    /// With faults, lag and someone else's clicks: it ends, calls nothing that was not planned, starts nothing twice,
    /// and every skip goes back to something that failed or was blocked.
    #[test]
    fn with_faults_nothing_is_made_worse(case in case(true)) {
        let (desired, twin) = build(&case);
        let plan = plan_for(&desired, &twin);
        let clicks = case.clicks(&desired);
        let clicked: Vec<_> = clicks.iter().map(|(_, id, _)| id.clone()).collect();
        let played = play(&plan, twin, &Play { clicks, ..Play::default() });
        for call in &played.twin.log {
            prop_assert!(may_be_called(&plan, &call.id, call.action), "{call:?}");
        }
        for change in &plan.changes {
            let machine = &played.twin.machines[&change.key.id];
            // A machine that someone else has meanwhile stopped may be started by a call that was sent again.
            if !clicked.contains(&change.key.id) {
                prop_assert!(machine.accepted_starts <= 1, "{} was started twice", change.address);
                prop_assert!(machine.accepted_stops <= 1, "{} was stopped twice", change.address);
            }
        }
        if case.lag == 0 && clicked.is_empty() {
            for call in played.twin.log.iter().filter(|call| call.accepted) {
                prop_assert!(call.out_of_order.is_empty(), "{call:?}");
            }
        }
        for (position, outcome) in &played.report.outcomes {
            let address = |name: &crate::fleet::Address| {
                plan.changes.iter().position(|change| change.address == *name)
            };
            if let Outcome::Skipped { because, root } = outcome {
                let root = address(root).expect("known");
                let failed = matches!(played.report.outcomes.get(&root), Some(Outcome::Failed(_)))
                    || matches!(plan.changes[root].verdict, Verdict::Blocked(_));
                prop_assert!(failed, "the root of a skip has not failed: {:?}", plan.changes[root].address);
                prop_assert!(address(because) != Some(*position));
            }
        }
        let steps = plan.changes.iter().filter(|change| matches!(
            change.verdict, Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. }
        ));
        let ended = played.report.outcomes.iter().filter(|(at, _)| !matches!(
            plan.changes[**at].verdict, Verdict::Blocked(_)
        ));
        prop_assert_eq!(steps.count(), ended.count());
    }
}

/// Boots behind one another: how long each takes, and which of those before it each needs.
struct Boots {
    takes: Vec<Duration>,
    needs: Vec<Vec<usize>>,
}

impl Boots {
    fn chain(takes: &[u64]) -> Self {
        let needs = (0..takes.len()).map(|at| at.checked_sub(1).into_iter().collect()).collect();
        Self { takes: takes.iter().copied().map(Duration::from_millis).collect(), needs }
    }

    fn sixty(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut boots = Self { takes: Vec::new(), needs: Vec::new() };
        for at in 0..60usize {
            let mut needs: Vec<usize> =
                (0..random.usize(0..4)).filter(|_| at > 0).map(|_| random.usize(0..at.max(1))).collect();
            needs.sort_unstable();
            needs.dedup();
            boots.takes.push(Duration::from_millis(random.u64(5_000..60_000)));
            boots.needs.push(needs);
        }
        boots
    }

    fn longest_chain(&self) -> Duration {
        let mut chains: Vec<Duration> = Vec::new();
        for (takes, needs) in self.takes.iter().zip(&self.needs) {
            let before = needs.iter().map(|other| chains[*other]).max().unwrap_or_default();
            chains.push(before + *takes);
        }
        chains.into_iter().max().unwrap_or_default()
    }

    fn fleet(&self) -> (Plan, Twin) {
        let names: Vec<String> = (0..self.takes.len()).map(|at| format!("e{at:02}")).collect();
        let mut sketch = Sketch::new();
        for (name, needs) in names.iter().zip(&self.needs) {
            let needs: Vec<_> = needs.iter().map(|other| (names[*other].as_str(), Strength::Hard)).collect();
            sketch = sketch.entry(name, Goal::Running, 1, &needs);
        }
        let desired = sketch.desired();
        let mut twin = fleet(&desired, &Power::Stopped, secs(0));
        for (entry, boot) in desired.entries.iter().zip(&self.takes) {
            twin.machines.get_mut(&entry.ids()[0]).expect("there").takes = *boot;
        }
        (plan_for(&desired, &twin), twin)
    }

    /// Plays it so often in a row, each time with what was recorded before, beginning with nothing.
    fn play_in_a_row(&self, runs: usize) -> Vec<Played> {
        let (plan, twin) = self.fleet();
        let mut recorded = vec![Durations::default(); plan.changes.len()];
        let mut all = Vec::new();
        for _ in 0..runs {
            let expected = |change: &Change| {
                let at = plan.changes.iter().position(|other| other.key == change.key)?;
                recorded[at].expected_start()
            };
            let played = play(&plan, twin.clone(), &Play { expected: Some(&expected), ..Play::default() });
            assert!(played.report.meets_every_goal(&plan));
            for event in &played.events {
                if let EventKind::Completed { change, took: Some(took), .. } = event.kind {
                    recorded[change].add_start(took);
                }
            }
            all.push(played);
        }
        all
    }
}

/// The makespan of a fault-free run is close to its longest chain: boots of unknown length at first, and then of the
/// lengths that were recorded, with no limit on slots. A step costs the answers to its call and to one look besides.
#[test]
fn an_apply_takes_hardly_longer_than_its_longest_chain_and_the_next_ones_even_less() {
    let chains = [&[20_000; 4][..], &[7_000, 30_000, 90_000], &[61_234], &[300_000, 5_000]];
    let cases = chains.into_iter().map(|takes| (Boots::chain(takes), Duration::from_millis(400)));
    let graphs = (0..25).map(|seed| (Boots::sixty(seed), secs(1)));
    for (number, (boots, answers)) in cases.chain(graphs).enumerate() {
        let longest = boots.longest_chain();
        let runs = boots.play_in_a_row(6);
        let bound = longest.mul_f64(1.10) + secs(1);
        assert!(runs[0].ended_at <= bound, "case {number}: {:?} is over {bound:?}", runs[0].ended_at);
        let bound = longest.mul_f64(1.02) + answers;
        for (run, played) in runs.iter().enumerate().skip(1) {
            let took = played.ended_at;
            assert!(took <= bound, "case {number}, run {run}: {took:?} is over {bound:?}");
            let (looks, before) = (played.twin.looks.len(), runs[0].twin.looks.len());
            assert!(looks <= before, "case {number}, run {run}: {looks} looks, {before} with nothing known");
        }
    }
}
