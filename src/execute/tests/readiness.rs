//! Instances that are up and have yet to show that they are ready.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use super::sketch::Sketch;
use super::twin::{Answers, Machine, Play, Played, Twin, fleet, id, ms, plan_for, play, secs, story};
use crate::execute::event::{EventKind, Failure};
use crate::execute::{Limits, Outcome};
use crate::fleet::{Entry, Goal, Power, Probe, ProbeAddress, Readiness, Strength};
use crate::plan::Plan;

fn tcp() -> Probe {
    let port = NonZeroU16::new(5432).expect("a port");
    Probe::Tcp { port, address: ProbeAddress::Private }
}

fn command() -> Probe {
    Probe::Command { words: vec!["check".to_owned()] }
}

fn asks(probes: Vec<Probe>) -> Readiness {
    Readiness { probes, delay: Duration::ZERO, every: secs(2), within: Some(secs(60)) }
}

fn ready(readiness: Readiness) -> impl FnOnce(&mut Entry) {
    move |entry| entry.readiness = Some(Arc::new(readiness))
}

/// `db` has a readiness, `web` needs it; both take eight seconds to boot.
fn shop(readiness: Readiness) -> Sketch {
    Sketch::new().entry("db", Goal::Running, 1, &[]).with(ready(readiness)).entry(
        "web",
        Goal::Running,
        1,
        &[("db", Strength::Hard)],
    )
}

fn played(sketch: Sketch, answers: Option<Answers>, limits: Limits) -> (Plan, Played) {
    played_from(sketch, &Power::Stopped, answers, limits)
}

fn played_from(sketch: Sketch, db: &Power, answers: Option<Answers>, limits: Limits) -> (Plan, Played) {
    let desired = sketch.desired();
    let mut twin: Twin = fleet(&desired, &Power::Stopped, secs(8));
    twin.machines.insert(id("i-db0"), Machine::new(db.clone(), secs(8)));
    twin.probes.extend(answers.map(|answers| (id("i-db0"), answers)));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play { limits, ..Play::default() });
    (plan, played)
}

/// When the start of an instance was accepted.
fn started(played: &Played, name: &str) -> Duration {
    let call = played.twin.log.iter().find(|call| call.id == id(name)).expect("called");
    call.at
}

#[test]
fn dependents_wait_until_the_probe_passes_and_the_boot_is_timed_without_it() {
    let (plan, played) =
        played(shop(asks(vec![tcp()])), Some(Answers::PassFrom(secs(20))), Limits::default());
    assert_eq!(
        story(&plan, &played.events, "db"),
        ["began start", "accepted", "seen Starting", "up, probed", "up: connection refused", "done Called"]
    );
    let web = started(&played, "i-web0");
    assert!(web >= secs(20) && web < ms(22_500), "{web:?}");
    let took = played.events.iter().find_map(|event| match &event.kind {
        EventKind::Completed { change: 0, took, elapsed, .. } => Some((took.expect("called"), *elapsed)),
        _ => None,
    });
    let (took, elapsed) = took.expect("completed");
    assert!(took < secs(9) && elapsed >= secs(20), "{took:?} {elapsed:?}");
    assert!(played.twin.attempts.iter().all(|(at, ..)| *at >= secs(8)), "nothing is asked before it is up");
}

#[test]
fn a_probe_that_never_passes_fails_the_step_by_name_and_skips_the_dependents() {
    let (plan, played) =
        played(shop(asks(vec![tcp()])), Some(Answers::PassFrom(secs(9_999))), Limits::default());
    let failure =
        Failure::NotReady { probe: tcp(), answer: Some("connection refused".to_owned()), within: secs(60) };
    assert_eq!(played.report.outcomes[&0], Outcome::Failed(failure));
    assert_eq!(story(&plan, &played.events, "web"), ["skipped because of db"]);
    assert!(played.ended_at >= secs(68) && played.ended_at < secs(70), "{:?}", played.ended_at);
    assert!(!played.report.meets_every_goal(&plan));
    let last = played.twin.attempts.last().expect("asked");
    assert!(last.0 + last.3 <= secs(69), "no attempt outlives the deadline: {last:?}");
}

#[test]
fn a_probe_that_hangs_holds_up_no_other_and_ends_with_its_time() {
    let readiness = Readiness { within: Some(secs(30)), ..asks(vec![tcp(), command()]) };
    let (_, played) = played(shop(readiness), Some(Answers::TcpHangs), Limits::default());
    let failure = Failure::NotReady { probe: tcp(), answer: Some("no answer".to_owned()), within: secs(30) };
    assert_eq!(played.report.outcomes[&0], Outcome::Failed(failure));
    let of = |wanted: &Probe| played.twin.attempts.iter().filter(|(_, _, probe, _)| probe == wanted).count();
    assert_eq!(
        (of(&tcp()), of(&command())),
        (3, 1),
        "an attempt has ten seconds, and what has passed is not asked again"
    );
    assert!(played.ended_at < secs(40), "{:?}", played.ended_at);
}

