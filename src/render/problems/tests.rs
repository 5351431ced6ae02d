use super::*;
use crate::config;

fn source(text: &str) -> Source {
    Source { name: "powerform.yaml".into(), text: text.as_bytes().to_vec() }
}

fn show(sources: &[Source], width: usize) -> String {
    match config::read(sources) {
        Ok(configuration) => problems(sources, &configuration.warnings, false, width),
        Err(found) => problems(sources, &found, false, width),
    }
}

#[track_caller]
fn shows(text: &str, expected: &str) {
    let shown = show(&[source(text)], 100);
    assert!(shown == expected, "shown:\n{shown}\nexpected:\n{expected}");
}

#[test]
fn a_misspelt_key_is_shown_with_the_one_that_was_meant() {
    shows(
        "stack: web-shop\ninstances:\n  db:\n    id: i-bp1db0000000000001\n    sttaus: Running\n",
        r#"error: entry "db" has no `status`
 --> powerform.yaml:3:3
  |
3 |   db:
  |   ^^ `status` is missing here
  |
  = help: add `status: Running`, `status: Stopped` or `status: Any`

error: unknown key "sttaus" in an entry
 --> powerform.yaml:5:5
  |
5 |     sttaus: Running
  |     ^^^^^^
  |
  = help: did you mean `status`?

powerform.yaml: 2 errors
"#,
    );
}

#[test]
fn a_key_that_is_written_twice_is_shown_at_both_places() {
    shows(
        "stack: s\ninstances:\n  db: { id: i-a, status: Any }\n  db: { id: i-b, status: Any }\n",
        r#"error: the key "db" is written twice
 --> powerform.yaml:4:3
  |
4 |   db: { id: i-b, status: Any }
  |   ^^ again here
  |
 ::: powerform.yaml:3:3
  |
3 |   db: { id: i-a, status: Any }
  |   -- first here
  |
  = help: keep one of them

powerform.yaml: 1 error
"#,
    );
}

#[test]
fn a_circle_is_named_in_full_and_every_step_of_it_is_shown() {
    shows(
        "stack: s\ninstances:\n  app: { id: i-a, status: Running, depends_on: [db] }\n\n\n\n\n\n  db:\n    id: i-b\n    \
         status: Running\n    depends_on: { app: { required: false } }\n",
        r#"error: these entries depend on each other in a circle: app -> db -> app
  --> powerform.yaml:3:49
   |
 3 |   app: { id: i-a, status: Running, depends_on: [db] }
   |                                                 ^^ "app" needs "db" here
   |
  ::: powerform.yaml:12:19
   |
12 |     depends_on: { app: { required: false } }
   |                   --- "db" needs "app" here
   |
   = help: remove one of these dependencies; soft ones (`required: false`) give an order too

powerform.yaml: 1 error
"#,
    );
}

#[test]
fn an_unknown_dependency_and_a_contradiction_are_explained() {
    shows(
        "stack: s\ninstances:\n  app: { id: i-a, status: Running, depends_on: [cahce, db] }\n  cache: { id: i-c, status: \
         Running }\n  db: { id: i-b, status: Stopped }\n",
        r#"error: there is no entry "cahce" to depend on
 --> powerform.yaml:3:49
  |
3 |   app: { id: i-a, status: Running, depends_on: [cahce, db] }
  |                                                 ^^^^^ unknown entry
  |
  = help: did you mean `cache`?

error: "app" shall run, but it needs "db", which shall be stopped
 --> powerform.yaml:3:56
  |
3 |   app: { id: i-a, status: Running, depends_on: [cahce, db] }
  |                                                        ^^ this dependency can never be met
  |
 ::: powerform.yaml:5:26
  |
5 |   db: { id: i-b, status: Stopped }
  |                          ------- the goal of "db" is here
  |
  = help: change one of the two goals, or write the dependency as `required: false` if only the order matters

powerform.yaml: 2 errors
"#,
    );
}

