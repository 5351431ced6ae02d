//! Reads the configuration files that the command line names, and finds what they name themselves.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::Session;
use super::failure::Failure;
use crate::config::{self, Configuration, Problems, ProviderSettings, Source};
use crate::fleet::ProviderAlias;
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
    /// What no file says. `name` is what it is called instead.
    pub(super) fn without_file(configuration: Configuration, name: &str) -> Self {
        Self { configuration, warnings: Vec::new(), name: name.to_owned(), folder: PathBuf::new() }
    }

    /// A path of the configuration, as it is found from the working directory.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The providers that entries name; the main one if there is no entry.
    pub(super) fn providers(&self) -> Vec<ProviderAlias> {
        let in_use = self.configuration.providers_in_use();
        if in_use.is_empty() { vec![ProviderAlias::main()] } else { in_use.into_iter().cloned().collect() }
    }

    /// What is said of a provider.
    pub(super) fn provider(&self, alias: &ProviderAlias) -> &ProviderSettings {
        // An entry names none that is not described, and the main one always is.
        &self.configuration.providers[alias]
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
    Ok(load_files(session, &session.global.file)?.0)
}

/// As [`load`], of these files; and what they hold.
pub(super) fn load_files(session: &Session<'_>, given: &[PathBuf]) -> Result<(Loaded, Sources), Failure> {
    let mut sources = Sources::read(given, session.global.chdir.as_deref())?;
    let mut read = sources.configuration();
    if read.is_err() && sources.leave_out_account() {
        read = sources.configuration();
    }
    match read {
        Ok(configuration) => {
            let (text, warnings) = sources.show(session, &configuration.warnings);
            session.console.problems(&text, &warnings);
            let (name, folder) = (sources.name(), sources.folder.clone());
            Ok((Loaded { configuration, warnings, name, folder }, sources))
        }
        Err(problems) => Err(sources.failure(session, &problems)),
    }
}

/// What the files say that a command line names, for who is not to be told what is wrong with them.
pub(super) fn sources(given: &[PathBuf], from: Option<&Path>) -> Option<Vec<Source>> {
    let mut sources = Sources::read(given, from).ok()?;
    sources.leave_out_account();
    Some(sources.sources)
}

/// The files of a configuration, and what they hold.
#[derive(Clone, Default)]
pub(super) struct Sources {
    sources: Vec<Source>,
    /// Where each of the sources is.
    files: Vec<Named>,
    folder: PathBuf,
}

/// A file that the command line names, itself or by its folder.
#[derive(Clone)]
struct Named {
    path: PathBuf,
    by_folder: bool,
}

impl Sources {
    /// `given` are the files that the command line names, as they are found from the folder `from`.
    fn read(given: &[PathBuf], from: Option<&Path>) -> anyhow::Result<Self> {
        let default = [PathBuf::from(DEFAULT_FILE)];
        let named: &[PathBuf] = if given.is_empty() { &default } else { given };
        let mut files = Vec::new();
        let mut folder = None;
        for named in named {
            let path = from.map_or_else(|| named.clone(), |from| from.join(named));
            let is_folder = path.is_dir();
            let parent =
                if is_folder { path.clone() } else { path.parent().unwrap_or(Path::new("")).to_owned() };
            folder.get_or_insert(parent);
            if is_folder {
                files.extend(files_in(&path)?.into_iter().map(|path| Named { path, by_folder: true }));
            } else {
                files.push(Named { path, by_folder: false });
            }
        }
        let mut sources = Vec::with_capacity(files.len());
        for Named { path, .. } in &files {
            let missing = given.is_empty();
            sources.push(Source { name: path.display().to_string(), text: bytes_of(path, missing)? });
        }
        Ok(Self { sources, files, folder: folder.unwrap_or_default() })
    }

    /// What the files mean together.
    pub(super) fn configuration(&self) -> Result<Configuration, Problems> {
        config::read(&self.sources)
    }

    /// Why the files are no configuration.
    pub(super) fn failure(&self, session: &Session<'_>, problems: &Problems) -> Failure {
        let (text, diagnostics) = self.show(session, problems);
        Failure::Configuration { text, diagnostics }
    }

    /// How many files there are.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// One of the files.
    pub(super) fn file(&self, path: &Path) -> Option<&Source> {
        self.sources.get(self.position(path)?)
    }

    /// These files, with another text in one of them, or with one more.
    pub(super) fn with(&self, path: &Path, text: Vec<u8>) -> Self {
        let mut sources = self.clone();
        let source = Source { name: path.display().to_string(), text };
        match self.position(path) {
            Some(position) => sources.sources[position] = source,
            None => {
                sources.sources.insert(self.files.len(), source);
                sources.files.push(Named { path: path.to_owned(), by_folder: false });
            }
        }
        sources
    }

    fn position(&self, path: &Path) -> Option<usize> {
        let wanted = path.canonicalize().ok()?;
        self.files.iter().position(|file| file.path.canonicalize().is_ok_and(|path| path == wanted))
    }

    /// How the first file is called in messages.
    fn name(&self) -> String {
        self.sources.first().map(|source| source.name.clone()).unwrap_or_default()
    }

    /// Leaves out the simulator's account where it was found in a folder beside the configuration that names it: it is
    /// YAML, but no part of the configuration. Whether anything was left out.
    fn leave_out_account(&mut self) -> bool {
        if !self.files.iter().any(|file| file.by_folder) {
            return false;
        }
        let real = |path: &Path| path.canonicalize().ok();
        let accounts: Vec<PathBuf> = self
            .sources
            .iter()
            .flat_map(config::simulators_named_by)
            .filter_map(|account| real(&self.folder.join(account)))
            .collect();
        let is_account =
            |file: &Named| file.by_folder && real(&file.path).is_some_and(|path| accounts.contains(&path));
        let (left_out, files) =
            std::mem::take(&mut self.files).into_iter().partition::<Vec<_>, _>(is_account);
        self.files = files;
        self.sources
            .retain(|source| left_out.iter().all(|file| file.path.display().to_string() != source.name));
        !left_out.is_empty()
    }

    fn show(&self, session: &Session<'_>, problems: &Problems) -> (String, Vec<Diagnostic>) {
        let width = session.environment.width();
        let text = problems::problems(&self.sources, problems, session.console.err_coloured(), width);
        (text, v1::diagnostics(&self.sources, problems))
    }
}

/// The `*.yaml` of a folder, in the order of their names. Those whose names begin with a dot are what editors leave.
fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == "yaml") && !is_hidden && path.is_file() {
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
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(anyhow!(
                "there is no file {}: check the path that is given with -f, and the folder it starts from",
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
