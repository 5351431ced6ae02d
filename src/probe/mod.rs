//! Asks an instance whether it is ready, by one probe, once.
//!
//! When it is asked, how often and what the answer means is for `execute` to know; here is only how. One attempt never
//! outlives its time, and none waits for another. Whatever an answer quotes is untrusted text of bounded length.

mod command;
mod http;
mod tcp;

use std::ffi::OsString;
use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use crate::fleet::duration::Words;
use crate::fleet::{Address, InstanceKey, Probe, ProbeAddress, Region};

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

impl NotReady {
    fn new(answer: impl Into<String>) -> Self {
        Self { answer: answer.into() }
    }
}

/// Asks by real connections and processes.
#[derive(Debug, Clone)]
pub struct Probes {
    /// For instances themselves: without a proxy and without encryption.
    pub direct: reqwest::Client,
    /// For URLs, the way everything else goes; none if none is asked.
    pub outer: Option<reqwest::Client>,
    /// Where commands run.
    pub folder: PathBuf,
    /// Variables that commands do not get: what they hold is a secret.
    pub withheld: Vec<OsString>,
}

impl Prober for Probes {
    async fn attempt(&self, attempt: Attempt) -> Result<(), NotReady> {
        let Attempt { subject, probe, timeout: time } = attempt;
        let asking = async {
            match &probe {
                Probe::Tcp { port, address } => tcp::ask(&subject, *port, address).await,
                Probe::Http { target, status, contains } => {
                    http::ask(self, &subject, target, *status, contains.as_deref()).await
                }
                Probe::Command { words } => command::ask(self, &subject, words).await,
                Probe::Guest { .. } => Err(NotReady::new("Cloud Assistant is not asked by this version")),
            }
        };
        let late = |_| NotReady::new(format!("no answer within {}", Words(time)));
        timeout(time, asking).await.map_err(late)?
    }
}

/// Where an instance is asked, as a host that can be looked up.
fn host_of(subject: &Subject, address: &ProbeAddress) -> Result<String, NotReady> {
    match address {
        ProbeAddress::Private => {
            let address =
                subject.private_address.ok_or_else(|| NotReady::new("it has no private address"))?;
            Ok(address.to_string())
        }
        ProbeAddress::Public => {
            let address = subject.public_address.ok_or_else(|| NotReady::new("it has no public address"))?;
            Ok(address.to_string())
        }
        ProbeAddress::Host(host) => Ok(host.clone()),
    }
}
