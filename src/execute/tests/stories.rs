//! What becomes of single instances, told as short stories.

use crate::cloud::{Advice, Refusal};
use crate::execute::event::{EventKind, Failure};
use crate::execute::{CallBounds, Limits, Outcome, Report};
use crate::fleet::{AtOnce, Goal, InstanceId, Power, Strength};
use crate::plan::Plan;

use super::sketch::Sketch;
use super::twin::{Blind, Fate, Machine, Play, Played, Twin, fleet, id, ms, plan_for, play, secs, story};

fn busy(code: &str, sends: u32, http: u16) -> Fate {
    let mut refusal = Refusal::new(Advice::Busy { sends }, code);
    refusal.http_status = Some(http);
    Fate::Refuse(refusal)
}

fn refused(advice: Advice) -> Fate {
    Fate::Refuse(Refusal::new(advice, "no"))
}

/// One stopped machine that shall run, with the given fates for its calls.
fn one(fates: Vec<Fate>) -> (Plan, Played) {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(8));
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = fates;
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    (plan, played)
}

fn failure(report: &Report, change: usize) -> &Failure {
    match &report.outcomes[&change] {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_start_is_called_once_and_awaited() {
    let (plan, played) = one(vec![]);
    assert_eq!(
        story(&plan, &played.events, "db"),
        ["began start", "accepted", "seen Starting", "done Called"]
    );
    assert_eq!(played.twin.log.len(), 1);
    assert!(played.ended_at < secs(8) + ms(800), "{:?}", played.ended_at);
}

#[test]
fn a_lost_answer_is_settled_by_looking_and_not_by_a_second_call() {
    let (plan, played) = one(vec![Fate::LoseAnswer]);
    assert_eq!(
        story(&plan, &played.events, "db"),
        ["began start", "in doubt after 1", "seen Starting", "done Called"]
    );
    assert_eq!(played.twin.log.len(), 1);
}

#[test]
fn a_lost_request_is_sent_again_after_five_seconds_of_looking_and_at_most_three_times() {
    let (plan, played) = one(vec![Fate::LoseRequest]);
    assert_eq!(
        story(&plan, &played.events, "db"),
        ["began start", "in doubt after 1", "accepted", "seen Starting", "done Called"]
    );
    assert!(played.twin.log[1].at - played.twin.log[0].at >= secs(5));
    assert!(played.twin.looks.len() >= 3, "looked after 1, 2 and 5 s");

    let (_, played) = one(vec![Fate::LoseRequest; 9]);
    assert_eq!(played.twin.log.len(), 3);
    assert!(matches!(failure(&played.report, 0), Failure::GaveUp { sends: 3, .. }));
}

#[test]
fn a_lost_answer_under_lag_never_leads_to_a_second_accepted_start() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(40));
    twin.lag = secs(20);
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = vec![Fate::LoseAnswer];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert_eq!(played.report.outcomes[&0], Outcome::Started);
    assert_eq!(played.twin.machines[&id("i-db0")].accepted_starts, 1);
}

#[test]
fn a_busy_instance_is_called_again_after_two_five_and_ten_seconds_and_at_most_five_times() {
    let (_, played) = one(vec![busy("InstanceNotReady", 5, 403); 9]);
    let at: Vec<u64> =
        played.twin.log.iter().map(|call| (call.at - played.twin.log[0].at).as_secs()).collect();
    assert_eq!(at, [0, 2, 7, 17, 27]);
    assert!(matches!(failure(&played.report, 0), Failure::GaveUp { sends: 5, .. }));

    let (plan, played) = one(vec![busy("InternalError", 5, 500); 2]);
    assert_eq!(
        story(&plan, &played.events, "db"),
        ["began start", "in doubt after 1", "in doubt after 2", "accepted", "seen Starting", "done Called"]
    );

    let (_, played) = one(vec![busy("DiskError", 2, 403); 9]);
    assert_eq!(played.twin.log.len(), 2);
}

