//! Plans that are saved, narrowed, turned into everything off, or only look back.

use crate::harness::Scenario;

const ACCOUNT: &str =
    "instances: [{ id: i-db }, { id: i-app1 }, { id: i-app2 }, { id: i-web }, { id: i-free }]\n";

const SHOP: &str = "instances:
  db: { id: i-db, status: Running }
  app: { ids: [i-app1, i-app2], status: Running, depends_on: [db] }
  web: { id: i-web, status: Running, depends_on: [app] }
  free: { id: i-free, status: Running }
";

fn shop() -> Scenario {
    Scenario::new(ACCOUNT, SHOP)
}

fn sorted(mut calls: Vec<String>) -> Vec<String> {
    calls.sort();
    calls
}

#[test]
fn a_saved_plan_is_carried_out_exactly_and_without_asking() {
    let scenario = shop();
    scenario
        .run(&["plan", "--out", "p.plan", "--target", "app"])
        .exits(0)
        .prints(&["Saved this plan to p.plan"]);
    let shown = scenario.run(&["show", "p.plan"]).exits(0);
    assert!(shown.stdout.contains("Plan: 3 to start"), "{}", shown.stdout);
    let document = scenario.run(&["show", "p.plan", "--json"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&document.stdout).expect("one document");
    assert_eq!(document["format_version"], "1.0");
    assert_eq!(document["targets"][0], "app");
    assert_eq!(document["changes"]["start"], 3);
    let saved = std::fs::read_to_string(scenario.folder().join("p.plan")).expect("written");
    assert!(!saved.contains("secret"), "a plan holds no secret");

    let applied = scenario.run(&["apply", "p.plan"]).exits(0);
    assert_eq!(sorted(applied.calls()), ["Start i-app1", "Start i-app2", "Start i-db"]);
    scenario.converge();
}

#[test]
fn a_plan_that_does_not_hold_any_more_is_refused_by_name_and_calls_nothing() {
    let scenario = shop();
    let save = || scenario.run(&["plan", "--out", "p.plan"]).exits(0);
    let refused = |words: &[&str]| {
        let refused = scenario.run(&["apply", "p.plan"]).exits(1).complains(words);
        assert!(refused.calls().is_empty());
    };
    save();
    scenario.click("i-free", "Running");
    refused(&["stale", "free: planned on Stopped, start; now Running, in sync"]);
    save();
    scenario.write_configuration(
        &SHOP.replace("free: { id: i-free, status: Running }", "free: { id: i-free, status: Stopped }"),
    );
    refused(&["stale", "has another meaning now"]);
    scenario.write_configuration(SHOP);
    save();
    scenario.run(&["apply", "--auto-approve", "--target", "free"]).exits(0);
    refused(&["stale", "there was no state yet"]);
    scenario.write("p.plan", "{\"format_version\": 7}");
    refused(&["made by a newer powerform"]);
    scenario.write("p.plan", "nonsense");
    refused(&["it is not a plan file"]);
    let text = {
        save();
        std::fs::read_to_string(scenario.folder().join("p.plan")).expect("written")
    };
    scenario.write("p.plan", text.replace("Stopped", "Running"));
    refused(&["it is damaged"]);
    assert!(scenario.run(&["apply", "missing.plan"]).exits(1).calls().is_empty());
}

#[test]
fn targets_take_in_what_they_need_and_excludes_leave_out_what_needs_them() {
    for (arguments, calls, note) in [
        (
            &["--target", "web"][..],
            &["Start i-app1", "Start i-app2", "Start i-db", "Start i-web"][..],
            "taken in too",
        ),
        (&["--target", "app[i-app1]"], &["Start i-app1", "Start i-db"], "taken in too"),
        (&["--target", "f*", "--target", "db"], &["Start i-db", "Start i-free"], ""),
        (&["--exclude", "db"], &["Start i-free"], "left out too"),
        (
            &["--target", "web", "--exclude", "web"],
            &["Start i-app1", "Start i-app2", "Start i-db"],
            "taken in too",
        ),
    ] {
        let scenario = shop();
        let arguments: Vec<&str> = ["apply", "--auto-approve"].iter().chain(arguments).copied().collect();
        let applied = scenario.run(&arguments).exits(0).complains(&[note]);
        assert_eq!(sorted(applied.calls()), calls, "{arguments:?}");
    }
    let scenario = shop();
    scenario
        .run(&["plan", "--target", "wbe"])
        .exits(1)
        .complains(&["matches no entry", "did you mean \"web\""]);
}

#[test]
fn everything_goes_off_in_reverse_order_and_a_plain_apply_brings_it_back() {
    let scenario = Scenario::new(
        ACCOUNT,
        &SHOP.replace(
            "free: { id: i-free, status: Running }",
            "free: { id: i-free, status: Running, prevent_stop: true }",
        ),
    );
    scenario.converge();
    let off = scenario.run(&["apply", "--auto-approve", "--power-off"]).exits(1);
    let calls = off.calls();
    assert_eq!(calls.first().map(String::as_str), Some("Stop i-web"));
    assert_eq!(calls.last().map(String::as_str), Some("Stop i-db"));
    assert_eq!(calls.len(), 4, "free is kept by prevent_stop, and so the run ends with 1");
    assert_eq!(off.lines.planned_of("db").reason_code(), "powered_off");
    let on = scenario.converge();
    assert_eq!(on.calls().len(), 4);
}

#[test]
fn refreshing_shows_and_records_what_moved_and_touches_nothing() {
    let scenario = shop();
    scenario.converge();
    scenario.run(&["plan", "--refresh-only", "--detailed-exitcode"]).exits(0).prints(&["Nothing has moved"]);
    scenario.click("i-web", "Stopped");
    scenario.run(&["plan", "--refresh-only", "--detailed-exitcode"]).exits(2).prints(&[
        "# web has moved",
        "stopped outside powerform since the last apply",
        "1 instance has moved",
    ]);
    let refreshed = scenario.run(&["apply", "--refresh-only", "--auto-approve"]).exits(0);
    assert!(refreshed.calls().is_empty());
    scenario.run(&["state", "show", "web"]).exits(0).prints(&["goal: Running", "status: Stopped"]);
    let plan = scenario.plan();
    assert!(plan.lines.of_type("resource_drift").is_empty(), "it is known by now");
    assert_eq!(plan.lines.planned_of("web").action(), "start");
}
