//! Runs that are killed, and what is left when the record is lost: the next run ends in the same place.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::harness::{Scenario, World, side_by_side};

/// Two chains and something to stop: many moments to be killed at.
const ACCOUNT: &str = "instances:
  - { id: i-a }
  - { id: i-b }
  - { id: i-c }
  - { id: i-d }
  - { id: i-e }
  - { id: i-f, status: Running }
  - { id: i-g, status: Running }
";

const CONFIGURATION: &str = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
  c: { id: i-c, status: Running, depends_on: [b] }
  d: { id: i-d, status: Running, depends_on: [b] }
  e: { id: i-e, status: Running }
  f: { id: i-f, status: Stopped }
  g: { id: i-g, status: Stopped, depends_on: [f] }
";

#[test]
fn an_apply_that_is_killed_at_any_moment_is_finished_by_the_next_without_a_second_start() {
    // Without a kill there are 7 calls, a look before them, and one after each of the three waves: 11 requests. The
    // cloud dies with the program here; `crashes` has one that lives on.
    let rows: Vec<usize> = (1..=10).collect();
    side_by_side(&rows, |&requests| {
        let scenario = Scenario::new(ACCOUNT, CONFIGURATION);
        let mut apply = scenario.start(&["apply", "--auto-approve"]);
        apply.until_log("so many requests", |log| log.requests().count() >= requests);
        apply.running().signal(Signal::SIGKILL);
        let killed = apply.finish();
        assert_eq!(killed.status, None, "killed after {requests} requests");

        // Whatever was written is whole, and reading it needs no unlocking.
        scenario.run(&["state", "list"]).exits(0);
        scenario.run(&["show", "--json"]).exits(0);
        let plan = scenario.plan();
        assert!(!plan.stderr.contains("locked"), "{}", plan.stderr);

        scenario.converge().complains(&["note: took over the lock of a process that has ended", "tester@"]);
        assert!(!scenario.apply().exits(0).stderr.contains("took over"));
        let log = scenario.log();
        let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
        for call in log.calls().iter().filter(|call| call.was_accepted()) {
            *accepted.entry(call.words()).or_default() += 1;
        }
        let once = ["Start i-a", "Start i-b", "Start i-c", "Start i-d", "Start i-e", "Stop i-f", "Stop i-g"];
        assert_eq!(
            accepted,
            once.map(|call| (call.to_owned(), 1)).into(),
            "killed after {requests} requests"
        );
    });
}

#[test]
fn a_start_that_is_under_way_when_its_apply_is_killed_is_awaited_by_the_next() {
    let account = "instances: [{ id: i-a, start: 1h }, { id: i-b }]\n";
    let configuration = "instances:\n  a: { id: i-a, status: Running }\n  \
         b: { id: i-b, status: Running, depends_on: [a] }\n";
    let scenario = Scenario::new(account, configuration);
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    // It is recorded at once that the start was asked for.
    apply.running().until("the record knows", |_| {
        std::fs::read_to_string(scenario.state()).is_ok_and(|text| text.contains("\"Starting\""))
    });
    apply.running().signal(Signal::SIGKILL);
    apply.finish();

    let plan = scenario
        .plan()
        .prints(&["# a will be waited for", "it was not there yet when it was last recorded, on "]);
    assert!(plan.lines.of_type("resource_drift").is_empty(), "what was asked for is no drift");
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    apply.running().until("it waits for a", |running| running.stderr().contains("a: waiting"));
    scenario.click("i-a", "Running");
    assert_eq!(apply.finish().exits(0).calls(), ["Start i-b"]);
    scenario.is_in_sync();
}

#[test]
fn a_lost_record_costs_explanations_and_nothing_else() {
    side_by_side(&World::BOTH, |world| {
        let scenario = Scenario::in_world(*world, ACCOUNT, CONFIGURATION);
        assert_eq!(scenario.converge().calls().len(), 7);
        std::fs::remove_file(scenario.state()).expect("there was a record");
        scenario.is_in_sync();
        assert!(scenario.converge().calls().is_empty());

        scenario.click("i-b", "Stopped");
        std::fs::remove_file(scenario.state()).expect("there was a record");
        let applied = scenario.converge();
        assert_eq!(applied.calls(), ["Start i-b"]);
        assert_eq!(applied.lines.planned_of("b").reason_code(), "newly_managed");
    });
}

#[test]
fn an_empty_or_torn_record_is_refused_with_the_way_out_and_left_as_it_is() {
    let scenario = Scenario::new(ACCOUNT, CONFIGURATION);
    scenario.converge();
    let whole = std::fs::read_to_string(scenario.state()).expect("a record");
    let newer = whole.replace("\"format_version\": 1", "\"format_version\": 99");
    for text in ["", &whole[..whole.len() / 2], "[]", newer.as_str()] {
        std::fs::write(scenario.state(), text).expect("written");
        for command in [&["plan"][..], &["apply", "--auto-approve"], &["state", "list"], &["show"]] {
            let refused = scenario.run(command).exits(1).complains(&["state/scenario.json is refused: "]);
            assert!(refused.calls().is_empty());
        }
        assert_eq!(std::fs::read_to_string(scenario.state()).expect("still there"), text);
    }
    std::fs::remove_file(scenario.state()).expect("moved away");
    assert!(scenario.converge().calls().is_empty());
}

#[test]
fn an_entry_that_leaves_the_file_is_released_and_its_machine_left_alone() {
    let scenario = Scenario::new(ACCOUNT, CONFIGURATION);
    scenario.converge();
    let without: String = CONFIGURATION
        .lines()
        .filter(|line| !line.starts_with("  e:"))
        .map(|line| format!("{line}\n"))
        .collect();
    scenario.write_configuration(&without);
    let plan = scenario
        .run(&["plan", "--detailed-exitcode"])
        .exits(2)
        .prints(&["# e will be released", ", 1 to release."]);
    assert_eq!(plan.lines.planned_of("e").action(), "release");
    scenario.run(&["state", "list"]).exits(0).prints(&["e\n"]);
    let applied = scenario.converge();
    assert!(applied.calls().is_empty());
    assert_eq!(applied.lines.summary_of("released"), ["e"]);
    assert_eq!(scenario.run(&["state", "list"]).exits(0).stdout, "a\nb\nc\nd\nf\ng\n");

    // What comes back is managed anew.
    scenario.write_configuration(CONFIGURATION);
    scenario.is_in_sync();
    assert!(scenario.converge().calls().is_empty());
}

#[test]
fn an_address_that_is_removed_from_the_record_is_forgotten_and_not_touched() {
    let scenario = Scenario::new(ACCOUNT, CONFIGURATION);
    scenario.converge();
    scenario.run(&["state", "show", "a"]).exits(0).prints(&[
        "address: a\n",
        "id: i-a\n",
        "status: Running\n",
    ]);
    let removed = scenario.run(&["state", "rm", "a"]).exits(0).prints(&["Forgot a (i-a).", "not touched"]);
    assert!(removed.log.lines().is_empty());
    scenario.run(&["state", "show", "a"]).exits(1).complains(&["a is not in the record"]);
    scenario.run(&["state", "rm", "a"]).exits(1).complains(&["a is not in the record"]);
    assert!(scenario.converge().calls().is_empty());
    scenario.run(&["state", "show", "a"]).exits(0);
}
