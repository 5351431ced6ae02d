//! The answer to a batch gets lost: whatever became of it, no machine gets a second accepted start.

use super::{account, all_running, ids, served_with, started_once_each_and_never_blindly};
use crate::harness::side_by_side;

const MANY: usize = 13;

#[test]
fn a_batch_whose_answer_is_lost_is_looked_for_machine_by_machine() {
    // What happens to the answer, and whether the batch was carried out all the same.
    let rows = [
        ("drop: before", false),
        ("drop: after", true),
        ("garbage: \"<html>not what you asked for</html>\"", true),
        ("garbage: \"{}\"", true),
        ("truncate: true", true),
        ("http: 503", false),
    ];
    side_by_side(&rows, |(fault, was_done)| {
        let faults = format!("faults: [{{ action: StartInstances, nth: 1, {fault} }}]\n");
        let scenario = served_with("batch_above: 10", &account(MANY, &faults), &all_running(MANY));
        let applied = scenario.converge();
        started_once_each_and_never_blindly(&applied.log, &ids(MANY));
        assert_eq!(applied.lines.summary()["counts"]["started"], MANY, "{fault}");
        let sends = applied.log.calls().len();
        assert_eq!(sends, if *was_done { MANY } else { 2 * MANY }, "{fault}");
        assert_eq!(applied.log.requests_of("StartInstances")[0].1.ids, Some(MANY), "{fault}");
    });
}

#[test]
fn of_a_lost_batch_that_was_done_in_part_only_the_rest_is_sent_again() {
    let faults = "faults:
  - { action: StartInstances, nth: 1, drop: after }
  - { action: StartInstance, instance: i-003, nth: 1, error: InternalError }
  - { action: StartInstance, instance: i-007, nth: 1, error: Throttling.User }
";
    let scenario = served_with("batch_above: 10", &account(MANY, faults), &all_running(MANY));
    let applied = scenario.converge();
    started_once_each_and_never_blindly(&applied.log, &ids(MANY));
    let mut again: Vec<_> =
        applied.log.calls().iter().skip(MANY).map(|call| call.instance().to_owned()).collect();
    again.sort();
    assert_eq!(again, ["i-003", "i-007"]);
}
