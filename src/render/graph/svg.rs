//! The graph as one self-contained SVG: no script, no font and no picture from elsewhere, light and dark by what the
//! reader prefers, told apart by shape and by words as well as by colour.
//!
//! It may stand inside an HTML page: all of its styles begin with its own class, and all of its ids with its own prefix.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::layout::{Layout, Place, Point, Size, layout};
use super::{Graph, Mark, Node};
use crate::fleet::Strength;
use crate::render::escape::xml;
use crate::render::style::Style;

/// The most nodes and edges of a picture: beyond, nobody can read it, and viewers become slow.
const MOST_NODES: usize = 400;
const MOST_EDGES: usize = 2_000;

/// The width of a column of text, in parts of the size of its font: that of the widest of the usual fonts with fixed
/// widths. Text that a viewer would draw wider still is pressed together.
const COLUMN: f64 = 0.61;
const NAME_FONT: f64 = 13.0;
const LINE_FONT: f64 = 11.5;
const LINE_HEIGHT: f64 = 16.0;
/// What is cut off a corner, and so what text must leave free at the sides.
const CUT: f64 = 10.0;
const ICON: f64 = 12.0;
const MARGIN: f64 = 20.0;
/// A picture that is narrower than this gains nothing by it.
const BREADTH: f64 = 900.0;

/// The picture. An arrow leads from an entry to what it needs, which stands left of it. What is more than can be read is
/// left out, and that is said.
#[must_use]
pub fn svg(graph: &Graph) -> String {
    let shortened;
    let graph = if graph.nodes.len() > MOST_NODES || graph.edges.len() > MOST_EDGES {
        shortened = graph.clone().shortened(MOST_NODES, MOST_EDGES);
        &shortened
    } else {
        graph
    };
    let lines: Vec<Vec<String>> = graph.nodes.iter().map(Node::lines).collect();
    let sizes: Vec<Size> = lines.iter().map(|lines| size_of(lines)).collect();
    let edges: Vec<(usize, usize)> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let layout = layout(&sizes, &edges, BREADTH);
    let width = layout.size.width.max(BREADTH);
    let head = Head::of(graph, width);
    let legend = Legend::of(graph, width);
    let top = MARGIN + head.height;
    let below = top + layout.size.height + MARGIN;
    let (width, height) = (width + 2.0 * MARGIN, below + legend.height + MARGIN);

    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"powerform-graph\" role=\"img\" \
         aria-labelledby=\"powerform-graph-title powerform-graph-description\" width=\"{width:.0}\" \
         height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">"
    );
    let _ = writeln!(
        text,
        "<title id=\"powerform-graph-title\">The dependencies of {}</title>",
        xml(&graph.stack)
    );
    let _ = writeln!(
        text,
        "<desc id=\"powerform-graph-description\">{} An arrow leads from an entry to what it needs, which stands left of \
         it.</desc>",
        xml(&graph.summary.join(" "))
    );
    let _ = writeln!(text, "<style>{}</style>", styles());
    text.push_str(
        "<defs><marker id=\"powerform-graph-tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path class=\"tip\" d=\"M0,0.5L7.5,4L0,7.5Z\"/></marker></defs>\n",
    );
    let _ = writeln!(text, "<rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>");
    text.push_str(&head.text);
    let _ = writeln!(text, "<g transform=\"translate({MARGIN:.0} {top:.0})\">");
    draw_lines(&mut text, graph, &layout);
    for ((node, lines), place) in graph.nodes.iter().zip(&lines).zip(&layout.places) {
        draw_node(&mut text, node, lines, place);
    }
    let _ = writeln!(text, "</g>\n<g transform=\"translate({MARGIN:.0} {below:.0})\">");
    text.push_str(&legend.text);
    text.push_str("</g>\n</svg>\n");
    text
}

/// How much room a text takes.
fn width_of(text: &str, font: f64) -> f64 {
    let columns = u32::try_from(text.width()).unwrap_or(u32::MAX);
    f64::from(columns) * font * COLUMN
}

fn font_of(line: usize) -> f64 {
    if line == 0 { NAME_FONT } else { LINE_FONT }
}

