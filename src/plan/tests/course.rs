//! How long what remains of an apply takes.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::world::{HARD, World, there};
use crate::fleet::{AtOnce, Goal, Power, Seen, Strength};
use crate::plan::Stand::{Ahead, Ended, UnderWay};
use crate::plan::{Course, Outlook, Plan, Remainder, Stand};

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
        (25, [Ended, until(30), until(50), takes(30), takes(5)], (4, true, 65, Some(30), 65)),
        (35, [Ended, until(30), until(50), takes(30), takes(5)], (4, true, 70, Some(35), 50)),
        (35, [Ended, Ended, until(50), until(60), takes(5)], (3, true, 65, Some(60), 45)),
        (35, [Ended, until(36), until(50), until(60), takes(5)], (4, true, 65, Some(60), 46)),
        (61, [Ended, Ended, Ended, until(60), Ended], (1, true, 60, None, 0)),
        (61, [Ended, Ended, Ended, Ended, unknown], (1, false, 61, Some(61), 0)),
        (61, [Ended, Ended, Ended, Ended, UnderWay(None)], (1, false, 0, None, 0)),
        (61, [Ended; 5], (0, true, 0, None, 0)),
    ];
    for (now, stands, (steps, is_known, ends, next, work)) in rows {
        let stand = |change| order.iter().position(|at| *at == change).map_or(Ended, |step| stands[step]);
        let (ends, next, work) = (seconds(*ends), next.map(seconds), seconds(*work));
        let remainder = Remainder { steps: *steps, is_known: *is_known, ends, next, work };
        assert_eq!(course.remainder(seconds(*now), stand), remainder, "at {now} s {stands:?}");
    }
}

/// An entry: what its instances take, how many may go at once, and which of the entries before it are needed.
type EntryCase = (Vec<u64>, u32, Vec<bool>);

fn plan_of(cases: &[EntryCase]) -> Plan {
    let mut world = World::new();
    for (at, (durations, at_once, needs)) in cases.iter().enumerate() {
        let names: Vec<String> =
            (0..at).filter(|other| needs[*other]).map(|other| format!("e{other}")).collect();
        let needs: Vec<(&str, Strength)> = names.iter().map(|name| (name.as_str(), HARD)).collect();
        let seen = vec![stopped(); durations.len()];
        world = world
            .several(&format!("e{at}"), Goal::Running, &seen, &needs)
            .with(|entry| entry.at_once = NonZeroU32::new(*at_once).map(AtOnce::Count));
        for (number, takes) in durations.iter().enumerate() {
            let id = format!("i-e{at}{number}");
            world = world.took(&format!("e{at}[{id}]"), &id, *takes, 1);
        }
    }
    world.plan()
}

/// Carries out a plan in which everything takes what it is expected to. Says where everything stands whenever that
/// changes, and once between two changes; returns when the last step has ended.
fn carry_out(plan: &Plan, mut look: impl FnMut(Duration, &[Stand])) -> Duration {
    let mut stands: Vec<Stand> = plan.changes.iter().map(|change| Ahead(change.expected)).collect();
    let mut now = Duration::ZERO;
    loop {
        for stand in &mut stands {
            if matches!(stand, UnderWay(Some(ends)) if *ends <= now) {
                *stand = Ended;
            }
        }
        for group in &plan.groups {
            let has_ended = |at: usize| plan.groups[at].changes.iter().all(|change| stands[*change] == Ended);
            if !group.after.iter().all(|after| has_ended(after.group.at())) {
                continue;
            }
            let mut ahead: Vec<(Duration, usize)> = Vec::new();
            let mut under_way = 0;
            for &change in &group.changes {
                match stands[change] {
                    Ahead(takes) => ahead.push((takes.expect("recorded"), change)),
                    UnderWay(_) => under_way += 1,
                    Ended => {}
                }
            }
            ahead.sort();
            let at_once = group.at_once.map_or(usize::MAX, |at_once| at_once.get() as usize);
            for (takes, change) in ahead.into_iter().rev().take(at_once - under_way) {
                stands[change] = UnderWay(Some(now + takes));
            }
        }
        look(now, &stands);
        let ends = stands.iter().filter_map(|stand| match stand {
            UnderWay(ends) => *ends,
            Ahead(_) | Ended => None,
        });
        let Some(next) = ends.min() else { return now };
        look(now + (next - now) / 2, &stands);
        now = next;
    }
}

proptest! {
    #[test]
    fn as_long_as_all_goes_as_expected_so_does_what_is_expected_of_the_rest(
        cases in prop::collection::vec(
            (prop::collection::vec(1u64..100, 1..5), 0u32..4, prop::collection::vec(any::<bool>(), 8)),
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
