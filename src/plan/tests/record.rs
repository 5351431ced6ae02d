//! The record explains and never decides.

use super::world::{START, THEN, World, key, stop, there};
use crate::fleet::{EntryName, Goal, Members, Power, ProviderAlias, Seen};
use crate::plan::{Drift, Verdict, Why};

fn db(goal: Goal, power: Power) -> World {
    World::new().entry("db", goal, there(power), &[])
}

#[test]
fn the_reason_follows_from_what_the_last_apply_left() {
    let unfinished = Why::Unfinished { recorded_at: THEN };
    let table = [
        (None, Why::NewlyManaged),
        (Some((Goal::Running, Power::Running)), Why::Drifted),
        (Some((Goal::Running, Power::Stopped)), unfinished.clone()),
        (Some((Goal::Running, Power::Starting)), unfinished.clone()),
        (Some((Goal::Running, Power::Pending)), unfinished),
        (Some((Goal::Stopped, Power::Stopped)), Why::GoalChanged { from: Goal::Stopped }),
        (Some((Goal::Any, Power::Running)), Why::GoalChanged { from: Goal::Any }),
    ];
    for (record, why) in table {
        for power in [Power::Stopped, Power::Stopping, Power::Starting, Power::Pending] {
            let mut world = db(Goal::Running, power);
            if let Some((goal, power)) = record.clone() {
                world = world.record("db", "i-db", goal, power);
            }
            assert_eq!(world.change("db").why, Some(why.clone()), "{record:?}");
        }
    }
    let stops = db(Goal::Stopped, Power::Running);
    assert_eq!(stops.change("db").why, Some(Why::NewlyManaged));
    let stops = stops.record("db", "i-db", Goal::Stopped, Power::Stopped);
    assert_eq!((stops.change("db").why, stops.verdict("db")), (Some(Why::Drifted), stop()));
}

#[test]
fn where_nothing_is_done_no_reason_is_given() {
    for world in [
        db(Goal::Running, Power::Running),
        db(Goal::Any, Power::Stopped),
        db(Goal::Running, Power::Stopped).locked("security"),
    ] {
        let world = world.record("db", "i-db", Goal::Running, Power::Running);
        assert_eq!(world.change("db").why, None);
    }
}

#[test]
fn drift_is_said_of_what_had_settled_and_moved_whatever_the_verdict() {
    let drift = |was, is| Some(Drift { was, is, since: THEN });
    let table = [
        (Goal::Running, Power::Running, Power::Stopped, drift(Power::Running, Power::Stopped)),
        (Goal::Running, Power::Running, Power::Stopping, drift(Power::Running, Power::Stopping)),
        (Goal::Running, Power::Stopped, Power::Running, drift(Power::Stopped, Power::Running)),
        (Goal::Stopped, Power::Stopped, Power::Running, drift(Power::Stopped, Power::Running)),
        (Goal::Running, Power::Running, Power::Running, None),
        (Goal::Running, Power::Stopped, Power::Stopped, None),
        // A run that was cut short left it on its way: that it has arrived is no news.
        (Goal::Running, Power::Starting, Power::Running, None),
        (Goal::Running, Power::Starting, Power::Stopped, None),
        (Goal::Any, Power::Running, Power::Stopped, None),
    ];
    for (goal, was, is, expected) in table {
        let world = db(goal, is.clone()).record("db", "i-db", goal, was.clone());
        assert_eq!(world.change("db").drift, expected, "{goal}: {was} to {is}");
    }
    let locked = db(Goal::Running, Power::Stopped).locked("security");
    let locked = locked.record("db", "i-db", Goal::Running, Power::Running);
    assert_eq!(locked.change("db").drift, drift(Power::Running, Power::Stopped));
    assert_eq!(db(Goal::Running, Power::Stopped).change("db").drift, None, "nothing is recorded");
    for seen in [Seen::Absent, Seen::NotSeen { why: "no".to_owned() }] {
        let gone = World::new().entry("db", Goal::Running, seen, &[]);
        let gone = gone.record("db", "i-db", Goal::Running, Power::Running);
        assert_eq!(gone.change("db").drift, None, "it was not seen as anything");
    }
}

#[test]
fn what_left_the_configuration_is_released_and_nothing_else_is_done_to_it() {
    let world = db(Goal::Running, Power::Running).record("old", "i-old", Goal::Running, Power::Running);
    let change = world.change("old");
    assert_eq!((change.verdict, change.why), (Verdict::Release, Some(Why::LeftConfiguration)));
    assert!(change.entry.is_none() && change.goal.is_none() && change.region.is_none());
    assert!(change.drift.is_none() && change.warnings.is_empty());
    let plan = world.plan();
    let grouped: usize = plan.groups.iter().map(|group| group.changes.len()).sum();
    assert_eq!(grouped, 1, "a release is no part of what is carried out");
}

#[test]
fn a_renamed_entry_keeps_its_record() {
    let world =
        db(Goal::Running, Power::Stopped).record("database", "i-db", Goal::Running, Power::Running).plan();
    assert_eq!(world.changes.len(), 1);
    assert_eq!(world.changes[0].address.to_string(), "db");
    assert_eq!(world.changes[0].why, Some(Why::Drifted));
}

#[test]
fn an_entry_with_another_id_releases_the_old_instance_and_starts_the_new_one() {
    let world = db(Goal::Running, Power::Stopped).record("db", "i-before", Goal::Running, Power::Running);
    let changes = world.plan().changes;
    let said: Vec<(&str, &Verdict)> =
        changes.iter().map(|change| (change.key.id.as_str(), &change.verdict)).collect();
    assert_eq!(said, [("i-before", &Verdict::Release), ("i-db", &START)]);
    assert!(changes.iter().all(|change| change.address.to_string() == "db"));
}

#[test]
fn the_same_id_at_another_provider_is_another_instance() {
    let world = World::new()
        .entry("db", Goal::Any, there(Power::Running), &[])
        .with(|entry| entry.provider = ProviderAlias::new("hk").expect("valid"))
        .record("db", "i-db", Goal::Running, Power::Running);
    let changes = world.plan().changes;
    let said: Vec<_> = changes.iter().map(|change| (change.key.clone(), change.verdict.clone())).collect();
    let main = ProviderAlias::main();
    assert_eq!(said, [(key(main.as_str(), "i-db"), Verdict::Release), (key("hk", "i-db"), Verdict::Any)]);
}

#[test]
fn changes_come_in_the_order_of_their_addresses() {
    let world = World::new()
        .several("b", Goal::Running, &[there(Power::Running), there(Power::Running)], &[])
        .entry("c", Goal::Running, there(Power::Running), &[])
        .entry("a", Goal::Running, there(Power::Running), &[])
        .with(|entry| {
            entry.name = EntryName::new("a").expect("valid");
            entry.members = Members::Single(entry.ids()[0].clone());
        })
        .record("bb", "i-old", Goal::Running, Power::Running);
    let addresses: Vec<String> =
        world.plan().changes.iter().map(|change| change.address.to_string()).collect();
    assert_eq!(addresses, ["a", "b[i-b0]", "b[i-b1]", "bb", "c"]);
}
