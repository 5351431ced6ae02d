//! The examples, as a newcomer meets them.

use crate::harness::Scenario;

#[test]
fn the_web_shop_comes_up_in_order_and_then_there_is_nothing_left_to_do() {
    let scenario = Scenario::of_example("web-shop");
    scenario.run(&["validate"]).exits(0);
    scenario.plan().prints(&["Plan: 6 to start, 1 to stop, 0 to wait for, 0 blocked, 1 in sync."]);
    // The order is held by the laws; here it is that everything was done once.
    let applied = scenario.converge().prints(&["Apply complete: 6 started, 1 stopped"]);
    let mut calls = applied.calls();
    calls.sort();
    assert_eq!(
        calls,
        [
            "Start i-bp1app000000000001",
            "Start i-bp1app000000000002",
            "Start i-bp1app000000000003",
            "Start i-bp1database00000001",
            "Start i-bp1gateway000000001",
            "Start i-bp1metrics000000001",
            "Stop i-bp1nightly000000001",
        ]
    );
    at_most_two_apps_at_once(&applied.log);
    scenario
        .plan()
        .prints(&["No changes.", "Plan: 0 to start, 0 to stop, 0 to wait for, 0 blocked, 8 in sync."]);
    assert!(scenario.apply().exits(0).calls().is_empty());

    // Someone stops the cache in the console, while nobody looks.
    let account = "examples/web-shop/account.yaml";
    let id = "i-bp1cache00000000001";
    scenario
        .run(&["simulator", "set", "--account", account, id, "Stopped"])
        .exits(0)
        .prints(&[id, "Stopped"]);
    let minute = recorded_minute(&scenario, "cache");
    // Reads of this account are a little behind.
    let drifted = std::iter::repeat_with(|| scenario.run(&["plan", "--detailed-exitcode"]))
        .take(1000)
        .find(|plan| plan.status != Some(0))
        .expect("the click is seen")
        .exits(2)
        .prints(&[
            "# cache will be started",
            &format!("stopped outside powerform since the last apply {minute}"),
            "Plan: 1 to start, 0 to stop, 0 to wait for, 0 blocked, 7 in sync.",
        ]);
    let drift = drifted.lines.of_type("resource_drift");
    assert_eq!(drift.len(), 1);
    assert_eq!(drift[0]["change"]["resource"]["addr"], "cache");
    assert_eq!(scenario.converge().calls(), ["Start i-bp1cache00000000001"]);
}

/// The minute at which an address was recorded, as plans print it.
fn recorded_minute(scenario: &Scenario, address: &str) -> String {
    let state: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(scenario.state()).expect("a state")).expect("JSON");
    let at = state["instances"][address]["recorded_at"].as_str().expect("a time").to_owned();
    at[..16].replace('T', " ")
}

fn at_most_two_apps_at_once(log: &crate::harness::CloudLog) {
    let apps: Vec<String> = (1..=3).map(|number| format!("i-bp1app00000000000{number}")).collect();
    for call in log.calls().iter().filter(|call| apps.iter().any(|app| app == call.instance())) {
        let moving = apps.iter().filter(|app| log.status(app, call.at) == "Starting").count();
        assert!(moving <= 2, "{moving} apps were starting at {}", call.at);
    }
}

#[test]
fn the_blocked_example_starts_what_it_can_and_names_what_it_cannot() {
    let scenario = Scenario::of_example("blocked");
    scenario.run(&["plan", "--detailed-exitcode"]).exits(2).prints(&[
        "Plan: 2 to start, 0 to stop, 0 to wait for, 4 blocked, 0 in sync.",
        "# ledger is blocked",
        "lock   = \"security\"",
        "Security Center",
        "its subscription ended on 2026-01-01 00:00 UTC",
        "it has to come after billing, which is held up by ledger",
    ]);
    let applied = scenario.apply().exits(1).prints(&[
        "Apply incomplete: 2 started",
        "ledger (i-bp1ledger0000000001): ",
        "billing (i-bp1billing000000001): ",
        "invoices (i-bp1invoices00000001): ",
        "archive (i-bp1archive000000001): ",
    ]);
    let mut calls = applied.calls();
    calls.sort();
    assert_eq!(calls, ["Start i-bp1search0000000001", "Start i-bp1website000000001"]);
    let again = scenario.apply().exits(1);
    assert!(again.calls().is_empty());
}
