//! From what the files wrote to what they mean together.

use std::collections::{BTreeMap, HashMap, hash_map};
use std::path::PathBuf;

use super::ProviderSettings;
use super::checks::{self, Fleet};
use super::document::{Document, Written};
use super::entry::{WrittenDefaults, WrittenEntry, WrittenMembers};
use super::nearest::nearest;
use super::problem::{At, Finding, Findings, Span, quoted};
use super::provider;
use crate::fleet::{
    CallLimits, Desired, Entry, EntryIndex, Members, Need, ProviderAlias, RollingOrder, StackName,
    StopPolicy, Timeouts,
};

/// What the files mean together.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) desired: Desired,
    pub(super) providers: BTreeMap<ProviderAlias, ProviderSettings>,
    pub(super) state_path: Option<PathBuf>,
    pub(super) limits: CallLimits,
}

/// Puts the files together. `None` if something is missing; that has been reported then. `all_read` says whether what
/// is not here is missing, or may be in a file that could not be read.
pub(super) fn resolve(documents: &[Document], all_read: bool, findings: &mut Findings) -> Option<Resolved> {
    let stack = stack(documents, all_read, findings);
    // All are met, or this would not be reached.
    once("required_version", documents.iter().filter_map(|file| file.required_version.as_ref()), findings);
    let providers = providers(documents, findings);
    let backend = once("backend", documents.iter().filter_map(|file| file.backend.as_ref()), findings);
    let state_path = backend.and_then(|written| written.value.clone());
    let limits = once("limits", documents.iter().filter_map(|file| file.limits.as_ref()), findings);
    let limits = limits.map(|written| written.value).unwrap_or_default();
    let defaults = once("defaults", documents.iter().filter_map(|file| file.defaults.as_ref()), findings);
    let defaults = defaults.map(|written| written.value.clone()).unwrap_or_default();
    if all_read && documents.iter().all(|file| file.entries.is_none()) {
        findings.add(
            Finding::error(beginning(), "`instances` is missing")
                .help("add `instances:` with an entry for each instance, or `instances: {}` for none"),
        );
    }
    let written = documents.iter().filter_map(|file| file.entries.as_ref()).flatten();
    let fleet = Fleet::new(written, findings);
    check_aliases(&fleet, &providers, all_read, findings);
    let needs = checks::check(&fleet, all_read, findings);
    let entries: Option<Vec<Entry>> =
        fleet.entries.iter().zip(needs).map(|(written, needs)| entry(written, needs, &defaults)).collect();
    Some(Resolved { desired: Desired { stack: stack?, entries: entries? }, providers, state_path, limits })
}

/// Every provider that the files describe, and the main one in any case.
fn providers(documents: &[Document], findings: &mut Findings) -> BTreeMap<ProviderAlias, ProviderSettings> {
    let main = once("provider", documents.iter().filter_map(|file| file.provider.as_ref()), findings);
    let main = main.map(|written| provider::settings(&written.value, findings)).unwrap_or_default();
    let mut providers = BTreeMap::from([(ProviderAlias::main(), main)]);
    let mut first: HashMap<&ProviderAlias, At> = HashMap::new();
    for named in documents.iter().filter_map(|file| file.providers.as_ref()).flatten() {
        let Some(alias) = &named.alias else { continue };
        let settings = provider::settings(&named.settings, findings);
        match first.entry(alias) {
            hash_map::Entry::Vacant(place) => {
                place.insert(named.at);
                providers.entry(alias.clone()).or_insert(settings);
            }
            hash_map::Entry::Occupied(first) => findings.add(
                Finding::error(named.at, format!("the provider {} is in two files", quoted(alias.as_str())))
                    .label("again here")
                    .related(*first.get(), "first here")
                    .help("give one of them another alias, or remove it"),
            ),
        }
    }
    providers
}

/// Every provider that an entry names is described. `all_read` as for [`resolve`].
fn check_aliases(
    fleet: &Fleet<'_>,
    providers: &BTreeMap<ProviderAlias, ProviderSettings>,
    all_read: bool,
    findings: &mut Findings,
) {
    for written in fleet.entries.iter().filter_map(|entry| entry.provider.as_ref()).filter(|_| all_read) {
        if !providers.contains_key(&written.value) {
            let alias = written.value.as_str();
            let near = nearest(alias, providers.keys().map(ProviderAlias::as_str));
            findings.add(
                Finding::error(written.at, format!("there is no provider {}", quoted(alias)))
                    .label("unknown provider")
                    .maybe_help(near.map(|name| format!("did you mean `{name}`?")))
                    .note("providers are described under `providers:`, by alias"),
            );
        }
    }
}

