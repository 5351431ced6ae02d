//! Who may write at one time.

use nix::sys::signal::Signal;

use crate::harness::{Process, Scenario};

const CONFIGURATION: &str = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
";

/// The start of a takes until somebody clicks.
fn scenario() -> Scenario {
    Scenario::new("instances: [{ id: i-a, start: 1h }, { id: i-b }]\n", CONFIGURATION)
}

/// An apply that holds the lock and waits for a.
fn holder(scenario: &Scenario) -> Process<'_> {
    let mut holder = scenario.start(&["apply", "--auto-approve"]);
    holder.until_called("StartInstance", "i-a");
    holder
}

/// The id in what the lock says.
fn lock_id(scenario: &Scenario) -> String {
    let lock = scenario.state().with_extension("json.lock");
    let content: serde_json::Value =
        serde_json::from_slice(&std::fs::read(lock).expect("a lock")).expect("its content");
    content["id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_second_apply_is_told_who_holds_the_lock_and_does_nothing() {
    let scenario = scenario();
    let mut first = holder(&scenario);
    let id = lock_id(&scenario);
    let second = scenario.start(&["apply", "--auto-approve"]).finish_among_others().exits(1).complains(&[
        "state/scenario.json is locked by tester@",
        "(process ",
        "running \"apply\" on the stack scenario since 2",
        &format!("lock id {id})"),
        "--lock-timeout",
    ]);
    assert!(second.stdout.is_empty() && second.lines.planned().next().is_none(), "it did not even look");
    scenario.run(&["state", "rm", "a"]).exits(1).complains(&["is locked by tester@"]);
    // Who only reads is not kept out, and is told.
    let plan = scenario.start(&["plan"]).finish_among_others().exits(0);
    let plan = plan.complains(&["note: the state is locked by tester@", "may be under way already"]);
    assert_eq!(plan.lines.planned_of("a").action(), "wait");
    scenario.run(&["show"]).exits(0);
    scenario.run(&["state", "list"]).exits(0);

    assert!(!first.running().stdout().contains("Apply "), "the first goes on");
    scenario.click("i-a", "Running");
    assert_eq!(first.finish().exits(0).calls(), ["Start i-a", "Start i-b"]);
    scenario.is_in_sync();
}

#[test]
fn an_apply_that_waits_for_the_lock_goes_on_when_it_is_free() {
    let scenario = scenario();
    let first = holder(&scenario);
    let second = scenario.start(&["apply", "--auto-approve", "--lock-timeout", "90s"]);
    scenario.click("i-a", "Running");
    assert_eq!(first.finish_among_others().exits(0).calls().len(), 2);
    // It looked only after it had the lock, so it found everything done.
    let second = second.finish_among_others().exits(0);
    assert_eq!(second.lines.planned_of("a").action(), "noop");
    assert_eq!(scenario.log().calls().len(), 2);
    scenario.is_in_sync();
}

#[test]
fn an_apply_that_waits_for_the_lock_gives_up_in_time_or_when_it_is_interrupted() {
    let scenario = scenario();
    let _first = holder(&scenario);
    scenario
        .start(&["apply", "--auto-approve", "--lock-timeout", "1s"])
        .finish_among_others()
        .exits(1)
        .complains(&["is locked by tester@"]);
    let mut waiting = scenario.start(&["apply", "--auto-approve", "--lock-timeout", "1h", "--log", "debug"]);
    // It listens for signals from before it reads its arguments' files; the first thing it writes is its JSON file.
    let lines = scenario.folder().join("lines-3.json");
    waiting.running().until("it began", |_| std::fs::metadata(&lines).is_ok_and(|file| file.len() > 0));
    waiting.running().signal(Signal::SIGINT);
    waiting.finish_among_others().exits(130).complains(&["interrupted: nothing was called"]);
}

#[test]
fn a_lock_is_taken_away_from_the_dead_only_and_only_by_its_id() {
    let scenario = scenario();
    let wrong = "00000000-0000-4000-8000-000000000000";
    for arguments in [&["force-unlock", "--force", wrong][..], &["force-unlock", wrong]] {
        scenario.run(arguments).exits(1).complains(&["is not locked"]);
    }
    let mut first = holder(&scenario);
    let id = lock_id(&scenario);
    scenario.run(&["force-unlock", "--force", &id]).exits(1).complains(&["that process is alive", &id]);
    scenario.run(&["force-unlock", "--force", wrong]).exits(1).complains(&["Nothing was unlocked", &id]);
    first.running().signal(Signal::SIGKILL);
    first.finish();

    scenario.run(&["plan"]).exits(0).complains(&["note: a process that has ended left its lock", &id]);
    scenario.run(&["force-unlock", wrong]).exits(1).complains(&["Nothing was unlocked", &id]);
    scenario.run(&["force-unlock", &id]).exits(1).complains(&["no terminal to ask on", "--force"]);
    scenario.run(&["force-unlock", "--force", wrong]).exits(1).complains(&["Nothing was unlocked", &id]);
    scenario.run(&["force-unlock", "--force", "not-an-id"]).exits(1).complains(&["not-an-id"]);
    scenario.run(&["force-unlock", "--force", &id]).exits(0).prints(&["Removed the lock of tester@"]);
    scenario.run(&["force-unlock", "--force", &id]).exits(1).complains(&["is not locked"]);

    scenario.click("i-a", "Running");
    let applied = scenario.converge();
    assert!(!applied.stderr.contains("took over"), "there was nothing left to take over");
}
