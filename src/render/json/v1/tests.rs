use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::execute::{Action, Event, EventKind, Failure, How, Outcome, Report};
use crate::fleet::{Goal, LockReason, Power, Recorded, RecordedInstance, StopMode, StopPolicy, StoppedMode};
use crate::plan::{Plan, Then, Verdict};
use crate::render::fixtures::{self, assert_harmless, at, began, change, now};

/// Reads a line back after checking what every line has to have.
fn read(line: &str) -> Value {
    assert!(!line.contains('\n'), "{line}");
    assert_no_raw(line);
    let value: Value = serde_json::from_str(line).expect("JSON");
    assert!(["info", "warn", "error"].contains(&value["@level"].as_str().expect("a level")), "{line}");
    assert!(!value["@message"].as_str().expect("a message").is_empty(), "{line}");
    assert_eq!(value["@timestamp"], "2026-11-22T08:00:00Z");
    assert_eq!(value["@module"], "powerform.ui");
    assert!(value["type"].is_string(), "{line}");
    value
}

fn assert_no_raw(line: &str) {
    assert!(!line.contains(is_unsafe), "{line}");
}

fn planned(plan: &Plan) -> Vec<Value> {
    planned_changes(now(), plan).map(|line| read(&line)).collect()
}

#[test]
fn the_first_line_names_both_versions() {
    assert_eq!(
        read(&version(now(), "0.1.0")),
        json!({
            "@level": "info", "@message": "powerform 0.1.0", "@module": "powerform.ui",
            "@timestamp": "2026-11-22T08:00:00Z", "type": "version", "powerform": "0.1.0", "ui": "1.0",
        })
    );
}

#[test]
fn a_plan_is_told_as_drift_then_every_change_then_the_counts() {
    let plan = fixtures::web_shop();
    let lines: Vec<Value> = super::plan(now(), &plan).map(|line| read(&line)).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds[0], "resource_drift");
    assert_eq!(kinds[1..7], ["planned_change"; 6]);
    assert_eq!(kinds[7..], ["change_summary"]);
    assert_eq!(
        lines[0],
        json!({
            "@level": "info",
            "@message": "db: stopped outside powerform since the last apply 2026-11-21 20:04 UTC",
            "@module": "powerform.ui", "@timestamp": "2026-11-22T08:00:00Z", "type": "resource_drift",
            "change": {
                "resource": {
                    "addr": "db", "module": "", "resource": "db", "implied_provider": "default",
                    "resource_type": "instance", "resource_name": "db", "resource_key": null,
                },
                "action": "stop",
                "reason": "stopped outside powerform since the last apply 2026-11-21 20:04 UTC",
                "before": { "status": "Running" }, "after": { "status": "Stopped" },
                "since": "2026-11-21T20:04:31Z",
            },
        })
    );
    assert_eq!(
        lines[3],
        json!({
            "@level": "info",
            "@message":
                "app[i-bp1app000000000001] will be started: an apply left it unfinished on 2026-11-21 20:04 UTC",
            "@module": "powerform.ui", "@timestamp": "2026-11-22T08:00:00Z", "type": "planned_change",
            "reason": "an apply left it unfinished on 2026-11-21 20:04 UTC",
            "change": {
                "resource": {
                    "addr": "app[i-bp1app000000000001]", "module": "",
                    "resource": "app[i-bp1app000000000001]", "implied_provider": "default",
                    "resource_type": "instance", "resource_name": "app",
                    "resource_key": "i-bp1app000000000001",
                },
                "action": "start",
                "reason": "an apply left it unfinished on 2026-11-21 20:04 UTC",
                "reason_code": "unfinished",
                "before": { "status": "Stopped", "stopped_mode": "Not-applicable" },
                "after": { "status": "Running" },
                "call": { "action": "StartInstance", "init_local_disk": false },
                "order": "after db is Running",
                "instance_id": "i-bp1app000000000001", "provider": "default", "region": "cn-hangzhou",
                "warnings": [],
            },
        })
    );
    assert_eq!(
        lines[7]["changes"],
        json!({
            "start": 3, "stop": 1, "wait": 0, "noop": 1, "blocked": 1, "release": 0, "any": 0,
            "operation": "plan",
        })
    );
    assert_eq!(lines[7]["@message"], "Plan: 3 to start, 1 to stop, 0 to wait for, 1 blocked, 1 in sync.");
}

