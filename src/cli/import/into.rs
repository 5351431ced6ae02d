//! `--into`: adds entries to a file, and to nothing else that it holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::{Ground, settings_in_use};
use crate::cli::Session;
use crate::cli::configuration::Sources;
use crate::cli::failure::Failure;
use crate::cli::import::look::Looked;
use crate::config::{self, Source, append};
use crate::fleet::{
    Desired, Entry, EntryName, Goal, InstanceId, Need, ProviderAlias, StackName, StoppedMode, Strength,
};
use crate::inventory::{self, Draft};

/// A file as it shall be.
pub(super) struct Made {
    /// What it holds now; none if it is not there.
    before: Option<Vec<u8>>,
    after: Vec<u8>,
    /// The configuration that it is part of.
    files: Sources,
    /// What that says, if it is valid and says of everything that was there before the same.
    outcome: Outcome,
    /// Whether the entries stop their instances in the mode that they are in.
    pub(super) keeps_stop_modes: bool,
}

enum Outcome {
    Good,
    Invalid(config::Problems),
    /// This entry would mean something else, or nothing.
    Changed(EntryName),
}

/// Puts the new entries where they belong, and reads what comes of it. Nothing is written.
pub(super) fn compose(
    ground: &Ground,
    path: &Path,
    stack: &StackName,
    looked: &Looked,
    drafts: &[Draft],
) -> anyhow::Result<Made> {
    let name = path.display().to_string();
    let before = ground.files.file(path).map(|source| source.text.clone());
    let after = match &before {
        None if !ground.has_files() => {
            let settings = settings_in_use(ground, looked, drafts);
            inventory::document(stack, &settings, drafts).into_bytes()
        }
        before => {
            let used: BTreeSet<&ProviderAlias> = drafts.iter().map(|draft| &draft.provider).collect();
            let mut providers = looked.settings.clone();
            providers.retain(|alias, _| looked.added.contains(alias) && used.contains(alias));
            let blocks =
                [("instances", inventory::entries(drafts)), ("providers", inventory::providers(&providers))];
            let mut source = Source { name: name.clone(), text: before.clone().unwrap_or_default() };
            for (key, block) in blocks.into_iter().filter(|(_, block)| !block.is_empty()) {
                source.text = if source.text.is_empty() {
                    format!("{key}:\n{}", indented(&block)).into_bytes()
                } else {
                    append(&source, key, &block).with_context(|| format!("nothing was added to {name}"))?
                };
            }
            source.text
        }
    };
    let files = ground.files.with(path, after.clone());
    let (outcome, keeps_stop_modes) = match files.configuration() {
        Err(problems) => (Outcome::Invalid(problems), true),
        Ok(read) => (
            outcome(&ground.loaded.configuration.desired, &read.desired, drafts),
            keeps_stop_modes(&read.desired, drafts, looked),
        ),
    };
    Ok(Made { before, after, files, outcome, keeps_stop_modes })
}

fn indented(block: &str) -> String {
    block.lines().map(|line| format!("  {line}\n")).collect()
}

/// Whether everything that was there means what it meant, and what is new means what was drafted.
fn outcome(before: &Desired, after: &Desired, drafts: &[Draft]) -> Outcome {
    let (before, after) = (meanings(before), meanings(after));
    for (name, meaning) in &before {
        if after.get(name) != Some(meaning) {
            return Outcome::Changed((*name).clone());
        }
    }
    for draft in drafts {
        let is_as_drafted = after
            .get(&draft.name)
            .is_some_and(|(entry, _)| entry.goal == draft.goal && entry.provider == draft.provider);
        if !is_as_drafted {
            return Outcome::Changed(draft.name.clone());
        }
    }
    Outcome::Good
}

type Meaning<'d> = (Entry, Vec<(&'d EntryName, Strength)>);

/// What every entry says, with names in the place of positions.
fn meanings(desired: &Desired) -> BTreeMap<&EntryName, Meaning<'_>> {
    let entries = desired.entries.iter().map(|entry| {
        let needs =
            entry.needs.iter().map(|Need { entry, strength }| (&desired.entries[entry.at()].name, *strength));
        (&entry.name, (Entry { needs: Vec::new(), ..entry.clone() }, needs.collect()))
    });
    entries.collect()
}

/// Whether what is stopped would be stopped as it is.
fn keeps_stop_modes(after: &Desired, drafts: &[Draft], looked: &Looked) -> bool {
    let modes: HashMap<&EntryName, &str> =
        after.entries.iter().map(|entry| (&entry.name, entry.stop.mode.word())).collect();
    let found = looked.inventory.values().flatten();
    let seen: HashMap<&InstanceId, StoppedMode> =
        found.map(|found| (&found.sighting.id, found.sighting.stopped_mode)).collect();
    drafts.iter().filter(|draft| draft.goal == Goal::Stopped).all(|draft| {
        draft.ids().into_iter().filter_map(|id| seen.get(id)).all(|mode| {
            *mode == StoppedMode::NotApplicable
                || modes.get(&draft.name).is_none_or(|word| *word == mode.word())
        })
    })
}

/// Replaces the file, whole or not at all, if it still is what it was.
pub(super) fn write(session: &Session<'_>, path: &Path, made: Made) -> Result<(), Failure> {
    let Made { before, after, files, outcome, .. } = made;
    match outcome {
        Outcome::Good => {}
        Outcome::Invalid(found) => {
            session.console.error(format_args!(
                "nothing was written to {}: with the new entries it would not be valid",
                path.display()
            ));
            return Err(files.failure(session, &found));
        }
        Outcome::Changed(name) => {
            return Err(anyhow!(
                "nothing was written to {}: the entry {name} would not mean there what it should; print the entries \
                 without --into, and put them where they belong",
                path.display()
            )
            .into());
        }
    }
    replace(path, before.as_deref(), &after)
        .with_context(|| format!("nothing was written to {}", path.display()))?;
    Ok(())
}

fn replace(path: &Path, before: Option<&[u8]>, after: &[u8]) -> anyhow::Result<()> {
    // A link stays a link.
    let target: PathBuf = if before.is_some() { path.canonicalize()? } else { path.to_owned() };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".powerform-import-");
    #[cfg(unix)]
    let open_to_others = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    // The process's mask takes away what others may not.
    #[cfg(unix)]
    builder.permissions(open_to_others);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(after)?;
    if let Some(before) = before {
        file.as_file().set_permissions(std::fs::metadata(&target)?.permissions())?;
        file.as_file().sync_all()?;
        if std::fs::read(&target)? != before {
            return Err(anyhow!("someone else has changed it meanwhile: import again"));
        }
        file.persist(&target)?;
    } else {
        file.as_file().sync_all()?;
        file.persist_noclobber(&target)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_longer_what_was_read_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("powerform.yaml");
        std::fs::write(&path, "theirs").expect("written");
        let refused = replace(&path, Some(b"ours"), b"new").expect_err("it has changed");
        assert!(refused.to_string().contains("someone else has changed it"), "{refused}");
        assert!(replace(&path, None, b"new").is_err(), "it has come to be");
        let names = |folder: &Path| std::fs::read_dir(folder).expect("there").count();
        assert_eq!((std::fs::read(&path).expect("there"), names(folder.path())), (b"theirs".to_vec(), 1));
        replace(&path, Some(b"theirs"), b"new").expect("it is what was read");
        assert_eq!((std::fs::read(&path).expect("there"), names(folder.path())), (b"new".to_vec(), 1));
    }
}
