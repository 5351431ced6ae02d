//! `examples/ci/`: the pipelines are YAML, keep their promises, and their commands run in the order in which they stand.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_yaml::Value;

use crate::harness::Scenario;

const FILES: [&str; 2] = ["github-actions.yml", "gitlab-ci.yml"];

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(file))
        .expect("it is there")
}

fn document(file: &str) -> Value {
    serde_yaml::from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// All texts in a document, in its order.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Sequence(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Mapping(pairs) => pairs.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// A command of a script: what powerform is given, and where its output goes.
struct Step {
    arguments: Vec<String>,
    into: Option<String>,
    may_hold_changes: bool,
}

fn steps(file: &str) -> Vec<Step> {
    let mut found = Vec::new();
    texts(&document(file), &mut found);
    let lines = found.iter().flat_map(|text| text.lines()).map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix("powerform "))
        .map(|line| {
            let (command, may_hold_changes) = match line.strip_suffix(" || status=$?") {
                Some(command) => (command, true),
                None => (line, false),
            };
            let (command, into) = match command.split_once(" > ") {
                Some((command, into)) => (command, Some(into.to_owned())),
                None => (command, None),
            };
            assert!(!command.contains(['$', '"', '\'', '|', '&', ';']), "{file}: only plain words: {line}");
            Step {
                arguments: command.split_whitespace().map(str::to_owned).collect(),
                into,
                may_hold_changes,
            }
        })
        .collect()
}

#[test]
fn the_commands_run_in_their_order_and_use_each_others_files() {
    for file in FILES {
        let scenario = Scenario::new(
            "instances: [{ id: i-db }, { id: i-app1 }, { id: i-app2 }]\n",
            "instances:\n  db: { id: i-db, status: Running }\n  \
             app: { ids: [i-app1, i-app2], status: Running, depends_on: [db] }\n",
        );
        let mut ran = Vec::new();
        for Step { arguments, into, may_hold_changes } in steps(file) {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            ran.push(arguments[0].to_owned());
            let output = scenario.command(&arguments).output().expect("it runs");
            let status = output.status.code();
            let expected = if may_hold_changes { Some(2) } else { Some(0) };
            assert_eq!(
                status,
                expected,
                "{file}: {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            if let Some(into) = into {
                scenario.write(&into, &output.stdout);
                let text = String::from_utf8(output.stdout).expect("text");
                // What the script looks for to bring its comment up to date.
                assert!(text.starts_with("<!-- powerform: scenario -->\n"), "{text}");
            }
        }
        assert_eq!(ran, ["validate", "plan", "show", "apply"], "{file}");
        scenario.is_in_sync();
        let lines = fs::read_to_string(scenario.folder().join("apply.jsonl")).expect("written");
        assert!(lines.contains("\"apply_summary\""));
    }
}

#[test]
fn what_is_written_is_kept_and_what_is_kept_is_written() {
    for file in FILES {
        let mut kept = Vec::new();
        let document = document(file);
        match document.get("jobs") {
            Some(jobs) => {
                for job in ["plan", "apply"] {
                    for step in jobs[job]["steps"].as_sequence().expect("steps") {
                        kept.extend(
                            step["with"]["path"].as_str().into_iter().flat_map(str::lines).map(str::to_owned),
                        );
                    }
                }
            }
            None => {
                for job in ["plan", "apply"] {
                    texts(&document[job]["artifacts"]["paths"], &mut kept);
                }
            }
        }
        let written = steps(file).into_iter().flat_map(|step| {
            let after = |flag: &str| step.arguments.iter().skip_while(|word| *word != flag).nth(1).cloned();
            [after("--out"), after("--json-into")].into_iter().flatten().collect::<Vec<_>>()
        });
        assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), written.collect(), "{file}");
    }
}

#[test]
fn applies_never_run_at_once_and_no_long_lived_key_is_used() {
    let github = document(FILES[0]);
    let apply = &github["jobs"]["apply"];
    assert_eq!(apply["concurrency"]["cancel-in-progress"], Value::Bool(false));
    let group = apply["concurrency"]["group"].as_str().expect("a group");
    assert!(!group.contains("${{"), "one group for all runs: {group}");
    assert_eq!(
        github["permissions"],
        Value::Mapping(serde_yaml::Mapping::new()),
        "each job asks for what it needs"
    );
    let gitlab = document(FILES[1]);
    assert!(gitlab["apply"]["resource_group"].as_str().is_some_and(|group| !group.contains('$')));
    for file in FILES {
        let text = text(file);
        assert!(!text.to_uppercase().contains("ACCESS_KEY_"), "{file}");
        assert!(
            text.contains("stale") && text.contains("its lock guards one machine"),
            "{file} names its limits"
        );
        // Text that whoever opens a pull request has written must not become part of a script.
        for unsafe_text in ["head_ref", "pull_request.title", "pull_request.body", "head.ref"] {
            assert!(!text.contains(unsafe_text), "{file}: {unsafe_text}");
        }
    }
}
