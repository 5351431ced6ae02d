//! What one file wrote: its keys read one by one, nothing yet compared with anything else.

use std::path::PathBuf;

use super::entry::{self, WrittenDefaults, WrittenEntry};
use super::fields::{Field, Keys, Reader};
use super::layers::Tree;
use super::problem::{At, Findings};
use super::provider::{self, NamedProvider, WrittenProvider};
use super::version::{self, Requirement};
use super::yaml::{Pair, Value};
use crate::fleet::{CallLimits, StackName};

/// Something with the place where it was written.
#[derive(Debug, Clone)]
pub(super) struct Written<T> {
    pub(super) at: At,
    pub(super) value: T,
}

/// One file. What was written but makes no sense is there as an empty [`Written`]: reported already, and not missing.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) required_version: Option<Written<Requirement>>,
    pub(super) stack: Option<Written<Option<StackName>>>,
    pub(super) provider: Option<Written<WrittenProvider>>,
    pub(super) providers: Option<Vec<NamedProvider>>,
    pub(super) backend: Option<Written<Option<PathBuf>>>,
    pub(super) limits: Option<Written<CallLimits>>,
    pub(super) defaults: Option<Written<WrittenDefaults>>,
    /// `None` if the file has no `instances` at all.
    pub(super) entries: Option<Vec<WrittenEntry>>,
}

pub(super) const DOCUMENT: Keys<9> = Keys {
    of: "the document",
    known: [
        "required_version",
        "stack",
        // Read before anything else, by `variables`.
        "variables",
        "provider",
        "providers",
        "backend",
        "limits",
        "defaults",
        "instances",
    ],
    later: &["schedules", "overrides", "notify"],
};

pub(super) const LIMITS: Keys<2> = Keys { of: "the limits", known: ["starts", "stops"], later: &[] };

pub(super) const BACKEND: Keys<1> =
    Keys { of: "a backend", known: ["local"], later: &["s3", "oss", "etcd", "http"] };

pub(super) const LOCAL_BACKEND: Keys<1> = Keys { of: "a local backend", known: ["path"], later: &[] };

/// Reads one file. `None` if it could not be read through: what it would have said is unknown then.
pub(super) fn read(tree: &Tree<'_>, findings: &mut Findings) -> Option<Document> {
    let Tree { source, text, root } = tree;
    let mut reader = Reader { source: *source, text: *text, findings };
    let pairs = match &root.value {
        Value::Map(pairs) if is_account_file(pairs) => {
            let finding = reader
                .error(root, "this is an account file of the simulator, not a configuration")
                .note("its keys `account` and `keys` describe a simulated cloud")
                .help("name it in a configuration as `provider: { simulator: account.yaml }`, and give that file with -f");
            reader.add(finding);
            return None;
        }
        Value::Map(pairs) => pairs,
        Value::Text(text) if is_terraform(text) => {
            let finding = reader
                .error(root, "this looks like Terraform's language, and a configuration is YAML")
                .help("write YAML that begins with `stack: web-shop`; `powerform init` writes a file to begin with");
            reader.add(finding);
            return None;
        }
        Value::Nothing => {
            let finding = reader
                .error(root, "the file is empty")
                .help("`powerform init` writes a file to begin with, in a folder that has none");
            reader.add(finding);
            return None;
        }
        _ => {
            let message = format!("the document must be a mapping, and this is {}", root.kind());
            let finding = reader.error(root, message).help("begin with `stack: web-shop`");
            reader.add(finding);
            return None;
        }
    };
    let [required_version, stack, _variables, provider, providers, backend, limits, defaults, instances] =
        reader.fields(pairs, &DOCUMENT);
    Some(Document {
        required_version: required_version.and_then(|field| version::requirement(&mut reader, field)),
        stack: stack.map(|field| Written {
            at: reader.at(field.key),
            value: reader.name(field, StackName::new, "a name like web-shop"),
        }),
        provider: provider
            .map(|field| Written { at: reader.at(field.key), value: provider::provider(&mut reader, field) }),
        providers: providers.map(|field| provider::providers(&mut reader, field)),
        backend: backend
            .map(|field| Written { at: reader.at(field.key), value: backend_block(&mut reader, field) }),
        limits: limits
            .map(|field| Written { at: reader.at(field.key), value: limits_block(&mut reader, field) }),
        defaults: defaults
            .map(|field| Written { at: reader.at(field.key), value: entry::defaults(&mut reader, field) }),
        entries: instances.map(|field| entry::entries(&mut reader, field)),
    })
}

/// Whether a mapping has the keys that every account file has, and none that every configuration has.
fn is_account_file(pairs: &[Pair<'_>]) -> bool {
    let has =
        |name: &str| pairs.iter().any(|pair| matches!(&pair.key.value, Value::Text(text) if text == name));
    has("account") && has("keys") && !has("stack")
}

/// Whether a text begins as a block of Terraform does. YAML takes such a file for one long text.
fn is_terraform(text: &str) -> bool {
    const BLOCKS: [&str; 8] =
        ["resource", "provider", "variable", "terraform", "data", "module", "locals", "output"];
    let first = text.split_whitespace().next().unwrap_or_default();
    BLOCKS.contains(&first) && text.contains('{')
}

fn limits_block<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> CallLimits {
    const WANTED: &str = "a whole number from 0";
    let Some(pairs) = reader.mapping(field, "`{ starts: 50, stops: 10 }`") else {
        return CallLimits::default();
    };
    let [starts, stops] = reader.fields(pairs, &LIMITS);
    CallLimits {
        starts: starts.and_then(|field| reader.whole(field, WANTED)),
        stops: stops.and_then(|field| reader.whole(field, WANTED)),
    }
}

fn backend_block<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<PathBuf> {
    const EXAMPLE: &str = "`local: { path: state/web-shop.json }` below it";
    let pairs = reader.mapping(field, EXAMPLE)?;
    let [local] = reader.fields(pairs, &BACKEND);
    let Some(local) = local else {
        if pairs.is_empty() {
            let finding =
                reader.error(field.key, "the backend is not named").help(format!("write {EXAMPLE}"));
            reader.add(finding);
        }
        return None;
    };
    let pairs = reader.mapping(local, "`{ path: state/web-shop.json }`")?;
    let [path] = reader.fields(pairs, &LOCAL_BACKEND);
    reader.path(path?, "a path like state/web-shop.json")
}
