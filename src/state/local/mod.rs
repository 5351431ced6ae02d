//! A record in a file of this machine.
//!
//! The work on files blocks, so it is done on threads made for that. The lock guards one machine: a folder that several
//! machines share needs a file system that shares locks.

mod lock_file;
mod record_file;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

pub(super) use self::lock_file::LockedFile;
use super::document;
use super::lock::Guard;
use super::store::{self, Attempt, Need, Store};
use super::{FileTrouble, Held, LockError, LockInfo, StateError};
use crate::fleet::{Recorded, StackName};

/// A record in a file, with its lock in `<file>.lock` beside it.
#[derive(Debug, Clone)]
pub struct LocalStore {
    place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    stack: StackName,
}

impl LocalStore {
    /// The record of `stack` in the file at `path`. Nothing is read or made yet.
    #[must_use]
    pub fn new(path: &Path, stack: StackName) -> Self {
        Self { place: Arc::new(Place { path: path.to_owned(), stack }) }
    }

    /// The place as a person finds it.
    #[must_use]
    pub fn place(&self) -> String {
        self.place.name()
    }

    /// Tries whether the record could be replaced and the lock be taken, without doing either. What is tried leaves
    /// nothing behind.
    ///
    /// # Errors
    /// [`StateError::File`], as the first save would meet it.
    pub async fn try_writing(&self) -> Result<(), StateError> {
        self.blocking(|place| {
            let target = record_file::resolve(&place.path)?;
            lock_file::try_opening(&lock_file::beside(&target))?;
            Ok(record_file::try_replacing(&target)?)
        })
        .await
    }

    async fn blocking<T, E>(&self, work: impl FnOnce(&Place) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<FileTrouble> + Send + 'static,
    {
        let place = Arc::clone(&self.place);
        match tokio::task::spawn_blocking(move || work(&place)).await {
            Ok(result) => result,
            Err(stopped) => {
                Err(FileTrouble::on("finish working on", &self.place.path)(std::io::Error::other(stopped))
                    .into())
            }
        }
    }
}

impl Place {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn load(&self) -> Result<Option<Recorded>, StateError> {
        let target = record_file::resolve(&self.path)?;
        let Some(text) = record_file::STATE.read(&target)? else { return Ok(None) };
        match document::read(&text, &self.stack) {
            Ok(record) => Ok(Some(record)),
            Err(refused) => Err(StateError::Refused { place: self.name(), refused }),
        }
    }

    fn save(&self, record: &Recorded, lock: Option<&LockedFile>) -> Result<(), StateError> {
        let target = record_file::resolve(&self.path)?;
        let lost = || StateError::LockLost { place: self.name() };
        // Kept to the end: a save that was given up may still be at work, and must not overtake the next one.
        let working = lock.ok_or_else(lost)?.begin();
        if !working.is_at(&lock_file::beside(&target)) {
            return Err(lost());
        }
        let stored = record_file::STATE.read(&target)?;
        let text = document::write(record);
        match store::check_save(&self.name(), &self.stack, stored.as_deref(), record, &text)? {
            Need::Write => record_file::STATE.replace(&target, &text)?,
            Need::Nothing => {}
        }
        Ok(())
    }

    fn keep_history(&self, text: &[u8], lock: Option<&LockedFile>) -> Result<(), StateError> {
        let target = record_file::resolve(&self.path)?;
        let lost = || StateError::LockLost { place: self.name() };
        let working = lock.ok_or_else(lost)?.begin();
        if !working.is_at(&lock_file::beside(&target)) {
            return Err(lost());
        }
        let history = record_file::history_beside(&target);
        let stored = record_file::HISTORY.read(&history)?;
        store::check_history(&history.display().to_string(), stored.as_deref())?;
        Ok(record_file::HISTORY.replace(&history, text)?)
    }

