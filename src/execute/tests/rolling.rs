//! How the instances of one entry take their turns, and what a missing stock means for them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::sketch::Sketch;
use super::twin::{Fate, Play, Played, fleet, id, plan_for, play, secs, story};
use crate::cloud::{Advice, Refusal};
use crate::execute::event::{EventKind, Failure};
use crate::execute::{CallBounds, Limits, Outcome};
use crate::fleet::{AtOnce, Entry, Goal, OnFailure, OnNoStock, Power, RollingOrder, Strength};
use crate::plan::{Plan, Sequence};

fn no_stock() -> Fate {
    let refusal = Refusal::new(Advice::Capacity, "no stock");
    Fate::Refuse(Refusal { code: Some("OperationDenied.NoStock".to_owned()), ..refusal })
}

/// Six stopped machines that shall run; each takes eight seconds.
fn app(change: impl FnOnce(&mut Entry)) -> Sketch {
    Sketch::new().entry("app", Goal::Running, 6, &[]).with(change)
}

fn rolled(sketch: Sketch, fates: &[(&str, Vec<Fate>)], turn: impl FnOnce(&mut Plan)) -> (Plan, Played) {
    let desired = sketch.desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(8));
    for (name, fates) in fates {
        twin.machines.get_mut(&id(name)).expect("there").fates = fates.clone();
    }
    let mut plan = plan_for(&desired, &twin);
    turn(&mut plan);
    let limits = Limits::of_main(CallBounds { batch_above: 0, ..CallBounds::default() });
    let played = play(&plan, twin, &Play { limits, ..Play::default() });
    (plan, played)
}

/// When each call was made, in whole seconds.
fn calls(played: &Played) -> BTreeMap<u64, Vec<String>> {
    let mut calls: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for call in &played.twin.log {
        calls.entry(call.at.as_secs()).or_default().push(call.id.to_string());
    }
    calls
}

#[test]
fn turns_rest_for_the_pause_between_an_end_and_the_next_beginning() {
    let (plan, played) = rolled(
        app(|entry| {
            entry.at_once = NonZeroU32::new(2).map(AtOnce::Count);
            entry.pause = secs(30);
        }),
        &[],
        |_| {},
    );
    let at: Vec<u64> = calls(&played).into_keys().collect();
    assert_eq!(at.len(), 3, "{at:?}");
    assert!(at[1] >= 38 && at[1] < 40 && at[2] >= 76 && at[2] < 79, "{at:?}");
    assert!(played.report.meets_every_goal(&plan));
}

#[test]
fn a_share_is_of_the_instances_of_the_entry() {
    let (_, played) = rolled(app(|entry| entry.at_once = Some(AtOnce::Percent(50))), &[], |_| {});
    let sizes: Vec<usize> = calls(&played).into_values().map(|calls| calls.len()).collect();
    assert_eq!(sizes, [3, 3]);
}

#[test]
fn zones_go_one_after_the_other_and_a_list_in_its_order() {
    let (_, played) = rolled(app(|entry| entry.order = Some(RollingOrder::Zones)), &[], |plan| {
        plan.groups[0].sequence = Some(Sequence::ByZone(vec![vec![4, 5], vec![0, 1, 2], vec![3]]));
        plan.groups[0].pause = secs(10);
    });
    let by_zone: Vec<Vec<String>> = calls(&played)
        .into_values()
        .map(|mut ids| {
            ids.sort();
            ids
        })
        .collect();
    assert_eq!(by_zone, [vec!["i-app4", "i-app5"], vec!["i-app0", "i-app1", "i-app2"], vec!["i-app3"]]);
    let at: Vec<u64> = calls(&played).into_keys().collect();
    assert!(at[1] >= 18 && at[2] >= 36, "{at:?}");

    let (_, played) =
        rolled(app(|entry| entry.at_once = NonZeroU32::new(1).map(AtOnce::Count)), &[], |plan| {
            plan.groups[0].sequence = Some(Sequence::AsListed(vec![3, 0, 5, 1, 4, 2]));
        });
    let order: Vec<String> = played.twin.log.iter().map(|call| call.id.to_string()).collect();
    assert_eq!(order, ["i-app3", "i-app0", "i-app5", "i-app1", "i-app4", "i-app2"]);
}

