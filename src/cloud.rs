//! What this program needs from a cloud: one trait with three verbs, two of them also for many at once, and one error.
//!
//! `observe` and `execute` see only this, never HTTP. The trait is kept so small that a test twin can be honest.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fleet::{InstanceId, ProviderAlias, Region, Selector, Sighting, StopPolicy};

/// Where each provider's instances are looked at and called.
pub type Clouds<C> = BTreeMap<ProviderAlias, Arc<C>>;

/// One region of one account.
pub trait Cloud: Send + Sync {
    /// The region that is looked at.
    fn region(&self) -> &Region;

    /// Looks at some instances, at most [`LOOK_LIMIT`] of them. Instances that are not there are missing from the
    /// answer, which has no order.
    ///
    /// Reads are repeated inside where that is safe; what comes back as an error has been tried enough.
    fn describe(&self, ids: &[InstanceId]) -> impl Future<Output = Result<Vec<Sighting>, Refusal>> + Send;

    /// Asks for one start. Success means that the request was accepted, not that the instance runs. Sent at most
    /// once: whether to send again is for the caller to decide after a look.
    ///
    /// It is sent now or not at all. Where it is known that the cloud would refuse it because too many come, it is not
    /// sent, and comes back as [`Advice::Throttled`] with the time to ask again.
    fn start(&self, request: StartRequest) -> impl Future<Output = Result<Accepted, Refusal>> + Send;

    /// Asks for one stop. As [`Cloud::start`].
    fn stop(&self, request: StopRequest) -> impl Future<Output = Result<Accepted, Refusal>> + Send;

    /// Asks for several starts in one request, each for itself: one that is refused holds up no other. At most
    /// [`BATCH_LIMIT`], each instance once, and none that restores local disks; otherwise nothing is sent and all are
    /// refused as [`Advice::Final`].
    ///
    /// The answer has every instance that was asked for, in that order. What befell the request as a whole (throttled,
    /// denied, no answer) is said of each of them; an instance that the answer does not name has an
    /// [`Advice::OutcomeUnknown`]. Sent at most once, now or not at all, as [`Cloud::start`].
    fn start_many(
        &self,
        requests: Vec<StartRequest>,
    ) -> impl Future<Output = Vec<(InstanceId, Result<Accepted, Refusal>)>> + Send;

    /// Asks for several stops in one request, all with the same policy. As [`Cloud::start_many`].
    fn stop_many(
        &self,
        requests: Vec<StopRequest>,
    ) -> impl Future<Output = Vec<(InstanceId, Result<Accepted, Refusal>)>> + Send;
}

/// A cloud that finds instances by what they are like.
pub trait Search: Send + Sync {
    /// Finds every instance of the region that fits, in the order of their ids. An empty answer may mean that the
    /// credentials are not allowed to see them.
    ///
    /// It is repeated inside where that is safe; what comes back as an error has been tried enough.
    fn find(&self, selector: &Selector) -> impl Future<Output = Result<Vec<Found>, Refusal>> + Send;
}

/// One instance that a search has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What a look would show of it.
    pub sighting: Sighting,
    /// Its tags. Untrusted text.
    pub tags: BTreeMap<String, String>,
}

/// A cloud that says beforehand whether it would accept a call.
pub trait Rehearse: Send + Sync {
    /// Asks whether a start would be accepted now. Nothing is started.
    ///
    /// It is repeated inside where that is safe; what comes back as an error has been tried enough, and is what the
    /// start would meet or why it could not be asked.
    fn would_start(&self, request: StartRequest) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Asks whether a stop would be accepted now. As [`Rehearse::would_start`].
    fn would_stop(&self, request: StopRequest) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// A cloud that runs commands inside of instances.
pub trait Assistant: Send + Sync {
    /// Asks for one run of a shell script in an instance, which is ended there after so long. Success means that the
    /// cloud has taken it, not that it runs. Sent at most once, now or not at all, as [`Cloud::start`].
    fn run(
        &self,
        id: &InstanceId,
        script: &str,
        timeout: Duration,
    ) -> impl Future<Output = Result<Invocation, Refusal>> + Send;

