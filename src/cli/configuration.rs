//! Reads the configuration files that the command line names, and finds what they name themselves.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::Session;
use super::failure::Failure;
use crate::config::{self, Configuration, Problems, Source};
use crate::render::json::v1::{self, Diagnostic};
use crate::render::problems;
use crate::state::Backend;

/// The file that is read where the command line names none.
pub(super) const DEFAULT_FILE: &str = "powerform.yaml";

/// A configuration, and where it was found.
pub(super) struct Loaded {
    pub(super) configuration: Configuration,
    /// The warnings about it, which have been shown, for programs.
    pub(super) warnings: Vec<Diagnostic>,
    /// How the first file is called in messages.
    pub(super) name: String,
    /// Relative paths in the configuration begin here: at the folder of the first file.
    folder: PathBuf,
}

impl Loaded {
    /// A path of the configuration, as it is found from the working directory.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Where the state is.
    pub(super) fn backend(&self) -> Backend {
        let stack = self.configuration.desired.stack.clone();
        let path = match &self.configuration.state_path {
            Some(path) => self.path(path),
            None => self.path(Path::new(&format!("state/{stack}.json"))),
        };
        Backend::local(&path, stack)
    }
}

/// Reads the configuration and shows its warnings.
pub(super) fn load(session: &Session<'_>) -> Result<Loaded, Failure> {
    let sources = Sources::read(session)?;
    match config::read(&sources.sources) {
        Ok(configuration) => {
            let (text, warnings) = sources.show(session, &configuration.warnings);
            session.console.problems(&text, &warnings);
            Ok(Loaded { configuration, warnings, name: sources.name, folder: sources.folder })
        }
        Err(problems) => {
            let (text, diagnostics) = sources.show(session, &problems);
            Err(Failure::Configuration { text, diagnostics })
        }
    }
}

struct Sources {
    sources: Vec<Source>,
    name: String,
    folder: PathBuf,
}

impl Sources {
    fn read(session: &Session<'_>) -> anyhow::Result<Self> {
        let default = [PathBuf::from(DEFAULT_FILE)];
        let named: &[PathBuf] = if session.global.file.is_empty() { &default } else { &session.global.file };
        let mut files = Vec::new();
        let mut folder = None;
        for named in named {
            let path = session.path(named);
            let is_folder = path.is_dir();
            let parent =
                if is_folder { path.clone() } else { path.parent().unwrap_or(Path::new("")).to_owned() };
            folder.get_or_insert(parent);
            if is_folder {
                files.extend(files_in(&path)?);
            } else {
                files.push(path);
            }
        }
        let mut sources = Vec::with_capacity(files.len());
        for path in &files {
            let missing = session.global.file.is_empty();
            sources.push(Source { name: path.display().to_string(), text: bytes_of(path, missing)? });
        }
        let name = sources.first().map(|source| source.name.clone()).unwrap_or_default();
        Ok(Self { sources, name, folder: folder.unwrap_or_default() })
    }

    fn show(&self, session: &Session<'_>, problems: &Problems) -> (String, Vec<Diagnostic>) {
        let width = session.environment.width();
        let text = problems::problems(&self.sources, problems, session.console.err_coloured(), width);
        (text, v1::diagnostics(&self.sources, problems))
    }
}

/// The `*.yaml` of a folder, in the order of their names.
fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(anyhow!("the folder {} has no *.yaml file", folder.display()));
    }
    files.sort();
    Ok(files)
}

/// The bytes of a file, but no more than it takes to see that there are too many.
fn bytes_of(path: &Path, is_default: bool) -> anyhow::Result<Vec<u8>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_default => {
            return Err(anyhow!(
                "there is no {} here: write one with `powerform init`, or name another file with -f",
                path.display()
            ));
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut bytes = Vec::new();
    file.take(config::LARGEST_SOURCE as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}