#[test]
fn a_bad_rollout_stops_after_the_first_failure_where_that_is_asked_for() {
    let refused = || vec![Fate::Refuse(Refusal::new(Advice::Final, "no"))];
    let sketch = |on_failure| {
        app(move |entry| {
            entry.at_once = NonZeroU32::new(2).map(AtOnce::Count);
            entry.on_failure = on_failure;
        })
        .entry("free", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("app", Strength::Hard)])
    };
    let (plan, played) = rolled(sketch(OnFailure::Stop), &[("i-app0", refused())], |_| {});
    let called: Vec<String> = played.twin.log.iter().map(|call| call.id.to_string()).collect();
    assert_eq!(called.len(), 3, "what was under way goes on, and others do not care: {called:?}");
    assert_eq!(story(&plan, &played.events, "app[i-app4]"), ["skipped because of app[i-app0]"]);
    assert_eq!(played.report.outcomes[&1], Outcome::Started);
    assert!(matches!(played.report.outcomes[&7], Outcome::Skipped { .. }));
    let (_, played) = rolled(sketch(OnFailure::Continue), &[("i-app0", refused())], |_| {});
    assert_eq!(played.twin.log.len(), 7, "all but the dependent");
}

#[test]
fn those_that_only_wait_for_their_call_are_stopped_too() {
    // Every machine has its turn at once; the calls of all but the first ones wait behind the limit.
    let refused = vec![Fate::Refuse(Refusal::new(Advice::Final, "no"))];
    let sketch =
        Sketch::new().entry("app", Goal::Running, 40, &[]).with(|entry| entry.on_failure = OnFailure::Stop);
    let (_, played) = rolled(sketch, &[("i-app0", refused)], |_| {});
    assert!(played.twin.log.len() <= 16, "{}", played.twin.log.len());
    let skipped = played.report.outcomes.values().filter(|it| matches!(it, Outcome::Skipped { .. })).count();
    assert_eq!(skipped + played.twin.log.len(), 40);
}

#[test]
fn a_start_without_stock_is_asked_for_again_calmly_and_then_given_up() {
    let patient =
        |patience: Duration| move |entry: &mut Entry| entry.on_no_stock = OnNoStock::RetryFor(patience);
    let (plan, played) = rolled(app(patient(secs(900))), &[("i-app2", vec![no_stock(), no_stock()])], |_| {});
    assert!(played.report.meets_every_goal(&plan));
    assert_eq!(
        story(&plan, &played.events, "app[i-app2]"),
        ["began start", "no stock", "no stock", "accepted", "seen Starting", "done Called"]
    );
    let asked: Vec<u64> =
        played.twin.log.iter().filter(|call| call.id == id("i-app2")).map(|call| call.at.as_secs()).collect();
    assert_eq!(asked, [0, 15, 45]);
    let said = played.events.iter().find_map(|event| match &event.kind {
        EventKind::OutOfStock { again, until, .. } => Some((again.as_secs(), until.as_secs())),
        _ => None,
    });
    assert_eq!(said, Some((15, 900)));

    let (_, played) = rolled(app(patient(secs(100))), &[("i-app2", vec![no_stock(); 9])], |_| {});
    let Outcome::Failed(Failure::NoStock { tries, patience, .. }) = &played.report.outcomes[&2] else {
        panic!("{:?}", played.report.outcomes[&2])
    };
    assert_eq!((*tries, *patience), (4, secs(100)));
    assert!(played.ended_at >= secs(100) && played.ended_at < secs(103), "{:?}", played.ended_at);

    let (_, played) = rolled(app(|_| {}), &[("i-app2", vec![no_stock()])], |_| {});
    assert!(
        matches!(&played.report.outcomes[&2], Outcome::Failed(Failure::Refused(_))),
        "unless it is asked for"
    );
}
