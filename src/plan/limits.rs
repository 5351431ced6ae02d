//! How many calls a plan holds, and whether that is more than the configuration lets pass without a word more.

use super::{Call, Plan};
use crate::fleet::CallLimits;

/// A limit that a plan is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excess {
    /// The call that is limited.
    pub call: Call,
    /// How many of it the plan holds.
    pub planned: usize,
    /// How many it may hold.
    pub limit: u32,
}

impl Plan {
    /// How many of a call the plan holds: those that it makes, and those that follow if a Pending instance settles away
    /// from its goal.
    #[must_use]
    pub fn calls(&self, call: Call) -> usize {
        let calls = self.changes.iter().filter_map(|change| change.verdict.request());
        calls.filter(|request| request.call() == call).count()
    }

    /// The limits that the plan is over.
    #[must_use]
    pub fn over(&self, limits: CallLimits) -> Vec<Excess> {
        let CallLimits { starts, stops } = limits;
        [(Call::Start, starts), (Call::Stop, stops)]
            .into_iter()
            .filter_map(|(call, limit)| Some(Excess { call, planned: self.calls(call), limit: limit? }))
            .filter(|excess| excess.planned > excess.limit as usize)
            .collect()
    }
}
