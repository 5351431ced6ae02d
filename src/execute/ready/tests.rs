//! The queue by small stories, and against a slow twin that works everything out from scratch.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::{Ready, ReadyGroup, Skip, StepIndex};
use crate::fleet::Strength::{self, Hard, Soft};

fn group(steps: &[StepIndex], after: &[(usize, Strength)]) -> ReadyGroup {
    ReadyGroup { steps: steps.to_vec(), after: after.to_vec(), ..ReadyGroup::default() }
}

fn moving(steps: &[StepIndex], after: &[(usize, Strength)]) -> ReadyGroup {
    ReadyGroup { moving: steps.to_vec(), after: after.to_vec(), ..ReadyGroup::default() }
}

fn chain(seconds: u64, group: ReadyGroup) -> ReadyGroup {
    ReadyGroup { chain: Duration::from_secs(seconds), ..group }
}

fn all(ready: &mut Ready) -> Vec<StepIndex> {
    std::iter::from_fn(|| ready.next()).collect()
}

#[test]
fn a_group_goes_as_soon_as_all_that_it_comes_after_have_finished() {
    let groups = vec![group(&[0, 1], &[]), group(&[2], &[]), group(&[3, 4], &[(0, Hard), (1, Soft)])];
    let mut ready = Ready::new(groups, 5, None);
    assert_eq!(all(&mut ready), [0, 1, 2]);
    ready.finish(0);
    ready.finish(2);
    assert_eq!(ready.next(), None, "1 is under way still");
    ready.finish(1);
    assert_eq!(all(&mut ready), [3, 4]);
}

#[test]
fn a_group_without_steps_holds_nobody_up_even_if_its_own_turn_has_not_come() {
    let groups = vec![group(&[0], &[]), group(&[], &[(0, Hard)]), group(&[1], &[(1, Hard)])];
    let mut ready = Ready::new(groups, 2, None);
    assert_eq!(all(&mut ready), [0, 1]);
    assert_eq!(ready.fail(0), [], "nor does failure go through it");
}

#[test]
fn the_longest_chain_goes_first_and_equals_in_the_order_of_the_entries() {
    let groups = vec![
        chain(5, group(&[0], &[])),
        chain(9, group(&[1, 2], &[])),
        chain(5, group(&[3], &[])),
        chain(7, group(&[4], &[])),
    ];
    assert_eq!(all(&mut Ready::new(groups, 5, None)), [1, 2, 4, 0, 3]);
}

#[test]
fn a_slot_is_held_from_the_turn_to_the_end_whichever_it_is() {
    let groups = vec![group(&[0, 1, 2, 3], &[])];
    let mut ready = Ready::new(groups, 4, Some(2));
    assert_eq!(all(&mut ready), [0, 1]);
    ready.finish(0);
    assert_eq!(all(&mut ready), [2]);
    assert_eq!(ready.fail(1), []);
    assert_eq!(all(&mut ready), [3]);
}

#[test]
fn a_group_at_its_own_limit_lets_a_shorter_chain_have_the_slot() {
    let first = ReadyGroup { at_once: Some(1), ..chain(9, group(&[0, 1], &[])) };
    let mut ready = Ready::new(vec![first, chain(1, group(&[2, 3], &[]))], 4, Some(3));
    assert_eq!(all(&mut ready), [0, 2, 3]);
    ready.finish(0);
    assert_eq!(all(&mut ready), [1]);
}

#[test]
fn what_moves_at_first_holds_slots_without_waiting_for_one_and_then_stands_in_line() {
    let first = ReadyGroup { at_once: Some(1), ..group(&[0], &[]) };
    let mut ready = Ready::new(vec![ReadyGroup { moving: vec![1, 2], ..first }], 3, Some(1));
    assert_eq!(ready.next(), None, "two are in transition, one is allowed");
    ready.settle(1);
    assert_eq!(ready.next(), None, "2 is on its way still");
    ready.finish(2);
    assert_eq!(ready.next(), Some(0));
    assert_eq!(ready.next(), None);
    ready.finish(0);
    assert_eq!(all(&mut ready), [1]);
}

#[test]
fn what_has_settled_waits_for_the_turn_of_its_group() {
    let mut ready = Ready::new(vec![group(&[0], &[]), moving(&[1], &[(0, Hard)])], 2, None);
    assert_eq!(all(&mut ready), [0]);
    ready.settle(1);
    assert_eq!(ready.next(), None);
    ready.finish(0);
    assert_eq!(all(&mut ready), [1]);
}

