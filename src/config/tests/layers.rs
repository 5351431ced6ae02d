//! Variables and overlays: what they make of the files, and what is refused where.

use super::*;
use crate::config::{Layer, read_layers};
use crate::fleet::{AtOnce, Goal, ProviderAlias};

const FILE: &str = "\
stack: shop-${var.stage}
variables:
  stage: test
  region: { default: cn-hangzhou, description: where }
  goal: Running
  width: 2
  force: { type: bool, default: false }
  given: {}
provider:
  region: ${var.region}
instances:
  db: { id: i-db, status: Running }
  app:
    ids: [i-a, \"i-${var.stage}\", i-c]
    status: ${var.goal}
    depends_on: [db]
    at_once: ${var.width}
    stop:
      force: ${var.force}
";

/// Sources after the file, each with its name.
fn layered(file: &str, above: &[(Layer, &str, &str)]) -> Result<Configuration, Problems> {
    let mut sources = vec![source(file)];
    let mut layers = vec![Layer::File];
    for (layer, name, text) in above {
        sources.push(Source { name: (*name).to_owned(), text: text.as_bytes().to_vec() });
        layers.push(*layer);
    }
    read_layers(&sources, &layers)
}

/// What is found, as `source:line:column message`.
fn found_in(file: &str, above: &[(Layer, &str, &str)]) -> Vec<String> {
    let problems = layered(file, above).err().unwrap_or_default();
    let place = |problem: &crate::config::Problem| {
        let place = &problem.place;
        format!("{}:{}:{} {}", place.source, place.line, place.column, problem.message)
    };
    problems.iter().map(place).collect()
}

const fn var(text: &str) -> (Layer, &'static str, &str) {
    (Layer::Assignment, "--var", text)
}

const fn overlay(text: &str) -> (Layer, &'static str, &str) {
    (Layer::Overlay, "overlay.yaml", text)
}

#[test]
fn variables_are_filled_in_everywhere_and_with_their_kind() {
    let read = accepted(FILE);
    assert_eq!(read.desired.stack.to_string(), "shop-test");
    let region = read.providers[&ProviderAlias::main()].region.as_ref().unwrap().to_string();
    assert_eq!(region, "cn-hangzhou");
    let app = &read.desired.entries[0];
    assert!(app.ids().iter().any(|id| id.as_str() == "i-test"));
    assert_eq!(app.goal, Goal::Running);
    assert!(matches!(app.at_once, Some(AtOnce::Count(count)) if count.get() == 2));
    assert!(!app.stop.force);
    let literal = FILE
        .replace("${var.stage}", "test")
        .replace("${var.region}", "cn-hangzhou")
        .replace("${var.goal}", "Running")
        .replace("${var.width}", "2")
        .replace("${var.force}", "false");
    assert_eq!(accepted(literal).digest, read.digest, "two ways to one meaning");
}

#[test]
fn the_later_value_wins_and_the_command_line_is_the_last() {
    let environment = (Layer::Environment, "POWERFORM_VAR_stage", "env");
    let first = (Layer::Values, "a.yaml", "stage: first\nwidth: 3");
    let second = (Layer::Values, "b.yaml", "stage: second");
    let stack = |above: &[(Layer, &str, &str)]| layered(FILE, above).unwrap().desired.stack.to_string();
    assert_eq!(stack(&[environment]), "shop-env");
    assert_eq!(stack(&[var("stage=one"), environment]), "shop-one");
    assert_eq!(stack(&[first, environment]), "shop-first");
    assert_eq!(stack(&[first, second, environment]), "shop-second");
    assert_eq!(stack(&[var("stage=one"), var("stage=two"), first, second]), "shop-two");
    // What the environment says may be meant for another stack.
    assert_eq!(stack(&[(Layer::Environment, "POWERFORM_VAR_other", "\u{0}")]), "shop-test");
    let digest = |above: &[(Layer, &str, &str)]| layered(FILE, above).unwrap().digest;
    assert_ne!(digest(&[]), digest(&[var("width=3")]));
    assert_eq!(digest(&[]), digest(&[var("width=2")]));
    assert_eq!(digest(&[]), digest(&[var("given=x")]), "nobody uses it");
    assert!(layered(FILE, &[var("force=true")]).unwrap().desired.entries[0].stop.force);
}

#[test]
fn what_came_in_is_not_looked_at_again() {
    let file = "stack: s\nvariables: { a: '${var.b}', b: x, name: \"a$b\" }\ninstances:\n  \
                e:\n    status: any\n    select:\n      tags: { a: \"${var.a}\", b: '$${var.b}', c: '$$${var.b}', d: '${ var.b }${var.name}' }\n";
    let read = accepted(file);
    let shown = format!("{:?}", read.desired.entries[0].members);
    for text in ["\"${var.b}\"", "\"$${var.b}\"", "\"xa$b\""] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
}

#[test]
fn what_is_wrong_with_a_value_is_said_where_it_is_given() {
    assert_eq!(found_in(FILE, &[var("stagee=x")]), ["1:1:1 no file declares a variable \"stagee\""]);
    assert_eq!(
        found_in(FILE, &[(Layer::Values, "v.yaml", "stage: [1]\nwdith: 1\nforce: yes\nforce: true\ngiven:")]),
        [
            "1:1:8 `stage` must be text, a number, or true or false, and this is a list",
            "1:2:1 no file declares a variable \"wdith\"",
            "1:3:8 the variable \"force\" must be true or false, and this is text",
            "1:4:1 the key \"force\" is written twice",
            "1:5:1 `given` has no value",
        ]
    );
    assert_eq!(
        found_in(FILE, &[(Layer::Environment, "POWERFORM_VAR_force", "yes")]),
        ["1:1:1 the variable \"force\" must be true or false, and this is \"yes\""]
    );
    assert_eq!(
        found_in(FILE, &[(Layer::Values, "v.yaml", "- x")]),
        ["1:1:1 a file of values must be a mapping, and this is a list"]
    );
    assert_eq!(found_in(FILE, &[var("x")]), ["1:1:1 \"x\" gives no value"]);
}

#[test]
fn a_problem_with_a_text_says_what_the_variables_in_it_are() {
    let problems = layered(FILE, &[var("goal=Runing\u{1b}")]).unwrap_err();
    let problem = problems.iter().next().unwrap();
    assert_eq!((problem.place.source, problem.place.line, problem.place.column), (0, 15, 13));
    assert_eq!(problem.notes, ["`${var.goal}` is \"Runing\u{1b}\" here"]);
    assert_eq!(problem.related[0].place.source, 1);
    let long = format!("goal={}", "x".repeat(100_000));
    let problems = layered(FILE, &[var(&long)]).unwrap_err();
    let problem = problems.iter().next().unwrap();
    assert!(problem.message.len() + problem.notes.concat().len() < 300);
}

#[test]
fn variables_of_one_file_are_known_in_all_and_declared_once() {
    let files = |texts: &[&str]| {
        let sources: Vec<Source> = texts.iter().map(source).collect();
        read(&sources)
    };
    let stack = files(&["stack: ${var.s}\ninstances: {}", "variables: { s: other }"]).unwrap().desired.stack;
    assert_eq!(stack.to_string(), "other");
    let twice = files(&["stack: s\nvariables: { s: a }\ninstances: {}", "variables: { s: a }"]).unwrap_err();
    let problem = twice.iter().next().unwrap();
    assert_eq!(problem.message, "the variable \"s\" is declared twice");
    assert_eq!((problem.place.source, problem.related[0].place.source), (1, 0));
    // What the broken file would have declared is not guessed at.
    let broken = files(&["stack: ${var.s}\ninstances: {}", "variables: [s"]).unwrap_err();
    assert_eq!(lines(&broken).len(), 1, "{:?}", lines(&broken));
}

#[test]
fn an_overlay_changes_what_is_there_key_by_key() {
    let text = "\
stack: staging
backend: { local: { path: staging.json } }
variables: { width: 1, region: cn-beijing, goal: { default: Stopped } }
limits: { stops: 9 }
instances:
  db: { ids: [i-x, i-y], depends_on: ~ }
  app: { stop: { mode: StopCharging }, depends_on: ~, at_once: ~ }
";
    let text = text.replace(", depends_on: ~ }", " }");
    let read = layered(FILE, &[overlay(&text)]).unwrap_or_else(|found| panic!("{:?}", lines(&found)));
    let plain = "\
stack: staging
backend: { local: { path: staging.json } }
provider: { region: cn-beijing }
limits: { stops: 9 }
instances:
  db: { ids: [i-x, i-y], status: Running }
  app: { ids: [i-a, i-test, i-c], status: Stopped, stop: { mode: StopCharging } }
";
    assert_eq!(read.digest, accepted(plain).digest);
    // The later wins, and what the first changed is changed again.
    let second = overlay("instances: { db: { id: i-z } }\nstack: \"${var.stage}\"");
    let both = layered(FILE, &[overlay(&text), second]).unwrap();
    let plain = plain.replace("ids: [i-x, i-y]", "id: i-z").replace("stack: staging", "stack: test");
    assert_eq!(both.digest, accepted(plain).digest);
}

#[test]
fn an_overlay_finds_entries_in_any_file_and_takes_one_away() {
    let files = [
        "stack: s\ninstances: { a: { id: i-a, status: any } }",
        "instances: { b: { id: i-b, status: any }, c: { id: i-c, status: any } }",
    ];
    let mut sources: Vec<Source> = files.iter().map(source).collect();
    sources.push(source("instances: { b: { status: Running }, c: ~ }"));
    let read = read_layers(&sources, &[Layer::File, Layer::File, Layer::Overlay]).unwrap();
    let shown: Vec<_> =
        read.desired.entries.iter().map(|entry| (entry.name.to_string(), entry.goal)).collect();
    assert_eq!(shown, [("a".to_owned(), Goal::Any), ("b".to_owned(), Goal::Running)]);
}

#[test]
fn mistakes_in_an_overlay_are_found_in_the_overlay_once() {
    let text = "\
instances:
  dbb: { status: Stopped }
  app:
    statsu: Stopped
    at_once: many
    timeouts: ~
    stop: { forse: ~ }
  app: {}
limit: {}
required_version: '> 0'
variables: { regoin: x }
providers: { hk: { region: x } }
";
    assert_eq!(
        found_in(FILE, &[overlay(text)]),
        [
            "1:2:3 there is no entry \"dbb\" to change",
            "1:4:5 unknown key \"statsu\" in an entry",
            "1:5:14 \"many\" is neither a number nor a share",
            "1:6:5 there is no \"timeouts\" to take away",
            "1:7:13 there is no \"forse\" to take away",
            "1:8:3 the key \"app\" is written twice",
            "1:9:1 unknown key \"limit\" in the document",
            "1:10:1 an overlay cannot change `required_version`",
            "1:11:14 there is no variable \"regoin\" to change",
            "1:12:14 there is no provider \"hk\" to change",
        ]
    );
    assert_eq!(found_in(FILE, &[overlay("[]")]), ["1:1:1 an overlay must be a mapping, and this is a list"]);
    assert!(found_in(FILE, &[overlay("# nothing yet\n")]).is_empty());
    assert_eq!(
        found_in(FILE, &[overlay("instances: { app: { at_once: 0, status: \"${var.gaol}\" } }")]),
        [
            "1:1:30 `at_once` must be a whole number from 1, and this is \"0\"",
            "1:1:42 there is no variable \"gaol\"",
        ]
    );
}

#[test]
fn places_are_right_in_every_style_of_text() {
    let file = |value: &str| format!("stack: s\ninstances: {{}}\nprovider:\n  region: {value}\n");
    for (value, place) in [
        ("a-${var.x}", "4:13"),
        ("\"é-${var.x}\"", "4:14"),
        ("'it''s ${var.x}'", "4:18"),
        ("\"\\u0024{var.x}\"", "4:11"),
        ("\"$${\\t${var.x}\"", "4:17"),
    ] {
        let found = found(file(value));
        assert_eq!(found, [format!("{place} there is no variable \"x\"")], "{value}");
    }
    let aliased = "stack: s\ninstances:\n  a: { id: i-a, status: any, select: &x \"${var.x}\" }\n";
    assert!(
        found(aliased).iter().any(|line| line.starts_with("3:42 there is no variable")),
        "{:?}",
        found(aliased)
    );
}

#[test]
fn variables_that_fill_in_far_more_than_the_files_hold_are_refused() {
    let many = "${var.x}".repeat(5_000);
    let file = format!(
        "stack: s\ninstances: {{}}\nvariables: {{ x: {} }}\nprovider:\n  profile: {many}\n",
        "y".repeat(10_000)
    );
    let found = found(file);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("variables fill in far more text than the files hold"), "{found:?}");
    // As many values as there are entries are what variables are for.
    let entries: String =
        (0..2_000).map(|n| format!("  a{n}:\n    id: i-${{var.x}}{n}\n    status: any\n")).collect();
    accepted(format!("stack: s\nvariables: {{ x: {} }}\ninstances:\n{entries}", "y".repeat(200)));
}
