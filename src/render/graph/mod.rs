//! The dependency graph: entries as nodes, with what their instances are and what will be done about them.
//!
//! One model, made from a plan or from the configuration alone, and one file for each format that draws it. The model
//! holds only text that is safe to print; each format makes it harmless in its own language. An entry is one node
//! however many instances it has, so a picture is as large as the configuration and not as the fleet.

mod dot;
mod layout;
mod mermaid;
mod shortened;
mod svg;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;

use super::human::plan_line;
use super::words::{self, count};
use crate::fleet::{Desired, EntryName, Goal, Seen, Strength};
use crate::plan::{Change, Plan, Verdict};

/// The columns that a name or a line of a node may take in a picture.
const NODE_COLUMNS: usize = 36;

/// The most instances of an entry about which sentences are kept.
const NOTED: usize = 5;

/// The most different status words that a node tells apart.
const WORDS: usize = 3;

/// What is drawn.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The stack.
    pub stack: String,
    /// What is to be said of all of it, in sentences, the most important one first.
    pub summary: Vec<String>,
    /// The entries in the order of their names, then what leaves the record.
    pub nodes: Vec<Node>,
    /// The dependencies, as positions in [`Graph::nodes`].
    pub edges: Vec<Edge>,
}

/// An entry.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it shall be; none if it leaves the record.
    pub goal: Option<Goal>,
    /// How many instances it has.
    pub instances: usize,
    /// How many of its instances are marked how, the most urgent mark first. Never empty.
    pub marks: Vec<(Mark, usize)>,
    /// How many of its instances are seen as what, in the order of the words. Empty if none was looked at.
    pub seen: Vec<(String, usize)>,
    /// Sentences about some of its instances: those about which there is something to say.
    pub notes: Vec<String>,
}

/// A dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The node that depends on the other.
    pub from: usize,
    /// The node that is needed.
    pub to: usize,
    /// What its failure means for the one that depends on it.
    pub strength: Strength,
}

/// What is to be said of an instance at a glance. In the order of urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Nothing can be done about it now.
    Blocked,
    /// It will be stopped.
    Stop,
    /// It will be started.
    Start,
    /// It is on its way already.
    Wait,
    /// It leaves the record.
    Release,
    /// It is as wanted.
    InSync,
    /// It is only looked at.
    Any,
    /// Nobody has looked.
    NotLookedAt,
}

impl Mark {
    /// All marks, the most urgent one first.
    pub const ALL: [Self; 8] = [
        Self::Blocked,
        Self::Stop,
        Self::Start,
        Self::Wait,
        Self::Release,
        Self::InSync,
        Self::Any,
        Self::NotLookedAt,
    ];

    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::InSync => Self::InSync,
            Verdict::Start { .. } => Self::Start,
            Verdict::Stop { .. } => Self::Stop,
            Verdict::Wait { .. } => Self::Wait,
            Verdict::Blocked(_) => Self::Blocked,
            Verdict::Release => Self::Release,
            Verdict::Any => Self::Any,
        }
    }

    /// The mark in words, as they follow a number: `2 start`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Wait => "wait",
            Self::Release => "release",
            Self::InSync => "in sync",
            Self::Any => "only looked at",
            Self::NotLookedAt => "not looked at",
        }
    }

    /// The mark as the name of a class in SVG and mermaid, which know neither blanks nor all words.
    fn class(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Wait => "wait",
            Self::Release => "release",
            Self::InSync => "insync",
            Self::Any => "any",
            Self::NotLookedAt => "goal",
        }
    }

    /// The colours of the mark on light paper and on dark: what is inside, and the line around it. Where only one set
    /// can be given it is the light one, with dark text on it.
    fn colours(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::Blocked => [("#ffe5e2", "#cf222e"), ("#4b1a1e", "#ff7b72")],
            Self::Stop => [("#ddf0ff", "#0969da"), ("#0f2d4d", "#58a6ff")],
            Self::Start => [("#dafbe1", "#1a7f37"), ("#10351c", "#3fb950")],
            Self::Wait => [("#fff4c2", "#9a6700"), ("#3d2f0b", "#d29922")],
            Self::Release => [("#f6ecff", "#8250df"), ("#2f2148", "#bc8cff")],
            Self::InSync | Self::Any | Self::NotLookedAt => [("#f6f8fa", "#6e7781"), ("#161b22", "#8b949e")],
        }
    }
}

