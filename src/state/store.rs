//! What every place for a record can do.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::document::{self, Edition};
use super::{Held, LockError, LockInfo, StateError};
use crate::fleet::{Recorded, StackName};

/// The place of one stack's record, and its lock.
///
/// Two stores on one place exclude each other, in one process as in two. Cancelling any of these futures leaves the
/// place in order.
pub trait Store: Send + Sync {
    /// Reads the record. None: there is none yet, which is a first run.
    ///
    /// # Errors
    /// What is there is refused (and untouched), or could not be read.
    fn load(&self) -> impl Future<Output = Result<Option<Recorded>, StateError>> + Send;

    /// Replaces the record: afterwards the whole new one is stored, or the old one still is. The caller has raised
    /// the serial. Writing what is stored already does nothing, so a save whose outcome is unknown may be repeated.
    ///
    /// # Errors
    /// [`StateError::Conflict`] if the stored record has another lineage or a serial that is not older; what is
    /// stored is refused as in [`Store::load`]; the lock was lost; or it could not be written.
    fn save(&self, record: &Recorded, held: &Held) -> impl Future<Output = Result<(), StateError>> + Send;

    /// Keeps the text of the history of an apply beside the record, in place of the one before: afterwards the whole
    /// new one is kept, or the old one still is. It informs, and nothing is ever decided from it.
    ///
    /// # Errors
    /// [`StateError::Misplaced`] if something else stands where it would be; the lock was lost; or it could not be
    /// written.
    fn keep_history(&self, text: &[u8], held: &Held) -> impl Future<Output = Result<(), StateError>> + Send;

    /// The text that [`Store::keep_history`] kept last; none if there is none yet.
    ///
    /// # Errors
    /// It could not be read.
    fn history(&self) -> impl Future<Output = Result<Option<Vec<u8>>, StateError>> + Send;

    /// Takes the lock, waiting for it up to `timeout` (zero: as long as it takes to see who holds it).
    ///
    /// # Errors
    /// [`LockError::Held`], with the holder, if it was not free in time.
    fn lock(
        &self,
        info: &LockInfo,
        timeout: Duration,
    ) -> impl Future<Output = Result<Held, LockError>> + Send;

    /// Who holds the lock now, without taking it. What a dead process left does not count.
    ///
    /// # Errors
    /// [`LockError::Held`] if someone does who has not said who it is; or it could not be looked at.
    fn holder(&self) -> impl Future<Output = Result<Option<LockInfo>, LockError>> + Send;

    /// What a process that ended without giving the lock back has left of it, without taking it over. None while
    /// someone holds the lock.
    ///
    /// # Errors
    /// It could not be looked at.
    fn left_behind(&self) -> impl Future<Output = Result<Option<LockInfo>, LockError>> + Send;

    /// Gives the lock back.
    ///
    /// # Errors
    /// [`LockError::Lost`] if it was not held any more.
    fn unlock(&self, held: Held) -> impl Future<Output = Result<(), LockError>> + Send;

    /// Removes the lock with this id, which nobody works under any more, and says whose it was.
    ///
    /// # Errors
    /// [`LockError::NotLocked`], [`LockError::WrongId`], [`LockError::HolderAlive`]; nothing is removed then.
    fn force_unlock(&self, id: Uuid) -> impl Future<Output = Result<LockInfo, LockError>> + Send;
}

/// Whether a save has anything to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The new text must be written.
    Write,
    /// The stored text is the new one.
    Nothing,
}

/// Decides about a save: `stored` is the text that is stored now, `text` what `record` is to be stored as.
pub(super) fn check_save(
    place: &str,
    stack: &StackName,
    stored: Option<&[u8]>,
    record: &Recorded,
    text: &[u8],
) -> Result<Need, StateError> {
    let place = || place.to_owned();
    if record.stack != *stack {
        return Err(StateError::WrongStore { place: place(), offered: record.stack.clone() });
    }
    if record.serial == 0 {
        return Err(StateError::SerialNotRaised { place: place() });
    }
    let Some(stored) = stored else { return Ok(Need::Write) };
    if stored == text {
        return Ok(Need::Nothing);
    }
    let stored = document::read_edition(stored, stack)
        .map_err(|refused| StateError::Refused { place: place(), refused })?;
    let offered = Edition { lineage: record.lineage, serial: record.serial };
    if stored.lineage != offered.lineage || stored.serial >= offered.serial {
        return Err(StateError::Conflict { place: place(), stored, offered });
    }
    Ok(Need::Write)
}

/// What the text of every history begins with.
const HISTORY_HEAD: &[u8] = br#"{"kind":"powerform-last-apply""#;

/// Decides whether the text that stands where a history is to be kept may be replaced: only a history may, or nothing.
pub(super) fn check_history(place: &str, stored: Option<&[u8]>) -> Result<(), StateError> {
    match stored {
        Some(stored) if !stored.is_empty() && !stored.starts_with(HISTORY_HEAD) => {
            Err(StateError::Misplaced { place: place.to_owned() })
        }
        Some(_) | None => Ok(()),
    }
}

