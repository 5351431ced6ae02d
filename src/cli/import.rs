//! `powerform import`: what exists, as a configuration.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::arguments::Import;
use super::configuration::{DEFAULT_FILE, Loaded, Sources, load_files};
use super::failure::{Exit, Failure};
use super::{Level, Session};
use crate::config::{self, ProviderSettings, Source, nearest};
use crate::fleet::{InstanceId, ProviderAlias, Selector, StackName, StopMode};
use crate::inventory::{self, Draft, Known, Shape};
use crate::render::words;
use look::Looked;

mod into;
mod look;

/// The stack of a document that nobody has named.
const STACK: &str = "imported";

/// What is there before anything is looked at.
struct Ground {
    loaded: Loaded,
    /// The files of the configuration; none without one.
    files: Sources,
}

impl Ground {
    fn has_files(&self) -> bool {
        self.files.len() > 0
    }

    /// How the configuration is called.
    fn name(&self) -> &str {
        if self.files.len() > 1 { "the configuration" } else { &self.loaded.name }
    }
}

pub(super) async fn run(session: &Session<'_>, arguments: &Import) -> Result<Exit, Failure> {
    let stack = match &arguments.stack {
        Some(stack) => stack.clone(),
        None => StackName::new(STACK)?,
    };
    if let Some(into) = arguments.into.as_deref().filter(|into| session.path(into).is_dir()) {
        return Err(anyhow!("{} is a folder: name a file in it with --into", into.display()).into());
    }
    let mut ground = ground(session, arguments.into.as_deref())?;
    if arguments.into.is_some() && arguments.stack.is_some() && ground.has_files() {
        return Err(anyhow!(
            "--stack names the stack of a new document, and {} has one: leave it out",
            ground.name()
        )
        .into());
    }
    let filter = filter(arguments)?;
    let looked = tokio::select! {
        looked = look::look(session, &mut ground, arguments, &filter) => looked?,
        () = session.interruption.asked() => return Err(Failure::Interrupted),
    };
    look::tell_failures(session, &looked.failures);
    let exit = if looked.failures.is_empty() { Exit::Success } else { Exit::Failure };
    if looked.inventory.values().all(Vec::is_empty) {
        if looked.failures.is_empty() {
            return Err(nothing_found(&looked, &filter).into());
        }
        return Ok(exit);
    }
    let known = known(&ground.loaded, &looked);
    if let Some(key) = &arguments.group_by {
        warn_of_unused_tag(session, key, &looked);
    }
    let mut shape = Shape {
        group_by: arguments.group_by.clone(),
        select: arguments.select,
        filter,
        stop_mode: StopMode::default(),
    };
    let mut drafts = inventory::drafts(&looked.inventory, &known, &shape);
    if drafts.is_empty() {
        let (what, name) = (left_out(&looked, &drafts), ground.name());
        session.console.say(Level::Note, format_args!("nothing new: {what} already in {name}"));
        return Ok(exit);
    }
    match &arguments.into {
        None => {
            let settings = settings_in_use(&ground, &looked, &drafts);
            let text = inventory::document(&stack, &settings, &drafts);
            session.console.document(&text);
            tell(session, &ground, &looked, &drafts, None);
        }
        Some(file) => {
            let path = session.path(file);
            let mut made = into::compose(&ground, &path, &stack, &looked, &drafts);
            if matches!(&made, Ok(made) if !made.keeps_stop_modes) {
                // The defaults of the file stop in another mode: what differs from that has to be said.
                shape.stop_mode = StopMode::StopCharging;
                drafts = inventory::drafts(&looked.inventory, &known, &shape);
                made = into::compose(&ground, &path, &stack, &looked, &drafts);
            }
            into::write(session, &path, made?)?;
            tell(session, &ground, &looked, &drafts, Some(&path));
        }
    }
    Ok(exit)
}

/// The configuration that is added to or begun from: what `-f` names, else the file that is added to, else the usual
/// one. Without any, what the environment says is all there is.
fn ground(session: &Session<'_>, into: Option<&Path>) -> Result<Ground, Failure> {
    let mut given = session.global.file.clone();
    let is_there = |path: &Path| session.path(path).exists();
    match into {
        Some(into) if is_there(into) => {
            let real = |path: &Path| session.path(path).canonicalize().ok();
            let file = real(into);
            let folder = file.as_deref().and_then(Path::parent);
            let is_given = given
                .iter()
                .filter_map(|given| real(given))
                .any(|given| Some(&given) == file.as_ref() || Some(given.as_path()) == folder);
            if !is_given {
                given.push(into.to_owned());
            }
        }
        None if given.is_empty() && is_there(Path::new(DEFAULT_FILE)) => {
            given.push(PathBuf::from(DEFAULT_FILE))
        }
        _ => {}
    }
    if given.is_empty() {
        let source =
            Source { name: String::new(), text: format!("stack: {STACK}\ninstances: {{}}\n").into_bytes() };
        let configuration = config::read(&[source])?;
        return Ok(Ground {
            loaded: Loaded::without_file(configuration, "the environment"),
            files: Sources::default(),
        });
    }
    let (loaded, files) = load_files(session, &given)?;
    Ok(Ground { loaded, files })
}

