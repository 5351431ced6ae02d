//! The published schemas, held against what is written.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::read;
use crate::render::fixtures::{self, now};
use crate::render::json::v1::{self, Diagnostic, Severity};

const LINES: &str = include_str!("../../../../../docs/json/v1/lines.schema.json");
const VALIDATE: &str = include_str!("../../../../../docs/json/v1/validate.schema.json");
const SHOW_STATE: &str = include_str!("../../../../../docs/json/v1/show-state.schema.json");
const STATE_LIST: &str = include_str!("../../../../../docs/json/v1/state-list.schema.json");
const DOCTOR: &str = include_str!("../../../../../docs/json/v1/doctor.schema.json");
const SHOW_PLAN: &str = include_str!("../../../../../docs/json/v1/show-plan.schema.json");

fn compiled(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

fn lines() -> &'static Validator {
    static SCHEMA: OnceLock<Validator> = OnceLock::new();
    SCHEMA.get_or_init(|| compiled(LINES))
}

/// Every line that a test of this module reads passes here.
pub(super) fn assert_line(line: &Value) {
    assert!(lines().is_valid(line), "the schema of lines refuses {line:#}");
}

/// A document as the schema wants it; `schema` is one of the texts above.
fn assert_document(schema: &str, text: &str) {
    let document: Value = serde_json::from_str(text).expect("JSON");
    let problems: Vec<String> =
        compiled(schema).iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?} in {document:#}");
}

#[test]
fn the_schemas_of_documents_accept_them() {
    let warning = Diagnostic::new(Severity::Warning, "soft", "");
    assert_document(VALIDATE, &v1::validation(&[warning]));
    let lineage = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().expect("a UUID");
    let recorded = crate::fleet::Recorded::new("web-shop".parse().expect("a stack"), lineage);
    assert_document(SHOW_STATE, &v1::state(&recorded));
    assert_document(STATE_LIST, &v1::state_list(&recorded));
    let check = crate::render::checkup::Check::warning("clock", "late", "set it");
    assert_document(DOCTOR, &v1::checkup(&[check]));
    compiled(SHOW_PLAN);
}

#[test]
fn a_line_of_unknown_type_or_without_a_field_of_its_own_is_refused() {
    let plan = fixtures::web_shop();
    let mut seen = BTreeSet::new();
    for line in std::iter::once(v1::version(now(), "0.1.0")).chain(v1::plan(now(), &plan)) {
        let line = read(&line);
        let fields: Vec<String> = line.as_object().expect("an object").keys().cloned().collect();
        for field in fields {
            let mut without = line.clone();
            without.as_object_mut().expect("an object").remove(&field);
            assert!(!lines().is_valid(&without), "a line without {field} passes: {without:#}");
        }
        let mut other = line.clone();
        other["type"] = json!("apply_began");
        assert!(!lines().is_valid(&other), "a line of unknown type passes: {other:#}");
        seen.insert(line["type"].to_string());
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}
