//! The decision: from what is wanted, recorded and seen to a verdict and a reason for every instance.
//!
//! Pure: nothing here waits, asks the network, reads the clock, or knows how a plan is shown. The plan is plain data;
//! `render` and `execute` both read it, and execution chooses nothing that is not written here.

mod course;
mod decide;
mod hold_up;
mod limits;
mod order;
mod outlook;
mod refuse;
mod request;
pub mod saved;
mod scope;
mod selection;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fleet::{
    Address, EntryIndex, EntryName, Goal, InstanceKey, LockReason, Need, OnFailure, OnNoStock, Power,
    Readiness, Region, Seen, StackName, StopMode, StopPolicy, StoppedMode, Strength, Timeouts,
};

pub use course::{Course, Remainder, Stand, moving_groups};
pub use decide::plan;
pub use limits::Excess;
pub use order::{Cycle, remaining_chains};
pub use outlook::{Chain, Outlook};
pub use refuse::{keep_refusals, refuse, spare_own_machine};
pub use request::Request;
pub use saved::{SavedPlan, Shape};
pub use scope::{Narrowed, NoMatch, Pattern, Scope, drift_only, narrow, power_off};
pub use selection::{Misselected, Outcome as SelectionOutcome, Selecting, Shared, TooFew, check_selections};

/// The decision about a whole stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The stack.
    pub stack: StackName,
    /// When the look that this plan rests on was begun.
    pub looked_at: Timestamp,
    /// One change for each instance that is in the configuration or in the record, in the order of the addresses.
    pub changes: Vec<Change>,
    /// What execution must respect, one group for each entry of the configuration. [`EntryIndex`] points into it.
    pub groups: Vec<Group>,
}

/// How many instances got which verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Instances that will be started.
    pub start: usize,
    /// Instances that will be stopped.
    pub stop: usize,
    /// Instances that are on their way already.
    pub wait: usize,
    /// Instances that nothing can be done about now.
    pub blocked: usize,
    /// Instances that leave the record.
    pub release: usize,
    /// Instances that are as wanted.
    pub in_sync: usize,
    /// Instances that are only looked at.
    pub any: usize,
    /// Entries of which nobody knows which instances they select, because the look failed.
    pub unknown: usize,
}

impl Tally {
    /// How many instances execution deals with.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.start + self.stop + self.wait
    }

    /// Whether the plan holds any start, stop, wait, release or blocked: what `--detailed-exitcode` reports.
    #[must_use]
    pub fn holds_anything(&self) -> bool {
        self.steps() + self.release + self.blocked + self.unknown > 0
    }
}

impl Plan {
    /// Whether every position in it points at something, as is to be asked of one that was read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.changes.iter().all(|change| change.entry.is_none_or(|entry| entry.at() < self.groups.len()))
            && self.groups.iter().all(|group| {
                group.changes.iter().all(|change| *change < self.changes.len())
                    && group
                        .sequence
                        .iter()
                        .flat_map(Sequence::changes)
                        .all(|change| change < self.changes.len())
                    && group.after.iter().all(|after| after.group.at() < self.groups.len())
                    && group.needs.iter().all(|need| need.entry.at() < self.groups.len())
            })
    }

    /// Which groups have to show that they are ready because something that comes after them is to be started: by
    /// position. What runs of them already is asked, too.
    #[must_use]
    pub fn groups_that_starts_need(&self) -> Vec<bool> {
        let mut are_needed = vec![false; self.groups.len()];
        for group in self.groups.iter().filter(|group| self.starts(group)) {
            for after in &group.after {
                are_needed[after.group.at()] = self.groups[after.group.at()].readiness.is_some();
            }
        }
        are_needed
    }

    /// The groups of which an apply asks whether they are ready: those that come up in it, and those that starts need.
    pub fn groups_to_probe(&self) -> impl Iterator<Item = (&Group, &Readiness)> {
        let comes_up = |group: &Group| self.starts(group) || self.arrives(group);
        let needed = self.groups_that_starts_need();
        self.groups.iter().zip(needed).filter_map(move |(group, is_needed)| {
            let readiness = group.readiness.as_deref()?;
            (is_needed || comes_up(group)).then_some((group, readiness))
        })
    }

    fn starts(&self, group: &Group) -> bool {
        let own = group.changes.iter().filter_map(|change| self.changes.get(*change));
        own.filter_map(|change| change.verdict.request()).any(|request| request.call() == Call::Start)
    }

    fn arrives(&self, group: &Group) -> bool {
        let mut own = group.changes.iter().filter_map(|change| self.changes.get(*change));
        own.any(|change| matches!(change.verdict, Verdict::Wait { until: Goal::Running, .. }))
    }

    /// Counts the verdicts.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let unknown = self.groups.iter().filter(|group| group.not_seen().is_some()).count();
        let mut tally = Tally { unknown, ..Tally::default() };
        for change in &self.changes {
            match change.verdict {
                Verdict::InSync => tally.in_sync += 1,
                Verdict::Start { .. } => tally.start += 1,
                Verdict::Stop { .. } => tally.stop += 1,
                Verdict::Wait { .. } => tally.wait += 1,
                Verdict::Blocked(_) => tally.blocked += 1,
                Verdict::Release => tally.release += 1,
                Verdict::Any => tally.any += 1,
            }
        }
        tally
    }
}

