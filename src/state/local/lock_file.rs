//! The lock of a record: a file beside it, locked by the operating system, whose content says who holds it. Blocks.
//!
//! The operating system's lock is the truth: it ends with its process, however that ends. The content only informs.
//! Content without a lock is what a dead process left, and whoever locks next takes it over. The file is emptied, never
//! deleted: a file deleted between someone's opening and locking it would leave two holders of two files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::record_file::{folder, open_regular};
use crate::state::store::{Attempt, Broken};
use crate::state::{FileTrouble, LockInfo};

/// More is not read of a lock file.
const LONGEST: u64 = 64 * 1024;

/// How often a lock file that was replaced while it was being locked is opened anew in one try.
const REOPENINGS: usize = 5;

/// A file with the operating system's lock on it, until the last clone is dropped.
#[derive(Debug, Clone)]
pub(in crate::state) struct LockedFile(Arc<Mutex<Unlocking>>);

/// A file that gives its lock back when it is dropped, and does not leave that to being closed: a process that is just
/// being started has it open too for an instant, and would keep the lock for so long.
#[derive(Debug)]
struct Unlocking(File);

impl Drop for Unlocking {
    fn drop(&mut self) {
        // What could not be unlocked is unlocked by being closed.
        let _ = self.0.unlock();
    }
}

/// Keeps others of the same process from using the lock at the same time.
pub(super) struct Use<'a>(MutexGuard<'a, Unlocking>);

impl LockedFile {
    /// Begins something that only one at a time may do under this lock.
    pub(super) fn begin(&self) -> Use<'_> {
        // A panic elsewhere leaves the file locked, which is all that counts.
        Use(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Use<'_> {
    /// Whether the locked file still is the one at this path, so that the next one to lock meets it.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        is_at(&self.0.0, path)
    }

    /// Empties the file. The lock ends when the file is dropped.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.0.0.set_len(0)
    }
}

/// Where the lock of a record is.
pub(super) fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    target.with_file_name(name)
}

/// Takes the lock if it is free, and tells what a dead process left.
pub(super) fn take(
    path: &Path,
    info: &LockInfo,
) -> Result<Attempt<(LockedFile, Option<LockInfo>)>, FileTrouble> {
    let trouble = || FileTrouble::on("lock the state with", path);
    fs::create_dir_all(folder(path)).map_err(trouble())?;
    for _ in 0..REOPENINGS {
        let Some(file) = open_regular_or_new(path).map_err(trouble())? else { continue };
        let mut file = Unlocking(file);
        if !try_exclusively(&file.0).map_err(trouble())? {
            return Ok(Attempt::Busy(content(&mut file.0).map(Box::new)));
        }
        if !is_at(&file.0, path) {
            continue;
        }
        let left = content(&mut file.0);
        overwrite(&mut file.0, &info.to_text()).map_err(trouble())?;
        return Ok(Attempt::Done((LockedFile(Arc::new(Mutex::new(file))), left)));
    }
    Ok(Attempt::Busy(None))
}

/// Sees whether the lock is free, and what a dead process left of it. Others that only look do not disturb each other;
/// one that takes the lock at this very moment has to try again.
pub(super) fn look(path: &Path) -> Result<Attempt<Option<LockInfo>>, FileTrouble> {
    let trouble = || FileTrouble::on("look at the lock", path);
    let opened = open_regular(path, OpenOptions::new().read(true)).map_err(trouble())?;
    let Some(mut file) = opened.map(Unlocking) else { return Ok(Attempt::Done(None)) };
    match file.0.try_lock_shared() {
        Ok(()) => Ok(Attempt::Done(content(&mut file.0))),
        Err(TryLockError::WouldBlock) => Ok(Attempt::Busy(content(&mut file.0).map(Box::new))),
        Err(TryLockError::Error(error)) => Err(trouble()(error)),
    }
}

/// Tries whether the lock could be taken, if it is free. Does not take it.
pub(super) fn try_opening(path: &Path) -> Result<(), FileTrouble> {
    let opened = open_regular(path, OpenOptions::new().read(true).write(true));
    opened.map(drop).map_err(FileTrouble::on("lock the state with", path))
}

/// Removes what a dead process left, if it has this id.
pub(super) fn remove(path: &Path, id: Uuid) -> Result<Attempt<Broken>, FileTrouble> {
    let trouble = || FileTrouble::on("unlock the state with", path);
    let opened = open_regular(path, OpenOptions::new().read(true).write(true)).map_err(trouble())?;
    let Some(mut file) = opened.map(Unlocking) else { return Ok(Attempt::Done(Broken::Nothing)) };
    if !try_exclusively(&file.0).map_err(trouble())? {
        return Ok(Attempt::Busy(content(&mut file.0).map(Box::new)));
    }
    Ok(match content(&mut file.0) {
        _ if !is_at(&file.0, path) => Attempt::Busy(None),
        None => Attempt::Done(Broken::Nothing),
        Some(left) if left.id != id => Attempt::Done(Broken::Other(Box::new(left))),
        Some(left) => {
            file.0.set_len(0).map_err(trouble())?;
            Attempt::Done(Broken::Removed(left))
        }
    })
}

fn open_regular_or_new(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    if let Some(file) = open_regular(path, &options)? {
        return Ok(Some(file));
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.create_new(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

fn try_exclusively(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What the file says. Nothing that goes wrong here matters: the content only informs.
fn content(file: &mut File) -> Option<LockInfo> {
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    LockInfo::from_text(&text)
}

fn overwrite(file: &mut File, text: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Elsewhere a file has no identity that could be asked for without unsafe code.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_stands_beside_the_record() {
        assert_eq!(beside(Path::new("state/web-shop.json")), Path::new("state/web-shop.json.lock"));
        assert_eq!(beside(Path::new("x")), Path::new("x.lock"));
    }
}
