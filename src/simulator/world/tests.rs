use std::path::Path;

use super::*;
use crate::simulator::account::{Account, Twist};
use crate::simulator::log::{ACCEPTED, RequestLine};
use crate::simulator::refusal::Refusal;

/// The moment at which the worlds here begin.
pub(super) fn begun() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// Milliseconds after the beginning.
pub(super) fn at(milliseconds: u64) -> Timestamp {
    later(begun(), std::time::Duration::from_millis(milliseconds))
}

pub(super) fn world(rest: &str) -> World {
    let text = format!("account: '1'\nkeys: [{{ id: k, secret: s }}]\nregion: cn-hangzhou\n{rest}");
    let account = Account::parse(text.as_bytes(), Path::new("account.yaml")).unwrap();
    World::new(Arc::new(account), begun())
}

/// A call without a twist, drawn in the middle of the jitter, and its line applied where it is accepted.
pub(super) fn call(world: &mut World, id: &str, call: PowerCall, now: Timestamp) -> Result<(), Refusal> {
    twisted(world, id, call, None, now)
}

fn twisted(
    world: &mut World,
    id: &str,
    call: PowerCall,
    twist: Option<Twist>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let phases = world.power(id, call, false, twist, 0.5, now)?;
    world.apply(&LogLine { at: now, event: LogEvent::Request(request("StartInstance", Some(id), phases)) });
    Ok(())
}

pub(super) fn request(action: &str, instance: Option<&str>, phases: Vec<Phase>) -> RequestLine {
    RequestLine {
        action: action.to_owned(),
        instance: instance.map(str::to_owned),
        ids: None,
        region: "cn-hangzhou".to_owned(),
        parameters: BTreeMap::new(),
        answer: ACCEPTED.to_owned(),
        request_id: String::new(),
        answered: true,
        faults: Vec::new(),
        phases,
        items: Vec::new(),
        invocation: None,
    }
}

fn shown(world: &World, id: &str, now: Timestamp) -> String {
    world.look(id, now).map_or("-".to_owned(), |shown| shown.status.to_string())
}

const START: PowerCall = PowerCall::Start;
const STOP: PowerCall = PowerCall::Stop(StoppedMode::KeepCharging);

/// The table of transitions: two of the ten cells are accepted.
#[test]
fn a_start_needs_stopped_and_a_stop_needs_running() {
    for status in ["Pending", "Starting", "Running", "Stopping", "Stopped", "Melting"] {
        for (what, needs) in [(START, "Stopped"), (STOP, "Running")] {
            let mut world =
                world(&format!("instances: [{{ id: i-a, status: {status}, start: 1h, stop: 1h }}]"));
            let expected = if status == needs { Ok(()) } else { Err(Refusal::of("IncorrectInstanceStatus")) };
            assert_eq!(call(&mut world, "i-a", what, at(10)), expected, "{what:?} on {status}");
        }
    }
}

#[test]
fn an_accepted_start_is_starting_at_once_and_running_after_its_time() {
    let mut world = world("instances: [{ id: i-a, start: 4s, stop: 1s }]");
    call(&mut world, "i-a", START, at(1000)).unwrap();
    for (moment, status) in [(1000, "Starting"), (4999, "Starting"), (5000, "Running"), (99_000, "Running")] {
        assert_eq!(shown(&world, "i-a", at(moment)), status, "{moment}");
    }
    let look = world.look("i-a", at(9000)).unwrap();
    assert_eq!((look.started, look.stopped_mode), (Some(at(1000)), None));
    call(&mut world, "i-a", STOP, at(10_000)).unwrap();
    assert_eq!(shown(&world, "i-a", at(10_999)), "Stopping");
    assert_eq!(shown(&world, "i-a", at(11_000)), "Stopped");
    assert_eq!(world.look("i-a", at(11_000)).unwrap().stopped_mode, Some(StoppedMode::KeepCharging));
}

#[test]
fn what_begins_in_transition_settles() {
    let world = world(
        "instances: [{ id: i-a, status: Starting, start: 2s }, { id: i-b, status: Stopping, stop: 2s },
                     { id: i-c, status: Pending, start: 2s }]",
    );
    for (id, first, last) in
        [("i-a", "Starting", "Running"), ("i-b", "Stopping", "Stopped"), ("i-c", "Pending", "Stopped")]
    {
        assert_eq!(shown(&world, id, at(1999)), first);
        assert_eq!(shown(&world, id, at(2000)), last);
    }
}

#[test]
fn jitter_makes_a_start_shorter_or_longer_by_its_share() {
    for (draw, milliseconds) in [(0.0, 8000), (0.5, 10_000), (0.75, 11_000)] {
        let world = world("pace: { start: 10s, jitter: 20% }\ninstances: [{ id: i-a }]");
        let phases = world.power("i-a", START, false, None, draw, at(0)).unwrap();
        assert_eq!(phases.last().unwrap().from, at(milliseconds), "{draw}");
    }
}

