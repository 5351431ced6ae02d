//! The plan file: a plan that waits for its apply. Pure text form, and what makes a saved plan stale.
//!
//! A plan file holds no credential. Its checksum finds damage, not malice: trust a plan file as you trust the
//! configuration.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Block, Change, Plan, Scope, Verdict};
use crate::fleet::{Address, CallLimits, InstanceKey, ProviderAlias, Seen};

/// The format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u64 = 1;

/// The longest plan file that is read, in bytes.
pub const LONGEST: usize = 512 * 1024 * 1024;

/// How a plan was asked for, beyond the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// What it was narrowed to.
    pub scope: Scope,
    /// `--power-off`: everything that shall run is stopped for this run.
    pub power_off: bool,
    /// `--refresh-only`: nothing is done, what moved is recorded.
    pub refresh_only: bool,
    /// `--preflight`: ECS was asked about every call, and what it refuses is blocked.
    #[serde(default)]
    pub preflight: bool,
}

/// Whose credentials a plan was made with. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Where they came from, in words.
    pub source: String,
    /// The same for everything that can be told to be of the same account. None where nothing can be told.
    pub fingerprint: Option<String>,
}

impl Account {
    /// Whether this is another one than that, as far as can be told.
    fn differs_from(&self, other: &Self) -> bool {
        match (&self.fingerprint, &other.fingerprint) {
            (Some(one), Some(other)) => one != other,
            (None, _) | (_, None) => false,
        }
    }
}

/// A plan, and everything that it rests on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedPlan {
    /// When it was made.
    pub made_at: Timestamp,
    /// The lineage of the record; none if there was no record yet.
    pub lineage: Option<Uuid>,
    /// The serial of the record; 0 if there was none yet.
    pub serial: u64,
    /// The digest of the configuration.
    pub configuration: String,
    /// How many calls it may hold before an apply asks for a word more, by that configuration.
    #[serde(default)]
    pub limits: CallLimits,
    /// Whose credentials it was made with, by provider.
    #[serde(default)]
    pub accounts: BTreeMap<ProviderAlias, Account>,
    /// How it was asked for.
    pub shape: Shape,
    /// The plan.
    pub plan: Plan,
}

#[derive(Serialize, Deserialize)]
struct File {
    format_version: u64,
    checksum: String,
    saved: serde_json::Value,
}

/// Why a plan file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not a plan file at all.
    #[error("it is not a plan file ({why}); make one with `powerform plan --out FILE`")]
    NotAPlan {
        /// What is wrong with it.
        why: String,
    },
    /// It was made by a newer program.
    #[error(
        "it has the format {version}, made by a newer powerform; this one reads format {FORMAT_VERSION}: upgrade it"
    )]
    Newer {
        /// Its format.
        version: u64,
    },
    /// It is not as it was written.
    #[error(
        "it is damaged: its checksum does not fit its content; make it anew with `powerform plan --out FILE`"
    )]
    Damaged,
}

/// The text of a plan file.
#[must_use]
pub fn write(saved: &SavedPlan) -> Vec<u8> {
    // Plain data with text keys always has a JSON form.
    let saved = serde_json::to_value(saved).unwrap_or_default();
    let file = File { format_version: FORMAT_VERSION, checksum: checksum(&saved), saved };
    let mut text = serde_json::to_vec(&file).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Reads a plan file.
///
/// # Errors
/// [`Refused`], with what to do about it.
pub fn read(text: &[u8]) -> Result<SavedPlan, Refused> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u64,
    }
    let not_a_plan = |error: serde_json::Error| Refused::NotAPlan { why: error.to_string() };
    let Version { format_version } = serde_json::from_slice(text).map_err(not_a_plan)?;
    if format_version > FORMAT_VERSION {
        return Err(Refused::Newer { version: format_version });
    }
    let file: File = serde_json::from_slice(text).map_err(not_a_plan)?;
    if checksum(&file.saved) != file.checksum {
        return Err(Refused::Damaged);
    }
    let saved: SavedPlan = serde_json::from_value(file.saved).map_err(not_a_plan)?;
    if saved.plan.is_whole() { Ok(saved) } else { Err(Refused::Damaged) }
}

