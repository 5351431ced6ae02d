//! The JSON lines of a plan or an apply, read as a program would read them.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

/// All lines of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Lines(Vec<Value>);

/// What a plan says of one instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned<'l>(&'l Value);

/// Whatever a run writes is as the schema says that is published for other programs.
fn is_as_published(line: &Value) {
    static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
        let schema = include_str!("../../../docs/json/v1/lines.schema.json");
        jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
    });
    assert!(SCHEMA.is_valid(line), "this line is not as docs/json/v1/lines.schema.json says: {line}");
}

impl Lines {
    /// Reads a text of which every line must be an object with what every line has. Of a process that was killed
    /// (`whole` is false) the last line may be torn.
    pub(crate) fn read(text: &str, whole: bool) -> Self {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        if !whole {
            lines.pop_if(|last| !last.ends_with('\n'));
        }
        let lines: Vec<Value> = lines.into_iter().map(read_line).collect();
        lines.iter().for_each(is_as_published);
        Self(lines)
    }

    /// All lines, in order.
    pub(crate) fn all(&self) -> Vec<&Value> {
        self.0.iter().collect()
    }

    /// The lines of a type, in order.
    pub(crate) fn of_type(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|line| line["type"] == *kind).collect()
    }

    /// What the plan says, of each instance once.
    pub(crate) fn planned(&self) -> impl Iterator<Item = Planned<'_>> {
        self.0.iter().filter(|line| line["type"] == "planned_change").map(|line| Planned(&line["change"]))
    }

    /// What the plan says of one address.
    #[track_caller]
    pub(crate) fn planned_of(&self, address: &str) -> Planned<'_> {
        let mut found = self.planned().filter(|planned| planned.0["resource"]["addr"] == *address);
        let planned = found.next().unwrap_or_else(|| panic!("{address} is not in the plan: {self:#?}"));
        assert!(found.next().is_none(), "{address} is planned twice");
        planned
    }

    /// The line that ended the step of one address.
    #[track_caller]
    pub(crate) fn end_of(&self, address: &str) -> &Value {
        let ends = ["apply_complete", "apply_errored", "apply_skipped"];
        let mut found = self.0.iter().filter(|line| {
            ends.iter().any(|end| line["type"] == **end) && line["hook"]["resource"]["addr"] == *address
        });
        let end = found.next().unwrap_or_else(|| panic!("no line ends {address}: {self:#?}"));
        assert!(found.next().is_none(), "{address} ended twice");
        end
    }

    /// The summary that ends an apply.
    #[track_caller]
    pub(crate) fn summary(&self) -> &Value {
        let summaries = self.of_type("apply_summary");
        assert_eq!(summaries.len(), 1, "an apply ends with one summary: {self:#?}");
        &summaries[0]["summary"]
    }

    /// The addresses under one heading of the summary.
    #[track_caller]
    pub(crate) fn summary_of(&self, heading: &str) -> Vec<&str> {
        let listed = self.summary()[heading].as_array().unwrap();
        listed.iter().map(|item| item.as_str().or_else(|| item["addr"].as_str()).unwrap()).collect()
    }
}

fn read_line(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    for field in ["@timestamp", "@level", "@message", "type"] {
        assert!(value[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {line}");
    }
    value
}

impl<'l> Planned<'l> {
    pub(crate) fn action(self) -> &'l str {
        self.0["action"].as_str().unwrap()
    }

    pub(crate) fn reason(self) -> &'l str {
        self.0["reason"].as_str().unwrap()
    }

    pub(crate) fn reason_code(self) -> &'l str {
        self.0["reason_code"].as_str().unwrap()
    }

    pub(crate) fn instance(self) -> &'l str {
        self.0["instance_id"].as_str().unwrap()
    }

    /// The codes of its warnings.
    /// The entry that it belongs to.
    pub(crate) fn entry(self) -> &'l str {
        let address = self.0["resource"]["addr"].as_str().unwrap();
        address.split('[').next().unwrap()
    }

    pub(crate) fn warnings(self) -> Vec<&'l str> {
        self.0["warnings"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect()
    }

    /// The call that the plan lists: its action, and what it says of the parameters.
    pub(crate) fn call(self) -> Option<(&'l str, &'l Value)> {
        let call = &self.0["call"];
        call["action"].as_str().map(|action| (action, call))
    }
}