    fn history(&self) -> Result<Option<Vec<u8>>, StateError> {
        let target = record_file::resolve(&self.path)?;
        Ok(record_file::HISTORY.read(&record_file::history_beside(&target))?)
    }

    fn lock_path(&self) -> Result<PathBuf, FileTrouble> {
        record_file::resolve(&self.path).map(|target| lock_file::beside(&target))
    }

    fn try_lock(&self, info: LockInfo) -> Result<Attempt<Held>, LockError> {
        record_file::try_replacing(&record_file::resolve(&self.path)?)?;
        Ok(match lock_file::take(&self.lock_path()?, &info)? {
            Attempt::Done((file, took_over)) => {
                Attempt::Done(Held { info, took_over, guard: Guard::Local(file) })
            }
            Attempt::Busy(holder) => Attempt::Busy(holder),
        })
    }

    fn unlock(&self, held: Held) -> Result<(), LockError> {
        let lost = || LockError::Lost { place: self.name() };
        let Guard::Local(file) = held.guard else { return Err(lost()) };
        let path = self.lock_path()?;
        let working = file.begin();
        if !working.is_at(&path) {
            return Err(lost());
        }
        Ok(working.clear().map_err(FileTrouble::on("give back the lock", &path))?)
    }
}

impl Store for LocalStore {
    async fn load(&self) -> Result<Option<Recorded>, StateError> {
        self.blocking(Place::load).await
    }

    async fn save(&self, record: &Recorded, held: &Held) -> Result<(), StateError> {
        // The file is shared with the thread that writes: the lock outlives a save that nobody waits for any more.
        let lock = match &held.guard {
            Guard::Local(file) => Some(file.clone()),
            Guard::Memory(_) => None,
        };
        let record = record.clone();
        self.blocking(move |place| place.save(&record, lock.as_ref())).await
    }

    async fn keep_history(&self, text: &[u8], held: &Held) -> Result<(), StateError> {
        let lock = match &held.guard {
            Guard::Local(file) => Some(file.clone()),
            Guard::Memory(_) => None,
        };
        let text = text.to_vec();
        self.blocking(move |place| place.keep_history(&text, lock.as_ref())).await
    }

    async fn history(&self) -> Result<Option<Vec<u8>>, StateError> {
        self.blocking(Place::history).await
    }

    async fn lock(&self, info: &LockInfo, timeout: Duration) -> Result<Held, LockError> {
        store::lock_by(&self.place.name(), timeout, || {
            let info = info.clone();
            self.blocking(move |place| place.try_lock(info))
        })
        .await
    }

    async fn holder(&self) -> Result<Option<LockInfo>, LockError> {
        let looked = store::try_until(Duration::ZERO, || {
            self.blocking(|place| {
                Ok::<_, LockError>(match lock_file::look(&place.lock_path()?)? {
                    // Known at once; only a holder that has not said who it is is worth another look.
                    Attempt::Busy(Some(holder)) => Attempt::Done(Some(*holder)),
                    Attempt::Busy(None) => Attempt::Busy(None),
                    Attempt::Done(_) => Attempt::Done(None),
                })
            })
        })
        .await?;
        match looked {
            Attempt::Done(holder) => Ok(holder),
            Attempt::Busy(holder) => Err(LockError::Held { place: self.place.name(), holder }),
        }
    }

    async fn left_behind(&self) -> Result<Option<LockInfo>, LockError> {
        self.blocking(|place| {
            Ok(match lock_file::look(&place.lock_path()?)? {
                Attempt::Done(left) => left,
                Attempt::Busy(_) => None,
            })
        })
        .await
    }

    async fn unlock(&self, held: Held) -> Result<(), LockError> {
        self.blocking(|place| place.unlock(held)).await
    }

    async fn force_unlock(&self, id: Uuid) -> Result<LockInfo, LockError> {
        store::force_unlock_by(&self.place.name(), id, || {
            self.blocking(move |place| Ok(lock_file::remove(&place.lock_path()?, id)?))
        })
        .await
    }
}
