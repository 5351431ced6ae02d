mod apply;
mod plan;
mod schema;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fleet::{Goal, Power, Recorded, RecordedInstance};
use crate::render::fixtures::{self, now};

/// Reads a line back after checking what every line has to have.
fn read(line: &str) -> Value {
    assert!(!line.contains('\n'), "{line}");
    assert_no_raw(line);
    let value: Value = serde_json::from_str(line).expect("JSON");
    assert!(["info", "warn", "error"].contains(&value["@level"].as_str().expect("a level")), "{line}");
    assert!(!value["@message"].as_str().expect("a message").is_empty(), "{line}");
    assert_eq!(value["@timestamp"], "2026-11-22T08:00:00Z");
    assert_eq!(value["@module"], "powerform.ui");
    schema::assert_line(&value);
    value
}

fn assert_no_raw(line: &str) {
    assert!(!line.contains(is_unsafe), "{line}");
}

#[test]
fn a_line_that_cannot_be_written_is_a_diagnostic_that_says_so() {
    struct Unwritable;
    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no words for it"))
        }
    }
    let line = read(&line(now(), Level::Info, "version", "it", Unwritable));
    assert_eq!((&line["type"], &line["@level"]), (&json!("diagnostic"), &json!("error")));
    assert_eq!(line["diagnostic"]["detail"], "no words for it");
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

proptest! {
    #[test]
    fn escapes_hide_nothing_from_a_reader_of_json(text in any::<String>()) {
        let json = super::text(&text);
        assert_no_raw(&json);
        prop_assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
    }
}
