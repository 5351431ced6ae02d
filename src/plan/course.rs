//! The steps of a plan along their order: how long they take together, before any of them has begun and while they go
//! on.
//!
//! Execution does not read this.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::order::in_turn;
use super::{Chain, Group, Plan, Sequence, Verdict};
use crate::fleet::{EntryIndex, Goal};

/// Whether each group has a step towards its goal that others may have to wait for.
#[must_use]
pub fn moving_groups(plan: &Plan) -> Vec<bool> {
    plan.groups
        .iter()
        .map(|group| {
            let mut steps = steps(plan, &group.changes);
            steps.any(|at| is_awaited(&plan.changes[at].verdict, group.goal))
        })
        .collect()
}

fn is_awaited(verdict: &Verdict, goal: Goal) -> bool {
    match verdict {
        Verdict::Start { .. } => goal == Goal::Running,
        Verdict::Stop { .. } => goal == Goal::Stopped,
        Verdict::Wait { until, .. } => *until == goal,
        Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => false,
    }
}

fn steps(plan: &Plan, changes: &[usize]) -> impl Iterator<Item = usize> {
    changes.iter().copied().filter(|at| {
        let verdict = plan.changes.get(*at).map(|change| &change.verdict);
        matches!(verdict, Some(Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. }))
    })
}

/// The steps of a plan in the order in which they have to come. Made once, it tells as often as is asked how long what
/// remains of them will take.
#[derive(Debug)]
pub struct Course {
    /// Each after all that it comes after.
    legs: Vec<Leg>,
}

/// The steps of an entry, or where it goes zone by zone, those of one of its zones.
#[derive(Debug)]
struct Leg {
    entry: EntryIndex,
    /// How many entries come before it, one after the other.
    turn: usize,
    /// The legs that it comes after.
    after: Vec<usize>,
    /// The leg of the zone before, which has to have ended for the time of a pause.
    zone_before: Option<usize>,
    /// How many of its steps may be under way at a time.
    at_once: usize,
    /// How long a turn rests between the end of one step and the beginning of the next.
    pause: Duration,
    /// Whether the steps go as they stand here. Otherwise those that take longest go first.
    is_listed: bool,
    /// Their positions in [`Plan::changes`].
    steps: Vec<usize>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// It will take so long once its turn has come, if that is known.
    Ahead(Option<Duration>),
    /// It is under way, and expected to end then, if that is known. That may have been expected for earlier than now.
    UnderWay(Option<Duration>),
    /// It has ended then. Where it never began that is zero.
    Ended(Duration),
}

/// What remains of an apply. Times are since it began; what is not known is taken for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remainder {
    /// How many steps have not ended.
    pub steps: usize,
    /// Whether something is known of all of them.
    pub is_known: bool,
    /// When the last of them is expected to end. If none is ahead, that may have been expected for earlier than now.
    pub ends: Duration,
    /// When the first of those ahead is expected to begin, if any is. Until then all of this holds, unless something
    /// happens.
    pub next: Option<Duration>,
    /// How long they would take one after the other.
    pub work: Duration,
}

