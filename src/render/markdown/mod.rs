//! A saved plan as Markdown, for a comment in a pull request: what will happen in one line, what speaks against it, a
//! table of what changes, and everything else folded.
//!
//! It stays under [`LONGEST`] bytes, whatever the plan holds: each part has its share, and what does not fit is counted.
//! Every text from elsewhere goes through `render::escape`.

mod rows;
#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::escape::{markdown, markdown_code};
use super::graph::{self, Graph};
use super::style::Style;
use super::{human, words};
use crate::fleet::EntryName;
use crate::plan::{Block, Plan, SavedPlan, Shape, Tally, Verdict, Warning};
use rows::{Row, alike, shown};

/// The most bytes of the whole text: GitHub takes 65,536 characters.
pub const LONGEST: usize = 60_000;

/// The shares of the parts, in bytes: together with the headlines, which are short, less than [`LONGEST`].
const BLOCKED: usize = 9_000;
const WARNINGS: usize = 9_000;
const CHANGES: usize = 16_000;
const LIST: usize = 2_000;
const DETAILS: usize = 11_000;
const GRAPH: usize = 9_000;

/// The text of a comment about a saved plan. It begins with a line that readers do not see, and that tells the comments
/// of a stack from others: a later comment can take its place.
#[must_use]
pub fn saved_plan(saved: &SavedPlan) -> String {
    let SavedPlan { shape, plan, limits, .. } = saved;
    let tally = plan.tally();
    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "<!-- powerform: {} -->", plan.stack);
    let _ = writeln!(text, "### powerform: {}\n", headline(plan, shape, &tally));
    origin(&mut text, saved);
    for excess in plan.over(*limits) {
        let _ = writeln!(
            text,
            "**Over the limit.** This plan {}: apply takes it with `--allow-over-limit` only.\n",
            markdown(&words::excess(&excess))
        );
    }
    let lost = plan.changes.iter().filter(|change| !change.warnings.is_empty()).collect::<Vec<_>>();
    let (losses, others): (Vec<Row>, Vec<Row>) = alike(lost.iter().flat_map(|change| {
        change.warnings.iter().map(|warning| {
            let explanation = words::warning(warning);
            (*change, matches!(warning, Warning::InitLocalDisk { .. }), explanation)
        })
    }))
    .into_iter()
    .partition(|row| row.is_urgent);
    if !losses.is_empty() {
        text.push_str("**DATA WILL BE LOST.** Apply asks for `--allow-data-loss`.\n\n");
        table(&mut text, ["What", "Instances", "What to do"], &losses, WARNINGS / 2, true);
    }
    if tally.blocked > 0 {
        let _ = writeln!(
            text,
            "**{} blocked.** Nothing can be done about {} now:\n",
            tally.blocked,
            them(tally.blocked)
        );
        let blocked = plan.changes.iter().filter_map(|change| match &change.verdict {
            Verdict::Blocked(block) => {
                let is_root = !matches!(block, Block::HeldUp { .. });
                Some((change, is_root, rows::block(block)))
            }
            _ => None,
        });
        let mut blocked = alike(blocked);
        // What blocks others comes first: there is what can be done.
        blocked.sort_by_key(|row| !row.is_urgent);
        table(&mut text, ["Why", "Instances", "What to do"], &blocked, BLOCKED, false);
    }
    if !others.is_empty() {
        let _ = writeln!(
            text,
            "**{} to read before this is approved:**\n",
            words::count(instances(&others), "warning")
        );
        table(&mut text, ["Warning", "Instances", "What to do"], &others, WARNINGS / 2, false);
    }
    let selected = plan.selections().map(|(group, it)| (&group.name, words::selecting(it, words::LISTED)));
    list(&mut text, "Selected", selected);
    let probed = plan.groups_to_probe().map(|(group, it)| (&group.name, words::readiness(it)));
    list(&mut text, "Apply will ask whether these are ready", probed);
    changes(&mut text, plan);
    details(&mut text, plan, shape);
    picture(&mut text, plan);
    debug_assert!(text.len() < LONGEST);
    text
}

