use serde_json::{Value, json};

use super::read;
use crate::fleet::{Goal, LockReason, Power, StopMode, StopPolicy};
use crate::plan::{Plan, Then, Verdict};
use crate::render::fixtures::{self, change, now};
use crate::render::json::v1::{plan as plan_lines, planned_changes};

fn planned(plan: &Plan) -> Vec<Value> {
    planned_changes(now(), plan).map(|line| read(&line)).collect()
}

#[test]
fn a_plan_is_told_as_drift_then_every_change_then_the_counts() {
    let plan = fixtures::web_shop();
    let lines: Vec<Value> = plan_lines(now(), &plan).map(|line| read(&line)).collect();
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
                "app[i-bp1app000000000001] will be started: it was not there yet when it was last recorded, on 2026-11-21 20:04 UTC",
            "@module": "powerform.ui", "@timestamp": "2026-11-22T08:00:00Z", "type": "planned_change",
            "reason": "it was not there yet when it was last recorded, on 2026-11-21 20:04 UTC",
            "change": {
                "resource": {
                    "addr": "app[i-bp1app000000000001]", "module": "",
                    "resource": "app[i-bp1app000000000001]", "implied_provider": "default",
                    "resource_type": "instance", "resource_name": "app",
                    "resource_key": "i-bp1app000000000001",
                },
                "action": "start",
                "reason": "it was not there yet when it was last recorded, on 2026-11-21 20:04 UTC",
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
        assert_eq!(line["change"]["call_blocked"], Value::Null, "{action}");
        assert_eq!(line["change"]["reason"], line["reason"]);
        assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{action}");
    }
}

#[test]
fn a_call_that_cannot_follow_is_named_with_what_stands_against_it() {
    let block = crate::plan::Block::PreventStop;
    let waiting = Verdict::Wait { until: Goal::Stopped, then: Some(Then::Blocked(block)) };
    let one = change("db", Power::Pending, Goal::Stopped, waiting);
    let line = planned(&fixtures::plan(vec![one], &[])).remove(0);
    let change = &line["change"];
    assert_eq!(
        (&change["action"], &change["call"], &line["@level"]),
        (&json!("wait"), &Value::Null, &json!("warn"))
    );
    let said = &change["call_blocked"];
    assert_eq!(
        (&said["code"], &said["reason"]),
        (&json!("prevent_stop"), &json!("prevent_stop forbids the stop"))
    );
    assert!(said["remedy"].is_string());
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
    assert_eq!(codes.len(), 14 + 9, "{codes:?}");
}
