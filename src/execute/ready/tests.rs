//! The queue by small stories, and against a slow twin that works everything out from scratch.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::{Ready, ReadyGroup, ReadyStage, Skip, StepIndex};
use crate::execute::step::Moment;
use crate::fleet::OnFailure;
use crate::fleet::Strength::{self, Hard, Soft};

const AT_FIRST: Moment = Moment::ZERO;

fn secs(seconds: u64) -> Moment {
    Moment::from_secs(seconds)
}

fn staged(stages: &[&[StepIndex]]) -> ReadyGroup {
    let stage = |steps: &&[StepIndex]| ReadyStage { steps: steps.to_vec(), ..ReadyStage::default() };
    ReadyGroup { stages: stages.iter().map(stage).collect(), ..ReadyGroup::default() }
}

fn group(steps: &[StepIndex], after: &[(usize, Strength)]) -> ReadyGroup {
    ReadyGroup { after: after.to_vec(), ..staged(&[steps]) }
}

fn moving(steps: &[StepIndex], after: &[(usize, Strength)]) -> ReadyGroup {
    let stage = ReadyStage { moving: steps.to_vec(), ..ReadyStage::default() };
    ReadyGroup { after: after.to_vec(), stages: vec![stage], ..ReadyGroup::default() }
}

fn chain(seconds: u64, group: ReadyGroup) -> ReadyGroup {
    ReadyGroup { chain: Duration::from_secs(seconds), ..group }
}

fn all(ready: &mut Ready) -> Vec<StepIndex> {
    all_at(ready, AT_FIRST)
}

fn all_at(ready: &mut Ready, now: Moment) -> Vec<StepIndex> {
    std::iter::from_fn(|| ready.next(now)).collect()
}

#[test]
fn a_group_goes_as_soon_as_all_that_it_comes_after_have_finished() {
    let groups = vec![group(&[0, 1], &[]), group(&[2], &[]), group(&[3, 4], &[(0, Hard), (1, Soft)])];
    let mut ready = Ready::new(groups, 5, None);
    assert_eq!(all(&mut ready), [0, 1, 2]);
    ready.finish(0, AT_FIRST);
    ready.finish(2, AT_FIRST);
    assert_eq!(ready.next(AT_FIRST), None, "1 is under way still");
    ready.finish(1, AT_FIRST);
    assert_eq!(all(&mut ready), [3, 4]);
}

#[test]
fn a_group_without_steps_holds_nobody_up_even_if_its_own_turn_has_not_come() {
    let groups = vec![group(&[0], &[]), group(&[], &[(0, Hard)]), group(&[1], &[(1, Hard)])];
    let mut ready = Ready::new(groups, 2, None);
    assert_eq!(all(&mut ready), [0, 1]);
    assert_eq!(ready.fail(0, AT_FIRST), [], "nor does failure go through it");
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
    ready.finish(0, AT_FIRST);
    assert_eq!(all(&mut ready), [2]);
    assert_eq!(ready.fail(1, AT_FIRST), []);
    assert_eq!(all(&mut ready), [3]);
}

#[test]
fn a_group_at_its_own_limit_lets_a_shorter_chain_have_the_slot() {
    let first = ReadyGroup { at_once: Some(1), ..chain(9, group(&[0, 1], &[])) };
    let mut ready = Ready::new(vec![first, chain(1, group(&[2, 3], &[]))], 4, Some(3));
    assert_eq!(all(&mut ready), [0, 2, 3]);
    ready.finish(0, AT_FIRST);
    assert_eq!(all(&mut ready), [1]);
}

#[test]
fn what_moves_at_first_holds_slots_without_waiting_for_one_and_then_stands_in_line() {
    let stage = ReadyStage { steps: vec![0], moving: vec![1, 2], ..ReadyStage::default() };
    let first = ReadyGroup { at_once: Some(1), stages: vec![stage], ..ReadyGroup::default() };
    let mut ready = Ready::new(vec![first], 3, Some(1));
    assert_eq!(ready.next(AT_FIRST), None, "two are in transition, one is allowed");
    ready.settle(1, AT_FIRST);
    assert_eq!(ready.next(AT_FIRST), None, "2 is on its way still");
    ready.finish(2, AT_FIRST);
    assert_eq!(ready.next(AT_FIRST), Some(0));
    assert_eq!(ready.next(AT_FIRST), None);
    ready.finish(0, AT_FIRST);
    assert_eq!(all(&mut ready), [1]);
}

