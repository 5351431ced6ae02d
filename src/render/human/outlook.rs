//! In which order a plan will happen and how long it is expected to take, as people read it before they approve.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::fleet::duration::Words;
use crate::fleet::{EntryIndex, EntryName};
use crate::plan::{Change, Outlook, Plan, Verdict};
use crate::render::style::{Ink, Style};
use crate::render::words;

/// The most turns that are shown, unless all are asked for.
const TURNS: usize = 8;

/// The order and the time of a plan, a blank line after them. Nothing if nothing is to be done; one step has no order.
pub(super) fn outlook(plan: &Plan, style: Style, all: bool) -> String {
    let outlook = Outlook::of(plan);
    let mut text = String::new();
    if outlook.entries() == 0 {
        return text;
    }
    // Writing to a string cannot fail, here and below.
    if outlook.entries() > 1 {
        let _ = writeln!(
            text,
            "{}",
            style.paint(Ink::Heading, "Order, each as soon as what it needs allows it:")
        );
        let most = if all { outlook.turns.len() } else { TURNS };
        let width = outlook.turns.len().min(most).to_string().len();
        for (number, turn) in outlook.turns.iter().enumerate().take(most) {
            let most = if all { turn.len() } else { words::LISTED };
            let mut parts: Vec<String> = turn.iter().take(most).map(|entry| part(plan, *entry)).collect();
            if turn.len() > parts.len() {
                let more = turn.len() - parts.len();
                parts.push(if more == 1 {
                    "1 more entry".to_owned()
                } else {
                    format!("{more} more entries")
                });
            }
            let indent = width + 4;
            for (at, line) in style.lines(&parts.join(", "), indent).iter().enumerate() {
                let _ = match at {
                    0 => writeln!(text, "  {:>width$}. {line}", number + 1),
                    _ => writeln!(text, "{:indent$}{line}", ""),
                };
            }
        }
        if outlook.turns.len() > most {
            let more = words::count(outlook.turns.len() - most, "more turn");
            let _ = writeln!(text, "  and then {more} (--all shows each)");
        }
    }
    let heading = "Time:";
    for line in style.lines(&format!("{heading} {}", time(plan, &outlook)), 0) {
        let _ = match line.strip_prefix(heading) {
            Some(rest) => writeln!(text, "{}{rest}", style.paint(Ink::Heading, heading)),
            None => writeln!(text, "{line}"),
        };
    }
    text.push('\n');
    text
}

/// What happens to one entry: `app (3 to start, 2 at a time)`, `db (start)`.
fn part(plan: &Plan, entry: EntryIndex) -> String {
    let Some(group) = plan.groups.get(entry.at()) else { return String::new() };
    let changes: Vec<&Change> = group.changes.iter().filter_map(|at| plan.changes.get(*at)).collect();
    let mut counts: BTreeMap<u8, (usize, &'static str)> = BTreeMap::new();
    for change in &changes {
        let (rank, what) = match change.verdict {
            Verdict::Start { .. } => (0, "start"),
            Verdict::Stop { .. } => (1, "stop"),
            Verdict::Wait { .. } => (2, "wait"),
            Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => continue,
        };
        counts.entry(rank).or_insert((0, what)).0 += 1;
    }
    let steps: usize = counts.values().map(|(number, _)| number).sum();
    let mut parts: Vec<String> = match (changes.len(), counts.first_key_value()) {
        (1, Some((_, (_, what)))) => vec![(*what).to_owned()],
        _ => counts.values().map(|(number, what)| format!("{number} to {what}")).collect(),
    };
    if let Some(at_once) = group.at_once.filter(|at_once| (at_once.get() as usize) < steps) {
        parts.push(format!("{at_once} at a time"));
    }
    format!("{} ({})", group.name, parts.join(", "))
}

/// How long it is expected to take, and along what; or what is missing to say so.
fn time(plan: &Plan, outlook: &Outlook) -> String {
    let chain = chain(plan, &outlook.longest.entries);
    let pauses = outlook.longest.entries.iter().filter_map(|index| plan.groups.get(index.at()));
    let pauses = pauses.filter(|group| group.changes.len() > 1).any(|group| !group.pause.is_zero());
    let by = if pauses { "recorded durations and pauses" } else { "recorded durations" };
    let takes = format!("{} by {by} ({chain})", Words(outlook.longest.takes));
    let unknown: Vec<&EntryName> = names(plan, &outlook.unknown).collect();
    match unknown.len() {
        0 => format!("about {takes}."),
        // There may be pauses, but they tell little.
        _ if plan.changes.iter().all(|change| change.expected.is_none()) => {
            "unknown, because no durations of these are recorded yet.".to_owned()
        }
        number => format!(
            "at least {takes}; how long {} {} is not recorded yet.",
            words::list(&unknown, words::LISTED),
            if number == 1 { "takes" } else { "take" },
        ),
    }
}

/// `db -> app -> web`; of a long chain its ends.
fn chain(plan: &Plan, entries: &[EntryIndex]) -> String {
    let names: Vec<&str> = names(plan, entries).map(EntryName::as_str).collect();
    let (first, last) = (names.iter().take(words::LISTED - 1), names.last());
    match (names.len().checked_sub(words::LISTED), last) {
        (Some(left_out @ 1..), Some(last)) => {
            let first: Vec<&str> = first.copied().collect();
            format!("{} -> {left_out} more -> {last}", first.join(" -> "))
        }
        _ => names.join(" -> "),
    }
}

fn names<'p>(plan: &'p Plan, entries: &[EntryIndex]) -> impl Iterator<Item = &'p EntryName> {
    entries.iter().filter_map(|index| plan.groups.get(index.at())).map(|group| &group.name)
}
