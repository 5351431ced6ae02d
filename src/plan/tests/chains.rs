//! What a decision about one instance means for those that come after it.

use super::world::{HARD, SOFT, START, World, address, held_up, stop, there};
use crate::fleet::{Goal, Power, Seen};
use crate::plan::{Block, Then, Verdict};

fn needs_unmanaged(need: &str, seen: &str) -> Verdict {
    Verdict::Blocked(Block::NeedsUnmanaged { need: address(need), seen: seen.to_owned() })
}

fn still_needed(by: &str, seen: &str) -> Verdict {
    Verdict::Blocked(Block::StillNeeded { by: address(by), seen: seen.to_owned() })
}

#[test]
fn a_blocked_start_holds_up_the_whole_chain_behind_it_and_each_names_the_nearest_and_the_root() {
    let world = World::new()
        .entry("db", Goal::Running, there(Power::Stopped), &[])
        .locked("security")
        .entry("app", Goal::Running, there(Power::Stopped), &[("db", HARD)])
        .entry("web", Goal::Running, there(Power::Stopped), &[("app", HARD)])
        .entry("edge", Goal::Running, there(Power::Stopping), &[("web", HARD)])
        .entry("free", Goal::Running, there(Power::Stopped), &[]);
    assert_eq!(world.verdict("app"), held_up("db", "db"));
    assert_eq!(world.verdict("web"), held_up("app", "db"));
    assert_eq!(world.verdict("edge"), held_up("web", "db"));
    assert_eq!(world.verdict("free"), START);
}

#[test]
fn one_blocked_instance_of_an_entry_holds_up_its_dependents_and_not_its_siblings() {
    let seen = [there(Power::Stopped), Seen::Absent, there(Power::Stopped)];
    let world = World::new().several("app", Goal::Running, &seen, &[]).several(
        "web",
        Goal::Running,
        &[there(Power::Stopped), there(Power::Running)],
        &[("app", HARD)],
    );
    assert_eq!(world.verdict("app[i-app0]"), START);
    assert_eq!(world.verdict("app[i-app2]"), START);
    assert_eq!(world.verdict("web[i-web0]"), held_up("app[i-app1]", "app[i-app1]"));
    assert_eq!(world.verdict("web[i-web1]"), Verdict::InSync, "what runs already is not touched");
}

#[test]
fn what_runs_already_lets_no_blocking_through() {
    let world = World::new()
        .entry("db", Goal::Running, there(Power::Stopped), &[])
        .locked("security")
        .entry("app", Goal::Running, there(Power::Running), &[("db", HARD)])
        .entry("web", Goal::Running, there(Power::Stopped), &[("app", HARD)]);
    assert_eq!(world.verdict("app"), Verdict::InSync);
    assert_eq!(world.verdict("web"), START, "its own need is up");
}

#[test]
fn what_is_on_its_way_up_goes_on_and_only_the_call_after_it_is_left_out() {
    let world = World::new()
        .entry("db", Goal::Running, Seen::Absent, &[])
        .entry("app", Goal::Running, there(Power::Starting), &[("db", HARD)])
        .entry("web", Goal::Running, there(Power::Pending), &[("db", HARD)])
        .seeing(|sighting| sighting.spot = true)
        .entry("edge", Goal::Running, there(Power::Stopped), &[("app", HARD)]);
    assert_eq!(world.verdict("app"), Verdict::Wait { until: Goal::Running, then: None });
    let then = Some(Then::Blocked(Block::HeldUp { by: address("db"), root: address("db") }));
    assert_eq!(world.verdict("web"), Verdict::Wait { until: Goal::Running, then });
    assert_eq!(world.change("web").warnings, [], "nothing will be called");
    assert_eq!(world.verdict("edge"), START);
}

#[test]
fn a_soft_need_holds_nothing_up() {
    for need in [there(Power::Stopped), Seen::Absent] {
        let world = World::new()
            .entry("db", Goal::Running, need.clone(), &[])
            .with(|entry| entry.prevent_stop = true)
            .entry("web", Goal::Running, there(Power::Stopped), &[("db", SOFT)]);
        assert_eq!(world.verdict("web"), START);
        let world = World::new().entry("db", Goal::Any, need, &[]).entry(
            "web",
            Goal::Running,
            there(Power::Stopped),
            &[("db", SOFT)],
        );
        assert_eq!(world.verdict("web"), START);
    }
    let world = World::new()
        .entry("db", Goal::Stopped, there(Power::Running), &[])
        .entry("app", Goal::Stopped, there(Power::Running), &[("db", SOFT)])
        .with(|entry| entry.prevent_stop = true)
        .entry("any", Goal::Any, there(Power::Running), &[("db", SOFT)]);
    assert_eq!(world.verdict("app"), Verdict::Blocked(Block::PreventStop));
    assert_eq!(world.verdict("db"), stop());
}

