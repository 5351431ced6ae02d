use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::fleet::{Power, Strength};
use crate::plan::{Block, Then};
use crate::render::fixtures::{
    self, address, assert_harmless, change, every_block, every_verdict, every_warning, hostile,
    hostile_pieces,
};

/// Fails unless this is one well-formed document with nothing in it but what pictures need.
fn assert_sound_svg(text: &str) {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut open = 0_i32;
    loop {
        use quick_xml::events::Event;
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
            Event::Start(tag) => {
                open += 1;
                assert_known(&tag);
            }
            Event::End(_) => open -= 1,
            Event::Empty(tag) => assert_known(&tag),
            Event::Eof => break,
            Event::Comment(_) | Event::CData(_) | Event::PI(_) | Event::DocType(_) | Event::Decl(_) => {
                panic!("neither comments nor instructions are written: {text}")
            }
            Event::Text(_) | Event::GeneralRef(_) => {}
        }
    }
    assert_eq!(open, 0);
}

fn assert_known(tag: &quick_xml::events::BytesStart<'_>) {
    let name = tag.name().as_ref().to_owned();
    let known = ["svg", "title", "desc", "style", "defs", "marker", "rect", "g", "path", "text"];
    assert!(known.contains(&name.as_str()), "<{name}>");
    for attribute in tag.attributes() {
        let attribute = attribute.expect("well formed");
        let key = attribute.key.as_ref().to_owned();
        assert!(!key.starts_with("on") && key != "href" && key != "style", "{key}");
    }
}

/// Fails unless every line of a text in DOT is one of the forms that are written.
fn assert_sound_dot(text: &str) {
    for line in text.lines().skip(1) {
        let bare = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(bare.matches('"').count() % 2, 0, "{line}");
        let outside: String = bare.split('"').step_by(2).collect();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " =,;[]{}.->".contains(c);
        assert!(outside.chars().all(is_plain), "{outside} in {line}");
    }
}

/// Fails unless every line of a text in mermaid is one of the forms that are written.
fn assert_sound_mermaid(text: &str) {
    assert!(text.starts_with("flowchart RL\n"));
    for line in text.lines().skip(1) {
        let line = line.trim_start();
        if line.starts_with("acc") {
            let (_, said) = line.split_once(": ").expect("a description");
            assert!(said.chars().all(|c| c.is_alphanumeric() || " ,.-:".contains(c)), "{line}");
        } else if let Some((node, rest)) = line.split_once('"') {
            assert!(node.starts_with('n') && node.len() < 12, "{line}");
            let (label, rest) = rest.split_once('"').expect("the end of the label");
            let bare = label.replace("<br/>", "");
            assert!(!bare.contains(['<', '>', '`', '[', ']', '{', '}', '|', '\\', '&', '*']), "{line}");
            assert!(!rest.contains('"'), "{line}");
        } else {
            assert!(line.starts_with(['n', 'c']), "{line}");
        }
    }
}

fn assert_sound(graph: &Graph) {
    let (dot, mermaid, svg) = (dot(graph), mermaid(graph), svg(graph));
    assert_sound_dot(&dot);
    assert_sound_mermaid(&mermaid);
    assert_sound_svg(&svg);
    assert_harmless(&mermaid);
    for text in [dot, mermaid, svg] {
        for c in text.chars().filter(|c| *c != '\n') {
            assert!(!c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c), "{c:?}");
        }
    }
}

#[test]
fn an_entry_is_one_node_with_counts_and_the_most_urgent_shape() {
    let graph = Graph::of_plan(&fixtures::web_shop());
    let node = |name: &str| graph.nodes.iter().find(|node| node.name == name).expect("a node");
    assert_eq!(node("app").lines(), ["app ×2", "1 blocked, 1 start", "Stopped → Running"]);
    assert_eq!(node("app").mark(), Mark::Blocked);
    assert_eq!(node("cache").lines(), ["cache", "in sync", "Running"]);
    assert_eq!(node("batch").lines(), ["batch", "stop", "Running → Stopped"]);
    assert!(node("app").description().contains(
        "app[i-bp1app000000000003] is blocked: ECS refuses to start it until the security lock is lifted"
    ));
    let edges: Vec<(&str, &str, Strength)> = graph
        .edges
        .iter()
        .map(|edge| (graph.nodes[edge.from].name.as_str(), graph.nodes[edge.to].name.as_str(), edge.strength))
        .collect();
    assert_eq!(
        edges,
        [
            ("app", "db", Strength::Hard),
            ("app", "cache", Strength::Hard),
            ("edge", "app", Strength::Hard),
            ("edge", "db", Strength::Soft)
        ]
    );
}

