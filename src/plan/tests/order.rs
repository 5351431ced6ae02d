//! Who comes after whom, cycles, and the longest chains.

use std::num::NonZeroU32;
use std::time::Duration;

use super::world::{HARD, SOFT, World, there};
use crate::fleet::{AtOnce, EntryIndex, Goal, Power, Strength};
use crate::plan::{After, Plan, remaining_chains};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// "web after db (hard)", for every edge of the plan.
fn edges(plan: &Plan) -> Vec<String> {
    let name = |index: EntryIndex| plan.groups[index.at()].name.to_string();
    let mut edges: Vec<String> = plan
        .groups
        .iter()
        .flat_map(|group| {
            group.after.iter().map(|After { group: after, strength }| {
                let strength = if *strength == Strength::Hard { "hard" } else { "soft" };
                format!("{} after {} ({strength})", group.name, name(*after))
            })
        })
        .collect();
    edges.sort();
    edges
}

#[test]
fn an_edge_orders_two_starts_one_way_and_two_stops_the_other_and_any_is_only_looked_at() {
    use Goal::{Any, Running, Stopped};
    let table: [(Goal, Goal, Strength, &[&str]); 18] = [
        (Running, Running, HARD, &["web after db (hard)"]),
        (Running, Running, SOFT, &["web after db (soft)"]),
        (Stopped, Stopped, HARD, &["db after web (hard)"]),
        (Stopped, Stopped, SOFT, &["db after web (soft)"]),
        (Running, Any, HARD, &["web after db (hard)"]),
        (Running, Any, SOFT, &[]),
        (Any, Stopped, HARD, &["db after web (hard)"]),
        (Any, Stopped, SOFT, &[]),
        (Stopped, Running, HARD, &[]),
        (Stopped, Running, SOFT, &[]),
        (Running, Stopped, HARD, &[]),
        (Running, Stopped, SOFT, &[]),
        (Stopped, Any, HARD, &[]),
        (Stopped, Any, SOFT, &[]),
        (Any, Running, HARD, &[]),
        (Any, Running, SOFT, &[]),
        (Any, Any, HARD, &[]),
        (Any, Any, SOFT, &[]),
    ];
    for (web, db, strength, expected) in table {
        let world = World::new().entry("web", web, there(Power::Running), &[("db", strength)]).entry(
            "db",
            db,
            there(Power::Running),
            &[],
        );
        assert_eq!(edges(&world.plan()), expected, "{web} needs {db}");
    }
}

#[test]
fn a_group_holds_what_execution_needs_to_know_of_its_entry() {
    let seen = [there(Power::Stopped), there(Power::Running)];
    let world = World::new()
        .several("app", Goal::Running, &seen, &[])
        .with(|entry| {
            entry.at_once = NonZeroU32::new(2).map(AtOnce::Count);
            entry.timeouts.start = seconds(7);
        })
        .entry("aaa", Goal::Stopped, there(Power::Stopped), &[])
        .record("aab", "i-released", Goal::Running, Power::Running);
    let plan = world.plan();
    let [aaa, app] = plan.groups.as_slice() else { panic!("{:?}", plan.groups) };
    assert_eq!((app.name.as_str(), app.goal, app.at_once), ("app", Goal::Running, NonZeroU32::new(2)));
    assert_eq!(app.timeouts.start, seconds(7));
    assert_eq!((aaa.changes.as_slice(), app.changes.as_slice()), (&[0][..], &[2, 3][..]));
    for (index, group) in (0..).map(EntryIndex).zip(&plan.groups) {
        for change in &group.changes {
            assert_eq!(plan.changes[*change].entry, Some(index));
        }
    }
}

#[test]
fn a_cycle_is_refused_with_the_names_of_its_entries() {
    let entry = |world: World, name: &str, needs: &[(&str, Strength)]| {
        world.entry(name, Goal::Running, there(Power::Stopped), needs)
    };
    let mut world = entry(World::new(), "free", &[]);
    world = entry(world, "c", &[("b", HARD), ("free", HARD)]);
    world = entry(world, "b", &[("a", HARD)]);
    world = entry(world, "a", &[("c", SOFT)]);
    world = entry(world, "behind", &[("a", HARD)]);
    let cycle = world.try_plan().expect_err("a cycle");
    assert_eq!(cycle.to_string(), "these entries depend on each other: a, b, c");
    let cycle = entry(World::new(), "self", &[("self", HARD)]).try_plan().expect_err("a cycle");
    assert_eq!(cycle.to_string(), "these entries depend on each other: self");
}

/// The longest chain from each entry, if each takes ten seconds or what its name says.
fn chains(world: &World, takes: impl Fn(&str) -> u64) -> Vec<(String, u64)> {
    let plan = world.plan();
    let chains = remaining_chains(&plan.groups, |group| seconds(takes(group.name.as_str())));
    plan.groups.iter().zip(chains).map(|(group, chain)| (group.name.to_string(), chain.as_secs())).collect()
}

#[test]
fn the_remaining_chain_is_the_longest_that_begins_with_a_group() {
    let entry = |world: World, name: &str, needs: &[&str]| {
        let needs: Vec<(&str, Strength)> = needs.iter().map(|need| (*need, HARD)).collect();
        world.entry(name, Goal::Running, there(Power::Stopped), &needs)
    };
    let mut world = entry(World::new(), "db", &[]);
    world = entry(world, "cache", &[]);
    world = entry(world, "app", &["db", "cache"]);
    world = entry(world, "web", &["app"]);
    world = entry(world, "log", &["db"]);
    let takes = |name: &str| match name {
        "db" => 30,
        "cache" => 5,
        "app" => 10,
        "web" => 2,
        _ => 100,
    };
    let named = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
        list.iter().map(|(name, chain)| ((*name).to_owned(), *chain)).collect()
    };
    assert_eq!(
        chains(&world, takes),
        named(&[("app", 12), ("cache", 17), ("db", 130), ("log", 100), ("web", 2)])
    );
    let without_app = |name: &str| if name == "app" { 0 } else { takes(name) };
    assert_eq!(
        chains(&world, without_app),
        named(&[("app", 0), ("cache", 5), ("db", 130), ("log", 100), ("web", 2)]),
        "a group without anything to do holds nobody up, so no chain goes through it"
    );
}

#[test]
fn chains_of_stops_run_the_other_way() {
    let world = World::new().entry("db", Goal::Stopped, there(Power::Running), &[]).entry(
        "web",
        Goal::Stopped,
        there(Power::Running),
        &[("db", HARD)],
    );
    assert_eq!(chains(&world, |_| 10), [("db".to_owned(), 10), ("web".to_owned(), 20)]);
}

#[test]
fn chains_longer_than_time_itself_do_not_overflow() {
    let world = World::new().entry("db", Goal::Running, there(Power::Stopped), &[]).entry(
        "web",
        Goal::Running,
        there(Power::Stopped),
        &[("db", HARD)],
    );
    let chains = remaining_chains(&world.plan().groups, |_| Duration::MAX);
    assert_eq!(chains, [Duration::MAX, Duration::MAX]);
}
