//! Estates, mishaps and kills drawn at random: however it goes, running again ends in the same place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fastrand::Rng;
use nix::sys::signal::Signal;

use crate::harness::{Scenario, World, side_by_side};

/// What can go wrong with a call, once.
const MISHAPS: [&str; 9] = [
    "error: InternalError",
    "error: InstanceNotReady",
    "error: IncorrectInstanceStatus",
    "error: InstanceExpired",
    "drop: before",
    "drop: after",
    "garbage: \"<html></html>\"",
    "truncate: true",
    "http: 502",
];

/// Applies that may be needed: one for each final refusal, one for the kill, and one that succeeds.
const MOST_APPLIES: usize = 6;

#[test]
fn whatever_goes_wrong_a_few_applies_end_with_all_as_wanted_and_one_accepted_call_each() {
    let seeds: Vec<u64> = (0..24).collect();
    side_by_side(&seeds, |seed| {
        let mut random = Rng::with_seed(*seed);
        let (account, configuration) = estate(&mut random);
        let world = if random.bool() { World::Embedded } else { World::Served };
        let scenario = Scenario::in_world(world, &account, &configuration);
        if random.bool() {
            let requests = random.usize(2..12);
            let mut apply = scenario.start(&["apply", "--auto-approve"]);
            let mut ended = false;
            apply.running().until("it is killed or has ended", |running| {
                ended = running.stdout().contains("\nApply ");
                ended || scenario.log().requests().count() >= requests
            });
            apply.running().signal(Signal::SIGKILL);
            apply.finish();
        }
        let applies = (1..=MOST_APPLIES).find(|_| scenario.apply().status == Some(0));
        assert!(
            applies.is_some(),
            "seed {seed}: not done after {MOST_APPLIES} applies\n{account}\n{configuration}"
        );
        scenario.is_in_sync();
        let log = scenario.log();
        let mut accepted: BTreeMap<&str, usize> = BTreeMap::new();
        let calls = log.calls();
        for call in calls.iter().filter(|call| call.was_accepted()) {
            *accepted.entry(call.instance()).or_default() += 1;
        }
        assert!(accepted.values().all(|times| *times == 1), "seed {seed}: {accepted:?}");
    });
}

/// An account with mishaps, and a configuration whose dependencies make sense.
fn estate(random: &mut Rng) -> (String, String) {
    let mut account = "instances:\n".to_owned();
    let mut configuration = "instances:\n".to_owned();
    let mut entries: Vec<&str> = Vec::new();
    let mut instances = Vec::new();
    for entry in 0..random.usize(4..12) {
        let goal = if random.u8(..4) > 0 { "Running" } else { "Stopped" };
        let mut ids = Vec::new();
        for instance in 0..random.usize(1..4) {
            let id = format!("i-{entry}x{instance}");
            let status = if random.bool() { "Running" } else { "Stopped" };
            let (start, stop) = (random.u16(..300), random.u16(..300));
            // Writing to a string cannot fail.
            let _ =
                writeln!(account, "  - {{ id: {id}, status: {status}, start: {start}ms, stop: {stop}ms }}");
            ids.push(id);
        }
        let mut needs = Vec::new();
        for (need, other) in entries.iter().enumerate() {
            // A hard need has to have the same goal; a soft one need not.
            let hard = *other == goal && random.bool();
            if random.u8(..3) == 0 {
                needs.push(format!("e{need}: {{ required: {hard} }}"));
            }
        }
        let _ = writeln!(
            configuration,
            "  e{entry}: {{ ids: [{}], status: {goal}, at_once: {}, depends_on: {{ {} }} }}",
            ids.join(", "),
            random.u8(1..4),
            needs.join(", ")
        );
        entries.push(goal);
        instances.extend(ids);
    }
    let _ = writeln!(account, "lag: {}ms", [0, 0, 100, 400][random.usize(..4)]);
    account.push_str("faults:\n  - { action: DescribeInstances, nth: 3, drop: after }\n");
    for _ in 0..random.usize(1..5) {
        let action = if random.u8(..4) > 0 { "StartInstance" } else { "StopInstance" };
        let id = &instances[random.usize(..instances.len())];
        let mishap = MISHAPS[random.usize(..MISHAPS.len())];
        let _ = writeln!(account, "  - {{ action: {action}, instance: {id}, nth: 1, {mishap} }}");
    }
    (account, configuration)
}
