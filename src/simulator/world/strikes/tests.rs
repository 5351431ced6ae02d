use super::super::tests::{at, request, world};
use super::*;
use crate::simulator::log::{LogEvent, LogLine, RequestLine};

/// Which fault strikes each of a row of requests, by position, and counts them.
fn strikes(world: &mut World, requests: &[(&str, &str)]) -> Vec<Option<usize>> {
    let strike = |(action, id): &(&str, &str)| {
        let Strikes { counted: faults, call, .. } =
            world.strikes(Struck { action, ids: &[*id], item_action: None }, at(0));
        let position =
            call.map(|strike| world.account.faults.iter().position(|other| other == strike.fault).unwrap());
        let line = RequestLine { faults, ..request(action, None, Vec::new()) };
        world.apply(&LogLine { at: at(0), event: LogEvent::Request(line) });
        position
    };
    requests.iter().map(strike).collect()
}

#[test]
fn faults_count_the_requests_that_match_them_and_strike_from_the_nth_on() {
    let mut world = world(
        "instances: [{ id: i-a }, { id: i-b }]
faults:
  - { action: StartInstance, instance: i-a, nth: 2, times: 2, error: InternalError }
  - { action: StartInstance, nth: 5, error: DiskError }
  - { action: StopInstance, error: DiskError }
  - { instance: i-b, times: 1, error: InstanceNotReady }",
    );
    let (start, stop) = ("StartInstance", "StopInstance");
    let requests = [
        (start, "i-a"),
        (start, "i-a"),
        (start, "i-a"),
        (start, "i-a"),
        (start, "i-b"),
        (stop, "i-a"),
        (stop, "i-b"),
    ];
    let expected = [None, Some(0), Some(0), None, Some(1), Some(2), Some(2)];
    assert_eq!(strikes(&mut world, &requests), expected);
}

#[test]
fn a_fault_may_strike_one_request_of_so_many() {
    for (when, expected) in [
        ("every: 3", [3, 6, 9].as_slice()),
        ("every: 3, times: 2", &[3, 6]),
        ("nth: 2, every: 3", &[2, 5, 8]),
        ("nth: 4, every: 4, times: 1", &[4]),
        ("every: 1, times: 2", &[1, 2]),
    ] {
        let account = format!(
            "instances: [{{ id: i-a }}]\nfaults: [{{ action: StartInstance, {when}, error: InternalError }}]"
        );
        let struck = strikes(&mut world(&account), &[("StartInstance", "i-a"); 10]);
        let numbers: Vec<usize> = (1..).zip(struck).filter_map(|(number, it)| it.map(|_| number)).collect();
        assert_eq!(numbers, expected, "{when}");
    }
}

/// Whether a start is struck at some moments, in milliseconds, and how long that goes on.
fn struck_at(world: &mut World, moments: &[u64]) -> Vec<Option<u64>> {
    let strike = |moment: &u64| {
        let struck = Struck { action: "StartInstance", ids: &["i-a"], item_action: None };
        let Strikes { counted, call, .. } = world.strikes(struck, at(*moment));
        let left = call.map(|strike| strike.left.map_or(0, |left| left.as_millis().try_into().unwrap()));
        let line = RequestLine { faults: counted, ..request("StartInstance", None, Vec::new()) };
        world.apply(&LogLine { at: at(*moment), event: LogEvent::Request(line) });
        left
    };
    moments.iter().map(strike).collect()
}

#[test]
fn a_fault_may_last_for_some_time_from_a_moment_or_from_a_request_on() {
    for (when, expected) in [
        ("at: 10s, throttle: 5s", [None, Some(5_000), Some(1), None, None]),
        ("nth: 2, throttle: 5s", [None, Some(5_000), Some(1), None, None]),
        ("at: 9s, for: 6s, error: InternalError", [None, Some(5_000), Some(1), None, None]),
        ("nth: 3, for: 1h, drop: before", [None, None, Some(3_600_000), Some(3_599_999), Some(3_594_999)]),
        ("throttle: 1s", [Some(1_000), None, None, None, None]),
    ] {
        let mut world =
            world(&format!("instances: [{{ id: i-a }}]\nfaults: [{{ action: StartInstance, {when} }}]"));
        let moments = [8_000, 10_000, 14_999, 15_000, 20_000];
        assert_eq!(struck_at(&mut world, &moments), expected, "{when}");
    }
}

#[test]
fn in_a_batch_a_fault_that_names_an_instance_strikes_that_one() {
    let world = world(
        "instances: [{ id: i-a }, { id: i-b }, { id: i-c }, { id: i-d }]
faults:
  - { action: StartInstance, instance: i-a, error: DiskError }
  - { action: StartInstances, instance: i-b, stuck: true }
  - { instance: i-c, delay: 3s }
  - { action: StartInstance, error: Odd }
  - { action: StartInstance, instance: i-d, drop: after, fails_to_boot: true, delay: 2s }
  - { action: StopInstance, instance: i-a, error: Odd }
  - { action: StartInstances, delay: 1s }",
    );
    let ids = ["i-a", "i-b", "i-c", "i-d"];
    let struck = Struck { action: "StartInstances", ids: &ids, item_action: Some("StartInstance") };
    let strikes = world.strikes(struck, at(0));
    assert_eq!(strikes.counted, [0, 1, 2, 4, 6]);
    assert_eq!(strikes.effect(), Some(&Effect::DropAfter), "an answer cannot be lost for one item alone");
    assert_eq!(strikes.items.keys().copied().collect::<Vec<_>>(), ["i-a", "i-b", "i-c"]);
    assert_eq!(strikes.items["i-a"].refusal().unwrap().code, "DiskError");
    let twists = ids.map(|id| strikes.twist(id));
    assert_eq!(twists, [None, Some(Twist::Stuck), None, Some(Twist::FailsToBoot)]);
    assert_eq!(strikes.delay(), Duration::from_secs(3));
}
