//! ECS takes no more calls for a while: everything that waits gets through, and little is refused meanwhile.

use super::{account, all_running, ids, served_with, started_once_each_and_never_blindly};
use crate::harness::side_by_side;

const MANY: usize = 200;

/// The window in seconds: as many probes fit into it, at one a second.
const WINDOW: usize = 5;

#[test]
fn two_hundred_starts_outlive_five_seconds_of_throttling() {
    // Keys of the provider, the action that is refused, and how many requests of it may be out when it begins.
    let rows = [
        ("batch_above: 0", "StartInstance", 16),
        ("batch_above: 0, max_in_flight: 4", "StartInstance", 4),
        ("batch_above: 10", "StartInstances", 2),
    ];
    side_by_side(&rows, |(keys, action, out)| {
        let faults = format!("faults: [{{ action: {action}, throttle: {WINDOW}s }}]\n");
        let scenario = served_with(keys, &account(MANY, &faults), &all_running(MANY));
        let applied = scenario.converge();
        assert_eq!(applied.lines.summary()["counts"]["started"], MANY, "{keys}");
        for id in ids(MANY) {
            assert_eq!(applied.log.accepted("StartInstance", &id), 1, "{keys}: {id}");
        }
        let requests = applied.log.requests_of(action);
        let refused = requests.iter().filter(|(_, request)| request.answer == "Throttling.User").count();
        assert!((2..=out + WINDOW).contains(&refused), "{keys}: {refused} were refused");
    });
}

#[test]
fn what_the_server_asks_for_is_obeyed() {
    let faults = "faults: [{ action: StartInstance, error: Throttling.User, for: 3s, retry_after: true }]\n";
    let scenario = served_with("batch_above: 0, max_in_flight: 2", &account(4, faults), &all_running(4));
    let applied = scenario.converge();
    started_after_throttling(&applied.log.requests_of("StartInstance"));
    assert_eq!(applied.lines.summary()["counts"]["started"], 4);
}

/// The header said when: whoever obeys is refused no more than once for each call that was out.
fn started_after_throttling(requests: &[(jiff::Timestamp, &powerform::simulator::RequestLine)]) {
    let refused = requests.iter().filter(|(_, request)| request.answer == "Throttling.User").count();
    assert!((1..=3).contains(&refused), "{refused} were refused: {requests:#?}");
}

#[test]
fn looks_that_are_throttled_wait_their_turn() {
    let faults = "faults: [{ action: DescribeInstances, throttle: 2s }]\n";
    let scenario = served_with("", &account(3, faults), &all_running(3));
    let applied = scenario.converge();
    started_once_each_and_never_blindly(&applied.log, &ids(3));
    let looks = applied.log.requests_of("DescribeInstances");
    let refused = looks.iter().filter(|(_, request)| request.answer == "Throttling.User").count();
    assert!((1..=4).contains(&refused), "{refused} were refused");
}
