//! What exists, as a configuration: entries whose goals are what their instances are now, so that a plan made from them
//! finds nothing to do.
//!
//! Everything here is pure, and the same instances give the same text, whatever order they were found in. Names and tags
//! come from ECS and may hold anything: they are quoted, or stand visibly in comments.

mod draft;
mod names;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::cloud::Found;
use crate::fleet::{EntryName, Goal, InstanceId, ProviderAlias, Selector, StopMode};

pub use draft::drafts;
pub use text::{document, entries, providers};

/// What was found where.
pub type Inventory = BTreeMap<ProviderAlias, Vec<Found>>;

/// How entries are made of instances.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// The key of the tag by whose values instances are put into one entry. None: an entry for each instance.
    pub group_by: Option<String>,
    /// Whether such an entry selects its instances by the tag, where that comes to the same.
    pub select: bool,
    /// What was searched for: a selection has to ask for that too.
    pub filter: Selector,
    /// How instances are stopped where an entry does not say it.
    pub stop_mode: StopMode,
}

/// What the configuration holds already.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The names of its entries.
    pub names: BTreeSet<String>,
    /// Its instances, those that its selections match included.
    pub ids: HashSet<InstanceId>,
}

/// An entry that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its name.
    pub name: EntryName,
    /// Where its instances are.
    pub provider: ProviderAlias,
    /// What they are now, where that is something to hold on to.
    pub goal: Goal,
    /// How they are stopped, where the entry has to say it.
    pub stop_mode: Option<StopMode>,
    /// Its instances.
    pub members: DraftMembers,
    /// What a person has to know of it.
    pub remark: Option<String>,
}

/// The instances of a [`Draft`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftMembers {
    /// By `id`.
    Single(Member),
    /// By `ids`, in their order.
    Listed(Vec<Member>),
    /// By `select`, which comes to these at present.
    Selected {
        /// What they are like.
        selector: Selector,
        /// Which they are.
        ids: Vec<InstanceId>,
    },
}

/// One instance that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: InstanceId,
    /// Its name. Untrusted text.
    pub name: String,
    /// What it was, where that is no goal.
    pub was: Option<String>,
}

impl Draft {
    /// Its instances, as they are at present.
    pub fn ids(&self) -> Vec<&InstanceId> {
        match &self.members {
            DraftMembers::Single(member) => vec![&member.id],
            DraftMembers::Listed(members) => members.iter().map(|member| &member.id).collect(),
            DraftMembers::Selected { ids, .. } => ids.iter().collect(),
        }
    }
}