#[test]
fn a_final_refusal_is_final() {
    for advice in [Advice::Final, Advice::Capacity] {
        let (_, played) = one(vec![refused(advice)]);
        assert_eq!(played.twin.log.len(), 1);
        assert!(matches!(failure(&played.report, 0), Failure::Refused(_)));
    }
}

#[test]
fn throttled_calls_wait_together_while_one_probe_a_second_goes_out() {
    let desired = Sketch::new().entry("app", Goal::Running, 200, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.throttled = vec![(secs(0), secs(5))];
    let plan = plan_for(&desired, &twin);
    let limits = Limits::of_main(CallBounds { batch_above: 0, ..CallBounds::default() });
    let played = play(&plan, twin, &Play { limits, ..Play::default() });
    assert!(played.report.meets_every_goal(&plan));
    let refused = played.twin.refused.len();
    assert!(refused <= 16 + 5, "{refused} calls were refused");
    assert!(played.twin.log.iter().all(|call| call.accepted), "none of those refused counts as sent");
    assert!(played.ended_at < secs(14), "{:?}", played.ended_at);
    let throttled = played.events.iter().filter(|event| matches!(event.kind, EventKind::Throttled { .. }));
    assert_eq!(throttled.count(), 1, "said once until a call passes");
    assert!(refused > 16, "it was closed several times");
}

#[test]
fn many_that_are_due_at_one_moment_travel_together() {
    let desired = Sketch::new()
        .entry("app", Goal::Running, 250, &[])
        .entry("batch", Goal::Running, 11, &[])
        .with(|entry| entry.init_local_disk = true)
        .entry("db", Goal::Running, 3, &[("app", Strength::Hard)])
        .desired();
    let twin = fleet(&desired, &Power::Stopped, secs(5));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin.clone(), &Play::default());
    assert!(played.report.meets_every_goal(&plan));
    let mut requests = played.twin.requests.clone();
    requests.sort_unstable();
    let mut expected = vec![1; 11];
    // Three are no more than batch_above, so they go one by one; so does what no batch can carry.
    expected.extend([1, 1, 1, 50, 100, 100]);
    assert_eq!(requests, expected);

    let limits = Limits::of_main(CallBounds { batch_above: 0, ..CallBounds::default() });
    let played = play(&plan, twin, &Play { limits, ..Play::default() });
    assert!(played.twin.requests.iter().all(|calls| *calls == 1), "0 means never");
}

#[test]
fn a_batch_is_judged_instance_by_instance() {
    let desired = Sketch::new().entry("app", Goal::Running, 12, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    for (name, fate) in [
        ("i-app3", refused(Advice::Final)),
        ("i-app5", busy("InstanceNotReady", 5, 403)),
        ("i-app7", Fate::LoseAnswer),
    ] {
        twin.machines.get_mut(&id(name)).expect("there").fates = vec![fate];
    }
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert_eq!(played.twin.requests, [12, 1], "one batch, and the busy one again by itself");
    let failed: Vec<&usize> =
        played.report.outcomes.iter().filter(|(_, o)| **o != Outcome::Started).map(|(at, _)| at).collect();
    // In the order of the addresses app10 and app11 come before app2.
    assert_eq!(failed, [&5]);
    assert!(played.twin.machines.values().all(|machine| machine.accepted_starts <= 1));
}

#[test]
fn those_that_a_batch_failed_for_are_called_singly() {
    let desired = Sketch::new().entry("app", Goal::Running, 40, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    for machine in twin.machines.values_mut().take(15) {
        machine.fates = vec![busy("InstanceNotReady", 5, 403)];
    }
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(played.report.meets_every_goal(&plan));
    assert_eq!(
        played.twin.requests,
        [vec![40], vec![1; 15]].concat(),
        "more than batch_above, and yet singly"
    );
}

#[test]
fn a_boot_that_falls_back_is_reported_well_before_the_timeout() {
    let (plan, played) = one(vec![Fate::FallBack]);
    assert_eq!(
        story(&plan, &played.events, "db"),
        ["began start", "accepted", "seen Starting", "seen Stopped", "failed FellBack"]
    );
    assert!(played.ended_at >= secs(33) && played.ended_at < secs(40), "{:?}", played.ended_at);
    assert_eq!(played.twin.machines[&id("i-db0")].accepted_starts, 1);
}

#[test]
fn an_instance_that_vanishes_ends_its_wait() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let twin = fleet(&desired, &Power::Stopped, secs(60));
    let plan = plan_for(&desired, &twin);
    let clicks = vec![(secs(10), id("i-db0"), None)];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert!(matches!(failure(&played.report, 0), Failure::Vanished { .. }));
    assert!(played.ended_at < secs(40));
}

#[test]
fn one_that_falls_back_and_then_is_missing_in_one_answer_has_not_vanished() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(32));
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = vec![Fate::FallBack];
    let plan = plan_for(&desired, &twin);
    // Its fall is seen at about 34 s, the look that would confirm it finds nothing, and the next one finds it again.
    let clicks = vec![(secs(35), id("i-db0"), None), (secs(38), id("i-db0"), Some(Power::Stopped))];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert!(
        matches!(failure(&played.report, 0), Failure::FellBack { seen, .. } if seen == "Stopped"),
        "{:?}",
        played.report
    );
    assert!(played.ended_at < secs(50), "{:?}", played.ended_at);
}

