//! What the state file remembers. It explains; it never decides.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Address, Goal, InstanceKey, Power, StackName};

/// The record of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The stack it belongs to.
    pub stack: StackName,
    /// Made once with the record; two records with different lineages have nothing to do with each other.
    pub lineage: Uuid,
    /// Rises by one with each write that changes the record. 0 for a record that was never written.
    pub serial: u64,
    /// What is known of each instance that the stack has managed.
    pub instances: BTreeMap<InstanceKey, RecordedInstance>,
}

impl Recorded {
    /// The record of a stack that was never applied.
    #[must_use]
    pub fn new(stack: StackName, lineage: Uuid) -> Self {
        Self { stack, lineage, serial: 0, instances: BTreeMap::new() }
    }
}

/// What the record says of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedInstance {
    /// Its address when it was recorded.
    pub address: Address,
    /// The goal it had then.
    pub goal: Goal,
    /// The status that the last apply left it in, as seen.
    pub power: Power,
    /// When that was recorded.
    pub recorded_at: Timestamp,
    /// How long its starts and stops took.
    pub took: Durations,
}

/// How long past starts and stops took, newest last, at most [`Durations::KEPT`] of each, to the millisecond.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// From the accepted call to Running, as far as the looks tell that were made around its arrival.
    pub starts: Vec<Duration>,
    /// From the accepted call to Stopped, as far as the looks tell that were made around its arrival.
    pub stops: Vec<Duration>,
}

impl Durations {
    /// How many of each are kept: enough for a median that one odd boot does not move.
    pub const KEPT: usize = 5;

    /// Ways are alike if the longest takes at most so many times as long as the shortest.
    const ALIKE: f64 = 1.25;

    /// Whether ways of these lengths are alike, so that one tells how long another takes.
    #[must_use]
    pub fn are_alike(shortest: Duration, longest: Duration) -> bool {
        // In seconds, because the shortest of none is longer than can be multiplied.
        longest.as_secs_f64() <= shortest.as_secs_f64() * Self::ALIKE
    }

    /// Adds a start.
    pub fn add_start(&mut self, took: Duration) {
        Self::add(&mut self.starts, took);
    }

    /// Adds a stop.
    pub fn add_stop(&mut self, took: Duration) {
        Self::add(&mut self.stops, took);
    }

    /// What a start is expected to take: the median of those kept.
    #[must_use]
    pub fn expected_start(&self) -> Option<Duration> {
        Self::median(&self.starts)
    }

    /// What a stop is expected to take: the median of those kept.
    #[must_use]
    pub fn expected_stop(&self) -> Option<Duration> {
        Self::median(&self.stops)
    }

    fn add(list: &mut Vec<Duration>, took: Duration) {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        list.push(Duration::from_millis(milliseconds));
        if list.len() > Self::KEPT {
            list.remove(0);
        }
    }

    fn median(list: &[Duration]) -> Option<Duration> {
        let mut sorted = list.to_vec();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_duration_is_the_median_of_the_last_five() {
        let mut took = Durations::default();
        assert_eq!(took.expected_start(), None);
        for seconds in [100, 4, 5, 6, 7, 300] {
            took.add_start(Duration::from_secs(seconds));
        }
        assert_eq!(took.starts.len(), Durations::KEPT);
        assert_eq!(took.expected_start(), Some(Duration::from_secs(6)));
        assert_eq!(took.expected_stop(), None);
    }
}
