use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::config::TEMPLATE;
use crate::fleet::{
    AtOnce, CallLimits, Entry, EntryIndex, EntryName, Goal, InstanceId, Members, Need, ProviderAlias,
    StopMode, StopPolicy, Strength, Timeouts,
};

const WEB_SHOP: &str = r#"
stack: web-shop                    # names the state
provider:
  region: cn-hangzhou
  # endpoint: https://ecs.cn-hangzhou.aliyuncs.com
  # simulator: account.yaml
backend:
  local: { path: state/web-shop.json }
defaults:
  timeouts: { start: 10m, stop: 20m, ready: 5m }
  stop: { mode: KeepCharging, force: false }
instances:
  db:
    id: i-bp1db0000000000001
    status: Running
    prevent_stop: true
  cache:
    id: i-bp1cache00000000001
    status: Running
  app:
    ids: [i-bp1app000000000003, i-bp1app000000000001, i-bp1app000000000002]
    status: Running
    depends_on: [db, cache]
    at_once: 2
  edge:
    id: i-j6cedge0000000000001
    status: Running
    depends_on:
      app: {}
      metrics: { required: false }
  metrics:
    id: i-bp1metrics000000001
    status: Running
  batch:
    ids: [i-bp1batch00000000001]
    status: Stopped
    stop: { mode: StopCharging }
    timeouts: { stop: 1h30m }
    init_local_disk: true
  legacy:
    id: i-bp1legacy0000000001
    status: Any
"#;

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).unwrap()
}

fn running(name: &str, members: Members) -> Entry {
    Entry::plain(EntryName::new(name).unwrap(), Goal::Running, members)
}

fn need(entry: u32, strength: Strength) -> Need {
    Need { entry: EntryIndex(entry), strength }
}

#[test]
fn a_whole_configuration_means_exactly_what_it_says() {
    let configuration = accepted(WEB_SHOP);
    assert_eq!(configuration.desired.stack.as_str(), "web-shop");
    assert_eq!(
        configuration.providers[&ProviderAlias::main()].region.as_ref().map(|region| region.as_str()),
        Some("cn-hangzhou")
    );
    assert_eq!(configuration.providers[&ProviderAlias::main()].endpoint, None);
    assert_eq!(configuration.providers[&ProviderAlias::main()].simulator, None);
    assert_eq!(configuration.state_path, Some(PathBuf::from("state/web-shop.json")));
    assert!(configuration.warnings.is_empty());
    let app = ["i-bp1app000000000001", "i-bp1app000000000002", "i-bp1app000000000003"];
    let expected = [
        Entry {
            needs: vec![need(2, Strength::Hard), need(3, Strength::Hard)],
            at_once: NonZeroU32::new(2).map(AtOnce::Count),
            ..running("app", Members::Several(app.map(id).to_vec()))
        },
        Entry {
            goal: Goal::Stopped,
            stop: StopPolicy { mode: StopMode::StopCharging, force: false },
            timeouts: Timeouts { stop: Duration::from_secs(5400), ..Timeouts::default() },
            init_local_disk: true,
            ..running("batch", Members::Several(vec![id("i-bp1batch00000000001")]))
        },
        running("cache", Members::Single(id("i-bp1cache00000000001"))),
        Entry { prevent_stop: true, ..running("db", Members::Single(id("i-bp1db0000000000001"))) },
        Entry {
            needs: vec![need(0, Strength::Hard), need(6, Strength::Soft)],
            ..running("edge", Members::Single(id("i-j6cedge0000000000001")))
        },
        Entry { goal: Goal::Any, ..running("legacy", Members::Single(id("i-bp1legacy0000000001"))) },
        running("metrics", Members::Single(id("i-bp1metrics000000001"))),
    ];
    assert_eq!(configuration.desired.entries, expected);
}

#[test]
fn limits_are_what_they_say_and_none_where_nothing_is_said() {
    let limits = |text: &str| accepted(format!("stack: s\ninstances: {{}}\n{text}")).limits;
    assert_eq!(limits(""), CallLimits::default());
    assert_eq!(limits("limits: {}"), CallLimits::default());
    assert_eq!(limits("limits: { stops: 0 }"), CallLimits { starts: None, stops: Some(0) });
    assert_eq!(limits("limits: { starts: 7, stops: 3 }"), CallLimits { starts: Some(7), stops: Some(3) });
}

