//! The account file: which instances there are, how quick they are, and what goes wrong.
//!
//! Reading is pure; the one function that touches a file is [`Account::load`]. Every problem names its line and
//! column. The file is the user's: it is never written.
//!
//! Only `instances` is needed; the account, its key and its region have defaults.
//!
//! ```yaml
//! account: "1234567890123456"
//! keys: [{ id: sim-key, secret: sim-secret }]     # token: makes it a temporary one that never ends
//! region: cn-hangzhou
//! memory: cloud.json                              # else beside this file
//! pace: { start: 2s, stop: 1s, jitter: 20% }
//! lag: 0s
//! limits: { StartInstance: 20/s, StopInstance: { rate: 100/min, retry_after: true } }   # in each region
//! roles: [{ arn: "acs:ram::1234567890123456:role/ops", external_id: shared }]
//! sts: { duration: 20s }                          # the keys of roles live no longer
//! permissions: { deny: [StartInstance, DescribeInstances] }
//! quirks: { numeric_codes: true, empty_pages: true, first_thousand: true }
//! instances:
//!   - { id: i-bp1db, name: db, status: Stopped, tags: { role: db }, vpc: vpc-1, resource_group: rg-1 }
//!   - id: i-bp1web
//!     private_ip: 127.0.0.2                         # with listen: it is on loopback, 127.0.0.1 if not said
//!     listen: [{ tcp: 5432, after: 3s, flap: 2s }, { http: 8080, path: /healthz, status: 200, body: ok }]   # hang: true
//!     assistant: { online: true, delay: 1s, answers: [{ when: pg_isready, exit: 0, output: ok, after: 5s, times: 2 }] }
//! faults:
//!   - { action: StartInstance, instance: i-bp1db, nth: 1, times: 2, error: InternalError }    # in batches: that item
//!   - { action: StartInstance, throttle: 5s, retry_after: true }      # from the first on; or at: 10s, or nth: 3
//!   - { at: 1m, for: 10s, http: 503 }
//!   - { action: StartInstance, every: 3, drop: after }       # the third, the sixth and so on; nth: first of them
//!   - { action: DescribeInstances, nth: 2, lag: 5s }         # that answer shows what was so long ago
//!   - { at: 10s, set: { i-bp1db: Stopped } }
//! ```

mod check;
mod document;
#[cfg(test)]
mod examples;
mod notation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::Read as _;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

pub(super) use self::notation::Rate;
use super::status::{Charge, Status, StoppedMode};

/// One thing that is wrong with an account file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 where the reader could not tell.
    pub line: u64,
    /// The column in characters, from 1; 0 where the reader could not tell.
    pub column: u64,
    /// What is wrong, and how it is written.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Why an account file could not be used.
#[derive(Debug)]
pub(super) enum LoadError {
    /// The file could not be read.
    Io(std::io::Error),
    /// The file is larger than [`document::LARGEST`].
    TooLarge(u64),
    /// The file says something that has no meaning.
    Unsound(Vec<Problem>),
}

/// An account: everything that the file says, checked.
#[derive(Debug)]
pub(super) struct Account {
    /// The id of the account, digits.
    pub(super) id: String,
    /// The access keys that may sign, in the order of the file; never empty.
    pub(super) keys: Vec<AccessKey>,
    /// Where what happens is kept.
    pub(super) memory: PathBuf,
    /// The region of the instances that name none.
    pub(super) region: String,
    /// How much longer or shorter a start or stop may take, as a fraction.
    pub(super) jitter: f64,
    /// How long reads show the status of before.
    pub(super) lag: Duration,
    /// How often each action may be called.
    pub(super) limits: BTreeMap<String, Limit>,
    /// The roles that may be assumed, in the order of the file.
    pub(super) roles: Vec<Role>,
    /// How long temporary keys live at most; `None` is as long as was asked for.
    pub(super) longest_session: Option<Duration>,
    /// The actions that nobody may call.
    pub(super) denied: BTreeSet<String>,
    /// Where answers vary as those of ECS do.
    pub(super) quirks: Quirks,
    /// The instances, in the order of the file.
    pub(super) instances: Vec<Instance>,
    /// What goes wrong with requests, in the order of the file.
    pub(super) faults: Vec<Fault>,
    /// What happens by itself after some time, in the order of the file.
    pub(super) scheduled: Vec<Scheduled>,
    /// Every region that a request may name besides the public ones.
    pub(super) regions: BTreeSet<String>,
    /// SHA-256 of the file, in hexadecimal: another file begins another memory.
    pub(super) digest: String,
    positions: HashMap<Arc<str>, usize>,
}

