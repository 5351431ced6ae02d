//! What holds whatever happens in whatever order.

use proptest::prelude::*;

use super::tests::{at, call, world};
use super::*;

/// One thing that someone does, some milliseconds after the one before.
#[derive(Debug, Clone)]
struct Deed {
    after: u64,
    instance: usize,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Start,
    Stop,
    Click(Status),
    Look,
}

const IDS: [&str; 3] = ["i-a", "i-b", "i-c"];

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let what = prop_oneof![
        3 => Just(What::Start),
        3 => Just(What::Stop),
        1 => (0..5_usize).prop_map(|word| What::Click(Status::DOCUMENTED[word].clone())),
        2 => Just(What::Look),
    ];
    let deed =
        (0..1500_u64, 0..3_usize, what).prop_map(|(after, instance, what)| Deed { after, instance, what });
    prop::collection::vec(deed, 0..40)
}

fn park() -> World {
    world(
        "lag: 300ms
instances:
  - { id: i-a, start: 2s, stop: 1s }
  - { id: i-b, status: Running, start: 0s, stop: 0s }
  - { id: i-c, status: Starting, start: 700ms, stop: 5s, local_disks: 1 }",
    )
}

/// Whether a machine that nobody touches may be seen as the one and then as the other.
fn is_documented(from: &Status, to: &Status) -> bool {
    from == to
        || matches!(
            (from, to),
            (Status::Starting, Status::Running) | (Status::Stopping | Status::Pending, Status::Stopped)
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// A call is accepted in a stable state only, so between two acceptances the machine settled.
    #[test]
    fn between_two_accepted_calls_there_is_a_stable_state(deeds in deeds()) {
        let mut world = park();
        let mut now = 0;
        for Deed { after, instance, what } in deeds {
            now += after;
            let id = IDS[instance];
            let before = world.status(id, at(now)).unwrap().clone();
            let (wanted, moving, what) = match what {
                What::Start => (Status::Stopped, Status::Starting, PowerCall::Start),
                What::Stop => (Status::Running, Status::Stopping, PowerCall::Stop(StoppedMode::StopCharging)),
                What::Click(status) => {
                    let event = world.change(id, &Change::Set(status), at(now)).unwrap();
                    world.apply(&LogLine { at: at(now), event });
                    continue;
                }
                What::Look => continue,
            };
            match call(&mut world, id, what, at(now)) {
                Ok(()) => {
                    prop_assert_eq!(&before, &wanted);
                    let settled = moving.settles_as();
                    let after = world.status(id, at(now)).unwrap();
                    prop_assert!(*after == moving || Some(after) == settled.as_ref());
                }
                Err(refusal) => {
                    prop_assert_ne!(before, wanted);
                    prop_assert_eq!(refusal.code, "IncorrectInstanceStatus");
                }
            }
        }
    }

    /// Between two deeds, statuses move along the documented ways only, for reads as for calls.
    #[test]
    fn statuses_move_by_themselves_along_documented_ways_only(deeds in deeds()) {
        let mut world = park();
        let mut now = 0;
        for Deed { after, instance, what } in deeds {
            for id in IDS {
                let truth = |moment| world.status(id, at(moment)).unwrap().clone();
                for moment in (now..now + after).step_by(20).skip(1) {
                    let (before, then) = (truth(moment - 20), truth(moment));
                    prop_assert!(is_documented(&before, &then), "{id} at {moment}: {before} to {then}");
                }
            }
            now += after;
            let id = IDS[instance];
            let _ = match what {
                What::Start => call(&mut world, id, PowerCall::Start, at(now)),
                What::Stop => call(&mut world, id, PowerCall::Stop(StoppedMode::KeepCharging), at(now)),
                What::Click(_) | What::Look => Ok(()),
            };
        }
    }

    /// What a read shows is what was true the lag before, and only stopped machines have a stop mode.
    #[test]
    fn a_read_shows_what_was_true_before(deeds in deeds()) {
        let mut world = park();
        let mut now = 0;
        let mut truths: Vec<(u64, [Status; 3])> = Vec::new();
        for Deed { after, instance, what } in deeds {
            for moment in (now..now + after).step_by(50) {
                truths.push((moment, IDS.map(|id| world.status(id, at(moment)).unwrap().clone())));
                let Some((_, earlier)) = truths.iter().rfind(|(then, _)| then + 300 == moment) else { continue };
                for (id, earlier) in IDS.iter().zip(earlier) {
                    let shown = world.look(id, at(moment)).unwrap();
                    prop_assert_eq!(shown.status, earlier);
                    prop_assert_eq!(shown.stopped_mode.is_some(), *shown.status == Status::Stopped);
                }
            }
            now += after;
            let _ = match what {
                What::Start => call(&mut world, IDS[instance], PowerCall::Start, at(now)),
                What::Stop => call(&mut world, IDS[instance], PowerCall::Stop(StoppedMode::KeepCharging), at(now)),
                What::Click(_) | What::Look => Ok(()),
            };
        }
    }

    /// A log read back gives the world that wrote it.
    #[test]
    fn the_world_is_a_fold_over_its_log(deeds in deeds()) {
        let mut world = park();
        let mut lines: Vec<String> = Vec::new();
        let mut now = 0;
        for Deed { after, instance, what } in deeds {
            now += after;
            let change = match what {
                What::Start => Change::Set(Status::Starting),
                What::Stop => Change::Lock("security".to_owned()),
                What::Click(status) => Change::Set(status),
                What::Look => Change::Unlock,
            };
            let event = world.change(IDS[instance], &change, at(now)).unwrap();
            let line = LogLine { at: at(now), event };
            lines.push(serde_json::to_string(&line).unwrap());
            world.apply(&line);
        }
        let mut again = park();
        for line in &lines {
            again.apply(&serde_json::from_str(line).unwrap());
        }
        prop_assert_eq!(again.snapshot(), world.snapshot());
    }
}
