//! Laws that hold for every plan, tried on random worlds and on large ones.

use std::collections::HashSet;

use proptest::prelude::*;

use super::world::{HARD, World, held_up, key, there};
use crate::fleet::{Entry, Goal, InstanceKey, Power, ProviderAlias, Seen, Strength};
use crate::plan::{Block, Change, Plan, Verdict, plan};

#[derive(Debug, Clone)]
struct EntryCase {
    goal: Goal,
    seen: Vec<Seen>,
    /// Locks of the first instance, if it is there.
    lock: Option<&'static str>,
    prevent_stop: bool,
    /// For each entry before it whether it is needed.
    needs: Vec<Option<Strength>>,
    /// What is recorded of each instance.
    records: Vec<Option<(Goal, Power)>>,
}

fn any_goal() -> impl Strategy<Value = Goal> {
    prop_oneof![4 => Just(Goal::Running), 3 => Just(Goal::Stopped), 1 => Just(Goal::Any)]
}

fn any_power() -> impl Strategy<Value = Power> {
    prop_oneof![
        4 => Just(Power::Running),
        4 => Just(Power::Stopped),
        1 => Just(Power::Starting),
        1 => Just(Power::Stopping),
        1 => Just(Power::Pending),
        1 => Just(Power::Unrecognised("Odd".into())),
    ]
}

fn any_seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        12 => any_power().prop_map(there),
        1 => Just(Seen::Absent),
        1 => Just(Seen::NotSeen { why: "no answer".to_owned() }),
    ]
}

fn any_entry() -> impl Strategy<Value = EntryCase> {
    let need = prop_oneof![3 => Just(None), 2 => Just(Some(Strength::Hard)), 1 => Just(Some(Strength::Soft))];
    let lock = prop_oneof![8 => Just(None), 1 => Just(Some("Security")), 1 => Just(Some("recycling"))];
    (
        any_goal(),
        prop::collection::vec(any_seen(), 1..4),
        lock,
        prop::bool::weighted(0.1),
        prop::collection::vec(need, 10),
        prop::collection::vec(prop::option::of((any_goal(), any_power())), 3),
    )
        .prop_map(|(goal, seen, lock, prevent_stop, needs, records)| EntryCase {
            goal,
            seen,
            lock,
            prevent_stop,
            needs,
            records,
        })
}

fn name(at: usize) -> String {
    format!("e{at:02}")
}

/// A world that `config` would let through: no start that hard-needs something to be stopped.
fn build(cases: &[EntryCase], released: usize) -> World {
    let names: Vec<String> = (0..cases.len()).map(name).collect();
    let mut world = World::new();
    for (at, case) in cases.iter().enumerate() {
        let needs: Vec<(&str, Strength)> = (0..at)
            .filter_map(|other| {
                let strength = (*case.needs.get(other)?)?;
                let contradicts = case.goal == Goal::Running && cases[other].goal == Goal::Stopped;
                (strength == Strength::Soft || !contradicts).then_some((names[other].as_str(), strength))
            })
            .collect();
        world = world
            .several(&names[at], case.goal, &case.seen, &needs)
            .with(|entry| entry.prevent_stop = case.prevent_stop);
        if let (Some(lock), Seen::There(_)) = (case.lock, &case.seen[0]) {
            world = world.locked(lock);
        }
        for (instance, record) in (0..case.seen.len()).zip(&case.records) {
            if let Some((goal, power)) = record.clone() {
                let id = format!("i-{}{instance}", names[at]);
                world = world.record(&names[at], &id, goal, power);
            }
        }
    }
    for at in 0..released {
        world = world.record("gone", &format!("i-gone{at}"), Goal::Running, Power::Running);
    }
    world
}

fn any_world() -> impl Strategy<Value = World> {
    (prop::collection::vec(any_entry(), 0..10), 0usize..3)
        .prop_map(|(cases, released)| build(&cases, released))
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for entry in self.desired().entries {
            writeln!(f, "{} {} needs {:?}", entry.name, entry.goal, entry.needs)?;
        }
        for change in self.plan().changes {
            writeln!(f, "{} seen as {:?}: {:?}", change.address, change.seen.power(), change.verdict)?;
        }
        Ok(())
    }
}

