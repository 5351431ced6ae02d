//! Picks the store that the configuration asks for.

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::{Held, LocalStore, LockError, LockInfo, StateError, Store};
use crate::fleet::{Recorded, StackName};

/// The stores that a configuration can ask for. An enum rather than a trait object: the trait's futures are not
/// dispatched at run time, and the compiler lists every place that a further store needs.
#[derive(Debug, Clone)]
pub enum Backend {
    /// A file on this machine.
    Local(LocalStore),
}

impl Backend {
    /// `backend: { local: { path: ... } }`, with the path as it is found from the working directory.
    #[must_use]
    pub fn local(path: &Path, stack: StackName) -> Self {
        Self::Local(LocalStore::new(path, stack))
    }

    /// The place as a person finds it.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Local(store) => store.place(),
        }
    }

    /// Tries whether the record could be replaced and the lock be taken, without doing either.
    ///
    /// # Errors
    /// What the first save would meet.
    pub async fn try_writing(&self) -> Result<(), StateError> {
        match self {
            Self::Local(store) => store.try_writing().await,
        }
    }
}

impl Store for Backend {
    async fn load(&self) -> Result<Option<Recorded>, StateError> {
        match self {
            Self::Local(store) => store.load().await,
        }
    }

    async fn save(&self, record: &Recorded, held: &Held) -> Result<(), StateError> {
        match self {
            Self::Local(store) => store.save(record, held).await,
        }
    }

    async fn keep_history(&self, text: &[u8], held: &Held) -> Result<(), StateError> {
        match self {
            Self::Local(store) => store.keep_history(text, held).await,
        }
    }

    async fn history(&self) -> Result<Option<Vec<u8>>, StateError> {
        match self {
            Self::Local(store) => store.history().await,
        }
    }

    async fn lock(&self, info: &LockInfo, timeout: Duration) -> Result<Held, LockError> {
        match self {
            Self::Local(store) => store.lock(info, timeout).await,
        }
    }

    async fn holder(&self) -> Result<Option<LockInfo>, LockError> {
        match self {
            Self::Local(store) => store.holder().await,
        }
    }

    async fn left_behind(&self) -> Result<Option<LockInfo>, LockError> {
        match self {
            Self::Local(store) => store.left_behind().await,
        }
    }

    async fn unlock(&self, held: Held) -> Result<(), LockError> {
        match self {
            Self::Local(store) => store.unlock(held).await,
        }
    }

    async fn force_unlock(&self, id: Uuid) -> Result<LockInfo, LockError> {
        match self {
            Self::Local(store) => store.force_unlock(id).await,
        }
    }
}
