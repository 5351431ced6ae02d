use secrecy::ExposeSecret as _;

use super::*;

const FILE: &str = "/accounts/shop.yaml";

/// The smallest account, with more lines after it.
fn with(more: &str) -> String {
    format!("account: \"1234567890123456\"\nkeys: [{{ id: k, secret: s }}]\nregion: cn-hangzhou\n{more}")
}

fn read(text: &str) -> Account {
    Account::parse(text.as_bytes(), Path::new(FILE)).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    let problems = Account::parse(text.as_bytes(), Path::new(FILE)).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_whole_language_is_read() {
    let account = read(
        r#"
account: "1234567890123456"
keys: [{ id: sim-key, secret: sim-secret }, { id: STS.x, secret: y, token: z }]
memory: ../../state/web-shop.cloud.json
region: cn-hangzhou
pace: { start: 2s, stop: 1s, jitter: 20% }
limits: { StartInstance: 20/s, DescribeInstances: { rate: 100/min, retry_after: true } }
roles: [{ arn: "acs:ram::1234567890123456:role/ops", external_id: x }, { arn: "acs:ram::1234567890123456:role/ci" }]
sts: { duration: 20s }
permissions: { deny: [StopInstance, DescribeInstances] }
quirks: { numeric_codes: true, empty_pages: true, first_thousand: true }
lag: 500ms
instances:
  - { id: i-bp1db0000000000001, name: db, status: Stopped, zone: cn-hangzhou-i, tags: { role: db }, charge: PostPaid, start: 4s }
  - { id: i-bp1app000000000003, name: app-3, status: Stopped, locks: [security] }
  - { id: i-bp1old0000000000001, name: old, status: stopped, charge: PrePaid, expires: 2026-01-01T00:00Z }
  - { id: i-odd, status: Melting, region: cn-hongkong, spot: true, local_disks: 2, stopped_mode: StopCharging, public_ip: 1.2.3.4 }
faults:
  - { action: StartInstance, instance: i-bp1app000000000003, nth: 1, times: 2, error: InternalError }
  - { action: StartInstance, nth: 5, drop: after }
  - { delay: 3s }
  - { at: 10s, set: { i-bp1db0000000000001: Stopped } }
  - { at: 1m, unlock: i-bp1app000000000003 }
  - { action: StartInstance, at: 10s, throttle: 5s, retry_after: true }
  - { nth: 3, for: 5s, http: 503 }
  - { every: 3, drop: before }
  - { action: DescribeInstances, nth: 2, every: 4, times: 5, lag: 4s }
"#,
    );
    assert_eq!(account.memory, Path::new("/accounts/../../state/web-shop.cloud.json"));
    assert_eq!((account.jitter, account.lag), (0.2, Duration::from_millis(500)));
    let limit = |most, window, retry_after| Limit { rate: Rate { most, window }, retry_after };
    assert_eq!(account.limits.get("StartInstance"), Some(&limit(20, 1, false)));
    assert_eq!(account.limits.get("DescribeInstances"), Some(&limit(100, 60, true)));
    let ops = account.role("acs:ram::1234567890123456:role/ops").unwrap();
    assert_eq!((ops.name(), ops.external_id.as_deref(), account.roles.len()), ("ops", Some("x"), 2));
    assert_eq!(account.longest_session, Some(Duration::from_secs(20)));
    assert!(account.denied.contains("StopInstance") && !account.denied.contains("StartInstance"));
    assert_eq!(account.quirks, Quirks { numeric_codes: true, empty_pages: true, first_thousand: true });
    let second = |seconds| Some(Duration::from_secs(seconds));
    let throttled = &account.faults[3];
    assert_eq!((throttled.from, throttled.lasts, throttled.retry_after), (second(10), second(5), true));
    let code = "Throttling.User".to_owned();
    assert_eq!(throttled.effect, Some(Effect::Refuse { code, message: None }));
    let outage = &account.faults[4];
    assert_eq!((outage.from, outage.lasts, outage.first), (None, second(5), 3));
    let counts = |position: usize| {
        account.faults.get(position).map(|it| (it.first, it.every, it.times, it.lag.as_secs()))
    };
    assert_eq!(counts(0), Some((1, 1, Some(2), 0)));
    assert_eq!(counts(5), Some((3, 3, None, 0)));
    assert_eq!(counts(6), Some((2, 4, Some(5), 4)));
    assert_eq!(account.longest_lag(), Duration::from_millis(4_500));
    let db = &account.instances[account.position("i-bp1db0000000000001").unwrap()];
    assert_eq!((db.start, db.stop), (Duration::from_secs(4), Duration::from_secs(1)));
    assert_eq!(account.instances[2].status, Status::Stopped);
    assert_eq!(account.instances[2].expires, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    let odd = &account.instances[3];
    assert_eq!(odd.status, Status::Other("Melting".to_owned()));
    assert_eq!((odd.region.as_str(), odd.zone.as_str()), ("cn-hongkong", "cn-hongkong-a"));
    assert!(account.regions.contains("cn-hongkong"));
    assert_eq!((account.faults[0].first, account.faults[0].times), (1, Some(2)));
    assert_eq!((account.faults[1].first, account.faults[1].times), (5, Some(1)));
    assert_eq!(account.faults[1].effect, Some(Effect::DropAfter));
    assert_eq!((account.faults[2].first, account.faults[2].times), (1, None));
    assert_eq!(account.scheduled[1].changes, [("i-bp1app000000000003".to_owned(), Change::Unlock)]);
}

#[test]
fn an_account_needs_nothing_but_its_instances() {
    let account = read("instances: [{ id: i-a }]");
    assert_eq!((account.id.as_str(), account.region.as_str()), ("1234567890123456", "cn-hangzhou"));
    assert_eq!(account.instances[0].region, "cn-hangzhou");
    let key = account.key("sim-key").expect("a key that everybody knows");
    assert_eq!((key.secret.expose_secret(), account.keys.len()), ("sim-secret", 1));
}

#[test]
fn what_is_served_may_go_wrong_in_the_answer_and_in_the_instance() {
    for both in [
        "drop: after, stuck: true",
        "truncate: true, fails_to_boot: true, delay: 1s",
        "garbage: x, vanish: true",
    ] {
        let account = read(&with(&format!("instances: []\nfaults: [{{ {both} }}]")));
        assert!(account.faults[0].effect.is_some() && account.faults[0].twist.is_some(), "{both}");
    }
    for both in [
        "drop: before, stuck: true",
        "error: X, vanish: true",
        "http: 502, stuck: true",
        "stuck: true, vanish: true",
    ] {
        let found = problems(&with(&format!("instances: []\nfaults: [{{ {both} }}]")));
        assert!(found.len() == 1 && found[0].contains("one fault does one thing"), "{both}: {found:?}");
    }
}

#[test]
fn the_memory_is_beside_the_account_unless_it_says_otherwise() {
    assert_eq!(read(&with("")).memory, Path::new("/accounts/shop.cloud.json"));
    assert_eq!(read(&with("memory: /tmp/m.json")).memory, Path::new("/tmp/m.json"));
}

#[test]
fn another_text_has_another_digest() {
    assert_ne!(read(&with("")).digest, read(&with("# a remark")).digest);
}

#[test]
fn secrets_are_never_printed() {
    let account =
        read("account: \"1\"\nregion: r\nkeys: [{ id: k, secret: very-secret, token: very-secret-too }]");
    assert!(!format!("{account:?}").contains("very-secret"));
}

#[test]
fn every_problem_is_named_with_its_place() {
    let text = with(
        r"pace: { start: soon }
limits: { StartInstance: 20, Start: 1/s }
instances:
  - { id: db, charge: Free }
  - { id: i-a, expires: 2026-01-01T00:00Z }
  - { id: i-a, locks: [rust] }
faults:
  - { action: RebootInstances, error: X }
  - { instance: i-b, nth: 0, stuck: true, drop: before }
  - { at: 1s, delay: 2s }
  - { at: 1s, set: { i-c: Running } }
  - { set: { i-a: Running } }
  - { drop: during }
  - { http: 200 }
  - { nth: 1 }
  - { message: hello, stuck: true }
  - { every: 0, action: StartInstance, lag: 1s }
  - { every: 2, throttle: 1s }
  - { at: 1s, every: 2, set: { i-a: Running } }
",
    );
    let expected = [
        "4:16: \"soon\" is not a duration",
        "5:26: \"20\" is not a rate",
        "5:37: \"Start\" is not an action",
        "7:11: \"db\" is not an instance id",
        "7:23: \"Free\" is not a way to pay",
        "8:25: only subscriptions expire",
        "9:11: there are two instances i-a",
        "9:24: \"rust\" is not a lock",
        "11:15: \"RebootInstances\" is not an action",
        "12:5: one fault does one thing",
        "12:17: there is no instance i-b",
        "12:27: it counts from 1",
        "13:5: at goes with set, lock or unlock, or with for",
        "14:5: there is no instance i-c",
        "15:5: set, lock and unlock happen by themselves",
        "16:13: drop: during has no meaning",
        "17:13: http: 200 is not a failure",
        "18:5: nothing goes wrong",
        "19:16: message: goes with error:",
        "20:14: it counts from 1",
        "20:45: only a look can show what is old",
        "21:14: it strikes for some time or by count",
        "22:5: at goes with set, lock or unlock, or with for",
    ];
    let found = problems(&text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "expected {expected:?}, found {found:?}");
    }
}

#[test]
fn what_is_wrong_with_roles_limits_permissions_and_times_is_named() {
    let text = with(
        r"roles: [{ arn: 'acs:ram::1:role/ops' }, { arn: 'acs:ram::1234567890123456:role/' }]
sts: { duration: long }
permissions: { deny: [Everything] }
limits: { StopInstance: { rate: fast }, StartInstance: 5 }
faults:
  - { throttle: 5s, for: 5s }
  - { throttle: 5s, times: 2 }
  - { at: 1s, throttle: 5s, nth: 2 }
  - { error: X, retry_after: true }
  - { throttle: 5s, error: X }
  - { for: 5s }
  - { at: 1s, retry_after: true, set: { i-a: Running } }
",
    );
    let expected = [
        "4:16: \"acs:ram::1:role/ops\" is not a role of this account",
        "4:48: \"acs:ram::1234567890123456:role/\" is not a role",
        "5:18: \"long\" is not a duration",
        "6:23: \"Everything\" is not an action",
        "7:25: \"fast\" is not a rate",
        "7:56: \"5\" is not a rate",
        "9:5: throttle: says how long already",
        "10:28: it strikes for some time or some times",
        "11:34: it strikes from a moment or from a request on",
        "12:5: retry_after: says when error: is over",
        "13:5: one fault does one thing",
        "14:5: nothing goes wrong",
        "15:5: at goes with set, lock or unlock, or with for",
    ];
    let found = problems(&text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "expected {expected:?}, found {found:?}");
    }
}