fn starts(change: &Change) -> bool {
    matches!(change.verdict, Verdict::Start { .. })
}

fn stops(change: &Change) -> bool {
    matches!(change.verdict, Verdict::Stop { .. })
}

fn is_blocked(change: &Change) -> bool {
    matches!(change.verdict, Verdict::Blocked(_))
}

fn of(plan: &Plan, entry: usize) -> impl Iterator<Item = &Change> {
    plan.groups[entry].changes.iter().map(|change| &plan.changes[*change])
}

fn hard_needs(entry: &Entry) -> impl Iterator<Item = usize> {
    entry.needs.iter().filter(|need| need.strength == Strength::Hard).map(|need| need.entry.at())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_is_exactly_one_change_for_each_instance_that_is_wanted_or_recorded(world in any_world()) {
        let plan = world.plan();
        let wanted = world.desired().entries.into_iter().flat_map(|entry| {
            let ids = entry.ids().to_vec();
            ids.into_iter().map(move |id| InstanceKey { provider: entry.provider.clone(), id })
        });
        let recorded = world.recorded.iter().flat_map(|recorded| recorded.instances.keys().cloned());
        let expected: HashSet<InstanceKey> = wanted.chain(recorded).collect();
        let said: HashSet<InstanceKey> = plan.changes.iter().map(|change| change.key.clone()).collect();
        prop_assert_eq!(plan.changes.len(), said.len());
        prop_assert_eq!(said, expected);
        let mut grouped: Vec<usize> = plan.groups.iter().flat_map(|group| group.changes.clone()).collect();
        grouped.sort_unstable();
        let with_entry = (0..plan.changes.len()).filter(|at| plan.changes[*at].entry.is_some());
        prop_assert_eq!(grouped, with_entry.collect::<Vec<_>>());
    }

    /// No call is planned whose needs, or dependents, will not be as they have to be.
    #[test]
    fn nothing_is_called_behind_what_is_blocked_or_not_ready(world in any_world()) {
        let plan = world.plan();
        for (at, entry) in world.desired().entries.iter().enumerate() {
            for need in hard_needs(entry) {
                for change in of(&plan, at).filter(|change| starts(change)) {
                    for needed in of(&plan, need) {
                        let up = match needed.verdict {
                            Verdict::InSync | Verdict::Any => needed.seen.power() == Some(&Power::Running),
                            Verdict::Start { .. } | Verdict::Wait { until: Goal::Running, .. } => true,
                            _ => false,
                        };
                        prop_assert!(up, "{} starts behind {}", change.address, needed.address);
                    }
                }
                for needed in of(&plan, need).filter(|change| stops(change)) {
                    for change in of(&plan, at) {
                        let down = match change.verdict {
                            Verdict::InSync | Verdict::Any => change.seen.power() == Some(&Power::Stopped),
                            Verdict::Stop { .. } | Verdict::Wait { until: Goal::Stopped, .. } => true,
                            _ => false,
                        };
                        prop_assert!(down, "{} stops before {}", needed.address, change.address);
                    }
                }
            }
        }
    }

    /// Every instance that is held up names a blocked neighbour and a root with a reason of its own.
    #[test]
    fn what_is_held_up_leads_back_to_a_reason(world in any_world()) {
        let plan = world.plan();
        let find = |address: &crate::fleet::Address| plan.changes.iter().find(|other| other.address == *address);
        let entries = world.desired().entries;
        for change in &plan.changes {
            let Verdict::Blocked(Block::HeldUp { by, root }) = &change.verdict else { continue };
            let (by, root) = (find(by).expect("known"), find(root).expect("known"));
            prop_assert!(is_blocked(by));
            let has_a_reason = match &root.verdict {
                Verdict::Blocked(Block::HeldUp { .. }) => false,
                verdict => matches!(verdict, Verdict::Blocked(_)),
            };
            prop_assert!(has_a_reason, "{}", root.address);
            let (here, there) = (change.entry.expect("wanted").at(), by.entry.expect("wanted").at());
            let (dependent, need) = if change.goal == Some(Goal::Running) { (here, there) } else { (there, here) };
            prop_assert!(hard_needs(&entries[dependent]).any(|other| other == need), "not the nearest");
        }
    }

    #[test]
    fn losing_the_record_changes_no_verdict_but_the_releases(world in any_world()) {
        let with = world.plan();
        let without = plan(&world.desired(), None, &world.actual()).expect("no cycle");
        let said = |plan: &Plan| -> Vec<(InstanceKey, Verdict)> {
            let kept = plan.changes.iter().filter(|change| change.verdict != Verdict::Release);
            kept.map(|change| (change.key.clone(), change.verdict.clone())).collect()
        };
        prop_assert_eq!(said(&with), said(&without));
        prop_assert_eq!(without.tally().release, 0);
    }

    #[test]
    fn what_is_at_its_goal_is_in_sync_whatever_the_record_says(world in any_world()) {
        for change in world.plan().changes {
            let at_goal = match (change.goal, change.seen.power()) {
                (Some(goal @ (Goal::Running | Goal::Stopped)), Some(power)) => goal.is_met_by(power),
                _ => false,
            };
            prop_assert_eq!(change.verdict == Verdict::InSync, at_goal, "{}", change.address);
        }
    }

    #[test]
    fn a_reason_is_given_exactly_where_something_is_done(world in any_world()) {
        for change in world.plan().changes {
            let acts = !matches!(change.verdict, Verdict::InSync | Verdict::Any | Verdict::Blocked(_));
            prop_assert_eq!(change.why.is_some(), acts, "{}", change.address);
        }
    }
}