/// What is searched for.
fn filter(arguments: &Import) -> anyhow::Result<Selector> {
    let mut filter = Selector { name: arguments.name.clone(), ..Selector::default() };
    for (key, value) in &arguments.tag {
        if filter.tags.insert(key.clone(), value.clone()).is_some() {
            return Err(anyhow!(
                "--tag {key} is given twice, and an instance has one value of it: keep one of them"
            ));
        }
    }
    if filter.tags.len() > Selector::MOST_TAGS {
        return Err(anyhow!(
            "ECS filters by {} tags at most: leave out those --tag that the others imply",
            Selector::MOST_TAGS
        ));
    }
    Ok(filter)
}

fn known(loaded: &Loaded, looked: &Looked) -> Known {
    let entries = &loaded.configuration.desired.entries;
    let written = entries.iter().flat_map(|entry| entry.ids()).cloned();
    let ids: HashSet<_> = written.chain(looked.selected.iter().cloned()).collect();
    Known { names: entries.iter().map(|entry| entry.name.to_string()).collect(), ids }
}

/// The providers that a document has to describe.
fn settings_in_use(
    ground: &Ground,
    looked: &Looked,
    drafts: &[Draft],
) -> BTreeMap<ProviderAlias, ProviderSettings> {
    let used: BTreeSet<&ProviderAlias> = drafts.iter().map(|draft| &draft.provider).collect();
    let mut settings = ground.loaded.configuration.providers.clone();
    settings.extend(looked.settings.iter().map(|(alias, settings)| (alias.clone(), settings.clone())));
    settings.retain(|alias, _| *alias == ProviderAlias::main() || used.contains(alias));
    settings
}

fn nothing_found(looked: &Looked, filter: &Selector) -> anyhow::Error {
    let regions: BTreeSet<&str> = looked.regions.iter().map(|region| region.as_str()).collect();
    let regions: Vec<&str> = regions.into_iter().collect();
    let place = words::list(&regions, words::LISTED);
    if *filter == Selector::default() {
        return anyhow!(
            "there is no instance in {place}: check whether it is the right account and region, or look everywhere with \
             --all-regions"
        );
    }
    let mut asked: Vec<String> = filter
        .tags
        .iter()
        .map(|(key, value)| match value {
            Some(value) => format!("--tag {key}={value}"),
            None => format!("--tag {key}"),
        })
        .collect();
    asked.extend(filter.name.iter().map(|name| format!("--name {name}")));
    anyhow!(
        "no instance in {place} fits {}: check their spelling, also its upper and lower case, and look without them to \
         see what is there",
        asked.join(" ")
    )
}

/// A key that nothing has is most often a slip of the finger.
fn warn_of_unused_tag(session: &Session<'_>, key: &str, looked: &Looked) {
    let found = || looked.inventory.values().flatten();
    if found().any(|found| found.tags.contains_key(key)) {
        return;
    }
    let keys: BTreeSet<&str> = found().flat_map(|found| found.tags.keys().map(String::as_str)).collect();
    let near = nearest(key, keys).map(|near| format!("; did you mean \"tag:{near}\"?")).unwrap_or_default();
    session.console.say(
        Level::Warning,
        format_args!("no instance has the tag \"{key}\", so each has an entry of its own{near}"),
    );
}

/// `the one instance that was found is`, `2 others are`.
fn left_out(looked: &Looked, drafts: &[Draft]) -> String {
    // An instance that two providers see is one instance.
    let found: HashSet<&InstanceId> =
        looked.inventory.values().flatten().map(|found| &found.sighting.id).collect();
    let drafted: usize = drafts.iter().map(|draft| draft.ids().len()).sum();
    match (found.len() - drafted.min(found.len()), drafted) {
        (1, 0) => "the one instance that was found is".to_owned(),
        (_, 0) => "all instances that were found are".to_owned(),
        (0, _) => String::new(),
        (1, _) => "1 other is".to_owned(),
        (many, _) => format!("{many} others are"),
    }
}

/// Says how much it was.
fn tell(session: &Session<'_>, ground: &Ground, looked: &Looked, drafts: &[Draft], file: Option<&Path>) {
    let instances: usize = drafts.iter().map(|draft| draft.ids().len()).sum();
    let instances = words::count(instances, "instance");
    let entries = match drafts.len() {
        1 => "1 entry".to_owned(),
        many => format!("{many} entries"),
    };
    let what = match file {
        Some(file) => format!("added {instances} as {entries} to {}", file.display()),
        None => format!("found {instances}, printed as {entries}"),
    };
    let mut others = left_out(looked, drafts);
    if !others.is_empty() {
        others = format!("; {others} already in {}", ground.name());
    }
    session.console.say(
        Level::Note,
        format_args!("{what}{others}. As things are now, a plan of that has nothing to do"),
    );
}