/// How often a held lock is tried again.
const POLL: Duration = Duration::from_millis(250);

/// How long a lock is tried even by those who do not want to wait. Someone who only looks who holds it takes it for an
/// instant, and a holder needs an instant to say who it is: neither shall pass for the answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a holder is given to say who it is: on a busy machine an instant can last.
const PATIENCE_WITH_THE_SILENT: Duration = Duration::from_secs(5);

/// How often it is tried within [`PATIENCE`], and while the holder has not said who it is.
const PATIENT_POLL: Duration = Duration::from_millis(20);

/// What one try at a lock came to.
#[derive(Debug)]
pub(super) enum Attempt<T> {
    /// It was free, and this was done with it.
    Done(T),
    /// Someone has it: the holder, if it says who it is.
    Busy(Option<Box<LockInfo>>),
}

/// Tries until it is done, but no longer than `timeout` once the holder is known; the last try is made at its end.
pub(super) async fn try_until<T, E, F>(
    timeout: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<Attempt<T>, E>
where
    F: Future<Output = Result<Attempt<T>, E>>,
{
    let began = Instant::now();
    let timeout = timeout.max(PATIENCE);
    loop {
        let busy = match attempt().await? {
            Attempt::Busy(holder) => holder,
            done @ Attempt::Done(_) => return Ok(done),
        };
        let waited = began.elapsed();
        let is_silent = busy.is_none() && waited < PATIENCE_WITH_THE_SILENT;
        let timeout = if is_silent { timeout.max(PATIENCE_WITH_THE_SILENT) } else { timeout };
        if waited >= timeout {
            return Ok(Attempt::Busy(busy));
        }
        let pause = if waited < PATIENCE || is_silent { PATIENT_POLL } else { POLL };
        tokio::time::sleep(pause.min(timeout - waited)).await;
    }
}

/// [`Store::lock`] by tries.
pub(super) async fn lock_by<F>(
    place: &str,
    timeout: Duration,
    attempt: impl FnMut() -> F,
) -> Result<Held, LockError>
where
    F: Future<Output = Result<Attempt<Held>, LockError>>,
{
    match try_until(timeout, attempt).await? {
        Attempt::Done(held) => Ok(held),
        Attempt::Busy(holder) => Err(LockError::Held { place: place.to_owned(), holder }),
    }
}

/// What became of a lock that was to be broken, once it was free.
#[derive(Debug)]
pub(super) enum Broken {
    /// It was removed.
    Removed(LockInfo),
    /// It has another id, and stays.
    Other(Box<LockInfo>),
    /// There was none.
    Nothing,
}

/// [`Store::force_unlock`] by tries.
pub(super) async fn force_unlock_by<F>(
    place: &str,
    id: Uuid,
    attempt: impl FnMut() -> F,
) -> Result<LockInfo, LockError>
where
    F: Future<Output = Result<Attempt<Broken>, LockError>>,
{
    let place = place.to_owned();
    match try_until(Duration::ZERO, attempt).await? {
        Attempt::Done(Broken::Removed(holder)) => Ok(holder),
        Attempt::Done(Broken::Other(holder)) => Err(LockError::WrongId { place, given: id, holder }),
        Attempt::Done(Broken::Nothing) => Err(LockError::NotLocked { place }),
        Attempt::Busy(Some(holder)) if holder.id != id => {
            Err(LockError::WrongId { place, given: id, holder })
        }
        Attempt::Busy(holder) => Err(LockError::HolderAlive { place, holder }),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn holder() -> Box<LockInfo> {
        Box::new(LockInfo {
            id: Uuid::nil(),
            who: "ops@build-7".to_owned(),
            host: "build-7".to_owned(),
            pid: 7,
            since: jiff::Timestamp::UNIX_EPOCH,
            command: "apply".to_owned(),
            stack: StackName::new("shop").expect("valid"),
        })
    }

    /// How long someone who does not want to wait tries a lock whose holder says who it is after so long.
    async fn tried(silent_for: Duration) -> (Duration, bool) {
        let began = Instant::now();
        let attempt = async || {
            let holder = (began.elapsed() >= silent_for).then(holder);
            Ok::<_, Infallible>(Attempt::<()>::Busy(holder))
        };
        let Ok(Attempt::Busy(holder)) = try_until(Duration::ZERO, attempt).await else {
            panic!("it is never free")
        };
        (began.elapsed(), holder.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_is_given_time_to_say_who_it_is_but_not_for_ever() {
        let ms = Duration::from_millis;
        assert_eq!(tried(ms(0)).await, (ms(100), true));
        assert_eq!(tried(ms(2_010)).await, (ms(2_020), true));
        assert_eq!(tried(Duration::MAX).await, (ms(5_000), false));
    }
}