/// The decision about one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// How people name it.
    pub address: Address,
    /// Where it is known.
    pub key: InstanceKey,
    /// Where it was looked for; none for a release.
    pub region: Option<Region>,
    /// The entry it belongs to; none for a release.
    pub entry: Option<EntryIndex>,
    /// What it shall be; none for a release.
    pub goal: Option<Goal>,
    /// What the look said. [`Seen::NotSeen`] for a release: it is not looked at.
    pub seen: Seen,
    /// What will be done.
    pub verdict: Verdict,
    /// Why anything is to be done, where something is (start, stop, wait, release).
    pub why: Option<Why>,
    /// What moved outside powerform since the last apply, whatever the verdict.
    pub drift: Option<Drift>,
    /// How long the step is expected to take: the median of what the record says of earlier ones. None where nothing
    /// is recorded, or nothing is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Duration>,
    /// What a person should know before approving.
    pub warnings: Vec<Warning>,
}

/// What will be done about one instance. Every instance gets exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is as wanted.
    InSync,
    /// StartInstance will be called.
    Start {
        /// The instance is still on its way down: the call waits for Stopped.
        once_stopped: bool,
        /// `InitLocalDisk` of the call.
        init_local_disk: bool,
    },
    /// StopInstance will be called.
    Stop {
        /// The instance is still on its way up: the call waits for Running.
        once_running: bool,
        /// `StoppedMode` and `ForceStop` of the call.
        policy: StopPolicy,
    },
    /// It is on its way already.
    Wait {
        /// Where it is expected to arrive.
        until: Goal,
        /// What follows if a Pending instance settles away from the goal. None if it cannot, being on its way there.
        then: Option<Then>,
    },
    /// Nothing can be done now.
    Blocked(Block),
    /// It left the configuration: it is forgotten, the machine is untouched.
    Release,
    /// It is only looked at.
    Any,
}

/// A call that changes the power state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Call {
    /// StartInstance.
    Start,
    /// StopInstance.
    Stop,
}

/// What follows when a Pending instance settles away from its goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    /// Start it if it settles as Stopped.
    Start {
        /// `InitLocalDisk` of the call.
        init_local_disk: bool,
    },
    /// Stop it if it settles as Running.
    Stop {
        /// `StoppedMode` and `ForceStop` of the call.
        policy: StopPolicy,
    },
    /// Nothing: a call would be called for, but this stands against it.
    Blocked(Block),
}

/// Why nothing can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Block {
    /// ECS reports a status word that this program does not know.
    UnknownStatus {
        /// The word. Untrusted text.
        word: String,
    },
    /// Not in the answer: released, in another region, or not visible to these credentials.
    NotVisible,
    /// The look failed.
    NotSeen {
        /// Why, in words.
        why: String,
    },
    /// ECS refuses to start it under this lock.
    Locked {
        /// The lock.
        reason: LockReason,
    },
    /// Its subscription has ended.
    Expired {
        /// When.
        since: Timestamp,
    },
    /// Pay-as-you-go, and the account owes money: it must be reactivated, which is not a start.
    Overdue,
    /// `prevent_stop` forbids the stop.
    PreventStop,
    /// Stopped, it would be released by the Auto Scaling group that it is a member of.
    AutoScaling {
        /// The tag that says so, as `key=value`. Untrusted text.
        tag: String,
    },
    /// It is the machine that powerform runs on.
    OwnMachine,
    /// Asked beforehand by a rehearsal (`DryRun`), ECS refuses the call.
    Refused {
        /// The call.
        call: Call,
        /// ECS's error code.
        code: String,
        /// What it says. Untrusted text.
        message: String,
        /// The id under which ECS keeps the rehearsal.
        request_id: Option<String>,
        /// What a person can do about it, where more is known than the message says. May hold untrusted text.
        remedy: Option<String>,
    },
    /// It needs an instance with the goal Any that is not Running.
    NeedsUnmanaged {
        /// The instance that is needed.
        need: Address,
        /// What that was seen as.
        seen: String,
    },
    /// It needs a running instance that ECS is taking back.
    NeedsRecycled {
        /// The instance that is needed.
        need: Address,
    },
    /// An instance with the goal Any that is not Stopped needs it.
    StillNeeded {
        /// The instance that needs it.
        by: Address,
        /// What that was seen as.
        seen: String,
    },
    /// Something that it must come after is blocked itself.
    HeldUp {
        /// The nearest blocked instance.
        by: Address,
        /// Where the blocking began: an instance with any other reason than this one.
        root: Address,
    },
}