#[test]
fn a_start_behind_something_unmanaged_asks_that_it_runs() {
    for (seen, verdict) in [
        (there(Power::Running), START),
        (there(Power::Stopped), needs_unmanaged("legacy", "Stopped")),
        (there(Power::Starting), needs_unmanaged("legacy", "Starting")),
        (there(Power::Stopping), needs_unmanaged("legacy", "Stopping")),
        (there(Power::Pending), needs_unmanaged("legacy", "Pending")),
        (there(Power::Unrecognised("Odd".into())), needs_unmanaged("legacy", "Odd")),
        (Seen::Absent, needs_unmanaged("legacy", "not visible")),
        (Seen::NotSeen { why: "no".to_owned() }, needs_unmanaged("legacy", "not seen")),
    ] {
        let world = World::new()
            .entry("legacy", Goal::Any, seen, &[])
            .entry("app", Goal::Running, there(Power::Stopped), &[("legacy", HARD)])
            .entry("web", Goal::Running, there(Power::Stopped), &[("app", HARD)])
            .entry("up", Goal::Running, there(Power::Running), &[("legacy", HARD)]);
        assert_eq!(world.verdict("app"), verdict);
        let behind = if verdict == START { START } else { held_up("app", "app") };
        assert_eq!(world.verdict("web"), behind);
        assert_eq!(world.verdict("up"), Verdict::InSync);
        assert_eq!(world.verdict("legacy"), Verdict::Any);
    }
}

#[test]
fn a_start_behind_an_instance_that_is_taken_back_is_blocked() {
    for goal in [Goal::Running, Goal::Any] {
        let world = World::new()
            .entry("spot", goal, there(Power::Running), &[])
            .locked("Recycling")
            .entry("app", Goal::Running, there(Power::Stopped), &[("spot", HARD)])
            .entry("soft", Goal::Running, there(Power::Stopped), &[("spot", SOFT)])
            .entry("web", Goal::Running, there(Power::Stopped), &[("app", HARD)]);
        let blocked = Verdict::Blocked(Block::NeedsRecycled { need: address("spot") });
        assert_eq!(world.verdict("app"), blocked, "with the goal {goal}");
        assert_eq!(world.verdict("web"), held_up("app", "app"));
        assert_eq!(world.verdict("soft"), START);
    }
}

#[test]
fn a_blocked_stop_holds_up_the_stops_of_all_that_it_needs() {
    for (seen, prevent_stop, blocks) in [
        (there(Power::Running), true, true),
        (Seen::Absent, false, true),
        (Seen::NotSeen { why: "no".to_owned() }, false, true),
        (there(Power::Unrecognised("Odd".into())), false, true),
        (there(Power::Running), false, false),
        (there(Power::Stopping), true, false),
        (there(Power::Stopped), true, false),
    ] {
        let world = World::new()
            .entry("db", Goal::Stopped, there(Power::Running), &[])
            .entry("disk", Goal::Stopped, there(Power::Starting), &[])
            .entry("app", Goal::Stopped, there(Power::Running), &[("db", HARD), ("disk", HARD)])
            .entry("web", Goal::Stopped, seen.clone(), &[("app", HARD)])
            .with(|entry| entry.prevent_stop = prevent_stop)
            .entry("free", Goal::Stopped, there(Power::Running), &[]);
        let behind = |by: &str| if blocks { held_up(by, "web") } else { stop() };
        assert_eq!(world.verdict("app"), behind("web"), "{seen:?}");
        assert_eq!(world.verdict("db"), behind("app"), "{seen:?}");
        assert_eq!(matches!(world.verdict("disk"), Verdict::Blocked(_)), blocks);
        assert_eq!(world.verdict("free"), stop());
    }
}

