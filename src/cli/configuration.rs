//! Reads the configuration files that the command line names, and finds what they name themselves.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::Session;
use super::arguments::Global;
use super::environment::Environment;
use super::failure::Failure;
use crate::config::{self, Configuration, Layer, Problems, ProviderSettings, Source};
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
    /// How all the files are called, what is laid over them included.
    pub(super) names: Vec<String>,
    /// Relative paths in the configuration begin here: at the folder of the first file.
    folder: PathBuf,
}

impl Loaded {
    /// What no file says. `name` is what it is called instead.
    pub(super) fn without_file(configuration: Configuration, name: &str) -> Self {
        let names = vec![name.to_owned()];
        Self { configuration, warnings: Vec::new(), name: name.to_owned(), names, folder: PathBuf::new() }
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
    let named = Named { files: given.to_vec(), ..Named::by(session.global, session.environment) };
    let mut sources = Sources::read(&named)?;
    let mut read = sources.configuration();
    if read.is_err() && sources.leave_out_account() {
        read = sources.configuration();
    }
    match read {
        Ok(configuration) => {
            let (text, warnings) = sources.show(session, &configuration.warnings);
            session.console.problems(&text, &warnings);
            let (name, names, folder) = (sources.name(), sources.names(), sources.folder.clone());
            Ok((Loaded { configuration, warnings, name, names, folder }, sources))
        }
        Err(problems) => Err(sources.failure(session, &problems)),
    }
}

/// The configuration that a command line names, for who is not to be told what is wrong with it.
pub(super) fn quietly(named: &Named) -> Option<Configuration> {
    let mut sources = Sources::read(named).ok()?;
    sources.leave_out_account();
    sources.configuration().ok()
}

/// What a command line and the environment say of where the configuration is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) files: Vec<PathBuf>,
    pub(super) overlays: Vec<PathBuf>,
    pub(super) var_files: Vec<PathBuf>,
    /// `name=value`.
    pub(super) assignments: Vec<String>,
    /// The variables of the environment that may give a value, with it.
    pub(super) environment: Vec<(String, Vec<u8>)>,
    /// The folder that the paths begin in.
    pub(super) from: Option<PathBuf>,
}

impl Named {
    fn by(global: &Global, environment: Environment) -> Self {
        Self {
            files: global.file.clone(),
            overlays: global.overlay.clone(),
            var_files: global.var_file.clone(),
            assignments: global.var.clone(),
            environment: environment.variables_that_begin_with(config::ENVIRONMENT_PREFIX),
            from: global.chdir.clone(),
        }
    }

    fn found(&self, path: &Path) -> PathBuf {
        self.from.as_ref().map_or_else(|| path.to_owned(), |from| from.join(path))
    }
}

/// The files of a configuration, and what they hold.
#[derive(Clone, Default)]
pub(super) struct Sources {
    /// The files, and after them what is laid over them.
    sources: Vec<Source>,
    /// Where each of the files is.
    files: Vec<Found>,
    /// What the sources behind the files are.
    above: Vec<Layer>,
    folder: PathBuf,
}

/// A file that the command line names, itself or by its folder.
#[derive(Clone)]
struct Found {
    path: PathBuf,
    by_folder: bool,
}

impl Sources {
    fn read(named: &Named) -> anyhow::Result<Self> {
        let default = [PathBuf::from(DEFAULT_FILE)];
        let given: &[PathBuf] = if named.files.is_empty() { &default } else { &named.files };
        let mut files = Vec::new();
        let mut folder = None;
        for path in given {
            let path = named.found(path);
            let is_folder = path.is_dir();
            let parent =
                if is_folder { path.clone() } else { path.parent().unwrap_or(Path::new("")).to_owned() };
            folder.get_or_insert(parent);
            if is_folder {
                files.extend(files_in(&path)?.into_iter().map(|path| Found { path, by_folder: true }));
            } else {
                files.push(Found { path, by_folder: false });
            }
        }
        let flag = if named.files.is_empty() { None } else { Some("-f") };
        let source = |path: &Path, flag: Option<&str>| -> anyhow::Result<Source> {
            Ok(Source { name: path.display().to_string(), text: bytes_of(path, flag)? })
        };
        let mut sources = Vec::with_capacity(files.len());
        for Found { path, .. } in &files {
            sources.push(source(path, flag)?);
        }
        let mut above = Vec::new();
        for (name, value) in &named.environment {
            sources.push(Source { name: name.clone(), text: value.clone() });
            above.push(Layer::Environment);
        }
        let overlays = named.overlays.iter().map(|path| (path, "--overlay", Layer::Overlay));
        let values = named.var_files.iter().map(|path| (path, "--var-file", Layer::Values));
        for (path, flag, layer) in overlays.chain(values) {
            sources.push(source(&named.found(path), Some(flag))?);
            above.push(layer);
        }
        for assignment in &named.assignments {
            sources.push(Source { name: "--var".to_owned(), text: assignment.clone().into_bytes() });
            above.push(Layer::Assignment);
        }
        Ok(Self { sources, files, above, folder: folder.unwrap_or_default() })
    }

    /// What the files mean together, with what is laid over them.
    pub(super) fn configuration(&self) -> Result<Configuration, Problems> {
        config::read_layers(&self.sources, &self.layers())
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
                sources.files.push(Found { path: path.to_owned(), by_folder: false });
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

    /// How the files and the overlays are called.
    fn names(&self) -> Vec<String> {
        let layers = self.layers();
        let is_file = |layer: Layer| matches!(layer, Layer::File | Layer::Overlay);
        let named = self.sources.iter().zip(layers).filter(|(_, layer)| is_file(*layer));
        named.map(|(source, _)| source.name.clone()).collect()
    }

    fn layers(&self) -> Vec<Layer> {
        let files = std::iter::repeat_n(Layer::File, self.files.len());
        files.chain(self.above.iter().copied()).collect()
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
            .take(self.files.len())
            .flat_map(config::simulators_named_by)
            .filter_map(|account| real(&self.folder.join(account)))
            .collect();
        let is_account =
            |file: &Found| file.by_folder && real(&file.path).is_some_and(|path| accounts.contains(&path));
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

/// The bytes of a file, but no more than it takes to see that there are too many. `flag` is what names the file, if
/// anything does.
fn bytes_of(path: &Path, flag: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(match flag {
                None => anyhow!(
                    "there is no {} here: write one with `powerform init`, or name another file with -f",
                    path.display()
                ),
                Some(flag) => anyhow!(
                    "there is no file {}: check the path that is given with {flag}, and the folder it starts from",
                    path.display()
                ),
            });
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut bytes = Vec::new();
    file.take(config::LARGEST_SOURCE as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}