#[test]
fn rules_are_noted_and_durations_are_explained() {
    shows(
        "stack: s\ninstances:\n  db: { id: i-BP1, status: on, timeouts: { start: 10 } }\n",
        r#"error: "i-BP1" is not an instance id
 --> powerform.yaml:3:13
  |
3 |   db: { id: i-BP1, status: on, timeouts: { start: 10 } }
  |             ^^^^^ not an instance id
  |
  = note: it is "i-" followed by lower-case letters and digits
  = help: write an instance id like `i-bp1db0000000000001`

error: `status` must be Running, Stopped or Any, and this is "on"
 --> powerform.yaml:3:28
  |
3 |   db: { id: i-BP1, status: on, timeouts: { start: 10 } }
  |                            ^^ expected Running, Stopped or Any
  |
  = help: did you mean `Running`?

error: "10" has a number without a unit: write it like 90s, 10m or 1h30m
 --> powerform.yaml:3:51
  |
3 |   db: { id: i-BP1, status: on, timeouts: { start: 10 } }
  |                                                   ^^ expected a duration like 90s, 10m or 1h30m
  |
  = help: write a number with its unit and no space: s, m or h, as in `10m`

powerform.yaml: 3 errors
"#,
    );
}

#[test]
fn what_comes_through_an_alias_is_shown_where_it_is_used_and_where_it_is_written() {
    shows(
        "stack: s\nprovider: { region: &r a/b }\ninstances: { b: { id: *r, status: Any } }\n",
        r#"error: "a/b" is not a region id
 --> powerform.yaml:2:24
  |
2 | provider: { region: &r a/b }
  |                        ^^^ not a region id
  |
  = note: it consists of letters, digits, hyphens and underscores
  = help: write a region id like `cn-hangzhou`

error: "a/b" is not an instance id
 --> powerform.yaml:3:23
  |
3 | instances: { b: { id: *r, status: Any } }
  |                       ^^ not an instance id
  |
 ::: powerform.yaml:2:24
  |
2 | provider: { region: &r a/b }
  |                        --- written here
  |
  = note: it is "i-" followed by lower-case letters and digits
  = help: write an instance id like `i-bp1db0000000000001`

powerform.yaml: 2 errors
"#,
    );
    shows(
        "stack: s\ninstances:\n  a: { id: &id i-a, status: Any }\n  b: { id: *id, status: Any }\n",
        r#"error: instance "i-a" is in two entries, "a" and "b"
 --> powerform.yaml:4:12
  |
4 |   b: { id: *id, status: Any }
  |            ^^^ again here
  |
 ::: powerform.yaml:3:16
  |
3 |   a: { id: &id i-a, status: Any }
  |                --- first here
  |
  = help: an instance has one goal: keep it in one entry

powerform.yaml: 1 error
"#,
    );
}

#[test]
fn invalid_yaml_is_shown_where_the_reader_stopped() {
    shows(
        "stack: s\ninstances:\n  a: { id: i-a, status: Any\n  b:\n",
        r#"error: this is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
 --> powerform.yaml:4:4
  |
4 |   b:
  |    ^
  |
  = help: put a comma between the items, or close the bracket or brace

powerform.yaml: 1 error
"#,
    );
}

#[test]
fn a_warning_is_called_one() {
    shows(
        "stack: s\ninstances: { a: { id: i-a, status: Stopped, prevent_stop: true } }",
        r#"warning: entry "a" shall be stopped, and its stop is prevented
 --> powerform.yaml:2:45
  |
2 | instances: { a: { id: i-a, status: Stopped, prevent_stop: true } }
  |                                             ^^^^^^^^^^^^
  |
 ::: powerform.yaml:2:36
  |
2 | instances: { a: { id: i-a, status: Stopped, prevent_stop: true } }
  |                                    ------- the goal is here
  |
  = help: if its instances run, they stay running and are reported as blocked: remove one of the two

powerform.yaml: 1 warning
"#,
    );
}