#[test]
fn all_formats_show_the_same_entries_and_needs() {
    let graph = Graph::of_plan(&fixtures::web_shop());
    assert_sound(&graph);
    let dot = dot(&graph);
    assert!(
        dot.contains("\"app\" -> \"db\";\n") && dot.contains("\"edge\" -> \"db\" [style=\"dashed\""),
        "{dot}"
    );
    assert!(
        dot.contains("\"app\" [label=\"app ×2\\n1 blocked, 1 start\\nStopped → Running\", shape=\"octagon\"")
    );
    let mermaid = mermaid(&graph);
    assert!(
        mermaid.contains("n2{{\"app ×2<br/>1 blocked, 1 start<br/>Stopped → Running\"}}:::blocked\n"),
        "{mermaid}"
    );
    assert!(mermaid.contains("  n2 --> n0\n") && mermaid.contains("  n3 -.-> n0\n"), "{mermaid}");
    let svg = svg(&graph);
    for node in &graph.nodes {
        assert!(svg.contains(&format!(">{}</text>", node.lines()[0])), "{}", node.name);
    }
    assert_eq!(svg.matches("marker-end").count(), graph.edges.len() + 2, "and two in the legend");
    assert!(svg.contains("role=\"img\"") && svg.contains("prefers-color-scheme:dark"));
}

#[test]
fn every_mark_has_a_shape_a_sign_and_words_of_its_own() {
    let changes = every_verdict()
        .into_iter()
        .enumerate()
        .map(|(at, verdict)| change(&format!("e{at}"), Power::Stopped, Goal::Running, verdict))
        .collect();
    let mut plan = fixtures::plan(changes, &[]);
    plan.changes.iter_mut().filter(|change| change.verdict == Verdict::Release).for_each(|change| {
        (change.entry, change.goal) = (None, None);
    });
    for group in &mut plan.groups {
        group.changes.retain(|at| plan.changes[*at].entry.is_some());
    }
    let graph = Graph::of_plan(&plan);
    assert_sound(&graph);
    let marks = graph.marks();
    assert_eq!(marks[..], Mark::ALL[..7], "all but what was not looked at");
    let svg = svg(&graph);
    let signs: std::collections::BTreeSet<&str> = svg
        .split("class=\"sign\"")
        .skip(1)
        .filter_map(|rest| rest.split("d=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(signs.len(), marks.len());
    assert_eq!(Mark::ALL.map(Mark::words).into_iter().collect::<std::collections::BTreeSet<_>>().len(), 8);
}

#[test]
fn what_leaves_the_record_is_drawn_beside_an_entry_of_the_same_name() {
    let mut plan = fixtures::plan(
        vec![
            change("app[i-1]", Power::Running, Goal::Running, Verdict::InSync),
            change("app[i-2]", Power::Running, Goal::Running, Verdict::Release),
        ],
        &[],
    );
    (plan.changes[1].entry, plan.changes[1].goal) = (None, None);
    plan.groups[0].changes = vec![0];
    let graph = Graph::of_plan(&plan);
    assert_eq!(graph.nodes[0].lines(), ["app", "in sync", "Running"]);
    assert_eq!(graph.nodes[1].lines(), ["app", "release"]);
    assert!(dot(&graph).contains("\"app (release)\" ["));
}

#[test]
fn what_a_plan_does_not_speak_of_is_left_out_and_counted() {
    let mut plan = fixtures::web_shop();
    let gone = plan.groups[1].changes.clone();
    plan.groups[1].changes.clear();
    assert_eq!(gone.len(), 1);
    let graph = Graph::of_plan(&plan);
    assert!(!graph.nodes.iter().any(|node| node.name == "cache"));
    assert!(graph.edges.iter().all(|edge| edge.from < 4 && edge.to < 4));
    assert!(graph.summary.iter().any(|line| line.starts_with("1 entry is left out")), "{:?}", graph.summary);
    assert_sound(&graph);
}

#[test]
fn text_from_elsewhere_stays_text_in_every_format() {
    for text in hostile_pieces().into_iter().map(ToOwned::to_owned).chain([hostile()]) {
        let odd = Power::Unrecognised(text.as_str().into());
        let mut changes: Vec<Change> = Vec::new();
        for (at, block) in every_block(&text).into_iter().enumerate() {
            let mut one = change(&format!("e{at}[i-1]"), odd.clone(), Goal::Running, Verdict::Blocked(block));
            one.warnings = every_warning(&text);
            one = fixtures::drifted(one, Power::Running, odd.clone());
            if let Seen::There(sighting) = &mut one.seen {
                let sighting = Arc::make_mut(sighting);
                sighting.name = text.clone();
            }
            changes.push(one);
        }
        let then = Then::Blocked(Block::HeldUp { by: address("app"), root: address("db") });
        let id = format!("wait[i-{}]", "x".repeat(10_000));
        changes.push(change(
            &id,
            odd,
            Goal::Running,
            Verdict::Wait { until: Goal::Running, then: Some(then) },
        ));
        let graph = Graph::of_plan(&fixtures::plan(changes, &[]));
        assert_sound(&graph);
        assert!(svg(&graph).len() < 200_000);
    }
}

#[test]
fn no_text_is_wider_than_its_box() {
    let long = format!("e{}", "x".repeat(62));
    let wide = Power::Unrecognised("数据库正在备份请稍候".into());
    let graph = Graph::of_plan(&fixtures::plan(
        vec![
            change(&long, Power::Stopped, Goal::Running, fixtures::start()),
            change("db", wide, Goal::Running, Verdict::Blocked(Block::NotVisible)),
        ],
        &[],
    ));
    for node in &graph.nodes {
        for line in node.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= NODE_COLUMNS, "{line}");
        }
    }
    assert!(graph.nodes[0].lines()[0].ends_with('…'));
    assert!(svg(&graph).contains(&format!("<title>{long}: start.")), "all of it is said");
    assert_sound(&graph);
}