impl Graph {
    /// The graph of a plan. What was left out of the plan is left out of the graph.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        let mut nodes = Vec::new();
        let mut places: Vec<Option<usize>> = vec![None; plan.groups.len()];
        for (group, place) in plan.groups.iter().zip(&mut places) {
            let changes: Vec<&Change> = group.changes.iter().filter_map(|at| plan.changes.get(*at)).collect();
            if !changes.is_empty() {
                *place = Some(nodes.len());
                nodes.push(Node::of_changes(&group.name, Some(group.goal), &changes));
            }
        }
        let mut gone: BTreeMap<&EntryName, Vec<&Change>> = BTreeMap::new();
        for change in plan.changes.iter().filter(|change| change.entry.is_none()) {
            gone.entry(&change.address.entry).or_default().push(change);
        }
        nodes.extend(gone.into_iter().map(|(name, changes)| Node::of_changes(name, None, &changes)));
        let place_of = |at: usize| places.get(at).copied().flatten();
        let edges = plan
            .groups
            .iter()
            .enumerate()
            .flat_map(|(at, group)| group.needs.iter().map(move |need| (at, need)))
            .filter_map(|(at, need)| {
                Some(Edge { from: place_of(at)?, to: place_of(need.entry.at())?, strength: need.strength })
            })
            .collect();
        let mut summary = vec![plan_line(&plan.tally())];
        let outside = places.iter().filter(|place| place.is_none()).count();
        if outside > 0 {
            let entries = entries(outside);
            summary
                .push(format!("{entries} left out, because this plan does not speak of {}.", them(outside)));
        }
        summary.push(format!("Looked at on {}.", words::time(plan.looked_at)));
        Self { stack: plan.stack.to_string(), summary, nodes, edges }
    }

    /// The graph of what the configuration wants, if nobody has looked.
    #[must_use]
    pub fn of_goals(desired: &Desired) -> Self {
        let nodes = desired
            .entries
            .iter()
            .map(|entry| {
                let selector = entry.selection().map(|selection| selection.selector.to_string());
                let notes = selector.map(|selector| format!("whatever fits {}", words::message(&selector)));
                // How many a selection fits, nobody knows who has not looked.
                let instances = entry.ids().len().max(1);
                Node {
                    name: entry.name.to_string(),
                    goal: Some(entry.goal),
                    instances,
                    marks: vec![(Mark::NotLookedAt, instances)],
                    seen: Vec::new(),
                    notes: notes.into_iter().collect(),
                }
            })
            .collect();
        let edges = desired
            .entries
            .iter()
            .enumerate()
            .flat_map(|(from, entry)| {
                let needs = entry.needs.iter();
                needs.map(move |need| Edge { from, to: need.entry.at(), strength: need.strength })
            })
            .collect();
        let summary = vec!["What the configuration wants; the instances were not looked at.".to_owned()];
        Self { stack: desired.stack.to_string(), summary, nodes, edges }
    }

    /// The marks that occur, each once, the most urgent one first.
    fn marks(&self) -> Vec<Mark> {
        let mut present: Vec<Mark> = self.nodes.iter().map(Node::mark).collect();
        present.sort_unstable();
        present.dedup();
        present
    }

    fn has(&self, strength: Strength) -> bool {
        self.edges.iter().any(|edge| edge.strength == strength)
    }
}

/// `1 entry is`, `2 entries are`.
fn entries(number: usize) -> String {
    if number == 1 { "1 entry is".to_owned() } else { format!("{number} entries are") }
}

fn them(number: usize) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

impl Node {
    fn of_changes(name: &EntryName, goal: Option<Goal>, changes: &[&Change]) -> Self {
        let mut marks: HashMap<Mark, usize> = HashMap::new();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for change in changes {
            *marks.entry(Mark::of(&change.verdict)).or_default() += 1;
            if goal.is_some() {
                let word = match &change.seen {
                    Seen::There(sighting) => sighting.power.word(),
                    Seen::Absent => "not visible",
                    Seen::NotSeen { .. } => "not seen",
                };
                *seen.entry(word).or_default() += 1;
            }
        }
        let mut marks: Vec<(Mark, usize)> = marks.into_iter().collect();
        marks.sort_unstable();
        let others = seen.values().skip(WORDS).sum::<usize>();
        let mut words: Vec<(String, usize)> = seen
            .iter()
            .take(WORDS)
            .map(|(word, number)| (words::short(word, 16).into_owned(), *number))
            .collect();
        if others > 0 {
            words.push(("otherwise".to_owned(), others));
        }
        Self {
            name: name.to_string(),
            goal,
            instances: changes.len(),
            marks,
            seen: words,
            notes: notes(changes),
        }
    }