#[test]
fn an_entry_overrides_the_defaults_key_by_key() {
    let configuration = accepted(
        "stack: s\n\
         defaults: { timeouts: { start: 1m, stop: 2m }, stop: { force: true, mode: StopCharging } }\n\
         instances:\n\
         \x20 a: { id: i-a, status: any }\n\
         \x20 b: { id: i-b, status: any, timeouts: { start: 5m, ready: 7s }, stop: { force: false } }\n",
    );
    let [a, b] = configuration.desired.entries.as_slice() else { panic!("two entries") };
    let seconds = Duration::from_secs;
    assert_eq!(a.timeouts, Timeouts { start: seconds(60), stop: seconds(120), ready: seconds(300) });
    assert_eq!(b.timeouts, Timeouts { start: seconds(300), stop: seconds(120), ready: seconds(7) });
    assert_eq!(a.stop, StopPolicy { mode: StopMode::StopCharging, force: true });
    assert_eq!(b.stop, StopPolicy { mode: StopMode::StopCharging, force: false });
}

#[test]
fn status_is_accepted_as_ecs_spells_it_and_in_lower_case() {
    for (word, goal) in [
        ("Running", Goal::Running),
        ("running", Goal::Running),
        ("Stopped", Goal::Stopped),
        ("stopped", Goal::Stopped),
        ("Any", Goal::Any),
        ("\"any\"", Goal::Any),
    ] {
        let configuration = accepted(format!("stack: s\ninstances: {{ a: {{ id: i-a, status: {word} }} }}"));
        assert_eq!(configuration.desired.entries[0].goal, goal, "{word}");
    }
}

