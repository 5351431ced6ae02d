//! Who comes after whom.
//!
//! Order is a matter of entries, not of instances: a dependency on an entry is on all of its instances, so a thousand
//! instances that need a thousand others are one edge and not a million.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::DiGraph;

use super::selection::{Before, selecting};
use super::{After, Change, Group, Sequence};
use crate::fleet::{Actual, Desired, Entry, EntryIndex, EntryName, Goal, InstanceId, RollingOrder, Strength};

/// Dependencies that come back to where they began. `config` refuses them with their place in the file, so this is
/// only met by a caller that made its own [`Desired`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these entries depend on each other: {}", .0.iter().map(EntryName::as_str).collect::<Vec<_>>().join(", "))]
pub struct Cycle(pub Vec<EntryName>);

/// Refuses dependencies that come back to where they began.
pub(super) fn check(desired: &Desired) -> Result<(), Cycle> {
    let mut graph = DiGraph::<EntryIndex, ()>::with_capacity(desired.entries.len(), desired.entries.len());
    let nodes: Vec<_> =
        (0u32..).zip(&desired.entries).map(|(at, _)| graph.add_node(EntryIndex(at))).collect();
    for (entry, node) in desired.entries.iter().zip(&nodes) {
        for need in &entry.needs {
            graph.add_edge(nodes[need.entry.at()], *node, ());
        }
    }
    match toposort(&graph, None) {
        Ok(_) => Ok(()),
        Err(on_cycle) => {
            let component = kosaraju_scc(&graph)
                .into_iter()
                .find(|component| component.contains(&on_cycle.node_id()))
                .unwrap_or_default();
            let mut names: Vec<EntryName> =
                component.into_iter().map(|node| desired.entries[graph[node].at()].name.clone()).collect();
            names.sort();
            Err(Cycle(names))
        }
    }
}

/// What execution must respect, one group for each entry.
///
/// A start comes after what it needs, a stop after what needs it. Edges between a start and a stop order nothing. An
/// entry with the goal Any is never touched, but it is looked at before something that hard-depends on it is.
pub(super) fn groups(
    desired: &Desired,
    actual: &Actual,
    before: &Before<'_>,
    changes: &[Change],
) -> Vec<Group> {
    let mut groups: Vec<Group> = desired
        .entries
        .iter()
        .zip((0u32..).map(EntryIndex))
        .map(|(entry, index)| Group {
            selection: selecting(index, entry, actual, before),
            needs: entry.needs.clone(),
            pause: entry.pause,
            on_failure: entry.on_failure,
            on_no_stock: entry.on_no_stock,
            readiness: entry.readiness.clone(),
            ..Group::plain(entry.name.clone(), entry.goal, entry.timeouts)
        })
        .collect();
    for (position, change) in changes.iter().enumerate() {
        if let Some(entry) = change.entry {
            groups[entry.at()].changes.push(position);
        }
    }
    for (group, entry) in groups.iter_mut().zip(&desired.entries) {
        group.at_once = entry.at_once.map(|at_once| at_once.of(group.changes.len()));
        group.sequence = sequence(entry, &group.changes, changes);
    }
    for (index, entry) in (0u32..).map(EntryIndex).zip(&desired.entries) {
        for need in &entry.needs {
            let needed = desired.entries[need.entry.at()].goal;
            let hard = need.strength == Strength::Hard;
            match (entry.goal, needed) {
                (Goal::Running, Goal::Running) => {
                    groups[index.at()].after.push(After { group: need.entry, strength: need.strength });
                }
                (Goal::Running, Goal::Any) if hard => {
                    groups[index.at()].after.push(After { group: need.entry, strength: Strength::Hard });
                }
                (Goal::Stopped, Goal::Stopped) => {
                    groups[need.entry.at()].after.push(After { group: index, strength: need.strength });
                }
                (Goal::Any, Goal::Stopped) if hard => {
                    groups[need.entry.at()].after.push(After { group: index, strength: Strength::Hard });
                }
                _ => {}
            }
        }
    }
    groups
}

/// In which order the instances of an entry go, if it says so.
fn sequence(entry: &Entry, positions: &[usize], changes: &[Change]) -> Option<Sequence> {
    match entry.order? {
        RollingOrder::Zones => {
            let mut zones: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for &position in positions {
                let zone = changes[position].seen.sighting().map_or("", |sighting| &sighting.zone);
                zones.entry(zone).or_default().push(position);
            }
            Some(Sequence::ByZone(zones.into_values().collect()))
        }
        RollingOrder::AsListed => {
            let place: HashMap<&InstanceId, usize> =
                entry.ids().iter().enumerate().map(|(place, id)| (id, place)).collect();
            let mut listed = positions.to_vec();
            listed
                .sort_by_key(|position| place.get(&changes[*position].key.id).copied().unwrap_or(usize::MAX));
            Some(Sequence::AsListed(listed))
        }
    }
}

/// For each group the longest chain that begins with it: what it is expected to take itself, and then the longest
/// chain among those that come after it. A group that takes no time holds nobody up, so no chain goes through it.
/// The longest of them all is also a lower bound for the time that an apply takes.
#[must_use]
pub fn remaining_chains(groups: &[Group], takes: impl Fn(&Group) -> Duration) -> Vec<Duration> {
    let followers = followers(groups);
    let order = in_turn(groups);
    let mut chains = vec![Duration::ZERO; groups.len()];
    for &index in order.iter().rev() {
        let own = takes(&groups[index]);
        if own.is_zero() {
            continue;
        }
        let behind = followers[index].iter().map(|follower| chains[*follower]).max().unwrap_or_default();
        chains[index] = own.saturating_add(behind);
    }
    chains
}

/// The positions of the groups, each after all that it comes after.
pub(super) fn in_turn(groups: &[Group]) -> Vec<usize> {
    let followers = followers(groups);
    let mut waits_for: Vec<usize> = groups.iter().map(|group| group.after.len()).collect();
    let mut order: Vec<usize> = (0..groups.len()).filter(|index| waits_for[*index] == 0).collect();
    let mut next = 0;
    while let Some(&index) = order.get(next) {
        next += 1;
        for &follower in &followers[index] {
            waits_for[follower] -= 1;
            if waits_for[follower] == 0 {
                order.push(follower);
            }
        }
    }
    order
}

/// For each group those that come after it.
fn followers(groups: &[Group]) -> Vec<Vec<usize>> {
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
    for (index, group) in groups.iter().enumerate() {
        for after in &group.after {
            followers[after.group.at()].push(index);
        }
    }
    followers
}