#[test]
fn every_verdict_has_its_action_and_its_call() {
    let policy = StopPolicy { mode: StopMode::StopCharging, force: true };
    let start = json!({ "action": "StartInstance", "init_local_disk": true });
    let stop = json!({ "action": "StopInstance", "stopped_mode": "StopCharging", "force_stop": true });
    for (verdict, action, call, after) in [
        (Verdict::InSync, "noop", Value::Null, json!("Stopped")),
        (
            Verdict::Start { once_stopped: true, init_local_disk: true },
            "start",
            start.clone(),
            json!("Running"),
        ),
        (Verdict::Stop { once_running: false, policy }, "stop", stop.clone(), json!("Stopped")),
        (Verdict::Wait { until: Goal::Running, then: None }, "wait", Value::Null, json!("Running")),
        (
            Verdict::Wait { until: Goal::Running, then: Some(Then::Start { init_local_disk: true }) },
            "wait",
            start,
            json!("Running"),
        ),
        (
            Verdict::Wait { until: Goal::Stopped, then: Some(Then::Stop { policy }) },
            "wait",
            stop,
            json!("Stopped"),
        ),
        (Verdict::Release, "release", Value::Null, Value::Null),
        (Verdict::Any, "any", Value::Null, json!("Stopped")),
    ] {
        let one = change("db", Power::Stopped, Goal::Running, verdict);
        let line = planned(&fixtures::plan(vec![one], &[])).remove(0);
        assert_eq!(line["change"]["action"], action);
        assert_eq!(line["change"]["call"], call, "{action}");
        assert_eq!(line["change"]["after"]["status"], after, "{action}");
        assert_eq!(line["change"]["reason"], line["reason"]);
        assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{action}");
    }
}

