//! A configuration, what is seen of it and what is recorded of it, made for tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::fleet::{
    Actual, Address, Desired, Durations, Entry, EntryIndex, EntryName, Goal, InstanceId, InstanceKey, Lock,
    LockReason, Members, Need, Power, ProviderAlias, Recorded, RecordedInstance, Region, Seen, Sighting,
    StackName, StopPolicy, Strength,
};
use crate::plan::{Block, Change, Cycle, Plan, Verdict, plan, power_off};

/// When every world is looked at.
pub(super) const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
/// When everything was recorded.
pub(super) const THEN: Timestamp = Timestamp::constant(1_700_000_000, 0);

pub(super) const START: Verdict = Verdict::Start { once_stopped: false, init_local_disk: false };
pub(super) const HARD: Strength = Strength::Hard;
pub(super) const SOFT: Strength = Strength::Soft;

pub(super) fn stop() -> Verdict {
    Verdict::Stop { once_running: false, policy: StopPolicy::default() }
}

pub(super) fn seconds_after(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).expect("in range")
}

pub(super) fn address(text: &str) -> Address {
    text.parse().expect("valid")
}

pub(super) fn held_up(by: &str, root: &str) -> Verdict {
    Verdict::Blocked(Block::HeldUp { by: address(by), root: address(root) })
}

pub(super) fn there(power: Power) -> Seen {
    let id = InstanceId::new("i-0").expect("valid");
    Seen::There(Arc::new(Sighting::plain(id, power)))
}

pub(super) fn key(provider: &str, id: &str) -> InstanceKey {
    InstanceKey {
        provider: ProviderAlias::new(provider).expect("valid"),
        id: InstanceId::new(id).expect("valid"),
    }
}

#[derive(Clone)]
pub(super) struct World {
    entries: Vec<(Entry, Vec<(String, Strength)>)>,
    seen: HashMap<InstanceKey, Seen>,
    pub(super) recorded: Option<Recorded>,
}