#[test]
fn what_has_settled_waits_for_the_turn_of_its_group() {
    let mut ready = Ready::new(vec![group(&[0], &[]), moving(&[1], &[(0, Hard)])], 2, None);
    assert_eq!(all(&mut ready), [0]);
    ready.settle(1, AT_FIRST);
    assert_eq!(ready.next(AT_FIRST), None);
    ready.finish(0, AT_FIRST);
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
    assert_eq!(ready.fail(0, AT_FIRST), [Skip { step: 2, because: 0 }, Skip { step: 3, because: 2 }]);
    assert_eq!(all(&mut ready), [5], "what came softly after a skipped one goes");
    assert_eq!(ready.fail(1, AT_FIRST), [], "nobody is skipped twice");
    assert_eq!(all(&mut ready), [4], "and now the first group has ended");
}

#[test]
fn what_is_under_way_is_not_skipped_but_told_that_it_must_not_be_called() {
    let mut ready = Ready::new(vec![group(&[0], &[]), moving(&[1], &[(0, Hard)])], 2, None);
    assert_eq!(ready.next(AT_FIRST), Some(0));
    assert_eq!(ready.skipped_by(1), None);
    assert_eq!(ready.fail(0, AT_FIRST), []);
    assert_eq!(ready.skipped_by(1), Some(0));
}

#[test]
fn the_failure_of_a_large_group_is_spread_once() {
    let size = 30_000;
    let mut groups = vec![group(&(0..size).collect::<Vec<_>>(), &[])];
    groups.extend((0..size).map(|at| group(&[size + at], &[(0, Hard)])));
    let mut ready = Ready::new(groups, 2 * size, None);
    assert_eq!(all(&mut ready).len(), size);
    assert_eq!(ready.fail(0, AT_FIRST).len(), size);
    // Would take minutes if each of them went through all the followers.
    assert!((1..size).all(|step| ready.fail(step, AT_FIRST).is_empty()));
}

#[test]
fn a_stage_begins_when_all_of_the_stage_before_have_ended() {
    let groups = vec![staged(&[&[0, 1], &[], &[2]]), group(&[3], &[(0, Hard)])];
    let mut ready = Ready::new(groups, 4, None);
    assert_eq!(all(&mut ready), [0, 1]);
    ready.finish(0, AT_FIRST);
    assert_eq!(ready.next(AT_FIRST), None);
    assert_eq!(ready.fail(1, AT_FIRST), [Skip { step: 3, because: 1 }], "which is not a matter of stages");
    assert_eq!(all(&mut ready), [2]);
}

#[test]
fn a_turn_that_comes_free_rests_and_holds_no_slot_of_others() {
    let rolling = ReadyGroup { at_once: Some(2), pause: secs(30), ..chain(9, group(&[0, 1, 2, 3], &[])) };
    let mut ready = Ready::new(vec![rolling, group(&[4, 5], &[])], 6, Some(2));
    assert_eq!(all(&mut ready), [0, 1]);
    ready.finish(0, secs(10));
    assert_eq!(all_at(&mut ready, secs(10)), [4], "the slot is free, the turn is not");
    assert_eq!(ready.wake_at(), Some(secs(40)));
    ready.finish(1, secs(15));
    assert_eq!(all_at(&mut ready, secs(39)), [5]);
    ready.finish(4, secs(39));
    assert_eq!(all_at(&mut ready, secs(40)), [2]);
    ready.finish(5, secs(40));
    assert_eq!(ready.next(secs(44)), None, "each turn has a rest of its own");
    assert_eq!(all_at(&mut ready, secs(45)), [3]);
}

#[test]
fn a_new_stage_begins_after_the_pause_also_where_turns_are_free() {
    let zones = ReadyGroup { pause: secs(30), ..staged(&[&[0, 1], &[2, 3]]) };
    let mut ready = Ready::new(vec![zones], 4, None);
    assert_eq!(all(&mut ready), [0, 1]);
    ready.finish(0, secs(5));
    ready.finish(1, secs(8));
    assert_eq!((ready.next(secs(37)), ready.wake_at()), (None, Some(secs(38))));
    assert_eq!(all_at(&mut ready, secs(38)), [2, 3]);
}