#[test]
fn a_failure_skips_what_comes_after_nearest_first_and_soft_followers_go() {
    let groups = vec![
        group(&[0, 1], &[]),
        group(&[2], &[(0, Hard)]),
        group(&[3], &[(1, Hard)]),
        group(&[4], &[(0, Soft)]),
        group(&[5], &[(2, Soft)]),
    ];
    let mut ready = Ready::new(groups, 6, None);
    assert_eq!(all(&mut ready), [0, 1]);
    assert_eq!(ready.fail(0), [Skip { step: 2, because: 0 }, Skip { step: 3, because: 2 }]);
    assert_eq!(all(&mut ready), [5], "what came softly after a skipped one goes");
    assert_eq!(ready.fail(1), [], "nobody is skipped twice");
    assert_eq!(all(&mut ready), [4], "and now the first group has ended");
}

#[test]
fn what_is_under_way_is_not_skipped_but_told_that_it_must_not_be_called() {
    let mut ready = Ready::new(vec![group(&[0], &[]), moving(&[1], &[(0, Hard)])], 2, None);
    assert_eq!(ready.next(), Some(0));
    assert_eq!(ready.skipped_by(1), None);
    assert_eq!(ready.fail(0), []);
    assert_eq!(ready.skipped_by(1), Some(0));
}

#[test]
fn the_failure_of_a_large_group_is_spread_once() {
    let size = 30_000;
    let mut groups = vec![group(&(0..size).collect::<Vec<_>>(), &[])];
    groups.extend((0..size).map(|at| group(&[size + at], &[(0, Hard)])));
    let mut ready = Ready::new(groups, 2 * size, None);
    assert_eq!(all(&mut ready).len(), size);
    assert_eq!(ready.fail(0).len(), size);
    // Would take minutes if each of them went through all the followers.
    assert!((1..size).all(|step| ready.fail(step).is_empty()));
}

/// The queue, worked out from scratch for every question.
struct Slow {
    groups: Vec<ReadyGroup>,
    slots: Option<usize>,
    status: Vec<Status>,
    /// In the order in which they entered their groups' queues.
    queued: Vec<StepIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Moving,
    Queued,
    Going,
    Finished,
    Failed,
    Skipped,
}

impl Status {
    fn has_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Skipped)
    }

    fn is_in_transition(self) -> bool {
        matches!(self, Self::Moving | Self::Going)
    }
}

impl Slow {
    fn new(groups: &[ReadyGroup], steps: usize, slots: Option<usize>) -> Self {
        let mut status = vec![Status::Queued; steps];
        for step in groups.iter().flat_map(|group| &group.moving) {
            status[*step] = Status::Moving;
        }
        let queued = groups.iter().flat_map(|group| group.steps.clone()).collect();
        Self { groups: groups.to_vec(), slots, status, queued }
    }

    fn members(&self, group: usize) -> impl Iterator<Item = StepIndex> {
        self.groups[group].steps.iter().chain(&self.groups[group].moving).copied()
    }

    fn group_of(&self, step: StepIndex) -> usize {
        (0..self.groups.len()).find(|group| self.members(*group).any(|other| other == step)).expect("in one")
    }

    fn in_transition(&self, group: usize) -> usize {
        self.members(group).filter(|step| self.status[*step].is_in_transition()).count()
    }

    fn failed_before(&self, group: usize) -> bool {
        let hard = self.groups[group].after.iter().filter(|(_, strength)| *strength == Hard);
        hard.flat_map(|(other, _)| self.members(*other))
            .any(|step| matches!(self.status[step], Status::Failed | Status::Skipped))
    }

    /// All steps that could be given now, the ones of the longest chain first.
    fn next(&mut self) -> Option<StepIndex> {
        let in_all: usize = (0..self.groups.len()).map(|group| self.in_transition(group)).sum();
        if self.slots.is_some_and(|slots| in_all >= slots) {
            return None;
        }
        let may_go = |group: &usize| {
            let before = self.groups[*group].after.iter().flat_map(|(other, _)| self.members(*other));
            before.into_iter().all(|step| self.status[step].has_ended())
                && self.groups[*group].at_once.is_none_or(|most| self.in_transition(*group) < most)
        };
        let candidates = self.queued.iter().map(|step| (self.group_of(*step), *step));
        let (_, step) = candidates
            .filter(|(group, _)| may_go(group))
            .min_by_key(|(group, _)| (std::cmp::Reverse(self.groups[*group].chain), *group))?;
        self.queued.retain(|other| *other != step);
        self.status[step] = Status::Going;
        Some(step)
    }