/// A fleet of so many entries, each needing up to three before it; every tenth is to be started.
fn fleet(entries: usize) -> Plan {
    let changes: Vec<Change> = (0..entries)
        .map(|at| {
            let verdict = if at % 10 == 0 { fixtures::start() } else { Verdict::InSync };
            let power = if at % 10 == 0 { Power::Stopped } else { Power::Running };
            change(&format!("e{at:06}"), power, Goal::Running, verdict)
        })
        .collect();
    let mut plan = fixtures::plan(changes, &[]);
    for at in 1..entries {
        for back in [1, 7, 31] {
            if let Some(need) = at.checked_sub(back).filter(|_| at % 13 != 0) {
                let entry = crate::fleet::EntryIndex(u32::try_from(need).expect("small"));
                plan.groups[at].needs.push(crate::fleet::Need { entry, strength: Strength::Hard });
            }
        }
    }
    plan
}

#[test]
fn a_large_fleet_gives_a_bounded_picture_that_says_what_it_leaves_out() {
    let graph = Graph::of_plan(&fleet(10_000));
    let (dot, mermaid, svg) = (dot(&graph), mermaid(&graph), svg(&graph));
    assert_eq!(dot.matches("shape=").count(), 10_000, "all of it");
    assert!(svg.len() < 600_000, "{} bytes", svg.len());
    assert!(svg.contains("9600 entries are left out of this picture"), "{}", &svg[..2000]);
    assert!(mermaid.len() < 50_000 && mermaid.matches(" --> ").count() <= 500, "{}", mermaid.len());
    assert!(mermaid.contains("9800 entries are left out of this picture"));
    assert_sound(&graph);
}

#[test]
fn what_is_done_stays_in_a_shortened_graph_before_what_is_not() {
    let graph = Graph::of_plan(&fleet(100)).shortened(20, 5);
    assert_eq!(graph.nodes.iter().filter(|node| node.mark() == Mark::Start).count(), 10);
    assert_eq!((graph.nodes.len(), graph.edges.len()), (20, 5));
    let said = graph.summary.join(" ");
    assert!(
        said.contains("80 entries are left out of this picture") && said.contains("80 in sync"),
        "{said}"
    );
    assert!(said.contains("between what is shown are left out"), "{said}");
    assert_eq!(Graph::of_plan(&fleet(20)).shortened(20, 100).summary.len(), 2, "nothing is left out");
}

proptest! {
    #[test]
    fn no_text_breaks_out_of_any_format(word in any::<String>(), why in any::<String>()) {
        let odd = Power::Unrecognised(word.as_str().into());
        let blocked = Verdict::Blocked(Block::NotSeen { why });
        assert_sound(&Graph::of_plan(&fixtures::plan(vec![change("db", odd, Goal::Running, blocked)], &[])));
    }
}
