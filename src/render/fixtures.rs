//! Plans, reports and events made by hand, for tests.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::cloud::{Advice, Refusal};
use crate::execute::{Action, Event, EventKind, Failure, How};
use crate::fleet::{
    Address, EntryIndex, Goal, HttpTarget, InstanceId, InstanceKey, Lock, LockReason, Need, Power, Probe,
    ProbeAddress, ProviderAlias, Region, Seen, Sighting, StopMode, StopPolicy, StoppedMode, Strength,
    Timeouts,
};
use crate::plan::{After, Block, Call, Change, Drift, Group, Plan, Then, Verdict, Warning, Why};

/// Text that repaints terminals, reorders lines, breaks out of quotes, tags, comments, tables and fences, calls people,
/// makes links, and is far too long.
pub(crate) fn hostile() -> String {
    format!("{}{}", hostile_pieces().concat(), "x".repeat(10_000))
}

/// The pieces of [`hostile`], each of them short enough to be shown whole.
pub(crate) fn hostile_pieces() -> Vec<&'static str> {
    vec![
        "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{202e}evil\u{2066}\u{9b}31m\"",
        "'\\</script><img src=x onerror=alert(1)>",
        "]]>--><!--",
        "| a | b |",
        "```mermaid",
        "`code`",
        "${{ secrets.KEY }}",
        "[link](https://evil.example/)",
        "![picture](//evil.example/a.png)",
        "https://evil.example www.evil.example <https://evil.example>",
        "@everyone #1 !1 ~1 %1 &1 GH-1 mallory@evil.example",
        "\n# heading\n- item\n---\n1. item",
        "&lt;b&gt;&#60;&#x3c;",
        "end;}\\\\\"]\n x --> y",
        "*strong* _weak_ ~~gone~~ $x$ :tada:",
        "\u{200f}\u{2028}\u{0}\u{feff}",
    ]
}

