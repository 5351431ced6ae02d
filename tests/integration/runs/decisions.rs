//! Every row of the decision table, in both worlds.

use crate::harness::{Scenario, World, side_by_side};

/// One cell of the table.
struct Cell {
    seen: &'static str,
    goal: &'static str,
    action: &'static str,
    code: &'static str,
    /// What its reason says.
    reason: &'static str,
    /// What someone else makes of the instance once the apply waits for it.
    click: Option<&'static str>,
    /// The calls of an apply.
    calls: &'static [&'static str],
    /// The exit status of that apply.
    exit: i32,
}

/// What `seen` says where the look itself fails.
const NO_LOOK: &str = "(no look)";

const FIRST: &str = "this is the first apply that manages it";

#[rustfmt::skip]
const TABLE: &[Cell] = &[
    Cell { seen: "Running", goal: "Running", action: "noop", code: "in_sync", reason: "Running, as wanted", click: None, calls: &[], exit: 0 },
    Cell { seen: "Stopped", goal: "Running", action: "start", code: "newly_managed", reason: FIRST, click: None, calls: &["Start i-x"], exit: 0 },
    Cell { seen: "Starting", goal: "Running", action: "wait", code: "newly_managed", reason: FIRST, click: Some("Running"), calls: &[], exit: 0 },
    Cell { seen: "Stopping", goal: "Running", action: "start", code: "newly_managed", reason: FIRST, click: Some("Stopped"), calls: &["Start i-x"], exit: 0 },
    Cell { seen: "Pending", goal: "Running", action: "wait", code: "newly_managed", reason: FIRST, click: Some("Stopped"), calls: &["Start i-x"], exit: 0 },
    Cell { seen: "Pending", goal: "Running", action: "wait", code: "newly_managed", reason: FIRST, click: Some("Running"), calls: &[], exit: 0 },
    Cell { seen: "Hibernating", goal: "Running", action: "blocked", code: "unknown_status", reason: "\"Hibernating\"", click: None, calls: &[], exit: 1 },
    Cell { seen: "Released", goal: "Running", action: "blocked", code: "not_visible", reason: "not visible", click: None, calls: &[], exit: 1 },
    Cell { seen: NO_LOOK, goal: "Running", action: "blocked", code: "not_seen", reason: "Forbidden.RAM", click: None, calls: &[], exit: 1 },
    Cell { seen: "Running", goal: "Stopped", action: "stop", code: "newly_managed", reason: FIRST, click: None, calls: &["Stop i-x"], exit: 0 },
    Cell { seen: "Stopped", goal: "Stopped", action: "noop", code: "in_sync", reason: "Stopped, as wanted", click: None, calls: &[], exit: 0 },
    Cell { seen: "Starting", goal: "Stopped", action: "stop", code: "newly_managed", reason: FIRST, click: Some("Running"), calls: &["Stop i-x"], exit: 0 },
    Cell { seen: "Stopping", goal: "Stopped", action: "wait", code: "newly_managed", reason: FIRST, click: Some("Stopped"), calls: &[], exit: 0 },
    Cell { seen: "Pending", goal: "Stopped", action: "wait", code: "newly_managed", reason: FIRST, click: Some("Running"), calls: &["Stop i-x"], exit: 0 },
    Cell { seen: "Pending", goal: "Stopped", action: "wait", code: "newly_managed", reason: FIRST, click: Some("Stopped"), calls: &[], exit: 0 },
    Cell { seen: "Hibernating", goal: "Stopped", action: "blocked", code: "unknown_status", reason: "\"Hibernating\"", click: None, calls: &[], exit: 1 },
    Cell { seen: "Released", goal: "Stopped", action: "blocked", code: "not_visible", reason: "not visible", click: None, calls: &[], exit: 1 },
    Cell { seen: NO_LOOK, goal: "Stopped", action: "blocked", code: "not_seen", reason: "Forbidden.RAM", click: None, calls: &[], exit: 1 },
    Cell { seen: "Running", goal: "Any", action: "any", code: "goal_is_any", reason: "never touched", click: None, calls: &[], exit: 0 },
    Cell { seen: "Stopped", goal: "Any", action: "any", code: "goal_is_any", reason: "never touched", click: None, calls: &[], exit: 0 },
    Cell { seen: "Starting", goal: "Any", action: "any", code: "goal_is_any", reason: "never touched", click: None, calls: &[], exit: 0 },
    Cell { seen: "Stopping", goal: "Any", action: "any", code: "goal_is_any", reason: "never touched", click: None, calls: &[], exit: 0 },
    Cell { seen: "Pending", goal: "Any", action: "any", code: "goal_is_any", reason: "never touched", click: None, calls: &[], exit: 0 },
    Cell { seen: "Hibernating", goal: "Any", action: "any", code: "goal_is_any", reason: "never touched", click: None, calls: &[], exit: 0 },
    Cell { seen: "Released", goal: "Any", action: "any", code: "goal_is_any", reason: "it is not visible", click: None, calls: &[], exit: 0 },
    Cell { seen: NO_LOOK, goal: "Any", action: "any", code: "goal_is_any", reason: "it was not seen", click: None, calls: &[], exit: 0 },
];

