//! Reads and replaces the file of a record. Blocks.
//!
//! A replacement is written beside the file, made durable and renamed over it: a reader sees the old text or the new
//! one, and so does the next run after a crash at any moment.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::FileTrouble;
use crate::state::document;

/// More links than this on the way to one file are a circle.
const MOST_LINKS: usize = 40;

/// Letters and digits in the name of a temporary file, between the name of the file it replaces and [`SUFFIX`].
const RANDOM: usize = 12;

/// Ends the names of temporary files.
const SUFFIX: &str = ".powerform-tmp";

/// Follows symbolic links at `path` itself, so that a link to a state stays a link when the state is replaced. What
/// it leads to need not be there yet.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, FileTrouble> {
    let trouble = || FileTrouble::on("find the state", path);
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        if target.file_name().is_none() {
            return Err(trouble()(io::Error::new(ErrorKind::InvalidInput, "the path names no file")));
        }
        match fs::symlink_metadata(&target) {
            Ok(found) if found.is_symlink() => {
                let link = fs::read_link(&target).map_err(trouble())?;
                target = folder(&target).join(link);
            }
            Ok(_) => return Ok(target),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(target),
            Err(error) => return Err(trouble()(error)),
        }
    }
    Err(trouble()(io::Error::new(ErrorKind::InvalidInput, "its symbolic links lead in a circle")))
}

/// A kind of file that is kept, and what is said when that fails.
pub(super) struct Kept {
    reading: &'static str,
    writing: &'static str,
}

/// The record.
pub(super) const STATE: Kept = Kept { reading: "read the state", writing: "write the state to" };

/// The history of the last apply.
pub(super) const HISTORY: Kept =
    Kept { reading: "read the history of the last apply", writing: "write the history of this apply to" };

/// Where the history is kept that goes with the record at `target`: `web-shop.last-apply.json` beside
/// `web-shop.json`.
pub(super) fn history_beside(target: &Path) -> PathBuf {
    if target.extension().is_some_and(|extension| extension == "json") {
        return target.with_extension("last-apply.json");
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".last-apply.json");
    target.with_file_name(name)
}

impl Kept {
    /// Reads the file; none if there is none. Reads no more than makes the text too long to be a record.
    pub(super) fn read(&self, target: &Path) -> Result<Option<Vec<u8>>, FileTrouble> {
        let trouble = || FileTrouble::on(self.reading, target);
        let Some(file) = open_regular(target, File::options().read(true)).map_err(trouble())? else {
            return Ok(None);
        };
        let mut text = Vec::new();
        file.take(document::LONGEST as u64 + 1).read_to_end(&mut text).map_err(trouble())?;
        Ok(Some(text))
    }

    /// Replaces the file, and removes what crashed replacements have left beside it. Only under the lock: what looks
    /// left behind could otherwise be at work.
    pub(super) fn replace(&self, target: &Path, text: &[u8]) -> Result<(), FileTrouble> {
        let trouble = |error| FileTrouble::on(self.writing, target)(error).intact();
        let folder = folder(target);
        fs::create_dir_all(folder).map_err(trouble)?;
        let prefix = prefix(target);
        remove_leftovers(folder, &prefix);
        let mut temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(SUFFIX)
            .rand_bytes(RANDOM)
            .tempfile_in(folder)
            .map_err(trouble)?;
        temporary.write_all(text).map_err(trouble)?;
        temporary.as_file().sync_all().map_err(trouble)?;
        temporary.persist(target).map_err(|error| trouble(error.error))?;
        sync_folder(folder).map_err(FileTrouble::on("make durable what was written to", folder))
    }
}

/// Tries whether the file could be replaced, by a temporary file beside it that is gone afterwards, so that this is not
/// found out after the work. While its folder is not there yet, the nearest one that is tells whether it could be made.
///
/// May be done without the lock: should a holder take the attempt for a leftover and remove it, no harm is done.
pub(super) fn try_replacing(target: &Path) -> Result<(), FileTrouble> {
    let trouble = |error| FileTrouble::on("write the state to", target)(error).intact();
    let _ = open_regular(target, File::options().read(true)).map_err(trouble)?;
    let folders = target.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    let nearest = folders.into_iter().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(&prefix(target))
        .suffix(SUFFIX)
        .rand_bytes(RANDOM)
        .tempfile_in(nearest)
        .map_err(trouble)?;
    Ok(())
}

/// Opens a file unless it is something else: a pipe or a device could block for ever, or never end.
pub(super) fn open_regular(path: &Path, options: &fs::OpenOptions) -> io::Result<Option<File>> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is a device or a pipe"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    match options.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder that a file is in.
pub(super) fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn prefix(target: &Path) -> std::ffi::OsString {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// Does its best: a leftover that cannot be removed harms nothing.
fn remove_leftovers(folder: &Path, prefix: &std::ffi::OsStr) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if is_leftover(entry.file_name().as_encoded_bytes(), prefix.as_encoded_bytes()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Exact about the middle: the temporary files of a state named `a.json.b` also begin like those of `a.json`.
fn is_leftover(name: &[u8], prefix: &[u8]) -> bool {
    name.strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()))
        .is_some_and(|middle| middle.len() == RANDOM && middle.iter().all(u8::is_ascii_alphanumeric))
}

/// Makes a rename durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot, and some need not.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Windows has no such call: its file system keeps renames in a journal.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ones_own_temporary_files_are_leftovers() {
        let prefix = prefix(Path::new("state/a.json"));
        for (name, leftover) in [
            (".a.json.Ab3Ab3Ab3Ab3.powerform-tmp", true),
            (".a.json.Ab3Ab3Ab3Ab.powerform-tmp", false),
            (".a.json.b.Ab3Ab3Ab3A.powerform-tmp", false),
            (".a.json.b.Ab3Ab3Ab3Ab3.powerform-tmp", false),
            (".b.json.Ab3Ab3Ab3Ab3.powerform-tmp", false),
            ("a.json.Ab3Ab3Ab3Ab3.powerform-tmp", false),
            (".a.json.Ab3Ab3Ab3Ab3.tmp", false),
            (".a.json.powerform-tmp", false),
            ("a.json", false),
            ("a.json.lock", false),
        ] {
            assert_eq!(is_leftover(name.as_bytes(), prefix.as_encoded_bytes()), leftover, "{name}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_that_could_not_be_replaced_is_found_out_before_it_has_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("new/state.json");
        try_replacing(&state).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left, and no folder made");
        fs::create_dir_all(&state).unwrap();
        try_replacing(&state).unwrap_err();
        try_replacing(Path::new("/proc/self/state.json")).unwrap_err();
    }

    #[test]
    fn the_history_is_kept_beside_the_record_under_a_name_of_its_own() {
        for (state, history) in [
            ("state/web-shop.json", "state/web-shop.last-apply.json"),
            ("a.b.json", "a.b.last-apply.json"),
            ("state", "state.last-apply.json"),
            ("state.v1", "state.v1.last-apply.json"),
            (".json", ".json.last-apply.json"),
        ] {
            assert_eq!(history_beside(Path::new(state)), Path::new(history), "{state}");
        }
    }

    #[test]
    fn a_path_without_a_folder_is_in_the_working_directory() {
        assert_eq!(folder(Path::new("a.json")), Path::new("."));
        assert_eq!(folder(Path::new("state/a.json")), Path::new("state"));
        for nameless in ["", "/", "..", "state/.."] {
            assert!(resolve(Path::new(nameless)).is_err(), "{nameless:?}");
        }
    }
}
