//! Plan files on disk, and whether one still holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::configuration::Loaded;
use crate::fleet::{ProviderAlias, Recorded};
use crate::plan::saved::{self, Account, SavedPlan};
use crate::reconcile::Preview;
use crate::render::words;

/// How many differences are named: the rest is more of the same.
const NAMED: usize = 10;

/// Writes a plan file, whole or not at all.
pub(super) fn write(path: &Path, saved: &SavedPlan) -> anyhow::Result<()> {
    let context = || format!("cannot save the plan to {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(context)?;
    file.write_all(&saved::write(saved)).with_context(context)?;
    file.as_file().sync_all().with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}

/// Reads a plan file.
pub(super) fn read(path: &Path) -> anyhow::Result<SavedPlan> {
    let context = || format!("the plan file {}", path.display());
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            anyhow!("there is no plan file {}: make one with `powerform plan --out FILE`", path.display())
        }
        _ => anyhow::Error::new(error).context(format!("cannot read the plan file {}", path.display())),
    })?;
    file.take(saved::LONGEST as u64 + 1).read_to_end(&mut text).with_context(context)?;
    if text.len() > saved::LONGEST {
        return Err(anyhow!("it is larger than any plan")).with_context(context);
    }
    saved::read(&text).with_context(context)
}

/// Refuses a plan that was made for something else than what is here: before anything is looked at.
pub(super) fn check_origin(
    saved: &SavedPlan,
    loaded: &Loaded,
    recorded: Option<&Recorded>,
) -> anyhow::Result<()> {
    let mut differences = Vec::new();
    let stack = &loaded.configuration.desired.stack;
    if saved.plan.stack != *stack {
        differences.push(format!("it is for the stack {}, and this is {stack}", saved.plan.stack));
    }
    if saved.configuration != loaded.configuration.digest {
        differences.push(format!("{} has another meaning now than when it was made", loaded.name));
    }
    let lineage = recorded.map(|recorded| recorded.lineage);
    if saved.lineage != lineage {
        differences.push(match (saved.lineage, lineage) {
            (None, Some(_)) => "there was no state yet when it was made, and there is one now".to_owned(),
            (Some(_), None) => "the state that it was made with is gone".to_owned(),
            _ => "the state has another lineage than the one it was made with".to_owned(),
        });
    }
    refuse_if(&differences)
}

/// Refuses a plan that was made with credentials of another account: before they are used.
pub(super) fn check_accounts(
    saved: &SavedPlan,
    now: &BTreeMap<ProviderAlias, Account>,
) -> anyhow::Result<()> {
    let words: Vec<String> = saved::other_accounts(saved, now)
        .into_iter()
        .map(|(alias, then, now)| {
            format!(
                "the credentials for {alias} are of another account, or of another kind: then from {}, now from {}",
                words::message(&then.source),
                words::message(&now.source)
            )
        })
        .collect();
    refuse_if(&words)
}

/// Refuses a plan if a look now leads to another one.
pub(super) fn check_still_holds(saved: &SavedPlan, preview: &Preview) -> anyhow::Result<()> {
    let differences = saved::differences(&saved.plan, &preview.plan);
    let words: Vec<String> = differences
        .iter()
        .map(|difference| {
            let address = words::address(&difference.address);
            format!("{address}: planned on {}; now {}", difference.planned, difference.now)
        })
        .collect();
    refuse_if(&words)
}

fn refuse_if(differences: &[String]) -> anyhow::Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let mut message = String::from("the plan is stale, and nothing was called");
    for (position, difference) in differences.iter().take(NAMED).enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(message, "{} {difference}", if position == 0 { ":" } else { ";" });
    }
    if differences.len() > NAMED {
        let _ = write!(message, "; and {} more", differences.len() - NAMED);
    }
    Err(anyhow!("{message}. Make a new one with `powerform plan --out FILE`"))
}
