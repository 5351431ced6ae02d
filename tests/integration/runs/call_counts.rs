//! How many calls it takes.

use std::fmt::Write as _;

use crate::harness::Scenario;

fn fleet(size: usize, status: &str) -> (String, String) {
    let mut account = "instances:\n".to_owned();
    let mut ids = Vec::new();
    for number in 0..size {
        let _ = writeln!(account, "  - {{ id: i-{number:05}, status: {status} }}");
        ids.push(format!("i-{number:05}"));
    }
    (account, format!("instances:\n  all: {{ ids: [{}], status: Running }}\n", ids.join(", ")))
}

#[test]
fn a_plan_of_a_thousand_instances_looks_ten_times_and_does_nothing_else() {
    let (account, configuration) = fleet(1000, "Stopped");
    let scenario = Scenario::new(&account, &configuration);
    let plan = scenario.plan().prints(&["Plan: 1000 to start"]);
    assert_eq!(plan.log.looks(), [Some(100); 10]);
    assert_eq!(plan.log.lines().len(), 10);
    assert_eq!(plan.lines.planned().count(), 1000);
}

#[test]
fn an_apply_of_three_hundred_instances_starts_each_once_and_its_looks_stay_bounded() {
    let (account, configuration) = fleet(300, "Stopped");
    let scenario = Scenario::new(&account, &configuration);
    let applied = scenario.apply().exits(0).prints(&["Apply complete: 300 started", "290 more"]);
    let mut calls = applied.calls();
    calls.sort();
    calls.dedup();
    assert_eq!((calls.len(), applied.calls().len()), (300, 300));

    // Three to plan, and then at most what 120 a minute allow: 30 saved up, and three every two seconds.
    let times: Vec<_> = applied.log.requests().map(|(at, _)| at).collect();
    let took = times.last().expect("a last").duration_since(times[0]).as_secs_f64();
    let looks = applied.log.looks().len();
    assert!(looks as f64 <= 3.0 + 30.0 + 1.5 * took + 1.0, "{looks} looks in {took} s");
    scenario.is_in_sync();
}

#[test]
fn no_more_instances_are_in_transition_at_one_time_than_was_asked_for() {
    for (argument, at_once, most) in [("3", "", 3), ("9", ", at_once: 2", 2)] {
        let (account, configuration) = fleet(12, "Stopped");
        let scenario = Scenario::new(&account, &configuration.replace(" }", &format!("{at_once} }}")));
        let applied = scenario.run(&["apply", "--auto-approve", "--parallelism", argument]).exits(0);
        let calls = applied.log.calls();
        assert_eq!(calls.len(), 12);
        for call in &calls {
            let moving =
                calls.iter().filter(|other| applied.log.status(other.instance(), call.at) == "Starting");
            assert!(moving.count() <= most, "more than {most} were starting at {}", call.at);
        }
    }
}
