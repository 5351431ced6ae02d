//! What an apply is expected to take, told as it goes on. Times are in seconds.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use proptest::prelude::*;

use super::{at, began, failed, fixtures, seconds};
use crate::cli::progress::board::Board;
use crate::execute::{Action, EventKind, Failure, How};
use crate::fleet::{Goal, Power, Strength, duration};
use crate::plan::{Plan, Verdict};

/// Starts of the instances of some entries, with what is recorded of them, each entry after the one before. Without
/// limits.
fn chain(entries: &[(&str, &[Option<u64>])]) -> Plan {
    let mut changes = Vec::new();
    for (name, durations) in entries {
        for (number, recorded) in durations.iter().enumerate() {
            let address = format!("{name}[i-{name}{number}]");
            let mut change = fixtures::change(&address, Power::Stopped, Goal::Running, fixtures::start());
            change.expected = recorded.map(seconds);
            changes.push(change);
        }
    }
    let needs: Vec<(&str, &str, Strength)> =
        entries.windows(2).map(|pair| (pair[1].0, pair[0].0, Strength::Hard)).collect();
    let mut plan = fixtures::plan(changes, &needs);
    plan.groups.iter_mut().for_each(|group| group.at_once = None);
    plan
}

fn at_once(number: u32, mut plan: Plan) -> Plan {
    plan.groups.iter_mut().for_each(|group| group.at_once = NonZeroU32::new(number));
    plan
}

/// An apply as it is told.
struct Story(Board);

impl Story {
    fn of(plan: &Plan) -> Self {
        Self::with_slots(plan, 0)
    }

    fn with_slots(plan: &Plan, parallelism: usize) -> Self {
        Self(Board::new(plan, NonZeroUsize::new(parallelism)))
    }

    fn hear(&mut self, second: u64, kind: EventKind) -> &mut Self {
        self.0.hear(&at(second * 1000, kind));
        self
    }

    fn begins(&mut self, second: u64, change: usize) -> &mut Self {
        self.0.hear(&began(second * 1000, change, Action::Start));
        self
    }

    fn sets_out(&mut self, second: u64, change: usize) -> &mut Self {
        let accepted = EventKind::Accepted { change, action: Action::Start, request_id: None };
        self.begins(second, change).hear(second, accepted)
    }

    fn is_up(&mut self, second: u64, change: usize) -> &mut Self {
        self.hear(second, EventKind::Readying { change, probe: None, answer: None })
    }

    fn arrives(&mut self, second: u64, change: usize, took: u64) -> &mut Self {
        self.ends(second, change, Action::Start, How::Called, Some(took))
    }

    fn ends(&mut self, second: u64, change: usize, action: Action, how: How, took: Option<u64>) -> &mut Self {
        let kind = EventKind::Completed {
            change,
            action,
            how,
            power: Power::Running,
            elapsed: seconds(second),
            took: took.map(seconds),
            request_id: None,
            stopped_mode: None,
        };
        self.hear(second, kind)
    }

    /// What stands in the display then of the whole apply.
    fn time(&mut self, second: u64) -> String {
        self.0.now(seconds(second));
        self.0.estimate();
        self.0.time()
    }

    /// What stands there of an instance in transition.
    fn stands(&mut self, second: u64, address: &str) -> String {
        self.0.now(seconds(second));
        let found = self.0.oldest(1_000).into_iter().find(|(name, _)| name == address);
        found.unwrap_or_else(|| panic!("{address} is not in transition")).1
    }
}

#[test]
fn before_anything_has_happened_it_is_as_well_known_as_the_durations_are() {
    for (durations, parallelism, told) in [
        ([Some(30), Some(40)], 0, "0s of about 1m10s"),
        ([Some(30), Some(40)], 1, "0s of at least 1m10s"),
        ([Some(30), Some(40)], 2, "0s of about 1m10s"),
        ([Some(30), None], 0, "0s of at least 30s"),
        ([None, None], 0, "0s of an unknown time"),
    ] {
        let plan = chain(&[("a", &durations[..1]), ("b", &durations[1..])]);
        assert_eq!(Story::with_slots(&plan, parallelism).time(0), told, "{durations:?} {parallelism}");
    }
}

