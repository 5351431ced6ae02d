//! Plans that are saved, narrowed, turned into everything off, or only look back.

use crate::harness::{Scenario, World};

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

#[test]
fn a_saved_plan_of_another_account_is_refused_before_its_credentials_are_used() {
    let mut scenario = Scenario::in_world(World::Served, ACCOUNT, SHOP);
    let plan = scenario.run(&["plan", "--out", "p.plan"]).exits(0);
    plan.complains(&["default: cn-hangzhou, credentials from the environment (ALIBABA_CLOUD_ACCESS_KEY_ID)"]);
    let saved = std::fs::read_to_string(scenario.folder().join("p.plan")).unwrap();
    assert!(!saved.contains("sim-key") && !saved.contains(crate::harness::SECRET), "{saved}");
    let document = scenario.run(&["show", "p.plan", "--json"]).exits(0).stdout;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["accounts"]["default"]["fingerprint"].as_str().map(str::len), Some(64));
    scenario
        .run(&["show", "p.plan"])
        .exits(0)
        .prints(&["for default with credentials from the environment (ALIBABA_CLOUD_ACCESS_KEY_ID)"]);

    scenario.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "other-key");
    let refused = scenario.run(&["apply", "p.plan"]).exits(1);
    let refused = refused.complains(&["stale", "the credentials for default are of another account"]);
    assert!(refused.log.lines().is_empty(), "nothing is asked with them");
    scenario.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "sim-key");
    scenario.run(&["apply", "p.plan"]).exits(0);
}

#[test]
fn what_a_saved_plan_was_narrowed_to_stays_with_it() {
    let scenario = shop();
    scenario
        .run(&["plan", "--out", "p.plan", "--target", "app", "--target", "w*", "--exclude", "free"])
        .exits(0);
    let document = scenario.run(&["show", "p.plan", "--json"]).exits(0).stdout;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["targets"], serde_json::json!(["app", "w*"]));
    assert_eq!(document["excludes"], serde_json::json!(["free"]));
    scenario.run(&["show", "p.plan"]).exits(0).prints(&["It is narrowed to app and w*, without free."]);
    let applied = scenario.run(&["apply", "p.plan"]).exits(0).complains(&["taken in too", "db"]);
    assert_eq!(sorted(applied.calls()), ["Start i-app1", "Start i-app2", "Start i-db", "Start i-web"]);
}

#[test]
fn a_narrowed_plan_releases_only_what_is_targeted() {
    let scenario = shop();
    scenario.converge();
    let without_free = SHOP.replace("  free: { id: i-free, status: Running }\n", "");
    scenario.write_configuration(&without_free);
    let release = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["plan"].iter().chain(arguments).copied().collect();
        scenario.run(&arguments).exits(0).stdout.contains("1 to release")
    };
    assert!(release(&[]) && release(&["--target", "free"]) && release(&["--exclude", "web"]));
    assert!(!release(&["--target", "web"]) && !release(&["--exclude", "free"]));
    scenario.run(&["apply", "--auto-approve", "--target", "web"]).exits(0);
    scenario.run(&["state", "list"]).exits(0).prints(&["free"]);
    scenario.run(&["apply", "--auto-approve", "--target", "f*"]).exits(0);
    let listed = scenario.run(&["state", "list"]).exits(0);
    assert!(!listed.stdout.contains("free"), "{}", listed.stdout);
}

#[test]
fn a_stop_takes_in_the_stops_of_what_needs_it_and_says_so() {
    let scenario = shop();
    scenario.converge();
    let off = ["apply", "--auto-approve", "--power-off", "--target", "app"];
    let off = scenario.run(&off).exits(0).complains(&["taken in too", "web"]);
    assert_eq!(off.calls().first().map(String::as_str), Some("Stop i-web"));
    assert_eq!(sorted(off.calls()), ["Stop i-app1", "Stop i-app2", "Stop i-web"]);
    scenario.converge();
    let off = ["apply", "--auto-approve", "--power-off", "--exclude", "app"];
    let off = scenario.run(&off).exits(0).complains(&["left out too", "db"]);
    assert_eq!(sorted(off.calls()), ["Stop i-free", "Stop i-web"]);
}

#[test]
fn a_saved_plan_of_another_stack_or_another_record_is_refused_with_all_that_differs() {
    let scenario = shop();
    scenario.converge();
    scenario.run(&["plan", "--out", "p.plan"]).exits(0);
    let refused = |words: &[&str]| {
        let refused = scenario.run(&["apply", "p.plan"]).exits(1).complains(&["stale", "nothing was called"]);
        assert!(refused.complains(words).log.lines().is_empty());
    };
    let record = std::fs::read_to_string(scenario.state()).unwrap();
    std::fs::remove_file(scenario.state()).unwrap();
    refused(&["the state that it was made with is gone"]);
    let lineage: serde_json::Value = serde_json::from_str(&record).unwrap();
    let lineage = lineage["lineage"].as_str().unwrap();
    let other = record.replace(lineage, "00000000-0000-4000-8000-000000000000");
    std::fs::write(scenario.state(), other).unwrap();
    refused(&["the state has another lineage"]);
    std::fs::write(scenario.state(), record).unwrap();

    let text = std::fs::read_to_string(scenario.folder().join("powerform.yaml")).unwrap();
    scenario.write("powerform.yaml", text.replace("stack: scenario", "stack: other"));
    refused(&[
        "it is for the stack scenario, and this is other",
        "has another meaning now",
        "the state that it was made with is gone",
    ]);
}
