//! The graph as DOT, for graphviz: all of it, however large.

use std::fmt::Write as _;

use super::{Graph, Mark};
use crate::fleet::Strength;
use crate::render::escape;

/// The text of the graph in DOT. Entries stand under their own names, as in Terraform's graphs, so that other tools can
/// read it; an arrow leads from an entry to what it needs.
#[must_use]
pub fn dot(graph: &Graph) -> String {
    let mut text = String::new();
    let title = std::iter::once(graph.stack.as_str())
        .chain(graph.summary.iter().map(String::as_str))
        .chain(["An arrow leads from an entry to what it needs; a dashed one only orders."])
        .map(escape::dot)
        .collect::<Vec<_>>()
        .join("\\n");
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "digraph \"{}\" {{", escape::dot(&graph.stack));
    let _ = writeln!(
        text,
        "  graph [rankdir=\"RL\", label=\"{title}\", labelloc=\"t\", fontname=\"monospace\"];"
    );
    let _ =
        writeln!(text, "  node [fontname=\"monospace\", fontsize=11, fontcolor=\"#1f2328\", penwidth=1.5];");
    let _ = writeln!(text, "  edge [color=\"#6e7781\"];");
    let names: Vec<String> = graph
        .nodes
        .iter()
        .map(|node| match node.goal {
            Some(_) => escape::dot(&node.name),
            // The name of an entry that is still there may be the same.
            None => format!("{} (release)", escape::dot(&node.name)),
        })
        .collect();
    for (node, name) in graph.nodes.iter().zip(&names) {
        let lines: Vec<String> = node.lines().iter().map(|line| escape::dot(line)).collect();
        let (shape, style) = shape(node.mark());
        let [(inside, line), _] = node.mark().colours();
        let _ = writeln!(
            text,
            "  \"{name}\" [label=\"{}\", shape=\"{shape}\", style=\"{style}\", fillcolor=\"{inside}\", \
             color=\"{line}\", tooltip=\"{}\"];",
            lines.join("\\n"),
            escape::dot(&node.description())
        );
    }
    for edge in &graph.edges {
        let style = match edge.strength {
            Strength::Hard => "",
            Strength::Soft => " [style=\"dashed\", tooltip=\"order only\"]",
        };
        let _ = writeln!(text, "  \"{}\" -> \"{}\"{style};", names[edge.from], names[edge.to]);
    }
    text.push_str("}\n");
    text
}

/// The shape and the style of a mark: told apart without colour.
fn shape(mark: Mark) -> (&'static str, &'static str) {
    match mark {
        Mark::Blocked => ("octagon", "filled,bold"),
        Mark::Stop => ("invtrapezium", "filled"),
        Mark::Start => ("trapezium", "filled"),
        Mark::Wait => ("hexagon", "filled"),
        Mark::Release => ("note", "filled,dashed"),
        Mark::InSync => ("box", "filled,rounded"),
        Mark::Any => ("box", "filled,rounded,dashed"),
        Mark::NotLookedAt => ("box", "filled"),
    }
}