#[test]
fn text_is_taken_literally_whatever_yaml_makes_of_it() {
    for (written, literal) in [
        ("1.10", "1.10"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("1e3", "1e3"),
        ("yes", "yes"),
        ("true", "true"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("'it''s'", "it's"),
        ("\"a\\u0062c\"", "abc"),
        ("~tilde", "~tilde"),
        ("$HOME/{x}", "$HOME/{x}"),
        ("&anchored 1.50", "1.50"),
    ] {
        let configuration = accepted(format!("stack: s\nprovider:\n  simulator: {written}\ninstances: {{}}"));
        assert_eq!(
            configuration.providers[&ProviderAlias::main()].simulator,
            Some(PathBuf::from(literal)),
            "{written}"
        );
    }
    let configuration =
        accepted("stack: s\nprovider: { region: &r 010 }\nbackend: { local: { path: *r } }\ninstances: {}");
    assert_eq!(configuration.state_path, Some(PathBuf::from("010")), "through an alias");
}

#[test]
fn keys_that_look_like_numbers_are_names_like_any_other() {
    assert_eq!(
        found("stack: s\ninstances: { 010: { id: i-a, status: any } }"),
        ["2:14 \"010\" is not an entry name"]
    );
    let configuration = accepted("stack: s\ninstances: { true: { id: i-a, status: any } }");
    assert_eq!(configuration.desired.entries[0].name.as_str(), "true");
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let configuration = accepted(
        "stack: s\n\
         instances:\n\
         \x20 a: &common { id: i-a, status: Running, timeouts: { start: 3m } }\n\
         \x20 b: { <<: *common, id: i-b, status: Stopped }\n",
    );
    let b = &configuration.desired.entries[1];
    assert_eq!((b.goal, b.timeouts.start), (Goal::Stopped, Duration::from_secs(180)));
    assert_eq!(b.ids(), [id("i-b")]);
    let configuration = accepted(
        "stack: s\n\
         instances:\n\
         \x20 a: { id: i-a, status: Any, timeouts: &one { start: 1m }, stop: &cheap { mode: StopCharging } }\n\
         \x20 b: { id: i-b, status: Any, timeouts: { <<: [*one, { start: 9m, stop: 2m }], ready: 3m } }\n\
         \x20 c: { id: i-c, <<: { status: Stopped }, <<: { status: Any, stop: *cheap } }\n",
    );
    let [_, b, c] = configuration.desired.entries.as_slice() else { panic!("three entries") };
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert_eq!(b.timeouts, Timeouts { start: minutes(1), stop: minutes(2), ready: minutes(3) });
    assert_eq!((c.goal, c.stop.mode), (Goal::Stopped, StopMode::StopCharging), "the first of several wins");
}

#[test]
fn several_files_make_one_configuration() {
    let file = |name: &str, text: &str| Source { name: name.into(), text: text.as_bytes().to_vec() };
    let configuration = read(&[
        file("a.yaml", "instances: { app: { id: i-a, status: Running, depends_on: [db] } }"),
        file("b.yaml", "stack: s\ndefaults: { timeouts: { start: 1m } }"),
        file("c.yaml", "instances: { db: { id: i-b, status: Running } }\nprovider: { region: cn-beijing }"),
    ])
    .unwrap();
    let [app, db] = configuration.desired.entries.as_slice() else { panic!("two entries") };
    assert_eq!((app.name.as_str(), db.name.as_str()), ("app", "db"));
    assert_eq!(app.needs, [need(1, Strength::Hard)]);
    assert_eq!(app.timeouts.start, Duration::from_secs(60));
}

#[test]
fn a_byte_order_mark_windows_line_ends_and_a_document_marker_are_fine() {
    let configuration = accepted(
        "\u{feff}---\r\nstack: s\r\ninstances:\r\n  a:\r\n    id: i-a\r\n    status: any\r\n...\r\n",
    );
    assert_eq!(configuration.desired.entries.len(), 1);
    assert_eq!(
        found("\u{feff}stock: s\ninstances: {}"),
        ["1:1 `stack` is missing", "1:1 unknown key \"stock\" in the document",]
    );
}

#[test]
fn a_stack_without_instances_is_said_in_so_many_words() {
    assert!(accepted("stack: s\ninstances: {}").desired.entries.is_empty());
    assert_eq!(found("stack: s"), ["1:1 `instances` is missing"]);
}

#[test]
fn a_soft_dependency_on_something_stopped_is_fine() {
    accepted(
        "stack: s\ninstances:\n  a: { id: i-a, status: Running, depends_on: { b: { required: false } } }\n  \
         b: { id: i-b, status: Stopped }\n",
    );
}

#[test]
fn a_stop_that_is_wanted_and_prevented_is_a_warning() {
    let configuration =
        accepted("stack: s\ninstances: { a: { id: i-a, status: Stopped, prevent_stop: true } }");
    assert_eq!(
        lines(&configuration.warnings),
        ["2:45 entry \"a\" shall be stopped, and its stop is prevented"]
    );
    assert_eq!((configuration.warnings.errors(), configuration.warnings.warnings()), (0, 1));
}

#[test]
fn the_template_is_valid_and_touches_nothing() {
    let configuration = accepted(TEMPLATE);
    assert!(configuration.warnings.is_empty());
    assert!(configuration.desired.entries.iter().all(|entry| entry.goal == Goal::Any));
    assert_eq!(
        configuration.desired.entries[0].timeouts,
        Timeouts::default(),
        "it says the defaults are these"
    );
    assert_eq!(configuration.desired.entries[0].stop, StopPolicy::default());
}

/// What the template shows in comments is as valid as the rest of it.
#[test]
fn the_template_is_valid_with_its_comments_undone() {
    let undone: String = TEMPLATE
        .lines()
        .map(|line| {
            let bare = line.trim_start();
            let indent = line.len() - bare.len();
            let setting = bare.strip_prefix("# ").filter(|rest| {
                let word = rest.trim_start().split(':').next().unwrap_or_default();
                !word.is_empty()
                    && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                    && rest.contains(':')
                    && !matches!(word, "endpoint" | "ids")
            });
            let setting = setting.or_else(|| {
                bare.strip_prefix("# ").filter(|rest| rest.trim_start().starts_with("ids: [i-bp1"))
            });
            match setting {
                Some(rest) => format!("{}{rest}\n", " ".repeat(indent)),
                None => format!("{line}\n"),
            }
        })
        .collect();
    let configuration = accepted(&undone);
    let app = configuration.desired.entries.iter().find(|entry| entry.name.as_str() == "app").expect("app");
    assert_eq!((app.ids().len(), app.needs.len(), app.prevent_stop), (2, 1, true));
    assert_eq!(
        configuration.providers[&ProviderAlias::main()].simulator,
        Some(PathBuf::from("account.yaml"))
    );
    assert_eq!(configuration.state_path, Some(PathBuf::from("state/my-stack.json")));
}
