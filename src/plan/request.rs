//! Which call a verdict makes, and with which parameters: said once, for everybody who counts, shows, asks about or
//! makes the calls of a plan.

use super::{Call, Then, Verdict};
use crate::fleet::StopPolicy;

/// A call with every parameter of it that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// StartInstance.
    Start {
        /// `InitLocalDisk`: data on local disks is destroyed.
        init_local_disk: bool,
    },
    /// StopInstance.
    Stop {
        /// `StoppedMode` and `ForceStop`.
        policy: StopPolicy,
    },
}

impl Request {
    /// The call without its parameters.
    #[must_use]
    pub fn call(self) -> Call {
        match self {
            Self::Start { .. } => Call::Start,
            Self::Stop { .. } => Call::Stop,
        }
    }
}

impl Then {
    /// The call that follows, if one does.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        match self {
            Self::Start { init_local_disk } => Some(Request::Start { init_local_disk: *init_local_disk }),
            Self::Stop { policy } => Some(Request::Stop { policy: *policy }),
            Self::Blocked(_) => None,
        }
    }
}

impl Verdict {
    /// The call that may be made: the certain one, or the one that follows if a Pending instance settles away from its
    /// goal.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        match self {
            Self::Wait { then, .. } => then.as_ref()?.request(),
            _ => self.certain_request(),
        }
    }

    /// The call that will be made, unless its instance moves first.
    #[must_use]
    pub fn certain_request(&self) -> Option<Request> {
        match self {
            Self::Start { init_local_disk, .. } => Some(Request::Start { init_local_disk: *init_local_disk }),
            Self::Stop { policy, .. } => Some(Request::Stop { policy: *policy }),
            Self::InSync | Self::Wait { .. } | Self::Blocked(_) | Self::Release | Self::Any => None,
        }
    }
}
