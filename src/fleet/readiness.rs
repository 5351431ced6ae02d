//! What an instance has to show, once it is Running, before those that depend on it may go.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The `ready` of an entry: at least one probe, or a delay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// All of these have to pass.
    pub probes: Vec<Probe>,
    /// How long to wait after the last of them has passed.
    pub delay: Duration,
    /// How long after one try of a probe the next begins.
    pub every: Duration,
    /// From Running to ready; none stands for the entry's `timeouts.ready`.
    pub within: Option<Duration>,
}

impl Readiness {
    /// How long after one try the next begins, unless the file says otherwise.
    pub const EVERY: Duration = Duration::from_secs(2);
}

/// One question that is asked of an instance until the answer is as wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// A TCP connection can be made.
    Tcp {
        /// The port.
        port: NonZeroU16,
        /// Where.
        address: ProbeAddress,
    },
    /// An HTTP GET is answered as wanted. Redirects are not followed.
    Http {
        /// Where.
        target: HttpTarget,
        /// The status that is wanted; none: any from 200 to 299.
        status: Option<u16>,
        /// What the body has to contain.
        contains: Option<String>,
    },
    /// A command on the machine that runs powerform ends with 0. Run as it is, without a shell.
    Command {
        /// The program and its arguments: at least one word.
        words: Vec<String>,
    },
    /// A shell command in the instance, run by Cloud Assistant, ends with 0.
    Guest {
        /// The text of the command.
        script: String,
    },
}

/// Where an instance is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ProbeAddress {
    /// At its private address.
    #[default]
    Private,
    /// At its public address: the elastic one, if it has one.
    Public,
    /// At this name or address, whichever instance it is.
    Host(String),
}

/// What an HTTP probe gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpTarget {
    /// This URL, whichever instance it is: `http` or `https`.
    Url(String),
    /// A path of the instance itself, by `http`.
    Instance {
        /// The port.
        port: NonZeroU16,
        /// The path with its query; begins with a slash.
        path: String,
        /// Where.
        address: ProbeAddress,
    },
}
