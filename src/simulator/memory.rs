//! The memory file: the log, shared by any number of processes.
//!
//! A session takes the advisory lock, reads what others appended, and appends. It lasts as long as one request takes
//! to decide, never across a delay. The file is opened anew for each session, so that a file that was moved away or
//! begun anew is noticed; its header's id tells whether it is the one that was read so far.
//!
//! A file is only ever replaced whole (written beside, then renamed), by whoever holds the lock of the one before,
//! which is emptied then: a process that was waiting for that lock finds an empty file and opens again.
//!
//! A last line without its end is what a crash left. It is ignored, and cut by the next that appends. Nothing is
//! synced to the disk: this memory outlives a killed process, not a power cut.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::log::{FORMAT_VERSION, Header, LONGEST_HEADER, LogEvent, LogLine, Snapshot};

/// How large a log may grow before it is begun anew with a snapshot, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// How often a file that is being replaced is opened again before it is taken for broken.
const MOST_OPENINGS: u32 = 100;

/// Why the memory could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum MemoryError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The memory belongs to another account file.
    #[error("the account file has changed since this simulator was started: start it again")]
    AccountChanged,
    /// A line that is not the last is not a line of a log.
    #[error("line {0} is not a line of a simulator's log: delete the file to begin anew")]
    Damaged(u64),
    /// A later version wrote it.
    #[error(
        "its format version is {0}, and this program knows {FORMAT_VERSION}: delete the file to begin anew"
    )]
    Newer(u32),
}

/// One process's view of the memory file.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    account_digest: String,
    largest: u64,
    /// The header of the file that was read, and up to where.
    read: Option<(Header, u64)>,
    /// How many lines were read, for messages.
    lines: u64,
}

/// What is new since the last session.
#[derive(Debug)]
pub(super) struct News {
    /// The file is not the one of before, or the first one: everything known is void. When it began.
    pub(super) begun: Option<Timestamp>,
    /// The lines since, or all of them.
    pub(super) lines: Vec<LogLine>,
}

/// The memory file, locked. Dropping it gives up the lock.
#[derive(Debug)]
pub(super) struct Session<'m> {
    memory: &'m mut Memory,
    file: File,
    /// The end of the last whole line.
    end: u64,
    /// The end of the file, beyond `end` where a crash left a torn line.
    length: u64,
}

impl Memory {
    /// The memory of an account file; nothing is read yet.
    pub(super) fn new(path: PathBuf, account_digest: String) -> Self {
        Self { path, account_digest, largest: LARGEST, read: None, lines: 0 }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins the memory anew if it is that of another account file, or of none.
    pub(super) fn begin(&mut self, now: Timestamp) -> Result<(), MemoryError> {
        if self.open(now, true)?.1.account_digest != self.account_digest {
            return Err(MemoryError::AccountChanged);
        }
        Ok(())
    }

    /// Locks the file, made if it is not there, and reads what is new in it.
    pub(super) fn enter(&mut self, now: Timestamp) -> Result<(Session<'_>, News), MemoryError> {
        let (mut file, header, header_end) = self.open(now, false)?;
        if header.account_digest != self.account_digest {
            return Err(MemoryError::AccountChanged);
        }
        let length = file.metadata()?.len();
        let known = self.read.as_ref().filter(|(read, offset)| *read == header && *offset <= length);
        let (begun, from) = match known {
            Some((_, offset)) => (None, *offset),
            None => {
                self.lines = 1;
                (Some(header.begun), header_end)
            }
        };
        let mut new = Vec::new();
        if length > from {
            file.seek(SeekFrom::Start(from))?;
            (&mut file).take(length - from).read_to_end(&mut new)?;
        }
        let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        new.truncate(whole);
        let mut lines = Vec::new();
        for text in new.split_inclusive(|byte| *byte == b'\n') {
            self.lines += 1;
            lines.push(serde_json::from_slice(text).map_err(|_| MemoryError::Damaged(self.lines))?);
        }
        let end = from + u64::try_from(whole).unwrap_or_default();
        self.read = Some((header, end));
        Ok((Session { memory: self, file, end, length }, News { begun, lines }))
    }

    /// Opens and locks the file that is at the path now, and reads its header. A missing or empty file is begun anew;
    /// one of another account file only if `replace` says so; one that is no log at all never, because it is somebody
    /// else's.
    fn open(&mut self, now: Timestamp, replace: bool) -> Result<(File, Header, u64), MemoryError> {
        for opening in 0..MOST_OPENINGS {
            let mut file = match File::options().read(true).write(true).open(&self.path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.write_anew(now, None, None)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            file.lock()?;
            let mut start = Vec::new();
            (&mut file).take(LONGEST_HEADER).read_to_end(&mut start)?;
            // An empty file was replaced while its lock was awaited, or is one that someone else left here.
            if start.is_empty() && opening < MOST_OPENINGS / 2 {
                continue;
            }
            match header(&start)? {
                Some((header, end)) if header.account_digest == self.account_digest || !replace => {
                    return Ok((file, header, end));
                }
                Some(_) | None => self.write_anew(now, None, Some(&file))?,
            }
        }
        Err(io::Error::other("the file is being replaced again and again").into())
    }

    /// Writes the file whole: a header, and the snapshot if there is one. `replaced` is the locked file that is at
    /// the path now; without one, a file that appears there in the meantime is left alone.
    fn write_anew(
        &self,
        begun: Timestamp,
        snapshot: Option<&LogLine>,
        replaced: Option<&File>,
    ) -> Result<(), MemoryError> {
        let folder = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder)?;
        let header = Header {
            format_version: FORMAT_VERSION,
            account_digest: self.account_digest.clone(),
            begun,
            id: uuid::Uuid::new_v4().to_string(),
        };
        let mut text = line(&header)?;
        if let Some(snapshot) = snapshot {
            text.extend(line(snapshot)?);
        }
        // Readable by its owner only, as all files of this kind are.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&text)?;
        match replaced {
            Some(old) => {
                file.persist(&self.path).map_err(|error| error.error)?;
                old.set_len(0)?;
            }
            None => match file.persist_noclobber(&self.path) {
                Ok(_) => {}
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.error.into()),
            },
        }
        Ok(())
    }
}

