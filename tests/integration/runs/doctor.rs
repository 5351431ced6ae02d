//! `powerform doctor`: what it finds in order, what it finds wrong, and that it changes nothing.

use serde_json::Value;

use crate::harness::{Ran, Scenario, World, side_by_side};

const CONFIGURATION: &str = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Stopped }
";
const ACCOUNT: &str = "instances: [{ id: i-a }, { id: i-b, status: Running }]\n";

const CHECKS: [&str; 11] = [
    "credentials",
    "region",
    "endpoint",
    "identity",
    "clock",
    "look",
    "start",
    "stop",
    "state",
    "lock",
    "lineage",
];

/// Runs it, and makes sure that nothing came of it. It asks more than the laws allow to a plan or an apply.
fn doctor(scenario: &Scenario, arguments: &[&str]) -> Ran {
    let before = std::fs::read(scenario.state()).ok();
    let locked = scenario.state().with_extension("json.lock").exists();
    let ran = scenario.start(&[&["doctor"], arguments].concat()).finish_among_others();
    assert_eq!(std::fs::read(scenario.state()).ok(), before);
    assert_eq!(scenario.state().with_extension("json.lock").exists(), locked);
    ran
}

/// The checks of the JSON document.
fn checks(scenario: &Scenario, status: i32) -> Vec<Value> {
    let ran = doctor(scenario, &["--json"]).exits(status);
    assert!(ran.calls().is_empty(), "{:?}", ran.calls());
    let document: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout));
    assert_eq!(document["format_version"], "1.0");
    document["checks"].as_array().expect("a list").clone()
}

fn names_with(checks: &[Value], status: &str) -> Vec<String> {
    let with = checks.iter().filter(|check| check["status"] == status);
    with.map(|check| check["name"].as_str().expect("a name").to_owned()).collect()
}

#[track_caller]
fn says(checks: &[Value], name: &str, key: &str, text: &str) {
    let check =
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {checks:?}"));
    assert!(check[key].as_str().is_some_and(|said| said.contains(text)), "no \"{text}\" in {check}");
}

#[test]
fn a_sound_stack_is_found_sound_before_and_after_its_first_apply() {
    side_by_side(&World::BOTH, |world| {
        let scenario = Scenario::in_world(*world, ACCOUNT, CONFIGURATION);
        let found = checks(&scenario, 0);
        assert_eq!(names_with(&found, "ok"), CHECKS, "{found:?}");
        says(&found, "identity", "detail", "1234567890123456");
        says(&found, "endpoint", "detail", "http://127.0.0.1:");
        says(&found, "look", "detail", "all of 2 instances");
        says(&found, "start", "detail", "asked about a (Stopped)");
        says(&found, "stop", "detail", "asked about b (Running)");
        says(&found, "lineage", "detail", "none yet");
        let source =
            if *world == World::Served { "ALIBABA_CLOUD_ACCESS_KEY_ID" } else { "simulated account" };
        says(&found, "credentials", "detail", source);

        scenario.converge();
        // Now a is Running and b Stopped: as good to ask about.
        let found = checks(&scenario, 0);
        says(&found, "start", "detail", "asked about b (Stopped)");
        says(&found, "lineage", "detail", "serial ");
        doctor(&scenario, &[]).exits(0).prints(&["ok       credentials", "\nAll is well.\n"]);
    });
}

#[test]
fn what_is_not_permitted_is_an_error_with_its_remedy() {
    let rows = [("StartInstance", "start"), ("StopInstance", "stop"), ("DescribeInstances", "look")];
    side_by_side(&rows, |(action, name)| {
        let account = format!("{ACCOUNT}permissions: {{ deny: [{action}] }}\n");
        let scenario = Scenario::new(&account, CONFIGURATION);
        let found = checks(&scenario, 1);
        assert_eq!(names_with(&found, "error"), [*name], "{found:?}");
        says(&found, name, "detail", "Forbidden.RAM");
        says(&found, name, "remedy", "ecs:");
        doctor(&scenario, &[]).exits(1).prints(&["error    ", "-> ", "1 error, "]);
    });
}

