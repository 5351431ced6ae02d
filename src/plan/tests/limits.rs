//! How many calls a plan holds, and which limits that is over.

use super::world::{World, there};
use crate::fleet::{CallLimits, Goal, Power, StopPolicy};
use crate::plan::{Call, Excess, Request, Then, Verdict};

/// Two starts and two stops, one of each only if a Pending instance settles otherwise; and others without a call.
fn world() -> World {
    World::new()
        .entry("boots", Goal::Running, there(Power::Stopped), &[])
        .entry("comes", Goal::Running, there(Power::Pending), &[])
        .entry("kept", Goal::Stopped, there(Power::Pending), &[])
        .with(|entry| entry.prevent_stop = true)
        .entry("leaves", Goal::Stopped, there(Power::Pending), &[])
        .entry("locked", Goal::Running, there(Power::Stopped), &[])
        .locked("security")
        .entry("runs", Goal::Running, there(Power::Running), &[])
        .entry("shuts", Goal::Stopped, there(Power::Starting), &[])
        .entry("waits", Goal::Running, there(Power::Starting), &[])
}

#[test]
fn certain_calls_count_and_those_that_may_follow_and_nothing_else() {
    let plan = world().plan();
    assert_eq!((plan.calls(Call::Start), plan.calls(Call::Stop)), (2, 2));
}

#[test]
fn a_plan_is_over_a_limit_only_with_more_than_that() {
    let plan = world().plan();
    let over = |starts, stops| plan.over(CallLimits { starts, stops });
    assert_eq!(over(None, None), []);
    assert_eq!(over(Some(2), Some(2)), []);
    let starts = Excess { call: Call::Start, planned: 2, limit: 1 };
    let stops = Excess { call: Call::Stop, planned: 2, limit: 0 };
    assert_eq!(over(Some(1), Some(7)), [starts]);
    assert_eq!(over(Some(1), Some(0)), [starts, stops]);
}

#[test]
fn a_verdict_says_its_call_with_its_parameters() {
    let policy = StopPolicy { force: true, ..StopPolicy::default() };
    let start = Request::Start { init_local_disk: true };
    for (verdict, may_be, certain) in [
        (Verdict::Start { once_stopped: true, init_local_disk: true }, Some(start), Some(start)),
        (
            Verdict::Wait { until: Goal::Running, then: Some(Then::Start { init_local_disk: true }) },
            Some(start),
            None,
        ),
        (
            Verdict::Wait { until: Goal::Stopped, then: Some(Then::Stop { policy }) },
            Some(Request::Stop { policy }),
            None,
        ),
        (Verdict::Wait { until: Goal::Running, then: None }, None, None),
        (Verdict::InSync, None, None),
        (Verdict::Release, None, None),
    ] {
        assert_eq!((verdict.request(), verdict.certain_request()), (may_be, certain), "{verdict:?}");
    }
}