impl Session<'_> {
    /// Appends lines, all in one write.
    pub(super) fn append(&mut self, lines: &[LogLine]) -> Result<(), MemoryError> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        for one in lines {
            text.extend(line(one)?);
        }
        if self.length > self.end {
            self.file.set_len(self.end)?;
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        // Should the write fail halfway, what it left is torn, and is cut by the next.
        self.length = u64::MAX;
        self.file.write_all(&text)?;
        self.end += u64::try_from(text.len()).unwrap_or_default();
        self.length = self.end;
        if let Some((_, offset)) = &mut self.memory.read {
            *offset = self.end;
        }
        self.memory.lines += u64::try_from(lines.len()).unwrap_or_default();
        Ok(())
    }

    /// Whether the log has grown so large that it should be begun anew with a snapshot.
    pub(super) fn is_large(&self) -> bool {
        self.end > self.memory.largest
    }

    /// Replaces everything so far by a snapshot of it.
    pub(super) fn compact(self, at: Timestamp, snapshot: Snapshot) -> Result<(), MemoryError> {
        let Some((header, _)) = self.memory.read.take() else { return Ok(()) };
        let snapshot = LogLine { at, event: LogEvent::Snapshot(snapshot) };
        self.memory.write_anew(header.begun, Some(&snapshot), Some(&self.file))?;
        // The next session reads the new file from its beginning; a snapshot larger than the limit would otherwise
        // be taken again each time.
        let written = std::fs::metadata(&self.memory.path)?.len();
        self.memory.largest = self.memory.largest.max(written.saturating_mul(2));
        Ok(())
    }
}

fn line<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, MemoryError> {
    let mut text = serde_json::to_vec(value).map_err(io::Error::from)?;
    text.push(b'\n');
    Ok(text)
}

/// The header at the start of a file and where it ends; none where the file is empty.
fn header(start: &[u8]) -> Result<Option<(Header, u64)>, MemoryError> {
    if start.is_empty() {
        return Ok(None);
    }
    // Files are made whole, so even a crash leaves no torn header.
    let end = start.iter().position(|byte| *byte == b'\n').ok_or(MemoryError::Damaged(1))?;
    let text = start.get(..end).unwrap_or_default();
    match serde_json::from_slice::<Header>(text) {
        Ok(header) if header.format_version <= FORMAT_VERSION => {
            Ok(Some((header, u64::try_from(end).unwrap_or_default() + 1)))
        }
        Ok(header) => Err(MemoryError::Newer(header.format_version)),
        Err(_) => Err(MemoryError::Damaged(1)),
    }
}
