//! What ECS says now. Nothing here is remembered from an earlier look.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Entry, EntryIndex, InstanceId, InstanceKey, Power, ProviderAlias, Region, StoppedMode};

/// One look at everything that the configuration names.
#[derive(Debug, Clone)]
pub struct Actual {
    /// When the look was begun, by the clock of this machine.
    pub looked_at: Timestamp,
    /// Where each provider's instances were looked for.
    pub regions: BTreeMap<ProviderAlias, Region>,
    /// What was seen of each instance that was asked for.
    pub instances: HashMap<InstanceKey, Seen>,
    /// What each selection came to.
    pub selected: BTreeMap<EntryIndex, Selected>,
}

impl Actual {
    /// A look that has seen nothing yet.
    #[must_use]
    pub fn new(looked_at: Timestamp) -> Self {
        Self { looked_at, regions: BTreeMap::new(), instances: HashMap::new(), selected: BTreeMap::new() }
    }

    /// The instances of an entry, as far as they are known.
    #[must_use]
    pub fn ids_of<'a>(&'a self, index: EntryIndex, entry: &'a Entry) -> &'a [InstanceId] {
        match self.selected.get(&index) {
            Some(Selected::Matched(ids)) => ids,
            Some(Selected::NotSeen { .. }) | None => entry.ids(),
        }
    }
}

/// What a selection came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selected {
    /// These fit, in the order of their ids; what the selection excepts is not among them.
    Matched(Vec<InstanceId>),
    /// The look failed, so nobody knows.
    NotSeen {
        /// Why, in words.
        why: String,
    },
}

/// What a look said about one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Seen {
    /// It is there.
    There(Arc<Sighting>),
    /// The look succeeded and the instance was not in the answer: released, in another region, or not visible to
    /// these credentials. Never the same as stopped.
    Absent,
    /// The look itself failed.
    NotSeen {
        /// Why, in words.
        why: String,
    },
}

impl Seen {
    /// The sighting, if the instance is there.
    #[must_use]
    pub fn sighting(&self) -> Option<&Sighting> {
        match self {
            Self::There(sighting) => Some(sighting),
            Self::Absent | Self::NotSeen { .. } => None,
        }
    }

    /// The power status, if the instance is there.
    #[must_use]
    pub fn power(&self) -> Option<&Power> {
        self.sighting().map(|sighting| &sighting.power)
    }
}

/// What DescribeInstances says about one instance, as far as its power is concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// Its id.
    pub id: InstanceId,
    /// Its name, as people gave it: untrusted text.
    pub name: String,
    /// Its power status.
    pub power: Power,
    /// How it is stopped.
    pub stopped_mode: StoppedMode,
    /// Why ECS would refuse to work on it.
    pub locks: Vec<Lock>,
    /// How it is paid.
    pub charge: Charge,
    /// When its subscription ends. Only meaningful with [`Charge::PrePaid`].
    pub expires: Option<Timestamp>,
    /// Whether it is a spot instance, which ECS may take back.
    pub spot: bool,
    /// Its zone.
    pub zone: String,
    /// How many local disks it has (`LocalStorageAmount`).
    pub local_disks: u32,
    /// The tag that Auto Scaling puts on what it made or took in, as `key=value`: untrusted text. None if it has none. Of
    /// all its tags only this one matters here, and a fleet has many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_tag: Option<Box<str>>,
    /// Its first private address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_address: Option<IpAddr>,
    /// Its public address: the elastic one, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_address: Option<IpAddr>,
}

impl Sighting {
    /// A sighting with nothing remarkable about it.
    #[must_use]
    pub fn plain(id: InstanceId, power: Power) -> Self {
        Self {
            id,
            name: String::new(),
            power,
            stopped_mode: StoppedMode::NotApplicable,
            locks: Vec::new(),
            charge: Charge::PostPaid,
            expires: None,
            spot: false,
            zone: String::new(),
            local_disks: 0,
            scaling_tag: None,
            private_address: None,
            public_address: None,
        }
    }
}

/// How an instance is paid (`InstanceChargeType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Charge {
    /// Subscription.
    PrePaid,
    /// Pay-as-you-go.
    PostPaid,
    /// A word that this program does not know.
    Other,
}

/// An operation lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it is for.
    pub reason: LockReason,
    /// What ECS says about it: untrusted text, often empty.
    pub message: String,
}

/// The reasons for operation locks that ECS documents. Letter case differs between its pages, so it is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LockReason {
    /// The account owes money, or the instance expired.
    Financial,
    /// Locked for security.
    Security,
    /// A spot instance that is being taken back.
    Recycling,
    /// The dedicated host it stands on is not paid.
    DedicatedHostFinancial,
    /// It was refunded.
    Refunded,
    /// A word that this program does not know: treated as a lock all the same.
    Other(Box<str>),
}

impl LockReason {
    /// Reads ECS's word.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        for known in
            [Self::Financial, Self::Security, Self::Recycling, Self::DedicatedHostFinancial, Self::Refunded]
        {
            if known.word().eq_ignore_ascii_case(word) {
                return known;
            }
        }
        Self::Other(word.into())
    }

    /// The word, in lower case where it is known.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Financial => "financial",
            Self::Security => "security",
            Self::Recycling => "recycling",
            Self::DedicatedHostFinancial => "dedicatedhostfinancial",
            Self::Refunded => "refunded",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for LockReason {
    fn from(word: String) -> Self {
        Self::from_word(&word)
    }
}

impl From<LockReason> for String {
    fn from(reason: LockReason) -> Self {
        reason.word().to_owned()
    }
}

impl fmt::Display for LockReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