#[test]
fn a_timeout_is_declared_on_a_look_after_the_deadline_and_says_what_was_seen() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .with(|entry| entry.timeouts.start = secs(60))
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(8));
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = vec![Fate::Hang];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    let Failure::TimedOut { last_seen, for_so_long, timeout } = failure(&played.report, 0) else {
        panic!("{:?}", played.report)
    };
    assert_eq!((last_seen.as_str(), *timeout), ("Starting", secs(60)));
    assert!(*for_so_long >= secs(59), "{for_so_long:?}");
    assert!(played.ended_at >= secs(60) && played.ended_at < secs(61), "{:?}", played.ended_at);
}

#[test]
fn a_boot_that_ends_just_before_the_deadline_is_no_timeout_even_if_looks_fail_around_it() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .with(|entry| entry.timeouts.start = secs(60))
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(59));
    twin.blind = vec![Blind::between(secs(50), secs(80))];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert_eq!(played.report.outcomes[&0], Outcome::Started);
}

#[test]
fn looks_that_never_work_end_the_wait_after_the_deadline() {
    let desired = Sketch::new()
        .entry("app", Goal::Running, 1, &[])
        .with(|entry| entry.timeouts.start = secs(60))
        .entry("web", Goal::Running, 1, &[("app", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(20));
    twin.blind = vec![Blind::between(secs(1), secs(100_000))];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(matches!(failure(&played.report, 0), Failure::CannotLook(_)));
    assert!(matches!(played.report.outcomes[&1], Outcome::Skipped { .. }));
    assert!(played.ended_at < secs(150), "{:?}", played.ended_at);
}

#[test]
fn what_moved_before_its_turn_is_not_touched() {
    // app waits for db, which takes 20 s; meanwhile someone starts or stops things.
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    for (power, ends) in [
        (Some(Power::Running), "done AlreadyThere"),
        (Some(Power::Starting), "failed Moved"),
        (Some(Power::Unrecognised("Odd".into())), "failed Moved"),
        (None, "failed Moved"),
    ] {
        let twin = fleet(&desired, &Power::Stopped, secs(20));
        let plan = plan_for(&desired, &twin);
        let clicks = vec![(secs(10), id("i-web0"), power)];
        let played = play(&plan, twin, &Play { clicks, ..Play::default() });
        assert_eq!(story(&plan, &played.events, "web").last().map(String::as_str), Some(ends));
        assert_eq!(played.twin.log.len(), 1, "only db was called");
    }
}

#[test]
fn a_need_that_moved_keeps_its_dependent_from_being_called() {
    let desired = Sketch::new()
        .entry("cache", Goal::Running, 1, &[])
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("cache", Strength::Hard), ("db", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(60));
    twin.machines.insert(id("i-cache0"), Machine::new(Power::Running, secs(5)));
    let plan = plan_for(&desired, &twin);
    let clicks = vec![(secs(10), id("i-cache0"), Some(Power::Stopped))];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert_eq!(story(&plan, &played.events, "web"), ["began start", "failed NeedMoved"]);
    assert_eq!(played.twin.log.len(), 1);
}

#[test]
fn a_need_that_moved_just_after_it_was_up_is_named_when_the_time_for_the_call_is_over() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 2, &[("db", Strength::Hard)])
        .with(|entry| {
            entry.at_once = std::num::NonZeroU32::new(1).map(AtOnce::Count);
            entry.timeouts.start = secs(15);
        })
        .desired();
    let twin = fleet(&desired, &Power::Stopped, secs(12));
    let plan = plan_for(&desired, &twin);
    // Seen as Stopped within 30 s after it was up, it may be an old read; but web's 15 s end before that.
    let clicks = vec![(secs(16), id("i-db0"), Some(Power::Stopped))];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert_eq!(played.report.outcomes[&1], Outcome::Started);
    assert!(
        matches!(failure(&played.report, 2), Failure::NeedMoved { seen, .. } if seen == "Stopped"),
        "{:?}",
        played.report
    );
}

