//! Answers that get lost, torn or replaced: whatever became of the call, no machine gets a second accepted one.

use crate::harness::{Scenario, World, side_by_side};

/// What happens to an answer, and whether the call was carried out all the same.
const FAULTS: [(&str, bool); 6] = [
    ("drop: before", false),
    ("drop: after", true),
    ("garbage: \"<html>not what you asked for</html>\"", true),
    ("garbage: \"\"", true),
    ("truncate: true", true),
    ("http: 502", false),
];

#[test]
fn a_call_whose_answer_is_lost_is_looked_for_and_sent_again_only_if_it_did_nothing() {
    let mut rows = Vec::new();
    for world in World::BOTH {
        for fault in FAULTS {
            for (action, goal, from) in
                [("StartInstance", "Running", "Stopped"), ("StopInstance", "Stopped", "Running")]
            {
                rows.push((world, fault, action, goal, from));
            }
        }
    }
    side_by_side(&rows, |(world, (fault, was_done), action, goal, from)| {
        let account = format!(
            "instances: [{{ id: i-a, status: {from} }}, {{ id: i-b, status: {from} }}]\n\
             faults: [{{ action: {action}, instance: i-a, nth: 1, {fault} }}]\n"
        );
        // Whichever way it goes, a comes first.
        let (a, b) = if *goal == "Running" { ("", ", depends_on: [a]") } else { (", depends_on: [b]", "") };
        let configuration = format!(
            "instances:\n  a: {{ id: i-a, status: {goal}{a} }}\n  b: {{ id: i-b, status: {goal}{b} }}\n"
        );
        let scenario = Scenario::in_world(*world, &account, &configuration);
        let applied = scenario.converge();
        let calls = applied.log.calls();
        let sent = calls.iter().filter(|call| call.is(action, "i-a")).count();
        assert_eq!(sent, if *was_done { 1 } else { 2 }, "{action} with {fault}");
        assert_eq!(applied.log.accepted(action, "i-a"), 1, "{action} with {fault}");
        let counted = if *goal == "Running" { "started" } else { "stopped" };
        assert_eq!(applied.lines.summary_of(counted), ["a", "b"], "{action} with {fault}");
    });
}

#[test]
fn a_look_whose_answer_is_lost_is_repeated() {
    side_by_side(&FAULTS, |(fault, _)| {
        for nth in [1, 2] {
            let account = format!(
                "instances: [{{ id: i-a }}]\nfaults: [{{ action: DescribeInstances, nth: {nth}, {fault} }}]\n"
            );
            let scenario = Scenario::new(&account, "instances:\n  a: { id: i-a, status: Running }\n");
            assert_eq!(scenario.converge().calls(), ["Start i-a"], "look {nth} with {fault}");
        }
    });
}