/// An access key.
#[derive(Debug, Clone)]
pub(super) struct AccessKey {
    pub(super) id: String,
    pub(super) secret: SecretString,
    /// The security token that has to come along, for temporary keys.
    pub(super) token: Option<SecretString>,
}

/// A role that may be assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    /// `acs:ram::1234567890123456:role/ops`.
    pub(super) arn: String,
    /// What who assumes it has to know, if anything.
    pub(super) external_id: Option<String>,
}

impl Role {
    /// The last part of its name.
    pub(super) fn name(&self) -> &str {
        self.arn.rsplit_once('/').map_or("", |(_, name)| name)
    }
}

/// How often an action may be called in each region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) rate: Rate,
    /// Whether a refusal says in a header when to come again.
    pub(super) retry_after: bool,
}

/// Where ECS answers now in the one form and now in the other, whether this one takes the rarer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Quirks {
    /// The code of an item of a batch that was done is the number 200 and not a text.
    pub(super) numeric_codes: bool,
    /// With token paging every other page is empty, and the others are half full.
    pub(super) empty_pages: bool,
    /// Of what has the tags or the resource group that a read asks for, only the first 1,000 are considered.
    pub(super) first_thousand: bool,
}

/// One instance as the account file gives it.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) id: Arc<str>,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) status: Status,
    pub(super) region: String,
    pub(super) zone: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) charge: Charge,
    /// When a subscription ends.
    pub(super) expires: Option<Timestamp>,
    pub(super) locks: Vec<String>,
    pub(super) start: Duration,
    pub(super) stop: Duration,
    pub(super) spot: bool,
    pub(super) local_disks: u32,
    pub(super) instance_type: String,
    /// How it was stopped, where it begins stopped.
    pub(super) stopped_mode: StoppedMode,
    pub(super) vpc: String,
    /// Empty for the default group.
    pub(super) resource_group: String,
    pub(super) public_ip: Option<String>,
    /// An elastic address, which it keeps whatever happens to it.
    pub(super) elastic_ip: Option<String>,
    pub(super) private_ip: Option<String>,
    /// What it listens with while it is up, in the order of the file.
    pub(super) listeners: Vec<Listener>,
    /// What runs commands in it.
    pub(super) assistant: Assistant,
}

/// The agent of Cloud Assistant in a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assistant {
    /// Whether it takes commands.
    pub(super) online: bool,
    /// How long a command takes that no answer is given for.
    pub(super) delay: Duration,
    /// What commands come to, in the order of the file. One that none is for succeeds, and says nothing.
    pub(super) answers: Vec<CommandAnswer>,
}

/// What commands of some kind come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandAnswer {
    /// What their text contains.
    pub(super) when: String,
    pub(super) exit: u8,
    pub(super) output: String,
    /// How long they take.
    pub(super) delay: Duration,
    /// Sooner than so long after the machine began to run, they exit with 1.
    pub(super) after: Duration,
    /// How many commands it is for; `None` is without an end.
    pub(super) times: Option<u64>,
    /// They never end by themselves.
    pub(super) hangs: bool,
}

/// What a machine listens with on its private address while it is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    /// On loopback, always.
    pub(super) address: SocketAddrV4,
    pub(super) manner: Manner,
    /// How long after the machine began to run it begins to listen.
    pub(super) after: Duration,
    /// It listens so long, then does not for so long, and so on.
    pub(super) flap: Option<Duration>,
}

