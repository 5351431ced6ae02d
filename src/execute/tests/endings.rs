//! However a run ends, every step is accounted for, exactly once.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use proptest::prelude::*;

use super::laws::{build, case, may_be_called};
use super::sketch::Sketch;
use super::twin::{Blind, Fate, Machine, Play, Played, fleet, id, ms, plan_for, play, secs, story};
use crate::cloud::{Advice, Refusal};
use crate::execute::event::{EventKind, Failure};
use crate::execute::{Limits, Outcome};
use crate::fleet::{Goal, Power, ProviderAlias, Strength};
use crate::plan::{Block, Plan, Verdict};

/// Every step has exactly one last word, and a first word before it, unless it was never begun.
fn every_step_is_accounted_for_once(plan: &Plan, played: &Played) -> Result<(), TestCaseError> {
    let mut began: BTreeMap<usize, usize> = BTreeMap::new();
    let mut ended: BTreeMap<usize, usize> = BTreeMap::new();
    let mut last = Duration::ZERO;
    for event in &played.events {
        prop_assert!(event.at >= last, "events are in order");
        last = event.at;
        let (change, must_have_begun, ends) = match &event.kind {
            EventKind::Began { change, .. } => {
                *began.entry(*change).or_default() += 1;
                (*change, false, false)
            }
            EventKind::Accepted { change, .. }
            | EventKind::Retrying { change, .. }
            | EventKind::OutOfStock { change, .. }
            | EventKind::Readying { change, .. }
            | EventKind::Moved { change, .. } => (*change, true, false),
            EventKind::Completed { change, .. } | EventKind::Failed { change, .. } => (*change, true, true),
            EventKind::Skipped { change, .. } | EventKind::NotReached { change, .. } => {
                (*change, false, true)
            }
            EventKind::Throttled { .. } | EventKind::LookFailed { .. } | EventKind::Interrupted => continue,
        };
        let address = &plan.changes[change].address;
        prop_assert!(!ended.contains_key(&change), "{address} had ended, and then {:?}", event.kind);
        if must_have_begun {
            prop_assert!(began.contains_key(&change), "{address} had not begun, but {:?}", event.kind);
        }
        if ends {
            *ended.entry(change).or_default() += 1;
        }
    }
    for (position, change) in plan.changes.iter().enumerate() {
        let is_step = match &change.verdict {
            Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. } => true,
            Verdict::Blocked(Block::HeldUp { .. }) => true,
            Verdict::Blocked(_) | Verdict::InSync | Verdict::Release | Verdict::Any => false,
        };
        let ends = ended.get(&position).copied().unwrap_or_default();
        prop_assert_eq!(ends, usize::from(is_step), "{} ended {} times", &change.address, ends);
        // An awaited instance that settles away from its goal is begun anew, as a start or a stop.
        let most = if matches!(change.verdict, Verdict::Wait { then: Some(_), .. }) { 2 } else { 1 };
        let begins = began.get(&position).copied().unwrap_or_default();
        prop_assert!(begins <= most, "{} began {} times", &change.address, begins);
    }
    Ok(())
}