#[test]
fn an_old_plan_is_looked_at_again_before_the_first_call() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let twin = fleet(&desired, &Power::Stopped, secs(5));
    let plan = plan_for(&desired, &twin);
    let clicks = vec![(secs(60), id("i-db0"), Some(Power::Running))];
    let played = play(&plan, twin, &Play { age: secs(300), clicks, ..Play::default() });
    assert_eq!(story(&plan, &played.events, "db"), ["began start", "done AlreadyThere"]);
    assert!(played.twin.log.is_empty());
}

#[test]
fn a_machine_on_its_way_down_is_started_once_it_is_stopped() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopping, secs(5));
    let machine = twin.machines.get_mut(&id("i-db0")).expect("there");
    machine.set(secs(7), Some(Power::Stopped));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert_eq!(played.report.outcomes[&0], Outcome::Started);
    assert_eq!(played.twin.log.len(), 1);
    assert!(played.twin.log[0].at >= secs(7));
}

#[test]
fn one_that_someone_has_turned_around_to_the_goal_has_not_run_out_of_a_short_time() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .with(|entry| entry.timeouts.stop = secs(20))
        .desired();
    let twin = fleet(&desired, &Power::Stopping, secs(5));
    let plan = plan_for(&desired, &twin);
    let clicks = vec![(secs(1), id("i-db0"), Some(Power::Running))];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert_eq!(played.report.outcomes[&0], Outcome::AlreadyThere);
    assert!(played.ended_at >= secs(30) && played.ended_at < secs(33), "{:?}", played.ended_at);
}

#[test]
fn a_machine_on_its_way_up_is_stopped_once_it_runs() {
    let desired = Sketch::new().entry("db", Goal::Stopped, 1, &[]).desired();
    let mut twin = fleet(&desired, &Power::Starting, secs(5));
    twin.machines.get_mut(&id("i-db0")).expect("there").set(secs(7), Some(Power::Running));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert_eq!(played.report.outcomes[&0], Outcome::Stopped);
    assert!(played.twin.log.len() == 1 && played.twin.log[0].at >= secs(7));
}

#[test]
fn a_pending_machine_is_awaited_and_called_only_if_it_settles_away_from_the_goal() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    for (settles, outcome, calls) in
        [(Power::Running, Outcome::Arrived, 0), (Power::Stopped, Outcome::Started, 1)]
    {
        let mut twin = fleet(&desired, &Power::Pending, secs(5));
        twin.machines.get_mut(&id("i-db0")).expect("there").set(secs(4), Some(settles));
        let plan = plan_for(&desired, &twin);
        let played = play(&plan, twin, &Play::default());
        assert_eq!((&played.report.outcomes[&0], played.twin.log.len()), (&outcome, calls));
    }
}

