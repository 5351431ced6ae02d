//! What the configuration wants, sound and resolved: every need points at an entry that exists, and there is no cycle.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Address, AtOnce, EntryName, Goal, InstanceId, OnFailure, OnNoStock, ProviderAlias, Readiness,
    RollingOrder, Selection, StackName, StopMode,
};

/// The whole wish: one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The stack, which names the state.
    pub stack: StackName,
    /// The entries in the order of their names. [`EntryIndex`] points into this list.
    pub entries: Vec<Entry>,
}

/// A position in [`Desired::entries`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryIndex(pub u32);

impl EntryIndex {
    /// The position as an index.
    #[must_use]
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// One entry of the configuration: one or several instances with one goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: EntryName,
    /// Where its instances live.
    pub provider: ProviderAlias,
    /// What its instances shall be.
    pub goal: Goal,
    /// Its instances.
    pub members: Members,
    /// What it depends on, in the order of the names. No entry is named twice.
    pub needs: Vec<Need>,
    /// How long to wait for its instances.
    pub timeouts: Timeouts,
    /// How its instances are stopped.
    pub stop: StopPolicy,
    /// Whether a stop of its instances is refused.
    pub prevent_stop: bool,
    /// Whether its instances are stopped although an Auto Scaling group, of which they are members, would release them.
    pub allow_autoscaling: bool,
    /// Whether a start restores failed local disks, which destroys the data on them (`InitLocalDisk`).
    pub init_local_disk: bool,
    /// At most so many of its instances in transition at one time.
    pub at_once: Option<AtOnce>,
    /// In which order its instances go.
    pub order: Option<RollingOrder>,
    /// How long to wait between the end of one of its instances and the beginning of the next.
    pub pause: Duration,
    /// What the failure of one of its instances means for the next.
    pub on_failure: OnFailure,
    /// What to do where a start finds no stock.
    pub on_no_stock: OnNoStock,
    /// What its instances have to show, once they run, before those that depend on it may go. None: Running is enough.
    pub readiness: Option<Arc<Readiness>>,
}

impl Entry {
    /// An entry that says no more than it must.
    #[must_use]
    pub fn plain(name: EntryName, goal: Goal, members: Members) -> Self {
        Self {
            name,
            provider: ProviderAlias::main(),
            goal,
            members,
            needs: Vec::new(),
            timeouts: Timeouts::default(),
            stop: StopPolicy::default(),
            prevent_stop: false,
            allow_autoscaling: false,
            init_local_disk: false,
            at_once: None,
            order: None,
            pause: Duration::ZERO,
            on_failure: OnFailure::default(),
            on_no_stock: OnNoStock::default(),
            readiness: None,
        }
    }

    /// The ids that are written. Which instances a selection comes to is known once it was looked.
    #[must_use]
    pub fn ids(&self) -> &[InstanceId] {
        match &self.members {
            Members::Single(id) => std::slice::from_ref(id),
            Members::Several(ids) => ids,
            Members::Selected(_) => &[],
        }
    }

    /// What its instances are selected by, if they are.
    #[must_use]
    pub fn selection(&self) -> Option<&Selection> {
        match &self.members {
            Members::Selected(selection) => Some(selection),
            Members::Single(_) | Members::Several(_) => None,
        }
    }

    /// The address of one of its instances.
    #[must_use]
    pub fn address_of(&self, id: &InstanceId) -> Address {
        Address {
            entry: self.name.clone(),
            instance: match self.members {
                Members::Single(_) => None,
                Members::Several(_) | Members::Selected(_) => Some(id.clone()),
            },
        }
    }
}

/// The instances of an entry, and how they are addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// `id: X`: the entry's name is the address.
    Single(InstanceId),
    /// `ids: [..]`: `name[id]` is the address, also when there is one. In the order of the ids, unless the order of
    /// the list is that in which they go ([`RollingOrder::AsListed`]).
    Several(Vec<InstanceId>),
    /// `select: {..}`: addressed as several.
    Selected(Box<Selection>),
}

/// A dependency on another entry, that is on all of its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The entry that is needed.
    pub entry: EntryIndex,
    /// What its failure means for the one that needs it.
    pub strength: Strength,
}

/// What the failure of a dependency means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strength {
    /// The dependent is skipped.
    Hard,
    /// Order only: the dependent goes on (`required: false`).
    Soft,
}

/// How long a step may take before it has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From the call to Running.
    pub start: Duration,
    /// From the call to Stopped. A graceful stop that hangs is finished by ECS itself after 10 to 20 minutes
    /// (official FAQ), hence the long default.
    pub stop: Duration,
    /// From Running to ready.
    pub ready: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(10 * 60),
            stop: Duration::from_secs(20 * 60),
            ready: Duration::from_secs(5 * 60),
        }
    }
}

/// How many calls a plan may hold before an apply asks for a word more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CallLimits {
    /// Starts. None: any number.
    pub starts: Option<u32>,
    /// Stops. None: any number.
    pub stops: Option<u32>,
}

/// How instances are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StopPolicy {
    /// What happens to their resources.
    pub mode: StopMode,
    /// Whether the power is cut instead of asking the guest to shut down.
    pub force: bool,
}
