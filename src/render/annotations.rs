//! Problems of a configuration as the annotations of code reviews: GitHub's workflow commands, and GitLab's report of
//! code quality.
//!
//! Both are read by machines that obey what they read, so everything from a file is escaped as each of them asks for.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::json::v1::{Diagnostic, Severity};
use super::visible::visible;
use super::words::message;

/// Workflow commands for GitHub Actions, a line for each problem.
#[must_use]
pub fn github(diagnostics: &[Diagnostic]) -> String {
    let mut lines = String::new();
    for Diagnostic { severity, summary, detail, range, .. } in diagnostics {
        let command = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut properties = Vec::new();
        if let Some(range) = range {
            let (start, end) = (range.start, range.end);
            properties.push(format!("file={}", property(&range.filename)));
            properties.push(format!("line={},endLine={}", start.line, end.line));
            // GitHub takes columns only where all is on one line.
            if start.line == end.line {
                properties.push(format!("col={},endColumn={}", start.column, end.column));
            }
        }
        properties.push(format!("title={}", property(&message(summary))));
        let message = message(if detail.is_empty() { summary } else { detail });
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "::{command} {}::{}", properties.join(","), data(&message));
    }
    lines
}

/// Escapes what follows the second `::`: by the rules of the runner, `%` and line breaks.
fn data(text: &str) -> String {
    visible(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property, in which the signs between properties are signs, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A report of code quality for GitLab: one JSON document, an empty list if all is well.
#[must_use]
pub fn gitlab(diagnostics: &[Diagnostic]) -> String {
    let issues: Vec<Issue> = diagnostics.iter().map(Issue::of).collect();
    // Text and numbers always have a JSON form.
    serde_json::to_string(&issues).unwrap_or_default() + "\n"
}

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: &'static str,
    /// The same as long as the problem and its file are: GitLab tells by it what is new in a merge request.
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

impl Issue {
    fn of(diagnostic: &Diagnostic) -> Self {
        let Diagnostic { severity, summary, detail, range, snippet, .. } = diagnostic;
        let path = range.as_ref().map_or("", |range| &range.filename);
        let code = snippet.as_ref().map_or("", |snippet| snippet.code.trim());
        let mut digest = Sha256::new();
        for part in [path, summary, code] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let description = if detail.is_empty() { summary.clone() } else { format!("{summary}. {detail}") };
        Self {
            description: message(&description).into_owned(),
            check_name: "powerform validate",
            fingerprint: digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            severity: match severity {
                Severity::Error => "critical",
                Severity::Warning => "minor",
            },
            location: Location {
                path: path.to_owned(),
                lines: Lines {
                    begin: range.as_ref().map_or(1, |range| range.start.line),
                    end: range.as_ref().map_or(1, |range| range.end.line),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Source};
    use crate::render::fixtures::hostile;
    use crate::render::json::v1::diagnostics;

    fn problems(name: &str, text: &str) -> Vec<Diagnostic> {
        let sources = [Source { name: name.to_owned(), text: text.as_bytes().to_vec() }];
        let problems = match config::read(&sources) {
            Ok(configuration) => configuration.warnings,
            Err(problems) => problems,
        };
        diagnostics(&sources, &problems)
    }

    const MISTAKEN: &str = "stack: s\ninstances:\n  db: { id: i-db, status: Runing }\n";

    #[test]
    fn github_is_told_file_line_and_columns_in_one_line_for_each_problem() {
        assert_eq!(
            github(&problems("fleet/a,b.yaml", MISTAKEN)),
            "::error file=fleet/a%2Cb.yaml,line=3,endLine=3,col=27,endColumn=33,title=`status` must be Running%2C \
             Stopped or Any%2C and this is \"Runing\"::expected Running, Stopped or Any. did you mean `Running`?\n"
        );
        assert_eq!(github(&[]), "");
    }

    #[test]
    fn gitlab_gets_a_list_whose_fingerprints_outlive_lines_that_are_added_above() {
        let report = |text: &str| -> serde_json::Value {
            serde_json::from_str(&gitlab(&problems("powerform.yaml", text))).expect("a document")
        };
        let first = report(MISTAKEN);
        assert_eq!(first[0]["location"]["path"], "powerform.yaml");
        assert_eq!(first[0]["location"]["lines"]["begin"], 3);
        assert_eq!(first[0]["severity"], "critical");
        let moved = report(&format!("# one\n# two\n{MISTAKEN}"));
        assert_eq!(moved[0]["location"]["lines"]["begin"], 5);
        assert_eq!(moved[0]["fingerprint"], first[0]["fingerprint"]);
        let other = report(&MISTAKEN.replace("Runing", "Runningg"));
        assert_ne!(other[0]["fingerprint"], first[0]["fingerprint"]);
        assert_eq!(report("stack: s\ninstances: {}\n"), serde_json::json!([]));
    }

    #[test]
    fn text_from_a_file_begins_no_command_of_its_own() {
        let hostile = format!("::stop-commands::x\n::error::{}", hostile());
        let diagnostic = Diagnostic::new(Severity::Warning, hostile.clone(), hostile.clone());
        let text = github(&[diagnostic.clone(), diagnostic.clone()]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.starts_with("::warning title=%3A%3Astop-commands")), "{text}");
        crate::render::fixtures::assert_harmless(&text);
        let report: serde_json::Value = serde_json::from_str(&gitlab(&[diagnostic])).expect("a document");
        assert!(!report[0]["description"].as_str().expect("text").contains('\u{1b}'));
    }
}
