//! The decision about one instance by itself: every status against every goal, what blocks it, what is warned of.

use super::world::{NOW, START, World, seconds_after, stop, there};
use crate::fleet::{Charge, Goal, Lock, LockReason, Power, Seen, StopMode, StopPolicy, StoppedMode};
use crate::plan::{Block, Tally, Then, Verdict, Warning};

fn alone(goal: Goal, seen: Seen) -> World {
    World::new().entry("db", goal, seen, &[])
}

#[test]
fn every_status_meets_every_goal() {
    let odd = || Power::Unrecognised("Hibernated".into());
    let unknown = Verdict::Blocked(Block::UnknownStatus { word: "Hibernated".to_owned() });
    let not_seen = || Seen::NotSeen { why: "the region did not answer".to_owned() };
    let blind = Verdict::Blocked(Block::NotSeen { why: "the region did not answer".to_owned() });
    let not_visible = Verdict::Blocked(Block::NotVisible);
    let wait = |until, then| Verdict::Wait { until, then };
    let then_start = Some(Then::Start { init_local_disk: false });
    let then_stop = Some(Then::Stop { policy: StopPolicy::default() });
    let once_stopped = Verdict::Start { once_stopped: true, init_local_disk: false };
    let once_running = Verdict::Stop { once_running: true, policy: StopPolicy::default() };
    let table = [
        (there(Power::Running), Verdict::InSync, stop()),
        (there(Power::Stopped), START, Verdict::InSync),
        (there(Power::Starting), wait(Goal::Running, None), once_running),
        (there(Power::Stopping), once_stopped, wait(Goal::Stopped, None)),
        (there(Power::Pending), wait(Goal::Running, then_start), wait(Goal::Stopped, then_stop)),
        (there(odd()), unknown.clone(), unknown),
        (Seen::Absent, not_visible.clone(), not_visible),
        (not_seen(), blind.clone(), blind),
    ];
    for (seen, running, stopped) in table {
        for (goal, verdict) in [(Goal::Running, running), (Goal::Stopped, stopped), (Goal::Any, Verdict::Any)]
        {
            let change = alone(goal, seen.clone()).change("db");
            assert_eq!(change.verdict, verdict, "{seen:?} with the goal {goal}");
            assert_eq!(change.goal, Some(goal));
            assert_eq!(change.seen.power(), seen.power());
            assert_eq!(change.region.map(|region| region.to_string()).as_deref(), Some("cn-hangzhou"));
        }
    }
}

#[test]
fn an_instance_that_was_not_asked_for_counts_as_not_seen_and_never_as_stopped() {
    for goal in [Goal::Running, Goal::Stopped] {
        let verdict = alone(goal, Seen::Absent).unasked("i-db").verdict("db");
        assert!(matches!(verdict, Verdict::Blocked(Block::NotSeen { .. })), "{verdict:?}");
    }
}

#[test]
fn calls_carry_what_the_entry_says() {
    let policy = StopPolicy { mode: StopMode::StopCharging, force: true };
    let set = |world: World| {
        world.with(|entry| {
            entry.init_local_disk = true;
            entry.stop = policy;
        })
    };
    let with = |goal, power| set(alone(goal, there(power))).verdict("db");
    let init_local_disk = true;
    assert_eq!(with(Goal::Running, Power::Stopped), Verdict::Start { once_stopped: false, init_local_disk });
    assert_eq!(with(Goal::Running, Power::Stopping), Verdict::Start { once_stopped: true, init_local_disk });
    assert_eq!(with(Goal::Stopped, Power::Running), Verdict::Stop { once_running: false, policy });
    assert_eq!(with(Goal::Stopped, Power::Starting), Verdict::Stop { once_running: true, policy });
    let then = Some(Then::Start { init_local_disk });
    assert_eq!(with(Goal::Running, Power::Pending), Verdict::Wait { until: Goal::Running, then });
    let then = Some(Then::Stop { policy });
    assert_eq!(with(Goal::Stopped, Power::Pending), Verdict::Wait { until: Goal::Stopped, then });
}

#[test]
fn a_member_of_an_auto_scaling_group_is_stopped_only_where_its_entry_allows_it() {
    let tag = "acs:autoscaling:scalingGroupId=asg-1";
    let member =
        |goal, power| alone(goal, there(power)).seeing(|sighting| sighting.scaling_tag = Some(tag.into()));
    let block = Block::AutoScaling { tag: tag.to_owned() };
    for power in [Power::Running, Power::Starting] {
        assert_eq!(member(Goal::Stopped, power).verdict("db"), Verdict::Blocked(block.clone()));
    }
    let then = Some(Then::Blocked(block));
    assert_eq!(
        member(Goal::Stopped, Power::Pending).verdict("db"),
        Verdict::Wait { until: Goal::Stopped, then }
    );
    // Nothing is said where nothing is stopped.
    assert_eq!(member(Goal::Running, Power::Stopped).verdict("db"), START);
    assert_eq!(member(Goal::Stopped, Power::Stopped).verdict("db"), Verdict::InSync);

    let allowed = member(Goal::Stopped, Power::Running).with(|entry| entry.allow_autoscaling = true);
    let change = allowed.change("db");
    assert_eq!(
        (change.verdict, change.warnings),
        (stop(), vec![Warning::AutoScaling { tag: tag.to_owned() }])
    );
    let kept = allowed.with(|entry| entry.prevent_stop = true);
    assert_eq!(kept.verdict("db"), Verdict::Blocked(Block::PreventStop));
}

