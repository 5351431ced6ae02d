//! A store that forgets everything at the end of the process: for tests, hence as strict as it can be.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::document;
use super::lock::Guard as AnyGuard;
use super::store::{self, Attempt, Broken, Need, Store};
use super::{Held, LockError, LockInfo, StateError};
use crate::fleet::{Recorded, StackName};

const PLACE: &str = "memory";

/// A record in memory. Clones share one place.
///
/// It keeps the text rather than the record, so that nothing passes that a file would not have kept.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    stack: StackName,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    text: Option<Vec<u8>>,
    history: Option<Vec<u8>>,
    held: Option<LockInfo>,
    left_behind: Option<LockInfo>,
}

/// Frees the lock when it is dropped, as the operating system does for a process that ends.
#[derive(Debug)]
pub(super) struct Guard {
    shared: Arc<Mutex<Shared>>,
    id: Uuid,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut shared = locked(&self.shared);
        if shared.held.as_ref().is_some_and(|held| held.id == self.id) {
            shared.left_behind = shared.held.take();
        }
    }
}

impl MemoryStore {
    /// A new place, with nothing stored.
    #[must_use]
    pub fn new(stack: StackName) -> Self {
        Self { stack, shared: Arc::default() }
    }

    /// A store for another stack on the same place, as when two configurations name one file.
    #[must_use]
    pub fn for_stack(&self, stack: StackName) -> Self {
        Self { stack, shared: Arc::clone(&self.shared) }
    }

    /// What is stored.
    #[must_use]
    pub fn text(&self) -> Option<Vec<u8>> {
        locked(&self.shared).text.clone()
    }

    /// Stores a text, whatever it says, as someone would who writes to the file by hand.
    pub fn put_text(&self, text: Option<Vec<u8>>) {
        locked(&self.shared).text = text;
    }

    /// Puts a text where the history is kept, whatever it says.
    pub fn put_history(&self, text: &[u8]) {
        locked(&self.shared).history = Some(text.to_vec());
    }

    fn holds(&self, held: &Held) -> bool {
        match &held.guard {
            AnyGuard::Memory(guard) => {
                Arc::ptr_eq(&guard.shared, &self.shared)
                    && locked(&self.shared).held.as_ref().is_some_and(|holder| holder.id == guard.id)
            }
            AnyGuard::Local(_) => false,
        }
    }

    fn try_lock(&self, info: &LockInfo) -> Attempt<Held> {
        let mut shared = locked(&self.shared);
        if let Some(holder) = &shared.held {
            return Attempt::Busy(Some(Box::new(holder.clone())));
        }
        shared.held = Some(info.clone());
        let guard = Guard { shared: Arc::clone(&self.shared), id: info.id };
        let took_over = shared.left_behind.take();
        Attempt::Done(Held { info: info.clone(), took_over, guard: AnyGuard::Memory(guard) })
    }

    fn try_break(&self, id: Uuid) -> Attempt<Broken> {
        let mut shared = locked(&self.shared);
        if let Some(holder) = &shared.held {
            return Attempt::Busy(Some(Box::new(holder.clone())));
        }
        Attempt::Done(match shared.left_behind.take() {
            None => Broken::Nothing,
            Some(left) if left.id == id => Broken::Removed(left),
            Some(left) => {
                shared.left_behind = Some(left.clone());
                Broken::Other(Box::new(left))
            }
        })
    }
}

impl Store for MemoryStore {
    async fn load(&self) -> Result<Option<Recorded>, StateError> {
        let refused = |refused| StateError::Refused { place: PLACE.to_owned(), refused };
        self.text().map(|text| document::read(&text, &self.stack).map_err(refused)).transpose()
    }

    async fn save(&self, record: &Recorded, held: &Held) -> Result<(), StateError> {
        if !self.holds(held) {
            return Err(StateError::LockLost { place: PLACE.to_owned() });
        }
        let text = document::write(record);
        let mut shared = locked(&self.shared);
        match store::check_save(PLACE, &self.stack, shared.text.as_deref(), record, &text)? {
            Need::Write => shared.text = Some(text),
            Need::Nothing => {}
        }
        Ok(())
    }

    async fn keep_history(&self, text: &[u8], held: &Held) -> Result<(), StateError> {
        if !self.holds(held) {
            return Err(StateError::LockLost { place: PLACE.to_owned() });
        }
        let mut shared = locked(&self.shared);
        store::check_history(PLACE, shared.history.as_deref())?;
        shared.history = Some(text.to_vec());
        Ok(())
    }

    async fn history(&self) -> Result<Option<Vec<u8>>, StateError> {
        Ok(locked(&self.shared).history.clone())
    }

    async fn lock(&self, info: &LockInfo, timeout: Duration) -> Result<Held, LockError> {
        store::lock_by(PLACE, timeout, async || Ok(self.try_lock(info))).await
    }

    async fn holder(&self) -> Result<Option<LockInfo>, LockError> {
        Ok(locked(&self.shared).held.clone())
    }

    async fn left_behind(&self) -> Result<Option<LockInfo>, LockError> {
        Ok(locked(&self.shared).left_behind.clone())
    }

    async fn unlock(&self, held: Held) -> Result<(), LockError> {
        if !self.holds(&held) {
            return Err(LockError::Lost { place: PLACE.to_owned() });
        }
        locked(&self.shared).held = None;
        Ok(())
    }

    async fn force_unlock(&self, id: Uuid) -> Result<LockInfo, LockError> {
        store::force_unlock_by(PLACE, id, async || Ok(self.try_break(id))).await
    }
}

/// A panic elsewhere cannot leave the shared place half changed: every change is one assignment.
fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
