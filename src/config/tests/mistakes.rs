//! What is refused, where, and in which words. Every row lists all that is found, so a row also shows that nothing
//! follows from a mistake but the mistake.

use super::*;

#[test]
fn mistakes_in_an_entry_are_found_where_they_are() {
    for (keys, expected) in ENTRIES {
        let text = format!("stack: s\ninstances:\n  db: {{ id: i-b, status: Running }}\n  a:\n    {keys}\n");
        assert_eq!(found(&text), *expected, "{text}");
    }
}

#[test]
fn mistakes_outside_of_entries_are_found_where_they_are() {
    for (text, expected) in DOCUMENTS {
        assert_eq!(found(text), *expected, "{text}");
    }
}

/// The keys of the entry `a`, from line 5 on, and what is found.
pub(super) const ENTRIES: &[(&str, &[&str])] = &[
    (
        "id: i-a\n    status: Runing",
        &["6:13 `status` must be Running, Stopped or Any, and this is \"Runing\""],
    ),
    ("id: i-a\n    status: on", &["6:13 `status` must be Running, Stopped or Any, and this is \"on\""]),
    (
        "id: i-a\n    status: [Running]",
        &["6:13 `status` must be Running, Stopped or Any, and this is a list"],
    ),
    ("id: i-a\n    status:", &["6:5 `status` has no value"]),
    ("id: i-a", &["4:3 entry \"a\" has no `status`"]),
    ("status: any", &["4:3 entry \"a\" names no instance"]),
    ("id: i-a\n    ids: [i-c]\n    status: any", &["6:5 entry \"a\" has both `id` and `ids`"]),
    ("ids: []\n    status: any", &["5:10 `ids` is empty"]),
    ("ids: i-c\n    status: any", &["5:10 `ids` must be a list of instance ids, and this is text"]),
    ("ids: [i-c, i-c]\n    status: any", &["5:16 instance \"i-c\" is listed twice"]),
    ("ids: [i-c, {}]\n    status: any", &["5:16 this must be an instance id, and it is a mapping"]),
    ("id: I-A\n    status: any", &["5:9 \"I-A\" is not an instance id"]),
    ("id: i-b\n    status: any", &["5:9 instance \"i-b\" is in two entries, \"db\" and \"a\""]),
    ("id: i-a\n    status: any\n    depend_on: [db]", &["7:5 unknown key \"depend_on\" in an entry"]),
    ("id: i-a\n    status: any\n    needs: [db]", &["7:5 unknown key \"needs\" in an entry"]),
    ("id: i-a\n    status: any\n    color: red", &["7:5 unknown key \"color\" in an entry"]),
    (
        "select: {}\n    status: any",
        &["5:5 `select` says nothing, and every instance of the region would fit"],
    ),
    (
        "select: { tags: { role: [], env: }, name: \"\", charge: prepaid, except: i-b, colour: red }\n    status: any",
        &[
            "5:29 `role` must be the value of a tag, and this is a list",
            "5:47 \"\" is not a name or a pattern",
            "5:59 `charge` must be PrePaid or PostPaid, and this is \"prepaid\"",
            "5:76 `except` must be a list of instance ids, and this is text",
            "5:81 unknown key \"colour\" in `select`",
        ],
    ),
    (
        "select: { zone: z, at_least: 2 }\n    at_least: 0\n    status: any\n    order: as listed",
        &["6:5 `at_least` is given twice: in `select` and beside it", "8:5 entry \"a\" has no list to go by"],
    ),
    ("id: i-a\n    at_least: 0\n    status: any", &["6:5 `at_least` is for entries with `select`"]),
    (
        "select: { name: a }\n    ids: [i-c]\n    status: any",
        &["5:5 entry \"a\" has both `ids` and `select`"],
    ),
    ("id: i-a\n    status: any\n    provider: hk", &["7:15 there is no provider \"hk\""]),
    (
        "id: i-a\n    status: any\n    ready: { tcp: 70000, every: 1ms, within: soon, address: \"a b\" }",
        &[
            "7:19 70000 is not a port from 1 to 65535",
            "7:33 `every` must be 100ms or more",
            "7:46 \"soon\" is not a duration: write it like 90s, 10m or 1h30m",
            "7:61 \"a b\" is no host",
        ],
    ),
    ("id: i-a\n    status: any\n    ready: { every: 1s }", &["7:5 `ready` asks nothing"]),
    (
        "id: i-a\n    status: any\n    ready: { delay: 1s, address: public }",
        &["7:25 `address` is for `tcp` and `http`, and neither is here"],
    ),
    (
        "id: i-a\n    status: any\n    ready: { http: {}, command: ./check.sh, guest: \" \" }",
        &[
            "7:14 the http probe has neither a `url` nor a `port`",
            "7:33 `command` must be a list of words, run without a shell, and this is text",
            "7:52 \" \" is not a shell command",
        ],
    ),
    (
        "id: i-a\n    status: any\n    ready: { http: { url: \"ftp://x\", path: /, status: 600 } }",
        &[
            "7:27 \"ftp://x\" is not a URL that can be asked",
            "7:38 an http probe with a `url` has no `path`",
            "7:55 600 is no HTTP status",
        ],
    ),
    (
        "id: i-a\n    status: any\n    ready: { http: { port: 80, path: healthz }, command: [] }",
        &["7:38 \"healthz\" is not the path of a URL", "7:58 the command names no program"],
    ),
    (
        "id: i-a\n    status: any\n    on_no_stock: retry\n    on_failure: fail\n    pause: 0s\n    order: zone",
        &[
            "7:18 `on_no_stock` must be `fail` or `{ retry_for: 15m }`, and this is \"retry\"",
            "8:17 `on_failure` must be continue or stop, and this is \"fail\"",
            "9:12 a timeout must be longer than nothing",
            "10:12 `order` must be zones or as listed, and this is \"zone\"",
        ],
    ),
    ("id: i-a\n    id: i-c\n    status: any", &["6:5 the key \"id\" is written twice"]),
    (
        "id: i-a\n    status: any\n    depends_on: [dbb, a, db, db]",
        &[
            "7:18 there is no entry \"dbb\" to depend on",
            "7:23 entry \"a\" depends on itself",
            "7:30 the dependency on \"db\" is listed twice",
        ],
    ),
    (
        "id: i-a\n    status: any\n    depends_on: db",
        &["7:17 `depends_on` must be a list or a mapping of entries, and this is text"],
    ),
    (
        "id: i-a\n    status: any\n    depends_on: { db: , db: {required: maybe, x: 1} }",
        &[
            "7:19 `db` has no value",
            "7:25 the dependency on \"db\" is listed twice",
            "7:40 `required` must be true or false, and this is text",
            "7:47 unknown key \"x\" in a dependency",
        ],
    ),
    (
        "id: i-a\n    status: any\n    timeouts: { start: 10, stop: 0s, ready: soon, strat: 1m }",
        &[
            "7:24 \"10\" has a number without a unit: write it like 90s, 10m or 1h30m",
            "7:34 a timeout must be longer than nothing",
            "7:45 \"soon\" is not a duration: write it like 90s, 10m or 1h30m",
            "7:51 unknown key \"strat\" in timeouts",
        ],
    ),
    ("id: i-a\n    status: any\n    timeouts: 10m", &["7:15 `timeouts` must be a mapping, and this is text"]),
    (
        "id: i-a\n    status: any\n    stop: { mode: stopcharging, force: \"true\" }",
        &[
            "7:19 `mode` must be KeepCharging or StopCharging, and this is \"stopcharging\"",
            "7:40 `force` must be true or false, and this is text",
        ],
    ),
    (
        "id: i-a\n    status: any\n    at_once: 0",
        &["7:14 `at_once` must be a whole number from 1, and this is \"0\""],
    ),
    (
        "id: i-a\n    status: any\n    at_once: 1.5",
        &["7:14 `at_once` must be a whole number from 1, and this is \"1.5\""],
    ),
    ("id: i-a\n    status: any\n    at_once: 101%", &["7:14 \"101%\" is neither a number nor a share"]),
    ("id: i-a\n    status: any\n    at_once: \"2\"", &["7:14 \"2\" is neither a number nor a share"]),
    (
        "id: i-a\n    status: any\n    prevent_stop: yes",
        &["7:19 `prevent_stop` must be true or false, and this is text"],
    ),
    (
        "id: i-a\n    status: any\n    allow_autoscale: true\n    allow_autoscaling: 1",
        &[
            "7:5 unknown key \"allow_autoscale\" in an entry",
            "8:24 `allow_autoscaling` must be true or false, and this is a number",
        ],
    ),
    ("id: i-a\n    status: any\n    init_local_disk:", &["7:5 `init_local_disk` has no value"]),
    ("id: ${ID}\n    status: any", &["5:9 only a variable can be filled in, and \"ID\" is none"]),
    ("id: i-${var.x}${var\n    status: any", &["5:11 there is no variable \"x\"", "5:19 `${` is not closed"]),
    (
        "id: i-a\n    status: any\n    \"${var.x}\": 1",
        &["7:6 a key holds no variable, and \"${var.x}\" has one"],
    ),
    ("id: i-a\n    status: any\n  1x: { id: i-c, status: any }", &["7:3 \"1x\" is not an entry name"]),
    ("id: i-a\n    status: any\n  db: { id: i-c, status: any }", &["7:3 the key \"db\" is written twice"]),
    (
        "id: i-a\n    status: Running\n    depends_on: [c]\n  c: { id: i-c, status: Stopped }",
        &["7:18 \"a\" shall run, but it needs \"c\", which shall be stopped"],
    ),
    (
        "id: i-a\n    status: any\n    depends_on: [c]\n  c: { id: i-c, status: any, depends_on: { a: {required: false} } }",
        &["7:18 these entries depend on each other in a circle: a -> c -> a"],
    ),
];

