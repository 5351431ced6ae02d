//! `powerform man`: the manual pages, from the same source as the help texts.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use anyhow::Context as _;

use super::Session;
use super::arguments::{self, Arguments};
use super::failure::{Exit, Failure};
use crate::render::visible::visible;

/// What the help texts do not say, and a manual does.
const MORE: &str = include_str!("man.roff");

pub(super) fn run(session: &Session<'_>, arguments: &arguments::Man) -> Result<Exit, Failure> {
    let pages = pages()?;
    match &arguments.dir {
        None => {
            let (_, page) = &pages[0];
            session.console.document(page);
        }
        Some(folder) => {
            let folder = session.path(folder);
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            for (name, page) in &pages {
                let path = folder.join(format!("{name}.1"));
                std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
            }
            let shown = folder.display().to_string();
            session.console.result(&format!("Wrote {} manual pages to {}.\n", pages.len(), visible(&shown)));
        }
    }
    Ok(Exit::Success)
}

/// The pages by name: that of the program first, then one for each command.
fn pages() -> anyhow::Result<Vec<(String, String)>> {
    let mut root = Arguments::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    let mut left = vec![root];
    while let Some(command) = left.pop() {
        let is_root = pages.is_empty();
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        left.extend(command.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
        pages.push((name, page(command, is_root)?));
    }
    Ok(pages)
}

fn page(command: Command, is_root: bool) -> anyhow::Result<String> {
    let mut page = Vec::new();
    Man::new(command).section("1").render(&mut page).context("cannot make a manual page")?;
    let mut page = String::from_utf8(page).context("a manual page is not UTF-8")?;
    if is_root {
        page.push_str(MORE);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_command_and_the_first_one_tells_the_rest() {
        let pages = pages().expect("pages");
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "powerform");
        for name in ["powerform-plan", "powerform-apply", "powerform-state-rm", "powerform-simulator-set"] {
            assert!(names.contains(&name), "{names:?}");
        }
        let (_, first) = &pages[0];
        for section in
            ["NAME", "SYNOPSIS", "OPTIONS", "SUBCOMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"]
        {
            assert!(
                first.contains(&format!(".SH {section}")) || first.contains(&format!(".SH \"{section}\"")),
                "{section}"
            );
        }
        let (_, apply) = pages.iter().find(|(name, _)| name == "powerform-apply").expect("a page");
        assert!(apply.contains("auto\\-approve"), "{apply}");
    }
}