impl Course {
    /// The steps of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let moving = moving_groups(plan);
        let mut turns = vec![0; plan.groups.len()];
        let mut order = Vec::new();
        for at in in_turn(&plan.groups) {
            let group = &plan.groups[at];
            if steps(plan, &group.changes).next().is_some() {
                // What does not move towards its goal holds nobody up.
                let before =
                    group.after.iter().map(|after| after.group.at()).filter(|before| moving[*before]);
                turns[at] = before.map(|before| turns[before] + 1).max().unwrap_or(0);
                order.push(at);
            }
        }
        // In a large plan it matters that what is looked at one after the other lies side by side.
        order.sort_unstable_by_key(|at| (turns[*at], *at));
        let mut legs_of = vec![0..0; plan.groups.len()];
        let mut legs: Vec<Leg> = Vec::with_capacity(order.len());
        for at in order {
            let group = &plan.groups[at];
            let first = legs.len();
            for zone in zones(group) {
                let steps: Vec<usize> = steps(plan, zone).collect();
                if steps.is_empty() {
                    continue;
                }
                legs.push(Leg {
                    entry: index(at),
                    turn: turns[at],
                    after: group.after.iter().flat_map(|after| legs_of[after.group.at()].clone()).collect(),
                    zone_before: (legs.len() > first).then(|| legs.len() - 1),
                    at_once: group.at_once.map_or(usize::MAX, |at_once| at_once.get() as usize),
                    pause: group.pause,
                    is_listed: matches!(group.sequence, Some(Sequence::AsListed(_))),
                    steps,
                });
            }
            if moving[at] {
                legs_of[at] = first..legs.len();
            }
        }
        Self { legs }
    }

    /// The entries that come first, those that come after some of them, and so on; each time in the order of the plan.
    pub(super) fn turns(&self) -> Vec<Vec<EntryIndex>> {
        let turns = self.legs.chunk_by(|one, other| one.turn == other.turn);
        let entries = |legs: &[Leg]| {
            let mut entries: Vec<EntryIndex> = legs.iter().map(|leg| leg.entry).collect();
            entries.dedup();
            entries
        };
        turns.map(entries).collect()
    }

    /// What remains at a moment, by how each step stands, which is named by its position in [`Plan::changes`]. As if ECS
    /// allowed any number of calls at once; what the turns of an entry spread out is counted.
    #[must_use]
    pub fn remainder(&self, now: Duration, stand: impl Fn(usize) -> Stand) -> Remainder {
        self.follow(now, stand, |_| ()).1
    }

    /// When the last step of each leg ends, and what remains. Says of which entries something is not known.
    fn follow(
        &self,
        now: Duration,
        stand: impl Fn(usize) -> Stand,
        mut unknown: impl FnMut(EntryIndex),
    ) -> (Vec<Duration>, Remainder) {
        let mut whole = Remainder { is_known: true, ..Remainder::default() };
        let mut all: Vec<Duration> = Vec::with_capacity(self.legs.len());
        let mut open = Open::default();
        for leg in &self.legs {
            open.take(leg, leg.steps.iter().map(|step| stand(*step)));
            if !open.is_known {
                unknown(leg.entry);
            }
            let zone = leg.zone_before.map(|zone| all[zone].saturating_add(leg.pause));
            let before = leg.after.iter().map(|before| all[*before]).chain(zone);
            let (next, ends) = open.spread(leg, before.fold(now, Duration::max));
            let left = open.ahead.len() + open.under_way.len();
            if left > 0 {
                whole.steps += left;
                whole.is_known &= open.is_known;
                whole.work = whole.work.saturating_add(open.work(now));
                whole.next = [whole.next, next].into_iter().flatten().min();
                whole.ends = whole.ends.max(ends);
            }
            all.push(ends.max(open.ended));
        }
        (all, whole)
    }

    /// The longest chain, and the entries of which something is not known, before anything has begun.
    pub(super) fn longest(&self, takes: impl Fn(usize) -> Option<Duration>) -> (Chain, Vec<EntryIndex>) {
        let mut unknown = Vec::new();
        let stand = |change| Stand::Ahead(takes(change));
        let (ends, Remainder { ends: takes, .. }) =
            self.follow(Duration::ZERO, stand, |entry| unknown.push(entry));
        unknown.sort_unstable();
        unknown.dedup();
        // Of those that end together the first in the order of the plan.
        let rank = |leg: &usize| (ends[*leg], Reverse(self.legs[*leg].entry));
        let end = (0..self.legs.len()).max_by_key(rank).filter(|end| !ends[*end].is_zero());
        let before = |leg: &usize| {
            let Leg { after, zone_before, .. } = &self.legs[*leg];
            zone_before.or_else(|| after.iter().copied().max_by_key(rank))
        };
        let mut entries: Vec<EntryIndex> =
            std::iter::successors(end, before).map(|leg| self.legs[leg].entry).collect();
        entries.reverse();
        entries.dedup();
        (Chain { takes, entries }, unknown)
    }
}