    /// Looks what became of it. It is repeated inside where that is safe; what comes back as an error has been tried
    /// enough.
    fn outcome(&self, invocation: &Invocation) -> impl Future<Output = Result<Ran, Refusal>> + Send;
}

/// One run of a script that the cloud has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The id under which the cloud keeps it.
    pub id: String,
    /// Where it runs.
    pub instance: InstanceId,
}

/// What became of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// It has not ended, or not begun.
    StillRunning,
    /// It ran to its end.
    Ended {
        /// What it ended with; 0 where all is well.
        exit_code: i64,
        /// The end of what it said. Untrusted text.
        output: String,
    },
    /// It did not run, or not to its end.
    Failed {
        /// Why. Untrusted text.
        why: String,
    },
}

/// The most instances that one look takes: the limit of `InstanceIds` in DescribeInstances.
pub const LOOK_LIMIT: usize = 100;

/// The most instances that one batch of starts or stops takes: the limit of `InstanceId.N` in StartInstances.
pub const BATCH_LIMIT: usize = 100;

/// What a start asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRequest {
    /// The instance.
    pub id: InstanceId,
    /// Whether failed local disks are restored, which destroys the data on them.
    pub init_local_disk: bool,
}

/// What a stop asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopRequest {
    /// The instance.
    pub id: InstanceId,
    /// How it is stopped.
    pub policy: StopPolicy,
}

/// ECS has taken the request and will work on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// The id under which ECS keeps the request.
    pub request_id: Option<String>,
}

/// Why a request did not succeed, and what a caller may do about it.
///
/// Its text names all that helps to find it again: `Code: message (request ID)`, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What may be done next.
    pub advice: Advice,
    /// ECS's error code, where there was an answer with one.
    pub code: Option<String>,
    /// What happened, in words: ECS's own message where there is one. Untrusted text.
    pub message: String,
    /// The id under which ECS keeps the request.
    pub request_id: Option<String>,
    /// The HTTP status of the answer, where there was one.
    pub http_status: Option<u16>,
    /// ECS's own trouble-shooting link. Untrusted text.
    pub recommend: Option<String>,
    /// What a person can do about it.
    pub remedy: Option<Cow<'static, str>>,
}

impl Refusal {
    /// A refusal that carries no more than advice and words.
    #[must_use]
    pub fn new(advice: Advice, message: impl Into<String>) -> Self {
        Self {
            advice,
            code: None,
            message: message.into(),
            request_id: None,
            http_status: None,
            recommend: None,
            remedy: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.trim().trim_end_matches('.');
        match &self.code {
            Some(code) if message.is_empty() => f.write_str(code)?,
            Some(code) => write!(f, "{code}: {message}")?,
            None if message.is_empty() => f.write_str("no reason given")?,
            None => f.write_str(message)?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// What may be done after a refusal. Decided once, by a table over codes; obeyed by loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Advice {
    /// Nothing: asking again would be refused again.
    Final,
    /// Nothing for now: there is no capacity. Final unless a policy says to be patient.
    Capacity,
    /// The request was refused before it was looked at, because too many came. Send again when the window opens.
    Throttled {
        /// How long the server asks to wait, where it does.
        retry_after: Option<Duration>,
    },
    /// The instance or ECS is busy: look, wait, send again while the status still asks for it.
    Busy {
        /// How often the request may be sent in all.
        sends: u32,
    },
    /// The instance was not in the status that the request needs: look and classify.
    WrongStatus,
    /// It is not known whether the request took effect: look before anything else.
    OutcomeUnknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_code_message_and_request_as_far_as_they_are_known() {
        let with = |code: Option<&str>, message: &str, request_id: Option<&str>| {
            let refusal = Refusal::new(Advice::Final, message);
            let (code, request_id) = (code.map(str::to_owned), request_id.map(str::to_owned));
            Refusal { code, request_id, ..refusal }.to_string()
        };
        assert_eq!(with(Some("DiskError"), "No disk. ", Some("R-1")), "DiskError: No disk (request R-1)");
        assert_eq!(with(Some("DiskError"), "", None), "DiskError");
        assert_eq!(with(None, "connection refused", None), "connection refused");
        assert_eq!(with(None, " ", Some("R-1")), "no reason given (request R-1)");
    }
}
