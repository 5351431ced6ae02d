//! The third part of the page: who needs whom, as a picture and in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Story;
use super::html::text;
use crate::fleet::EntryIndex;
use crate::plan::Plan;
use crate::render::graph::{Graph, svg};
use crate::render::words::Order;

/// The largest picture, in bytes.
const ROOM: usize = 130_000;

/// The most nodes and edges that are tried first: about as many as fit.
const MOST_NODES: usize = 160;
const MOST_EDGES: usize = 600;

/// The most entries whose order is told in words.
const MOST_SENTENCES: usize = 150;

pub(super) fn section(page: &mut String, story: &Story<'_>) {
    let plan = &*story.history.plan;
    if plan.groups.is_empty() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<section id=\"order\" aria-labelledby=\"order-title\">\n<h2 id=\"order-title\">Order</h2>\n\
         <p>What was seen and planned for each entry, and who needs whom.</p>\n\
         <div class=\"frame drawing\" role=\"region\" aria-labelledby=\"order-title\" tabindex=\"0\">\n{}</div>\n",
        picture(plan)
    );
    in_words(page, plan);
    page.push_str("</section>\n");
}

/// The graph, with as much of it as there is room for.
fn picture(plan: &Plan) -> String {
    let graph = Graph::of_plan(plan);
    let mut nodes = MOST_NODES;
    loop {
        let picture = svg(&graph.clone().shortened(nodes, nodes * MOST_EDGES / MOST_NODES));
        if picture.len() <= ROOM || nodes == 1 {
            return picture;
        }
        nodes = (nodes / 2).max(1);
    }
}

/// The same for who does not see the picture: what each entry waited for.
fn in_words(page: &mut String, plan: &Plan) {
    let order = Order::of(plan);
    let mut sentences: BTreeMap<EntryIndex, &str> = BTreeMap::new();
    for change in &plan.changes {
        if let (Some(entry), Some(sentence)) = (change.entry, order.of_change(change)) {
            sentences.entry(entry).or_insert(sentence);
        }
    }
    if sentences.is_empty() {
        return;
    }
    page.push_str("<details><summary>The order in words</summary><ul>\n");
    for (entry, sentence) in sentences.iter().take(MOST_SENTENCES) {
        if let Some(group) = plan.groups.get(entry.at()) {
            let _ = writeln!(page, "<li><b>{}</b> goes {}", text(group.name.as_str()), text(sentence));
        }
    }
    if sentences.len() > MOST_SENTENCES {
        let _ = writeln!(page, "<li>and {} more", sentences.len() - MOST_SENTENCES);
    }
    page.push_str("</ul></details>\n");
}
