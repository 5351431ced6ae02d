//! The graph as mermaid, which GitHub and GitLab draw in comments and pages.

use std::fmt::Write as _;

use super::{Graph, Mark};
use crate::fleet::Strength;
use crate::render::escape;

/// As many edges as mermaid draws unless its settings say otherwise, which a text cannot change.
pub(crate) const MOST_EDGES: usize = 500;

/// So many nodes stay well below the 50,000 characters that mermaid reads unless its settings say otherwise.
pub(crate) const MOST_NODES: usize = 200;

/// The text of the graph in mermaid. An arrow leads from an entry to what it needs. What is more than mermaid draws is
/// left out, and that is said.
#[must_use]
pub fn mermaid(graph: &Graph) -> String {
    let shortened;
    let graph = if graph.nodes.len() > MOST_NODES || graph.edges.len() > MOST_EDGES {
        shortened = graph.clone().shortened(MOST_NODES, MOST_EDGES);
        &shortened
    } else {
        graph
    };
    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "flowchart RL");
    let _ = writeln!(text, "  accTitle: The dependencies of {}", words_only(&graph.stack));
    let _ = writeln!(text, "  accDescr: {}", words_only(&graph.summary.join(" ")));
    for (at, node) in graph.nodes.iter().enumerate() {
        let lines: Vec<String> = node.lines().iter().map(|line| escape::mermaid(line)).collect();
        let (opens, closes) = shape(node.mark());
        let _ = writeln!(text, "  n{at}{opens}\"{}\"{closes}:::{}", lines.join("<br/>"), node.mark().class());
    }
    for edge in &graph.edges {
        let arrow = match edge.strength {
            Strength::Hard => "-->",
            Strength::Soft => "-.->",
        };
        let _ = writeln!(text, "  n{} {arrow} n{}", edge.from, edge.to);
    }
    for mark in graph.marks() {
        let [(inside, line), _] = mark.colours();
        let width = if mark == Mark::Blocked { 3 } else { 1 };
        let dash = match mark {
            Mark::Any | Mark::Release => ",stroke-dasharray:5 4",
            _ => "",
        };
        let _ = writeln!(
            text,
            "  classDef {} fill:{inside},stroke:{line},color:#1f2328,stroke-width:{width}px{dash}",
            mark.class()
        );
    }
    text
}

/// A description is not in quotes, so only what can mean nothing is left of it.
fn words_only(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | ',' | '.' | '-' | ':')).collect()
}

/// What stands around the text of a node: told apart without colour.
fn shape(mark: Mark) -> (&'static str, &'static str) {
    match mark {
        Mark::Blocked => ("{{", "}}"),
        Mark::Stop => ("[\\", "/]"),
        Mark::Start => ("[/", "\\]"),
        Mark::Wait => ("([", "])"),
        Mark::Release => (">", "]"),
        Mark::InSync => ("(", ")"),
        Mark::Any => ("[[", "]]"),
        Mark::NotLookedAt => ("[", "]"),
    }
}