#[test]
fn a_chain_of_twenty_thousand_entries_is_decided_without_deep_recursion() {
    let length: usize = 20_000;
    let names: Vec<String> = (0..length).map(|at| format!("e{at:05}")).collect();
    for (goal, power, end) in
        [(Goal::Running, Power::Stopped, 0), (Goal::Stopped, Power::Running, length - 1)]
    {
        let mut world = World::new();
        for at in 0..length {
            let before = at.checked_sub(1).map(|before| (names[before].as_str(), HARD));
            let seen = if at == end { Seen::Absent } else { there(power.clone()) };
            world = world.entry(&names[at], goal, seen, before.as_slice());
        }
        let plan = world.plan();
        assert_eq!(plan.tally().blocked, length);
        let furthest = length - 1 - end;
        let neighbour = if goal == Goal::Running { furthest - 1 } else { furthest + 1 };
        assert_eq!(plan.changes[furthest].verdict, held_up(&names[neighbour], &names[end]));
    }
}

#[test]
fn a_ring_of_twenty_thousand_entries_is_refused_without_deep_recursion() {
    let names: Vec<String> = (0..20_000).map(|at| format!("e{at:05}")).collect();
    let mut world = World::new();
    for (at, name) in names.iter().enumerate() {
        let before = at.checked_sub(1).unwrap_or(names.len() - 1);
        world = world.entry(name, Goal::Running, there(Power::Stopped), &[(&names[before], HARD)]);
    }
    assert_eq!(world.try_plan().expect_err("a cycle").0.len(), 20_000);
}

/// A thousand instances that need a thousand others are one edge: what a plan holds grows with what it is made from.
#[test]
fn a_hundred_thousand_instances_make_a_plan_of_their_own_size() {
    let (layers, size): (usize, usize) = (100, 1_000);
    let names: Vec<String> = (0..layers).map(|at| format!("layer{at:03}")).collect();
    let mut world = World::new();
    for at in 0..layers {
        let before = at.checked_sub(1).map(|before| (names[before].as_str(), HARD));
        let seen = vec![there(Power::Stopped); size];
        world = world.several(&names[at], Goal::Running, &seen, before.as_slice());
    }
    let world = world.record("gone", "i-gone", Goal::Running, Power::Running);
    let plan = world.plan();
    assert_eq!((plan.changes.len(), plan.groups.len()), (layers * size + 1, layers));
    assert_eq!(plan.groups.iter().map(|group| group.after.len()).sum::<usize>(), layers - 1);
    assert_eq!(plan.groups.iter().map(|group| group.changes.len()).sum::<usize>(), layers * size);
    assert_eq!((plan.tally().start, plan.tally().release), (layers * size, 1));
    assert!(plan.changes.iter().any(|change| change.key == key(ProviderAlias::main().as_str(), "i-gone")));
}