#[test]
fn what_is_not_the_language_is_refused_with_its_place() {
    for (text, place, words) in [
        (with("colour: red"), "4:", "colour"),
        (with("region: again"), "4:", "duplicate"),
        (with("instances:\n  - { id: i-a, state: Running }"), "5:", "state"),
        (with("instances:\n  - { id: i-a, spot: yes }"), "5:", "bool"),
        (with("instances:\n  - { name: a }"), "", "id"),
        (with("instances: [}"), "4:", ""),
        (with("limits: { StartInstance: [1] }"), "4:", "a rate such as 20/s"),
        (with("limits: { StartInstance: { speed: 20/s } }"), "4:", "speed"),
        (with("quirks: { colour: red }"), "4:", "colour"),
        (with("lag: \"\0\""), "4:", "NUL"),
        ("account: \"1\"\nkeys: []\nregion: r".to_owned(), "2:", "no key"),
        (
            "account: one\nkeys: [{ id: a, secret: b }, { id: a, secret: c }]\nregion: ''".to_owned(),
            "1:",
            "number",
        ),
        (String::new(), "", ""),
    ] {
        let found = problems(&text);
        let first = found.first().unwrap();
        assert!(first.starts_with(place) && first.contains(words), "{text:?}: {found:?}");
    }
    let found = Account::parse(b"account: x\n\xff", Path::new(FILE)).unwrap_err();
    assert_eq!((found[0].line, found.len()), (2, 1));
}