#[test]
fn the_caret_stands_under_its_place_behind_wide_and_unprintable_characters() {
    shows(
        "\u{feff}stack: s\ninstances: { \"数据\": {}, \"a\u{202e}\": 2 }\n",
        r#"error: "数据" is not an entry name
 --> powerform.yaml:2:14
  |
2 | instances: { "数据": {}, "a\u{202e}": 2 }
  |              ^^^^^^ not an entry name
  |
  = note: it begins with a letter and has at most 63 letters, digits, dots, hyphens and underscores
  = help: write an entry name like `web-1`

error: entry "数据" has no `status`
 --> powerform.yaml:2:14
  |
2 | instances: { "数据": {}, "a\u{202e}": 2 }
  |              ^^^^^^ `status` is missing here
  |
  = help: add `status: Running`, `status: Stopped` or `status: Any`

error: entry "数据" names no instance
 --> powerform.yaml:2:14
  |
2 | instances: { "数据": {}, "a\u{202e}": 2 }
  |              ^^^^^^ neither `id` nor `ids` nor `select` is here
  |
  = help: add `id: i-...` for one instance, `ids: [i-..., i-...]` for several, or `select: { tags: ... }`

error: "a\u{202e}" is not an entry name
 --> powerform.yaml:2:24
  |
2 | instances: { "数据": {}, "a\u{202e}": 2 }
  |                          ^^^^^^^^^^^ not an entry name
  |
  = note: it begins with a letter and has at most 63 letters, digits, dots, hyphens and underscores
  = help: write an entry name like `web-1`

error: `a\u{202e}` must be a mapping, and this is a number
 --> powerform.yaml:2:30
  |
2 | instances: { "数据": {}, "a\u{202e}": 2 }
  |                                       ^ expected a mapping
  |
  = help: write `id` and `status` below it

powerform.yaml: 5 errors
"#,
    );
}

#[test]
fn long_lines_are_cut_around_the_caret() {
    let text = format!("stack: s\ninstances: {{ {}b: {{ id: i-b, status: Of }} }}", " ".repeat(100_000));
    assert_eq!(
        show(&[source(&text)], 60),
        r#"error: `status` must be Running, Stopped or Any, and this is "Of"
 --> powerform.yaml:2:100036
  |
2 | ...                         b: { id: i-b, status: Of } }
  |                                                   ^^ expected Running, Stopped or Any

powerform.yaml: 1 error
"#,
    );
}

#[test]
fn many_problems_are_cut_and_counted() {
    let entries: String = (0..250).map(|i| format!("  n{i}: {{ id: i-{i}, status: any, x: 1 }}\n")).collect();
    let shown = show(&[source(&format!("stack: s\ninstances:\n{entries}"))], 100);
    assert_eq!(shown.matches("error: ").count(), 100);
    assert!(shown.ends_with("\n\n... and 150 more problems\n\npowerform.yaml: 250 errors\n"), "{shown}");
}

#[test]
fn several_files_are_counted_together() {
    let file = |name: &str, text: &str| Source { name: name.into(), text: text.as_bytes().to_vec() };
    let shown = show(&[file("a.yaml", "stack: S\ninstances: {}"), file("b\u{1b}.yaml", "x: 1")], 100);
    assert!(shown.contains(" --> b\\u{1b}.yaml:1:1\n"), "{shown}");
    assert!(shown.ends_with("\n\n2 errors in 2 files\n"), "{shown}");
}

#[test]
fn colour_adds_nothing_but_colour() {
    let sources = [source("stack: S\ninstances: { a: { status: on } }")];
    let found = config::read(&sources).unwrap_err();
    let coloured = problems(&sources, &found, true, 100);
    assert!(coloured.contains("\u{1b}[1m\u{1b}[91merror\u{1b}[0m"), "{coloured:?}");
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').expect("an escape ends").1;
    }
    plain.push_str(rest);
    assert_eq!(plain, problems(&sources, &found, false, 100));
}

#[test]
fn no_problems_are_no_text() {
    assert_eq!(show(&[source(config::TEMPLATE)], 100), "");
}
