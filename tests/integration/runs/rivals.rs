//! Who else is at work: other applies, and people with a console.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use powerform::simulator::{LogEvent, LogLine};

use crate::harness::{Process, Scenario, World, side_by_side};

const IDS: [&str; 4] = ["i-a", "i-b", "i-c", "i-d"];

const CONFIGURATION: &str = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
  c: { id: i-c, status: Running, depends_on: [a] }
  d: { id: i-d, status: Stopped }
";

/// The last starts as it is not wanted, too. `first` is more about the first.
fn account(first: &str) -> String {
    format!(
        "instances: [{{ id: i-a{first} }}, {{ id: i-b }}, {{ id: i-c }}, {{ id: i-d, status: Running }}]\n"
    )
}

#[test]
fn of_two_applies_at_once_one_proceeds_and_the_other_is_told_who_holds_the_lock() {
    let rounds: Vec<u64> = (0..200).collect();
    side_by_side(&rounds, |round| {
        // The start of a lasts until both have shown where they stand.
        let scenario = Scenario::in_world(World::Served, &account(", start: 1h"), CONFIGURATION);
        let mut rivals = begin_two(&scenario, *round, &[]);
        let refused = loop {
            if let Some(refused) = rivals.iter_mut().position(|rival| rival.running().hear()) {
                break refused;
            }
        };
        rivals[1 - refused].until_called("StartInstance", "i-a");
        scenario.click("i-a", "Running");
        let [first, second] = rivals.map(Process::finish_among_others);
        let (done, refused) = if refused == 0 { (second, first) } else { (first, second) };
        done.exits(0);
        let refused = refused.exits(1).complains(&[
            "state/scenario.json is locked by tester@",
            "running \"apply\" on the stack scenario since 2",
            "lock id ",
            "--lock-timeout",
        ]);
        assert!(refused.stdout.is_empty(), "round {round}: it did not even look: {}", refused.stdout);
        each_was_called_once(&scenario, *round);
        scenario.is_in_sync();
    });
}

#[test]
fn of_two_applies_that_wait_for_the_lock_both_end_well() {
    let rounds: Vec<u64> = (0..100).collect();
    side_by_side(&rounds, |round| {
        let scenario = Scenario::in_world(World::Served, &account(""), CONFIGURATION);
        let rivals = begin_two(&scenario, *round, &["--lock-timeout", "90s"]);
        let ends = rivals.map(|rival| rival.finish_among_others().exits(0));
        let mut found_done = 0;
        for end in ends {
            let planned: Vec<&str> = end.lines.planned().map(|planned| planned.action()).collect();
            assert_eq!(planned.len(), IDS.len());
            if planned.iter().all(|action| *action == "noop") {
                found_done += 1;
            }
        }
        assert_eq!(found_done, 1, "round {round}: one did it all, the other looked after it was done");
        each_was_called_once(&scenario, *round);
    });
}

#[test]
fn an_apply_that_waits_for_one_that_is_killed_finishes_its_work() {
    let rounds: Vec<u64> = (0..30).collect();
    side_by_side(&rounds, |round| {
        let scenario = Scenario::in_world(World::Served, &account(""), CONFIGURATION);
        let mut first = scenario.start(&["apply", "--auto-approve"]);
        // Most rounds kill it under way, and some before or after.
        let requests = usize::try_from(round % 7).expect("a small number");
        let mut ended = false;
        first.running().until("so many requests, or its last words", |running| {
            ended = running.stdout().contains("\nApply complete");
            ended
                || scenario.state().with_extension("json.lock").exists()
                    && scenario.log().requests().count() >= requests
        });
        let second = scenario.start(&["apply", "--auto-approve", "--lock-timeout", "90s"]);
        for _ in 0..round / 7 {
            first.running().hear();
        }
        first.running().signal(Signal::SIGKILL);
        first.finish_among_others();
        second.finish_among_others().exits(0);
        let log = scenario.log();
        for (action, id) in [
            ("StartInstance", "i-a"),
            ("StartInstance", "i-b"),
            ("StartInstance", "i-c"),
            ("StopInstance", "i-d"),
        ] {
            assert_eq!(log.accepted(action, id), 1, "round {round}: {action} {id}\n{log:#?}");
        }
        assert_eq!(log.calls().iter().filter(|call| call.was_accepted()).count(), IDS.len(), "round {round}");
        scenario.is_in_sync();
    });
}

/// Two applies, now the one and now the other a little earlier.
fn begin_two<'s>(scenario: &'s Scenario, round: u64, more: &[&str]) -> [Process<'s>; 2] {
    let arguments = [&["apply", "--auto-approve"], more].concat();
    let mut first = scenario.start(&arguments);
    // Nothing depends on how far the first comes meanwhile.
    for _ in 0..round % 10 {
        first.running().hear();
    }
    [first, scenario.start(&arguments)]
}

