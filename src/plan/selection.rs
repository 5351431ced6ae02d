//! What the selections of a configuration came to, and what of it is new since the last apply.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Group, Plan};
use crate::fleet::{
    Actual, Desired, Entry, EntryIndex, EntryName, InstanceId, InstanceKey, Recorded, Selected, Selector,
};

/// What the selection of one entry came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selecting {
    /// What its instances are like.
    pub selector: Selector,
    /// Which they are.
    pub outcome: Outcome,
}

/// Which instances fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Those in the plan.
    Fit {
        /// How many.
        instances: usize,
        /// Those that did not fit when this entry was last applied; empty if it never was.
        newly: Vec<InstanceId>,
        /// Those that did then, and do not any more.
        no_longer: Vec<InstanceId>,
    },
    /// Nobody knows, because the look failed.
    NotSeen {
        /// Why, in words.
        why: String,
    },
}

impl Group {
    /// Why nobody knows which instances the group has.
    #[must_use]
    pub fn not_seen(&self) -> Option<&str> {
        match self.selection.as_ref()?.outcome {
            Outcome::NotSeen { ref why } => Some(why),
            Outcome::Fit { .. } => None,
        }
    }
}

impl Plan {
    /// The groups whose instances are selected, with what that came to.
    pub fn selections(&self) -> impl Iterator<Item = (&Group, &Selecting)> {
        self.groups.iter().filter_map(|group| Some((group, group.selection.as_ref()?)))
    }
}

/// What is wrong with what selections came to. Every case is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Misselected {
    /// Entries that fewer instances fit than have to.
    pub too_few: Vec<TooFew>,
    /// Instances that several entries name or select.
    pub shared: Vec<Shared>,
}

/// Fewer instances fit than have to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooFew {
    /// The entry.
    pub entry: EntryName,
    /// What its instances are like.
    pub selector: Selector,
    /// How many fit.
    pub fit: usize,
    /// How many have to.
    pub at_least: u32,
}

/// An instance that two entries have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The instance.
    pub id: InstanceId,
    /// The entries, in the order of their names.
    pub entries: [EntryName; 2],
}

/// The most cases of a kind that a message spells out.
const SPELT_OUT: usize = 10;

impl fmt::Display for Misselected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sentences = Vec::new();
        for TooFew { entry, selector, fit, at_least } in self.too_few.iter().take(SPELT_OUT) {
            let number = match fit {
                0 => "no instance fits".to_owned(),
                1 => "only 1 instance fits".to_owned(),
                fit => format!("only {fit} instances fit"),
            };
            let fewer = if *at_least == 1 { "one" } else { &at_least.to_string() };
            sentences.push(format!(
                "{number} the selection of the entry {entry} ({selector}), and {fewer} at least has to"
            ));
        }
        if !self.too_few.is_empty() {
            sentences.push(
                "ECS shows nothing to those who may not look: check the tags, the region, the account and its permission \
                 ecs:DescribeInstances, or write `at_least: 0` if that is fine"
                    .to_owned(),
            );
        }
        for Shared { id, entries: [one, other] } in self.shared.iter().take(SPELT_OUT) {
            sentences.push(format!("the instance {id} is in two entries, {one} and {other}"));
        }
        if !self.shared.is_empty() {
            sentences.push(
                "an instance has one goal: narrow one of the two down, or name it under `except`".to_owned(),
            );
        }
        let left_out =
            self.too_few.len().saturating_sub(SPELT_OUT) + self.shared.len().saturating_sub(SPELT_OUT);
        if left_out > 0 {
            sentences.push(format!("and {left_out} more of the kind"));
        }
        f.write_str(&sentences.join("; "))
    }
}

/// Checks what the selections came to.
///
/// # Errors
/// [`Misselected`] if fewer instances fit than have to, or two entries have the same one.
pub fn check_selections(desired: &Desired, actual: &Actual) -> Result<(), Misselected> {
    let mut wrong = Misselected { too_few: Vec::new(), shared: Vec::new() };
    if actual.selected.is_empty() {
        // What is written is checked where it is read.
        return Ok(());
    }
    let mut owner: HashMap<&InstanceId, &EntryName> = HashMap::new();
    for (index, entry) in (0u32..).map(EntryIndex).zip(&desired.entries) {
        let ids = actual.ids_of(index, entry);
        let is_known = matches!(actual.selected.get(&index), Some(Selected::Matched(_)));
        if let Some(selection) =
            entry.selection().filter(|selection| is_known && ids.len() < selection.at_least as usize)
        {
            wrong.too_few.push(TooFew {
                entry: entry.name.clone(),
                selector: selection.selector.clone(),
                fit: ids.len(),
                at_least: selection.at_least,
            });
        }
        for id in ids {
            match owner.entry(id) {
                hash_map::Entry::Vacant(place) => {
                    place.insert(&entry.name);
                }
                hash_map::Entry::Occupied(first) => {
                    let entries = [(*first.get()).clone(), entry.name.clone()];
                    wrong.shared.push(Shared { id: id.clone(), entries });
                }
            }
        }
    }
    if wrong.too_few.is_empty() && wrong.shared.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What the record says of the entries whose instances are selected.
pub(super) struct Before<'a>(BTreeMap<&'a EntryName, BTreeSet<&'a InstanceKey>>);

impl<'a> Before<'a> {
    pub(super) fn new(desired: &'a Desired, recorded: Option<&'a Recorded>) -> Self {
        let selecting = desired.entries.iter().filter(|entry| entry.selection().is_some());
        let mut before: BTreeMap<&EntryName, BTreeSet<&InstanceKey>> =
            selecting.map(|entry| (&entry.name, BTreeSet::new())).collect();
        if !before.is_empty() {
            for (key, record) in recorded.iter().flat_map(|recorded| &recorded.instances) {
                if let Some(keys) = before.get_mut(&record.address.entry) {
                    keys.insert(key);
                }
            }
        }
        Self(before)
    }

    /// The instances that an entry had when it was last applied; none if it was not.
    pub(super) fn of(&self, entry: &EntryName) -> impl Iterator<Item = &'a InstanceKey> {
        self.0.get(entry).into_iter().flatten().copied()
    }

    /// Whether an entry has been applied before.
    pub(super) fn knows(&self, entry: &EntryName) -> bool {
        self.0.get(entry).is_some_and(|keys| !keys.is_empty())
    }
}

/// What the selection of an entry came to, if it has one.
pub(super) fn selecting(
    index: EntryIndex,
    entry: &Entry,
    actual: &Actual,
    before: &Before<'_>,
) -> Option<Selecting> {
    let selector = entry.selection()?.selector.clone();
    let outcome = match actual.selected.get(&index) {
        Some(Selected::Matched(ids)) => {
            let then: BTreeSet<&InstanceId> = before.of(&entry.name).map(|key| &key.id).collect();
            let now: BTreeSet<&InstanceId> = ids.iter().collect();
            let newly = now.difference(&then).filter(|_| !then.is_empty());
            Outcome::Fit {
                instances: ids.len(),
                newly: newly.map(|id| (*id).clone()).collect(),
                no_longer: then.difference(&now).map(|id| (*id).clone()).collect(),
            }
        }
        Some(Selected::NotSeen { why }) => Outcome::NotSeen { why: why.clone() },
        None => Outcome::NotSeen { why: "it was not looked at".to_owned() },
    };
    Some(Selecting { selector, outcome })
}