#[test]
fn stops_go_in_reverse_order() {
    let desired = Sketch::new()
        .entry("db", Goal::Stopped, 1, &[])
        .entry("mid", Goal::Stopped, 2, &[("db", Strength::Hard)])
        .entry("web", Goal::Stopped, 1, &[("mid", Strength::Hard)])
        .desired();
    let twin = fleet(&desired, &Power::Running, secs(5));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    let calls: Vec<&str> = played.twin.log.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(calls, ["i-web0", "i-mid0", "i-mid1", "i-db0"]);
    assert!(played.twin.log.iter().all(|call| call.out_of_order.is_empty()));
}

#[test]
fn a_failure_skips_hard_dependents_and_nothing_else() {
    let desired = Sketch::new()
        .entry("adb", Goal::Running, 1, &[])
        .entry("bapp", Goal::Running, 2, &[("adb", Strength::Hard)])
        .entry("cweb", Goal::Running, 1, &[("bapp", Strength::Hard)])
        .entry("dsoft", Goal::Running, 1, &[("adb", Strength::Soft)])
        .entry("efree", Goal::Running, 1, &[])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.machines.get_mut(&id("i-adb0")).expect("there").fates = vec![refused(Advice::Final)];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    let ends: Vec<String> = ["adb", "cweb", "dsoft", "efree"]
        .iter()
        .map(|name| story(&plan, &played.events, name).pop().unwrap_or_default())
        .collect();
    assert_eq!(ends, ["failed Refused", "skipped because of bapp[i-bapp0]", "done Called", "done Called"]);
}

#[test]
fn a_refusal_that_is_heard_after_an_interruption_leaves_the_others_as_the_interruption_left_them() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(20));
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = vec![refused(Advice::Final)];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play { interrupt_at: Some(ms(20)), ..Play::default() });
    assert!(matches!(failure(&played.report, 0), Failure::Refused(_)));
    assert_eq!(played.report.outcomes[&1], Outcome::NotReached { in_transition: false });
}

#[test]
fn an_interruption_before_a_call_is_sent_again_says_that_the_first_may_have_worked() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(60));
    twin.lag = secs(20);
    twin.throttled = vec![(secs(1), secs(60))];
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = vec![Fate::LoseAnswer];
    let plan = plan_for(&desired, &twin);
    // The start has worked, the reads are old, and the call that would be sent again is refused for the time being.
    let played = play(&plan, twin, &Play { interrupt_at: Some(secs(8)), ..Play::default() });
    assert!(!played.twin.refused.is_empty());
    assert_eq!(played.report.outcomes[&0], Outcome::NotReached { in_transition: true });
}

#[test]
fn an_interruption_makes_no_new_call_and_awaits_those_under_way() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let twin = fleet(&desired, &Power::Stopped, secs(20));
    let plan = plan_for(&desired, &twin);
    for (at, db) in [(ms(20), true), (secs(5), true)] {
        let played = play(&plan, twin.clone(), &Play { interrupt_at: Some(at), ..Play::default() });
        assert!(played.report.interrupted);
        assert_eq!(played.report.outcomes[&0], Outcome::NotReached { in_transition: db }, "at {at:?}");
        assert_eq!(played.report.outcomes[&1], Outcome::NotReached { in_transition: false });
        assert!(played.ended_at <= at + ms(50), "calls in flight are awaited, boots are not");
        assert_eq!(played.twin.log.len(), 1);
    }
}

#[test]
fn slots_count_instances_in_transition_and_the_longest_chain_goes_first() {
    let desired = Sketch::new()
        .entry("a", Goal::Running, 4, &[])
        .with(|entry| entry.at_once = std::num::NonZeroU32::new(2).map(AtOnce::Count))
        .entry("b", Goal::Running, 1, &[])
        .entry("c", Goal::Running, 1, &[("b", Strength::Hard)])
        .desired();
    let twin = fleet(&desired, &Power::Stopped, secs(10));
    let plan = plan_for(&desired, &twin);
    let limits = Limits { parallelism: std::num::NonZeroUsize::new(2), ..Limits::default() };
    let played = play(&plan, twin, &Play { limits, ..Play::default() });
    assert!(played.report.meets_every_goal(&plan));
    assert_eq!(played.twin.log[0].id, id("i-b0"), "b has the longest chain behind it");
    let all: Vec<InstanceId> = played.twin.machines.keys().cloned().collect();
    assert!(most_in_transition(&played.twin, &all) <= 2);
    let played = play(&plan, fleet(&desired, &Power::Stopped, secs(10)), &Play::default());
    assert_eq!(most_in_transition(&played.twin, &all[..4]), 2);
}