#[test]
fn every_block_and_warning_has_a_code_of_its_own_with_reason_and_remedy() {
    let mut codes = std::collections::BTreeSet::new();
    for block in fixtures::every_block("odd") {
        let mut one = change("db", Power::Stopped, Goal::Running, Verdict::Blocked(block));
        one = fixtures::with_lock(one, LockReason::Security);
        one.warnings = fixtures::every_warning("odd");
        let line = planned(&fixtures::plan(vec![one], &[])).remove(0);
        let change = &line["change"];
        assert_eq!((&change["action"], &line["@level"]), (&json!("blocked"), &json!("warn")));
        assert!(change["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()));
        assert_eq!(change["before"]["locks"], json!(["security"]));
        codes.insert(change["reason_code"].to_string());
        for warning in change["warnings"].as_array().expect("warnings") {
            assert!(
                ["code", "reason", "remedy"]
                    .iter()
                    .all(|key| warning[key].as_str().is_some_and(|t| !t.is_empty()))
            );
            codes.insert(warning["code"].to_string());
        }
    }
    assert_eq!(codes.len(), 11 + 7, "{codes:?}");
}

#[test]
fn an_apply_of_one_start_is_one_start_line_and_one_end_line() {
    let plan = fixtures::web_shop();
    let mut apply = Apply::new();
    let action = Action::Start;
    let events = [
        began(100, 0, action),
        at(400, EventKind::Accepted { change: 0, action, request_id: Some("0C2DB2B2".to_owned()) }),
        at(1_100, EventKind::Moved { change: 0, power: Power::Starting }),
        fixtures::completed(4_100, 0, action, How::Called, Power::Running),
    ];
    let lines: Vec<Value> = events
        .iter()
        .filter_map(|event| apply.event_line(now(), &plan, event))
        .map(|line| read(&line))
        .collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["apply_start", "apply_progress", "apply_complete"]);
    assert_eq!(lines[0]["@message"], "db: starting...");
    assert_eq!(lines[1]["hook"]["elapsed_seconds"], 1.0);
    assert_eq!(lines[1]["hook"]["status"], "Starting");
    assert_eq!(lines[2]["@message"], "db: Running after 4.1s");
    assert_eq!(
        lines[2]["hook"],
        json!({
            "resource": lines[0]["hook"]["resource"], "action": "start",
            "id_key": "instance_id", "id_value": "i-bp1db0000000000001",
            "elapsed_seconds": 4.1, "request_id": "0C2DB2B2", "status": "Running", "how": "called",
            "took_seconds": 4.1,
        })
    );
}

#[test]
fn an_errored_step_carries_what_ecs_said_and_what_to_do() {
    let plan = fixtures::web_shop();
    let mut apply = Apply::new();
    let event = fixtures::failed(900, 0, Action::Start, Failure::Refused(fixtures::expired()));
    let line = read(&apply.event_line(now(), &plan, &event).expect("a line"));
    assert_eq!((&line["type"], &line["@level"]), (&json!("apply_errored"), &json!("error")));
    assert_eq!(line["hook"]["elapsed_seconds"], 0.9);
    assert_eq!(
        line["hook"]["error"],
        json!({
            "kind": "refused", "code": "InstanceExpired", "message": "The specified instance has expired.",
            "request_id": "0C2DB2B2-1D5C-4F5F-8C3A-1B2C3D4E5F60",
            "remedy": "renew it: console > Expenses > Renewal Management",
        })
    );
    assert_eq!(line["hook"]["request_id"], line["hook"]["error"]["request_id"]);
}

#[test]
fn a_skipped_step_names_the_nearest_cause_and_the_first() {
    let plan = fixtures::web_shop();
    let kind = EventKind::Skipped {
        change: 4,
        action: Action::Start,
        because: fixtures::address("app[i-bp1app000000000001]"),
        root: fixtures::address("db"),
    };
    let line = read(&Apply::new().event_line(now(), &plan, &at(5, kind)).expect("a line"));
    assert_eq!(line["type"], "apply_skipped");
    assert_eq!(line["hook"]["because"], "app[i-bp1app000000000001]");
    assert_eq!(line["hook"]["root"], "db");
}

#[test]
fn steps_in_transition_are_spoken_of_every_ten_seconds() {
    let plan = fixtures::web_shop();
    let mut apply = Apply::new();
    let seconds = Duration::from_secs;
    for event in [began(0, 0, Action::Start), began(4_000, 5, Action::Stop)] {
        apply.event_line(now(), &plan, &event);
    }
    let mut at = |time| -> Vec<String> {
        let lines = apply.progress_lines(now(), &plan, time);
        lines.iter().map(|line| read(line)["@message"].as_str().expect("a message").to_owned()).collect()
    };
    assert!(at(seconds(9)).is_empty());
    assert_eq!(at(seconds(10)), ["db: still starting after 10s"]);
    assert_eq!(at(seconds(14)), ["batch: still stopping after 10s"]);
    assert!(at(seconds(19)).is_empty());
    assert_eq!(at(seconds(24)), ["db: still starting after 24s", "batch: still stopping after 20s"]);
}

#[test]
fn an_interruption_ends_what_had_begun_and_only_that() {
    let plan = fixtures::web_shop();
    let mut apply = Apply::new();
    apply.event_line(now(), &plan, &began(0, 0, Action::Start));
    let left = |change| {
        at(2_000, EventKind::NotReached { change, action: Action::Start, in_transition: change == 0 })
    };
    let line = read(&apply.event_line(now(), &plan, &left(0)).expect("a line"));
    assert_eq!(
        (&line["type"], &line["hook"]["error"]["kind"]),
        (&json!("apply_errored"), &json!("interrupted"))
    );
    assert_eq!(line["hook"]["elapsed_seconds"], 2.0);
    assert_eq!(apply.event_line(now(), &plan, &left(2)), None);
    assert!(apply.progress_lines(now(), &plan, Duration::from_secs(60)).is_empty());
}

#[test]
fn every_event_makes_a_sound_line_whatever_its_text() {
    let plan = fixtures::web_shop();
    let hostile = fixtures::hostile();
    let mut apply = Apply::new();
    let mut lines = 0;
    for event in fixtures::every_event(0, &hostile) {
        // Each end is preceded by a beginning.
        apply.event_line(now(), &plan, &began(0, 0, Action::Start));
        let Some(line) = apply.event_line(now(), &plan, &event) else {
            assert!(matches!(event.kind, EventKind::Accepted { .. }));
            continue;
        };
        lines += 1;
        let value = read(&line);
        assert_harmless(value["@message"].as_str().expect("a message"));
        if let Some(message) = value["hook"]["error"]["message"].as_str()
            && message.len() > 5_000
        {
            assert_eq!(message, hostile, "ECS's own message is exact");
        }
    }
    assert!(lines > 50);
}

#[test]
fn events_about_instances_outside_of_the_plan_make_no_line() {
    let plan = fixtures::web_shop();
    for event in fixtures::every_event(99, "odd") {
        let line = Apply::new().event_line(now(), &plan, &event);
        let about_no_instance =
            matches!(event, Event { kind: EventKind::Throttled { .. } | EventKind::LookFailed { .. }, .. });
        assert_eq!(line.is_some(), about_no_instance, "{event:?}");
    }
}

#[test]
fn the_summary_lists_every_instance_under_what_became_of_it() {
    let plan = fixtures::web_shop();
    let mut report = Report::default();
    report.hear(&fixtures::failed(900, 0, Action::Start, Failure::Refused(fixtures::expired())));
    let db = fixtures::address("db");
    report.outcomes.insert(2, Outcome::Skipped { because: db.clone(), root: db });
    report.outcomes.insert(5, Outcome::Stopped);
    let line = read(&apply_summary(now(), &plan, &report));
    assert_eq!(
        line["@message"],
        "Apply incomplete: 0 started, 1 stopped, 0 already there, 1 failed, 1 skipped, 1 not reached, 1 blocked."
    );
    let summary = &line["summary"];
    assert_eq!(summary["result"], "incomplete");
    assert_eq!(
        summary["counts"],
        json!({
            "started": 0, "stopped": 1, "arrived": 0, "already_there": 0, "failed": 1, "skipped": 1,
            "not_reached": 1, "blocked": 1, "released": 0,
        })
    );
    assert_eq!(summary["stopped"], json!(["batch"]));
    assert_eq!(summary["failed"][0]["addr"], "db");
    assert_eq!(summary["failed"][0]["error"]["code"], "InstanceExpired");
    assert_eq!(
        summary["skipped"],
        json!([{
            "addr": "app[i-bp1app000000000001]", "code": "skipped", "reason": "not tried because of db",
            "remedy": "mend db, then apply again", "because": "db", "root": "db",
        }])
    );
    assert_eq!(summary["not_reached"][0]["addr"], "edge");
    assert_eq!(
        summary["blocked"],
        json!([{
            "addr": "app[i-bp1app000000000003]", "code": "locked",
            "reason": "ECS refuses to start it until the security lock is lifted",
            "remedy": "console > Security Center",
        }])
    );
}

#[test]
fn diagnostics_and_validation_have_terraforms_shape() {
    let mut problem =
        Diagnostic::new(Severity::Error, "unknown key \"depend_on\"", "did you mean depends_on?");
    problem.range = Some(Range {
        filename: "powerform.yaml".to_owned(),
        start: Position { line: 3, column: 5, byte: 40 },
        end: Position { line: 3, column: 14, byte: 49 },
    });
    problem.snippet = Some(Snippet {
        context: Some("instances.app".to_owned()),
        code: "    depend_on: [db]".to_owned(),
        start_line: 3,
        highlight_start_offset: 4,
        highlight_end_offset: 13,
    });
    let body = json!({
        "severity": "error", "summary": "unknown key \"depend_on\"", "detail": "did you mean depends_on?",
        "range": {
            "filename": "powerform.yaml",
            "start": { "line": 3, "column": 5, "byte": 40 }, "end": { "line": 3, "column": 14, "byte": 49 },
        },
        "snippet": {
            "context": "instances.app", "code": "    depend_on: [db]", "start_line": 3,
            "highlight_start_offset": 4, "highlight_end_offset": 13,
        },
    });
    let line = read(&diagnostic(now(), &problem));
    assert_eq!((&line["type"], &line["@level"]), (&json!("diagnostic"), &json!("error")));
    assert_eq!(line["diagnostic"], body);

    let warning = Diagnostic::new(Severity::Warning, "soft", "");
    let document =
        |problems: &[Diagnostic]| -> Value { serde_json::from_str(&validation(problems)).expect("JSON") };
    assert_eq!(
        document(&[problem, warning.clone()]),
        json!({
            "format_version": "1.0", "valid": false, "error_count": 1, "warning_count": 1,
            "diagnostics": [body, { "severity": "warning", "summary": "soft", "detail": "" }],
        })
    );
    assert_eq!(document(&[warning])["valid"], true);
}

#[test]
fn the_record_is_one_document() {
    let lineage = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().expect("a UUID");
    let mut recorded = Recorded::new("web-shop".parse().expect("a stack"), lineage);
    recorded.serial = 7;
    let db = fixtures::web_shop().changes.remove(0);
    let mut instance = RecordedInstance {
        address: db.address,
        goal: Goal::Running,
        power: Power::Running,
        recorded_at: fixtures::since(),
        took: crate::fleet::Durations::default(),
    };
    instance.took.add_start(Duration::from_millis(4_100));
    recorded.instances.insert(db.key, instance);
    let document: Value = serde_json::from_str(&state(&recorded)).expect("JSON");
    assert_eq!(
        document,
        json!({
            "format_version": "1.0", "stack": "web-shop",
            "lineage": "67e55044-10b1-426f-9247-bb680e5fe0c8", "serial": 7,
            "instances": [{
                "address": "db", "provider": "default", "instance_id": "i-bp1db0000000000001",
                "goal": "Running", "status": "Running", "recorded_at": "2026-11-21T20:04:31Z",
                "start_seconds": [4.1], "stop_seconds": [],
            }],
        })
    );
    let list: Value = serde_json::from_str(&state_list(&recorded)).expect("JSON");
    assert_eq!(list, json!({ "format_version": "1.0", "addresses": ["db"] }));
}

#[test]
fn a_stop_that_ended_in_another_mode_is_a_warning() {
    let plan = fixtures::web_shop();
    let mut event = fixtures::completed(3_000, 5, Action::Stop, How::Called, Power::Stopped);
    if let EventKind::Completed { stopped_mode, .. } = &mut event.kind {
        *stopped_mode = Some(StoppedMode::KeepCharging);
    }
    let line = read(&Apply::new().event_line(now(), &plan, &event).expect("a line"));
    assert_eq!((&line["@level"], &line["hook"]["stopped_mode"]), (&json!("warn"), &json!("KeepCharging")));
    assert_eq!(
        line["@message"],
        "batch: Stopped after 3s; stopped, but still charging: ECS kept its resources"
    );
}

proptest! {
    #[test]
    fn escapes_hide_nothing_from_a_reader_of_json(text in any::<String>()) {
        let json = super::text(&text);
        assert_no_raw(&json);
        prop_assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
    }
}
