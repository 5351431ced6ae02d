//! What is wrong, where, and what to do about it.
//!
//! While reading, [`Finding`]s are collected with bare byte offsets; at the end they become [`Problem`]s, sorted, with
//! lines and columns worked out once. Nothing here makes text for a screen.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::lines::Lines;
use super::replacement::{self, What};
use super::source::Source;

/// How many problems are kept. More are counted, but a file with so many is not mended from a list.
const MOST_KEPT: usize = 10_000;

/// How much of a text is looked through for variables that explain it, in bytes.
const LONGEST_EXPLAINED: usize = 4096;

/// How many variables explain one problem.
const MOST_EXPLAINED: usize = 3;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but probably does not do what was meant.
    Warning,
}

/// A stretch of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The source, as an index into what was read.
    pub source: usize,
    /// Its bytes.
    pub span: Range<usize>,
    /// The line of its first byte, from 1.
    pub line: usize,
    /// The column of its first byte, in characters, from 1. A byte order mark has no column.
    pub column: usize,
}

/// Another place that has to do with a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub place: Place,
    /// What is there.
    pub label: String,
}

/// One thing that is wrong or odd. Its texts may hold anything that the source holds, except that quotations are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What it is, in one line.
    pub message: String,
    /// What to write at the place itself. May be empty.
    pub label: String,
    /// Other places that have to do with it.
    pub related: Vec<Related>,
    /// Rules that explain it.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

/// Problems, sorted by place.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {errors} error(s)")]
pub struct Problems {
    list: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

impl Problems {
    /// The problems by place: all of them, or the first ten thousand found.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// How many errors there are, kept or not.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings there are, kept or not.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.warnings
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A stretch of bytes, small because there is one for every node of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// Offsets past 4 GiB, which no readable source has, become the last ones.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let small = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: small(start), end: small(end).max(small(start)) }
    }

    pub(super) fn moved(self, offset: u32) -> Self {
        Self { start: self.start.saturating_add(offset), end: self.end.saturating_add(offset) }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Where a node stands: where it is used, and where it is written if it came through an alias or a merge key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) source: u32,
    pub(super) used: Span,
    pub(super) written: Span,
}

impl At {
    pub(super) fn here(source: usize, span: Span) -> Self {
        Self { source: u32::try_from(source).unwrap_or(u32::MAX), used: span, written: span }
    }
}

/// A problem in the making.
#[derive(Debug)]
pub(super) struct Finding {
    severity: Severity,
    at: At,
    message: String,
    label: String,
    related: Vec<(At, String)>,
    notes: Vec<String>,
    help: Option<String>,
}

impl Finding {
    pub(super) fn error(at: At, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            at,
            message: message.into(),
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    pub(super) fn warning(at: At, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, message) }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn related(mut self, at: At, label: impl Into<String>) -> Self {
        self.related.push((at, label.into()));
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        if help.is_some() {
            self.help = help;
        }
        self
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    errors_dropped: usize,
    warnings_dropped: usize,
    /// Values that could not be filled in. That is reported, and nothing else is said of them.
    unfilled: HashSet<(u32, Span)>,
    /// The variables that have a value: what it is, in quotes, and where it is given.
    filled: HashMap<String, (String, At)>,
}

impl Findings {
    /// What is found at the place from here on only follows from what has been reported.
    pub(super) fn give_up(&mut self, at: At) {
        self.unfilled.insert((at.source, at.written));
    }

    /// Problems with a text that a variable has a part in are to say what the variable is.
    pub(super) fn explain_variable(&mut self, name: &str, value: &str, given: At) {
        self.filled.insert(name.to_owned(), (quoted(value), given));
    }

    /// Whether nothing has been found.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether what is added is only counted from here on, so that its words are not worth much work.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MOST_KEPT
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.unfilled.contains(&(finding.at.source, finding.at.written)) {
            return;
        }
        if !self.is_full() {
            self.list.push(finding);
            return;
        }
        match finding.severity {
            Severity::Error => self.errors_dropped += 1,
            Severity::Warning => self.warnings_dropped += 1,
        }
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.add(finding);
        }
    }

    /// Works out lines and columns and sorts by place. What is written once and used through many aliases is one
    /// problem, at its first place.
    pub(super) fn into_problems(mut self, sources: &[Source]) -> Problems {
        self.list.sort_by(|a, b| {
            (a.at.source, a.at.used, a.at.written, &a.message).cmp(&(
                b.at.source,
                b.at.used,
                b.at.written,
                &b.message,
            ))
        });
        let mut seen = HashSet::new();
        self.list
            .retain(|finding| seen.insert((finding.at.source, finding.at.written, finding.message.clone())));
        let count = |severity| self.list.iter().filter(|finding| finding.severity == severity).count();
        let errors = count(Severity::Error) + self.errors_dropped;
        let warnings = count(Severity::Warning) + self.warnings_dropped;
        let places = Places::new(sources);
        if !self.filled.is_empty() {
            self.list.iter_mut().for_each(|finding| explain_variables(finding, &self.filled, sources));
        }
        let list = self.list.into_iter().map(|finding| places.problem(finding)).collect();
        Problems { list, errors, warnings }
    }
}

/// Says of the variables in the text that a finding is about what they are.
fn explain_variables(finding: &mut Finding, filled: &HashMap<String, (String, At)>, sources: &[Source]) {
    let text = sources
        .get(finding.at.source as usize)
        .and_then(|source| source.text.get(finding.at.written.range()))
        .and_then(|bytes| bytes.get(..bytes.len().min(LONGEST_EXPLAINED)));
    let text = String::from_utf8_lossy(text.unwrap_or_default());
    let mut told: Vec<&str> = Vec::new();
    for piece in replacement::pieces(&text) {
        let What::Reference(inside) = piece.what else { continue };
        let Some((name, (value, given))) =
            replacement::variable(inside).and_then(|name| filled.get_key_value(name))
        else {
            continue;
        };
        if told.len() < MOST_EXPLAINED && !told.contains(&name.as_str()) {
            told.push(name);
            finding.notes.push(format!("`${{var.{name}}}` is {value} here"));
            finding.related.push((*given, "this is the value".to_owned()));
        }
    }
}

/// Turns offsets into places; walks the text of a source when the first question about it comes.
struct Places<'s> {
    lines: Vec<(&'s Source, OnceCell<Lines<'s>>)>,
}

impl<'s> Places<'s> {
    fn new(sources: &'s [Source]) -> Self {
        Self { lines: sources.iter().map(|source| (source, OnceCell::new())).collect() }
    }

    fn place(&self, source: u32, span: Span) -> Place {
        let source = source as usize;
        let range = span.range();
        let (line, column) = match self.lines.get(source) {
            Some((text, lines)) => lines.get_or_init(|| Lines::new(&text.text)).position(range.start),
            None => (1, 1),
        };
        Place { source, span: range, line, column }
    }

    fn problem(&self, finding: Finding) -> Problem {
        let Finding { severity, at, message, label, related, notes, help } = finding;
        let mut related: Vec<Related> = related
            .into_iter()
            .map(|(at, label)| Related { place: self.place(at.source, at.used), label })
            .collect();
        let written = self.place(at.source, at.written);
        if at.written != at.used && related.iter().all(|known| known.place != written) {
            related.push(Related { place: written, label: "written here".to_owned() });
        }
        Problem { severity, place: self.place(at.source, at.used), message, label, related, notes, help }
    }
}

/// A quotation from a source for use in a message: in quotes, and cut if it is long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        None => format!("\"{text}\""),
        Some((end, _)) => format!("\"{}...\"", text.get(..end).unwrap_or_default()),
    }
}
