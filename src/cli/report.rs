//! The history of an apply: kept beside the record, and made into a page where one is asked for.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::configuration::load;
use super::failure::{Exit, Failure};
use super::{Level, Session};
use crate::history::{self, History};
use crate::render::{report, words};
use crate::state::{Backend, Held, Store as _};

/// A file that a page is to be written to, which could be written to when it was named.
pub(super) struct Page {
    /// As a person named it.
    path: PathBuf,
    /// What it is once links are followed: a link to a page stays one.
    target: PathBuf,
}

impl Page {
    /// Tries whether a page could be written there, so that this is not found out after the work. Leaves nothing.
    pub(super) fn at(path: PathBuf) -> anyhow::Result<Self> {
        let context = || format!("cannot write the report to {}", path.display());
        let target = match fs::metadata(&path) {
            Ok(found) if found.is_file() => fs::canonicalize(&path).with_context(context)?,
            Ok(_) => {
                return Err(anyhow!("it is not a file: name one, for example report.html"))
                    .with_context(context);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => path.clone(),
            Err(error) => return Err(error).with_context(context),
        };
        temporary(&target).with_context(context)?;
        if target.exists() {
            File::options().append(true).open(&target).with_context(context)?;
        }
        Ok(Self { path, target })
    }

    /// Writes the page, whole or not at all.
    pub(super) fn write(&self, session: &Session<'_>, history: &History<'_>) -> anyhow::Result<()> {
        let context = || format!("cannot write the report to {}", self.path.display());
        let mut file = temporary(&self.target).with_context(context)?;
        file.write_all(report::page(history).as_bytes()).with_context(context)?;
        file.persist(&self.target).map_err(|error| error.error).with_context(context)?;
        session.console.say(
            Level::Note,
            format_args!(
                "the report of the apply of {} is in {}",
                words::time(history.began_at),
                self.path.display()
            ),
        );
        Ok(())
    }
}

/// A file beside the page that is to take its place. Everyone may read it whom the user lets: it is for showing around.
fn temporary(target: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        let missing = format!("there is no folder {}: make it, or name another file", folder.display());
        return Err(std::io::Error::new(std::io::ErrorKind::NotFound, missing));
    }
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // What is said of it names the file that nobody asked for.
    let plain = |error: std::io::Error| std::io::Error::from(error.kind());
    builder.prefix(".powerform-report.").tempfile_in(folder).map_err(plain)
}

/// Keeps the history of an apply that did, or should have done, anything. That it could not be kept changes nothing
/// about how the apply ended.
pub(super) async fn keep(session: &Session<'_>, store: &Backend, held: &Held, history: &History<'_>) {
    let tally = history.plan.tally();
    if history.shape.refresh_only || tally.steps() + tally.blocked + tally.release == 0 {
        return;
    }
    let kept = match history::write(history) {
        Some(text) => store.keep_history(&text, held).await.map_err(anyhow::Error::from),
        None => Err(anyhow!("it would be larger than {} MiB", history::LONGEST / (1024 * 1024))),
    };
    if let Err(error) = kept {
        session.console.say(
            Level::Warning,
            format_args!(
                "the history of this apply could not be kept for `powerform show --report`: {error:#}. Nothing else \
                 is missing"
            ),
        );
    }
}

/// `show --report`: the page of the last apply that did anything.
pub(super) async fn show(session: &Session<'_>, path: &Path) -> Result<Exit, Failure> {
    let page = Page::at(session.path(path))?;
    let loaded = load(session)?;
    let Some(text) = loaded.backend().history().await? else {
        return Err(anyhow!(
            "there is no history of an apply yet: every `powerform apply` that does anything keeps its own beside the \
             state"
        )
        .into());
    };
    let history = history::read(&text, &loaded.configuration.desired.stack).with_context(|| {
        format!("the history of the last apply, beside the state at {}", loaded.backend().place())
    })?;
    page.write(session, &history)?;
    Ok(Exit::Success)
}
