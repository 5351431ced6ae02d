//! What a step waits for, in words.

use super::{LISTED, list, name, reason::up_or_down};
use crate::fleet::{EntryName, Goal, Strength};
use crate::plan::{Change, Pattern, Plan, Scope, moving_groups};

/// What the steps of each group wait for: one sentence for a group, however many instances it has.
#[derive(Debug, Clone)]
pub struct Order {
    /// By the position of the group in [`Plan::groups`].
    sentences: Vec<Option<String>>,
}

impl Order {
    /// Reads the order of a plan. Looks at each change and each dependency once.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let moves = moving_groups(plan);
        let sentences = plan
            .groups
            .iter()
            .map(|group| {
                let after = |strength| -> Vec<&EntryName> {
                    group
                        .after
                        .iter()
                        .filter(|after| {
                            after.strength == strength && moves.get(after.group.at()) == Some(&true)
                        })
                        .filter_map(|after| plan.groups.get(after.group.at()))
                        .map(|group| &group.name)
                        .collect()
                };
                sentence(group.goal, &after(Strength::Hard), &after(Strength::Soft))
            })
            .collect();
        Self { sentences }
    }

    /// What a start or a stop waits for, besides its own instance: `after db and cache are Running`. Nothing if it
    /// can go at once, or if the change calls nothing.
    #[must_use]
    pub fn of_change(&self, change: &Change) -> Option<&str> {
        change.verdict.request()?;
        self.sentences.get(change.entry?.at())?.as_deref()
    }
}

/// What a plan is narrowed to: `narrowed to app and db*, without web`. Nothing if it is not.
#[must_use]
pub fn narrowed(scope: &Scope) -> Option<String> {
    let names = |patterns: &[Pattern]| {
        let names: Vec<_> = patterns.iter().map(|pattern| name(&pattern.0).into_owned()).collect();
        list(&names, names.len())
    };
    match (scope.targets.is_empty(), scope.excludes.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("narrowed to {}", names(&scope.targets))),
        (true, false) => Some(format!("made without {}", names(&scope.excludes))),
        (false, false) => {
            Some(format!("narrowed to {}, without {}", names(&scope.targets), names(&scope.excludes)))
        }
    }
}

fn sentence(goal: Goal, hard: &[&EntryName], soft: &[&EntryName]) -> Option<String> {
    let state = up_or_down(goal);
    let is = |names: &[&EntryName]| if names.len() == 1 { "is" } else { "are" };
    let hard = (!hard.is_empty()).then(|| format!("after {} {} {state}", list(hard, LISTED), is(hard)));
    // A soft need orders and nothing more: its failure lets the dependent go on.
    let soft = (!soft.is_empty()).then(|| {
        let have = if soft.len() == 1 { "has" } else { "have" };
        format!("after {} {} {state} or {have} failed", list(soft, LISTED), is(soft))
    });
    match (hard, soft) {
        (Some(hard), Some(soft)) => Some(format!("{hard}, and {soft}")),
        (hard, soft) => hard.or(soft),
    }
}