#[test]
fn any_lock_blocks_a_start_whatever_its_letter_case() {
    let words = ["financial", "security", "recycling", "refunded", "dedicatedhostfinancial", "brand-new"];
    for word in words {
        let capital = word[..1].to_uppercase() + &word[1..];
        for word in [word.to_owned(), word.to_uppercase(), capital] {
            for power in [Power::Stopped, Power::Stopping] {
                let world = alone(Goal::Running, there(power)).locked(&word);
                let subscribed = world.clone().seeing(|sighting| sighting.charge = Charge::PrePaid);
                let reason = LockReason::from_word(&word);
                assert_eq!(subscribed.verdict("db"), Verdict::Blocked(Block::Locked { reason }), "{word}");
                let is_overdue = word.eq_ignore_ascii_case("financial");
                let verdict = world.verdict("db");
                assert_eq!(verdict == Verdict::Blocked(Block::Overdue), is_overdue, "{word}: {verdict:?}");
                assert!(matches!(verdict, Verdict::Blocked(_)));
            }
        }
    }
}

#[test]
fn an_ended_subscription_blocks_a_start_and_pay_as_you_go_has_no_end() {
    for (charge, ends_in, blocked) in [
        (Charge::PrePaid, Some(-1), true),
        (Charge::PrePaid, Some(0), true),
        (Charge::PrePaid, Some(1), false),
        (Charge::PrePaid, None, false),
        (Charge::PostPaid, Some(-1), false),
        (Charge::Other, Some(-1), false),
    ] {
        let expires = ends_in.map(|seconds| seconds_after(NOW, seconds));
        for power in [Power::Stopped, Power::Stopping] {
            let verdict = alone(Goal::Running, there(power))
                .seeing(|sighting| {
                    sighting.charge = charge;
                    sighting.expires = expires;
                })
                .verdict("db");
            match expires {
                Some(since) if blocked => assert_eq!(verdict, Verdict::Blocked(Block::Expired { since })),
                _ => assert!(matches!(verdict, Verdict::Start { .. }), "{charge:?} {ends_in:?}: {verdict:?}"),
            }
        }
    }
}

#[test]
fn what_is_unpaid_or_locked_but_runs_or_comes_up_is_left_alone() {
    for (power, expected) in [
        (Power::Running, Verdict::InSync),
        (Power::Starting, Verdict::Wait { until: Goal::Running, then: None }),
    ] {
        let world = alone(Goal::Running, there(power)).locked("security").seeing(|sighting| {
            sighting.charge = Charge::PrePaid;
            sighting.expires = Some(seconds_after(NOW, -1));
        });
        assert_eq!(world.verdict("db"), expected);
    }
}

#[test]
fn prevent_stop_blocks_the_call_but_not_what_is_on_its_way_down() {
    for (power, expected) in [
        (Power::Running, Verdict::Blocked(Block::PreventStop)),
        (Power::Starting, Verdict::Blocked(Block::PreventStop)),
        (Power::Stopping, Verdict::Wait { until: Goal::Stopped, then: None }),
        (
            Power::Pending,
            Verdict::Wait { until: Goal::Stopped, then: Some(Then::Blocked(Block::PreventStop)) },
        ),
        (Power::Stopped, Verdict::InSync),
    ] {
        let world = alone(Goal::Stopped, there(power)).with(|entry| entry.prevent_stop = true);
        assert_eq!(world.verdict("db"), expected);
    }
    let world = alone(Goal::Running, there(Power::Stopped)).with(|entry| entry.prevent_stop = true);
    assert_eq!(world.verdict("db"), START, "it says nothing about starts");
}

#[test]
fn a_start_warns_of_what_may_go_wrong() {
    let plain = alone(Goal::Running, there(Power::Stopped));
    assert_eq!(plain.change("db").warnings, []);
    let economical = |world: World| world.seeing(|seen| seen.stopped_mode = StoppedMode::StopCharging);
    let spot = |world: World| world.seeing(|seen| seen.spot = true);
    let init =
        |world: World| world.with(|entry| entry.init_local_disk = true).seeing(|seen| seen.local_disks = 2);
    let disks = Warning::InitLocalDisk { local_disks: 2 };
    assert_eq!(economical(plain.clone()).change("db").warnings, [Warning::EconomicalStart]);
    assert_eq!(spot(plain.clone()).change("db").warnings, [Warning::Spot]);
    assert_eq!(init(plain).change("db").warnings, std::slice::from_ref(&disks));
    for power in [Power::Stopping, Power::Pending] {
        let all = spot(economical(init(alone(Goal::Running, there(power)))));
        assert_eq!(all.change("db").warnings, [disks.clone(), Warning::EconomicalStart, Warning::Spot]);
    }
    let blocked = spot(alone(Goal::Running, there(Power::Stopped))).locked("security");
    assert_eq!(blocked.change("db").warnings, [], "nothing will be started");
    let runs = spot(alone(Goal::Running, there(Power::Running)));
    assert_eq!(runs.change("db").warnings, []);
}