#[test]
fn hostile_files_are_refused_in_bounded_time() {
    let deep = with(&format!("instances: {}", "[".repeat(20_000)));
    let mut bomb = String::from("a: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("b{level}: &a{level} [{below}]\n"));
    }
    for text in [deep, bomb, with("instances: &a [*a]"), "{".repeat(20_000), "- ".repeat(20_000)] {
        assert!(Account::parse(text.as_bytes(), Path::new(FILE)).is_err());
    }
}

#[test]
fn many_instances_may_share_one_anchor() {
    let mut text = with("instances:\n  - { id: i-0, tags: &tags { role: web } }\n");
    for number in 1..2_000 {
        text.push_str(&format!("  - {{ id: i-{number}, tags: *tags }}\n"));
    }
    let account = read(&text);
    assert_eq!(account.instances.len(), 2_000);
    assert_eq!(account.instances[1_999].tags.get("role").map(String::as_str), Some("web"));
}

#[test]
fn a_large_honest_account_is_within_the_limits_of_the_reader() {
    let mut text = with("instances:\n");
    for number in 0..30_000 {
        text.push_str(&format!("  - {{ id: i-{number}, name: web-{number}, tags: {{ role: web }} }}\n"));
    }
    let account = read(&text);
    assert_eq!(account.position("i-29999"), Some(29_999));
}

