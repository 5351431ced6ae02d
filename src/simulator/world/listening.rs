//! Which machines listen at a moment, and until when that holds: so that who follows it can sleep until then.

use std::time::Duration;

use jiff::Timestamp;

use super::{World, later};
use crate::simulator::account::Listener;
use crate::simulator::status::Status;

/// One listener: the position of its instance in the account, and its own in the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::simulator) struct Place {
    pub(in crate::simulator) instance: usize,
    pub(in crate::simulator) listener: usize,
}

/// Who listens at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) struct Listening {
    /// Those who do, in the order of the file.
    pub(in crate::simulator) open: Vec<Place>,
    /// When that may change by itself; none where it never will.
    pub(in crate::simulator) until: Option<Timestamp>,
}

impl World {
    /// Who listens at `now`. What is due by then has to have happened.
    pub(in crate::simulator) fn listening(&self, now: Timestamp) -> Listening {
        let mut open = Vec::new();
        let mut until = self.schedule.get(self.scheduled_done).map(|due| due.at);
        let mut sooner = |moment: Option<Timestamp>| until = [until, moment].into_iter().flatten().min();
        let all = self.account.instances.iter().zip(&self.machines).enumerate();
        for (instance, (given, machine)) in all.filter(|(_, (given, _))| !given.listeners.is_empty()) {
            sooner(machine.next_phase(now));
            let phase = machine.phase(now);
            if phase.status != Status::Running {
                continue;
            }
            for (listener, what) in given.listeners.iter().enumerate() {
                let (is_open, changes) = turn(what, phase.from, now);
                sooner(changes);
                if is_open {
                    open.push(Place { instance, listener });
                }
            }
        }
        Listening { open, until }
    }
}

/// Whether a listener of a machine that has been up since a moment is open, and when that changes.
fn turn(listener: &Listener, up_since: Timestamp, now: Timestamp) -> (bool, Option<Timestamp>) {
    let first = later(up_since, listener.after);
    let Some(flap) = listener.flap else {
        return (first <= now, (now < first).then_some(first));
    };
    let Ok(open_for) = Duration::try_from(now.duration_since(first)) else { return (false, Some(first)) };
    // Account files are read in milliseconds, so a flap has at least one, and the quotient is whole.
    let turns = open_for.as_nanos() / flap.as_nanos().max(1);
    let into_turn = open_for.as_nanos() % flap.as_nanos().max(1);
    let left = flap.as_nanos().saturating_sub(into_turn);
    let left = Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX));
    (turns % 2 == 0, Some(later(now, left)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, call, world};
    use super::super::{Change, LogLine, PowerCall, StoppedMode};
    use super::*;

    fn open(world: &World, milliseconds: u64) -> Vec<(usize, usize)> {
        let listening = world.listening(at(milliseconds));
        assert!(listening.until.is_none_or(|until| until > at(milliseconds)));
        listening.open.iter().map(|place| (place.instance, place.listener)).collect()
    }

    fn until(world: &World, milliseconds: u64) -> Option<Timestamp> {
        world.listening(at(milliseconds)).until
    }

    #[test]
    fn a_machine_listens_from_so_long_after_it_runs_until_it_stops() {
        let mut world = world(
            "instances:
  - { id: i-a, start: 2s, stop: 1s, listen: [{ tcp: 5432 }, { tcp: 80, after: 3s }] }
  - { id: i-b, status: Running, private_ip: 127.0.0.2, listen: [{ tcp: 80 }] }
  - { id: i-c, status: Running }",
        );
        assert_eq!((open(&world, 0), until(&world, 0)), (vec![(1, 0)], None));
        call(&mut world, "i-a", PowerCall::Start, at(1_000)).unwrap();
        assert_eq!((open(&world, 1_000), until(&world, 1_000)), (vec![(1, 0)], Some(at(3_000))));
        assert_eq!((open(&world, 3_000), until(&world, 3_000)), (vec![(0, 0), (1, 0)], Some(at(6_000))));
        assert_eq!((open(&world, 6_000), until(&world, 6_000)), (vec![(0, 0), (0, 1), (1, 0)], None));
        let stop = PowerCall::Stop(StoppedMode::KeepCharging);
        call(&mut world, "i-a", stop, at(7_000)).unwrap();
        assert_eq!(open(&world, 7_000), [(1, 0)]);
    }

    #[test]
    fn what_happens_by_itself_and_clicks_count_as_well() {
        let mut world = world(
            "instances: [{ id: i-a, status: Running, listen: [{ tcp: 80, after: 1s }] }]
faults: [{ at: 10s, set: { i-a: Stopped } }]",
        );
        assert_eq!((open(&world, 999), until(&world, 999)), (vec![], Some(at(1_000))));
        assert_eq!((open(&world, 1_000), until(&world, 1_000)), (vec![(0, 0)], Some(at(10_000))));
        for line in world.due(at(10_000)) {
            world.apply(&line);
        }
        for line in world.due(at(10_000)) {
            world.apply(&line);
        }
        assert_eq!((open(&world, 10_000), until(&world, 10_000)), (vec![], None));
        let event = world.change("i-a", &Change::Set(Status::Running), at(20_000)).unwrap();
        world.apply(&LogLine { at: at(20_000), event });
        assert_eq!((open(&world, 20_000), open(&world, 21_000)), (vec![], vec![(0, 0)]));
    }

    #[test]
    fn what_flaps_is_open_and_closed_in_turns() {
        let world =
            world("instances: [{ id: i-a, status: Running, listen: [{ tcp: 80, after: 1s, flap: 2s }] }]");
        for (milliseconds, is_open, changes) in [
            (0, false, 1_000),
            (1_000, true, 3_000),
            (2_999, true, 3_000),
            (3_000, false, 5_000),
            (5_000, true, 7_000),
            (1_001_500, true, 1_003_000),
        ] {
            let expected = (is_open, Some(at(changes)));
            assert_eq!((open(&world, milliseconds).len() == 1, until(&world, milliseconds)), expected);
        }
    }
}
