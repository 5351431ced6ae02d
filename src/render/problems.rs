//! Problems of a configuration as people read them: what, where, the line with a caret, and what to do.
//!
//! The look is rustc's. It is drawn here and not by a library, because the place that is printed is that in the file,
//! while the line below it is cut to the screen and has its control characters spelt out: columns of one are not
//! columns of the other.

mod excerpt;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::visible::visible;
use crate::config::{Place, Problem, Problems, Severity, Source};
use excerpt::Excerpt;

/// How many problems are shown. Whoever has more begins at the top.
const MOST_SHOWN: usize = 100;

/// The narrowest screen that is drawn for, in columns.
const NARROWEST: usize = 40;

/// Shows the problems by place, and ends with a line that counts them. Empty if there is none.
///
/// `sources` are those that were read, `width` is that of the screen in columns. Source lines that are longer are cut
/// to what stands around the place; messages are not cut, the screen wraps them. Nothing from the sources reaches the
/// screen as a control character.
#[must_use]
pub fn problems(sources: &[Source], problems: &Problems, colour: bool, width: usize) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let colours = if colour { Colours::some() } else { Colours::none() };
    let mut out = String::new();
    for problem in problems.iter().take(MOST_SHOWN) {
        let places =
            || std::iter::once(&problem.place).chain(problem.related.iter().map(|related| &related.place));
        let gutter = places().map(|place| place.line.to_string().len()).max().unwrap_or(1);
        Drawing { out: &mut out, sources, colours: &colours, gutter, width: width.max(NARROWEST) }
            .problem(problem);
        out.push('\n');
    }
    let more =
        (problems.errors() + problems.warnings()).saturating_sub(MOST_SHOWN.min(problems.iter().len()));
    if more > 0 {
        out.push_str(&format!("... and {}\n\n", counted(more, "more problem")));
    }
    out.push_str(&summary(sources, problems));
    out.push('\n');
    out
}

/// `powerform.yaml: 3 errors, 1 warning`.
fn summary(sources: &[Source], problems: &Problems) -> String {
    let mut counts = Vec::new();
    if problems.errors() > 0 {
        counts.push(counted(problems.errors(), "error"));
    }
    if problems.warnings() > 0 {
        counts.push(counted(problems.warnings(), "warning"));
    }
    let counts = counts.join(", ");
    let mut files: Vec<usize> = problems.iter().map(|problem| problem.place.source).collect();
    files.dedup();
    match files.as_slice() {
        [only] => match sources.get(*only) {
            Some(source) => format!("{}: {counts}", visible(&source.name)),
            None => counts,
        },
        several => format!("{counts} in {} files", several.len()),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("{count} {what}") } else { format!("{count} {what}s") }
}

struct Colours {
    error: Style,
    warning: Style,
    message: Style,
    frame: Style,
}

impl Colours {
    fn none() -> Self {
        let plain = Style::new();
        Self { error: plain, warning: plain, message: plain, frame: plain }
    }

    fn some() -> Self {
        let bright = |colour: AnsiColor| colour.on_default().bold();
        Self {
            error: bright(AnsiColor::BrightRed),
            warning: bright(AnsiColor::Yellow),
            message: Style::new().bold(),
            frame: bright(AnsiColor::BrightBlue),
        }
    }
}

/// One problem being drawn.
struct Drawing<'d> {
    out: &'d mut String,
    sources: &'d [Source],
    colours: &'d Colours,
    /// How many columns the line numbers take.
    gutter: usize,
    width: usize,
}

impl Drawing<'_> {
    fn problem(mut self, problem: &Problem) {
        let Problem { severity, place, message, label, related, notes, help } = problem;
        let (word, style) = match severity {
            Severity::Error => ("error", self.colours.error),
            Severity::Warning => ("warning", self.colours.warning),
        };
        self.put(style, word);
        self.put(self.colours.message, &format!(": {}", visible(message)));
        self.out.push('\n');
        self.place("-->", place, '^', style, label);
        for related in related {
            self.bar();
            self.out.push('\n');
            self.place(":::", &related.place, '-', self.colours.frame, &related.label);
        }
        if !notes.is_empty() || help.is_some() {
            self.bar();
            self.out.push('\n');
        }
        let notes = notes.iter().map(|note| ("note", note));
        for (word, text) in notes.chain(help.iter().map(|help| ("help", help))) {
            self.margin("");
            self.put(self.colours.frame, "= ");
            self.put(self.colours.message, word);
            self.out.push_str(&format!(": {}\n", visible(text)));
        }
    }

    /// A place, its line, and a mark under what is meant.
    fn place(&mut self, arrow: &str, place: &Place, mark: char, style: Style, label: &str) {
        let source = self.sources.get(place.source);
        let name = source.map_or("(no file)", |source| &source.name);
        self.out.push_str(&" ".repeat(self.gutter));
        self.put(self.colours.frame, arrow);
        self.out.push_str(&format!(" {}:{}:{}\n", visible(name), place.line, place.column));
        let Some(source) = source else { return };

        let room = self.width.saturating_sub(self.gutter + " | ".len());
        let Excerpt { line, span } = excerpt::around(&source.text, &place.span, room);
        self.bar();
        self.out.push('\n');
        self.margin(&place.line.to_string());
        self.put(self.colours.frame, "|");
        if !line.is_empty() {
            self.out.push(' ');
            self.out.push_str(&line);
        }
        self.out.push('\n');
        self.bar();
        let before = line.get(..span.start).unwrap_or_default().width();
        let meant = line.get(span).unwrap_or_default().width().max(1);
        self.out.push_str(&" ".repeat(before + 1));
        let mut marks = mark.to_string().repeat(meant);
        if !label.is_empty() {
            marks.push(' ');
            marks.push_str(&visible(label));
        }
        self.put(style, &marks);
        self.out.push('\n');
    }

    /// The bar between the line numbers and the lines.
    fn bar(&mut self) {
        self.margin("");
        self.put(self.colours.frame, "|");
    }

    fn margin(&mut self, number: &str) {
        let gutter = self.gutter;
        self.put(self.colours.frame, &format!("{number:>gutter$} "));
    }

    fn put(&mut self, style: Style, text: &str) {
        self.out.push_str(&format!("{style}{text}{style:#}"));
    }
}

#[cfg(test)]
mod tests;
