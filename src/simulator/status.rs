//! What an instance is, in the words that ECS uses. These are the simulator's own words: the client's are not shared,
//! so that the two can disagree.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The status of an instance at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// Being created.
    Pending,
    /// On its way up.
    Starting,
    /// Powered on.
    Running,
    /// On its way down.
    Stopping,
    /// Powered off.
    Stopped,
    /// No longer there: reads leave it out, calls do not find it. ECS has no word for it; this one is only met in
    /// account files and memories.
    Released,
    /// A word that ECS does not have today. It is shown as it is, so that clients meet words they do not know.
    Other(String),
}

impl Status {
    /// The five words that ECS documents.
    pub const DOCUMENTED: [Self; 5] =
        [Self::Pending, Self::Starting, Self::Running, Self::Stopping, Self::Stopped];

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "Pending",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Released => "Released",
            Self::Other(word) => word,
        }
    }

    /// Where this status leads by itself: a transient one settles, a stable one stays.
    #[must_use]
    pub fn settles_as(&self) -> Option<Self> {
        match self {
            // An instance made by CreateInstance ends up stopped.
            Self::Pending | Self::Stopping => Some(Self::Stopped),
            Self::Starting => Some(Self::Running),
            Self::Running | Self::Stopped | Self::Released | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<String> for Status {
    /// The documented words are known in any case of letters.
    fn from(word: String) -> Self {
        let known = Self::DOCUMENTED.into_iter().chain([Self::Released]);
        let meant = known.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(&word));
        meant.unwrap_or(Self::Other(word))
    }
}

impl FromStr for Status {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self::from(word.to_owned()))
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        match status {
            Status::Other(word) => word,
            documented => documented.as_str().to_owned(),
        }
    }
}

/// What a stopped instance costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoppedMode {
    /// It keeps its resources and is billed for them.
    KeepCharging,
    /// Economical mode: vCPUs, memory and the public address are given back.
    StopCharging,
}

impl StoppedMode {
    /// The word of ECS.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeepCharging => "KeepCharging",
            Self::StopCharging => "StopCharging",
        }
    }
}

/// How an instance is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Charge {
    /// Subscription, until a date.
    PrePaid,
    /// Pay-as-you-go.
    PostPaid,
}

impl Charge {
    /// The word of ECS.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::PrePaid => "PrePaid",
            Self::PostPaid => "PostPaid",
        }
    }
}
