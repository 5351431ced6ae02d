//! In which turns the calls of a plan come, and how long all of it is expected to take: told to people beforehand.
//!
//! Execution does not read this. It has no turns and goes by what it sees; the turns only say what cannot come before
//! what.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::order::in_turn;
use super::{Change, Group, Plan, Verdict};
use crate::fleet::{EntryIndex, Goal};

/// What can be said beforehand of the order and the time of an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The entries in which something is started, stopped or awaited. Those of a turn have to come after something of
    /// the turn before; within a turn they are in the order of their names.
    pub turns: Vec<Vec<EntryIndex>>,
    /// The longest chain of expected durations.
    pub longest: Chain,
    /// The entries with at least one step of which no duration is recorded.
    pub unknown: Vec<EntryIndex>,
}

/// Entries that come after one another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// What is expected of them together, as far as it is recorded.
    pub takes: Duration,
    /// The entries, first to last. What is not recorded of them is taken for nothing.
    pub entries: Vec<EntryIndex>,
}

impl Outlook {
    /// The outlook of a plan, as if ECS allowed any number of calls at once. What `at_once` spreads out is counted.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let moving = moving_groups(plan);
        let mut turns: Vec<Vec<EntryIndex>> = Vec::new();
        let mut unknown = Vec::new();
        let mut places = vec![Place::default(); plan.groups.len()];
        for at in in_turn(&plan.groups) {
            let group = &plan.groups[at];
            if steps(plan, group).next().is_none() {
                continue;
            }
            let before = || group.after.iter().map(|after| after.group.at()).filter(|before| moving[*before]);
            let turn = before().map(|before| places[before].turn + 1).max().unwrap_or(0);
            let last = before().max_by_key(|before| (places[*before].ends, Reverse(*before)));
            let begins = last.map(|last| places[last].ends).unwrap_or_default();
            places[at] = Place { turn, last, ends: begins.saturating_add(takes(plan, group)) };
            if turns.len() <= turn {
                turns.resize_with(turn + 1, Vec::new);
            }
            turns[turn].push(index(at));
            if steps(plan, group).any(|change| change.expected.is_none()) {
                unknown.push(index(at));
            }
        }
        turns.iter_mut().for_each(|turn| turn.sort_unstable());
        unknown.sort_unstable();
        Self { turns, longest: Chain::ending_last(&places), unknown }
    }

    /// How many entries hold a step.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.turns.iter().map(Vec::len).sum()
    }
}

/// Whether each group has a step towards its goal that others may have to wait for.
#[must_use]
pub fn moving_groups(plan: &Plan) -> Vec<bool> {
    plan.groups
        .iter()
        .map(|group| steps(plan, group).any(|change| is_awaited(&change.verdict, group.goal)))
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

fn steps<'p>(plan: &'p Plan, group: &'p Group) -> impl Iterator<Item = &'p Change> {
    group.changes.iter().filter_map(|at| plan.changes.get(*at)).filter(|change| {
        matches!(change.verdict, Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. })
    })
}

/// Where a group stands.
#[derive(Debug, Clone, Default)]
struct Place {
    turn: usize,
    /// What it comes after that ends last.
    last: Option<usize>,
    /// When its last step is expected to end.
    ends: Duration,
}

impl Chain {
    fn ending_last(places: &[Place]) -> Self {
        let ends = |at: &usize| (places[*at].ends, Reverse(*at));
        let Some(end) = (0..places.len()).max_by_key(ends).filter(|end| !places[*end].ends.is_zero()) else {
            return Self::default();
        };
        let mut entries: Vec<EntryIndex> =
            std::iter::successors(Some(end), |at| places[*at].last).map(index).collect();
        entries.reverse();
        Self { takes: places[end].ends, entries }
    }
}

fn index(position: usize) -> EntryIndex {
    EntryIndex(u32::try_from(position).unwrap_or(u32::MAX))
}

/// How long all steps of a group take together: those with the longest duration go first, as many at a time as may.
fn takes(plan: &Plan, group: &Group) -> Duration {
    let mut durations: Vec<Duration> =
        steps(plan, group).map(|change| change.expected.unwrap_or_default()).collect();
    let slots = group.at_once.map_or(durations.len(), |at_once| at_once.get() as usize);
    if slots >= durations.len() {
        return durations.into_iter().max().unwrap_or_default();
    }
    durations.sort_unstable_by_key(|takes| Reverse(*takes));
    let mut free_at: BinaryHeap<Reverse<Duration>> = vec![Reverse(Duration::ZERO); slots].into();
    let mut last = Duration::ZERO;
    for takes in durations {
        let Reverse(begins) = free_at.pop().unwrap_or_default();
        let ends = begins.saturating_add(takes);
        last = last.max(ends);
        free_at.push(Reverse(ends));
    }
    last
}
