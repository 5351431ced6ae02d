//! Asks an instance whether it is ready, by one probe, once.
//!
//! When it is asked, how often and what the answer means is for `execute` to know; here is only how. One attempt never
//! outlives its time, and none waits for another. Whatever an answer quotes is untrusted text of bounded length.

mod command;
mod guest;
mod http;
mod tcp;

pub use command::Commands;

use std::ffi::OsString;
use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use crate::cloud::{Assistant, Clouds};
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
    /// Makes one attempt, and ends within its time, which begins with its turn. Dropped before that, it leaves nothing
    /// behind on this machine.
    ///
    /// # Errors
    /// [`NotReady`], with the answer.
    fn attempt(&self, attempt: Attempt) -> impl Future<Output = Result<(), NotReady>> + Send;
}

/// The longest answer, in characters.
const LONGEST_ANSWER: usize = 400;

impl NotReady {
    fn new(answer: impl AsRef<str>) -> Self {
        Self { answer: one_line(answer.as_ref(), LONGEST_ANSWER) }
    }
}

/// Asks by real connections and processes, and through the clouds in which the instances are.
#[derive(Debug)]
pub struct Probes<A> {
    /// Who runs commands inside of the instances of each provider.
    pub assistants: Clouds<A>,
    /// For instances themselves: without a proxy and without encryption.
    pub direct: reqwest::Client,
    /// For URLs, the way everything else goes; none if none is asked.
    pub outer: Option<reqwest::Client>,
    /// Where commands run.
    pub folder: PathBuf,
    /// Variables that commands do not get: what they hold is a secret.
    pub withheld: Vec<OsString>,
    /// What runs on this machine.
    pub commands: Commands,
}

impl<A: Assistant> Prober for Probes<A> {
    async fn attempt(&self, attempt: Attempt) -> Result<(), NotReady> {
        let Attempt { subject, probe, timeout: time } = attempt;
        let turn = match &probe {
            // Nobody closes it.
            Probe::Command { .. } => self.commands.turn().await,
            Probe::Tcp { .. } | Probe::Http { .. } | Probe::Guest { .. } => None,
        };
        let asking = async {
            match &probe {
                Probe::Tcp { port, address } => tcp::ask(&subject, *port, address).await,
                Probe::Http { target, status, contains } => {
                    http::ask(self, &subject, target, *status, contains.as_deref()).await
                }
                Probe::Command { words } => command::ask(self, &subject, words).await,
                Probe::Guest { script } => guest::ask(&self.assistants, &subject.key, script, time).await,
            }
        };
        let answer = timeout(time, asking).await;
        drop(turn);
        answer.unwrap_or_else(|_| {
            let what = match &probe {
                Probe::Tcp { .. } | Probe::Http { .. } => "answer",
                Probe::Command { .. } | Probe::Guest { .. } => "end",
            };
            Err(NotReady::new(format!("no {what} within {}", Words(time))))
        })
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

/// A text as one line of bounded length.
fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::new();
    for word in text.split(['\n', '\r', '\t']).map(str::trim).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(longest) {
        None => line,
        Some(_) => line.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The last line that says something, without what makes it longer than a line should be.
fn last_line(text: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(one_line(line, LONGEST))
}

/// What a program that did not end well ended with, and the last that it said.
fn ended(how: &str, said: Option<String>) -> NotReady {
    NotReady::new(said.map_or_else(|| how.to_owned(), |said| format!("{how}: {said}")))
}

/// An error of the operating system, without its number.
fn in_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => return "connection refused".to_owned(),
        ErrorKind::ConnectionReset => return "connection reset".to_owned(),
        ErrorKind::TimedOut => return "no answer".to_owned(),
        _ => {}
    }
    let words = error.to_string();
    match words.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => words,
    }
}

#[cfg(test)]
mod tests;