    /// Skips all that stand in a queue behind a failure, until nothing changes any more.
    fn skip(&mut self) -> BTreeSet<StepIndex> {
        let mut skipped = BTreeSet::new();
        loop {
            let next = self.queued.iter().copied().find(|step| self.failed_before(self.group_of(*step)));
            let Some(step) = next else { return skipped };
            self.queued.retain(|other| *other != step);
            self.status[step] = Status::Skipped;
            skipped.insert(step);
        }
    }
}

/// Groups that come after earlier ones only, so that there is no cycle.
fn any_groups() -> impl Strategy<Value = (Vec<ReadyGroup>, usize)> {
    let strength = prop_oneof![5 => Just(None), 2 => Just(Some(Hard)), 1 => Just(Some(Soft))];
    let group =
        (0usize..4, 0usize..3, prop::collection::vec(strength, 8), prop::option::of(1usize..3), 0u64..4);
    prop::collection::vec(group, 1..9).prop_map(|cases| {
        let mut steps = 0;
        let mut take = |count: usize| {
            steps += count;
            (steps - count..steps).collect::<Vec<_>>()
        };
        let groups = cases
            .into_iter()
            .enumerate()
            .map(|(at, (queued, moving, needs, at_once, chain))| ReadyGroup {
                after: (0..at).filter_map(|other| Some((other, (*needs.get(other)?)?))).collect(),
                steps: take(queued),
                moving: take(moving),
                at_once,
                chain: Duration::from_secs(chain),
            })
            .collect();
        (groups, steps)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to the steps, in whatever order: the same steps are given and skipped as by the slow twin,
    /// slots are never exceeded, and in the end every step has ended.
    #[test]
    fn the_queue_gives_and_skips_what_its_slow_twin_does(
        (groups, steps) in any_groups(), slots in prop::option::of(1usize..5), seed in any::<u64>(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ready = Ready::new(groups.clone(), steps, slots);
        let mut slow = Slow::new(&groups, steps, slots);
        loop {
            loop {
                let next = ready.next();
                prop_assert_eq!(next, slow.next());
                if next.is_none() {
                    break;
                }
            }
            for (group, made) in groups.iter().enumerate() {
                let at_first = made.moving.len();
                let most = made.at_once.map_or(usize::MAX, |most| most.max(at_first));
                prop_assert!(slow.in_transition(group) <= most);
            }
            let in_transition: Vec<StepIndex> =
                (0..steps).filter(|step| slow.status[*step].is_in_transition()).collect();
            let Some(&step) = random.choice(&in_transition) else { break };
            let is_moving = slow.status[step] == Status::Moving;
            if is_moving && random.bool() {
                // It settles, and stands in line, unless a failure came before.
                let must_not = slow.failed_before(slow.group_of(step));
                prop_assert_eq!(ready.skipped_by(step).is_some(), must_not);
                if must_not {
                    slow.status[step] = Status::Skipped;
                    let skips: BTreeSet<_> = ready.fail(step).iter().map(|skip| skip.step).collect();
                    prop_assert_eq!(skips, slow.skip());
                } else {
                    slow.status[step] = Status::Queued;
                    slow.queued.push(step);
                    ready.settle(step);
                }
            } else if random.u8(0..4) > 0 {
                slow.status[step] = Status::Finished;
                ready.finish(step);
            } else {
                slow.status[step] = Status::Failed;
                let skips = ready.fail(step);
                for skip in &skips {
                    let (failed, skipped) = (slow.group_of(skip.because), slow.group_of(skip.step));
                    prop_assert!(groups[skipped].after.contains(&(failed, Hard)), "not the nearest");
                }
                let skips: BTreeSet<_> = skips.iter().map(|skip| skip.step).collect();
                prop_assert_eq!(skips, slow.skip());
            }
        }
        prop_assert!(slow.status.iter().all(|status| status.has_ended()), "{:?}", slow.status);
    }
}