fn size_of(lines: &[String]) -> Size {
    let widest = lines.iter().enumerate().map(|(at, line)| width_of(line, font_of(at))).fold(0.0, f64::max);
    let rows = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    Size {
        width: (widest + ICON + 8.0 + 4.0 * CUT).max(110.0).ceil(),
        height: f64::from(rows) * LINE_HEIGHT + 18.0,
    }
}

fn draw_lines(text: &mut String, graph: &Graph, layout: &Layout) {
    for (edge, line) in graph.edges.iter().zip(&layout.lines) {
        let mut line = line.clone();
        if let [first, .., last] = line.as_mut_slice() {
            first.x += slant(graph.nodes[edge.from].mark());
            last.x -= slant(graph.nodes[edge.to].mark());
        }
        let line = &line;
        let kind = match edge.strength {
            Strength::Hard => "hard",
            Strength::Soft => "soft",
        };
        let _ = writeln!(
            text,
            "<path class=\"{kind}\" d=\"{}\" marker-end=\"url(#powerform-graph-tip)\"/>",
            curve(line)
        );
    }
}

/// How far the side of an outline is from that of its box, half way down, where lines begin and end.
fn slant(mark: Mark) -> f64 {
    match mark {
        Mark::Start | Mark::Stop => 0.75 * CUT,
        Mark::Blocked | Mark::Wait | Mark::Release | Mark::InSync | Mark::Any | Mark::NotLookedAt => 0.0,
    }
}

/// A line that leaves and arrives level, and is level between the points of a pair.
fn curve(line: &[Point]) -> String {
    let Some((first, rest)) = line.split_first() else { return String::new() };
    let mut path = format!("M{:.1},{:.1}", first.x, first.y);
    let mut from = *first;
    for (position, to) in rest.iter().enumerate() {
        if position.is_multiple_of(2) {
            // Room for the tip, which is drawn level.
            let middle = f64::midpoint(from.x, to.x);
            let _ =
                write!(path, "C{middle:.1},{:.1} {middle:.1},{:.1} {:.1},{:.1}", from.y, to.y, to.x, to.y);
        } else {
            let _ = write!(path, "H{:.1}", to.x);
        }
        from = *to;
    }
    path
}

fn draw_node(text: &mut String, node: &Node, lines: &[String], place: &Place) {
    let mark = node.mark();
    let _ = write!(
        text,
        "<g class=\"{}\"><title>{}</title><path d=\"{}\"/>",
        mark.class(),
        xml(&node.description()),
        outline(mark, place)
    );
    let (left, top) = (place.x + 2.0 * CUT, place.y + 9.0);
    draw_icon(text, mark, left, top + LINE_HEIGHT / 2.0);
    let left = left + ICON + 8.0;
    let mut baseline = top + 12.5;
    for (at, line) in lines.iter().enumerate() {
        let class = if at == 0 { "name" } else { "line" };
        draw_text(text, class, left, baseline, line, font_of(at));
        baseline += LINE_HEIGHT;
    }
    text.push_str("</g>\n");
}

/// One line of text. Where a viewer's font may be wider than is reckoned, which is so beyond the plain letters, the text
/// is told how wide it may be.
fn draw_text(text: &mut String, class: &str, x: f64, y: f64, line: &str, font: f64) {
    let length = if line.is_ascii() {
        String::new()
    } else {
        format!(" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\"", width_of(line, font))
    };
    let _ = write!(text, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\"{length}>{}</text>", xml(line));
}