fn blindness() -> impl Strategy<Value = Vec<Blind>> {
    let blind = (0u64..60_000, 0u64..90_000, prop::bool::ANY).prop_map(|(from, length, final_)| Blind {
        advice: if final_ { Advice::Final } else { Advice::OutcomeUnknown },
        ..Blind::between(ms(from), ms(from + length))
    });
    prop::collection::vec(blind, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_step_is_accounted_for_once_whatever_fails(
        case in case(true), blind in blindness(), parallelism in prop::option::of(1usize..4),
    ) {
        let (desired, mut twin) = build(&case);
        twin.blind = blind;
        let plan = plan_for(&desired, &twin);
        let limits = Limits { parallelism: parallelism.and_then(NonZeroUsize::new), ..Limits::default() };
        let clicks = case.clicks(&desired);
        let played = play(&plan, twin, &Play { clicks, limits, ..Play::default() });
        every_step_is_accounted_for_once(&plan, &played)?;
    }

    #[test]
    fn an_interruption_at_any_moment_ends_the_run_at_once_with_every_step_accounted_for(
        case in case(true), blind in blindness(), at in 0u64..120_000,
    ) {
        let (desired, mut twin) = build(&case);
        twin.blind = blind;
        let latency = twin.latency;
        let plan = plan_for(&desired, &twin);
        let clicks = case.clicks(&desired);
        let interrupt_at = Some(ms(at));
        let played = play(&plan, twin, &Play { clicks, interrupt_at, ..Play::default() });
        every_step_is_accounted_for_once(&plan, &played)?;
        prop_assert!(played.ended_at <= ms(at) + latency, "calls are awaited, nothing else");
        for call in &played.twin.log {
            prop_assert!(call.at <= ms(at) + latency, "{call:?} after the interruption");
            prop_assert!(may_be_called(&plan, &call.id, call.action));
        }
    }
}

#[test]
fn a_call_that_is_refused_after_an_interruption_fails_and_skips_nobody_a_second_time() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.machines.get_mut(&id("i-db0")).expect("there").fates =
        vec![Fate::Refuse(Refusal::new(Advice::Final, "no"))];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play { interrupt_at: Some(ms(10)), ..Play::default() });
    assert_eq!(story(&plan, &played.events, "db"), ["began start", "failed Refused"]);
    assert_eq!(story(&plan, &played.events, "web"), ["not reached, in transition: false"]);
}

#[test]
fn a_run_that_was_interrupted_says_so_even_if_its_only_step_fails_by_itself() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.machines.get_mut(&id("i-db0")).expect("there").fates =
        vec![Fate::Refuse(Refusal::new(Advice::Final, "no"))];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin.clone(), &Play { interrupt_at: Some(ms(10)), ..Play::default() });
    assert_eq!(story(&plan, &played.events, "db"), ["began start", "failed Refused"]);
    assert!(played.report.interrupted);
    let undisturbed = play(&plan, twin, &Play { interrupt_at: Some(secs(90)), ..Play::default() });
    assert!(!undisturbed.report.interrupted, "it had ended by then");
}

#[test]
fn looks_that_are_refused_for_good_end_the_waits_and_skip_what_was_not_begun() {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("log", Goal::Running, 1, &[("db", Strength::Soft)])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(60));
    twin.blind = vec![Blind { advice: Advice::Final, ..Blind::between(secs(1), secs(10_000)) }];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play::default());
    assert!(matches!(played.report.outcomes[&0], Outcome::Failed(Failure::CannotLook(_))));
    assert_eq!(story(&plan, &played.events, "web"), ["skipped because of db"]);
    // The looks at db took log along, but it has its own turn, and was seen lately enough to be called.
    assert_eq!(story(&plan, &played.events, "log"), ["began start", "accepted", "failed CannotLook"]);
    assert!(played.ended_at < secs(20), "{:?}", played.ended_at);
}

#[test]
fn a_need_elsewhere_that_cannot_be_looked_at_ends_the_wait_for_it() {
    let elsewhere = ProviderAlias::new("hk").expect("valid");
    let desired = Sketch::new()
        .entry("db", Goal::Any, 1, &[])
        .with(|entry| entry.provider = elsewhere.clone())
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    let mut twin = fleet(&desired, &Power::Stopped, secs(5));
    twin.machines.insert(id("i-db0"), Machine::new(Power::Running, secs(5)));
    let refused =
        Blind { advice: Advice::Final, provider: Some(elsewhere), ..Blind::between(secs(0), secs(9_000)) };
    twin.blind = vec![refused];
    let plan = plan_for(&desired, &twin);
    let played = play(&plan, twin, &Play { age: secs(60), ..Play::default() });
    assert!(matches!(played.report.outcomes[&1], Outcome::Failed(Failure::CannotLook(_))));
    assert!(played.ended_at < secs(20), "{:?}", played.ended_at);
}