fn them(number: usize) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

fn instances(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.instances).sum()
}

/// What will happen, in one line.
fn headline(plan: &Plan, shape: &Shape, tally: &Tally) -> String {
    let stack = format!("`{}`", plan.stack);
    if shape.refresh_only {
        return match plan.changes.len() {
            0 => format!("nothing has moved in {stack}"),
            1 => format!("1 instance has moved in {stack}"),
            moved => format!("{moved} instances have moved in {stack}"),
        };
    }
    let Tally { start, stop, wait, blocked, release, in_sync: _, any: _, unknown } = *tally;
    let parts: Vec<String> = [
        (start, "to start"),
        (stop, "to stop"),
        (wait, "to wait for"),
        (release, "to release"),
        (blocked, "blocked"),
        (unknown, "not seen"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    let warnings: usize = plan.changes.iter().map(|change| change.warnings.len()).sum();
    let mut line = if parts.is_empty() {
        format!("no changes in {stack}")
    } else {
        format!("{} in {stack}", parts.join(", "))
    };
    if warnings > 0 {
        let _ = write!(line, ", with {}", words::count(warnings, "warning"));
    }
    line
}

/// What the plan was made of, and what it does not speak of.
fn origin(text: &mut String, saved: &SavedPlan) {
    let SavedPlan { made_at, serial, configuration, shape, plan, accounts, .. } = saved;
    let regions: BTreeSet<&str> =
        plan.changes.iter().filter_map(|change| Some(change.region.as_ref()?.as_str())).collect();
    let regions: Vec<String> = regions.into_iter().map(markdown_code).collect();
    let place = if regions.is_empty() {
        String::new()
    } else {
        format!(", in {}", words::list(&regions, words::LISTED))
    };
    let digest: String = configuration.chars().take(12).collect();
    let _ = writeln!(
        text,
        "Made on {} from the configuration {} and the state with the serial {serial}{place}. An apply of this plan is refused \
         as soon as either of them, or an instance, is not as it was then.\n",
        words::time(*made_at),
        markdown_code(&digest),
    );
    if !accounts.is_empty() {
        let sources: Vec<String> = accounts
            .iter()
            .map(|(alias, account)| {
                format!(
                    "{} from {}",
                    markdown_code(alias.as_str()),
                    markdown_code(&words::name(&account.source))
                )
            })
            .collect();
        let _ = writeln!(text, "Credentials: {}.\n", words::list(&sources, words::LISTED));
    }
    let listed = |patterns: &[crate::plan::Pattern]| {
        let patterns: Vec<String> =
            patterns.iter().map(|pattern| markdown_code(&words::name(&pattern.0))).collect();
        words::list(&patterns, words::LISTED)
    };
    let mut scope = Vec::new();
    if shape.power_off {
        scope.push("everything that shall run is powered off".to_owned());
    }
    if shape.refresh_only {
        scope.push("only what moved outside powerform is shown, and nothing is done".to_owned());
    }
    if !shape.scope.targets.is_empty() {
        scope.push(format!("only {} and what is needed for it", listed(&shape.scope.targets)));
    }
    if !shape.scope.excludes.is_empty() {
        scope.push(format!("without {} and what needs it", listed(&shape.scope.excludes)));
    }
    if shape.preflight {
        scope.push("ECS was asked about every call beforehand".to_owned());
    }
    if !scope.is_empty() {
        let _ = writeln!(text, "**Scope:** {}.\n", scope.join("; "));
    }
}

/// A heading and an item for each entry, as many as the share of a list allows; nothing if there is no item.
fn list<'p>(text: &mut String, heading: &str, items: impl Iterator<Item = (&'p EntryName, String)>) {
    let mut list = String::new();
    let mut left_out = 0;
    for (entry, words) in items {
        let item = format!("- {}: {}\n", markdown_code(entry.as_str()), markdown(&words));
        if list.len() + item.len() > LIST {
            left_out += 1;
        } else {
            list.push_str(&item);
        }
    }
    if !list.is_empty() {
        let more = if left_out > 0 { format!("- and {left_out} more\n") } else { String::new() };
        let _ = writeln!(text, "**{heading}:**\n\n{list}{more}");
    }
}

