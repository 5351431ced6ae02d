//! The moves of one step, as tables: what was met or seen, and when, and what follows.

use std::time::Duration;

use super::{Moment, Phase, Step, Turn, View, Watch};
use crate::cloud::{Advice, Refusal};
use crate::execute::event::{Action, Failure, How};
use crate::fleet::{EntryName, Goal, Power, StopPolicy, StoppedMode, Timeouts};
use crate::plan::{Group, Request};

const START_TIMEOUT: Duration = Duration::from_secs(600);
const STOP_TIMEOUT: Duration = Duration::from_secs(1_200);
/// When the answer to a call came.
const ANSWERED: Moment = Duration::from_secs(100);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A step whose call has been sent so often, and is under way.
fn calling(goal: Goal, sends: u32) -> Step {
    let (action, call) = match goal {
        Goal::Stopped => (Action::Stop, Request::Stop { policy: StopPolicy::default() }),
        Goal::Running | Goal::Any => (Action::Start, Request::Start { init_local_disk: false }),
    };
    let timeouts = Timeouts { start: START_TIMEOUT, stop: STOP_TIMEOUT, ..Timeouts::default() };
    let group = Group::plain(EntryName::new("db").expect("valid"), goal, timeouts);
    let step = Step::new(0, action, goal, Phase::Calling, &group);
    Step { call: Some(call), began: Some(secs(90)), turn_at: Some(secs(90)), sends, ..step }
}

fn settling(action: Action, goal: Goal, call: bool) -> Step {
    let step = calling(goal, 0);
    let call = step.call.filter(|_| call);
    Step { action, call, phase: Phase::Settling(Watch::new(ANSWERED, START_TIMEOUT)), turn_at: None, ..step }
}

fn seen(power: Option<Power>, asked_at: Moment) -> View {
    let stopped_mode = StoppedMode::NotApplicable;
    View {
        power,
        asked_at,
        since: ANSWERED,
        has_changed: false,
        otherwise_at: Moment::ZERO,
        stopped_mode,
        private_address: None,
        public_address: None,
    }
}

fn refusal(advice: Advice) -> Refusal {
    Refusal::new(advice, "no")
}

fn server_error(advice: Advice) -> Refusal {
    Refusal { http_status: Some(500), ..refusal(advice) }
}

/// For each goal: the status before the call, on the way, at the goal, and on the way back.
const WAYS: [(Goal, Power, Power, Power, Power); 2] = [
    (Goal::Running, Power::Stopped, Power::Starting, Power::Running, Power::Stopping),
    (Goal::Stopped, Power::Running, Power::Stopping, Power::Stopped, Power::Starting),
];

