//! Asks an instance whether it is ready, by one probe, once.
//!
//! When it is asked, how often and what the answer means is for `execute` to know; here is only how. One attempt never
//! outlives its time, and none waits for another. Whatever an answer quotes is untrusted text of bounded length.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use crate::fleet::{Address, InstanceKey, Probe, Region};

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// How people name it.
    pub address: Address,
    /// Where it is known.
    pub key: InstanceKey,
    /// Where it lives.
    pub region: Option<Region>,
    /// The name that people gave it: untrusted text.
    pub name: String,
    /// Its private address, as last seen.
    pub private_address: Option<IpAddr>,
    /// Its public address, as last seen.
    pub public_address: Option<IpAddr>,
}

/// One attempt of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Who is asked.
    pub subject: Subject,
    /// What is asked.
    pub probe: Probe,
    /// The attempt has ended after so long, whatever happens.
    pub timeout: Duration,
}

/// It is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// What it answered, or why there was no answer: one line of bounded length. Untrusted text.
    pub answer: String,
}

/// Asks instances whether they are ready.
pub trait Prober: Send + Sync {
    /// Makes one attempt, and ends within its time. Dropped before that, it leaves nothing behind on this machine.
    ///
    /// # Errors
    /// [`NotReady`], with the answer.
    fn attempt(&self, attempt: Attempt) -> impl Future<Output = Result<(), NotReady>> + Send;
}