/// Whole documents, and what is found.
pub(super) const DOCUMENTS: &[(&str, &[&str])] = &[
    ("stack: Web\ninstances: {}", &["1:8 \"Web\" is not a stack name"]),
    ("stack: s\nstack: t\ninstances: {}", &["2:1 the key \"stack\" is written twice"]),
    (
        "stack: s\nvariables: {}\nnotify: {}\ninstances: {}",
        &["3:1 `notify` is not supported by this version yet"],
    ),
    (
        "stack: s\ninstances: {}\nvariables: { 1x: 2, a: , b: [1], c: { type: text, defualt: 1 }, d: { type: bool, default: 2 }, e: 1, e: 2 }",
        &[
            "3:14 \"1x\" is not the name of a variable",
            "3:21 the variable \"a\" has neither a default nor braces",
            "3:29 `b` must be text, a number, or true or false, and this is a list",
            "3:45 `type` must be string, number or bool, and this is \"text\"",
            "3:51 unknown key \"defualt\" in a variable",
            "3:91 the variable \"d\" must be true or false, and this is a number",
            "3:102 the variable \"e\" is declared twice",
        ],
    ),
    ("stack: ${var.s}\ninstances: {}\nvariables: { s: {} }", &["1:8 the variable \"s\" has no value"]),
    ("stack: ${var.s}\ninstances: {}\nvariables: { s: Web }", &["1:8 \"Web\" is not a stack name"]),
    ("stack: s\ninstances: {}\nvariables: 1", &["3:12 `variables` must be a mapping, and this is a number"]),
    (
        "stack: s\ninstances: {}\nvariables: {}\nvariables: {}",
        &["4:1 the key \"variables\" is written twice"],
    ),
    (
        "stack: s\ninstances: {}\nlimits: ${var.many}\nvariables: { many: 5 }",
        &["3:9 `limits` must be a mapping, and this is a number"],
    ),
    (
        "stack: s\ninstances: {}\nprovider: { region: a/b, endpoint: http://ecs.aliyuncs.com, simulator: x, profile: p, regoin: y }",
        &[
            "3:21 \"a/b\" is not a region id",
            "3:26 a provider has either an `endpoint` or a `simulator`",
            "3:36 \"http://ecs.aliyuncs.com\" is not an endpoint: plain http:// is accepted on loopback hosts only (127.0.0.0/8, ::1, localhost); write https://",
            "3:75 `profile` has no effect beside a `simulator`",
            "3:87 unknown key \"regoin\" in a provider",
        ],
    ),
    ("stack: s\ninstances: {}\nbackend: { s3: {} }", &["3:12 `s3` is not supported by this version yet"]),
    (
        "stack: s\ninstances: {}\nbackend: { local: { path: st/ } }",
        &["3:27 \"st/\" is a folder, and a file is wanted"],
    ),
    (
        "stack: s\ninstances: {}\nbackend: { local: { path: . } }",
        &["3:27 \".\" is a folder, and a file is wanted"],
    ),
    (
        "stack: s\ninstances: {}\nbackend: { local: { path: st/.. } }",
        &["3:27 \"st/..\" is a folder, and a file is wanted"],
    ),
    ("stack: s\ninstances: {}\nbackend: {}", &["3:1 the backend is not named"]),
    (
        "stack: s\ninstances: {}\nbackend: { local: {path: '', x: 1} }",
        &["3:26 the path is empty", "3:30 unknown key \"x\" in a local backend"],
    ),
    ("stack: s\ninstances:\n  - id: i-a", &["3:3 `instances` must be a mapping, and this is a list"]),
    ("stack: s\ninstances:\n  a: Running", &["3:6 `a` must be a mapping, and this is text"]),
    ("stack: s\ninstances:\n  a:", &["3:3 `a` has no value"]),
    ("stack: s\ninstances:\n  [x]: {}", &["3:3 a key must be text, and this is a list"]),
    (
        "stack: s\ninstances: {}\ndefaults: { status: Running, ready: x, timeouts: }",
        &[
            "3:13 unknown key \"status\" in the defaults",
            "3:37 `ready` must be a mapping, and this is text",
            "3:40 `timeouts` has no value",
        ],
    ),
    ("stack: s\ninstances: {}\nprovider:", &["3:1 `provider` has no value"]),
    ("stack: &a s\ninstances: *b", &["2:12 this alias has no anchor"]),
    (
        "stack: s\ninstances: {}\nlimits: { starts: many, stops: -1, start: 1 }\nlimit: {}",
        &[
            "3:19 `starts` must be a whole number from 0, and this is text",
            "3:32 `stops` must be a whole number from 0, and this is \"-1\"",
            "3:36 unknown key \"start\" in the limits",
            "4:1 unknown key \"limit\" in the document",
        ],
    ),
    ("stack: s\ninstances: {}\nlimits: 5", &["3:9 `limits` must be a mapping, and this is a number"]),
    ("stack: !x s", &["1:11 YAML tags are not supported"]),
    (
        "required_version: '>= 0.1, < 99'\nstack: s\ninstances: {}\nrequired_versions: 1",
        &["4:1 unknown key \"required_versions\" in the document"],
    ),
    (
        "required_version: '>= 99'\nstack: S\ninstanzes: {}",
        &[concat!("1:19 this needs powerform >= 99, and this is powerform ", env!("CARGO_PKG_VERSION"))],
    ),
    (
        "stack: s\ninstances: {}\nrequired_version: ^1.2",
        &["3:19 \"^1.2\" is not a version requirement: \"^1.2\" is not a version"],
    ),
    ("stack: s\ninstances: {}\nrequired_version:", &["3:1 `required_version` has no value"]),
    (
        "stack: s\ninstances: {}\nrequired_version: [1]",
        &["3:19 `required_version` must be a version requirement, and this is a list"],
    ),
    ("stack: s\ninstances: { <<: 5 }", &["2:14 a merge key `<<` takes a mapping or a list of mappings"]),
];