/// The outline of a box: its shape tells the mark.
fn outline(mark: Mark, place: &Place) -> String {
    let Place { x, y, width, height } = *place;
    let (right, bottom) = (x + width, y + height);
    let polygon = |points: &[(f64, f64)]| {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        format!("M{}Z", points.join("L"))
    };
    match mark {
        // All corners cut off, as on a stop sign.
        Mark::Blocked => polygon(&[
            (x + CUT, y),
            (right - CUT, y),
            (right, y + CUT),
            (right, bottom - CUT),
            (right - CUT, bottom),
            (x + CUT, bottom),
            (x, bottom - CUT),
            (x, y + CUT),
        ]),
        // Narrower at the top: it goes up. The other way round: it goes down.
        Mark::Start => polygon(&[(x + 1.5 * CUT, y), (right - 1.5 * CUT, y), (right, bottom), (x, bottom)]),
        Mark::Stop => polygon(&[(x, y), (right, y), (right - 1.5 * CUT, bottom), (x + 1.5 * CUT, bottom)]),
        Mark::Wait => {
            let middle = f64::midpoint(y, bottom);
            polygon(&[
                (x + CUT, y),
                (right - CUT, y),
                (right, middle),
                (right - CUT, bottom),
                (x + CUT, bottom),
                (x, middle),
            ])
        }
        Mark::Release | Mark::NotLookedAt => polygon(&[(x, y), (right, y), (right, bottom), (x, bottom)]),
        Mark::InSync | Mark::Any => format!(
            "M{:.1},{y:.1}H{:.1}A{CUT:.0},{CUT:.0} 0 0 1 {right:.1},{:.1}V{:.1}A{CUT:.0},{CUT:.0} 0 0 1 {:.1},{bottom:.1}\
             H{:.1}A{CUT:.0},{CUT:.0} 0 0 1 {x:.1},{:.1}V{:.1}A{CUT:.0},{CUT:.0} 0 0 1 {:.1},{y:.1}Z",
            x + CUT,
            right - CUT,
            y + CUT,
            bottom - CUT,
            right - CUT,
            x + CUT,
            bottom - CUT,
            y + CUT,
            x + CUT
        ),
    }
}

/// A small sign before the name, with its left end at `x` and its middle at `y`.
fn draw_icon(text: &mut String, mark: Mark, x: f64, y: f64) {
    let path = match mark {
        Mark::Blocked => "M2,2L10,10M10,2L2,10",
        Mark::Start => "M6,1L11.5,11H0.5Z",
        Mark::Stop => "M0.5,1H11.5L6,11Z",
        Mark::Wait => "M2,1H10L2,11H10Z",
        Mark::Release => "M1,6H10M7,3L10,6L7,9",
        Mark::InSync => "M1,6.5L4.5,10L11,2",
        Mark::Any => "M6,1.5A4.5,4.5 0 1 0 6,10.5A4.5,4.5 0 1 0 6,1.5Z",
        Mark::NotLookedAt => "M1,6H11",
    };
    let _ = write!(
        text,
        "<path class=\"sign\" transform=\"translate({x:.1} {:.1})\" d=\"{path}\"/>",
        y - ICON / 2.0
    );
}

/// The title and the summary over the picture.
struct Head {
    text: String,
    height: f64,
}

impl Head {
    fn of(graph: &Graph, width: f64) -> Self {
        let mut text = String::new();
        let mut baseline = MARGIN + 14.0;
        draw_text(&mut text, "head", MARGIN, baseline, &graph.stack, 16.0);
        text.push('\n');
        for sentence in &graph.summary {
            for line in wrapped(sentence, width) {
                baseline += 17.0;
                draw_text(&mut text, "line", MARGIN, baseline, &line, LINE_FONT);
                text.push('\n');
            }
        }
        Self { text, height: baseline - MARGIN + 22.0 }
    }
}

/// The lines of a sentence that is no wider than the picture.
fn wrapped(sentence: &str, width: f64) -> Vec<String> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a width is small and positive"
    )]
    let columns = (width / (LINE_FONT * COLUMN)) as usize;
    Style::plain()
        .within(Some(columns))
        .lines(sentence, 0)
        .into_iter()
        .map(|line| line.into_owned())
        .collect()
}

/// What the shapes and the lines of this picture mean.
struct Legend {
    text: String,
    height: f64,
}