#[test]
fn reads_lag_behind_and_calls_do_not() {
    let mut world = world("lag: 3s\ninstances: [{ id: i-a, start: 2s }]");
    call(&mut world, "i-a", START, at(10_000)).unwrap();
    for (moment, status) in [
        (10_000, "Stopped"),
        (12_999, "Stopped"),
        (13_000, "Starting"),
        (14_999, "Starting"),
        (15_000, "Running"),
    ] {
        assert_eq!(shown(&world, "i-a", at(moment)), status, "{moment}");
    }
    assert!(call(&mut world, "i-a", STOP, at(12_000)).is_ok(), "it truly runs, though reads show it stopped");
}

#[test]
fn twists_let_an_accepted_call_go_wrong() {
    for (twist, later_on, much_later) in [
        (Twist::Stuck, "Starting", "Starting"),
        (Twist::FailsToBoot, "Starting", "Stopped"),
        (Twist::Vanish, "-", "-"),
    ] {
        let mut world = world("instances: [{ id: i-a, start: 10s }]");
        twisted(&mut world, "i-a", START, Some(twist), at(0)).unwrap();
        assert_eq!(shown(&world, "i-a", at(4999)), "Starting", "{twist:?}");
        assert_eq!(shown(&world, "i-a", at(9999)), later_on, "{twist:?}");
        assert_eq!(shown(&world, "i-a", at(1_000_000)), much_later, "{twist:?}");
    }
}

#[test]
fn a_released_instance_is_not_found() {
    let mut world = world("instances: [{ id: i-a, status: Released }, { id: i-b }]");
    let not_found = Err(Refusal::of("InvalidInstanceId.NotFound"));
    assert_eq!(call(&mut world, "i-a", START, at(0)), not_found);
    assert_eq!(call(&mut world, "i-z", START, at(0)), not_found);
    assert_eq!(world.shown_from(0, at(0)).count(), 1);
    assert_eq!(world.change("i-a", &Change::Set(Status::Running), at(0)), None);
}

#[test]
fn locks_and_expiry_refuse_with_their_own_codes_before_the_status_is_looked_at() {
    const LOCKED: &str = "InstanceLockedForSecurity";
    const EXPIRED: &str = "InstanceExpired";
    const ARREARS: &str = "InstanceExpiredOrInArrears";
    for (attributes, start, stop) in [
        ("locks: [security]", LOCKED, LOCKED),
        ("locks: [Security]", LOCKED, LOCKED),
        ("locks: [Recycling]", LOCKED, "IncorrectInstanceStatus"),
        ("locks: [refunded]", LOCKED, "IncorrectInstanceStatus"),
        ("locks: [dedicatedhostfinancial]", LOCKED, "IncorrectInstanceStatus"),
        ("locks: [financial]", EXPIRED, ARREARS),
        ("locks: [financial, security]", LOCKED, LOCKED),
        ("charge: PrePaid, expires: 2026-01-01T00:00Z", EXPIRED, ARREARS),
        ("charge: PrePaid, expires: 2027-01-01T00:00Z", "-", "IncorrectInstanceStatus"),
    ] {
        let world = world(&format!("instances: [{{ id: i-a, {attributes} }}]"));
        let code = |what| {
            let decided = world.power("i-a", what, false, None, 0.5, at(0));
            decided.map_or_else(|refusal| refusal.code, |_| "-".to_owned())
        };
        assert_eq!((code(START).as_str(), code(STOP).as_str()), (start, stop), "{attributes}");
    }
}

#[test]
fn an_expired_subscription_and_an_account_in_arrears_are_told_apart_by_the_message() {
    let world = world(
        "instances:
  - { id: i-a, charge: PrePaid, expires: 2026-01-01T00:00Z }
  - { id: i-b, charge: PostPaid, locks: [financial] }",
    );
    let message = |id| world.power(id, START, false, None, 0.5, at(0)).unwrap_err().message;
    assert_eq!(message("i-a"), "The prePaid instance has been expired.");
    assert_eq!(
        message("i-b"),
        "The postPaid instance has been expired. Please ensure your account have enough balance."
    );
}

#[test]
fn a_subscription_that_ends_stops_its_instance() {
    let mut world = world(
        "instances:
  - { id: i-a, status: Running, charge: PrePaid, expires: 2026-11-22T10:00:10Z }
  - { id: i-b, status: Stopped, charge: PrePaid, expires: 2026-11-22T10:00:10Z }",
    );
    pass(&mut world, at(9_999));
    assert_eq!(shown(&world, "i-a", at(9_999)), "Running");
    let lines = pass(&mut world, at(12_000));
    assert_eq!(shown(&world, "i-a", at(12_000)), "Stopped");
    let set = lines.iter().filter(|line| matches!(line.event, LogEvent::Set { .. })).count();
    assert_eq!(set, 1, "the stopped one is left alone");
}