#[test]
fn what_is_on_its_way_down_goes_on_and_only_the_call_after_it_is_left_out() {
    let world = World::new()
        .entry("db", Goal::Stopped, there(Power::Stopping), &[])
        .entry("new", Goal::Stopped, there(Power::Pending), &[])
        .entry("web", Goal::Stopped, there(Power::Running), &[("db", HARD), ("new", HARD)])
        .with(|entry| entry.prevent_stop = true);
    assert_eq!(world.verdict("db"), Verdict::Wait { until: Goal::Stopped, then: None });
    let then = Some(Then::Blocked(Block::HeldUp { by: address("web"), root: address("web") }));
    assert_eq!(world.verdict("new"), Verdict::Wait { until: Goal::Stopped, then });
}

#[test]
fn nothing_is_stopped_that_something_unmanaged_still_needs() {
    for (seen, verdict) in [
        (there(Power::Stopped), stop()),
        (there(Power::Running), still_needed("legacy", "Running")),
        (there(Power::Starting), still_needed("legacy", "Starting")),
        (there(Power::Stopping), still_needed("legacy", "Stopping")),
        (there(Power::Pending), still_needed("legacy", "Pending")),
        (Seen::Absent, still_needed("legacy", "not visible")),
        (Seen::NotSeen { why: "no".to_owned() }, still_needed("legacy", "not seen")),
    ] {
        let world = World::new()
            .entry("disk", Goal::Stopped, there(Power::Running), &[])
            .entry("db", Goal::Stopped, there(Power::Running), &[("disk", HARD)])
            .entry("legacy", Goal::Any, seen, &[("db", HARD)]);
        assert_eq!(world.verdict("db"), verdict);
        assert_eq!(world.verdict("disk"), if verdict == stop() { stop() } else { held_up("db", "db") });
    }
}

#[test]
fn the_first_by_name_is_the_one_that_is_named() {
    let world = World::new()
        .entry("a", Goal::Running, Seen::Absent, &[])
        .entry("b", Goal::Running, Seen::Absent, &[])
        .entry("web", Goal::Running, there(Power::Stopped), &[("b", HARD), ("a", HARD)]);
    assert_eq!(world.verdict("web"), held_up("a", "a"));
    for names in [["a", "b", "z"], ["z", "b", "a"], ["b", "z", "a"]] {
        let mut world = World::new().entry("db", Goal::Stopped, there(Power::Running), &[]);
        for name in names {
            world = world.entry(name, Goal::Stopped, Seen::Absent, &[("db", HARD)]);
        }
        assert_eq!(world.verdict("db"), held_up("a", "a"));
    }
    let world = World::new()
        .entry("db", Goal::Stopped, there(Power::Running), &[])
        .entry("b", Goal::Stopped, Seen::Absent, &[("db", HARD)])
        .entry("a", Goal::Stopped, there(Power::Running), &[("b", SOFT), ("db", HARD)])
        .with(|entry| entry.prevent_stop = true);
    assert_eq!(world.verdict("db"), held_up("a", "a"));
    let world = world.entry("c", Goal::Stopped, Seen::Absent, &[("a", SOFT), ("db", HARD)]);
    assert_eq!(world.verdict("db"), held_up("a", "a"), "whatever else orders them");
}

#[test]
fn an_instance_with_a_reason_of_its_own_keeps_it_and_is_the_root_for_those_behind() {
    let world = World::new()
        .entry("db", Goal::Running, Seen::Absent, &[])
        .entry("app", Goal::Running, Seen::Absent, &[("db", HARD)])
        .entry("web", Goal::Running, there(Power::Stopped), &[("app", HARD)]);
    assert_eq!(world.verdict("app"), Verdict::Blocked(Block::NotVisible));
    assert_eq!(world.verdict("web"), held_up("app", "app"));
}

#[test]
fn what_is_held_up_has_neither_reason_nor_warning_left() {
    let world = World::new()
        .entry("db", Goal::Running, Seen::Absent, &[])
        .entry("web", Goal::Running, there(Power::Stopped), &[("db", HARD)])
        .seeing(|sighting| sighting.spot = true);
    let change = world.change("web");
    assert!(change.why.is_none() && change.warnings.is_empty());
}

#[test]
fn starts_and_stops_do_not_hold_each_other_up() {
    let world = World::new()
        .entry("db", Goal::Running, Seen::Absent, &[])
        .entry("app", Goal::Stopped, there(Power::Running), &[("db", HARD)])
        .entry("new", Goal::Running, there(Power::Pending), &[("db", SOFT)]);
    assert_eq!(world.verdict("app"), stop());
    let then = Some(Then::Start { init_local_disk: false });
    assert_eq!(world.verdict("new"), Verdict::Wait { until: Goal::Running, then });
}