impl Legend {
    fn of(graph: &Graph, width: f64) -> Self {
        let mut legend = Self { text: String::new(), height: 0.0 };
        let (mut x, mut y) = (0.0, 0.0);
        let mut place = |needed: f64| {
            if x > 0.0 && x + needed > width {
                (x, y) = (0.0, y + 30.0);
            }
            let at = (x, y);
            x += needed;
            at
        };
        for mark in graph.marks() {
            let words = meaning(mark);
            let (x, y) = place(44.0 + 8.0 + width_of(words, LINE_FONT) + 20.0);
            let sample = Place { x, y, width: 44.0, height: 22.0 };
            let _ =
                write!(legend.text, "<g class=\"{}\"><path d=\"{}\"/>", mark.class(), outline(mark, &sample));
            draw_icon(&mut legend.text, mark, x + 16.0, y + 11.0);
            draw_text(&mut legend.text, "line", x + 52.0, y + 15.0, words, LINE_FONT);
            legend.text.push_str("</g>\n");
        }
        for (strength, class, words) in
            [(Strength::Hard, "hard", "needs"), (Strength::Soft, "soft", "only comes after")]
        {
            if graph.has(strength) {
                let (x, y) = place(44.0 + 8.0 + width_of(words, LINE_FONT) + 20.0);
                let _ = write!(
                    legend.text,
                    "<path class=\"{class}\" d=\"M{:.1},{:.1}H{x:.1}\" marker-end=\"url(#powerform-graph-tip)\"/>",
                    x + 44.0,
                    y + 11.0
                );
                draw_text(&mut legend.text, "line", x + 52.0, y + 15.0, words, LINE_FONT);
                legend.text.push('\n');
            }
        }
        legend.height = y + 26.0;
        legend
    }
}

/// What a shape says of an entry: the most urgent thing that holds for one of its instances.
fn meaning(mark: Mark) -> &'static str {
    match mark {
        Mark::Blocked => "blocked",
        Mark::Stop => "will be stopped",
        Mark::Start => "will be started",
        Mark::Wait => "on its way",
        Mark::Release => "leaves the record",
        Mark::InSync => "as wanted",
        Mark::Any => "only looked at",
        Mark::NotLookedAt => "not looked at",
    }
}

fn styles() -> String {
    let mut text = String::from(
        ".powerform-graph{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"Liberation Mono\",\"DejaVu Sans \
         Mono\",monospace;max-width:none}",
    );
    let _ = write!(
        text,
        ".powerform-graph .head{{font-size:16px;font-weight:bold}}\
         .powerform-graph .name{{font-size:{NAME_FONT}px;font-weight:bold}}\
         .powerform-graph .line{{font-size:{LINE_FONT}px}}\
         .powerform-graph g>path{{stroke-width:1.5}}\
         .powerform-graph .blocked>path{{stroke-width:2.5}}\
         .powerform-graph .any>path,.powerform-graph .release>path{{stroke-dasharray:6 4}}\
         .powerform-graph g>path.sign{{stroke-dasharray:none;stroke-width:2;stroke-linejoin:round}}\
         .powerform-graph g>path.hard,.powerform-graph g>path.soft{{fill:none;stroke-width:1.4}}\
         .powerform-graph g>path.soft{{stroke-dasharray:5 4}}"
    );
    let palette = |text: &mut String, which: usize, ink: &str, paper: &str, edge: &str| {
        let _ = write!(
            text,
            ".powerform-graph .paper{{fill:{paper}}}.powerform-graph text{{fill:{ink}}}\
             .powerform-graph .hard,.powerform-graph .soft{{stroke:{edge}}}.powerform-graph .tip{{fill:{edge}}}"
        );
        for mark in Mark::ALL {
            let (inside, line) = mark.colours()[which];
            let class = mark.class();
            let _ = write!(text, ".powerform-graph .{class}>path{{fill:{inside};stroke:{line}}}");
            let fill = if matches!(mark, Mark::Start | Mark::Stop | Mark::Wait) { line } else { "none" };
            let _ = write!(text, ".powerform-graph .{class}>path.sign{{fill:{fill}}}");
        }
    };
    palette(&mut text, 0, "#1f2328", "#ffffff", "#6e7781");
    text.push_str("@media (prefers-color-scheme:dark){");
    palette(&mut text, 1, "#f0f6fc", "#0d1117", "#8b949e");
    text.push('}');
    text
}
