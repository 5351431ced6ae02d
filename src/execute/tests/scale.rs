//! Large fleets: the number of looks and calls, and waits that must not be mistaken for failures.

use std::time::Duration;

use super::sketch::Sketch;
use super::twin::{Blind, Fate, Machine, Play, Played, Twin, ms, plan_for, play, secs};
use crate::cloud::{Advice, Refusal};
use crate::execute::{CallBounds, EventKind, Failure, Limits, Outcome};
use crate::fleet::{Desired, Goal, Power, ProviderAlias, Strength};
use crate::plan::Change;

/// Layers of entries with so many instances each; every layer needs the one before it.
fn layers(layers: usize, size: usize) -> Desired {
    let names: Vec<String> = (0..layers).map(|layer| format!("layer{layer:02}")).collect();
    let mut sketch = Sketch::new();
    for (layer, name) in names.iter().enumerate() {
        let needs: Vec<(&str, Strength)> =
            names[..layer].last().map(|before| (before.as_str(), Strength::Hard)).into_iter().collect();
        sketch = sketch.entry(name, Goal::Running, size, &needs);
    }
    sketch.desired()
}

/// A fleet of stopped machines, for fleets too large to list all that each call must find met.
fn stopped(desired: &Desired, takes: Duration) -> Twin {
    let mut twin = Twin::default();
    twin.latency = ms(50);
    for id in desired.entries.iter().flat_map(|entry| entry.ids()) {
        twin.machines.insert(id.clone(), Machine::new(Power::Stopped, takes));
    }
    twin
}

fn looks_in_the_busiest_minute(played: &Played) -> usize {
    let sent: Vec<Duration> = played.twin.looks.iter().map(|(at, _)| *at).collect();
    let within = |(at, first): (usize, &Duration)| {
        sent[at..].iter().take_while(|look| **look < *first + secs(60)).count()
    };
    sent.iter().enumerate().map(within).max().unwrap_or_default()
}

#[test]
fn ten_thousand_instances_in_ten_layers_take_one_call_each_and_few_looks() {
    let desired = layers(10, 1_000);
    let twin = stopped(&desired, secs(0));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(played.report.meets_every_goal(&plan));
    assert_eq!(played.twin.log.len(), 10_000, "one call for each");
    let looks = played.twin.looks.len();
    assert!(looks <= 105, "{looks} looks, where 100 are the least");
    assert!(played.ended_at < secs(6), "no look is in vain, so none waits: {:?}", played.ended_at);
    assert!(looks_in_the_busiest_minute(&played) <= 120);
    let requests = played.twin.requests.len();
    assert_eq!(requests, 100, "no more than are needed");
}

/// They cannot all be looked at as often as one would like, so some of each layer are looked at for all of it.
#[test]
fn in_a_crowd_little_time_is_lost_and_few_looks() {
    let desired = layers(10, 1_000);
    let twin = stopped(&desired, secs(20));
    let plan = plan_for(&desired, &twin);
    let recorded = |_: &Change| Some(secs(20));
    let nothing = |_: &Change| None;
    for (expected, longest, most) in
        [(&nothing as &dyn Fn(&Change) -> Option<Duration>, 1.07, 350), (&recorded, 1.02, 240)]
    {
        let played = play(&plan, twin.clone(), &Play { expected: Some(expected), ..Play::default() });
        assert!(played.report.meets_every_goal(&plan));
        let ratio = played.ended_at.as_secs_f64() / 200.0;
        let looks = played.twin.looks.len();
        assert!(ratio <= longest, "{ratio} times the boots");
        assert!(looks <= most, "{looks} looks");
        assert!(looks_in_the_busiest_minute(&played) <= 120);
        let requests = played.twin.requests.len();
        assert!(requests <= 110, "{requests} requests, where 100 are the least");
    }
}

/// One that is slower or quicker than all others of its entry is found nevertheless.
#[test]
fn in_a_crowd_the_odd_ones_are_found_too() {
    let desired = layers(1, 1_000);
    let mut twin = stopped(&desired, secs(40));
    let quick = twin.machines.keys().nth(500).expect("there").clone();
    let slow = twin.machines.keys().nth(700).expect("there").clone();
    twin.machines.insert(quick.clone(), Machine::new(Power::Stopped, secs(5)));
    twin.machines.insert(slow, Machine::new(Power::Stopped, secs(150)));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(played.report.meets_every_goal(&plan));
    assert!(played.ended_at < secs(153), "{:?}", played.ended_at);
    let found = played.events.iter().find_map(|event| match event.kind {
        EventKind::Completed { change, .. } if plan.changes[change].key.id == quick => Some(event.at),
        _ => None,
    });
    assert!(found.is_some_and(|at| at < secs(35)), "{found:?}");
}

/// Looks at many take several answers, which come a few milliseconds apart.
#[test]
fn what_comes_due_within_a_few_milliseconds_travels_together() {
    let mut sketch = Sketch::new();
    for pair in 0..400 {
        sketch = sketch.entry(&format!("db{pair:03}"), Goal::Running, 1, &[]);
    }
    for pair in 0..400 {
        let database = format!("db{pair:03}");
        sketch = sketch.entry(&format!("web{pair:03}"), Goal::Running, 1, &[(&database, Strength::Hard)]);
    }
    let desired = sketch.desired();
    let mut twin = stopped(&desired, secs(20));
    twin.look_jitter = ms(15);
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(played.report.meets_every_goal(&plan));
    assert_eq!(played.twin.log.len(), 800, "one call for each");
    let requests = &played.twin.requests;
    assert!(requests.len() <= 9, "8 are the least: {requests:?}");
    assert!(played.ended_at < secs(44), "{:?}", played.ended_at);
}