/// The instances of a group that may go together.
fn zones(group: &Group) -> &[Vec<usize>] {
    match &group.sequence {
        Some(Sequence::ByZone(zones)) => zones,
        Some(Sequence::AsListed(listed)) => std::slice::from_ref(listed),
        None => std::slice::from_ref(&group.changes),
    }
}

fn index(position: usize) -> EntryIndex {
    EntryIndex(u32::try_from(position).unwrap_or(u32::MAX))
}

/// The steps of a leg, by where they stand.
#[derive(Debug, Default)]
struct Open {
    /// What those ahead take.
    ahead: Vec<Duration>,
    /// When those under way end.
    under_way: Vec<Duration>,
    /// When turns come free that rest after those that have ended.
    resting: Vec<Duration>,
    /// When the last of those that have ended did.
    ended: Duration,
    /// Whether something is known of all that have not ended.
    is_known: bool,
}

impl Open {
    /// Takes in the steps of another leg, instead of those before.
    fn take(&mut self, leg: &Leg, steps: impl Iterator<Item = Stand>) {
        self.ahead.clear();
        self.under_way.clear();
        self.resting.clear();
        self.ended = Duration::ZERO;
        self.is_known = true;
        for step in steps {
            let (list, time) = match step {
                Stand::Ahead(takes) => (&mut self.ahead, takes),
                Stand::UnderWay(ends) => (&mut self.under_way, ends),
                Stand::Ended(at) => {
                    self.ended = self.ended.max(at);
                    if !leg.pause.is_zero() && !at.is_zero() {
                        self.resting.push(at.saturating_add(leg.pause));
                    }
                    continue;
                }
            };
            list.push(time.unwrap_or_default());
            self.is_known &= time.is_some();
        }
    }

    /// How long they take one after the other.
    fn work(&self, now: Duration) -> Duration {
        let left = self.under_way.iter().map(|ends| ends.saturating_sub(now));
        self.ahead.iter().copied().chain(left).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// When the first of those ahead begins, if any is, and when the last of those that have not ended does, where those
    /// ahead may begin at a moment, as many at a time as may.
    fn spread(&mut self, leg: &Leg, begins: Duration) -> (Option<Duration>, Duration) {
        let mut last = self.under_way.iter().copied().max().unwrap_or_default();
        let Some(longest) = self.ahead.iter().max() else { return (None, last) };
        self.resting.retain(|free| *free > begins);
        if self.ahead.len() + self.under_way.len() + self.resting.len() <= leg.at_once {
            return (Some(begins), last.max(begins.saturating_add(*longest)));
        }
        if !leg.is_listed {
            self.ahead.sort_unstable_by_key(|takes| Reverse(*takes));
        }
        let mut taken: Vec<Duration> = self.under_way.iter().map(|ends| begins.max(*ends)).collect();
        taken.iter_mut().for_each(|ends| *ends = ends.saturating_add(leg.pause));
        taken.append(&mut self.resting);
        // More than that may be under way: what moved before it was called takes no turn.
        taken.sort_unstable_by_key(|free| Reverse(*free));
        let turns = taken.into_iter().chain(std::iter::repeat(begins)).take(leg.at_once);
        let mut free_at: BinaryHeap<Reverse<Duration>> = turns.map(Reverse).collect();
        let first = free_at.peek().map(|Reverse(first)| *first);
        for takes in &self.ahead {
            let Reverse(begins) = free_at.pop().unwrap_or_default();
            let ends = begins.saturating_add(*takes);
            last = last.max(ends);
            free_at.push(Reverse(ends.saturating_add(leg.pause)));
        }
        (first, last)
    }
}