pub(crate) fn moment(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

pub(crate) fn since() -> Timestamp {
    moment("2026-11-21T20:04:31Z")
}

pub(crate) fn now() -> Timestamp {
    moment("2026-11-22T08:00:00Z")
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

/// A change of an instance in cn-hangzhou that is seen as `power`. A single instance gets its id from its entry.
pub(crate) fn change(at: &str, power: Power, goal: Goal, verdict: Verdict) -> Change {
    let address = address(at);
    let id = match &address.instance {
        Some(id) => id.clone(),
        None => InstanceId::new(&format!("i-bp1{}0000000000001", address.entry)).expect("an id"),
    };
    Change {
        key: InstanceKey { provider: ProviderAlias::main(), id: id.clone() },
        region: Some(Region::new("cn-hangzhou").expect("a region")),
        entry: None,
        goal: Some(goal),
        seen: Seen::There(Arc::new(Sighting::plain(id, power))),
        verdict,
        why: None,
        drift: None,
        expected: None,
        warnings: Vec::new(),
        address,
    }
}

pub(crate) fn start() -> Verdict {
    Verdict::Start { once_stopped: false, init_local_disk: false }
}

pub(crate) fn stop() -> Verdict {
    Verdict::Stop { once_running: false, policy: StopPolicy::default() }
}

pub(crate) fn with_lock(mut change: Change, reason: LockReason) -> Change {
    if let Seen::There(sighting) = &mut change.seen {
        let sighting = Arc::make_mut(sighting);
        sighting.locks.push(Lock { reason, message: String::new() });
    }
    change
}

pub(crate) fn stopped_as(mut change: Change, mode: StoppedMode) -> Change {
    if let Seen::There(sighting) = &mut change.seen {
        let sighting = Arc::make_mut(sighting);
        sighting.stopped_mode = mode;
    }
    change
}

pub(crate) fn drifted(mut change: Change, was: Power, is: Power) -> Change {
    change.why = Some(Why::Drifted);
    change.drift = Some(Drift { was, is, since: since() });
    change
}

/// A plan of these changes: one group for each entry, in the order of the changes, with the needs given by name.
pub(crate) fn plan(mut changes: Vec<Change>, needs: &[(&str, &str, Strength)]) -> Plan {
    let mut groups: Vec<Group> = Vec::new();
    for (position, change) in changes.iter_mut().enumerate() {
        let Some(goal) = change.goal else { continue };
        if groups.last().is_none_or(|group| group.name != change.address.entry) {
            let name = change.address.entry.clone();
            let group = Group::plain(name, goal, Timeouts::default());
            groups.push(Group { at_once: NonZeroU32::new(2), ..group });
        }
        let index = groups.len() - 1;
        change.entry = Some(EntryIndex(u32::try_from(index).expect("few groups")));
        groups[index].changes.push(position);
    }
    let at = |name: &str| groups.iter().position(|group| group.name.as_str() == name).expect("a group");
    let edges: Vec<_> =
        needs.iter().map(|(group, need, strength)| (at(group), at(need), *strength)).collect();
    for (group, need, strength) in edges {
        let need = EntryIndex(u32::try_from(need).expect("few groups"));
        groups[group].after.push(After { group: need, strength });
        groups[group].needs.push(Need { entry: need, strength });
    }
    Plan { stack: "web-shop".parse().expect("a stack"), looked_at: now(), changes, groups }
}

/// A stack with something of everything that happens often.
pub(crate) fn web_shop() -> Plan {
    let blocked = Verdict::Blocked(Block::Locked { reason: LockReason::Security });
    let mut edge = change("edge", Power::Stopped, Goal::Running, start());
    edge.why = Some(Why::NewlyManaged);
    let mut batch = change("batch", Power::Running, Goal::Stopped, stop());
    batch.why = Some(Why::GoalChanged { from: Goal::Running });
    plan(
        vec![
            drifted(change("db", Power::Stopped, Goal::Running, start()), Power::Running, Power::Stopped),
            change("cache", Power::Running, Goal::Running, Verdict::InSync),
            Change {
                why: Some(Why::Unfinished { recorded_at: since() }),
                ..change("app[i-bp1app000000000001]", Power::Stopped, Goal::Running, start())
            },
            with_lock(
                change("app[i-bp1app000000000003]", Power::Stopped, Goal::Running, blocked),
                LockReason::Security,
            ),
            edge,
            batch,
        ],
        &[
            ("app", "db", Strength::Hard),
            ("app", "cache", Strength::Hard),
            ("edge", "app", Strength::Hard),
            ("edge", "db", Strength::Soft),
        ],
    )
}

/// One of each verdict.
pub(crate) fn every_verdict() -> Vec<Verdict> {
    let policy = StopPolicy { mode: StopMode::StopCharging, force: true };
    vec![
        Verdict::InSync,
        start(),
        Verdict::Start { once_stopped: true, init_local_disk: true },
        stop(),
        Verdict::Stop { once_running: true, policy },
        Verdict::Wait { until: Goal::Running, then: None },
        Verdict::Wait { until: Goal::Stopped, then: Some(Then::Stop { policy }) },
        Verdict::Wait { until: Goal::Running, then: Some(Then::Start { init_local_disk: false }) },
        Verdict::Wait {
            until: Goal::Running,
            then: Some(Then::Blocked(Block::HeldUp { by: address("app"), root: address("db") })),
        },
        Verdict::Blocked(Block::NotVisible),
        Verdict::Release,
        Verdict::Any,
    ]
}

/// One of each block, with `text` wherever text comes from elsewhere.
pub(crate) fn every_block(text: &str) -> Vec<Block> {
    let (db, app) = (address("db"), address("app[i-1]"));
    let mut blocks = vec![
        Block::UnknownStatus { word: text.to_owned() },
        Block::NotVisible,
        Block::NotSeen { why: text.to_owned() },
        Block::Expired { since: since() },
        Block::Overdue,
        Block::PreventStop,
        Block::AutoScaling { tag: text.to_owned() },
        Block::OwnMachine,
        Block::Refused {
            call: Call::Start,
            code: text.to_owned(),
            message: text.to_owned(),
            request_id: Some(text.to_owned()),
            remedy: Some(format!("ask whoever knows of {text}")),
        },
        Block::Refused {
            call: Call::Stop,
            code: "Forbidden.RAM".to_owned(),
            message: text.to_owned(),
            request_id: None,
            remedy: None,
        },
        Block::NeedsUnmanaged { need: db.clone(), seen: text.to_owned() },
        Block::NeedsRecycled { need: db.clone() },
        Block::StillNeeded { by: app.clone(), seen: text.to_owned() },
        Block::HeldUp { by: db.clone(), root: db.clone() },
        Block::HeldUp { by: app, root: db },
    ];
    blocks.extend(every_lock(text).into_iter().map(|reason| Block::Locked { reason }));
    blocks
}

pub(crate) fn every_lock(text: &str) -> Vec<LockReason> {
    vec![
        LockReason::Financial,
        LockReason::Security,
        LockReason::Recycling,
        LockReason::DedicatedHostFinancial,
        LockReason::Refunded,
        LockReason::Other(text.into()),
    ]
}

/// One of each reason.
pub(crate) fn every_why() -> Vec<Why> {
    vec![
        Why::NewlyManaged,
        Why::GoalChanged { from: Goal::Stopped },
        Why::Drifted,
        Why::Unfinished { recorded_at: since() },
        Why::LeftConfiguration,
        Why::NewlySelected,
        Why::NoLongerSelected,
    ]
}

/// One of each warning, with `text` wherever text comes from elsewhere.
pub(crate) fn every_warning(text: &str) -> Vec<Warning> {
    let mut warnings = vec![
        Warning::EconomicalStart,
        Warning::InitLocalDisk { local_disks: 0 },
        Warning::InitLocalDisk { local_disks: 1 },
        Warning::InitLocalDisk { local_disks: 2 },
        Warning::Spot,
        Warning::AutoScaling { tag: text.to_owned() },
        Warning::OwnMachine,
        Warning::Recycling,
        Warning::StopModeDiffers { wanted: StopMode::StopCharging, is: StoppedMode::KeepCharging },
        Warning::StopModeDiffers { wanted: StopMode::KeepCharging, is: StoppedMode::StopCharging },
        Warning::ForceStop,
    ];
    warnings.extend(every_lock(text).into_iter().map(|reason| Warning::StopUnderLock { reason }));
    warnings
}

/// One refusal of each advice, without and with everything that ECS may add, with `text` wherever text comes from
/// elsewhere.
pub(crate) fn every_refusal(text: &str) -> Vec<Refusal> {
    [
        Advice::Final,
        Advice::Capacity,
        Advice::Throttled { retry_after: None },
        Advice::Busy { sends: 5 },
        Advice::WrongStatus,
        Advice::OutcomeUnknown,
    ]
    .into_iter()
    .flat_map(|advice| {
        let bare = Refusal::new(advice, text);
        let linked = Refusal { recommend: Some(format!("https://example.com/{text}")), ..bare.clone() };
        let full = Refusal {
            code: Some(text.to_owned()),
            request_id: Some(text.to_owned()),
            http_status: Some(403),
            remedy: Some("renew it in the console".into()),
            ..linked.clone()
        };
        [Refusal::new(advice, ""), bare, linked, full]
    })
    .collect()
}

/// One of each failure, with `text` wherever text comes from elsewhere.
pub(crate) fn every_probe(text: &str) -> Vec<Probe> {
    let port = NonZeroU16::new(8080).expect("a port");
    let address = ProbeAddress::Host(text.to_owned());
    let path = text.to_owned();
    let (status, contains) = (None, Some(text.to_owned()));
    vec![
        Probe::Tcp { port, address: address.clone() },
        Probe::Http { target: HttpTarget::Url(text.to_owned()), status, contains: contains.clone() },
        Probe::Http { target: HttpTarget::Instance { port, path, address }, status, contains },
        Probe::Command { words: vec![text.to_owned(), text.to_owned()] },
        Probe::Guest { script: text.to_owned() },
    ]
}

pub(crate) fn every_failure(text: &str) -> Vec<Failure> {
    let mut failures = vec![
        Failure::Moved { planned: "Stopped".to_owned(), seen: text.to_owned() },
        Failure::NeedMoved { need: address("db"), goal: Goal::Running, seen: text.to_owned() },
        Failure::FellBack { seen: text.to_owned(), after: Duration::from_secs(42), was_called: true },
        Failure::FellBack { seen: text.to_owned(), after: Duration::from_secs(42), was_called: false },
        Failure::Blocked(Block::PreventStop),
        Failure::Vanished { after: Duration::from_secs(12) },
        Failure::TimedOut {
            last_seen: text.to_owned(),
            for_so_long: Duration::from_secs(590),
            timeout: Duration::from_secs(600),
        },
    ];
    for probe in every_probe(text) {
        let (answer, within) = (Some(text.to_owned()), Duration::from_secs(300));
        failures.push(Failure::NotReady { probe, answer, within });
    }
    for refusal in every_refusal(text) {
        failures.push(Failure::Refused(refusal.clone()));
        failures.push(Failure::GaveUp { refusal: refusal.clone(), sends: 5 });
        let (tries, patience) = (7, Duration::from_secs(900));
        failures.push(Failure::NoStock { refusal: refusal.clone(), tries, patience });
        failures.push(Failure::CannotLook(refusal));
    }
    failures
}

/// The refusal of an expired instance as ECS puts it.
pub(crate) fn expired() -> Refusal {
    Refusal {
        code: Some("InstanceExpired".to_owned()),
        request_id: Some("0C2DB2B2-1D5C-4F5F-8C3A-1B2C3D4E5F60".to_owned()),
        http_status: Some(403),
        remedy: Some("renew it: console > Expenses > Renewal Management".into()),
        ..Refusal::new(Advice::Final, "The specified instance has expired.")
    }
}

pub(crate) fn at(milliseconds: u64, kind: EventKind) -> Event {
    Event { at: Duration::from_millis(milliseconds), kind }
}

pub(crate) fn began(milliseconds: u64, change: usize, action: Action) -> Event {
    at(milliseconds, EventKind::Began { change, action })
}

pub(crate) fn completed(milliseconds: u64, change: usize, action: Action, how: How, power: Power) -> Event {
    at(
        milliseconds,
        EventKind::Completed {
            change,
            action,
            how,
            power,
            elapsed: Duration::from_millis(milliseconds),
            took: Some(Duration::from_millis(milliseconds)),
            request_id: Some("0C2DB2B2".to_owned()),
            stopped_mode: None,
        },
    )
}

pub(crate) fn failed(milliseconds: u64, change: usize, action: Action, failure: Failure) -> Event {
    let elapsed = Duration::from_millis(milliseconds);
    at(milliseconds, EventKind::Failed { change, action, failure, power: Some(Power::Stopped), elapsed })
}

/// One of each event about the instance at `change`, with `text` wherever text comes from elsewhere.
pub(crate) fn every_event(change: usize, text: &str) -> Vec<Event> {
    let action = Action::Start;
    let power = Power::Unrecognised(text.into());
    let mut events = vec![
        began(0, change, action),
        at(1, EventKind::Accepted { change, action, request_id: Some(text.to_owned()) }),
        at(2, EventKind::Moved { change, power: Some(power.clone()) }),
        at(2, EventKind::Moved { change, power: None }),
    ];
    for refusal in every_refusal(text) {
        events.push(at(3, EventKind::Retrying { change, action, refusal: refusal.clone(), sends: 2 }));
        let (again, until) = (Duration::from_secs(15), Duration::from_secs(900));
        events.push(at(4, EventKind::OutOfStock { change, refusal: refusal.clone(), again, until }));
        events.push(at(4, EventKind::LookFailed { refusal }));
    }
    for probe in every_probe(text) {
        let (probe, answer) = (Some(probe), Some(text.to_owned()));
        events.push(at(4, EventKind::Readying { change, probe, answer }));
    }
    events.push(at(4, EventKind::Readying { change, probe: None, answer: None }));
    events.push(at(5, EventKind::Throttled { action, until: Duration::from_secs(9) }));
    events.push(at(6, EventKind::Skipped { change, action, because: address("db"), root: address("cache") }));
    events.push(at(7, EventKind::NotReached { change, action, in_transition: true }));
    events.push(at(7, EventKind::Interrupted));
    for failure in every_failure(text) {
        events.push(failed(8, change, action, failure));
    }
    events.push(at(
        9,
        EventKind::Completed {
            change,
            action,
            how: How::Called,
            power,
            elapsed: Duration::from_secs(1),
            took: None,
            request_id: Some(text.to_owned()),
            stopped_mode: Some(StoppedMode::KeepCharging),
        },
    ));
    events
}

/// Fails if a text holds anything that could repaint a terminal, or a line that nobody can read.
pub(crate) fn assert_harmless(text: &str) {
    for line in text.lines() {
        assert!(
            !line
                .contains(|c: char| c.is_control()
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')),
            "{line:?}"
        );
        assert!(line.chars().count() < 2_000, "a line of {} characters", line.chars().count());
    }
}
