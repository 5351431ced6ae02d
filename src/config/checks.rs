//! What no entry shows alone: names and instances that come twice, dependencies that lead nowhere, in a circle, or to
//! something that shall be stopped.

use std::collections::HashMap;
use std::collections::hash_map;

use super::cycles;
use super::entry::{WrittenEntry, WrittenNeed};
use super::nearest::Suggestions;
use super::problem::{At, Finding, Findings, quoted};
use super::resolve::index;
use crate::fleet::{Goal, InstanceId, Need, Strength};

/// How many names of a circle are spelt out. A longer one is a generated file, and a page of names helps nobody.
const LONGEST_CIRCLE: usize = 100;

/// How many dependencies of a circle are shown in the source.
const MOST_SHOWN: usize = 6;

/// The entries of all files in the order of their names, each name once.
pub(super) struct Fleet<'d> {
    pub(super) entries: Vec<&'d WrittenEntry>,
    positions: HashMap<&'d str, usize>,
}

impl<'d> Fleet<'d> {
    /// Of entries with one name the first stays; the others are reported.
    pub(super) fn new(written: impl Iterator<Item = &'d WrittenEntry>, findings: &mut Findings) -> Self {
        let mut first: HashMap<&str, At> = HashMap::new();
        let mut entries = Vec::new();
        for entry in written {
            match first.entry(&entry.name_as_written) {
                hash_map::Entry::Vacant(place) => {
                    place.insert(entry.at);
                    entries.push(entry);
                }
                hash_map::Entry::Occupied(first) => findings.add(
                    Finding::error(entry.at, format!("the entry {} is in two files", quoted(first.key())))
                        .label("again here")
                        .related(*first.get(), "first here")
                        .help("give one of them another name, or remove it"),
                ),
            }
        }
        entries.sort_unstable_by(|a, b| a.name_as_written.cmp(&b.name_as_written));
        let positions = entries
            .iter()
            .enumerate()
            .map(|(position, entry)| (entry.name_as_written.as_str(), position))
            .collect();
        Self { entries, positions }
    }
}

/// Checks the entries against each other and gives the needs of each, sorted. `all_read` says whether an unknown name
/// is certainly unknown, or may be in a file that could not be read.
pub(super) fn check(fleet: &Fleet<'_>, all_read: bool, findings: &mut Findings) -> Vec<Vec<Need>> {
    instances_are_named_once(fleet, findings);
    prevented_stops_are_not_wanted(fleet, findings);
    let needs = resolve_needs(fleet, all_read, findings);
    no_goal_contradicts_a_need(fleet, &needs, findings);
    nothing_needs_itself_in_a_circle(fleet, &needs, findings);
    needs
        .into_iter()
        .map(|needs| {
            let mut needs: Vec<Need> = needs.into_iter().map(|(need, _)| need).collect();
            needs.sort_unstable_by_key(|need| need.entry);
            needs
        })
        .collect()
}

fn instances_are_named_once(fleet: &Fleet<'_>, findings: &mut Findings) {
    let mut seen: HashMap<&InstanceId, (usize, At)> = HashMap::with_capacity(fleet.entries.len());
    // In the order of places, so that "first" is what a reader of the file calls first.
    let mut named: Vec<_> = fleet
        .entries
        .iter()
        .enumerate()
        .flat_map(|(position, entry)| entry.members.ids().iter().map(move |id| (position, id)))
        .collect();
    named.sort_unstable_by_key(|(_, id)| (id.at.source, id.at.used));
    for (position, id) in named {
        match seen.entry(&id.value) {
            hash_map::Entry::Vacant(place) => {
                place.insert((position, id.at));
            }
            hash_map::Entry::Occupied(first) => {
                let (owner, first) = *first.get();
                let finding = if owner == position {
                    Finding::error(id.at, format!("instance {} is listed twice", quoted(id.value.as_str())))
                        .help("keep one of them")
                } else {
                    let name = |position: usize| {
                        fleet.entries.get(position).map_or("", |entry| &entry.name_as_written)
                    };
                    let message = format!(
                        "instance {} is in two entries, {} and {}",
                        quoted(id.value.as_str()),
                        quoted(name(owner)),
                        quoted(name(position))
                    );
                    Finding::error(id.at, message).help("an instance has one goal: keep it in one entry")
                };
                findings.add(finding.label("again here").related(first, "first here"));
            }
        }
    }
}

