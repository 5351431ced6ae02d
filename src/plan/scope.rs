//! Narrows a plan to some instances, and to what the order of execution needs for them.
//!
//! A start takes in the starts of what it hard-needs, a stop the stops of what hard-needs it; leaving something out
//! leaves out what would have to come after it. Instances that are not called but must be looked at before something
//! else is called stay in the plan.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Change, Cycle, Plan, Verdict, Why};
use crate::fleet::{Actual, Address, Desired, Goal, Recorded, Strength};

/// What a plan is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Only these, and what they need; all if empty.
    pub targets: Vec<Pattern>,
    /// Not these, nor what needs them.
    pub excludes: Vec<Pattern>,
}

impl Scope {
    /// Whether it leaves a plan as it is.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.targets.is_empty() && self.excludes.is_empty()
    }
}

/// An entry, an address, or a glob of either: `app`, `app[i-bp1app000000000001]`, `app*`, `app[i-bp1*]`. Only `*` (any
/// run of characters) and `?` (any one) have a meaning of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Pattern {
    /// Whether an address is meant: by its own text, or by that of its entry.
    #[must_use]
    pub fn matches(&self, address: &Address) -> bool {
        matches(&self.0, address.entry.as_str()) || matches(&self.0, &address.to_string())
    }
}

/// Whether a text matches a glob. Takes time in proportion to the product of their lengths at most.
fn matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where to go on if the rest after the last star does not match: one character further.
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match glob.get(at) {
            Some('*') => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    at = after_star;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|c| *c == '*')
}

/// A pattern that matches nothing in the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{pattern}\" matches no entry and no address")]
pub struct NoMatch {
    /// The pattern.
    pub pattern: String,
    /// Every entry and address that there is, for a suggestion.
    pub known: BTreeSet<String>,
}

/// A plan that was narrowed.
#[derive(Debug, Clone)]
pub struct Narrowed {
    /// What is left.
    pub plan: Plan,
    /// What was taken in because a target needs it, though no pattern names it.
    pub taken_in: Vec<Address>,
    /// What was left out because it needs something that is left out, though no pattern names it.
    pub left_out: Vec<Address>,
}

/// Narrows a plan.
///
/// # Errors
/// [`NoMatch`] for the first pattern that matches nothing: a slip of the finger must not look like "nothing to do".
pub fn narrow(plan: Plan, scope: &Scope) -> Result<Narrowed, NoMatch> {
    for pattern in scope.targets.iter().chain(&scope.excludes) {
        // An entry may select nothing now.
        let selects = |pattern: &Pattern| {
            plan.selections()
                .any(|(group, _)| pattern.matches(&Address { entry: group.name.clone(), instance: None }))
        };
        if !plan.changes.iter().any(|change| pattern.matches(&change.address)) && !selects(pattern) {
            let selecting = plan.selections().map(|(group, _)| group.name.to_string());
            let known = plan
                .changes
                .iter()
                .flat_map(|change| [change.address.entry.to_string(), change.address.to_string()])
                .chain(selecting)
                .collect();
            return Err(NoMatch { pattern: pattern.0.clone(), known });
        }
    }
    let named = |patterns: &[Pattern], change: &Change| {
        patterns.iter().any(|pattern| pattern.matches(&change.address))
    };
    let everything = scope.targets.is_empty();
    let mut kept: Vec<bool> =
        plan.changes.iter().map(|change| everything || named(&scope.targets, change)).collect();
    let mut taken_in = Vec::new();
    if !everything {
        let befores = closure(&plan, &kept, Direction::Before);
        for (position, change) in plan.changes.iter().enumerate() {
            if befores[position] && !kept[position] {
                kept[position] = true;
                if is_called(change) {
                    taken_in.push(change.address.clone());
                }
            }
        }
    }
    let excluded: Vec<bool> = plan.changes.iter().map(|change| named(&scope.excludes, change)).collect();
    let mut left_out = Vec::new();
    if excluded.contains(&true) {
        let afters = closure(&plan, &excluded, Direction::After);
        for (position, change) in plan.changes.iter().enumerate() {
            // What is as wanted stays, also if it is excluded: nothing is done to it, but others that need it are
            // only called after a look at it.
            let goes = match change.verdict {
                Verdict::InSync | Verdict::Any => false,
                Verdict::Release => excluded[position],
                _ => excluded[position] || afters[position],
            };
            if goes && kept[position] && !excluded[position] {
                left_out.push(change.address.clone());
            }
            kept[position] &= !goes;
        }
    }
    Ok(Narrowed { plan: keep(plan, &kept), taken_in, left_out })
}

