//! Finds circles among dependencies, with algorithms that do not recurse: a chain may be as long as a file.

use std::collections::{HashMap, VecDeque};

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

/// From how many members of a tangle a shortest circle is looked for. Beyond it the circle shown may not be the very
/// shortest, and the search stays linear.
const MOST_STARTS: usize = 8;

/// One circle for each tangle of entries that need each other: a short one, beginning with the smallest number in it,
/// each entry followed by one that it needs. Entries that need themselves are not circles here.
pub(super) fn find(entries: usize, needs: &[(u32, u32)]) -> Vec<Vec<u32>> {
    let mut graph = DiGraph::<(), ()>::with_capacity(entries, needs.len());
    for _ in 0..entries {
        graph.add_node(());
    }
    for (from, to) in needs.iter().filter(|(from, to)| from != to) {
        graph.add_edge(NodeIndex::new(*from as usize), NodeIndex::new(*to as usize), ());
    }
    if toposort(&graph, None).is_ok() {
        return Vec::new();
    }
    let tangles = kosaraju_scc(&graph);
    let mut tangle_of = vec![0; entries];
    for (number, tangle) in tangles.iter().enumerate() {
        for node in tangle {
            tangle_of[node.index()] = number;
        }
    }
    let mut circles: Vec<Vec<u32>> = tangles
        .into_iter()
        .filter(|tangle| tangle.len() > 1)
        .map(|tangle| shortest_circle(&graph, &tangle_of, tangle))
        .collect();
    circles.sort();
    circles
}

fn shortest_circle(graph: &DiGraph<(), ()>, tangle_of: &[usize], mut tangle: Vec<NodeIndex>) -> Vec<u32> {
    tangle.sort_unstable();
    let mut shortest: Option<Vec<NodeIndex>> = None;
    for start in tangle.iter().take(MOST_STARTS) {
        let circle = circle_through(graph, tangle_of, *start);
        if shortest.as_ref().is_none_or(|known| circle.len() < known.len()) {
            shortest = Some(circle);
        }
        if shortest.as_ref().is_some_and(|known| known.len() == 2) {
            break;
        }
    }
    let mut circle: Vec<u32> =
        shortest.unwrap_or_default().into_iter().map(|node| node.index() as u32).collect();
    let smallest = circle.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(at, _)| at);
    circle.rotate_left(smallest);
    circle
}

/// Breadth first from `start`, inside of its tangle, until an edge leads back to it.
fn circle_through(graph: &DiGraph<(), ()>, tangle_of: &[usize], start: NodeIndex) -> Vec<NodeIndex> {
    let inside = |node: &NodeIndex| tangle_of[node.index()] == tangle_of[start.index()];
    let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.neighbors(node).filter(inside) {
            if next == start {
                let mut circle = vec![node];
                let mut at = node;
                while let Some(before) = came_from.get(&at) {
                    circle.push(*before);
                    at = *before;
                }
                circle.reverse();
                return circle;
            }
            if let std::collections::hash_map::Entry::Vacant(place) = came_from.entry(next) {
                place.insert(node);
                queue.push_back(next);
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_tangle_gives_one_short_circle_from_its_smallest_member() {
        for (needs, circles) in [
            (vec![], vec![]),
            (vec![(0, 1), (1, 2), (0, 2)], vec![]),
            (vec![(0, 0)], vec![]),
            (vec![(0, 1), (1, 0)], vec![vec![0, 1]]),
            (vec![(2, 1), (1, 0), (0, 2)], vec![vec![0, 2, 1]]),
            (vec![(0, 1), (1, 0), (3, 2), (2, 3)], vec![vec![0, 1], vec![2, 3]]),
            // The long way round and a short cut: one tangle, the short circle.
            (vec![(0, 1), (1, 2), (2, 3), (3, 0), (2, 1)], vec![vec![1, 2]]),
            // Two tangles joined by an edge stay two.
            (vec![(0, 1), (1, 0), (1, 2), (2, 3), (3, 2)], vec![vec![0, 1], vec![2, 3]]),
        ] {
            assert_eq!(find(4, &needs), circles, "{needs:?}");
        }
    }

    #[test]
    fn long_chains_and_long_circles_do_not_exhaust_the_stack() {
        let mut needs: Vec<(u32, u32)> = (0..199_999).map(|i| (i, i + 1)).collect();
        assert!(find(200_000, &needs).is_empty());
        needs.push((199_999, 0));
        assert_eq!(find(200_000, &needs)[0].len(), 200_000);
    }

    proptest! {
        #[test]
        fn what_is_found_is_a_circle_and_nothing_is_found_in_what_has_an_order(
            needs in proptest::collection::vec((0_u32..12, 0_u32..12), 0..30)
        ) {
            for circle in find(12, &needs) {
                for (at, from) in circle.iter().enumerate() {
                    let to = circle[(at + 1) % circle.len()];
                    prop_assert!(needs.contains(&(*from, to)));
                }
            }
            let forward: Vec<_> = needs.iter().copied().filter(|(from, to)| from < to).collect();
            prop_assert!(find(12, &forward).is_empty());
        }
    }
}
