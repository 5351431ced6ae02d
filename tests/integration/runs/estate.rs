//! An estate of 2,000 instances in three regions of two accounts, selected by tags, each layer with a readiness: it
//! comes up in order, in close to the fewest calls, and is imported as it is.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::TcpListener;

use powerform::simulator::{LogEvent, LogLine, read_log};
use serde_json::Value;

use crate::harness::Scenario;

/// The roles, from the bottom up: each needs the one before, in its own place, and in the first place every third.
const ROLES: [&str; 8] = ["db", "cache", "queue", "auth", "stock", "orders", "shop", "edge"];

/// The providers: alias, account file, region, and how many instances of each role.
const PLACES: [(&str, &str, &str, usize); 3] = [
    ("default", "account.yaml", "cn-hangzhou", 120),
    ("north", "account.yaml", "cn-beijing", 80),
    ("second", "second.yaml", "cn-hongkong", 50),
];

fn id(place: usize, role: usize, number: usize) -> String {
    format!("i-p{place}r{role}n{number:03}")
}

/// Every machine has an address of its own on this machine, and listens while it runs.
fn instances(file: &str, port: u16) -> String {
    let mut text = "instances:\n".to_owned();
    for (place, (_, own, region, size)) in PLACES.iter().enumerate().filter(|(_, (_, own, ..))| *own == file)
    {
        assert_eq!(*own, file);
        for (role, name) in ROLES.iter().enumerate() {
            for number in 0..*size {
                let (id, zone) = (id(place, role, number), ["a", "b"][number % 2]);
                let address = format!("127.{}.{}.{}", 10 + place, role, number + 1);
                let listen = if role % 2 == 0 {
                    format!("[{{ tcp: {port} }}]")
                } else {
                    format!("[{{ http: {port}, path: /healthz }}]")
                };
                let _ = writeln!(
                    text,
                    "  - {{ id: {id}, name: {name}-{number}, region: {region}, zone: {region}-{zone}, \
                     tags: {{ role: {name}, estate: shop }}, private_ip: {address}, listen: {listen} }}"
                );
            }
        }
    }
    text
}

fn configuration(port: u16) -> String {
    let mut text = "providers:
  north: { region: cn-beijing, simulator: account.yaml }
  second: { region: cn-hongkong, simulator: second.yaml }
defaults: { timeouts: { ready: 1m } }
instances:
"
    .to_owned();
    for (place, (alias, ..)) in PLACES.iter().enumerate() {
        for (role, name) in ROLES.iter().enumerate() {
            let mut needs = Vec::new();
            if let Some(below) = role.checked_sub(1) {
                needs.push(format!("{}-{alias}", ROLES[below]));
                if place > 0 && role % 3 == 0 {
                    needs.push(format!("{}-default", ROLES[below]));
                }
            }
            let ready = if role % 2 == 0 {
                format!("tcp: {port}")
            } else {
                format!("http: {{ port: {port}, path: /healthz }}, delay: 100ms")
            };
            let _ = writeln!(
                text,
                "  {name}-{alias}: {{ select: {{ tags: {{ role: {name}, estate: shop }} }}, provider: {alias}, \
                 status: Running, depends_on: [{}], ready: {{ {ready} }} }}",
                needs.join(", ")
            );
        }
    }
    text
}

fn estate() -> (Scenario, u16) {
    // Machines have addresses of their own, so that one port serves them all.
    let port = TcpListener::bind(("127.0.0.1", 0)).expect("a free port").local_addr().expect("bound").port();
    let scenario = Scenario::new(&instances("account.yaml", port), &configuration(port));
    let head = "account: \"2222222222222222\"
keys: [{ id: second-key, secret: secret-of-the-second }]
region: cn-hongkong
pace: { start: 200ms, stop: 100ms }
";
    scenario.write("second.yaml", format!("{head}{}", instances("second.yaml", port)));
    (scenario, port)
}

/// How often what was asked of both accounts, by action and whether instances were named.
fn requests(scenario: &Scenario, since: &BTreeMap<&str, usize>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in ["account.yaml", "second.yaml"] {
        for line in log(scenario, file).into_iter().skip(since.get(file).copied().unwrap_or_default()) {
            if let LogEvent::Request(request) = line {
                let by = if request.ids.is_none() && request.instance.is_none() { " by tags" } else { "" };
                *counts.entry(format!("{}{by}", request.action)).or_default() += 1;
            }
        }
    }
    counts
}

fn lines(scenario: &Scenario, file: &str) -> Vec<LogLine> {
    let memory = scenario.folder().join(file.replace(".yaml", ".cloud.json"));
    read_log(&memory).expect("a log")
}

