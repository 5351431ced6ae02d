//! In which turns the calls of a plan come, and how long all of it is expected to take: told to people beforehand.
//!
//! Execution does not read this. It has no turns and goes by what it sees; the turns only say what cannot come before
//! what.

use std::time::Duration;

use super::Plan;
use super::course::Course;
use crate::fleet::EntryIndex;

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
    /// What is expected of them together, as far as it is recorded, with the pauses between their instances.
    pub takes: Duration,
    /// The entries, first to last. What is not recorded of them is taken for nothing.
    pub entries: Vec<EntryIndex>,
}

impl Outlook {
    /// The outlook of a plan, as if ECS allowed any number of calls at once. What the turns of an entry
    /// spread out is counted.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let course = Course::of(plan);
        let expected = |change: usize| plan.changes.get(change).and_then(|change| change.expected);
        let (longest, unknown) = course.longest(expected);
        Self { turns: course.turns(), longest, unknown }
    }

    /// How many entries hold a step.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.turns.iter().map(Vec::len).sum()
    }
}
