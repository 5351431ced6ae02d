//! What the client is told of the process around it: variables, the home folder, files, the time.
//!
//! Everything that looks for credentials, proxies or certificates looks through this, so that a test sees exactly the
//! world that it made. Nothing here reads the environment or the clock by itself.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

/// Tells the time. Requests carry it, so it should be that of the machine.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Looks a variable of the environment up. `None` for one that is not set.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Where every ECS instance finds its metadata.
pub const METADATA_SERVICE: &str = "http://100.100.100.200";

/// The largest file with credentials that is read, in bytes. Real ones have a few kilobytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// The process around the client.
#[derive(Clone)]
pub struct Surroundings {
    /// The environment.
    pub variables: Variables,
    /// The folder below which `.aliyun` and `.alibabacloud` are looked for.
    pub home: Option<PathBuf>,
    /// The time.
    pub clock: Clock,
    /// Where the metadata of the instance that this runs on are asked for: [`METADATA_SERVICE`].
    pub metadata_service: String,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("home", &self.home)
            .field("metadata_service", &self.metadata_service)
            .finish_non_exhaustive()
    }
}

impl Surroundings {
    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    /// The first of some variables that is set and not empty, with its name.
    #[must_use]
    pub fn first_variable(&self, names: &[&'static str]) -> Option<(&'static str, String)> {
        names.iter().find_map(|name| Some((*name, self.variable(name)?)))
    }

    /// Whether a variable says `true`, in any letter case.
    #[must_use]
    pub fn says_true(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A path below the home folder, if there is one.
    #[must_use]
    pub fn below_home(&self, path: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(path))
    }
}

/// A file that may hold secrets.
#[derive(Debug)]
pub(super) struct SecretFile {
    /// What it holds.
    pub(super) text: SecretString,
    /// Whether others than its owner may read it. Known on Unix only.
    pub(super) open_to_others: bool,
}

impl SecretFile {
    /// Reads a file, but no more than a megabyte, and nothing that is no file: reading a pipe may never end.
    ///
    /// # Errors
    /// Those of the file system; `InvalidData` for what is no such file. Their words quote nothing of the contents.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(refuse("it is not a file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(refuse("it is larger than 1 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(Self { text: text.into(), open_to_others: open_to_others(&metadata) })
    }
}

#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o044 != 0
}

#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use secrecy::ExposeSecret as _;

    use super::*;

    /// Surroundings that hold these variables and nothing else, at a fixed time. The metadata service is an address
    /// where nothing listens.
    pub(in crate::aliyun) fn surroundings(variables: &[(&str, &str)], home: Option<&Path>) -> Surroundings {
        let variables: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Surroundings {
            variables: Arc::new(move |name| variables.get(name).cloned()),
            home: home.map(Path::to_owned),
            clock: Arc::new(|| Timestamp::from_second(1_800_000_000).expect("within range")),
            metadata_service: "http://127.0.0.1:1".to_owned(),
        }
    }

    #[test]
    fn variables_are_found_by_order_and_empty_ones_are_not_there() {
        let around = surroundings(&[("A", ""), ("B", "b"), ("C", "c"), ("T", "TRUE"), ("F", "yes")], None);
        assert_eq!(around.first_variable(&["A", "X", "C", "B"]), Some(("C", "c".to_owned())));
        assert_eq!(around.first_variable(&["A", "X"]), None);
        assert!(around.says_true("T") && !around.says_true("F") && !around.says_true("X"));
        assert_eq!(around.below_home("x"), None);
    }

    #[test]
    fn only_small_text_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            path
        };
        let file = SecretFile::read(&write("good", "\u{feff}s3cret".as_bytes())).expect("readable");
        assert_eq!(file.text.expose_secret(), "s3cret");
        assert!(!format!("{file:?}").contains("s3cret"));
        for (path, words) in [
            (folder.path().to_owned(), "not a file"),
            (write("latin", b"\xe9t\xe9"), "not UTF-8"),
            (write("large", &vec![b'x'; 1024 * 1024 + 1]), "larger than"),
        ] {
            let error = SecretFile::read(&path).expect_err("refused").to_string();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(
            SecretFile::read(&folder.path().join("none")).expect_err("missing").kind(),
            io::ErrorKind::NotFound
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_recognised() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "x").expect("written");
        for (mode, open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("allowed");
            assert_eq!(SecretFile::read(&path).expect("readable").open_to_others, open, "{mode:o}");
        }
    }
}