fn is_called(change: &Change) -> bool {
    match change.verdict {
        Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. } | Verdict::Blocked(_) => true,
        Verdict::InSync | Verdict::Release | Verdict::Any => false,
    }
}

enum Direction {
    /// What has to come before.
    Before,
    /// What has to come after.
    After,
}

/// The given changes, and all that hard order connects them with in one direction, through changes that are called.
fn closure(plan: &Plan, from: &[bool], direction: Direction) -> Vec<bool> {
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); plan.groups.len()];
    for (index, group) in plan.groups.iter().enumerate() {
        for after in group.after.iter().filter(|after| after.strength == Strength::Hard) {
            match direction {
                Direction::Before => neighbours[index].push(after.group.at()),
                Direction::After => neighbours[after.group.at()].push(index),
            }
        }
    }
    let mut reached = from.to_vec();
    let starts =
        plan.changes.iter().enumerate().filter(|(position, change)| from[*position] && is_called(change));
    let mut groups: Vec<usize> =
        starts.filter_map(|(_, change)| change.entry).map(|entry| entry.at()).collect();
    let mut seen = vec![false; plan.groups.len()];
    while let Some(group) = groups.pop() {
        if std::mem::replace(&mut seen[group], true) {
            continue;
        }
        for &neighbour in &neighbours[group] {
            for &change in &plan.groups[neighbour].changes {
                reached[change] = true;
            }
            // Those who are where they have to be pass nothing on.
            if plan.groups[neighbour].changes.iter().any(|change| is_called(&plan.changes[*change])) {
                groups.push(neighbour);
            }
        }
    }
    reached
}

/// The plan with only some of its changes.
pub(super) fn keep(plan: Plan, kept: &[bool]) -> Plan {
    let Plan { stack, looked_at, changes, mut groups } = plan;
    let mut place = vec![None; changes.len()];
    let mut left = Vec::new();
    for (position, change) in changes.into_iter().enumerate() {
        if kept[position] {
            place[position] = Some(left.len());
            left.push(change);
        }
    }
    for group in &mut groups {
        group.changes = group.changes.iter().filter_map(|change| place[*change]).collect();
        if let Some(sequence) = &mut group.sequence {
            sequence.keep(&place);
        }
    }
    Plan { stack, looked_at, changes: left, groups }
}

/// As [`plan`](super::plan), but with everything off: for this run the goal of every entry that shall run is Stopped.
///
/// # Errors
/// The entries of a cycle, if the dependencies have one.
pub fn power_off(desired: &Desired, recorded: Option<&Recorded>, actual: &Actual) -> Result<Plan, Cycle> {
    let mut off = desired.clone();
    for entry in &mut off.entries {
        if entry.goal == Goal::Running {
            entry.goal = Goal::Stopped;
        }
    }
    let mut plan = super::plan(&off, recorded, actual)?;
    for change in &mut plan.changes {
        let shall_run = change.entry.is_some_and(|entry| desired.entries[entry.at()].goal == Goal::Running);
        if shall_run && change.why.is_some() {
            change.why = Some(Why::PoweredOff);
        }
    }
    Ok(plan)
}

/// Only what moved since the last apply, with no goal and nothing to be done about it.
#[must_use]
pub fn drift_only(mut plan: Plan) -> Plan {
    let kept: Vec<bool> = plan.changes.iter().map(|change| change.drift.is_some()).collect();
    for change in &mut plan.changes {
        change.verdict = Verdict::InSync;
        change.goal = None;
        change.why = None;
        change.expected = None;
        change.warnings.clear();
    }
    keep(plan, &kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_know_stars_and_question_marks_and_nothing_else() {
        for (glob, text, matched) in [
            ("app", "app", true),
            ("app", "apps", false),
            ("app*", "app", true),
            ("app*", "app[i-bp1]", true),
            ("app[i-bp1*]", "app[i-bp1abc]", true),
            ("app[i-bp1*]", "app[i-bp2abc]", false),
            ("*", "anything", true),
            ("a?p", "app", true),
            ("a?p", "ap", false),
            ("*b*", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("", "", true),
            ("", "a", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(glob, text), matched, "{glob} on {text}");
        }
    }
}