#[test]
fn what_a_machine_listens_with_is_read() {
    let account = read(&with(
        "instances:
  - { id: i-a, listen: [{ tcp: 5432, after: 3s, flap: 2s }, { http: 8080 }, { http: 81, hang: true }] }
  - { id: i-b, private_ip: 127.1.2.3, listen: [{ http: 8080, path: /healthz, status: 503, body: wait }] }
  - { id: i-c, private_ip: 10.0.0.1 }",
    ));
    let listener = |address: &str, manner| Listener {
        address: address.parse().unwrap(),
        manner,
        after: Duration::ZERO,
        flap: None,
    };
    let answer = |path: &str, status, body: &str| Manner::Http {
        path: path.to_owned(),
        status,
        body: body.to_owned(),
    };
    let slow = Listener {
        after: Duration::from_secs(3),
        flap: Some(Duration::from_secs(2)),
        ..listener("127.0.0.1:5432", Manner::Silent)
    };
    let expected = [
        vec![
            slow,
            listener("127.0.0.1:8080", answer("/", 200, "ok")),
            listener("127.0.0.1:81", Manner::Silent),
        ],
        vec![listener("127.1.2.3:8080", answer("/healthz", 503, "wait"))],
        Vec::new(),
    ];
    let found: Vec<_> = account.instances.iter().map(|instance| instance.listeners.clone()).collect();
    assert_eq!(found, expected);
    let addresses: Vec<_> = account.instances.iter().map(|it| it.private_ip.as_deref().unwrap()).collect();
    assert_eq!(addresses, ["127.0.0.1", "127.1.2.3", "10.0.0.1"]);
}

#[test]
fn what_cannot_be_listened_with_is_named_with_its_place() {
    let text = with(
        "instances:
  - { id: i-a, listen: [{ tcp: 80 }, { tcp: 0 }, { http: 65536 }, { tcp: -1 }] }
  - { id: i-b, listen: [{ http: 80 }] }
  - { id: i-c, private_ip: 10.0.0.1, listen: [{ tcp: 1 }] }
  - { id: i-d, listen: [{ tcp: 2, http: 3 }, { after: 1s }, { tcp: 4, path: / }] }
  - { id: i-e, listen: [{ http: 5, path: x }, { http: 6, status: 100 }, { tcp: 7, flap: 0s }] }
  - { id: i-f, listen: [{ tcp: 8 }, { http: 8 }] }
",
    );
    let expected = [
        "5:45: 0 is not a port",
        "5:58: 65536 is not a port",
        "5:74: -1 is not a port",
        "6:25: 127.0.0.1:80 would be listened on by i-a and i-b",
        "7:28: \"10.0.0.1\" is not an address of this machine",
        "8:25: one listener does one thing",
        "8:46: nothing listens",
        "8:77: only http: answers: leave path: out",
        "9:42: \"x\" is not a path",
        "9:66: status: 100 is not the end of an answer",
        "9:89: it would be open and closed at once",
        "10:37: 127.0.0.1:8 would be listened on by i-f twice",
    ];
    let found = problems(&text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "expected {expected:?}, found {found:?}");
    }
}

#[test]
fn what_commands_come_to_is_read() {
    let account = read(&with(
        "instances:
  - id: i-a
    assistant:
      online: false
      delay: 1s
      answers: [{ when: x, exit: 3, output: no, delay: 2s, after: 5s, times: 2 }, { when: y, hang: true }]
  - { id: i-b }",
    ));
    let answer = CommandAnswer {
        when: "y".to_owned(),
        exit: 0,
        output: String::new(),
        delay: Duration::from_secs(1),
        after: Duration::ZERO,
        times: None,
        hangs: true,
    };
    let first = CommandAnswer {
        when: "x".to_owned(),
        exit: 3,
        output: "no".to_owned(),
        delay: Duration::from_secs(2),
        after: Duration::from_secs(5),
        times: Some(2),
        hangs: false,
    };
    let expected = Assistant { online: false, delay: Duration::from_secs(1), answers: vec![first, answer] };
    assert_eq!(account.instances[0].assistant, expected);
    let usual = Assistant { online: true, delay: Duration::from_millis(200), answers: Vec::new() };
    assert_eq!(account.instances[1].assistant, usual);
    let found = problems(&with(
        "instances: [{ id: i-a, assistant: { delay: soon, answers: [{ exit: 256 }, { times: 0 }] } }]",
    ));
    for (found, expected) in found.iter().zip(["is not a duration", "256 is not an exit status", "no times"])
    {
        assert!(found.contains(expected), "expected {expected:?}, found {found:?}");
    }
    assert_eq!(found.len(), 3);
}