fn log(scenario: &Scenario, file: &str) -> Vec<LogEvent> {
    lines(scenario, file).into_iter().map(|line| line.event).collect()
}

/// How long the first account was asked, from the first request after so many to the last.
fn seconds_between_looks(scenario: &Scenario, since: usize) -> u64 {
    let lines = lines(scenario, "account.yaml");
    let (first, last) = (lines.get(since).expect("asked").at, lines.last().expect("asked").at);
    u64::try_from(last.duration_since(first).as_secs()).expect("later") + 1
}

/// Every start comes after the end of all that the instance needs, whatever account or region that is in.
fn is_in_order(lines: &[&Value]) {
    let entry_of = |line: &Value| {
        let address = line["hook"]["resource"]["addr"].as_str().expect("an address").to_owned();
        address.split('[').next().expect("an entry").to_owned()
    };
    let mut first_start: HashMap<String, usize> = HashMap::new();
    let mut last_end: HashMap<String, usize> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        match line["type"].as_str() {
            Some("apply_start") => {
                first_start.entry(entry_of(line)).or_insert(at);
            }
            Some("apply_complete") => {
                last_end.insert(entry_of(line), at);
            }
            _ => {}
        }
    }
    for (place, (alias, ..)) in PLACES.iter().enumerate() {
        for role in 1..ROLES.len() {
            let below = ROLES[role - 1];
            let own = first_start[&format!("{}-{alias}", ROLES[role])];
            assert!(own > last_end[&format!("{below}-{alias}")], "{} in {alias} came too early", ROLES[role]);
            if place > 0 && role % 3 == 0 {
                assert!(
                    own > last_end[&format!("{below}-default")],
                    "{} in {alias} came too early",
                    ROLES[role]
                );
            }
        }
    }
}

#[test]
fn an_estate_comes_up_in_order_in_close_to_the_fewest_calls_and_is_imported_as_it_is() {
    let (scenario, _) = estate();
    let all: usize = PLACES.iter().map(|(.., size)| size * ROLES.len()).sum();
    assert_eq!(all, 2_000);
    let pages: usize = PLACES.iter().map(|(.., size)| size.div_ceil(100) * ROLES.len()).sum();

    scenario.run(&["plan"]).exits(0).prints(&["Plan: 2000 to start"]);
    let planned = requests(&scenario, &BTreeMap::new());
    assert_eq!(
        planned,
        BTreeMap::from([("DescribeInstances by tags".to_owned(), pages)]),
        "and nothing else"
    );

    let before: BTreeMap<&str, usize> =
        ["account.yaml", "second.yaml"].map(|file| (file, log(&scenario, file).len())).into();
    let applied = scenario.run(&["apply", "--auto-approve"]).exits(0).prints(&["2000 started"]);
    is_in_order(&applied.lines.all());
    let made = requests(&scenario, &before);
    let starts = made["StartInstances"];
    assert!(starts * 100 <= pages * 105, "{starts} batches, and {pages} are the least");
    assert_eq!(made.get("StartInstance"), None, "{made:?}");
    // At most one look for each tick of a quarter of a second and each page of those that move: the roles of one place go
    // one after the other.
    let moving: usize = PLACES.iter().map(|(.., size)| size.div_ceil(100)).sum();
    let ticks =
        usize::try_from(seconds_between_looks(&scenario, before["account.yaml"]) * 4).expect("few") + 1;
    let looks = made["DescribeInstances"];
    assert!(looks <= pages + ticks * moving, "{looks} looks in {ticks} ticks");

    scenario.run(&["plan", "--detailed-exitcode"]).exits(0).prints(&["No changes."]);
    is_imported_as_it_is(&scenario);
}

/// From a file that says only where to look.
fn is_imported_as_it_is(scenario: &Scenario) {
    let providers = "stack: shop
provider: { simulator: account.yaml }
providers:
  north: { region: cn-beijing, simulator: account.yaml }
  second: { region: cn-hongkong, simulator: second.yaml }
instances: {}
";
    scenario.write("places.yaml", providers);
    let import = |arguments: &[&str]| {
        let ran = scenario.start(&[&["-f", "places.yaml", "import"], arguments].concat());
        ran.finish_among_others().exits(0).stdout
    };
    for arguments in [&["--group-by", "tag:role"][..], &["--group-by", "tag:role", "--select"], &[]] {
        let text = import(arguments);
        assert_eq!(text, import(arguments), "twice the same");
        scenario.write("imported.yaml", &text);
        scenario.start(&["-f", "imported.yaml", "validate"]).finish_among_others().exits(0);
        let plan = scenario.start(&["-f", "imported.yaml", "plan", "--detailed-exitcode"]);
        plan.finish_among_others().exits(0).prints(&["No changes.", "2000 in sync"]);
    }
}
