//! What has the same to say stands in one row.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::plan::{Block, Change, Plan, Verdict};
use crate::render::escape::markdown_code;
use crate::render::words::{self, Explanation};

/// The most names in one row.
const NAMED: usize = 5;

/// What holds for some instances.
#[derive(Debug)]
pub(super) struct Row {
    /// What holds, and what to do about it: not yet made harmless.
    pub(super) what: String,
    pub(super) remedy: Cow<'static, str>,
    /// Which instances: made harmless.
    pub(super) names: String,
    pub(super) instances: usize,
    pub(super) is_urgent: bool,
}

/// The instances of which the same is said, in the order of the first of each.
pub(super) fn alike<'p>(said: impl Iterator<Item = (&'p Change, bool, Explanation)>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut members: Vec<Vec<&Change>> = Vec::new();
    let mut known: HashMap<(String, Cow<'static, str>), usize> = HashMap::new();
    for (change, is_urgent, Explanation { what, remedy }) in said {
        let at = *known.entry((what.clone(), remedy.clone())).or_insert_with(|| {
            rows.push(Row { what, remedy, names: String::new(), instances: 0, is_urgent });
            members.push(Vec::new());
            rows.len() - 1
        });
        rows[at].instances += 1;
        members[at].push(change);
    }
    for (row, members) in rows.iter_mut().zip(members) {
        row.names = names(&members);
    }
    rows
}

/// The names of some instances: of an entry of which there are many, its name and their number.
fn names(changes: &[&Change]) -> String {
    let mut parts: Vec<(String, usize)> = Vec::new();
    let mut rest = changes;
    while let Some(first) = rest.first() {
        let entry = &first.address.entry;
        let many = rest.iter().take_while(|change| change.address.entry == *entry).count();
        let (own, others) = rest.split_at(many);
        rest = others;
        if many > 2 {
            parts.push((format!("{} ({many} instances)", markdown_code(entry.as_str())), many));
        } else {
            parts.extend(own.iter().map(|change| (markdown_code(&words::address(&change.address)), 1)));
        }
        if parts.len() > NAMED {
            break;
        }
    }
    let shown = parts.len().min(NAMED);
    let named: usize = parts[..shown].iter().map(|(_, many)| many).sum();
    let mut names: Vec<String> = parts.into_iter().take(shown).map(|(name, _)| name).collect();
    if named < changes.len() {
        names.push(format!("{} more", changes.len() - named));
    }
    words::list(&names, names.len())
}

/// Why an instance is blocked. What is held up is told by where the blocking began, so that all of it is one row.
pub(super) fn block(block: &Block) -> Explanation {
    match block {
        Block::HeldUp { root, .. } => {
            let root = words::address(root);
            Explanation {
                what: format!("held up by {root}, which is blocked"),
                remedy: format!("see what blocks {root}").into(),
            }
        }
        other => words::block(other),
    }
}

/// A row of the table of changes.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) action: &'static str,
    /// Made harmless.
    pub(super) names: String,
    pub(super) instances: usize,
    /// Not yet made harmless.
    pub(super) now: String,
    pub(super) then: &'static str,
    /// Not yet made harmless.
    pub(super) why: String,
}

/// The rows of everything that is done, leaves the record or has moved. What is blocked has a table of its own.
pub(super) fn shown(plan: &Plan) -> Vec<Shown> {
    let mut rows: Vec<Shown> = Vec::new();
    let mut members: Vec<Vec<&Change>> = Vec::new();
    let mut known: HashMap<(&'static str, String, String), usize> = HashMap::new();
    let mut entry = None;
    for change in &plan.changes {
        if entry != Some(&change.address.entry) {
            known.clear();
            entry = Some(&change.address.entry);
        }
        let (action, then) = match &change.verdict {
            Verdict::Start { .. } => ("start", "Running"),
            Verdict::Stop { .. } => ("**stop**", "Stopped"),
            Verdict::Wait { until, .. } => ("wait", until.word()),
            Verdict::Release => ("release", "no longer recorded"),
            Verdict::InSync | Verdict::Any if change.drift.is_some() => ("none", "as it is"),
            Verdict::InSync | Verdict::Any | Verdict::Blocked(_) => continue,
        };
        let why = match (&change.verdict, &change.drift) {
            (Verdict::InSync | Verdict::Any, Some(drift)) => words::drift(drift),
            _ => words::reason(change),
        };
        let now = match change.seen.power() {
            Some(power) => words::name(power.word()).into_owned(),
            None => "not looked at".to_owned(),
        };
        let at = *known.entry((action, now.clone(), why.clone())).or_insert_with(|| {
            rows.push(Shown { action, names: String::new(), instances: 0, now, then, why });
            members.push(Vec::new());
            rows.len() - 1
        });
        rows[at].instances += 1;
        members[at].push(change);
    }
    for (row, members) in rows.iter_mut().zip(members) {
        row.names = names(&members);
    }
    rows
}