/// A request takes a hundred at most, so that many travel together whatever `batch_above` says beyond that.
#[test]
fn a_full_request_travels_together_whatever_else_is_due() {
    let desired = Sketch::new().entry("app", Goal::Running, 400, &[]).desired();
    let twin = stopped(&desired, secs(20));
    let plan = plan_for(&desired, &twin);
    for batch_above in [10, 99, 100, 150] {
        let limits = Limits::of_main(CallBounds { batch_above, ..CallBounds::default() });
        let played = play(&plan, twin.clone(), &Play { limits, ..Play::default() });
        assert!(played.report.meets_every_goal(&plan));
        assert_eq!(played.twin.requests, [100, 100, 100, 100], "batch_above {batch_above}");
    }
}

/// More than ten stops are due, though none of the ways of stopping is asked for by more than ten.
#[test]
fn stops_of_two_policies_that_are_due_together_take_two_requests() {
    let mut sketch = Sketch::new();
    for number in 0..16 {
        sketch = sketch.entry(&format!("app{number:02}"), Goal::Stopped, 1, &[]);
        sketch = sketch.with(|entry| entry.stop.force = number % 2 == 0);
    }
    let desired = sketch.desired();
    let mut twin = stopped(&desired, secs(10));
    for machine in twin.machines.values_mut() {
        *machine = Machine::new(Power::Running, secs(10));
    }
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(played.report.meets_every_goal(&plan));
    assert_eq!(played.twin.requests, [8, 8]);
}

/// What a call depends on is seen within ten seconds even if that takes more looks than come by in ten seconds.
#[test]
fn large_layers_are_ordered_although_looks_are_scarce() {
    for size in [500, 1_500, 4_000] {
        let desired = layers(2, size);
        let twin = stopped(&desired, secs(20));
        let plan = plan_for(&desired, &twin);
        let played = play(&plan, twin, &Play::default());
        assert!(played.report.meets_every_goal(&plan), "two layers of {size}");
        assert_eq!(played.twin.log.len(), 2 * size);
        assert!(looks_in_the_busiest_minute(&played) <= 120);
        let (first, second) = played.twin.log.split_at(size);
        let up = |call: &super::twin::Logged| played.twin.machines[&call.id].at(second[0].at).cloned();
        assert!(first.iter().all(|call| up(call) == Some(Power::Running)), "two layers of {size}");
    }
}

#[test]
fn standing_in_line_for_a_call_is_no_failure() {
    let desired = Sketch::new()
        .entry("app", Goal::Running, 200, &[])
        .with(|entry| entry.timeouts.start = secs(30))
        .desired();
    let mut twin = stopped(&desired, secs(3));
    twin.latency = secs(5);
    let plan = plan_for(&desired, &twin);
    let limits = Limits::of_main(CallBounds { batch_above: 0, ..CallBounds::default() });
    let played = play(&plan, twin, &Play { limits, ..Play::default() });
    assert!(played.ended_at > secs(60), "16 at a time, 5 s each: {:?}", played.ended_at);
    assert!(played.report.meets_every_goal(&plan));
}

#[test]
fn a_call_that_is_never_let_through_ends_with_its_timeout() {
    let desired = Sketch::new()
        .entry("app", Goal::Running, 3, &[])
        .with(|entry| entry.timeouts.start = secs(60))
        .desired();
    for (retry_after, at_least, at_most) in
        [(None, 18, 24), (Some(secs(0)), 100, 800), (Some(secs(9_000)), 1, 2)]
    {
        let mut twin = stopped(&desired, secs(3));
        for machine in twin.machines.values_mut() {
            let throttled = Refusal::new(Advice::Throttled { retry_after }, "Throttling.User");
            machine.fates = vec![Fate::Refuse(throttled); 2_000];
        }
        let plan = plan_for(&desired, &twin);
        let played = play(&plan, twin, &Play::default());
        for outcome in played.report.outcomes.values() {
            // Throttled attempts are not counted as sent.
            assert!(matches!(outcome, Outcome::Failed(Failure::GaveUp { sends: 0, .. })), "{outcome:?}");
        }
        // One probe at a time speaks for all three.
        let attempts = played.twin.log.len() / 3;
        assert!((at_least..=at_most).contains(&attempts), "{attempts} with {retry_after:?}");
        assert!(played.ended_at <= secs(122), "{:?}", played.ended_at);
    }
}

#[test]
fn looks_at_the_needs_of_a_call_are_repeated_calmly_while_they_fail() {
    let elsewhere = ProviderAlias::new("hk").expect("valid");
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .with(|entry| entry.provider = elsewhere.clone())
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let mut twin = stopped(&desired, secs(5));
    let db = desired.entries[0].ids()[0].clone();
    twin.machines.insert(db, Machine::new(Power::Running, secs(5)));
    twin.blind = vec![Blind { provider: Some(elsewhere), ..Blind::between(secs(0), secs(200)) }];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play { age: secs(100), ..Play::default() });
    assert!(played.report.meets_every_goal(&plan));
    let before = played.twin.looks.iter().filter(|(at, _)| *at < secs(200)).count();
    assert!(before < 35, "{before} looks in 100 s, most of them at the one that is waiting");
}