impl World {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), seen: HashMap::new(), recorded: None }
    }

    /// One entry with one instance, `i-` and the entry's name.
    pub(super) fn entry(self, name: &str, goal: Goal, seen: Seen, needs: &[(&str, Strength)]) -> Self {
        let id = InstanceId::new(&format!("i-{name}")).expect("valid");
        self.entry_of(name, goal, Members::Single(id), &[seen], needs)
    }

    /// One entry with several instances, `i-`, the entry's name and a number from 0.
    pub(super) fn several(self, name: &str, goal: Goal, seen: &[Seen], needs: &[(&str, Strength)]) -> Self {
        let id = |at: usize| InstanceId::new(&format!("i-{name}{at}")).expect("valid");
        self.entry_of(name, goal, Members::Several((0..seen.len()).map(id).collect()), seen, needs)
    }

    fn entry_of(
        mut self,
        name: &str,
        goal: Goal,
        members: Members,
        seen: &[Seen],
        needs: &[(&str, Strength)],
    ) -> Self {
        let entry = Entry::plain(EntryName::new(name).expect("valid"), goal, members);
        for (id, seen) in entry.ids().iter().zip(seen) {
            let mut seen = seen.clone();
            if let Seen::There(sighting) = &mut seen {
                let sighting = Arc::make_mut(sighting);
                sighting.id = id.clone();
            }
            self.seen.insert(InstanceKey { provider: entry.provider.clone(), id: id.clone() }, seen);
        }
        let needs = needs.iter().map(|(name, strength)| ((*name).to_owned(), *strength)).collect();
        self.entries.push((entry, needs));
        self
    }

    /// Changes the last entry.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Entry)) -> Self {
        change(&mut self.entries.last_mut().expect("an entry").0);
        self
    }

    /// Changes what is seen of the first instance of the last entry.
    pub(super) fn seeing(mut self, change: impl FnOnce(&mut Sighting)) -> Self {
        let (entry, _) = self.entries.last().expect("an entry");
        let key = InstanceKey { provider: entry.provider.clone(), id: entry.ids()[0].clone() };
        match self.seen.get_mut(&key) {
            Some(Seen::There(sighting)) => change(Arc::make_mut(sighting)),
            other => panic!("{other:?}"),
        }
        self
    }

    /// Locks the first instance of the last entry.
    pub(super) fn locked(self, word: &str) -> Self {
        let reason = LockReason::from_word(word);
        self.seeing(|sighting| sighting.locks.push(Lock { reason, message: String::new() }))
    }

    /// Records an instance of the main provider.
    pub(super) fn record(mut self, at: &str, id: &str, goal: Goal, power: Power) -> Self {
        let stack = StackName::new("test").expect("valid");
        let recorded = self.recorded.get_or_insert_with(|| Recorded::new(stack, Uuid::nil()));
        let instance = RecordedInstance {
            address: address(at),
            goal,
            power,
            recorded_at: THEN,
            took: Durations::default(),
        };
        recorded.instances.insert(key(ProviderAlias::main().as_str(), id), instance);
        self
    }

    /// Records that starts and stops of an instance of the main provider took so many seconds each.
    pub(super) fn took(mut self, at: &str, id: &str, start: u64, stop: u64) -> Self {
        self = self.record(at, id, Goal::Any, Power::Pending);
        let recorded = self.recorded.as_mut().and_then(|it| it.instances.get_mut(&key("default", id)));
        let took = &mut recorded.expect("recorded").took;
        took.add_start(Duration::from_secs(start));
        took.add_stop(Duration::from_secs(stop));
        self
    }

    /// Forgets that an instance was looked at.
    pub(super) fn unasked(mut self, id: &str) -> Self {
        self.seen.remove(&key(ProviderAlias::main().as_str(), id));
        self
    }

    pub(super) fn desired(&self) -> Desired {
        let mut sorted: Vec<&(Entry, Vec<(String, Strength)>)> = self.entries.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        let position: HashMap<&str, u32> =
            sorted.iter().zip(0..).map(|((entry, _), at)| (entry.name.as_str(), at)).collect();
        let entries = sorted
            .iter()
            .map(|(entry, needs)| {
                let mut needs: Vec<Need> = needs
                    .iter()
                    .map(|(name, strength)| Need {
                        entry: EntryIndex(position[name.as_str()]),
                        strength: *strength,
                    })
                    .collect();
                needs.sort_by_key(|need| need.entry);
                Entry { needs, ..entry.clone() }
            })
            .collect();
        Desired { stack: StackName::new("test").expect("valid"), entries }
    }

    pub(super) fn actual(&self) -> Actual {
        let region = Region::new("cn-hangzhou").expect("valid");
        let regions = BTreeMap::from([(ProviderAlias::main(), region)]);
        Actual { regions, instances: self.seen.clone(), ..Actual::new(NOW) }
    }

    pub(super) fn try_plan(&self) -> Result<Plan, Cycle> {
        plan(&self.desired(), self.recorded.as_ref(), &self.actual())
    }

    pub(super) fn plan(&self) -> Plan {
        self.try_plan().expect("no cycle")
    }

    /// The plan with everything off.
    pub(super) fn powered_off(&self) -> Plan {
        power_off(&self.desired(), self.recorded.as_ref(), &self.actual()).expect("no cycle")
    }

    /// Sees an instance otherwise from now on.
    pub(super) fn see(&mut self, id: &str, mut seen: Seen) {
        let key = key(ProviderAlias::main().as_str(), id);
        if let Seen::There(sighting) = &mut seen {
            let sighting = Arc::make_mut(sighting);
            sighting.id = key.id.clone();
        }
        self.seen.insert(key, seen);
    }

    /// The change at an address.
    pub(super) fn change(&self, at: &str) -> Change {
        let plan = self.plan();
        let mut found = plan.changes.into_iter().filter(|change| change.address.to_string() == at);
        let change = found.next().unwrap_or_else(|| panic!("nothing is said of {at}"));
        assert!(found.next().is_none(), "{at} stands there twice");
        change
    }

    pub(super) fn verdict(&self, at: &str) -> Verdict {
        self.change(at).verdict
    }
}