#[test]
fn where_no_instance_fits_another_shows_the_permission() {
    let configuration = "instances:\n  a: { id: i-a, status: Running }\n";
    let allowed = Scenario::new("instances: [{ id: i-a, status: Running }]\n", configuration);
    says(&checks(&allowed, 0), "start", "detail", "no instance is Stopped now, and of a (Running)");
    let denied = "instances: [{ id: i-a, status: Running }]\npermissions: { deny: [StartInstance] }\n";
    let denied = Scenario::new(denied, configuration);
    says(&checks(&denied, 1), "start", "detail", "not permitted");
}

#[test]
fn instances_that_cannot_be_seen_are_named() {
    let scenario = Scenario::new("instances: [{ id: i-b, status: Running }]\n", CONFIGURATION);
    let found = checks(&scenario, 0);
    assert_eq!(names_with(&found, "warning"), ["look"], "{found:?}");
    says(&found, "look", "detail", "of 2 instances 1 cannot be seen: i-a");
}

#[test]
fn without_credentials_the_whole_search_is_told_and_the_rest_is_skipped() {
    let mut scenario = Scenario::in_world(World::Served, ACCOUNT, CONFIGURATION);
    for name in ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"] {
        scenario.set(name, "");
    }
    scenario.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let found = checks(&scenario, 1);
    assert_eq!(names_with(&found, "error"), ["credentials"]);
    assert_eq!(names_with(&found, "skipped"), ["identity", "clock", "look", "start", "stop"]);
    for place in ["(1) the environment", "(6) the credentials URI", "aliyun configure"] {
        says(&found, "credentials", "detail", place);
    }
    says(&found, "region", "detail", "cn-hangzhou");
    says(&found, "endpoint", "detail", "(not asked)");
}

#[test]
fn a_wrong_secret_is_an_error_of_everything_that_is_signed() {
    let mut scenario = Scenario::in_world(World::Served, ACCOUNT, CONFIGURATION);
    scenario.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "another");
    let found = checks(&scenario, 1);
    assert_eq!(names_with(&found, "error"), ["identity", "look", "start", "stop"], "{found:?}");
    says(&found, "identity", "detail", "secret is wrong");
    says(&found, "look", "remedy", "secret is wrong");
}

#[test]
fn an_endpoint_that_does_not_answer_is_one_error_and_not_many() {
    let mut scenario = Scenario::new(ACCOUNT, "");
    scenario.write(
        "powerform.yaml",
        format!("stack: scenario\nprovider: {{ region: cn-hangzhou, endpoint: \"http://127.0.0.1:1\" }}\n{CONFIGURATION}"),
    );
    scenario.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "sim-key");
    scenario.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "another");
    let found = checks(&scenario, 1);
    assert_eq!(names_with(&found, "error"), ["endpoint"], "{found:?}");
    assert_eq!(names_with(&found, "warning"), ["identity"]);
    assert_eq!(names_with(&found, "skipped"), ["clock", "look", "start", "stop"]);
    says(&found, "endpoint", "remedy", "check the network");
}

#[test]
fn a_state_that_is_torn_and_a_lock_that_is_held_are_found() {
    let torn = Scenario::new(ACCOUNT, CONFIGURATION);
    torn.converge();
    std::fs::write(torn.state(), "{").expect("written");
    let found = checks(&torn, 1);
    assert_eq!(names_with(&found, "error"), ["state"]);
    assert_eq!(names_with(&found, "skipped"), ["lineage"]);

    let account = "instances: [{ id: i-a, start: 1h }, { id: i-b, status: Running }]\n";
    let held = Scenario::new(account, CONFIGURATION);
    let mut apply = held.start(&["apply", "--auto-approve"]);
    apply.until_called("StartInstance", "i-a");
    let ran = held.start(&["doctor", "--json"]).finish_among_others().exits(0);
    for text in ["held by tester@", r#""name":"lock","status":"warning""#, "wait until it has ended"] {
        assert!(ran.stdout.contains(text), "no {text}: {}", ran.stdout);
    }
    held.click("i-a", "Running");
    apply.finish_among_others().exits(0);
}
