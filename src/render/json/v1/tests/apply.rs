use std::time::Duration;

use serde_json::{Value, json};

use super::read;
use crate::execute::{Action, Event, EventKind, Failure, How, Outcome, Report};
use crate::fleet::{Power, StoppedMode};
use crate::render::fixtures::{self, assert_harmless, at, began, now};
use crate::render::json::v1::{Apply, apply_summary};

#[test]
fn an_apply_of_one_start_is_one_start_line_and_one_end_line() {
    let plan = fixtures::web_shop();
    let mut apply = Apply::new();
    let action = Action::Start;
    let events = [
        began(100, 0, action),
        at(400, EventKind::Accepted { change: 0, action, request_id: Some("0C2DB2B2".to_owned()) }),
        at(1_100, EventKind::Moved { change: 0, power: Some(Power::Starting) }),
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
fn a_wait_that_turns_into_a_call_has_one_beginning_all_the_same() {
    let plan = fixtures::web_shop();
    let mut apply = Apply::new();
    let kinds: Vec<String> = [
        began(0, 0, Action::Wait),
        began(2_000, 0, Action::Start),
        fixtures::completed(4_000, 0, Action::Start, How::Called, Power::Running),
    ]
    .iter()
    .filter_map(|event| apply.event_line(now(), &plan, event))
    .map(|line| format!("{} {}", read(&line)["type"], read(&line)["hook"]["action"]).replace('"', ""))
    .collect();
    assert_eq!(kinds, ["apply_start wait", "apply_progress start", "apply_complete start"]);
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
    assert_eq!(at(seconds(10)), ["db: Still starting... [10s elapsed]"]);
    assert_eq!(at(seconds(14)), ["batch: Still stopping... [10s elapsed]"]);
    assert!(at(seconds(19)).is_empty());
    assert_eq!(
        at(seconds(24)),
        ["db: Still starting... [24s elapsed]", "batch: Still stopping... [20s elapsed]"]
    );
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
            assert!(matches!(event.kind, EventKind::Accepted { .. } | EventKind::Interrupted));
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
    let line = read(&apply_summary(now(), &plan, &report, true));
    assert_eq!(
        line["@message"],
        "Apply incomplete: 0 started, 1 stopped, 0 already there, 1 failed, 1 skipped, 1 not reached, 1 blocked."
    );
    let summary = &line["summary"];
    assert_eq!((&summary["result"], &summary["state_saved"]), (&json!("incomplete"), &json!(true)));
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

#[test]
fn an_apply_whose_record_could_not_be_saved_is_incomplete() {
    let mut report = Report::default();
    report.outcomes.insert(0, Outcome::Started);
    let one = fixtures::change("db", Power::Stopped, crate::fleet::Goal::Running, fixtures::start());
    let plan = fixtures::plan(vec![one], &[]);
    for (is_saved, result) in [(true, "complete"), (false, "incomplete")] {
        let summary = read(&apply_summary(now(), &plan, &report, is_saved))["summary"].clone();
        assert_eq!((&summary["result"], &summary["state_saved"]), (&json!(result), &json!(is_saved)));
    }
}