#[test]
fn economical_mode_is_silently_not_had_where_it_does_not_apply() {
    for (attributes, expected) in [
        ("charge: PostPaid", StoppedMode::StopCharging),
        ("spot: true", StoppedMode::StopCharging),
        ("charge: PrePaid", StoppedMode::KeepCharging),
        ("local_disks: 1", StoppedMode::KeepCharging),
    ] {
        let mut world = world(&format!("instances: [{{ id: i-a, status: Running, {attributes} }}]"));
        call(&mut world, "i-a", PowerCall::Stop(StoppedMode::StopCharging), at(0)).unwrap();
        let mode = world.look("i-a", at(60_000)).unwrap().stopped_mode;
        assert_eq!(mode, Some(expected), "{attributes}");
    }
}

#[test]
fn a_dry_run_passes_every_check_and_changes_nothing() {
    let world = world("instances: [{ id: i-a }, { id: i-b, status: Running }]");
    let code = |id| world.power(id, START, true, None, 0.5, at(0)).unwrap_err().code;
    assert_eq!(code("i-a"), "DryRunOperation");
    assert_eq!(code("i-b"), "IncorrectInstanceStatus");
    assert_eq!(code("i-z"), "InvalidInstanceId.NotFound");
}

/// Lets everything happen that is due.
fn pass(world: &mut World, now: Timestamp) -> Vec<LogLine> {
    let mut all = Vec::new();
    loop {
        let due = world.due(now);
        if due.is_empty() {
            return all;
        }
        due.iter().for_each(|line| world.apply(line));
        all.extend(due);
    }
}

#[test]
fn scheduled_changes_happen_once_at_their_time_in_the_order_of_time() {
    let mut world = world(
        "instances: [{ id: i-a, start: 2s }, { id: i-b }]
faults:
  - { at: 20s, set: { i-a: Starting }, unlock: i-b }
  - { at: 10s, set: { i-a: Stopping }, lock: { i-b: security } }
  - { at: 30s, set: { i-b: Released } }",
    );
    assert!(pass(&mut world, at(9_999)).is_empty());
    pass(&mut world, at(10_000));
    assert_eq!(shown(&world, "i-a", at(10_000)), "Stopping");
    assert_eq!(world.look("i-b", at(10_000)).unwrap().locks, ["security".to_owned()]);
    // Noticed late, it still happened then.
    pass(&mut world, at(60_000));
    assert_eq!(shown(&world, "i-a", at(21_999)), "Starting");
    assert_eq!(shown(&world, "i-a", at(22_000)), "Running");
    assert_eq!(shown(&world, "i-b", at(60_000)), "-");
    assert!(pass(&mut world, at(90_000)).is_empty());
}

#[test]
fn time_never_runs_backwards() {
    let mut world = world("instances: [{ id: i-a, start: 2s }]");
    call(&mut world, "i-a", START, at(10_000)).unwrap();
    assert_eq!(world.moment(at(5_000)), at(10_000));
    assert_eq!(world.moment(at(20_000)), at(20_000));
}

#[test]
fn a_snapshot_holds_everything() {
    let rest = "lag: 1s
limits: { StartInstance: 3/min }
instances: [{ id: i-a, start: 2s }, { id: i-b }, { id: i-c }]
faults:
  - { action: StartInstance, throttle: 5s }
  - { at: 1s, lock: { i-b: security } }";
    let mut before = world(rest);
    pass(&mut before, at(2_000));
    let line = RequestLine {
        faults: vec![0],
        ..request(
            "StartInstance",
            Some("i-a"),
            before.power("i-a", START, false, None, 0.1, at(3_000)).unwrap(),
        )
    };
    before.apply(&LogLine { at: at(3_000), event: LogEvent::Request(line) });
    let snapshot = before.snapshot();
    assert!(!snapshot.instances.contains_key("i-c"), "what nothing happened to is not kept");

    let mut after = world(rest);
    after.apply(&LogLine { at: at(3_000), event: LogEvent::Snapshot(snapshot.clone()) });
    assert_eq!(after.snapshot(), snapshot);
    assert_eq!(snapshot.since.get(&0), Some(&at(3_000)));
    assert!(after.due(at(9_000)).is_empty());
    for moment in [3_000, 3_500, 4_000, 5_999, 6_000, 9_000] {
        for id in ["i-a", "i-b", "i-c"] {
            let see = |world: &World| {
                let shown = world.look(id, at(moment)).unwrap();
                (shown.status.clone(), shown.stopped_mode, shown.locks.to_vec(), shown.started)
            };
            assert_eq!(see(&after), see(&before), "{id} at {moment}");
        }
    }
}
