//! Problems in the shape that Terraform gives its diagnostics.

use jiff::Timestamp;
use serde::Serialize;

use super::{FORMAT_VERSION, Level, line, text};
use crate::render::words;

/// The columns that the message of a line may take: the differences of a stale plan fit.
const LONGEST_MESSAGE: usize = 1_500;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub summary: String,
    /// More about it and what to do, possibly empty.
    pub detail: String,
    /// Whom it concerns, where it concerns one instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where in a file it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// The source at that place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
}

impl Diagnostic {
    /// A problem without a place.
    #[must_use]
    pub fn new(severity: Severity, summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity,
            summary: summary.into(),
            detail: detail.into(),
            address: None,
            range: None,
            snippet: None,
        }
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot go on like this.
    Error,
    /// It can.
    Warning,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The file, as it was named.
    pub filename: String,
    /// The first character.
    pub start: Position,
    /// The position after the last character.
    pub end: Position,
}

/// A position in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The offset in bytes, from 0.
    pub byte: usize,
}

/// The source at the place of a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// What the place belongs to, for example the entry.
    pub context: Option<String>,
    /// The lines of source.
    pub code: String,
    /// The number of the first of these lines, from 1.
    pub start_line: usize,
    /// Where in `code` the trouble begins, in bytes.
    pub highlight_start_offset: usize,
    /// Where in `code` it ends, in bytes.
    pub highlight_end_offset: usize,
}

/// The `diagnostic` line of a problem.
#[must_use]
pub fn diagnostic(now: Timestamp, diagnostic: &Diagnostic) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        diagnostic: &'a Diagnostic,
    }
    let (level, word) = match diagnostic.severity {
        Severity::Error => (Level::Error, "Error"),
        Severity::Warning => (Level::Warn, "Warning"),
    };
    // The summary is exact; what log viewers show of the line is harmless, as in every other line.
    let message = format!("{word}: {}", words::short(&diagnostic.summary, LONGEST_MESSAGE));
    line(now, level, "diagnostic", &message, Body { diagnostic })
}

/// The document of `validate --json`. Valid is what has no error; warnings are allowed.
#[must_use]
pub fn validation(diagnostics: &[Diagnostic]) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        format_version: &'static str,
        valid: bool,
        error_count: usize,
        warning_count: usize,
        diagnostics: &'a [Diagnostic],
    }
    let error_count = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    text(&Document {
        format_version: FORMAT_VERSION,
        valid: error_count == 0,
        error_count,
        warning_count: diagnostics.len() - error_count,
        diagnostics,
    })
}
