//! The schema that editors read says the same as the reader of the language.

use serde_json::Value;

use super::mistakes::{DOCUMENTS, ENTRIES};
use crate::config::{
    self, SCHEMA, Source, document, entry, provider, ready, role, rolling, select, variables,
};

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("JSON")
}

/// The schema at a place, behind the references on the way.
fn at<'s>(schema: &'s Value, place: &str) -> &'s Value {
    let mut here = schema;
    for part in place.split('/').filter(|part| !part.is_empty()) {
        here = behind(schema, part.parse().map_or_else(|_| &here[part], |number: usize| &here[number]));
    }
    here
}

fn behind<'s>(schema: &'s Value, here: &'s Value) -> &'s Value {
    let reference = here["$ref"].as_str().or_else(|| here["allOf"][0]["$ref"].as_str());
    match reference.and_then(|reference| reference.strip_prefix('#')) {
        Some(place) => schema.pointer(place).expect("a definition"),
        None => here,
    }
}

#[test]
fn every_mapping_has_the_keys_that_are_read_and_each_is_explained() {
    let schema = schema();
    let entry = "definitions/entry";
    let table: [(&str, &[&str]); 18] = [
        ("", &document::DOCUMENT.known),
        (
            "properties/variables/patternProperties/^[A-Za-z_][A-Za-z0-9_-]*$/oneOf/1",
            &variables::VARIABLE.known,
        ),
        ("properties/limits", &document::LIMITS.known),
        ("properties/backend", &document::BACKEND.known),
        ("properties/backend/properties/local", &document::LOCAL_BACKEND.known),
        ("properties/provider", &provider::PROVIDER.known),
        ("properties/provider/properties/assume_role", &role::ASSUME_ROLE.known),
        ("properties/defaults", &entry::DEFAULTS.known),
        ("properties/defaults/properties/timeouts", &entry::TIMEOUTS.known),
        ("properties/defaults/properties/stop", &entry::STOP.known),
        (entry, &entry::ENTRY.known),
        ("definitions/entry/properties/timeouts", &entry::TIMEOUTS.known),
        ("definitions/entry/properties/stop", &entry::STOP.known),
        ("definitions/select", &select::SELECT.known),
        ("definitions/ready", &ready::READY.known),
        ("definitions/ready/properties/http", &ready::HTTP.known),
        ("definitions/timeouts", &entry::TIMEOUTS.known),
        ("definitions/stop", &entry::STOP.known),
    ];
    for (place, known) in table {
        let mapping = at(&schema, place);
        let properties = mapping["properties"].as_object().expect("a mapping");
        let mut known = known.to_vec();
        let mut described: Vec<&str> = properties.keys().map(String::as_str).collect();
        known.sort_unstable();
        described.sort_unstable();
        assert_eq!(described, known, "{place}");
        assert_eq!(mapping["additionalProperties"], false, "{place}");
        for (key, value) in properties {
            let told =
                value["description"].as_str().or_else(|| behind(&schema, value)["description"].as_str());
            assert!(
                told.is_some_and(|told| told.len() > 20 && told.ends_with('.')) || key == "arn",
                "{place} {key}"
            );
        }
    }
    let needs =
        &at(&schema, entry)["properties"]["depends_on"]["oneOf"][1]["additionalProperties"]["properties"];
    let keys: Vec<&str> = needs.as_object().expect("a mapping").keys().map(String::as_str).collect();
    assert_eq!(keys, entry::NEED.known);
}

#[test]
fn every_word_that_is_read_is_offered_and_no_other() {
    let schema = schema();
    let words = |place: &str| -> Vec<String> {
        let here = at(&schema, place);
        // Instead of a word there may be a variable.
        let here = here["anyOf"].as_array().map_or(here, |either| &either[0]);
        let words = here["enum"].as_array().expect("words");
        words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
    };
    let read = |accepted: Vec<&str>| accepted.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let goals = entry::GOALS.accepted.iter().map(|(word, _)| *word).collect();
    assert_eq!(words("definitions/entry/properties/status"), read(goals));
    let modes = entry::STOP_MODES.accepted.iter().map(|(word, _)| *word).collect();
    assert_eq!(words("definitions/stop/properties/mode"), read(modes));
    let orders = rolling::ORDERS.accepted.iter().map(|(word, _)| *word).collect();
    assert_eq!(words("definitions/entry/properties/order"), read(orders));
    let on_failure = rolling::ON_FAILURE.accepted.iter().map(|(word, _)| *word).collect();
    assert_eq!(words("definitions/on_failure"), read(on_failure));
    let charges = select::CHARGES.accepted.iter().map(|(word, _)| *word).collect();
    assert_eq!(words("definitions/select/properties/charge"), read(charges));
    let networks = provider::NETWORKS.accepted.iter().map(|(word, _)| *word).collect();
    assert_eq!(words("properties/provider/properties/network"), read(networks));
    let signatures = provider::SIGNATURES.accepted.iter().map(|(word, _)| *word).collect();
    assert_eq!(words("properties/provider/properties/signature"), read(signatures));
    let formats = provider::FORMATS.accepted.iter().map(|(word, _)| *word).collect();
    assert_eq!(words("properties/provider/properties/format"), read(formats));
}

/// What no schema of one file can say: what names mean to each other, and what only a program can compute.
const BEYOND: [&str; 17] = [
    "is in two entries",
    "there is no entry",
    "depends on itself",
    "is listed twice",
    "depend on each other",
    "which shall be stopped",
    "is written twice",
    "`stack` is missing",
    "`instances` is missing",
    "is not an endpoint",
    "is reserved",
    "longer than a year",
    "there is no provider",
    "`every` must be 100ms or more",
    "`address` is for `tcp` and `http`",
    "has no list to go by",
    "is given twice: in `select` and beside it",
];

#[test]
fn what_is_refused_is_refused_by_the_schema_too_unless_no_schema_can() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let texts = ENTRIES.iter().map(|(keys, found)| {
        (format!("stack: s\ninstances:\n  db: {{ id: i-b, status: Running }}\n  a:\n    {keys}\n"), found)
    });
    let texts = texts.chain(DOCUMENTS.iter().map(|(text, found)| ((*text).to_owned(), found)));
    let mut refused = 0;
    let mut missed = Vec::new();
    for (text, found) in texts {
        // What is no YAML at all never comes before the schema.
        let Ok(document) = serde_yaml::from_str::<Value>(&text) else { continue };
        let sources = [Source { name: String::new(), text: text.clone().into_bytes() }];
        if config::read(&sources).is_ok() {
            assert!(
                validator.is_valid(&document),
                "warned of and no more, but refused by the schema:\n{text}"
            );
        } else if !validator.is_valid(&document) {
            refused += 1;
        } else {
            // What comes out of a variable, no schema knows.
            let beyond = text.contains("${var.")
                || found.iter().all(|finding| BEYOND.iter().any(|word| finding.contains(word)));
            if !beyond {
                missed.push(format!("{found:?} is nothing to the schema:\n{text}"));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(refused > 40, "{refused}");
}

#[test]
fn what_is_accepted_is_accepted_by_the_schema_too() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let examples = ["web-shop", "blocked"].map(|name| {
        let path = format!("{}/examples/{name}/powerform.yaml", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("an example")
    });
    for text in examples.iter().map(String::as_str).chain([config::TEMPLATE]) {
        let document: Value = serde_yaml::from_str(text).expect("YAML");
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{text}");
    }
}
