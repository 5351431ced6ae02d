//! The language: YAML text in, a sound and resolved [`Desired`] out, or every problem found on the way.
//!
//! Reading takes four moves. `yaml` turns text into nodes that know their place and is the only one that knows the
//! YAML library. `layers` lays overlays over the files and fills in variables, whatever the keys. `document` says what each file wrote, key by key. `resolve` puts the files together and checks
//! what no key shows alone: unknown and circular dependencies, contradictory goals, instances named twice.
//!
//! Everything here is pure: no files, no environment, no clock, no network. All problems are reported at once, each
//! with its place. Time and memory grow with the size of the input and with nothing that the input says.

mod append;
mod checks;
mod cycles;
mod digest;
mod document;
pub mod endpoint;
mod entry;
mod fields;
mod layers;
mod lines;
mod nearest;
mod overlay;
mod problem;
mod provider;
mod ready;
mod replacement;
mod resolve;
mod role;
mod rolling;
mod select;
mod source;
mod variables;
mod version;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::fleet::{CallLimits, Desired, ProviderAlias};

pub use append::{CannotAppend, append};
pub use layers::Layer;
pub use nearest::nearest;
pub use problem::{Place, Problem, Problems, Related, Severity};
use provider::WrittenProvider;
pub use provider::{Format, Network, ProviderSettings, Signature};
pub use role::RoleToAssume;
pub use source::{LARGEST_SOURCE, Source};
pub use variables::ENVIRONMENT_PREFIX;

/// The commented file that `powerform init` writes: a valid configuration that touches nothing.
pub const TEMPLATE: &str = include_str!("template.yaml");

/// The JSON Schema (draft 7) of one file, for editors. It says what can be said of a file by itself; what files mean
/// together, [`read`] checks. A file alone may leave out what another one gives, so it requires no key of the document.
pub const SCHEMA: &str = include_str!("language.schema.json");

/// What the files say together, sound and resolved.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// What the instances shall be.
    pub desired: Desired,
    /// Where they live, by alias. [`ProviderAlias::main`] is always there; an entry names no other one that is not.
    pub providers: BTreeMap<ProviderAlias, ProviderSettings>,
    /// Where the state lives, as written: relative to the folder of the first file. `None` stands for the default,
    /// `state/<stack>.json` there.
    pub state_path: Option<PathBuf>,
    /// How many calls a plan may hold before an apply asks for `--allow-over-limit`.
    pub limits: CallLimits,
    /// SHA-256 in lower-case hexadecimal over what the configuration means: comments, the order of keys and entries,
    /// aliases and the split into files do not change it; everything that could change a plan or its apply does.
    pub digest: String,
    /// What is odd but not wrong.
    pub warnings: Problems,
}

impl Configuration {
    /// The providers that entries name.
    #[must_use]
    pub fn providers_in_use(&self) -> BTreeSet<&ProviderAlias> {
        self.desired.entries.iter().map(|entry| &entry.provider).collect()
    }
}

/// The account files of simulators that this one file names, whatever else is wrong with it.
#[must_use]
pub fn simulators_named_by(source: &Source) -> Vec<PathBuf> {
    let findings = &mut problem::Findings::default();
    let tree = layers::tree(0, source, findings);
    let Some(document) = tree.and_then(|tree| document::read(&tree, findings)) else {
        return Vec::new();
    };
    let named = document.providers.unwrap_or_default().into_iter().map(|named| named.settings);
    document
        .provider
        .map(|written| written.value)
        .into_iter()
        .chain(named)
        .filter_map(WrittenProvider::simulator)
        .collect()
}

/// Reads the files as one configuration: their entries add up, everything else is given once.
///
/// # Errors
/// Every problem found, sorted by place; warnings among them, but at least one error.
pub fn read(sources: &[Source]) -> Result<Configuration, Problems> {
    read_layers(sources, &[])
}

/// Reads files as one configuration, with what is laid over them and the values of their variables. `layers` says what
/// each of the sources is, in their order; a source of which it says nothing is a file.
///
/// # Errors
/// Every problem found, sorted by place; warnings among them, but at least one error.
pub fn read_layers(sources: &[Source], layers: &[Layer]) -> Result<Configuration, Problems> {
    let mut findings = problem::Findings::default();
    let (trees, mut all_read) = layers::read(sources, layers, &mut findings);
    let mut documents = Vec::with_capacity(trees.len());
    for tree in trees {
        match document::read(&tree, &mut findings) {
            Some(document) => documents.push(document),
            None => all_read = false,
        }
    }
    let requirements = documents.iter().filter_map(|document| document.required_version.as_ref());
    if let Some(unmet) = version::unmet(requirements, &running_version()) {
        return Err(unmet.into_problems(sources));
    }
    let resolved = resolve::resolve(&documents, all_read, &mut findings);
    let problems = findings.into_problems(sources);
    match resolved {
        Some(resolved) if problems.errors() == 0 => Ok(Configuration {
            digest: digest::of(&resolved),
            desired: resolved.desired,
            providers: resolved.providers,
            state_path: resolved.state_path,
            limits: resolved.limits,
            warnings: problems,
        }),
        _ => Err(problems),
    }
}

/// The version of this program.
fn running_version() -> semver::Version {
    let number = |text: &str| text.parse().unwrap_or(0);
    let mut version = semver::Version::new(
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
    );
    version.pre = semver::Prerelease::new(env!("CARGO_PKG_VERSION_PRE")).unwrap_or_default();
    version
}
