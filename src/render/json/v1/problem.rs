//! Problems of a configuration as diagnostics.

use super::diagnostic::{Diagnostic, Position, Range, Severity, Snippet};
use crate::config::{Place, Problem, Problems, Severity as Badness, Source};
use crate::render::login::login;

/// A line longer than this is not quoted: it is no line that a person wrote.
const LONGEST_QUOTED: usize = 1000;

/// The problems of these sources, by place.
#[must_use]
pub fn diagnostics(sources: &[Source], problems: &Problems) -> Vec<Diagnostic> {
    problems.iter().map(|problem| diagnostic(sources, problem)).collect()
}

fn diagnostic(sources: &[Source], problem: &Problem) -> Diagnostic {
    let severity = match problem.severity {
        Badness::Error => Severity::Error,
        Badness::Warning => Severity::Warning,
    };
    let mut detail: Vec<&str> = Vec::new();
    if !problem.label.is_empty() {
        detail.push(&problem.label);
    }
    detail.extend(problem.notes.iter().map(String::as_str));
    detail.extend(problem.help.as_deref());
    let source = sources.get(problem.place.source);
    Diagnostic {
        range: source.map(|source| range(source, &problem.place)),
        snippet: source.and_then(|source| snippet(source, &problem.place)),
        ..Diagnostic::new(severity, problem.message.clone(), detail.join(". "))
    }
}

fn range(source: &Source, place: &Place) -> Range {
    let start = Position { line: place.line, column: place.column, byte: place.span.start };
    let text = source.text.get(place.span.clone()).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let (line, column) = match text.rsplit_once('\n') {
        None => (place.line, place.column + text.chars().count()),
        Some((before, last)) => (place.line + before.matches('\n').count() + 1, last.chars().count() + 1),
    };
    Range { filename: source.name.clone(), start, end: Position { line, column, byte: place.span.end } }
}

/// The line on which the problem begins, without the login of a URL in it.
fn snippet(source: &Source, place: &Place) -> Option<Snippet> {
    let before = source.text.get(..place.span.start)?;
    let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = &source.text[begin..];
    let end = rest.iter().take(LONGEST_QUOTED + 1).position(|byte| *byte == b'\n').unwrap_or(rest.len());
    if end > LONGEST_QUOTED {
        return None;
    }
    let mut code = rest[..end].to_vec();
    if let Some(login) = login(&code) {
        code[login].fill(b'*');
    }
    let code = String::from_utf8(code).ok()?.trim_end_matches('\r').to_owned();
    let highlight_start_offset = (place.span.start - begin).min(code.len());
    let highlight_end_offset = (place.span.end - begin).clamp(highlight_start_offset, code.len());
    Some(Snippet {
        context: None,
        code,
        start_line: place.line,
        highlight_start_offset,
        highlight_end_offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_password_in_an_endpoint_is_in_no_diagnostic() {
        for endpoint in ["https://u:PASSW0RD@host", "u:PASSW0RD@host", "ftp://PASSW0RD@host/"] {
            let text =
                format!("stack: s\nprovider: {{ regon: x, endpoint: \"{endpoint}\" }}\ninstances: {{}}\n");
            let sources = [Source { name: "powerform.yaml".to_owned(), text: text.into() }];
            let problems = config::read(&sources).expect_err("two mistakes");
            let found = diagnostics(&sources, &problems);
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(!format!("{found:?}").contains("PASSW0RD"), "{found:?}");
            assert!(found.iter().all(|found| found.snippet.is_some()), "{found:?}");
            let shown = crate::render::problems::problems(&sources, &problems, false, 100);
            assert!(!shown.contains("PASSW0RD"), "{shown}");
        }
    }

    #[test]
    fn a_problem_tells_its_place_and_its_line() {
        let text = "stack: shop\ninstances:\n  db:\n    id: i-1\n    statsu: Running\n";
        let sources = [Source { name: "powerform.yaml".to_owned(), text: text.into() }];
        let problems = config::read(&sources).expect_err("a misspelt key");
        let misspelt = diagnostics(&sources, &problems)
            .into_iter()
            .find(|diagnostic| diagnostic.range.as_ref().is_some_and(|range| range.start.line == 5))
            .expect("a problem on line 5");
        let range = misspelt.range.expect("a place");
        assert_eq!((range.start.column, range.end.line, range.end.column), (5, 5, 11));
        assert_eq!(&text[range.start.byte..range.end.byte], "statsu");
        let snippet = misspelt.snippet.expect("a line");
        assert_eq!(snippet.code, "    statsu: Running");
        assert_eq!(&snippet.code[snippet.highlight_start_offset..snippet.highlight_end_offset], "statsu");
        assert!(misspelt.detail.contains("status"), "{}", misspelt.detail);
    }
}