/// The most of these instances that were in transition at one time.
pub(super) fn most_in_transition(twin: &Twin, ids: &[InstanceId]) -> usize {
    let moving = |call: &super::twin::Logged| {
        let moves = |id: &&InstanceId| twin.machines[*id].at(call.at).is_some_and(Power::is_in_transition);
        ids.iter().filter(moves).count()
    };
    twin.log.iter().map(moving).max().unwrap_or_default()
}

#[test]
fn one_that_someone_stops_while_it_starts_has_fallen_back_and_holds_up_its_dependents_only() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("other", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let twin = fleet(&desired, &Power::Stopped, secs(60));
    let plan = plan_for(&desired, &twin);
    let clicks =
        vec![(secs(35), id("i-db0"), Some(Power::Stopping)), (secs(37), id("i-db0"), Some(Power::Stopped))];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert!(
        matches!(failure(&played.report, 0), Failure::FellBack { seen, .. } if seen == "Stopped"),
        "{:?}",
        played.report
    );
    assert_eq!(played.report.outcomes[&1], Outcome::Started);
    assert!(matches!(played.report.outcomes[&2], Outcome::Skipped { .. }));
    assert_eq!(
        played.twin.machines[&id("i-db0")].accepted_starts,
        1,
        "it is not started against someone's will"
    );
}

#[test]
fn one_that_is_locked_between_plan_and_call_is_refused_once_and_for_good() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    let locked = Fate::Refuse(Refusal::new(Advice::Final, "InstanceLockedForSecurity"));
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = vec![locked];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(matches!(failure(&played.report, 0), Failure::Refused(_)), "{:?}", played.report);
    assert!(matches!(played.report.outcomes[&1], Outcome::Skipped { .. }));
    assert_eq!(played.twin.log.len(), 1);
}

/// A stop that is given a minute.
fn a_stop_of_a_minute() -> crate::fleet::Desired {
    Sketch::new()
        .entry("db", Goal::Stopped, 1, &[])
        .with(|entry| entry.timeouts.stop = secs(60))
        .entry("web", Goal::Stopped, 1, &[("db", Strength::Hard)])
        .with(|entry| entry.timeouts.stop = secs(60))
        .desired()
}

#[test]
fn a_stop_that_hangs_for_its_whole_timeout_names_what_it_was_last_seen_as_and_is_sent_once() {
    let desired = a_stop_of_a_minute();
    let mut twin = fleet(&desired, &Power::Running, secs(5));
    twin.machines.get_mut(&id("i-web0")).expect("there").fates = vec![Fate::Hang];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(
        matches!(failure(&played.report, 1), Failure::TimedOut { last_seen, timeout, .. }
            if last_seen == "Stopping" && *timeout == secs(60)),
        "{:?}",
        played.report
    );
    assert!(matches!(played.report.outcomes[&0], Outcome::Skipped { .. }), "what it needs stays up");
    assert_eq!(played.twin.log.len(), 1);
    assert!(played.ended_at >= secs(60) && played.ended_at < secs(70), "{:?}", played.ended_at);
}

#[test]
fn a_stop_that_completes_after_its_timeout_has_failed_and_is_found_in_sync_by_the_next_plan() {
    let desired = a_stop_of_a_minute();
    let twin = fleet(&desired, &Power::Running, secs(90));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(matches!(failure(&played.report, 1), Failure::TimedOut { .. }), "{:?}", played.report);
    let later = played.twin.actual(&desired, secs(200));
    let next = crate::plan::plan(&desired, None, &later).expect("no cycle");
    assert_eq!(next.changes[1].verdict, crate::plan::Verdict::InSync);
    assert!(next.changes[0].verdict.request().is_some(), "and what was skipped is stopped now");
}