fn stack(documents: &[Document], all_read: bool, findings: &mut Findings) -> Option<StackName> {
    let written = once("stack", documents.iter().filter_map(|file| file.stack.as_ref()), findings);
    if written.is_none() && all_read {
        findings.add(
            Finding::error(beginning(), "`stack` is missing")
                .note("the stack's name keeps its state apart from that of other stacks")
                .help("add a line like `stack: web-shop`"),
        );
    }
    written?.value.clone()
}

/// The one place that something which belongs to no file in particular can have.
fn beginning() -> At {
    At::here(0, Span::new(0, 0))
}

/// The first of what several files may write, but only one of them.
fn once<'d, T>(
    key: &str,
    written: impl Iterator<Item = &'d Written<T>>,
    findings: &mut Findings,
) -> Option<&'d Written<T>> {
    let mut first: Option<&Written<T>> = None;
    for written in written {
        match first {
            None => first = Some(written),
            Some(first) => findings.add(
                Finding::error(written.at, format!("`{key}` is given in two files"))
                    .label("again here")
                    .related(first.at, "first here")
                    .help("keep one of them: the files make one configuration together"),
            ),
        }
    }
    first
}

fn entry(written: &WrittenEntry, needs: Vec<Need>, defaults: &WrittenDefaults) -> Option<Entry> {
    let WrittenEntry {
        name,
        name_as_written: _,
        at: _,
        provider,
        goal,
        members,
        needs: _,
        timeouts,
        stop,
        prevent_stop,
        allow_autoscaling,
        init_local_disk,
        at_once,
        order,
        turns,
    } = written;
    let order = order.as_ref().map(|written| written.value);
    let built_in = Timeouts::default();
    let quiet = StopPolicy::default();
    Some(Entry {
        name: name.clone()?,
        provider: provider.as_ref().map_or_else(ProviderAlias::main, |written| written.value.clone()),
        goal: goal.as_ref()?.value,
        members: resolved_members(members, order)?,
        needs,
        timeouts: Timeouts {
            start: timeouts.start.or(defaults.timeouts.start).unwrap_or(built_in.start),
            stop: timeouts.stop.or(defaults.timeouts.stop).unwrap_or(built_in.stop),
            ready: timeouts.ready.or(defaults.timeouts.ready).unwrap_or(built_in.ready),
        },
        stop: StopPolicy {
            mode: stop.mode.or(defaults.stop.mode).unwrap_or(quiet.mode),
            force: stop.force.or(defaults.stop.force).unwrap_or(quiet.force),
        },
        prevent_stop: prevent_stop.as_ref().is_some_and(|written| written.value),
        allow_autoscaling: allow_autoscaling.or(defaults.allow_autoscaling).unwrap_or(false),
        init_local_disk: *init_local_disk,
        at_once: *at_once,
        order,
        pause: turns.pause.or(defaults.turns.pause).unwrap_or_default(),
        on_failure: turns.on_failure.or(defaults.turns.on_failure).unwrap_or_default(),
        on_no_stock: turns.on_no_stock.or(defaults.turns.on_no_stock).unwrap_or_default(),
        readiness: turns.ready.clone().or_else(|| defaults.turns.ready.clone()).flatten(),
    })
}

fn resolved_members(written: &WrittenMembers, order: Option<RollingOrder>) -> Option<Members> {
    match written {
        WrittenMembers::Unknown => None,
        WrittenMembers::Single(id) => Some(Members::Single(id.value.clone())),
        WrittenMembers::Selected(selection) => Some(Members::Selected(selection.clone())),
        WrittenMembers::Several(ids) => {
            let mut ids: Vec<_> = ids.iter().map(|id| id.value.clone()).collect();
            if order != Some(RollingOrder::AsListed) {
                ids.sort_unstable();
            }
            Some(Members::Several(ids))
        }
    }
}

/// A position among entries, of which there are fewer than bytes in a readable file.
pub(super) fn index(position: usize) -> EntryIndex {
    EntryIndex(u32::try_from(position).unwrap_or(u32::MAX))
}