fn prevented_stops_are_not_wanted(fleet: &Fleet<'_>, findings: &mut Findings) {
    for entry in &fleet.entries {
        if let (Some(goal), Some(prevent)) = (&entry.goal, &entry.prevent_stop)
            && goal.value == Goal::Stopped
            && prevent.value
        {
            findings.add(
                Finding::warning(
                    prevent.at,
                    format!("entry {} shall be stopped, and its stop is prevented", quoted(&entry.name_as_written)),
                )
                .related(goal.at, "the goal is here")
                .help("if its instances run, they stay running and are reported as blocked: remove one of the two"),
            );
        }
    }
}

fn resolve_needs(fleet: &Fleet<'_>, all_read: bool, findings: &mut Findings) -> Vec<Vec<(Need, At)>> {
    let mut suggestions =
        Suggestions::new(fleet.entries.iter().map(|entry| entry.name_as_written.as_str()).collect());
    fleet
        .entries
        .iter()
        .enumerate()
        .map(|(position, entry)| {
            let mut first: HashMap<&str, At> = HashMap::new();
            let mut needs = Vec::with_capacity(entry.needs.len());
            for WrittenNeed { at, on, strength } in &entry.needs {
                if let Some(first) = first.get(on.as_str()) {
                    findings.add(
                        Finding::error(*at, format!("the dependency on {} is listed twice", quoted(on)))
                            .label("again here")
                            .related(*first, "first here")
                            .help("keep one of them"),
                    );
                    continue;
                }
                first.insert(on, *at);
                match fleet.positions.get(on.as_str()) {
                    Some(needed) if *needed == position => findings.add(
                        Finding::error(*at, format!("entry {} depends on itself", quoted(on))).help(
                            "remove this dependency: the instances of one entry have no order among them",
                        ),
                    ),
                    Some(needed) => needs.push((Need { entry: index(*needed), strength: *strength }, *at)),
                    None if all_read => findings.add(
                        Finding::error(*at, format!("there is no entry {} to depend on", quoted(on)))
                            .label("unknown entry")
                            .maybe_help(suggestions.get(on).map(|name| format!("did you mean `{name}`?"))),
                    ),
                    None => {}
                }
            }
            needs
        })
        .collect()
}

fn no_goal_contradicts_a_need(fleet: &Fleet<'_>, needs: &[Vec<(Need, At)>], findings: &mut Findings) {
    for (entry, needs) in fleet.entries.iter().zip(needs) {
        if entry.goal.as_ref().is_none_or(|goal| goal.value != Goal::Running) {
            continue;
        }
        for (need, at) in needs {
            let Some(needed) = fleet.entries.get(need.entry.at()) else { continue };
            let Some(goal) = &needed.goal else { continue };
            if need.strength == Strength::Hard && goal.value == Goal::Stopped {
                let (dependent, needed) = (quoted(&entry.name_as_written), quoted(&needed.name_as_written));
                findings.add(
                    Finding::error(
                        *at,
                        format!("{dependent} shall run, but it needs {needed}, which shall be stopped"),
                    )
                    .label("this dependency can never be met")
                    .related(goal.at, format!("the goal of {needed} is here"))
                    .help(
                        "change one of the two goals, or write the dependency as `required: false` if only the order \
                         matters",
                    ),
                );
            }
        }
    }
}

fn nothing_needs_itself_in_a_circle(fleet: &Fleet<'_>, needs: &[Vec<(Need, At)>], findings: &mut Findings) {
    let edges: Vec<(u32, u32)> = needs
        .iter()
        .enumerate()
        .flat_map(|(position, needs)| needs.iter().map(move |(need, _)| (index(position).0, need.entry.0)))
        .collect();
    for circle in cycles::find(fleet.entries.len(), &edges) {
        let name = |position: u32| {
            fleet.entries.get(position as usize).map_or("", |entry| entry.name_as_written.as_str())
        };
        let mut names: Vec<&str> =
            circle.iter().take(LONGEST_CIRCLE).map(|position| name(*position)).collect();
        let left_out = circle.len() - names.len();
        let more = format!("({left_out} more)");
        if left_out > 0 {
            names.push(&more);
        }
        names.extend(circle.first().map(|position| name(*position)));
        let next = circle.iter().skip(1).chain(circle.first());
        let mut steps = circle.iter().zip(next).filter_map(|(from, to)| {
            let (_, at) = needs.get(*from as usize)?.iter().find(|(need, _)| need.entry.0 == *to)?;
            Some((*at, format!("{} needs {} here", quoted(name(*from)), quoted(name(*to)))))
        });
        let Some((at, label)) = steps.next() else { continue };
        let mut finding = Finding::error(
            at,
            format!("these entries depend on each other in a circle: {}", names.join(" -> ")),
        )
        .label(label)
        .help("remove one of these dependencies; soft ones (`required: false`) give an order too");
        for (at, label) in steps.take(MOST_SHOWN - 1) {
            finding = finding.related(at, label);
        }
        findings.add(finding);
    }
}
