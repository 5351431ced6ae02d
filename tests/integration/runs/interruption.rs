//! SIGINT, SIGTERM and SIGHUP: the first lets what is under way come to an end, the second ends it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::harness::{Running, Scenario, World, side_by_side};

const CONFIGURATION: &str = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
  c: { id: i-c, status: Running, depends_on: [b] }
";

#[test]
fn an_apply_that_is_interrupted_calls_nothing_more_says_what_is_left_and_saves() {
    let mut rows = Vec::new();
    for world in World::BOTH {
        rows.extend([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].map(|signal| (world, signal)));
    }
    side_by_side(&rows, |&(world, signal)| {
        let account = "instances: [{ id: i-a, start: 1h }, { id: i-b }, { id: i-c }]\n";
        let scenario = Scenario::in_world(world, account, CONFIGURATION);
        let mut apply = scenario.start(&["apply", "--auto-approve"]);
        // A look after the call: its answer has come.
        apply.until_log("a look at what was started", |log| {
            let called = log.requests().position(|(_, request)| request.action == "StartInstance");
            called.is_some_and(|called| log.requests().count() > called + 1)
        });
        apply.running().signal(signal);
        let interrupted = apply.finish().exits(130).prints(&[
            "Apply interrupted: 0 started, 0 stopped, 0 already there, 0 failed, 0 skipped, 3 not reached.",
            "a (i-a): it is on its way as far as is known, but its arrival was not awaited",
            "b (i-b): ",
            "c (i-c): ",
        ]);
        assert_eq!(interrupted.calls(), ["Start i-a"]);
        assert_eq!(interrupted.lines.summary_of("not_reached"), ["a", "b", "c"]);
        scenario.run(&["state", "show", "a"]).exits(0).prints(&["status: Starting"]);

        let mut apply = scenario.start(&["apply", "--auto-approve"]);
        apply.running().until("it waits for a", |running| running.stderr().contains("a: waiting"));
        scenario.click("i-a", "Running");
        let finished = apply.finish().exits(0);
        assert_eq!(finished.calls(), ["Start i-b", "Start i-c"]);
        assert!(!finished.stderr.contains("took over"), "the lock was given back");
        scenario.is_in_sync();
    });
}

/// The answer to a call that is under way is awaited, whatever it says.
#[test]
fn an_answer_that_comes_after_the_interruption_is_heard() {
    let rows = [
        ("delay: 1s", "it is on its way as far as is known", "Starting"),
        ("delay: 1s, error: InstanceExpired", "InstanceExpired", "Stopped"),
        ("delay: 1s, error: InternalError", "the run ended first", "Stopped"),
        ("delay: 1s, error: IncorrectInstanceStatus", "the run ended first", "Stopped"),
        ("delay: 1s, drop: after", "it is on its way as far as is known", "Starting"),
    ];
    side_by_side(&rows, |(fault, said, status)| {
        let account = format!(
            "instances: [{{ id: i-a, start: 1h }}, {{ id: i-b }}, {{ id: i-c }}]\n\
             faults: [{{ action: StartInstance, instance: i-a, nth: 1, {fault} }}]\n"
        );
        let scenario = Scenario::new(&account, CONFIGURATION);
        let mut apply = scenario.start(&["apply", "--auto-approve"]);
        apply.until_called("StartInstance", "i-a");
        apply.running().signal(Signal::SIGINT);
        let interrupted = apply.finish().exits(130).prints(&["a (i-a): ", said]);
        assert_eq!(interrupted.calls(), ["Start i-a"], "{fault}");
        let log = scenario.log();
        assert_eq!(log.status("i-a", log.lines().last().expect("a line").at), *status, "{fault}");
        scenario.run(&["plan"]).exits(0);
    });
}

#[test]
fn a_second_signal_ends_an_apply_at_once() {
    let account = "instances: [{ id: i-a }, { id: i-b }, { id: i-c }]\n\
         faults: [{ action: StartInstance, instance: i-a, nth: 1, delay: 1h }]\n";
    let scenario = Scenario::new(account, CONFIGURATION);
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    apply.until_called("StartInstance", "i-a");
    apply.running().signal(Signal::SIGINT);
    apply.running().until("the first is heard", |running| running.stderr().contains("interrupted: "));
    apply.running().signal(Signal::SIGINT);
    let ended = apply.finish().exits(130);
    assert!(ended.lines.of_type("apply_summary").is_empty(), "it had no time for a summary");
    // The start was accepted; the next apply sees that.
    assert!(!scenario.converge().calls().contains(&"Start i-a".to_owned()));
}

#[test]
fn a_command_that_is_interrupted_while_it_looks_or_waits_calls_nothing() {
    let account = "instances: [{ id: i-a }, { id: i-b }, { id: i-c }]\n\
         faults: [{ action: DescribeInstances, nth: 1, times: 2, delay: 1h }]\n";
    let scenario = Scenario::new(account, CONFIGURATION);
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        let mut looking = scenario.start(command);
        looking.until_log("a look", |log| !log.looks().is_empty());
        looking.running().signal(Signal::SIGTERM);
        let ended = looking.finish().exits(130).complains(&["interrupted: nothing was called"]);
        assert!(ended.calls().is_empty());
    }
    assert!(!scenario.state().exists());
    assert_eq!(scenario.converge().calls().len(), 3);
}

/// A full pipe keeps the plan from being shown to its end; whoever interrupts that wants no call at all.
#[test]
fn an_apply_that_is_interrupted_while_nobody_reads_its_output_calls_nothing() {
    let ids: Vec<String> = (0..400).map(|number| format!("i-{number:04}")).collect();
    let instances: Vec<String> = ids.iter().map(|id| format!("{{ id: {id} }}")).collect();
    let account = format!("instances: [{}]\n", instances.join(", "));
    let configuration = format!("instances: {{ a: {{ ids: [{}], status: Running }} }}\n", ids.join(", "));
    let scenario = Scenario::new(&account, &configuration);
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let mut command = scenario.command(&["apply", "--auto-approve", "--json"]);
    let apply = Running::start_with_stdout(&mut command, Stdio::from(writer));
    drop(command);
    let mut output = BufReader::new(File::from(reader));
    let mut line = String::new();
    while !line.contains("\"planned_change\"") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it shows the plan");
    }
    apply.signal(Signal::SIGINT);
    let rest = std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    assert!(rest > 2 * 65_536, "{rest} bytes fit into a pipe");
    let ended = apply.finish();
    assert_eq!(ended.status, Some(130), "{ended:?}");
    assert!(scenario.log().calls().is_empty());
    assert!(ended.stderr.contains("interrupted: nothing was called"), "{ended:?}");
}

#[test]
fn a_simulator_serves_until_it_is_interrupted_and_ends_well() {
    let scenario = Scenario::new("instances: [{ id: i-a }]\n", "instances: {}\n");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut simulator = scenario.start(&["simulator", "--account", "account.yaml"]);
        simulator.running().until("it serves", |running| running.stdout().contains("http://127.0.0.1:"));
        simulator.running().signal(signal);
        // "until interrupted", as it says: this is how it is meant to end.
        simulator.finish().exits(0);
    }
}