fn at(turn: &Turn) -> Duration {
    match turn {
        Turn::Look(at) => at.saturating_sub(ANSWERED),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_final_refusal_fails_the_step_however_often_it_was_sent() {
    for advice in [Advice::Final, Advice::Capacity] {
        for sends in 1..4 {
            let turn = calling(Goal::Running, sends).refuse(ANSWERED, refusal(advice));
            assert_eq!(turn, Turn::Fail(Failure::Refused(refusal(advice))));
        }
    }
}

#[test]
fn a_throttled_call_does_not_count_as_sent_and_comes_again() {
    for sends in 1..10 {
        let mut step = calling(Goal::Running, sends);
        let advice = Advice::Throttled { retry_after: None };
        assert_eq!(step.refuse(ANSWERED, refusal(advice)), Turn::CallAgain);
        assert_eq!((step.sends, step.phase, step.may_have_acted), (sends - 1, Phase::Due, false));
    }
}

/// Each advice, how often the call was sent, when it is looked, and whether it is sent again after the last look that
/// shows the status before the call.
#[test]
fn the_status_before_the_call_leads_to_another_one_after_the_right_wait_and_not_too_often() {
    let busy = Advice::Busy { sends: 5 };
    let disk = Advice::Busy { sends: 2 };
    let table: [(Advice, u32, &[u64], bool); 15] = [
        (busy, 1, &[250, 2_000], true),
        (busy, 2, &[250, 5_000], true),
        (busy, 3, &[250, 10_000], true),
        (busy, 4, &[250, 10_000], true),
        (busy, 5, &[250, 10_000], false),
        (disk, 1, &[250, 2_000], true),
        (disk, 2, &[250, 5_000], false),
        (Advice::Busy { sends: 0 }, 1, &[250, 2_000], false),
        (Advice::WrongStatus, 1, &[250, 2_000], true),
        (Advice::WrongStatus, 2, &[250, 5_000], true),
        (Advice::WrongStatus, 4, &[250, 10_000], true),
        (Advice::WrongStatus, 5, &[250, 10_000], false),
        (Advice::OutcomeUnknown, 1, &[1_000, 2_000, 5_000], true),
        (Advice::OutcomeUnknown, 2, &[1_000, 2_000, 5_000], true),
        (Advice::OutcomeUnknown, 3, &[1_000, 2_000, 5_000], false),
    ];
    for (goal, before, ..) in WAYS {
        for (advice, sends, looks, again) in table {
            let mut step = calling(goal, sends);
            let mut turn = step.refuse(ANSWERED, refusal(advice));
            for look in looks {
                assert_eq!(at(&turn), ms(*look), "{advice:?} after {sends}");
                let view = seen(Some(before.clone()), ANSWERED + ms(*look));
                turn = step.observe(&view).expect("it waits for looks");
            }
            let gave_up = Turn::Fail(Failure::GaveUp { refusal: refusal(advice), sends });
            assert_eq!(turn, if again { Turn::CallAgain } else { gave_up }, "{advice:?} after {sends}");
        }
    }
}

#[test]
fn a_look_that_was_asked_too_early_sends_nothing_again() {
    let mut step = calling(Goal::Running, 1);
    step.refuse(ANSWERED, refusal(Advice::OutcomeUnknown));
    for (asked, next) in [(0, 1_000), (1_500, 2_000), (4_999, 5_000)] {
        let turn = step.observe(&seen(Some(Power::Stopped), ANSWERED + ms(asked))).expect("in doubt");
        assert_eq!(at(&turn), ms(next), "asked after {asked} ms");
    }
    let late = step.observe(&seen(Some(Power::Stopped), ANSWERED + secs(60)));
    assert_eq!(late, Some(Turn::CallAgain), "looks that came late are as good");
}

#[test]
fn after_a_refusal_the_look_tells_whether_it_is_there_on_its_way_or_away() {
    let in_doubt = [
        (refusal(Advice::WrongStatus), How::AlreadyThere),
        (refusal(Advice::Busy { sends: 5 }), How::AlreadyThere),
        // These may have come after the work was begun.
        (server_error(Advice::Busy { sends: 5 }), How::Called),
        (refusal(Advice::OutcomeUnknown), How::Called),
    ];
    for (goal, _, on_the_way, there, back) in WAYS {
        for (refusal, how) in &in_doubt {
            let refused = || {
                let mut step = calling(goal, 1);
                step.refuse(ANSWERED, refusal.clone());
                step
            };
            let look = |step: &mut Step, power: Option<Power>, after: u64| {
                step.observe(&seen(power, ANSWERED + ms(after))).expect("in doubt")
            };
            assert_eq!(look(&mut refused(), Some(there.clone()), 250), Turn::Done(*how));

            let mut step = refused();
            let turn = look(&mut step, Some(on_the_way.clone()), 250);
            let Turn::Poll(watch) = turn else { panic!("{turn:?}") };
            let timeout = if goal == Goal::Running { START_TIMEOUT } else { STOP_TIMEOUT };
            assert_eq!((watch.since, watch.deadline), (ANSWERED, ANSWERED + timeout));
            let arrives = look(&mut step, Some(there.clone()), 9_000);
            let arrived = if *how == How::Called { How::Called } else { How::Arrived };
            assert_eq!(arrives, Turn::Done(arrived));

            for away in
                [Some(back.clone()), Some(Power::Pending), Some(Power::Unrecognised("Odd".into())), None]
            {
                let mut step = refused();
                for after in [250, 2_000, 11_000, 29_999] {
                    let turn = look(&mut step, away.clone(), after);
                    assert!(matches!(turn, Turn::Look(_)), "{away:?} after {after} ms: {turn:?}");
                }
                let turn = look(&mut step, away.clone(), 30_000);
                assert!(matches!(turn, Turn::Fail(Failure::Moved { .. })), "{turn:?}");
            }
        }
    }
}

#[test]
fn after_an_accepted_call_the_old_status_is_tolerated_and_then_believed_on_the_second_look() {
    for (goal, before, on_the_way, there, _) in WAYS {
        for gone in [Some(before), None] {
            let mut step = calling(goal, 1);
            assert!(matches!(step.accept(ANSWERED, None), Turn::Poll(_)));
            let mut look = |power: Option<Power>, after: u64| {
                step.observe(&seen(power, ANSWERED + ms(after))).expect("awaiting")
            };
            for after in [0, 250, 15_000, 29_999] {
                assert!(matches!(look(gone.clone(), after), Turn::Poll(_)), "an old read after {after} ms");
            }
            assert_eq!(at(&look(gone.clone(), 30_000)), secs(33), "looked at again three seconds later");
            assert_eq!(at(&look(gone.clone(), 32_999)), secs(33), "not late enough");
            // Reads are not monotonic: on its way after all.
            assert!(matches!(look(Some(on_the_way.clone()), 33_500), Turn::Poll(_)));
            assert_eq!(at(&look(gone.clone(), 40_000)), secs(43));
            let failure = match &gone {
                Some(power) => {
                    Failure::FellBack { seen: power.to_string(), after: secs(43), was_called: true }
                }
                None => Failure::Vanished { after: secs(43) },
            };
            assert_eq!(look(gone.clone(), 43_000), Turn::Fail(failure));
            let mut step = calling(goal, 1);
            step.accept(ANSWERED, None);
            let turn = step.observe(&seen(Some(there.clone()), ANSWERED + secs(40)));
            assert_eq!(turn, Some(Turn::Done(How::Called)));
        }
    }
}

#[test]
fn a_fall_is_dated_by_the_look_that_first_showed_it() {
    let mut step = calling(Goal::Running, 1);
    step.accept(ANSWERED, None);
    let fallen =
        |after| View { since: ANSWERED + secs(12), ..seen(Some(Power::Stopped), ANSWERED + secs(after)) };
    assert_eq!(step.observe(&fallen(30)).as_ref().map(at), Some(secs(33)));
    let failure = Failure::FellBack { seen: "Stopped".to_owned(), after: secs(12), was_called: true };
    assert_eq!(step.observe(&fallen(33)), Some(Turn::Fail(failure)));
}

#[test]
fn a_timeout_is_declared_only_on_a_look_made_after_the_deadline() {
    for (goal, _, on_the_way, there, back) in WAYS {
        let timeout = if goal == Goal::Running { START_TIMEOUT } else { STOP_TIMEOUT };
        let on_its_way = [on_the_way, back, Power::Pending, Power::Unrecognised("Odd".into())];
        for power in on_its_way {
            let accepted = || {
                let mut step = calling(goal, 1);
                step.accept(ANSWERED, None);
                step
            };
            let mut step = accepted();
            let early = step.observe(&seen(Some(power.clone()), ANSWERED + timeout - ms(1)));
            assert!(matches!(early, Some(Turn::Poll(_))), "{early:?}");
            let view = View { since: ANSWERED + secs(5), ..seen(Some(power.clone()), ANSWERED + timeout) };
            let failure =
                Failure::TimedOut { last_seen: power.to_string(), for_so_long: timeout - secs(5), timeout };
            assert_eq!(step.observe(&view), Some(Turn::Fail(failure)));
            let late = accepted().observe(&seen(Some(there.clone()), ANSWERED + timeout + secs(60)));
            assert_eq!(late, Some(Turn::Done(How::Called)), "late, but there");
        }
    }
}

#[test]
fn a_second_look_is_not_put_off_beyond_the_deadline() {
    let mut step = calling(Goal::Running, 1);
    step.start_timeout = secs(32);
    step.accept(ANSWERED, None);
    let turn = step.observe(&seen(Some(Power::Stopped), ANSWERED + secs(31))).expect("awaiting");
    assert_eq!(at(&turn), secs(32));
    let turn = step.observe(&seen(Some(Power::Stopped), ANSWERED + secs(32))).expect("awaiting");
    assert!(matches!(turn, Turn::Fail(Failure::TimedOut { .. })), "{turn:?}");
}

#[test]
fn a_call_is_made_only_on_the_status_that_was_planned() {
    for (goal, before, on_the_way, there, back) in WAYS {
        let due = |acted| Step { phase: Phase::Due, may_have_acted: acted, ..calling(goal, 0) };
        let check = |acted, power| due(acted).check(&seen(power, ANSWERED));
        for acted in [false, true] {
            let how = if acted { How::Called } else { How::AlreadyThere };
            assert_eq!(check(acted, Some(there.clone())), Turn::Done(how));
            assert_eq!(check(acted, Some(before.clone())), Turn::Call);
            for power in
                [Some(back.clone()), Some(Power::Pending), Some(Power::Unrecognised("Odd".into())), None]
            {
                let words = power.as_ref().map_or("not visible".to_owned(), ToString::to_string);
                let moved = Failure::Moved { planned: before.to_string(), seen: words };
                assert_eq!(check(acted, power), Turn::Fail(moved));
            }
        }
        let moved = Failure::Moved { planned: before.to_string(), seen: on_the_way.to_string() };
        assert_eq!(check(false, Some(on_the_way.clone())), Turn::Fail(moved), "someone else's doing");
        assert!(
            matches!(check(true, Some(on_the_way)), Turn::Poll(_)),
            "a call of ours that worked after all"
        );
    }
}

#[test]
fn what_had_settled_may_be_read_as_before_for_a_while() {
    let settled = Step { phase: Phase::Due, settled_at: Some(ANSWERED), ..calling(Goal::Running, 0) };
    for (after, tolerated) in [(1, true), (29_999, true), (30_000, false)] {
        let view = seen(Some(Power::Stopping), ANSWERED + ms(after));
        let turn = settled.clone().check(&view);
        if tolerated {
            assert_eq!(turn, Turn::Look(view.asked_at + secs(1)));
        } else {
            assert!(matches!(turn, Turn::Fail(Failure::Moved { .. })), "{turn:?}");
        }
    }
}

#[test]
fn what_is_in_transition_settles_before_anything_else() {
    use Action::{Start, Stop, Wait};
    use Power::{Pending, Running, Starting, Stopped, Stopping};
    // What is planned, what is seen, and whether it is in the queue now, done, or watched further.
    let table = [
        (Start, Goal::Running, true, Stopped, "queued"),
        (Start, Goal::Running, true, Stopping, "watched"),
        (Start, Goal::Running, true, Running, "watched"),
        (Stop, Goal::Stopped, true, Running, "queued"),
        (Stop, Goal::Stopped, true, Starting, "watched"),
        (Stop, Goal::Stopped, true, Stopped, "watched"),
        (Wait, Goal::Running, false, Running, "done"),
        (Wait, Goal::Running, false, Starting, "watched"),
        (Wait, Goal::Running, false, Stopped, "watched"),
        (Wait, Goal::Stopped, false, Stopped, "done"),
        (Wait, Goal::Stopped, false, Stopping, "watched"),
        (Wait, Goal::Running, true, Running, "done"),
        (Wait, Goal::Running, true, Stopped, "queued"),
        (Wait, Goal::Running, true, Pending, "watched"),
        (Wait, Goal::Running, true, Starting, "watched"),
        (Wait, Goal::Stopped, true, Stopped, "done"),
        (Wait, Goal::Stopped, true, Running, "queued"),
        (Wait, Goal::Stopped, true, Pending, "watched"),
    ];
    for (action, goal, call, power, expected) in table {
        let mut step = settling(action, goal, call);
        let turn = step.observe(&seen(Some(power.clone()), ANSWERED + secs(1))).expect("settling");
        let what = match &turn {
            Turn::Queue => "queued",
            Turn::Done(How::Arrived) => "done",
            Turn::Poll(_) => "watched",
            other => panic!("{other:?}"),
        };
        assert_eq!(what, expected, "{action:?} {goal} seen {power}");
        assert_eq!(step.phase == Phase::Queued, what == "queued");
        assert_eq!(step.settled_at.is_some(), what == "queued");
    }
}

#[test]
fn what_settles_elsewhere_is_believed_once_no_old_read_explains_it_and_is_no_failure_at_the_goal() {
    // Someone else has brought it to the goal meanwhile, or so it reads.
    for (action, goal, power) in
        [(Action::Start, Goal::Running, Power::Running), (Action::Stop, Goal::Stopped, Power::Stopped)]
    {
        let mut step = settling(action, goal, true);
        let mut look =
            |after| step.observe(&seen(Some(power.clone()), ANSWERED + ms(after))).expect("settling");
        for after in [0, 5_000, 9_000, 29_999] {
            assert!(matches!(look(after), Turn::Poll(_)), "it may be an old read after {after} ms");
        }
        assert_eq!(look(30_000), Turn::Done(How::AlreadyThere));
    }
    let there = |action, goal, call, power: Power| {
        let mut step = settling(action, goal, call);
        let first = step.observe(&seen(Some(power.clone()), ANSWERED + secs(30))).expect("settling");
        assert_eq!(at(&first), secs(33));
        step.observe(&seen(Some(power), ANSWERED + secs(33))).expect("settling")
    };
    for (goal, power) in [(Goal::Running, Power::Stopped), (Goal::Stopped, Power::Running)] {
        let turn = there(Action::Wait, goal, false, power);
        assert!(matches!(turn, Turn::Fail(Failure::FellBack { .. })), "{turn:?}");
    }
    let mut step = settling(Action::Wait, Goal::Running, false);
    step.observe(&seen(None, ANSWERED + secs(30)));
    let turn = step.observe(&seen(None, ANSWERED + secs(33))).expect("settling");
    assert_eq!(turn, Turn::Fail(Failure::Vanished { after: secs(33) }));
}

#[test]
fn only_a_step_that_is_watched_is_moved_by_what_is_seen() {
    let view = seen(Some(Power::Running), ANSWERED);
    for phase in [Phase::Queued, Phase::Due, Phase::Calling, Phase::Ended] {
        let mut step = Step { phase: phase.clone(), ..calling(Goal::Running, 1) };
        assert_eq!(step.observe(&view), None);
        assert_eq!((step.is_watched(), step.phase), (false, phase));
    }
}

#[test]
fn the_time_for_getting_a_call_through_begins_with_the_turn_and_not_before_ecs_has_dealt_with_others() {
    let due = |turn_at| Step { phase: Phase::Due, turn_at, ..calling(Goal::Stopped, 0) };
    assert_eq!(due(None).call_deadline(secs(500)), None);
    assert_eq!(due(Some(secs(90))).call_deadline(secs(0)), Some(secs(90) + STOP_TIMEOUT));
    assert_eq!(due(Some(secs(90))).call_deadline(secs(500)), Some(secs(500) + STOP_TIMEOUT));
    let forever = Step { stop_timeout: Duration::MAX, ..due(Some(secs(90))) };
    assert_eq!(forever.call_deadline(secs(0)), Some(Duration::MAX));
}