#[test]
fn what_nobody_knew_is_expected_to_take_what_siblings_took() {
    let plan = at_once(2, chain(&[("app", &[None; 5])]));
    let mut story = Story::of(&plan);
    story.sets_out(0, 0).sets_out(0, 1);
    assert_eq!(story.time(30), "30s of an unknown time");
    assert_eq!(story.stands(30, "app[i-app0]"), "starting, 30s");
    story.arrives(40, 0, 40).sets_out(40, 2);
    // The second is expected any moment: then the fourth goes, and at 80 the last.
    assert_eq!(story.time(41), "41s of about 2m");
    story.arrives(42, 1, 42).sets_out(42, 3);
    assert_eq!(story.time(52), "52s of about 2m4s");
    assert_eq!(story.stands(52, "app[i-app2]"), "starting, 12s of about 42s");
    story.arrives(76, 2, 36).sets_out(76, 4);
    assert_eq!(story.time(77), "1m17s of about 1m56s");
    assert_eq!(story.stands(77, "app[i-app4]"), "starting, 1s of about 40s");
}

#[test]
fn one_odd_boot_does_not_speak_for_those_after_it() {
    let plan = at_once(1, chain(&[("app", &[None; 8])]));
    let mut story = Story::of(&plan);
    let mut now = 0;
    for (change, took) in [40, 41, 400, 39].into_iter().enumerate() {
        story.sets_out(now, change);
        now += took;
        story.arrives(now, change, took);
    }
    story.sets_out(now, 4);
    assert_eq!(story.stands(now + 1, "app[i-app4]"), "starting, 1s of about 41s");
}

#[test]
fn what_is_recorded_of_an_instance_counts_for_more_than_its_siblings() {
    let plan = at_once(1, chain(&[("app", &[None, Some(100)])]));
    let mut story = Story::of(&plan);
    story.sets_out(0, 0).arrives(40, 0, 40).sets_out(40, 1);
    assert_eq!(story.stands(50, "app[i-app1]"), "starting, 10s of about 1m40s");
    assert_eq!(story.time(50), "50s of about 2m20s");
}

#[test]
fn other_entries_other_calls_and_what_was_on_its_way_already_teach_nothing() {
    let mut plan = chain(&[("a", &[None]), ("b", &[None, None, None])]);
    plan.changes[2].verdict = Verdict::Wait { until: Goal::Running, then: None };
    plan.changes[3].verdict = fixtures::stop();
    let mut story = Story::of(&plan);
    story.0.hear(&began(0, 2, Action::Wait));
    story.0.hear(&began(0, 3, Action::Stop));
    story.sets_out(0, 0).arrives(40, 0, 40).sets_out(40, 1);
    story.ends(41, 2, Action::Wait, How::Arrived, None).ends(42, 3, Action::Stop, How::Called, Some(42));
    assert_eq!(story.stands(50, "b[i-b0]"), "starting, 10s");
    assert_eq!(story.time(50), "50s of an unknown time");
}

#[test]
fn it_follows_what_has_ended_sooner_or_later_than_expected() {
    let plan = chain(&[("a", &[Some(30)]), ("b", &[Some(40)]), ("c", &[Some(5)])]);
    for (took, told) in [(10, "11s of about 55s"), (30, "31s of about 1m15s"), (50, "51s of about 1m35s")] {
        let mut story = Story::of(&plan);
        story.sets_out(0, 0).arrives(took, 0, took).sets_out(took, 1);
        assert_eq!(story.time(took + 1), told);
    }
}

#[test]
fn what_waits_for_an_overdue_one_is_put_off() {
    let plan = chain(&[("a", &[Some(30)]), ("b", &[Some(40)])]);
    let mut story = Story::of(&plan);
    story.sets_out(0, 0);
    for (now, told) in [
        (29, "29s of about 1m10s"),
        (31, "31s of about 1m11s"),
        (45, "45s of about 1m25s"),
        (46, "46s of about 1m26s"),
    ] {
        assert_eq!(story.time(now), told);
    }
    story.arrives(50, 0, 50).sets_out(50, 1);
    assert_eq!(story.time(89), "1m29s of about 1m30s");
    assert_eq!(story.time(91), "1m31s, longer than the usual 1m30s");
    assert_eq!(story.time(120), "2m, longer than the usual 1m30s");
}

#[test]
fn as_long_as_nothing_is_known_of_something_it_is_no_more_than_a_bound() {
    let plan = chain(&[("a", &[Some(30)]), ("b", &[None]), ("c", &[Some(5)])]);
    let mut story = Story::of(&plan);
    story.sets_out(0, 0);
    assert_eq!(story.time(8), "8s of at least 35s");
    story.arrives(31, 0, 31).sets_out(31, 1);
    assert_eq!(story.time(32), "32s of at least 37s");
    assert_eq!(story.time(60), "1m of at least 1m5s");
    story.arrives(71, 1, 40).sets_out(71, 2);
    assert_eq!(story.time(72), "1m12s of about 1m16s");
}

