//! How long what remains of an apply takes.

use std::cmp::Reverse;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::world::{HARD, World, there};
use crate::fleet::{AtOnce, Goal, Power, Seen, Strength};
use crate::plan::Stand::{Ahead, Ended, UnderWay};
use crate::plan::{Course, Group, Outlook, Plan, Remainder, Sequence, Stand};

/// It does not matter when, unless there are pauses.
const OVER: Stand = Ended(Duration::ZERO);

fn stopped() -> Seen {
    there(Power::Stopped)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn takes(takes: u64) -> Stand {
    Ahead(Some(seconds(takes)))
}

fn until(ends: u64) -> Stand {
    UnderWay(Some(seconds(ends)))
}

/// When; where db, the three of app, and web stand; what remains.
type Row = (u64, [Stand; 5], Left);

/// How many steps, whether something is known of all, when the last ends and the first of those ahead begins, and how
/// long they would take one after the other.
type Left = (usize, bool, u64, Option<u64>, u64);

#[test]
fn what_remains_follows_from_where_each_step_stands() {
    let plan = World::new()
        .entry("db", Goal::Running, stopped(), &[])
        .several("app", Goal::Running, &[stopped(), stopped(), stopped()], &[("db", HARD)])
        .with(|entry| entry.at_once = NonZeroU32::new(2).map(AtOnce::Count))
        .entry("web", Goal::Running, stopped(), &[("app", HARD)])
        .plan();
    let course = Course::of(&plan);
    let at = |name: &str| plan.changes.iter().position(|change| change.address.to_string() == name);
    let order = ["db", "app[i-app0]", "app[i-app1]", "app[i-app2]", "web"];
    let order = order.map(|name| at(name).expect("a change"));
    let unknown = Ahead(None);
    let rows: &[Row] = &[
        (0, [takes(10), takes(20), takes(20), takes(30), takes(5)], (5, true, 55, Some(0), 85)),
        (0, [takes(10), unknown, takes(20), takes(30), takes(5)], (5, false, 45, Some(0), 65)),
        (4, [takes(10), takes(20), takes(20), takes(30), takes(5)], (5, true, 59, Some(4), 85)),
        (4, [until(12), takes(20), takes(20), takes(30), takes(5)], (5, true, 57, Some(12), 83)),
        (14, [until(12), takes(20), takes(20), takes(30), takes(5)], (5, true, 59, Some(14), 75)),
        (4, [UnderWay(None), takes(20), takes(20), takes(30), takes(5)], (5, false, 49, Some(4), 75)),
        (25, [OVER, until(30), until(50), takes(30), takes(5)], (4, true, 65, Some(30), 65)),
        (35, [OVER, until(30), until(50), takes(30), takes(5)], (4, true, 70, Some(35), 50)),
        (35, [OVER, OVER, until(50), until(60), takes(5)], (3, true, 65, Some(60), 45)),
        (35, [OVER, until(36), until(50), until(60), takes(5)], (4, true, 65, Some(60), 46)),
        (61, [OVER, OVER, OVER, until(60), OVER], (1, true, 60, None, 0)),
        (61, [OVER, OVER, OVER, OVER, unknown], (1, false, 61, Some(61), 0)),
        (61, [OVER, OVER, OVER, OVER, UnderWay(None)], (1, false, 0, None, 0)),
        (61, [OVER; 5], (0, true, 0, None, 0)),
    ];
    for (now, stands, (steps, is_known, ends, next, work)) in rows {
        let stand = |change| order.iter().position(|at| *at == change).map_or(OVER, |step| stands[step]);
        let (ends, next, work) = (seconds(*ends), next.map(seconds), seconds(*work));
        let remainder = Remainder { steps: *steps, is_known: *is_known, ends, next, work };
        assert_eq!(course.remainder(seconds(*now), stand), remainder, "at {now} s {stands:?}");
    }
}

#[test]
fn pauses_zones_and_the_order_of_a_list_are_counted() {
    let world =
        World::new().several("app", Goal::Running, &[stopped(), stopped(), stopped(), stopped()], &[]);
    let plan = |at_once: u32, sequence: Option<Sequence>| {
        let mut plan = world.plan();
        let group = &mut plan.groups[0];
        (group.at_once, group.pause, group.sequence) = (NonZeroU32::new(at_once), seconds(5), sequence);
        plan
    };
    let zones = || Some(Sequence::ByZone(vec![vec![0, 1], vec![2, 3]]));
    let ended = |at| Ended(seconds(at));
    let ahead = [takes(10), takes(20), takes(30), takes(40)];
    // How many at once, in which order; when; where the four stand; when the last ends and the first of those ahead begins.
    let rows = [
        (0, None, 0, ahead, (40, Some(0))),
        (1, None, 0, ahead, (115, Some(0))),
        (2, None, 0, ahead, (55, Some(0))),
        (2, Some(Sequence::AsListed(vec![0, 1, 2, 3])), 0, ahead, (65, Some(0))),
        (2, Some(Sequence::AsListed(vec![3, 0, 1, 2])), 0, ahead, (70, Some(0))),
        (2, Some(Sequence::AsListed(vec![1, 2, 0, 3])), 0, ahead, (75, Some(0))),
        (0, zones(), 0, ahead, (65, Some(0))),
        (1, zones(), 0, ahead, (115, Some(0))),
        (0, zones(), 8, [until(10), until(20), takes(30), takes(40)], (65, Some(25))),
        (0, zones(), 21, [ended(10), ended(20), takes(30), takes(40)], (65, Some(25))),
        (0, zones(), 26, [ended(10), ended(20), takes(30), takes(40)], (66, Some(26))),
        (1, None, 12, [ended(10), takes(20), takes(30), takes(40)], (115, Some(15))),
        (2, None, 12, [ended(10), until(20), takes(30), takes(40)], (55, Some(15))),
        (2, None, 12, [OVER, until(20), takes(30), takes(40)], (55, Some(12))),
        (2, None, 60, [ended(50), ended(56), ended(58), until(59)], (59, None)),
    ];
    for (at_once, sequence, now, stands, (ends, next)) in rows {
        let remainder = Course::of(&plan(at_once, sequence.clone())).remainder(seconds(now), |at| stands[at]);
        let told = (remainder.ends, remainder.next);
        assert_eq!(told, (seconds(ends), next.map(seconds)), "{at_once} {sequence:?} at {now} s {stands:?}");
    }
    let outlook = Outlook::of(&plan(0, zones()));
    assert_eq!((outlook.entries(), outlook.unknown.len()), (1, 1), "zones are no entries");
}

/// An entry: what its instances take, how many may go at once, the pause between them, whether they go zone by zone or
/// as listed, and which of the entries before it are needed.
type EntryCase = (Vec<u64>, u32, u64, Option<bool>, Vec<bool>);

fn plan_of(cases: &[EntryCase]) -> Plan {
    let mut world = World::new();
    for (at, (durations, _, _, _, needs)) in cases.iter().enumerate() {
        let names: Vec<String> =
            (0..at).filter(|other| needs[*other]).map(|other| format!("e{other}")).collect();
        let needs: Vec<(&str, Strength)> = names.iter().map(|name| (name.as_str(), HARD)).collect();
        let seen = vec![stopped(); durations.len()];
        world = world.several(&format!("e{at}"), Goal::Running, &seen, &needs);
        for (number, takes) in durations.iter().enumerate() {
            let id = format!("i-e{at}{number}");
            world = world.took(&format!("e{at}[{id}]"), &id, *takes, 1);
        }
    }
    let mut plan = world.plan();
    for (group, (_, at_once, pause, order, _)) in plan.groups.iter_mut().zip(cases) {
        group.at_once = NonZeroU32::new(*at_once);
        group.pause = seconds(*pause);
        group.sequence = order.map(|by_zone| match by_zone {
            true => Sequence::ByZone(group.changes.chunks(2).map(<[usize]>::to_vec).collect()),
            false => Sequence::AsListed(group.changes.iter().rev().copied().collect()),
        });
    }
    plan
}

/// Begins what may begin in a group, and says when more may that only waits for a pause.
fn begin(group: &Group, now: Duration, stands: &mut [Stand]) -> Option<Duration> {
    let zones = match &group.sequence {
        Some(Sequence::ByZone(zones)) => zones.clone(),
        Some(Sequence::AsListed(listed)) => vec![listed.clone()],
        None => vec![group.changes.clone()],
    };
    let is_open = |zone: &Vec<usize>| zone.iter().any(|change| !matches!(stands[*change], Ended(_)));
    let place = zones.iter().position(is_open)?;
    let ended = |changes: &[usize]| -> Vec<Duration> {
        let rests = |change: &usize| match stands[*change] {
            Ended(at) => Some(at + group.pause),
            Ahead(_) | UnderWay(_) => None,
        };
        changes.iter().filter_map(rests).collect()
    };
    let zone_before = place.checked_sub(1).and_then(|before| ended(&zones[before]).into_iter().max());
    if let Some(at) = zone_before.filter(|at| *at > now) {
        return Some(at);
    }
    let mut ahead: Vec<(Duration, usize)> = Vec::new();
    for &change in &zones[place] {
        if let Ahead(takes) = stands[change] {
            ahead.push((takes.expect("recorded"), change));
        }
    }
    if !matches!(group.sequence, Some(Sequence::AsListed(_))) {
        ahead.sort_by_key(|(takes, _)| Reverse(*takes));
    }
    let resting: Vec<Duration> = ended(&group.changes).into_iter().filter(|at| *at > now).collect();
    let under_way = group.changes.iter().filter(|change| matches!(stands[**change], UnderWay(_))).count();
    let free = match group.at_once {
        Some(at_once) => (at_once.get() as usize).saturating_sub(under_way + resting.len()),
        None => ahead.len(),
    };
    for (takes, change) in ahead.into_iter().take(free) {
        stands[change] = UnderWay(Some(now + takes));
    }
    resting.into_iter().min()
}

/// Carries out a plan in which everything takes what it is expected to. Says where everything stands whenever that
/// changes, and once between two changes; returns when the last step has ended.
fn carry_out(plan: &Plan, mut look: impl FnMut(Duration, &[Stand])) -> Duration {
    let mut stands: Vec<Stand> = plan.changes.iter().map(|change| Ahead(change.expected)).collect();
    let mut now = Duration::ZERO;
    loop {
        let mut next: Vec<Duration> = Vec::new();
        for group in &plan.groups {
            let has_ended =
                |at: usize| plan.groups[at].changes.iter().all(|change| matches!(stands[*change], Ended(_)));
            if group.after.iter().all(|after| has_ended(after.group.at())) {
                next.extend(begin(group, now, &mut stands));
            }
        }
        look(now, &stands);
        next.extend(stands.iter().filter_map(|stand| match stand {
            UnderWay(ends) => *ends,
            Ahead(_) | Ended(_) => None,
        }));
        if stands.iter().all(|stand| matches!(stand, Ended(_))) {
            return now;
        }
        let next = next.into_iter().min().expect("something goes on");
        look(now + (next - now) / 2, &stands);
        now = next;
        for stand in &mut stands {
            if *stand == UnderWay(Some(now)) {
                *stand = Ended(now);
            }
        }
    }
}

proptest! {
    #[test]
    fn as_long_as_all_goes_as_expected_so_does_what_is_expected_of_the_rest(
        cases in prop::collection::vec(
            (
                prop::collection::vec(1u64..100, 1..6),
                0u32..4,
                prop_oneof![Just(0u64), 1u64..50],
                prop::option::of(any::<bool>()),
                prop::collection::vec(any::<bool>(), 8),
            ),
            1..8,
        ),
    ) {
        let plan = plan_of(&cases);
        let course = Course::of(&plan);
        let expected = Outlook::of(&plan).longest.takes;
        let mut said = Vec::new();
        let ended = carry_out(&plan, |now, stands| {
            said.push((now, course.remainder(now, |change| stands[change])));
        });
        prop_assert_eq!(expected, ended);
        for (now, remainder) in said {
            prop_assert!(remainder.is_known);
            prop_assert!(remainder.next.is_none_or(|next| next >= now));
            prop_assert!(remainder.steps == 0 || remainder.ends == ended, "at {:?}: {:?}", now, remainder);
        }
    }
}
