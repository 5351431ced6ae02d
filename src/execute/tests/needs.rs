//! What a call comes after is looked at until the last moment.

use super::sketch::Sketch;
use super::twin::{Machine, Play, Played, fleet, id, ms, plan_for, play, secs, story};
use crate::execute::Outcome;
use crate::execute::event::{EventKind, Failure};
use crate::fleet::{Goal, Power, Strength};
use crate::plan::{Block, Plan};

/// `any`, which is only looked at, `db`, and `web` behind both; `web` and `edge` behind it wait for `db` for a minute.
fn behind_any(clicks: &[(u64, Option<Power>)]) -> (Plan, Played) {
    let desired = Sketch::new()
        .entry("any", Goal::Any, 1, &[])
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("any", Strength::Hard), ("db", Strength::Hard)])
        .entry("xedge", Goal::Running, 1, &[("web", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(60));
    twin.machines.insert(id("i-any0"), Machine::new(Power::Running, secs(5)));
    let plan = plan_for(&desired, &twin);
    let clicks = clicks.iter().map(|(at, power)| (secs(*at), id("i-any0"), power.clone())).collect();
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    (plan, played)
}

#[test]
fn an_unmanaged_need_that_is_no_longer_up_keeps_its_dependents_from_being_called() {
    for (power, words) in [
        (Some(Power::Stopped), "Stopped"),
        (Some(Power::Stopping), "Stopping"),
        (Some(Power::Starting), "Starting"),
        (None, "not visible"),
    ] {
        let (plan, played) = behind_any(&[(30, power)]);
        assert_eq!(story(&plan, &played.events, "web"), ["began start", "failed NeedMoved"]);
        assert_eq!(story(&plan, &played.events, "xedge"), ["skipped because of web"]);
        assert_eq!(story(&plan, &played.events, "any"), [""; 0], "it is looked at and nothing else");
        let failure = played.events.iter().find_map(|event| match &event.kind {
            EventKind::Failed { failure: Failure::NeedMoved { need, goal, seen }, .. } => {
                Some((need.to_string(), *goal, seen.clone()))
            }
            _ => None,
        });
        assert_eq!(failure, Some(("any".to_owned(), Goal::Running, words.to_owned())));
        assert_eq!(played.twin.log.len(), 1, "only db was called");
    }
}

#[test]
fn an_unmanaged_need_that_was_down_for_a_while_and_is_up_again_is_no_hindrance() {
    let (plan, played) = behind_any(&[(20, Some(Power::Stopped)), (40, Some(Power::Running))]);
    assert!(played.report.meets_every_goal(&plan));
}

#[test]
fn nothing_is_stopped_once_something_unmanaged_that_needs_it_has_come_up() {
    let desired = Sketch::new()
        .entry("db", Goal::Stopped, 1, &[])
        .entry("log", Goal::Stopped, 1, &[("db", Strength::Hard)])
        .entry("xany", Goal::Any, 1, &[("db", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Running, secs(60));
    twin.machines.insert(id("i-xany0"), Machine::new(Power::Stopped, secs(5)));
    let plan = plan_for(&desired, &twin);
    let undisturbed = play(&plan, twin.clone(), &Play::default());
    assert!(undisturbed.report.meets_every_goal(&plan));
    let clicks = vec![(secs(30), id("i-xany0"), Some(Power::Starting))];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert_eq!(story(&plan, &played.events, "db"), ["began stop", "failed NeedMoved"]);
    assert_eq!(played.twin.log.len(), 1, "only log was stopped");
}

#[test]
fn a_need_that_has_just_come_up_may_be_read_as_before_for_a_while() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("log", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard), ("log", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(20));
    twin.machines.get_mut(&id("i-log0")).expect("there").takes = secs(45);
    let plan = plan_for(&desired, &twin);
    // db is up after 20 s; from 38 s on reads show it as before, for ten seconds or for good.
    let click = |at: u64, power| (secs(at), id("i-db0"), Some(power));
    let clicks = vec![click(38, Power::Starting), click(48, Power::Running)];
    let played = play(&plan, twin.clone(), &Play { clicks, ..Play::default() });
    assert!(played.report.meets_every_goal(&plan));
    let played = play(&plan, twin, &Play { clicks: vec![click(38, Power::Starting)], ..Play::default() });
    assert_eq!(story(&plan, &played.events, "web"), ["began start", "failed NeedMoved"]);
    assert!(played.ended_at >= secs(50) && played.ended_at < secs(53), "{:?}", played.ended_at);
}

#[test]
fn what_a_soft_need_becomes_later_does_not_matter() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("log", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Soft), ("log", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.machines.get_mut(&id("i-log0")).expect("there").takes = secs(30);
    let plan = plan_for(&desired, &twin);
    let clicks = vec![(secs(10), id("i-db0"), Some(Power::Stopped))];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert!(played.report.meets_every_goal(&plan));
}

#[test]
fn no_call_rests_on_a_look_that_is_older_than_ten_seconds() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.machines.insert(id("i-db0"), Machine::new(Power::Running, secs(5)));
    let plan = plan_for(&desired, &twin);
    for (age, looks_first) in [(secs(0), false), (secs(10), false), (secs(10) + ms(1), true)] {
        let played = play(&plan, twin.clone(), &Play { age, ..Play::default() });
        let before = played.twin.looks.iter().filter(|(at, _)| *at < played.twin.log[0].at).count();
        assert_eq!(before > 0, looks_first, "a plan that is {age:?} old");
        assert!(played.report.meets_every_goal(&plan));
    }
}

#[test]
fn what_settles_away_from_its_goal_behind_something_blocked_is_skipped_at_once() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .entry("xedge", Goal::Running, 1, &[("web", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.machines.remove(&id("i-db0"));
    let mut web = Machine::new(Power::Pending, secs(5));
    web.set(secs(4), Some(Power::Stopped));
    twin.machines.insert(id("i-web0"), web);
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert_eq!(story(&plan, &played.events, "web"), ["began wait", "skipped because of db"]);
    assert_eq!(story(&plan, &played.events, "xedge"), ["skipped because of web"]);
    let roots: Vec<String> = played
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Skipped { root, .. } => Some(root.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(roots, ["db", "db"]);
    assert!(played.twin.log.is_empty() && played.ended_at < secs(6), "{:?}", played.ended_at);
}

#[test]
fn what_settles_as_running_and_must_not_be_stopped_fails_at_once_with_the_reason() {
    let desired =
        Sketch::new().entry("db", Goal::Stopped, 1, &[]).with(|entry| entry.prevent_stop = true).desired();
    let mut twin = fleet(&desired, &Power::Pending, secs(5));
    twin.machines.get_mut(&id("i-db0")).expect("there").set(secs(4), Some(Power::Running));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    let outcome = &played.report.outcomes[&0];
    assert_eq!(*outcome, Outcome::Failed(Failure::Blocked(Block::PreventStop)));
    assert!(played.ended_at < secs(6), "{:?}", played.ended_at);
}