#[test]
fn that_the_quickest_of_a_crowd_have_arrived_makes_the_others_not_overdue() {
    let plan = chain(&[("app", &[None; 100])]);
    let mut story = Story::of(&plan);
    (0..100).for_each(|change| {
        story.sets_out(0, change);
    });
    for arrived in 0..50 {
        let now = 30 + arrived as u64;
        story.arrives(now, arrived, now);
        for tell in [now, now + 1] {
            assert_eq!(story.time(tell), format!("{} of an unknown time", story.0.elapsed()));
        }
        assert!(!story.stands(now + 1, "app[i-app99]").contains("about"), "{now}");
    }
}

#[test]
fn a_sibling_that_takes_far_longer_is_unlike_them_and_nothing_is_known_of_it() {
    let plan = chain(&[("app", &[None, None]), ("web", &[Some(60)])]);
    let mut story = Story::of(&plan);
    story.sets_out(0, 0).sets_out(0, 1).arrives(40, 0, 40);
    assert_eq!(story.time(49), "49s of about 1m49s");
    assert_eq!(story.time(51), "51s of at least 1m51s");
}

#[test]
fn with_fewer_slots_than_steps_it_is_at_least_what_keeps_all_slots_busy() {
    let plan = chain(&[("app", &[Some(40); 10])]);
    let mut story = Story::with_slots(&plan, 3);
    assert_eq!(story.time(0), "0s of at least 2m13s");
    (0..3).for_each(|change| {
        story.sets_out(0, change);
    });
    (0..3).for_each(|change| {
        story.arrives(40, change, 40).sets_out(40, change + 3);
    });
    assert_eq!(story.time(50), "50s of at least 2m13s");
    (3..6).for_each(|change| {
        story.arrives(80, change, 40).sets_out(80, change + 3);
    });
    (6..9).for_each(|change| {
        story.arrives(120, change, 40);
    });
    story.sets_out(120, 9);
    assert_eq!(story.time(121), "2m1s of about 2m40s");
}

#[test]
fn an_instance_whose_call_was_not_taken_has_its_whole_way_ahead() {
    let plan = chain(&[("app", &[Some(40), Some(40)])]);
    let mut story = Story::of(&plan);
    story.sets_out(0, 0).begins(0, 1);
    assert_eq!(story.time(20), "20s of about 1m");
    assert_eq!(story.time(30), "30s of about 1m10s");
    let refusal = fixtures::expired();
    story.hear(30, EventKind::Retrying { change: 1, action: Action::Start, refusal, sends: 1 });
    // The answer got lost, and the call did not.
    story.hear(31, EventKind::Moved { change: 1, power: Some(Power::Starting) });
    assert_eq!(story.time(35), "35s of about 1m11s");
    assert_eq!(story.time(60), "1m of about 1m11s");
}

#[test]
fn where_ecs_makes_calls_wait_it_is_at_least_so_long_until_all_are_called() {
    let plan = chain(&[("app", &[Some(40), Some(40)])]);
    let mut story = Story::of(&plan);
    story.sets_out(0, 0).begins(0, 1);
    story.hear(1, EventKind::Throttled { action: Action::Start, until: seconds(30) });
    assert_eq!(story.time(2), "2s of at least 42s");
    story.hear(30, EventKind::Accepted { change: 1, action: Action::Start, request_id: None });
    assert_eq!(story.time(31), "31s of about 1m10s");
}

#[test]
fn how_long_it_takes_to_show_that_it_is_ready_is_learned_as_well() {
    let plan = at_once(1, chain(&[("app", &[Some(40), Some(40), Some(40)])]));
    let mut story = Story::of(&plan);
    story.sets_out(0, 0);
    assert_eq!(story.time(1), "1s of about 2m");
    story.is_up(40, 0).is_up(45, 0);
    assert_eq!(story.stands(50, "app[i-app0]"), "Running, waiting for the delay after its probes, 50s");
    story.arrives(60, 0, 40).sets_out(60, 1);
    assert_eq!(story.time(61), "1m1s of about 3m");
    assert_eq!(story.stands(61, "app[i-app1]"), "starting, 1s of about 40s");
    story.is_up(110, 1);
    assert_eq!(
        story.stands(112, "app[i-app1]"),
        "Running, waiting for the delay after its probes, 52s of about 1m10s"
    );
    assert_eq!(story.time(112), "1m52s of about 3m10s");
    assert_eq!(story.time(132), "2m12s of about 3m12s");
}

/// What probes take is in no record, so that waiting for them is not longer than usual.
#[test]
fn what_is_up_and_probed_is_not_overdue() {
    let plan = chain(&[("db", &[Some(40)])]);
    let mut story = Story::of(&plan);
    story.sets_out(0, 0).is_up(35, 0);
    for second in [36, 45, 60] {
        assert_eq!(
            story.time(second),
            format!("{} of an unknown time", duration::Words(Duration::from_secs(second)))
        );
    }
}