#[test]
fn what_passed_long_before_the_others_is_asked_once_more() {
    // The command passes at once, and flaps; the other passes late.
    let readiness = asks(vec![command(), tcp()]);
    let desired = shop(readiness).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(8));
    twin.probes.insert(id("i-db0"), Answers::TcpHangs);
    let plan = plan_for(&desired, &twin);
    // It stops hanging once a minute has almost passed: with it, everything passes.
    let played = play(&plan, twin, &Play::default());
    assert!(matches!(played.report.outcomes[&0], Outcome::Failed(_)), "it hung to the end");
    let flapping = Answers::Flap(secs(5));
    let (plan, played) = self::played(shop(asks(vec![command(), tcp()])), Some(flapping), Limits::default());
    assert!(played.report.meets_every_goal(&plan), "a probe that flaps passes when all of them do");
}

#[test]
fn a_delay_follows_the_probes_and_may_stand_alone() {
    for (probes, earliest) in [(vec![tcp()], 40), (vec![], 28)] {
        let readiness = Readiness { delay: secs(20), ..asks(probes) };
        let (plan, played) = played(shop(readiness), Some(Answers::PassFrom(secs(20))), Limits::default());
        let web = started(&played, "i-web0");
        assert!(web >= secs(earliest) && web < secs(earliest + 3), "{web:?}");
        assert!(story(&plan, &played.events, "db").contains(&"up, delayed".to_owned()));
    }
}

#[test]
fn a_dependency_that_runs_already_is_probed_before_a_start_and_takes_no_slot() {
    let limits = Limits { parallelism: std::num::NonZeroUsize::new(1), ..Limits::default() };
    let sketch = || shop(asks(vec![tcp()])).entry("xtra", Goal::Running, 1, &[]);
    let (plan, played) =
        played_from(sketch(), &Power::Running, Some(Answers::PassFrom(secs(15))), limits.clone());
    assert_eq!(
        story(&plan, &played.events, "db"),
        ["began wait", "up, probed", "up: connection refused", "done Ready"]
    );
    assert!(started(&played, "i-xtra0") < secs(1), "the only slot is free for others");
    assert!(started(&played, "i-web0") >= secs(15));
    assert!(played.report.meets_every_goal(&plan));

    let never = Some(Answers::PassFrom(secs(9_999)));
    let (plan, played) = played_from(sketch(), &Power::Running, never, limits);
    assert!(matches!(&played.report.outcomes[&0], Outcome::Failed(Failure::NotReady { .. })));
    assert_eq!(story(&plan, &played.events, "web"), ["skipped because of db"]);
    assert!(!played.report.meets_every_goal(&plan));
}

#[test]
fn nothing_is_probed_where_no_start_depends_on_it() {
    let alone = Sketch::new().entry("db", Goal::Running, 1, &[]).with(ready(asks(vec![tcp()])));
    let (plan, played) = played_from(alone, &Power::Running, None, Limits::default());
    assert_eq!((played.twin.attempts.len(), played.events.len()), (0, 0));
    assert!(played.report.meets_every_goal(&plan));
    let stops = Sketch::new().entry("db", Goal::Stopped, 1, &[]).with(ready(asks(vec![tcp()]))).entry(
        "web",
        Goal::Stopped,
        1,
        &[("db", Strength::Hard)],
    );
    let (_, played) = played_from(stops, &Power::Running, None, Limits::default());
    assert!(played.twin.attempts.is_empty(), "a stop waits for no readiness");
}

#[test]
fn one_that_falls_back_while_it_is_probed_fails_as_that() {
    let desired = shop(Readiness { within: Some(secs(300)), ..asks(vec![tcp()]) }).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(8));
    twin.probes.insert(id("i-db0"), Answers::PassFrom(secs(9_999)));
    let plan = plan_for(&desired, &twin);
    let clicks = vec![(secs(20), id("i-db0"), Some(Power::Stopped))];
    let played = play(&plan, twin, &Play { clicks, ..Play::default() });
    assert!(
        matches!(&played.report.outcomes[&0], Outcome::Failed(Failure::FellBack { .. })),
        "{:?}",
        played.report
    );
    assert!(played.ended_at < secs(60), "{:?}", played.ended_at);
}

#[test]
fn an_interruption_leaves_what_is_probed_as_running() {
    let desired = shop(asks(vec![tcp()])).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(8));
    twin.probes.insert(id("i-db0"), Answers::PassFrom(secs(9_999)));
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play { interrupt_at: Some(secs(20)), ..Play::default() });
    assert_eq!(played.report.outcomes[&0], Outcome::NotReached { in_transition: false });
    assert!(played.ended_at < secs(21));
}

#[test]
fn two_thousand_are_probed_a_few_hundred_at_a_time() {
    let sketch = Sketch::new().entry("app", Goal::Running, 2_000, &[]).with(ready(asks(vec![tcp()])));
    let desired = sketch.desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(8));
    for entry in &desired.entries {
        twin.probes.extend(entry.ids().iter().map(|id| (id.clone(), Answers::TcpHangs)));
    }
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    let mut ends: Vec<(Duration, i32)> = Vec::new();
    for (at, _, _, timeout) in &played.twin.attempts {
        ends.extend([(*at, 1), (*at + *timeout, -1)]);
    }
    ends.sort_unstable();
    let mut out = 0;
    let most = ends
        .iter()
        .map(|(_, change)| {
            out += change;
            out
        })
        .max()
        .expect("asked");
    assert!(most <= 256, "{most}");
    assert!(!played.report.meets_every_goal(&plan));
}