/// SHA-256 over the compact text, whose keys are sorted.
fn checksum(value: &serde_json::Value) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The providers whose credentials are of another account than those that a plan was made with: which, then, and now.
#[must_use]
pub fn other_accounts<'a>(
    saved: &'a SavedPlan,
    now: &'a BTreeMap<ProviderAlias, Account>,
) -> Vec<(&'a ProviderAlias, &'a Account, &'a Account)> {
    let both = saved.accounts.iter().filter_map(|(alias, then)| Some((alias, then, now.get(alias)?)));
    both.filter(|(_, then, now)| then.differs_from(now)).collect()
}

/// One instance about which a plan made now differs from the saved one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The instance.
    pub address: Address,
    /// What the saved plan says: what it saw and decided.
    pub planned: String,
    /// What is now.
    pub now: String,
}

/// Where a plan made now, in the same shape, differs from a saved one. An instance that the saved plan only waits for,
/// and that has arrived, is no difference: nothing would have been called for it.
#[must_use]
pub fn differences(saved: &Plan, now: &Plan) -> Vec<Difference> {
    let mut present: HashMap<&InstanceKey, &Change> =
        now.changes.iter().map(|change| (&change.key, change)).collect();
    let mut differences = Vec::new();
    for planned in &saved.changes {
        let current = present.remove(&planned.key);
        if !current.is_some_and(|current| is_as_planned(planned, current)) {
            differences.push(Difference {
                address: planned.address.clone(),
                planned: in_words(planned),
                now: current.map_or_else(|| "not in the plan".to_owned(), in_words),
            });
        }
    }
    // What only a plan made now speaks of, unless there is nothing to do about it, and never was a choice.
    for current in
        present.into_values().filter(|current| !is_left_alone(current) || is_selected(now, current))
    {
        differences.push(Difference {
            address: current.address.clone(),
            planned: "not in the plan".to_owned(),
            now: in_words(current),
        });
    }
    differences.sort_by(|a, b| a.address.cmp(&b.address));
    differences
}

/// Whether an instance is in the plan because it fits a selection: another set of instances than was approved.
fn is_selected(plan: &Plan, change: &Change) -> bool {
    let group = change.entry.and_then(|entry| plan.groups.get(entry.at()));
    // Where only drift is told, there is no goal and nothing has been approved.
    change.goal.is_some() && group.is_some_and(|group| group.selection.is_some())
}

fn is_left_alone(change: &Change) -> bool {
    matches!(change.verdict, Verdict::InSync | Verdict::Any)
}

fn is_as_planned(planned: &Change, current: &Change) -> bool {
    let has_arrived = matches!(planned.verdict, Verdict::Wait { .. }) && current.verdict == Verdict::InSync;
    has_arrived
        || (planned.verdict == current.verdict
            && planned.address == current.address
            && (is_left_alone(planned) || planned.seen.power() == current.seen.power()))
}

fn in_words(change: &Change) -> String {
    let seen = match &change.seen {
        Seen::There(sighting) => sighting.power.word().to_owned(),
        Seen::Absent => "not visible".to_owned(),
        Seen::NotSeen { .. } => "not seen".to_owned(),
    };
    let verdict = match &change.verdict {
        Verdict::InSync => "in sync",
        Verdict::Start { .. } => "start",
        Verdict::Stop { .. } => "stop",
        Verdict::Wait { .. } => "wait",
        Verdict::Blocked(Block::OwnMachine) => "blocked, because powerform runs on it",
        Verdict::Blocked(_) => "blocked",
        Verdict::Release => return "release".to_owned(),
        Verdict::Any => "only looked at",
    };
    format!("{seen}, {verdict}")
}
