//! One suite that every store must pass, and what only the local one can get wrong.

#![expect(
    clippy::unwrap_used,
    reason = "the promises are functions that tests call: a panic is a failed test"
)]

use std::time::Duration;

use jiff::Timestamp;
use powerform::fleet::{
    Address, Durations, EntryName, Goal, InstanceId, InstanceKey, Power, ProviderAlias, Recorded,
    RecordedInstance, StackName,
};
use powerform::state::{LocalStore, LockInfo, MemoryStore, Store};
use uuid::Uuid;

mod conformance;
mod local;
mod processes;

/// A place that stores can be opened on, and whose content can be changed behind their backs.
trait Place: Sync {
    type Store: Store + Clone + 'static;

    /// One more store on this place.
    fn open(&self, stack: &str) -> Self::Store;

    /// What is stored.
    fn text(&self) -> Option<Vec<u8>>;

    /// Stores something by hand.
    fn put(&self, text: &[u8]);

    /// Puts something by hand where the history of an apply is kept.
    fn put_history(&self, text: &[u8]);
}

struct LocalPlace(tempfile::TempDir);

impl LocalPlace {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("state/web-shop.json")
    }
}

impl Place for LocalPlace {
    type Store = LocalStore;

    fn open(&self, stack: &str) -> LocalStore {
        LocalStore::new(&self.path(), StackName::new(stack).unwrap())
    }

    fn text(&self) -> Option<Vec<u8>> {
        std::fs::read(self.path()).ok()
    }

    fn put(&self, text: &[u8]) {
        std::fs::create_dir_all(self.path().parent().unwrap()).unwrap();
        std::fs::write(self.path(), text).unwrap();
    }

    fn put_history(&self, text: &[u8]) {
        std::fs::write(self.path().with_file_name("web-shop.last-apply.json"), text).unwrap();
    }
}

struct MemoryPlace(MemoryStore);

impl MemoryPlace {
    fn new() -> Self {
        Self(MemoryStore::new(StackName::new("web-shop").unwrap()))
    }
}

impl Place for MemoryPlace {
    type Store = MemoryStore;

    fn open(&self, stack: &str) -> MemoryStore {
        self.0.for_stack(StackName::new(stack).unwrap())
    }

    fn text(&self) -> Option<Vec<u8>> {
        self.0.text()
    }

    fn put(&self, text: &[u8]) {
        self.0.put_text(Some(text.to_vec()));
    }

    fn put_history(&self, text: &[u8]) {
        self.0.put_history(text);
    }
}

const LINEAGE: Uuid = Uuid::from_u128(0x1111);

/// A record with this serial, and with something in it that depends on the serial.
fn record(serial: u64) -> Recorded {
    let mut record = Recorded::new(StackName::new("web-shop").unwrap(), LINEAGE);
    record.serial = serial;
    let key = InstanceKey { provider: ProviderAlias::main(), id: InstanceId::new("i-bp1db").unwrap() };
    let instance = RecordedInstance {
        address: Address { entry: EntryName::new("db").unwrap(), instance: None },
        goal: Goal::Running,
        power: Power::Running,
        recorded_at: Timestamp::from_second(i64::try_from(serial).unwrap()).unwrap(),
        took: Durations { starts: vec![Duration::from_millis(serial)], stops: Vec::new() },
    };
    record.instances.insert(key, instance);
    record
}

/// The `number`th user of a lock.
fn user(number: u128) -> LockInfo {
    LockInfo {
        id: Uuid::from_u128(number),
        who: format!("user{number}@example"),
        host: "example".to_owned(),
        pid: 4711,
        since: "2026-11-21T20:04:00Z".parse().unwrap(),
        command: "apply".to_owned(),
        stack: StackName::new("web-shop").unwrap(),
    }
}