#[test]
fn where_a_failure_stops_the_entry_those_whose_turn_has_not_come_are_skipped() {
    let careful = ReadyGroup { at_once: Some(2), on_failure: OnFailure::Stop, ..group(&[0, 1, 2, 3], &[]) };
    let mut ready = Ready::new(vec![careful, group(&[4], &[(0, Hard)]), group(&[5], &[(0, Soft)])], 6, None);
    assert_eq!(all(&mut ready), [0, 1]);
    let skipped: Vec<_> = ready.fail(0, AT_FIRST).iter().map(|skip| (skip.step, skip.because)).collect();
    assert_eq!(skipped, [(2, 0), (3, 0), (4, 0)]);
    assert_eq!(ready.next(AT_FIRST), None, "what is under way goes on");
    assert_eq!(ready.skipped_by(1), Some(0));
    ready.finish(1, AT_FIRST);
    assert_eq!(all(&mut ready), [5]);
}

#[test]
fn what_is_only_probed_takes_no_slot_and_is_waited_for_all_the_same() {
    let stage = ReadyStage { probed: vec![0], ..ReadyStage::default() };
    let running = ReadyGroup { at_once: Some(1), stages: vec![stage], ..ReadyGroup::default() };
    let mut ready = Ready::new(vec![running, group(&[1], &[(0, Hard)]), group(&[2], &[])], 3, Some(1));
    assert_eq!(all(&mut ready), [2], "the only slot is free");
    ready.finish(2, AT_FIRST);
    assert_eq!(ready.next(AT_FIRST), None);
    ready.finish(0, AT_FIRST);
    assert_eq!(all(&mut ready), [1]);
}

/// The queue, worked out from scratch for every question.
struct Slow {
    groups: Vec<ReadyGroup>,
    slots: Option<usize>,
    status: Vec<Status>,
    /// In the order in which they entered their groups' queues.
    queued: Vec<StepIndex>,
    now: Moment,
    /// When the turns of each group come free that rest.
    resting: Vec<Vec<Moment>>,
    /// When the stage of each group begins.
    begins_at: Vec<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Moving,
    Probed,
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
        let stages = || groups.iter().flat_map(|group| &group.stages);
        for step in stages().flat_map(|stage| &stage.moving) {
            status[*step] = Status::Moving;
        }
        for step in stages().flat_map(|stage| &stage.probed) {
            status[*step] = Status::Probed;
        }
        let queued = stages().flat_map(|stage| stage.steps.clone()).collect();
        let (resting, begins_at) = (vec![Vec::new(); groups.len()], vec![AT_FIRST; groups.len()]);
        Self { groups: groups.to_vec(), slots, status, queued, now: AT_FIRST, resting, begins_at }
    }

    fn members(&self, group: usize) -> impl Iterator<Item = StepIndex> {
        self.groups[group].stages.iter().flat_map(ReadyStage::all)
    }

    fn stage_of(&self, step: StepIndex) -> usize {
        let stages = &self.groups[self.group_of(step)].stages;
        stages.iter().position(|stage| stage.all().any(|other| other == step)).expect("in one")
    }

    /// The first stage in which something is left.
    fn stage(&self, group: usize) -> usize {
        let stages = &self.groups[group].stages;
        let is_over = |stage: &ReadyStage| stage.all().all(|step| self.status[step].has_ended());
        stages.iter().position(|stage| !is_over(stage)).unwrap_or(stages.len().saturating_sub(1))
    }

    fn end(&mut self, step: StepIndex, status: Status) {
        let group = self.group_of(step);
        let (before, pause) = (self.stage(group), self.groups[group].pause);
        if self.status[step].is_in_transition() && self.groups[group].at_once.is_some() {
            self.resting[group].push(self.now + pause);
        }
        self.status[step] = status;
        if self.stage(group) != before {
            self.begins_at[group] = self.now + pause;
        }
    }

    fn group_of(&self, step: StepIndex) -> usize {
        (0..self.groups.len()).find(|group| self.members(*group).any(|other| other == step)).expect("in one")
    }

    fn in_transition(&self, group: usize) -> usize {
        self.members(group).filter(|step| self.status[*step].is_in_transition()).count()
    }

    fn failed_before(&self, group: usize) -> bool {
        let hard = self.groups[group].after.iter().filter(|(_, strength)| *strength == Hard);
        let own = (self.groups[group].on_failure == OnFailure::Stop).then_some(group);
        hard.map(|(other, _)| *other)
            .chain(own)
            .flat_map(|other| self.members(other))
            .any(|step| matches!(self.status[step], Status::Failed | Status::Skipped))
    }

    /// All steps that could be given now, the ones of the longest chain first.
    fn next(&mut self) -> Option<StepIndex> {
        let in_all: usize = (0..self.groups.len()).map(|group| self.in_transition(group)).sum();
        if self.slots.is_some_and(|slots| in_all >= slots) {
            return None;
        }
        let may_go = |group: usize, step: StepIndex| {
            let mut before = self.groups[group].after.iter().flat_map(|(other, _)| self.members(*other));
            let resting = self.resting[group].iter().filter(|at| **at > self.now).count();
            before.all(|step| self.status[step].has_ended())
                && self.groups[group].at_once.is_none_or(|most| self.in_transition(group) + resting < most)
                && self.begins_at[group] <= self.now
                && self.stage_of(step) == self.stage(group)
        };
        let candidates = self.queued.iter().map(|step| (self.group_of(*step), *step));
        let (_, step) = candidates
            .filter(|(group, step)| may_go(*group, *step))
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
            self.end(step, Status::Skipped);
            skipped.insert(step);
        }
    }
}

