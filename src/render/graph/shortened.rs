//! Leaves out of a graph what a reader can miss most easily.

use super::{Edge, Graph, Mark, Node, entries};
use crate::fleet::Strength;
use crate::render::words::count;

impl Graph {
    /// The graph with at most so many nodes and edges, which says what it leaves out, if anything. What will be done or
    /// cannot be done stays, then what is next to it; hard dependencies stay before soft ones. Takes time in proportion
    /// to the size of the graph.
    #[must_use]
    pub fn shortened(self, most_nodes: usize, most_edges: usize) -> Self {
        let Self { stack, mut summary, nodes, mut edges } = self;
        let all = edges.len();
        let mut places: Vec<Option<usize>> = vec![None; nodes.len()];
        let mut kept: Vec<Node> = Vec::with_capacity(nodes.len().min(most_nodes));
        let chosen = choose(&nodes, &edges, most_nodes);
        let left_out = chosen.iter().filter(|is_chosen| !**is_chosen).count();
        let mut marks = [0_usize; Mark::ALL.len()];
        for ((node, is_chosen), place) in nodes.into_iter().zip(chosen).zip(&mut places) {
            if is_chosen {
                *place = Some(kept.len());
                kept.push(node);
            } else {
                marks[node.mark() as usize] += 1;
            }
        }
        edges.retain_mut(|edge| match (places[edge.from], places[edge.to]) {
            (Some(from), Some(to)) => {
                *edge = Edge { from, to, ..*edge };
                true
            }
            _ => false,
        });
        let between = edges.len();
        if between > most_edges {
            edges.sort_by_key(|edge| edge.strength == Strength::Soft);
            edges.truncate(most_edges);
        }
        if left_out > 0 {
            let kinds: Vec<String> = Mark::ALL
                .into_iter()
                .zip(marks)
                .filter(|(_, number)| *number > 0)
                .map(|(mark, number)| format!("{number} {}", mark.words()))
                .collect();
            summary.push(format!(
                "{} left out of this picture, with {}, because {} would not fit: {}.",
                entries(left_out),
                dependencies(all - between),
                if left_out == 1 { "it" } else { "they" },
                kinds.join(", ")
            ));
        }
        if between > most_edges {
            let missing = between - most_edges;
            let (are, they) = if missing == 1 { ("is", "it") } else { ("are", "they") };
            summary.push(format!(
                "{} between what is shown {are} left out, because {they} would not fit.",
                dependencies(missing)
            ));
        }
        if left_out > 0 || between > most_edges {
            summary.push("Narrow it with --target, or draw all of it with --format dot.".to_owned());
        }
        Self { stack, summary, nodes: kept, edges }
    }
}

fn dependencies(number: usize) -> String {
    if number == 1 { count(1, "dependency") } else { format!("{number} dependencies") }
}

/// Which nodes stay.
fn choose(nodes: &[Node], edges: &[Edge], most: usize) -> Vec<bool> {
    if nodes.len() <= most {
        return vec![true; nodes.len()];
    }
    let is_news = |at: usize| nodes[at].mark() < Mark::InSync;
    let mut next_to_news = vec![false; nodes.len()];
    for edge in edges {
        next_to_news[edge.from] |= is_news(edge.to);
        next_to_news[edge.to] |= is_news(edge.from);
    }
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|&at| {
        if is_news(at) { (0, nodes[at].mark()) } else { (if next_to_news[at] { 1 } else { 2 }, Mark::InSync) }
    });
    let mut chosen = vec![false; nodes.len()];
    for at in order.into_iter().take(most) {
        chosen[at] = true;
    }
    chosen
}
