//! What calls say besides whom they are about, and what destroys or costs something.

use crate::harness::{Scenario, World, side_by_side};

#[test]
fn a_start_that_destroys_data_needs_a_word_of_its_own() {
    side_by_side(&World::BOTH, |world| {
        let account = "instances: [{ id: i-a, local_disks: 2 }, { id: i-b }]\n";
        let configuration = "instances:\n  a: { id: i-a, status: Running, init_local_disk: true }\n  \
             b: { id: i-b, status: Running }\n";
        let scenario = Scenario::in_world(*world, account, configuration);
        let plan = scenario.plan().prints(&["the start destroys the data on its 2 local disks"]);
        assert_eq!(plan.lines.planned_of("a").warnings(), ["init_local_disk"]);
        let red = "\u{1b}[1m\u{1b}[31mDATA LOSS: the start destroys the data on its 2 local disks";
        scenario.run(&["plan", "--color", "always"]).exits(0).prints(&[red]);
        let refused = scenario.apply().exits(1).complains(&["--allow-data-loss", "nothing was called"]);
        assert!(refused.calls().is_empty(), "not even b");
        assert!(!scenario.state().exists());

        let applied = scenario.run(&["apply", "--auto-approve", "--allow-data-loss"]).exits(0);
        let calls = applied.log.calls();
        let of = |id: &str| calls.iter().find(|call| call.is("StartInstance", id)).expect("a start");
        assert_eq!(of("i-a").parameter("InitLocalDisk"), Some("true"));
        assert_ne!(of("i-b").parameter("InitLocalDisk"), Some("true"));
        // Nothing is destroyed by what is not started.
        assert!(scenario.converge().calls().is_empty());
    });
}

/// That both are always there, and as planned, is a law; here it is what the configuration makes of them.
#[test]
fn a_stop_always_says_its_mode_and_whether_it_forces() {
    let rows = [
        ("", "KeepCharging", "false"),
        (", stop: { mode: KeepCharging }", "KeepCharging", "false"),
        (", stop: { mode: StopCharging }", "StopCharging", "false"),
        (", stop: { force: true }", "KeepCharging", "true"),
        (", stop: { mode: StopCharging, force: true }", "StopCharging", "true"),
    ];
    side_by_side(&rows, |(stop, mode, force)| {
        let configuration = format!("instances:\n  a: {{ id: i-a, status: Stopped{stop} }}\n");
        let scenario = Scenario::new("instances: [{ id: i-a, status: Running }]\n", &configuration);
        let applied = scenario.converge();
        let calls = applied.log.calls();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].parameter("StoppedMode"), Some(*mode), "{stop}");
        assert_eq!(calls[0].parameter("ForceStop"), Some(*force), "{stop}");
        assert!(!applied.stderr.contains("still charging"), "{}", applied.stderr);
    });
}

#[test]
fn a_machine_that_ecs_goes_on_charging_for_is_said_to_be() {
    let configuration = "instances:\n  a: { id: i-a, status: Stopped, stop: { mode: StopCharging } }\n";
    let rows = ["charge: PrePaid, expires: 2099-01-01T00:00Z", "local_disks: 1"];
    side_by_side(&rows, |kind| {
        let account = format!("instances: [{{ id: i-a, status: Running, {kind} }}]\n");
        let scenario = Scenario::new(&account, configuration);
        let applied = scenario.apply().exits(0).complains(&["stopped, but still charging"]);
        assert_eq!(applied.lines.end_of("a")["hook"]["stopped_mode"], "KeepCharging");
        // It is Stopped, as wanted: nothing to do, and a note.
        scenario.is_in_sync();
        let plan = scenario.plan().prints(&["as wanted, but still charging"]);
        assert_eq!(plan.lines.planned_of("a").warnings(), ["stop_mode_differs"]);
    });
}

#[test]
fn a_machine_that_must_not_be_stopped_is_not_and_neither_is_what_it_needs() {
    let account = "instances: [{ id: i-a, status: Running }, { id: i-b, status: Running }, { id: i-c, status: Running }]\n";
    let configuration = "instances:
  a: { id: i-a, status: Stopped, prevent_stop: true, depends_on: [b] }
  b: { id: i-b, status: Stopped }
  c: { id: i-c, status: Stopped }
";
    let applied =
        Scenario::new(account, configuration).apply().exits(1).prints(&["prevent_stop forbids the stop"]);
    assert_eq!(applied.calls(), ["Stop i-c"]);
    assert_eq!(applied.lines.planned_of("b").reason_code(), "held_up");
}

#[test]
fn what_ecs_would_refuse_is_blocked_in_the_plan_and_never_called() {
    let rows = [
        ("locks: [security]", "locked", "Security Center"),
        ("locks: [Recycling]", "locked", "replacement"),
        ("locks: [refunded]", "locked", "refunded"),
        ("locks: [dedicatedhostfinancial]", "locked", "dedicated host"),
        ("locks: [Financial]", "overdue", "reactivate"),
        ("charge: PrePaid, locks: [financial]", "locked", "Expenses"),
        ("charge: PrePaid, expires: 2026-01-01T00:00Z", "expired", "renew it"),
    ];
    side_by_side(&rows, |(kind, code, remedy)| {
        let account = format!("instances: [{{ id: i-a, {kind} }}, {{ id: i-b }}, {{ id: i-c }}]\n");
        let configuration = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
  c: { id: i-c, status: Running }
";
        let scenario = Scenario::new(&account, configuration);
        let applied = scenario.apply().exits(1).prints(&[remedy]);
        assert_eq!(applied.lines.planned_of("a").reason_code(), *code, "{kind}");
        assert_eq!(applied.lines.planned_of("b").reason_code(), "held_up", "{kind}");
        assert_eq!(applied.calls(), ["Start i-c"], "{kind}");
    });
}
