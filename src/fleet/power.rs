//! What a machine is, and what may be asked of it: two different types, so that nobody can ask for "Starting".

use std::fmt;

use serde::{Deserialize, Serialize};

/// The power status that ECS reports for an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Power {
    /// Being created.
    Pending,
    /// On its way up.
    Starting,
    /// Powered on; says nothing about the guest.
    Running,
    /// On its way down.
    Stopping,
    /// Off.
    Stopped,
    /// A word that this program does not know: nothing is done to such an instance.
    Unrecognised(Box<str>),
}

impl Power {
    /// Reads ECS's word. Letter case is ignored, because ECS's pages are not of one mind about it elsewhere.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        for known in [Self::Pending, Self::Starting, Self::Running, Self::Stopping, Self::Stopped] {
            if known.word().eq_ignore_ascii_case(word) {
                return known;
            }
        }
        Self::Unrecognised(word.into())
    }

    /// ECS's word.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Pending => "Pending",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Unrecognised(word) => word,
        }
    }

    /// Whether the instance is on its way somewhere else.
    #[must_use]
    pub fn is_in_transition(&self) -> bool {
        match self {
            Self::Pending | Self::Starting | Self::Stopping => true,
            Self::Running | Self::Stopped | Self::Unrecognised(_) => false,
        }
    }
}

impl From<String> for Power {
    fn from(word: String) -> Self {
        Self::from_word(&word)
    }
}

impl From<Power> for String {
    fn from(power: Power) -> Self {
        power.word().to_owned()
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What the configuration wants of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Goal {
    /// It shall run.
    Running,
    /// It shall be stopped.
    Stopped,
    /// Looked at, never touched; others may depend on it.
    Any,
}

impl Goal {
    /// The word of the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Stopped => "Stopped",
            Self::Any => "Any",
        }
    }

    /// Whether an instance seen as `power` is at this goal. Everything is at the goal `Any`.
    #[must_use]
    pub fn is_met_by(self, power: &Power) -> bool {
        match self {
            Self::Running => *power == Power::Running,
            Self::Stopped => *power == Power::Stopped,
            Self::Any => true,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How a stop shall leave the instance's resources: the `StoppedMode` parameter of StopInstance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum StopMode {
    /// Resources stay reserved and are billed.
    #[default]
    KeepCharging,
    /// Economical mode: computing resources are given back; a later start may find no stock, and a public address
    /// may change.
    StopCharging,
}

impl StopMode {
    /// ECS's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::KeepCharging => "KeepCharging",
            Self::StopCharging => "StopCharging",
        }
    }
}

impl fmt::Display for StopMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How ECS says that an instance is stopped: the `StoppedMode` field of DescribeInstances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum StoppedMode {
    /// Stopped, resources kept and billed.
    KeepCharging,
    /// Stopped in economical mode.
    StopCharging,
    /// Not stopped, or the mode does not apply, or ECS did not say.
    #[default]
    NotApplicable,
}

impl StoppedMode {
    /// Reads ECS's word, ignoring letter case. Anything unknown counts as not applicable.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        if word.eq_ignore_ascii_case("KeepCharging") {
            Self::KeepCharging
        } else if word.eq_ignore_ascii_case("StopCharging") {
            Self::StopCharging
        } else {
            Self::NotApplicable
        }
    }

    /// ECS's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::KeepCharging => "KeepCharging",
            Self::StopCharging => "StopCharging",
            Self::NotApplicable => "Not-applicable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_ecs_are_read_without_regard_to_case_and_unknown_ones_are_kept() {
        assert_eq!(Power::from_word("running"), Power::Running);
        assert_eq!(Power::from_word("STOPPED"), Power::Stopped);
        assert_eq!(Power::from_word("Hibernated").word(), "Hibernated");
        assert_eq!(StoppedMode::from_word("stopCharging"), StoppedMode::StopCharging);
        assert_eq!(StoppedMode::from_word("Not-applicable"), StoppedMode::NotApplicable);
        assert_eq!(StoppedMode::from_word("odd"), StoppedMode::NotApplicable);
    }
}