impl Cell {
    /// The account: `x` as seen, and whatever else is there. What is in transition stays so until somebody clicks.
    fn account(&self, others: &str) -> String {
        let (status, faults) = match self.seen {
            NO_LOOK => ("Running", "faults: [{ action: DescribeInstances, error: Forbidden.RAM }]\n"),
            status => (status, ""),
        };
        let pace = match self.seen {
            "Starting" => "start: 1h",
            "Stopping" => "stop: 1h",
            "Pending" => "start: 1h",
            _ => "start: 200ms",
        };
        format!("instances:\n  - {{ id: i-x, status: {status}, {pace} }}\n{others}{faults}")
    }

    /// Carries the cell out, with the clicks that it needs.
    fn apply(&self, scenario: &Scenario) -> crate::harness::Ran {
        let mut apply = scenario.start(&["apply", "--auto-approve"]);
        if let Some(click) = self.click {
            apply.running().until("the apply waits for x", |running| running.stderr().contains("x: "));
            scenario.click("i-x", click);
            if self.seen == "Pending" && self.goal == "Running" && click == "Stopped" {
                // A Pending machine boots as slowly as it settles here.
                apply.until_called("StartInstance", "i-x");
                scenario.click("i-x", "Running");
            }
        }
        apply.finish()
    }

    fn name(&self) -> String {
        format!("{} with goal {} (then {:?})", self.seen, self.goal, self.click)
    }
}

fn in_both_worlds() -> Vec<(World, &'static Cell)> {
    World::BOTH.into_iter().flat_map(|world| TABLE.iter().map(move |cell| (world, cell))).collect()
}

#[test]
fn every_row_is_decided_explained_and_carried_out_as_the_table_says() {
    side_by_side(&in_both_worlds(), |(world, cell)| {
        let configuration = format!("instances:\n  x: {{ id: i-x, status: {} }}\n", cell.goal);
        let scenario = Scenario::in_world(*world, &cell.account(""), &configuration);

        let plan = scenario.run(&["plan", "--json"]).exits(0);
        let planned = plan.lines.planned_of("x");
        assert_eq!((planned.action(), planned.reason_code()), (cell.action, cell.code), "{}", cell.name());
        assert!(planned.reason().contains(cell.reason), "{}: {}", cell.name(), planned.reason());
        assert_eq!(
            planned.call().is_some(),
            matches!(cell.action, "start" | "stop") || cell.seen == "Pending" && cell.goal != "Any"
        );
        assert!(plan.calls().is_empty() && plan.log.looks().len() == 1, "{}", cell.name());
        let holds_anything = !matches!(cell.action, "noop" | "any");
        scenario.run(&["plan", "--detailed-exitcode"]).exits(if holds_anything { 2 } else { 0 });
        assert!(!scenario.state().exists(), "a plan writes no state");

        let applied = cell.apply(&scenario).exits(cell.exit);
        assert_eq!(applied.calls(), cell.calls, "{}", cell.name());
        if cell.exit == 0 && cell.goal != "Any" {
            scenario.is_in_sync();
        }
    });
}

#[test]
fn a_pending_instance_is_planned_with_what_follows() {
    for (goal, then) in [("Running", "then: start if Stopped"), ("Stopped", "then: stop if Running")] {
        let configuration = format!("instances:\n  x: {{ id: i-x, status: {goal} }}\n");
        let account = "instances: [{ id: i-x, status: Pending, start: 1h }]\n";
        Scenario::new(account, &configuration).plan().prints(&[then, "x will be waited for"]);
    }
}