#[test]
fn a_stop_under_a_lock_is_tried_with_a_warning_and_a_forced_one_is_warned_of() {
    let reason = LockReason::Security;
    for power in [Power::Running, Power::Starting, Power::Pending] {
        let world = alone(Goal::Stopped, there(power)).locked("SECURITY");
        assert!(!matches!(world.verdict("db"), Verdict::Blocked(_)));
        assert_eq!(world.change("db").warnings, [Warning::StopUnderLock { reason: reason.clone() }]);
        let forced = world.with(|entry| entry.stop.force = true);
        assert_eq!(
            forced.change("db").warnings,
            [Warning::StopUnderLock { reason: reason.clone() }, Warning::ForceStop]
        );
    }
}

#[test]
fn a_running_instance_that_is_taken_back_is_in_sync_with_a_warning_whichever_lock_is_named_first() {
    let world = alone(Goal::Running, there(Power::Running)).locked("financial").locked("Recycling");
    let change = world.change("db");
    assert_eq!((change.verdict, change.warnings), (Verdict::InSync, vec![Warning::Recycling]));
    let locked = alone(Goal::Running, there(Power::Running)).locked("security").change("db");
    assert_eq!((locked.verdict, locked.warnings), (Verdict::InSync, vec![]));
}

#[test]
fn another_stop_mode_than_wanted_is_in_sync_with_a_note() {
    use StoppedMode::NotApplicable;
    for (wanted, is, noted) in [
        (StopMode::KeepCharging, StoppedMode::KeepCharging, false),
        (StopMode::KeepCharging, StoppedMode::StopCharging, true),
        (StopMode::KeepCharging, NotApplicable, false),
        (StopMode::StopCharging, StoppedMode::KeepCharging, true),
        (StopMode::StopCharging, StoppedMode::StopCharging, false),
        (StopMode::StopCharging, NotApplicable, false),
    ] {
        let change = alone(Goal::Stopped, there(Power::Stopped))
            .with(|entry| entry.stop.mode = wanted)
            .seeing(|sighting| sighting.stopped_mode = is)
            .change("db");
        assert_eq!(change.verdict, Verdict::InSync);
        let note = Warning::StopModeDiffers { wanted, is };
        assert_eq!(change.warnings, if noted { vec![note] } else { vec![] });
    }
}

#[test]
fn what_is_only_looked_at_gets_no_warning_and_no_reason() {
    for seen in [there(Power::Running), there(Power::Stopped), Seen::Absent] {
        let change = alone(Goal::Any, seen).change("db");
        assert_eq!(change.verdict, Verdict::Any);
        assert!(change.warnings.is_empty() && change.why.is_none() && change.drift.is_none());
    }
    let locked = alone(Goal::Any, there(Power::Running)).seeing(|sighting| {
        sighting.locks = vec![Lock { reason: LockReason::Recycling, message: String::new() }];
    });
    assert_eq!(locked.verdict("db"), Verdict::Any);
}

#[test]
fn the_tally_counts_each_verdict_and_tells_whether_anything_is_to_be_done() {
    let world = World::new()
        .entry("a", Goal::Running, there(Power::Stopped), &[])
        .entry("b", Goal::Stopped, there(Power::Running), &[])
        .several("c", Goal::Running, &[there(Power::Starting), there(Power::Running)], &[])
        .entry("d", Goal::Running, Seen::Absent, &[])
        .entry("e", Goal::Any, there(Power::Running), &[])
        .record("gone", "i-gone", Goal::Running, Power::Running);
    let tally = world.plan().tally();
    assert_eq!(
        tally,
        Tally { start: 1, stop: 1, wait: 1, blocked: 1, release: 1, in_sync: 1, any: 1, unknown: 0 }
    );
    for (tally, holds) in [
        (Tally { start: 1, ..Tally::default() }, true),
        (Tally { stop: 1, ..Tally::default() }, true),
        (Tally { wait: 1, ..Tally::default() }, true),
        (Tally { release: 1, ..Tally::default() }, true),
        (Tally { blocked: 1, ..Tally::default() }, true),
        (Tally { in_sync: 9, any: 9, ..Tally::default() }, false),
    ] {
        assert_eq!(tally.holds_anything(), holds, "{tally:?}");
    }
}
