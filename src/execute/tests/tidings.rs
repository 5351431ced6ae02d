//! What a run says of itself: the numbers and names in its events.

use std::num::NonZeroU32;
use std::time::Duration;

use super::sketch::Sketch;
use super::twin::{Blind, Fate, Machine, Play, Played, fleet, id, ms, plan_for, play, secs};
use crate::cloud::{Advice, Refusal};
use crate::execute::event::EventKind;
use crate::execute::{Action, How, Outcome};
use crate::fleet::{AtOnce, Desired, Goal, Power, StopMode, StoppedMode, Strength};
use crate::plan::Plan;

fn db(goal: Goal) -> Desired {
    Sketch::new().entry("db", goal, 1, &[]).desired()
}

/// What the only completion of a run says: how, elapsed, took, the request and an unwanted stop mode.
type Completion = (How, Duration, Option<Duration>, Option<String>, Option<StoppedMode>);

fn completion(played: &Played) -> Completion {
    let completions: Vec<Completion> = played
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Completed { how, elapsed, took, request_id, stopped_mode, .. } => {
                Some((*how, *elapsed, *took, request_id.clone(), *stopped_mode))
            }
            _ => None,
        })
        .collect();
    let [completion] = completions.as_slice() else { panic!("{completions:?}") };
    completion.clone()
}

#[test]
fn a_completion_says_how_long_the_way_took_from_the_accepted_call() {
    let desired = db(Goal::Running);
    let mut twin = fleet(&desired, &Power::Stopped, secs(20));
    let busy = Refusal::new(Advice::Busy { sends: 5 }, "InstanceNotReady");
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = vec![Fate::Refuse(busy)];
    let plan = plan_for(&desired, &twin);
    let (how, elapsed, took, request, _) = completion(&play(&plan, twin, &Play::default()));
    assert_eq!((how, request.as_deref()), (How::Called, Some("request-2")));
    let took = took.expect("there was a call");
    assert!(took.abs_diff(secs(20)) <= ms(850), "half of the pause between two looks: {took:?}");
    assert!(elapsed >= took + secs(2), "the refused call and the wait are a part of the step: {elapsed:?}");
}

#[test]
fn what_arrives_by_itself_took_nothing_that_is_worth_remembering() {
    let desired = db(Goal::Running);
    let mut twin = fleet(&desired, &Power::Starting, secs(20));
    twin.machines.get_mut(&id("i-db0")).expect("there").set(secs(7), Some(Power::Running));
    let plan = plan_for(&desired, &twin);
    let (how, elapsed, took, request, _) = completion(&play(&plan, twin, &Play::default()));
    assert_eq!((how, took, request), (How::Arrived, None, None));
    assert!(elapsed >= secs(7));
}

#[test]
fn after_an_economical_stop_the_mode_is_read_back() {
    use StoppedMode::{KeepCharging, NotApplicable, StopCharging};
    for (wanted, is, said) in [
        (StopMode::StopCharging, KeepCharging, Some(KeepCharging)),
        (StopMode::StopCharging, StopCharging, None),
        (StopMode::StopCharging, NotApplicable, None),
        (StopMode::KeepCharging, KeepCharging, None),
        (StopMode::KeepCharging, StopCharging, None),
    ] {
        let desired =
            Sketch::new().entry("db", Goal::Stopped, 1, &[]).with(|entry| entry.stop.mode = wanted).desired();
        let mut twin = fleet(&desired, &Power::Running, secs(5));
        twin.machines.get_mut(&id("i-db0")).expect("there").stopped_mode = is;
        let plan = plan_for(&desired, &twin);
        let (how, .., mode) = completion(&play(&plan, twin.clone(), &Play::default()));
        assert_eq!((how, mode), (How::Called, said), "{wanted} wanted, {is:?} seen");
        // Stopped by someone else meanwhile: the mode is not ours to complain of.
        let clicks = vec![(secs(50), id("i-db0"), Some(Power::Stopped))];
        let (how, .., mode) =
            completion(&play(&plan, twin, &Play { age: secs(60), clicks, ..Play::default() }));
        assert_eq!((how, mode), (How::AlreadyThere, None));
    }
}

#[test]
fn times_are_told_since_the_run_began_however_old_the_plan_is() {
    let desired = db(Goal::Running);
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    let throttled = Refusal::new(Advice::Throttled { retry_after: Some(secs(3)) }, "Throttling");
    twin.machines.get_mut(&id("i-db0")).expect("there").fates = vec![Fate::Refuse(throttled)];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play { age: secs(1_000), ..Play::default() });
    assert!(played.events.iter().all(|event| event.at < secs(15)));
    let until = played.events.iter().find_map(|event| match event.kind {
        EventKind::Throttled { action: Action::Start, until } => Some((event.at, until)),
        _ => None,
    });
    let (at, until) = until.expect("it was throttled");
    assert_eq!(until, at + secs(3));
}

#[test]
fn a_look_that_fails_is_said_and_repeated() {
    let desired = db(Goal::Running);
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.blind = vec![Blind::between(secs(1), secs(9))];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    let failed = played.events.iter().filter(|event| matches!(event.kind, EventKind::LookFailed { .. }));
    assert_eq!(failed.count(), 4, "after a pause of one second, of two, of four");
    assert_eq!(played.report.outcomes[&0], Outcome::Started);
}

