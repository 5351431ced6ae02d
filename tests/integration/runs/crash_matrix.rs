//! An apply of forty instances that is killed at two hundred moments: whenever that is, the next one ends in the same
//! place, without a second start, without an order that is broken, and without anybody having to unlock anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use nix::sys::signal::Signal;

use crate::harness::{CloudLog, Scenario, World, side_by_side};

/// Entries, how many instances each has, its goal, what it needs, and what its instances are at first.
const ENTRIES: [(&str, usize, &str, &str, &str); 8] = [
    ("db", 1, "Running", "", "Stopped"),
    ("cache", 3, "Running", "", "Stopped"),
    ("app", 10, "Running", "db: {}, cache: {}", "Stopped"),
    ("web", 8, "Running", "app: {}", "Stopped"),
    ("worker", 6, "Running", "db: {}, cache: { required: false }", "Stopped"),
    ("batch", 8, "Stopped", "store: {}", "Running"),
    ("store", 2, "Stopped", "", "Running"),
    ("idle", 2, "Running", "", "Running"),
];

/// Applies, each killed at another moment.
const KILLS: usize = 200;

/// An undisturbed apply takes more requests than these, however slow the machine is: its calls alone are more.
const REQUESTS: usize = 14;

fn ids(entry: &str, instances: usize) -> Vec<String> {
    (0..instances).map(|at| format!("i-{entry}{at}")).collect()
}

/// Boots that take some looks, and answers that are a while on their way: a kill falls into the time in which a call
/// has worked and nobody knows.
fn account(random: &mut Rng) -> String {
    let mut account = "faults:\n".to_owned();
    for action in ["StartInstance", "StartInstances", "StopInstances", "DescribeInstances"] {
        let (nth, delay) = (random.usize(1..4), random.u64(20..150));
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(account, "  - {{ action: {action}, nth: {nth}, times: 2, delay: {delay}ms }}");
    }
    account.push_str("instances:\n");
    for (entry, instances, _, _, status) in ENTRIES {
        for id in ids(entry, instances) {
            let (start, stop) = (random.u64(10..120), random.u64(10..80));
            let _ =
                writeln!(account, "  - {{ id: {id}, status: {status}, start: {start}ms, stop: {stop}ms }}");
        }
    }
    account
}

fn configuration() -> String {
    let mut configuration = "instances:\n".to_owned();
    for (entry, instances, goal, needs, _) in ENTRIES {
        let at_once = if entry == "web" { ", at_once: 3" } else { "" };
        let ids = ids(entry, instances).join(", ");
        let _ = writeln!(
            configuration,
            "  {entry}: {{ ids: [{ids}], status: {goal}, depends_on: {{ {needs} }}{at_once} }}"
        );
    }
    configuration
}

#[test]
fn an_apply_of_forty_that_is_killed_at_any_of_two_hundred_moments_is_finished_by_the_next() {
    let killed_midway = AtomicUsize::new(0);
    let moments: Vec<usize> = (0..KILLS).collect();
    side_by_side(&moments, |&moment| {
        let mut random = Rng::with_seed(moment as u64);
        let mut scenario = Scenario::in_world(World::Served, &account(&mut random), &configuration());
        scenario.provide("batch_above: 3");
        scenario.write_configuration(&configuration());
        let (requests, later) = (1 + moment % REQUESTS, random.usize(0..12));

        let mut apply = scenario.start(&["apply", "--auto-approve"]);
        let mut left = later;
        apply.running().until("it is killed or has ended", |running| {
            if scenario.log().requests().count() >= requests {
                left = left.saturating_sub(1);
            }
            left == 0 && scenario.log().requests().count() >= requests
                || running.stdout().contains("\nApply ")
        });
        apply.running().signal(Signal::SIGKILL);
        if apply.finish().status.is_none() {
            killed_midway.fetch_add(1, Ordering::Relaxed);
        }

        // Whatever was written is whole, and reading it needs no unlocking.
        scenario.run(&["state", "list"]).exits(0);
        let finished = scenario.apply().exits(0);
        assert!(!finished.stderr.contains("is locked"), "moment {moment}: {}", finished.stderr);
        let log = scenario.log();
        each_was_accepted_once(&log, moment);
        nothing_was_sent_blindly(&log, moment);
        scenario.is_in_sync();
    });
    let killed = killed_midway.into_inner();
    assert!(killed > KILLS / 2, "only {killed} of {KILLS} were killed before their end");
}

/// Over both runs, each machine that had to move was accepted once, and no other was touched.
fn each_was_accepted_once(log: &CloudLog, moment: usize) {
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for call in log.calls().iter().filter(|call| call.was_accepted()) {
        *accepted.entry(call.words()).or_default() += 1;
    }
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    for (entry, instances, goal, _, first) in ENTRIES {
        let call = if goal == "Running" { "Start" } else { "Stop" };
        let moves = ids(entry, instances).into_iter().filter(|_| goal != first);
        wanted.extend(moves.map(|id| (format!("{call} {id}"), 1)));
    }
    assert_eq!(accepted, wanted, "moment {moment}");
}

/// Between two calls for one machine there was a look.
fn nothing_was_sent_blindly(log: &CloudLog, moment: usize) {
    let looks: Vec<_> = log.requests_of("DescribeInstances").into_iter().map(|(at, _)| at).collect();
    let mut last = BTreeMap::new();
    for call in log.calls() {
        if let Some(before) = last.insert(call.instance().to_owned(), call.at) {
            let looked = looks.iter().any(|look| before <= *look && *look <= call.at);
            assert!(looked, "moment {moment}: {} was sent again without a look", call.words());
        }
    }
}