/// A table, as many rows as its share allows, and how many instances are not in it.
fn table(text: &mut String, heads: [&str; 3], rows: &[Row], share: usize, is_bold: bool) {
    let mut table = format!("| {} |\n|---|---|---|\n", heads.join(" | "));
    let bold = if is_bold { "**" } else { "" };
    let cells = rows.iter().map(|row| {
        let Row { what, names, remedy, .. } = row;
        format!("| {bold}{}{bold} | {names} | {} |\n", markdown(what), markdown(remedy))
    });
    fill(&mut table, cells, rows.iter().map(|row| row.instances), share);
    let _ = writeln!(text, "{table}");
}

/// Adds rows while there is room, then says for how many instances there was none.
fn fill(
    table: &mut String,
    rows: impl Iterator<Item = String>,
    instances: impl Iterator<Item = usize>,
    share: usize,
) {
    // The last sentence takes less.
    let room = share.saturating_sub(200);
    let mut left_out = 0;
    for (row, instances) in rows.zip(instances) {
        if left_out == 0 && table.len() + row.len() <= room {
            table.push_str(&row);
        } else {
            left_out += instances;
        }
    }
    if left_out > 0 {
        let _ = writeln!(
            table,
            "\n**Shortened:** {} would not fit here.",
            words::count(left_out, "more instance")
        );
    }
}

/// The table of what changes.
fn changes(text: &mut String, plan: &Plan) {
    let rows = shown(plan);
    if rows.is_empty() {
        text.push_str("There is nothing to do.\n\n");
        return;
    }
    let mut table = String::from("| Action | Instances | Now | Then | Why |\n|---|---|---|---|---|\n");
    let cells = rows.iter().map(|row| {
        format!(
            "| {} | {} | {} | {} | {} |\n",
            row.action,
            row.names,
            markdown(&row.now),
            row.then,
            markdown(&row.why)
        )
    });
    fill(&mut table, cells, rows.iter().map(|row| row.instances), CHANGES);
    let _ = writeln!(text, "{table}");
}

/// Each instance as a person reads it on the terminal, and the order, folded.
fn details(text: &mut String, plan: &Plan, shape: &Shape) {
    let mut all = if shape.refresh_only {
        human::drift(plan, Style::plain(), false)
    } else {
        human::plan(plan, Style::plain(), false)
    };
    let whole = all.len();
    let mut cut = String::new();
    if whole > DETAILS - 500 {
        // Whole lines only: what is left is no sentence that means something else.
        let mut end = DETAILS - 500;
        while !all.is_char_boundary(end) {
            end -= 1;
        }
        all.truncate(all[..end].rfind('\n').map_or(0, |at| at + 1));
        let left_out = whole - all.len();
        cut = format!(
            "\n**Shortened:** {left_out} more bytes would not fit here; `powerform show PLAN` shows them.\n"
        );
    }
    // A fence that is longer than any in it.
    let longest = all.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(
        text,
        "<details><summary>All details, and the order</summary>\n\n{fence}text\n{all}{fence}\n{cut}\n</details>\n"
    );
}

/// The graph, folded, as large as its share allows.
fn picture(text: &mut String, plan: &Plan) {
    let graph = Graph::of_plan(plan);
    if graph.nodes.is_empty() {
        return;
    }
    // Each is tried until one is short enough: the last one always is.
    let drawn = [(100, 200), (50, 100), (25, 50), (10, 20), (5, 10)]
        .into_iter()
        .map(|(nodes, edges)| graph::mermaid(&graph.clone().shortened(nodes, edges)))
        .find(|drawn| drawn.len() <= GRAPH);
    if let Some(drawn) = drawn {
        let _ = writeln!(
            text,
            "<details><summary>The graph: an arrow leads from an entry to what it needs</summary>\n\n\
             ```mermaid\n{drawn}```\n\n</details>"
        );
    }
}