/// What who connects is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Manner {
    /// A connection on which nothing is ever said.
    Silent,
    /// Answers over HTTP: this one on its path, and 404 on any other.
    Http { path: String, status: u16, body: String },
}

/// Something that goes wrong with some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Only requests of this action, if given.
    pub(super) action: Option<String>,
    /// Only requests about this instance, if given.
    pub(super) instance: Option<String>,
    /// The first matching request that it strikes, from 1.
    pub(super) first: u64,
    /// From the first on it strikes one of so many: 1 is each.
    pub(super) every: u64,
    /// How many it strikes; `None` is without an end.
    pub(super) times: Option<u64>,
    /// From when on it strikes, counted from the beginning of the memory; `None` is from the first on.
    pub(super) from: Option<Duration>,
    /// How long it strikes from then on, or from the first request that it struck; `None` is by count.
    pub(super) lasts: Option<Duration>,
    /// Whether its refusals say in a header when it will be over.
    pub(super) retry_after: bool,
    /// How much later than usual the answer leaves. What is asked for happens on arrival all the same.
    pub(super) delay: Duration,
    /// How much older than usual is what the answer to a read shows.
    pub(super) lag: Duration,
    /// What goes wrong with the request or its answer.
    pub(super) effect: Option<Effect>,
    /// What goes wrong with the instance. Beside an effect only where that lets the request be served.
    pub(super) twist: Option<Twist>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// The request is refused with this code, whatever the instance is.
    Refuse { code: String, message: Option<String> },
    /// The connection ends without an answer; nothing was done.
    DropBefore,
    /// The connection ends without an answer, after the request was served.
    DropAfter,
    /// The request is served, and this text comes instead of its answer.
    Garbage(String),
    /// The request is served, and its answer breaks off halfway.
    Truncate,
    /// Something in front of ECS answers with this HTTP status; nothing was done.
    Http(u16),
}

/// What is to go wrong after a call was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    /// It never ends.
    Stuck,
    /// It falls back to Stopped. Only a start can.
    FailsToBoot,
    /// The machine is gone halfway.
    Vanish,
}

/// Something that happens by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scheduled {
    /// How long after the memory began.
    pub(super) after: Duration,
    pub(super) changes: Vec<(String, Change)>,
}

/// A change that nobody called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Someone else's click.
    Set(Status),
    /// A lock is put on.
    Lock(String),
    /// All locks are taken off.
    Unlock,
}

impl Account {
    /// Reads and checks an account file.
    pub(super) fn load(path: &Path) -> Result<Self, LoadError> {
        let file = std::fs::File::open(path).map_err(LoadError::Io)?;
        let mut bytes = Vec::new();
        file.take(document::LARGEST + 1).read_to_end(&mut bytes).map_err(LoadError::Io)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > document::LARGEST {
            return Err(LoadError::TooLarge(document::LARGEST));
        }
        Self::parse(&bytes, path).map_err(LoadError::Unsound)
    }

    /// Checks the text of an account file that stands at `path`; the path only says where the memory is.
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self, Vec<Problem>> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            vec![Problem {
                line: u64::try_from(line).unwrap_or_default(),
                column: 1,
                message: "the file is not UTF-8: save it as UTF-8".to_owned(),
            }]
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document = document::read(text).map_err(|problem| vec![problem])?;
        check::account(document, path, digest(bytes))
    }

    /// The place of an instance in [`Account::instances`].
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.positions.get(id).copied()
    }

    /// How old what a read shows can be at most.
    pub(super) fn longest_lag(&self) -> Duration {
        let longest = self.faults.iter().map(|fault| fault.lag).max().unwrap_or_default();
        self.lag.saturating_add(longest)
    }

    /// The role of that name.
    pub(super) fn role(&self, arn: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.arn == arn)
    }

    /// The access key of that id.
    pub(super) fn key(&self, id: &str) -> Option<&AccessKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}

/// SHA-256 in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    use fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