/// Why something is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The instance is not in the record yet.
    NewlyManaged,
    /// The goal differs from the recorded one.
    GoalChanged {
        /// The recorded goal.
        from: Goal,
    },
    /// The instance was left at this goal, and moved since.
    Drifted,
    /// An earlier apply did not get this far.
    Unfinished {
        /// When that apply recorded it.
        recorded_at: Timestamp,
    },
    /// It shall run, but everything is powered off for this run.
    PoweredOff,
    /// It is no longer in the configuration.
    LeftConfiguration,
    /// The selection of its entry fits it now, and did not when that was last applied.
    NewlySelected,
    /// The selection of its entry does not fit it any more.
    NoLongerSelected,
}

/// A change that powerform did not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// What the last apply left it as.
    pub was: Power,
    /// What it is now.
    pub is: Power,
    /// When the last apply recorded it.
    pub since: Timestamp,
}

/// What a person should know about one instance before approving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Warning {
    /// It was stopped in economical mode: a start may find no stock, and a public address may change.
    EconomicalStart,
    /// The start destroys the data on its local disks.
    InitLocalDisk {
        /// How many local disks ECS reports.
        local_disks: u32,
    },
    /// A spot instance: a start may find no stock or a price too high, and ECS may take it back.
    Spot,
    /// A stop under a lock: ECS may refuse.
    StopUnderLock {
        /// The lock.
        reason: LockReason,
    },
    /// It is the machine that powerform runs on, and its stop ends the run.
    OwnMachine,
    /// Its Auto Scaling group may release it once it is stopped, which the entry allows.
    AutoScaling {
        /// The tag that says so, as `key=value`. Untrusted text.
        tag: String,
    },
    /// Running, as wanted, but ECS is taking it back.
    Recycling,
    /// Stopped, as wanted, but in another stop mode than wanted; changing it would mean starting it first.
    StopModeDiffers {
        /// What the configuration says.
        wanted: StopMode,
        /// What it is.
        is: StoppedMode,
    },
    /// The power of the machine is cut; data the guest has not written is lost.
    ForceStop,
}

/// What execution must respect for one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The entry's name.
    pub name: EntryName,
    /// Its goal.
    pub goal: Goal,
    /// The groups that this one comes after: for a start what it needs, for a stop what needs it.
    pub after: Vec<After>,
    /// What its entry depends on, as the configuration says, whether or not that orders anything here. Shown, and not
    /// executed.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// At most so many of its instances in transition at one time.
    pub at_once: Option<NonZeroU32>,
    /// What its selection came to, if its instances are selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selecting>,
    /// In which order its instances go; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// How long to wait between the end of one of its instances and the beginning of the next.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub pause: Duration,
    /// What the failure of one of its instances means for the next.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub on_failure: OnFailure,
    /// What to do where a start finds no stock.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub on_no_stock: OnNoStock,
    /// What its instances have to show, once they run, before those that come after it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Arc<Readiness>>,
    /// How long to wait for its instances.
    pub timeouts: Timeouts,
    /// The positions of its instances in [`Plan::changes`].
    pub changes: Vec<usize>,
}

/// Whether something is as it is where nobody says otherwise: that needs no place in a file.
fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Group {
    /// A group that asks for nothing but its turn.
    #[must_use]
    pub fn plain(name: EntryName, goal: Goal, timeouts: Timeouts) -> Self {
        Self {
            name,
            goal,
            after: Vec::new(),
            needs: Vec::new(),
            at_once: None,
            selection: None,
            sequence: None,
            pause: Duration::ZERO,
            on_failure: OnFailure::default(),
            on_no_stock: OnNoStock::default(),
            readiness: None,
            timeouts,
            changes: Vec::new(),
        }
    }
}

/// In which order the instances of a group go. Holds each position of [`Group::changes`] once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sequence {
    /// One zone after the other: none of a zone before all of the zone before have ended.
    ByZone(Vec<Vec<usize>>),
    /// One after the other, as far as there are slots.
    AsListed(Vec<usize>),
}

impl Sequence {
    /// Puts new positions in the place of the old ones, and leaves out those that have none.
    fn keep(&mut self, place: &[Option<usize>]) {
        let keep = |changes: &mut Vec<usize>| {
            *changes = changes.iter().filter_map(|change| place[*change]).collect();
        };
        match self {
            Self::ByZone(zones) => {
                zones.iter_mut().for_each(keep);
                zones.retain(|zone| !zone.is_empty());
            }
            Self::AsListed(listed) => keep(listed),
        }
    }

    /// The positions in the order in which they go.
    pub fn changes(&self) -> impl Iterator<Item = usize> {
        let (zones, listed) = match self {
            Self::ByZone(zones) => (zones.as_slice(), [].as_slice()),
            Self::AsListed(listed) => ([].as_slice(), listed.as_slice()),
        };
        zones.iter().flatten().chain(listed).copied()
    }
}

/// One group that another comes after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// The group.
    pub group: EntryIndex,
    /// Whether its failure skips the one that comes after.
    pub strength: Strength,
}
