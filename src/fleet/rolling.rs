//! How the instances of one entry take their turns, and what a missing stock means for them.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// At most so many instances of an entry in transition at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AtOnce {
    /// This many.
    Count(NonZeroU32),
    /// This share of the entry's instances, in percent from 1 to 100: rounded down, but at least one.
    Percent(u8),
}

impl AtOnce {
    /// How many that is of so many instances.
    #[must_use]
    pub fn of(self, instances: usize) -> NonZeroU32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let share = instances.saturating_mul(usize::from(percent)) / 100;
                NonZeroU32::new(u32::try_from(share).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
            }
        }
    }
}

/// In which order the instances of one entry go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RollingOrder {
    /// Zone by zone, in the order of their names: no instance of a zone before all of the zone before have ended.
    Zones,
    /// As `ids` lists them.
    AsListed,
}

/// What the failure of one instance means for those of the same entry whose turn has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnFailure {
    /// They go on.
    #[default]
    Continue,
    /// They are skipped.
    Stop,
}

/// What to do where a start finds no stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnNoStock {
    /// It has failed.
    #[default]
    Fail,
    /// Ask again, calmly, for so long since the first refusal.
    RetryFor(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_to_at_least_one() {
        for (percent, instances, count) in
            [(25, 4, 1), (25, 7, 1), (25, 8, 2), (100, 3, 3), (1, 1000, 10), (50, 1, 1), (10, 0, 1)]
        {
            assert_eq!(AtOnce::Percent(percent).of(instances).get(), count, "{percent} % of {instances}");
        }
        assert_eq!(AtOnce::Count(NonZeroU32::MIN).of(9).get(), 1);
    }
}