#[test]
fn a_known_duration_spares_looks() {
    let desired = db(Goal::Running);
    let twin = fleet(&desired, &Power::Stopped, secs(60));
    let plan = plan_for(&desired, &twin);
    let unknown = play(&plan, twin.clone(), &Play::default());
    let expected = |_: &crate::plan::Change| Some(secs(60));
    let known = play(&plan, twin, &Play { expected: Some(&expected), ..Play::default() });
    assert!(unknown.twin.looks.len() > 20);
    assert_eq!(known.twin.looks.len(), 6, "from a little before to just after");
    assert!(known.ended_at < secs(61), "{:?}", known.ended_at);
}

/// Within 2 % of the boot or 250 ms, and by fewer looks than one a second.
#[test]
fn a_boot_that_is_a_little_quicker_or_slower_than_before_is_noticed_soon() {
    let desired = db(Goal::Running);
    for (expected, takes) in [
        (60, 55_000),
        (60, 57_300),
        (60, 59_900),
        (60, 60_900),
        (60, 66_000),
        (6, 5_500),
        (3, 3_100),
        (3, 2_800),
    ] {
        let twin = fleet(&desired, &Power::Stopped, ms(takes));
        let plan = plan_for(&desired, &twin);
        let known = |_: &crate::plan::Change| Some(secs(expected));
        let played = play(&plan, twin, &Play { expected: Some(&known), ..Play::default() });
        let delay = played.ended_at.saturating_sub(ms(takes));
        // The call and the answer to the look take their time too.
        let allowed = ms(takes).mul_f64(0.02).max(ms(250)) + ms(150);
        assert!(delay <= allowed, "{delay:?} after {takes} ms, where {expected} s were expected");
        let looks = played.twin.looks.len();
        assert!((looks as u64) < takes / 1_000 + 1, "{looks} looks in {takes} ms");
    }
}

#[test]
fn a_duration_that_was_recorded_wrongly_is_mended() {
    let desired = db(Goal::Running);
    // What was recorded much too long is mended little by little: a boot may have been quick by chance.
    for (takes, runs) in [(30, 16), (55, 3), (59, 2), (60, 1), (61, 1), (70, 1), (120, 1)] {
        let twin = fleet(&desired, &Power::Stopped, secs(takes));
        let plan = plan_for(&desired, &twin);
        let mut recorded = secs(60);
        for _ in 0..runs {
            let expected = |_: &crate::plan::Change| Some(recorded);
            let played = play(&plan, twin.clone(), &Play { expected: Some(&expected), ..Play::default() });
            let (.., took, _, _) = completion(&played);
            recorded = took.expect("there was a call");
        }
        let off = recorded.as_secs_f64() / secs(takes).as_secs_f64() - 1.0;
        assert!(off.abs() < 0.025, "{takes} s, after {runs} runs: {recorded:?}");
    }
}

#[test]
fn siblings_tell_one_another_how_long_it_takes() {
    let one_by_one = |entry: &mut crate::fleet::Entry| {
        entry.at_once = NonZeroU32::new(1).map(AtOnce::Count);
    };
    let desired = Sketch::new().entry("app", Goal::Running, 10, &[]).with(one_by_one).desired();
    let twin = fleet(&desired, &Power::Stopped, secs(60));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin.clone(), &Play::default());
    assert!(played.report.meets_every_goal(&plan));
    let looks_between =
        |from, to| played.twin.looks.iter().filter(|(at, _)| secs(from) <= *at && *at < secs(to)).count();
    assert!(looks_between(0, 60) > 20, "nothing is known of the first");
    assert!(looks_between(250, 600) <= 7 * 6, "of the others it is: {}", looks_between(250, 600));

    // Where they are not alike, nothing can be learnt.
    let mut unlike = twin;
    for (position, machine) in unlike.machines.values_mut().enumerate() {
        *machine = Machine::new(Power::Stopped, secs(if position % 2 == 0 { 20 } else { 60 }));
    }
    let played = play(&plan, unlike, &Play::default());
    assert!(played.ended_at < secs(10 * 42), "{:?}", played.ended_at);
}

fn outcomes(plan: &Plan, played: &Played) -> Vec<(String, Option<Outcome>)> {
    let outcome = |(at, change): (usize, &crate::plan::Change)| {
        (change.address.to_string(), played.report.outcomes.get(&at).cloned())
    };
    plan.changes.iter().enumerate().map(outcome).collect()
}

#[test]
fn a_report_meets_every_goal_only_if_nothing_was_blocked_or_left() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .entry("xfree", Goal::Stopped, 1, &[])
        .desired();
    let mut twin = fleet(&desired, &Power::Running, secs(5));
    let whole = plan_for(&desired, &twin);
    assert!(play(&whole, twin.clone(), &Play::default()).report.meets_every_goal(&whole));
    twin.machines.insert(id("i-web0"), Machine::new(Power::Stopped, secs(5)));
    twin.machines.remove(&id("i-db0"));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(!played.report.meets_every_goal(&plan));
    let db: crate::fleet::Address = "db".parse().expect("valid");
    assert_eq!(
        outcomes(&plan, &played),
        [
            ("db".to_owned(), None),
            ("web".to_owned(), Some(Outcome::Skipped { because: db.clone(), root: db })),
            ("xfree".to_owned(), Some(Outcome::Stopped)),
        ]
    );
    let interrupted = Play { interrupt_at: Some(ms(10)), ..Play::default() };
    let played = play(&whole, fleet(&desired, &Power::Running, secs(5)), &interrupted);
    assert!(played.report.interrupted && !played.report.meets_every_goal(&whole));
}
