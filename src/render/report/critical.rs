//! Who held up whom, and the chain that decided when an apply ended.

use std::time::Duration;

use super::lanes::{Lane, Outcome};
use crate::plan::Plan;

/// The instance whose end let another one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldBy {
    /// A position among the lanes.
    pub(super) lane: usize,
    /// Whether it is needed; otherwise it only took the last free slot.
    pub(super) is_need: bool,
}

/// For each lane, who ended last before its turn among those that it had to come after, or that held the slots.
pub(super) fn held_by(plan: &Plan, lanes: &[Lane<'_>], parallelism: bool) -> Vec<Option<HeldBy>> {
    let mut lane_of: Vec<Option<usize>> = vec![None; plan.changes.len()];
    for (position, lane) in lanes.iter().enumerate() {
        lane_of[lane.at] = Some(position);
    }
    let ends = |members: &mut dyn Iterator<Item = usize>| -> Vec<(Duration, usize)> {
        let mut ends: Vec<_> = members
            // What was there already, or took no time, held nobody up.
            .filter(|lane| lanes[*lane].outcome != Outcome::AlreadyThere)
            .filter_map(|lane| Some((lanes[lane].span()?, lane)))
            .filter(|((turn, ended), _)| ended > turn)
            .map(|((_, ended), lane)| (ended, lane))
            .collect();
        ends.sort_unstable();
        ends
    };
    let of_groups: Vec<Vec<(Duration, usize)>> = plan
        .groups
        .iter()
        .map(|group| ends(&mut group.changes.iter().filter_map(|change| lane_of[*change])))
        .collect();
    let of_all = if parallelism { ends(&mut (0..lanes.len())) } else { Vec::new() };
    lanes
        .iter()
        .enumerate()
        .map(|(position, lane)| {
            let turn = lane.turn?;
            let group = lane.change.entry?.at();
            let last = |ends: &[(Duration, usize)]| {
                let before = ends.partition_point(|(ended, _)| *ended <= turn);
                ends[..before].iter().rev().find(|(_, other)| *other != position).copied()
            };
            let needs =
                plan.groups[group].after.iter().filter_map(|after| last(&of_groups[after.group.at()]));
            let slots = plan.groups[group].at_once.map(|_| &of_groups[group]).into_iter().chain([&of_all]);
            let slots = slots.filter_map(|ends| last(ends));
            let candidates = needs.map(|end| (end, true)).chain(slots.map(|end| (end, false)));
            let ((_, lane), is_need) = candidates.max_by_key(|((ended, _), is_need)| (*ended, *is_need))?;
            Some(HeldBy { lane, is_need })
        })
        .collect()
}

/// The chain that decided when the run ended, first one first: from the last that ended back through who held it up.
pub(super) fn critical_path(lanes: &[Lane<'_>], held_by: &[Option<HeldBy>]) -> Vec<usize> {
    let ended = |lane: &usize| lanes[*lane].span().map(|(_, ended)| ended);
    // Of several that ended together the first one: the order of the plan is that of the addresses.
    let last = (0..lanes.len())
        .rev()
        .filter(|lane| lanes[*lane].outcome != Outcome::AlreadyThere)
        .filter_map(|lane| Some((ended(&lane)?, lane)))
        .max_by_key(|(ended, _)| *ended);
    let mut path: Vec<usize> = last.into_iter().map(|(_, lane)| lane).collect();
    // Each one took some time and ended before the turn of the next, so that none comes twice.
    while let Some(HeldBy { lane, .. }) = path.last().and_then(|lane| held_by[*lane]) {
        path.push(lane);
    }
    path.reverse();
    path
}