#[test]
fn what_fails_takes_what_comes_after_it_out_of_the_estimate() {
    let plan = chain(&[("a", &[Some(30), Some(90)]), ("b", &[Some(40)])]);
    let mut story = Story::of(&plan);
    story.sets_out(0, 0).sets_out(0, 1);
    assert_eq!(story.time(9), "9s of about 2m10s");
    let (a, vanished) = (fixtures::address("a[i-a0]"), Failure::Vanished { after: seconds(1) });
    story.0.hear(&failed(10_000, 0, Action::Start, vanished));
    story.hear(10, EventKind::Skipped { change: 2, action: Action::Start, because: a.clone(), root: a });
    assert_eq!(story.time(11), "11s of about 1m30s");
    story.arrives(80, 1, 80);
    assert_eq!(story.time(82), "1m22s of about 1m30s", "nothing is left that says otherwise");
}

#[test]
fn it_is_made_anew_once_a_second_whatever_happens() {
    let plan = at_once(1, chain(&[("app", &[Some(10); 50])]));
    let mut story = Story::of(&plan);
    let mut before = String::new();
    let mut changes = 0;
    for tick in 0..100 {
        let now = tick * 200;
        let change = usize::try_from(tick / 2).expect("few");
        match tick % 2 {
            0 => story.0.hear(&began(now, change, Action::Start)),
            _ => story.0.hear(&at(
                now,
                EventKind::NotReached { change, action: Action::Start, in_transition: false },
            )),
        };
        story.0.now(Duration::from_millis(now));
        story.0.estimate();
        let told = story.0.time();
        let expected = told.split_once(" of about ").expect("an estimate").1.to_owned();
        changes += usize::from(expected != before);
        before = expected;
    }
    assert_eq!(changes, 20, "in 20 seconds");
}

#[test]
fn as_long_as_all_goes_as_expected_it_stays_as_it_is() {
    let mut plan = at_once(1, chain(&[("a", &[Some(10); 3]), ("b", &[Some(20); 2])]));
    plan.groups.iter_mut().for_each(|group| group.pause = seconds(5));
    let mut story = Story::of(&plan);
    let rows = [(0, 0, 10), (15, 1, 10), (30, 2, 10), (40, 3, 20), (65, 4, 20)];
    for second in 0..85 {
        for (begins, change, takes) in rows {
            if second == begins + takes {
                story.arrives(second, change, takes);
            }
        }
        for (begins, change, _) in rows {
            if second == begins {
                story.sets_out(second, change);
            }
        }
        assert_eq!(story.time(second), format!("{} of about 1m25s", story.0.elapsed()));
    }
}

proptest! {
    #[test]
    fn whatever_happens_it_is_never_expected_to_be_over_already(
        recorded in prop::collection::vec(prop::option::of(0u64..100), 6),
        (slots, parallelism) in (0u32..3, 0usize..4),
        // So many milliseconds later something happens to an instance.
        happenings in prop::collection::vec((0u64..30_000, 0usize..7, 0u8..9), 0..60),
    ) {
        let plan = at_once(slots, chain(&[("a", &recorded[..3]), ("b", &recorded[3..4]), ("c", &recorded[4..])]));
        let mut board = Board::new(&plan, NonZeroUsize::new(parallelism));
        let mut now = 0;
        for (later, change, what) in happenings {
            now += later;
            let (action, address) = (Action::Start, fixtures::address("a[i-a0]"));
            let completed = |took: Option<u64>| EventKind::Completed {
                change,
                action,
                how: How::Called,
                power: Power::Running,
                elapsed: seconds(1),
                took: took.map(seconds),
                request_id: None,
                stopped_mode: None,
            };
            board.hear(&at(now, match what {
                0 | 1 => EventKind::Began { change, action },
                2 => EventKind::Accepted { change, action, request_id: None },
                3 => completed(Some(later / 1000)),
                4 => completed(None),
                5 => EventKind::Readying { change, probe: None, answer: None },
                6 => EventKind::Moved { change, power: Some(Power::Starting) },
                7 => EventKind::Skipped { change, action, because: address.clone(), root: address },
                _ => EventKind::Throttled { action, until: Duration::from_millis(now) },
            }));
            board.estimate();
            let told = board.time();
            let read = |text: &str| duration::parse(text).expect("a duration");
            for bound in [" of about ", " of at least "] {
                if let Some((elapsed, expected)) = told.split_once(bound) {
                    prop_assert!(read(expected) >= read(elapsed), "{}", told);
                }
            }
            if let Some((elapsed, expected)) = told.split_once(", longer than the usual ") {
                prop_assert!(read(expected) <= read(elapsed), "{}", told);
            }
        }
    }
}
