//! What is said beforehand of the order and the time of an apply.

use std::num::NonZeroU32;
use std::time::Duration;

use super::world::{HARD, SOFT, World, there};
use crate::fleet::{AtOnce, EntryIndex, Goal, Power, Seen};
use crate::plan::{Outlook, Plan};

fn stopped() -> Seen {
    there(Power::Stopped)
}

fn names(plan: &Plan, entries: &[EntryIndex]) -> Vec<String> {
    entries.iter().map(|index| plan.groups[index.at()].name.to_string()).collect()
}

/// The turns as text, `db | app cache | web`, the longest chain, `db app web 30s`, and what is unknown.
fn told(plan: &Plan) -> (String, String, String) {
    let outlook = Outlook::of(plan);
    let turns: Vec<String> = outlook.turns.iter().map(|turn| names(plan, turn).join(" ")).collect();
    let chain = names(plan, &outlook.longest.entries).join(" ");
    let takes = outlook.longest.takes.as_secs();
    (turns.join(" | "), format!("{chain} {takes}s"), names(plan, &outlook.unknown).join(" "))
}

fn is_told(plan: &Plan, turns: &str, chain: &str, unknown: &str) {
    assert_eq!(told(plan), (turns.to_owned(), chain.to_owned(), unknown.to_owned()));
}

/// db is needed by app, which is needed by web; cache is needed by web.
fn shop() -> World {
    World::new()
        .entry("db", Goal::Running, stopped(), &[])
        .entry("cache", Goal::Running, stopped(), &[])
        .several("app", Goal::Running, &[stopped(), stopped(), stopped()], &[("db", HARD)])
        .entry("web", Goal::Running, stopped(), &[("app", HARD), ("cache", SOFT)])
}

#[test]
fn what_waits_for_something_comes_in_a_later_turn() {
    is_told(&shop().plan(), "cache db | app | web", " 0s", "app cache db web");
}

#[test]
fn the_longest_chain_follows_from_what_was_recorded_and_the_rest_is_called_unknown() {
    let world = shop().took("db", "i-db", 10, 1).took("web", "i-web", 5, 1).took("cache", "i-cache", 60, 1);
    is_told(&world.plan(), "cache db | app | web", "cache web 65s", "app");
    let mut whole = world;
    for at in 0..3 {
        whole = whole.took(&format!("app[i-app{at}]"), &format!("i-app{at}"), 20 + at, 1);
    }
    is_told(&whole.plan(), "cache db | app | web", "cache web 65s", "");
    let faster = whole.took("cache", "i-cache", 1, 1);
    is_told(&faster.plan(), "cache db | app | web", "db app web 37s", "");
}

#[test]
fn what_goes_a_few_at_a_time_takes_as_long_as_its_slots_are_busy() {
    let mut world = World::new()
        .several("app", Goal::Running, &[stopped(), stopped(), stopped(), stopped()], &[])
        .with(|entry| entry.at_once = NonZeroU32::new(2).map(AtOnce::Count));
    for (at, takes) in [10, 20, 30, 40].into_iter().enumerate() {
        world = world.took(&format!("app[i-app{at}]"), &format!("i-app{at}"), takes, 1);
    }
    is_told(&world.plan(), "app", "app 50s", "");
}

#[test]
fn stops_go_the_other_way_and_take_what_stops_took() {
    let running = || there(Power::Running);
    let mut world = World::new()
        .entry("db", Goal::Running, running(), &[])
        .entry("app", Goal::Running, running(), &[("db", HARD)])
        .entry("idle", Goal::Running, running(), &[]);
    for (at, id, stop) in [("db", "i-db", 7), ("app", "i-app", 8), ("idle", "i-idle", 9)] {
        world = world.took(at, id, 100, stop);
    }
    is_told(&world.powered_off(), "app idle | db", "app db 15s", "");
}

#[test]
fn what_is_in_sync_holds_nobody_up_and_what_is_blocked_is_in_no_turn() {
    let world = World::new()
        .entry("a", Goal::Running, stopped(), &[])
        .entry("b", Goal::Running, there(Power::Running), &[("a", HARD)])
        .entry("c", Goal::Running, stopped(), &[("b", HARD)])
        .entry("d", Goal::Running, Seen::Absent, &[])
        .entry("e", Goal::Running, stopped(), &[("d", HARD)]);
    is_told(&world.plan(), "a c", " 0s", "a c");
    assert_eq!(Outlook::of(&world.plan()).entries(), 2);
    is_told(&World::new().entry("b", Goal::Running, there(Power::Running), &[]).plan(), "", " 0s", "");
}

#[test]
fn an_instance_that_is_on_its_way_counts_as_a_step() {
    let world = World::new()
        .entry("a", Goal::Running, there(Power::Starting), &[])
        .entry("b", Goal::Running, stopped(), &[("a", HARD)])
        .took("a", "i-a", 30, 1)
        .took("b", "i-b", 3, 1);
    is_told(&world.plan(), "a | b", "a b 33s", "");
    assert_eq!(world.change("a").expected, Some(Duration::from_secs(30)));
}