/// Groups that come after earlier ones only, so that there is no cycle.
fn any_groups() -> impl Strategy<Value = (Vec<ReadyGroup>, usize)> {
    let strength = prop_oneof![5 => Just(None), 2 => Just(Some(Hard)), 1 => Just(Some(Soft))];
    let stage = (0usize..4, 0usize..2, 0usize..2);
    let turns = (prop::option::of(1usize..3), 0u64..4, prop::sample::select(vec![0, 0, 2, 5]), any::<bool>());
    let group = (prop::collection::vec(stage, 1..3), prop::collection::vec(strength, 8), turns);
    prop::collection::vec(group, 1..8).prop_map(|cases| {
        let mut steps = 0;
        let mut take = |count: usize| {
            steps += count;
            (steps - count..steps).collect::<Vec<_>>()
        };
        let groups = cases
            .into_iter()
            .enumerate()
            .map(|(at, (stages, needs, (at_once, chain, pause, stops)))| ReadyGroup {
                after: (0..at).filter_map(|other| Some((other, (*needs.get(other)?)?))).collect(),
                stages: stages
                    .into_iter()
                    .map(|(queued, moving, probed)| ReadyStage {
                        steps: take(queued),
                        moving: take(moving),
                        probed: take(probed),
                    })
                    .collect(),
                at_once,
                pause: secs(pause),
                on_failure: if stops { OnFailure::Stop } else { OnFailure::Continue },
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
                let next = ready.next(slow.now);
                prop_assert_eq!(next, slow.next());
                if next.is_none() {
                    break;
                }
            }
            for (group, made) in groups.iter().enumerate() {
                let at_first = made.stages.iter().map(|stage| stage.moving.len()).sum();
                let most = made.at_once.map_or(usize::MAX, |most| most.max(at_first));
                prop_assert!(slow.in_transition(group) <= most);
            }
            let is_open = |step: &StepIndex| {
                slow.status[*step].is_in_transition() || slow.status[*step] == Status::Probed
            };
            let open: Vec<StepIndex> = (0..steps).filter(is_open).collect();
            let Some(&step) = random.choice(&open).filter(|_| random.u8(0..5) > 0) else {
                // Time passes, to the moment at which something is promised if nothing else can happen.
                match ready.wake_at() {
                    Some(at) => slow.now = slow.now.max(at),
                    None if open.is_empty() => break,
                    None => {}
                }
                continue;
            };
            slow.now += secs(random.u64(0..3));
            let now = slow.now;
            let is_moving = slow.status[step] == Status::Moving;
            if is_moving && random.bool() {
                // It settles, and stands in line, unless a failure came before.
                let must_not = slow.failed_before(slow.group_of(step));
                prop_assert_eq!(ready.skipped_by(step).is_some(), must_not);
                if must_not {
                    slow.end(step, Status::Skipped);
                    let skips: BTreeSet<_> = ready.fail(step, now).iter().map(|skip| skip.step).collect();
                    prop_assert_eq!(skips, slow.skip());
                } else {
                    slow.status[step] = Status::Queued;
                    slow.queued.push(step);
                    ready.settle(step, now);
                }
            } else if random.u8(0..4) > 0 {
                slow.end(step, Status::Finished);
                ready.finish(step, now);
            } else {
                slow.end(step, Status::Failed);
                let skips = ready.fail(step, now);
                for skip in &skips {
                    let (failed, skipped) = (slow.group_of(skip.because), slow.group_of(skip.step));
                    let is_next = failed == skipped || groups[skipped].after.contains(&(failed, Hard));
                    prop_assert!(is_next, "not the nearest");
                }
                let skips: BTreeSet<_> = skips.iter().map(|skip| skip.step).collect();
                prop_assert_eq!(skips, slow.skip());
            }
        }
        prop_assert!(slow.status.iter().all(|status| status.has_ended()), "{:?}", slow.status);
    }
}