    /// The most urgent mark: it gives the node its shape and its colour.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.marks.first().map_or(Mark::NotLookedAt, |(mark, _)| *mark)
    }

    /// What stands in the node: its name, what will be done, and what it is and shall be. Each fits
    /// [`NODE_COLUMNS`].
    fn lines(&self) -> Vec<String> {
        let times = if self.instances == 1 { String::new() } else { format!(" ×{}", self.instances) };
        let room = NODE_COLUMNS.saturating_sub(times.chars().count());
        let name = format!("{}{times}", words::short(&self.name, room));
        let goal = self.goal.map(Goal::word);
        let mut lines = vec![name];
        if self.mark() == Mark::NotLookedAt {
            lines.extend(goal.map(|goal| format!("goal {goal}")));
            return lines;
        }
        lines.push(words::short(&counted(&self.marks, |mark| mark.words()), NODE_COLUMNS).into_owned());
        let seen = counted(&self.seen, String::as_str);
        let is_there =
            self.seen.len() == 1 && self.seen.first().is_some_and(|(word, _)| Some(word.as_str()) == goal);
        let state = match self.goal {
            Some(Goal::Running | Goal::Stopped) if !is_there => {
                format!("{seen} → {}", goal.unwrap_or_default())
            }
            _ => seen,
        };
        if !state.is_empty() {
            lines.push(words::short(&state, NODE_COLUMNS).into_owned());
        }
        lines
    }

    /// Everything that is known of the node, in sentences, for whoever points at it or listens.
    fn description(&self) -> String {
        let mut text = self.name.clone();
        if self.instances != 1 {
            text.push_str(&format!(", {}", count(self.instances, "instance")));
        }
        text.push_str(&format!(": {}.", counted(&self.marks, |mark| mark.words())));
        if !self.seen.is_empty() {
            text.push_str(&format!(" Seen: {}.", counted(&self.seen, String::as_str)));
        }
        if let Some(goal) = self.goal {
            text.push_str(&format!(" Goal: {goal}."));
        }
        for note in &self.notes {
            text.push_str(&format!(" {note}."));
        }
        text
    }
}

/// `2 start, 1 blocked`; what holds for all of them stands without a number.
fn counted<'a, T>(counts: &'a [(T, usize)], words: impl Fn(&'a T) -> &'a str) -> String
where
    T: 'a,
{
    if let [(only, _)] = counts {
        return words(only).to_owned();
    }
    let parts: Vec<String> =
        counts.iter().map(|(what, number)| format!("{number} {}", words(what))).collect();
    parts.join(", ")
}

/// Sentences about the instances of which something is to be said, those that are blocked first.
fn notes(changes: &[&Change]) -> Vec<String> {
    let tells = |change: &&&Change| {
        !matches!(change.verdict, Verdict::InSync | Verdict::Any)
            || change.drift.is_some()
            || !change.warnings.is_empty()
    };
    let is_blocked = |change: &&&Change| matches!(change.verdict, Verdict::Blocked(_));
    let telling = changes.iter().filter(tells).count();
    let blocked = changes.iter().filter(tells).filter(is_blocked);
    let others = changes.iter().filter(tells).filter(|change| !is_blocked(change));
    let mut notes: Vec<String> = blocked
        .chain(others)
        .take(NOTED)
        .map(|change| {
            let address = words::address(&change.address);
            let mut note = format!("{address} {}: {}", words::heading(change), words::reason(change));
            for warning in &change.warnings {
                note.push_str(&format!("; warning: {}", words::warning(warning).what));
            }
            note
        })
        .collect();
    if telling > NOTED {
        notes.push(format!("And {} more", telling - NOTED));
    }
    notes
}