fn each_was_called_once(scenario: &Scenario, round: u64) {
    let log = scenario.log();
    let mut calls: Vec<String> = log.calls().iter().map(|call| call.words()).collect();
    calls.sort();
    assert_eq!(calls, ["Start i-a", "Start i-b", "Start i-c", "Stop i-d"], "round {round}");
}

/// What a person may meet who is overtaken by another: a reason that is true, and nothing else.
const TRUE_REASONS: [&str; 4] = ["moved", "need_moved", "fell_back", "blocked"];

#[test]
fn an_apply_amid_somebodys_clicks_converges_or_says_what_moved_and_a_calm_one_converges() {
    let seeds: Vec<u64> = (0..60).collect();
    let unfinished = std::sync::atomic::AtomicUsize::new(0);
    side_by_side(&seeds, |seed| {
        let mut random = Rng::with_seed(*seed);
        let scenario = Scenario::in_world(World::Served, &estate(&mut random), ESTATE);
        let mut apply = scenario.start(&["apply", "--auto-approve"]);
        // A click at so many requests, on whichever machine, at a moment that the apply's own pace sets.
        let mut next_click = random.usize(2..4);
        let mut clicks = random.usize(1..8);
        while !apply.running().hear() {
            if clicks > 0 && scenario.log().requests().count() >= next_click {
                let id = format!("i-{}", random.usize(..12));
                scenario.click(&id, if random.bool() { "Running" } else { "Stopped" });
                next_click += random.usize(1..4);
                clicks -= 1;
            }
        }
        let ended = apply.finish_among_others();
        let context = format!("seed {seed}\n{}\n{}\n{:#?}", ended.stdout, ended.stderr, ended.log);
        let summary = ended.lines.summary();
        match ended.status {
            Some(0) => assert_eq!(summary["counts"]["failed"], 0, "{context}"),
            Some(1) => {
                unfinished.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let failed = summary["failed"].as_array().expect("a list");
                for item in failed {
                    let code = item["code"].as_str().unwrap_or_default();
                    assert!(TRUE_REASONS.contains(&code), "{item}: {context}");
                }
                assert!(!failed.is_empty(), "{context}");
            }
            status => panic!("it ended with {status:?}: {context}"),
        }
        for call in ended.log.calls() {
            let mut planned = ended.lines.planned().filter(|planned| planned.instance() == call.instance());
            let listed =
                planned.any(|planned| planned.call().is_some_and(|(action, _)| action == call.action()));
            assert!(listed, "{} was not planned: {context}", call.words());
        }
        no_call_was_accepted_twice(&scenario, &context);
        until_reads_show_the_last_click(&scenario);
        scenario.converge();
    });
    // Clicks that never got in the way would show nothing.
    assert!(unfinished.into_inner() > 0, "no apply was ever in anybody's way");
}

/// Twelve machines: three layers that shall run, and a pair that shall not.
const ESTATE: &str = "defaults: { timeouts: { start: 60s, stop: 60s } }
instances:
  base: { ids: [i-0, i-1, i-2], status: Running }
  middle: { ids: [i-3, i-4, i-5, i-6], status: Running, depends_on: [base] }
  top: { ids: [i-7, i-8, i-9], status: Running, depends_on: [middle] }
  old: { id: i-10, status: Stopped }
  older: { id: i-11, status: Stopped, depends_on: [old] }
";

fn estate(random: &mut Rng) -> String {
    let mut instances = Vec::new();
    for number in 0..12 {
        let status = if random.u8(..4) == 0 { "Running" } else { "Stopped" };
        let status = if number >= 10 { "Running" } else { status };
        let (start, stop) = (random.u16(50..400), random.u16(50..400));
        instances.push(format!("{{ id: i-{number}, status: {status}, start: {start}ms, stop: {stop}ms }}"));
    }
    let lag = ["0s", "0s", "300ms"][random.usize(..3)];
    format!("instances: [{}]\nlag: {lag}\n", instances.join(", "))
}

/// How long reads show what was before a click, at most, see [`estate`].
const LONGEST_LAG: SignedDuration = SignedDuration::from_millis(300);

/// Calm is when nothing that is read is older than the last click. The simulator's own clock says when.
fn until_reads_show_the_last_click(scenario: &Scenario) {
    let is_click = |line: &&LogLine| matches!(line.event, LogEvent::Set { .. });
    let Some(click) = scenario.log().lines().iter().rfind(is_click).map(|line| line.at) else { return };
    let is_past = |at: Timestamp| at.duration_since(click) > LONGEST_LAG;
    while !scenario.log().lines().last().is_some_and(|line| is_past(line.at)) {
        scenario.plan();
    }
}

/// In one plan no machine gets two accepted starts, whatever others do to it.
fn no_call_was_accepted_twice(scenario: &Scenario, context: &str) {
    let log = scenario.log();
    for number in 0..12 {
        for action in ["StartInstance", "StopInstance"] {
            let accepted = log.accepted(action, &format!("i-{number}"));
            assert!(accepted <= 1, "{action} of i-{number} was accepted {accepted} times: {context}");
        }
    }
}
