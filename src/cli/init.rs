//! `powerform init`: something to begin with, never over something that is there.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::configuration::DEFAULT_FILE;
use super::failure::{Exit, Failure};
use super::{Level, Session};
use crate::config::TEMPLATE;
use crate::render::visible::visible;

/// What keeps states out of a repository.
const IGNORE_RULE: &str = "state/\n";

pub(super) fn run(session: &Session<'_>) -> Result<Exit, Failure> {
    let path = session.path(Path::new(DEFAULT_FILE));
    if !write_new(&path, TEMPLATE)? {
        return Err(anyhow!(
            "{} is there already; it was left as it is: edit it, or begin in another folder with -C",
            path.display()
        )
        .into());
    }
    let ignore = session.path(Path::new(".gitignore"));
    if write_new(&ignore, IGNORE_RULE)? {
        session.console.result(&format!("Wrote {} and {}.\n", shown(&path), shown(&ignore)));
    } else {
        session.console.result(&format!("Wrote {}.\n", shown(&path)));
        let has_rule = std::fs::read_to_string(&ignore).is_ok_and(|text| {
            text.lines().any(|line| matches!(line.trim(), "state" | "state/" | "/state" | "/state/"))
        });
        if !has_rule {
            // The file belongs to somebody: the rule goes to where the states will be.
            let inner = session.path(Path::new("state/.gitignore"));
            std::fs::create_dir_all(session.path(Path::new("state")))
                .context("cannot make the folder for states")?;
            if write_new(&inner, "*\n!.gitignore\n")? {
                session.console.result(&format!("Wrote {}.\n", shown(&inner)));
            } else {
                session.console.say(
                    Level::Note,
                    format_args!(
                        "add the line \"state/\" to {}: states do not belong in a repository",
                        ignore.display()
                    ),
                );
            }
        }
    }
    session.console.result("Next: name your instances in it, or add those that exist with `powerform import --into powerform.yaml`; then run \
         `powerform plan`.\n",
    );
    Ok(Exit::Success)
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}

/// Writes a file that is not there yet. False if it is.
fn write_new(path: &Path, text: &str) -> anyhow::Result<bool> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
    };
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}