#[test]
fn every_later_key_of_the_language_is_known_and_refused() {
    let document = |at: &str, key: &str| match at {
        "" => format!("stack: s\ninstances: {{}}\n{key}: {{}}\n"),
        _ => format!("stack: s\ninstances: {{}}\nbackend: {{ {key}: {{}} }}\n"),
    };
    for (at, keys) in [("", "schedules overrides notify"), ("backend", "s3 oss etcd http")] {
        for key in keys.split(' ') {
            let found = found(document(at, key));
            assert_eq!(found.len(), 1, "{key}: {found:?}");
            assert!(
                found[0].ends_with(&format!("`{key}` is not supported by this version yet")),
                "{found:?}"
            );
        }
    }
}

#[test]
fn what_two_files_say_together_is_checked_like_one() {
    let files = |texts: &[&str]| {
        let sources: Vec<Source> = texts.iter().map(source).collect();
        let problems = read(&sources).unwrap_err();
        problems
            .iter()
            .map(|problem| {
                let related: Vec<String> = problem
                    .related
                    .iter()
                    .map(|other| {
                        format!("{}@{}:{}", other.place.source, other.place.line, other.place.column)
                    })
                    .collect();
                format!("{} {} {}", problem.place.source, problem.message, related.join(" "))
                    .trim_end()
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        files(&[
            "stack: s\ninstances: { a: { id: i-a, status: any } }",
            "stack: s\ninstances: { a: { id: i-b, status: any } }"
        ]),
        ["1 `stack` is given in two files 0@1:1", "1 the entry \"a\" is in two files 0@2:14"]
    );
    assert_eq!(
        files(&[
            "stack: s\ninstances: { a: { id: i-a, status: any } }",
            "instances: { b: { id: i-a, status: any } }"
        ]),
        ["1 instance \"i-a\" is in two entries, \"a\" and \"b\" 0@2:23"]
    );
    assert_eq!(
        files(&[
            "stack: s\nprovider: {}\nbackend: { local: {} }\ndefaults: {}",
            "instances: {}\nprovider: {}\nbackend: { local: {} }\ndefaults: {}"
        ]),
        [
            "1 `provider` is given in two files 0@2:1",
            "1 `backend` is given in two files 0@3:1",
            "1 `defaults` is given in two files 0@4:1",
        ]
    );
    assert_eq!(
        files(&["stack: s\nrequired_version: '> 0'\ninstances: {}", "required_version: '> 0'"]),
        ["1 `required_version` is given in two files 0@2:19"]
    );
    let unmet =
        files(&["stack: s\nrequired_version: '> 0'\ninstances: {}", "required_version: '~> 88.1'\nx: y"]);
    assert!(unmet.len() == 1 && unmet[0].starts_with("1 this needs powerform ~> 88.1"), "{unmet:?}");
    // What the broken file would have said is not guessed at.
    assert_eq!(
        files(&["instances: { a: { id: i-a, status: any, depends_on: [db] } }", "stack: [s"]),
        ["1 this is not valid YAML: unclosed bracket '['"]
    );
    assert_eq!(files(&[]), ["0 `instances` is missing", "0 `stack` is missing"]);
}

#[test]
fn every_circle_is_told_once_and_its_entries_are_named() {
    let entry = |name: &str, needs: &str| {
        format!("  {name}: {{ id: i-{name}, status: any, depends_on: [{needs}] }}\n")
    };
    let text = [
        "stack: s\ninstances:\n".to_owned(),
        entry("a", "b"),
        entry("b", "c, e"),
        entry("c", "a"),
        entry("d", "e"),
        entry("e", "d"),
        entry("f", "a"),
    ]
    .concat();
    assert_eq!(
        found(text),
        [
            "3:43 these entries depend on each other in a circle: a -> b -> c -> a",
            "6:43 these entries depend on each other in a circle: d -> e -> d",
        ]
    );
}