/// What depends on x is started only after it, and only if it comes up.
#[test]
fn a_dependent_follows_what_becomes_of_its_need() {
    let rows: Vec<_> = in_both_worlds().into_iter().filter(|(_, cell)| cell.goal == "Running").collect();
    side_by_side(&rows, |(world, cell)| {
        let configuration = "instances:\n  x: { id: i-x, status: Running }\n  \
             y: { id: i-y, status: Running, depends_on: [x] }\n";
        let account = cell.account("  - { id: i-y }\n");
        let scenario = Scenario::in_world(*world, &account, configuration);
        let applied = cell.apply(&scenario).exits(cell.exit);
        let started = applied.calls().contains(&"Start i-y".to_owned());
        assert_eq!(started, cell.exit == 0, "{}: {:?}", cell.name(), applied.calls());
        if cell.exit == 0 {
            assert_eq!(applied.calls().len(), cell.calls.len() + 1, "{}", cell.name());
            scenario.is_in_sync();
        } else {
            let planned = applied.lines.planned_of("y");
            let code = if cell.seen == NO_LOOK { "not_seen" } else { "held_up" };
            assert_eq!((planned.action(), planned.reason_code()), ("blocked", code), "{}", cell.name());
        }
    });
}

/// What depends on x is stopped before it, and x only if that comes down.
#[test]
fn a_need_is_stopped_only_after_what_depends_on_it() {
    let rows: Vec<_> = in_both_worlds()
        .into_iter()
        .filter(|(_, cell)| cell.goal == "Stopped" && cell.click != Some("Stopped"))
        .collect();
    side_by_side(&rows, |(world, cell)| {
        // Here x depends on z: whatever keeps x up keeps z up.
        let configuration = "instances:\n  x: { id: i-x, status: Stopped, depends_on: [z] }\n  \
             z: { id: i-z, status: Stopped }\n";
        let account = cell.account("  - { id: i-z, status: Running }\n");
        let scenario = Scenario::in_world(*world, &account, configuration);
        let applied = cell.apply(&scenario).exits(cell.exit);
        let stopped = applied.calls().contains(&"Stop i-z".to_owned());
        assert_eq!(stopped, cell.exit == 0, "{}: {:?}", cell.name(), applied.calls());
        if cell.exit == 0 {
            scenario.is_in_sync();
        }
    });
}

#[test]
fn what_needs_an_instance_that_is_only_looked_at_is_started_if_that_runs_and_blocked_otherwise() {
    let rows: Vec<_> = in_both_worlds().into_iter().filter(|(_, cell)| cell.goal == "Any").collect();
    side_by_side(&rows, |(world, cell)| {
        let configuration = "instances:\n  x: { id: i-x, status: Any }\n  \
             y: { id: i-y, status: Running, depends_on: [x] }\n";
        let account = cell.account("  - { id: i-y }\n");
        let scenario = Scenario::in_world(*world, &account, configuration);
        let applied = scenario.apply();
        let planned = applied.lines.planned_of("y");
        let (action, code, exit) = match cell.seen {
            "Running" => ("start", "newly_managed", 0),
            NO_LOOK => ("blocked", "not_seen", 1),
            _ => ("blocked", "needs_unmanaged", 1),
        };
        assert_eq!((planned.action(), planned.reason_code()), (action, code), "{}", cell.name());
        let applied = applied.exits(exit);
        assert_eq!(applied.calls().len(), usize::from(exit == 0), "{}", cell.name());
    });
}

#[test]
fn what_an_instance_that_is_only_looked_at_needs_is_not_stopped_under_it() {
    side_by_side(&["Running", "Starting", "Stopping", "Pending", "Hibernating", "Stopped"], |seen| {
        let configuration = "instances:\n  x: { id: i-x, status: Any, depends_on: [z] }\n  \
             z: { id: i-z, status: Stopped }\n";
        let account = format!(
            "instances:\n  - {{ id: i-x, status: {seen}, start: 1h, stop: 1h }}\n  - {{ id: i-z, status: Running }}\n"
        );
        let scenario = Scenario::new(&account, configuration);
        if *seen == "Stopped" {
            assert_eq!(scenario.converge().calls(), ["Stop i-z"]);
        } else {
            let applied = scenario.apply().exits(1).prints(&["still needs it"]);
            assert_eq!(applied.lines.planned_of("z").reason_code(), "still_needed", "{seen}");
            assert!(applied.calls().is_empty(), "{seen}");
        }
    });
}
