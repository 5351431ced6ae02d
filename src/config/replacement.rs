//! `${var.name}` in the values of the files: each text is gone through once, and what came in is not looked at again.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

use super::layers::Tree;
use super::nearest::Suggestions;
use super::problem::{At, Finding, Findings, Span, quoted};
use super::source::Text;
use super::variables::{ENVIRONMENT_PREFIX, Kind, Scalar, Variables};
use super::yaml::{Node, Pair, Value};

/// What is written in front of the name of a variable, between the braces.
const PREFIX: &str = "var.";

/// How much text variables may fill in whatever the size of the files, in bytes.
const FILLED_IN_ANY_CASE: usize = 1_000_000;

/// How much more they may fill in for each byte of the files. A value is seldom longer than this many references.
const FILLED_FOR_A_BYTE: usize = 4;

/// A part of a text.
pub(super) struct Piece<'t> {
    /// Its bytes in the text.
    pub(super) place: Range<usize>,
    pub(super) what: What<'t>,
}

/// What a part of a text is.
pub(super) enum What<'t> {
    /// Text that stands for itself.
    Text(&'t str),
    /// `${` up to its brace, and what is between them.
    Reference(&'t str),
    /// `${` without a brace that closes it.
    Unfinished,
}

/// The parts of a text, in order.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut looked_from = 0;
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let plain = |range: Range<usize>| Piece { place: range.clone(), what: What::Text(part(range)) };
    while let Some(found) = part(looked_from..text.len()).find("${") {
        let start = looked_from + found;
        if start > from && part(from..start).ends_with('$') {
            // `$${` stands for `${`.
            pieces.push(plain(from..start - 1));
            pieces.push(plain(start..start + 2));
            from = start + 2;
            looked_from = from;
            continue;
        }
        pieces.push(plain(from..start));
        let Some(length) = part(start..text.len()).find('}') else {
            pieces.push(Piece { place: start..start + 2, what: What::Unfinished });
            return pieces;
        };
        let inside = part(start + 2..start + length);
        from = start + length + 1;
        looked_from = from;
        pieces.push(Piece { place: start..from, what: What::Reference(inside) });
    }
    pieces.push(plain(from..text.len()));
    pieces.retain(|piece| !piece.place.is_empty());
    pieces
}

/// The name of the variable that a reference is to, if it is to a variable.
pub(super) fn variable(inside: &str) -> Option<&str> {
    inside.trim().strip_prefix(PREFIX)
}

/// Whether a file may have anything to fill in. An escape sequence may hide it.
pub(super) fn is_needed(text: &str) -> bool {
    text.contains("${") || text.contains('\\')
}

/// Fills in every value of the files. `all_read` says whether an unknown variable is certainly unknown.
pub(super) fn fill(
    files: &mut [Tree<'_>],
    texts: &[(usize, Text<'_>)],
    variables: &Variables,
    all_read: bool,
    findings: &mut Findings,
) {
    let bytes: usize = texts.iter().map(|(_, text)| text.text.len()).sum();
    let mut filler = Filler {
        own: 0,
        texts: texts.iter().copied().collect(),
        variables,
        suggestions: Suggestions::new(variables.names().collect()),
        left: FILLED_IN_ANY_CASE.saturating_add(bytes.saturating_mul(FILLED_FOR_A_BYTE)),
        is_exhausted: false,
        all_read,
        findings,
    };
    for Tree { source, text: _, root } in files {
        filler.own = *source;
        match &mut root.value {
            Value::Map(pairs) => {
                for Pair { key, value } in pairs {
                    filler.key(key);
                    // What is declared is taken literally.
                    if !matches!(&key.value, Value::Text(name) if name == "variables") {
                        filler.node(value);
                    }
                }
            }
            _ => filler.node(root),
        }
    }
}

struct Filler<'v, 's, 'f> {
    /// The source whose nodes are filled in.
    own: usize,
    texts: HashMap<usize, Text<'s>>,
    variables: &'v Variables,
    suggestions: Suggestions<'v>,
    /// How many bytes may still be filled in.
    left: usize,
    is_exhausted: bool,
    all_read: bool,
    findings: &'f mut Findings,
}

impl<'v> Filler<'v, '_, '_> {
    fn node(&mut self, node: &mut Node<'_>) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => self.text(node),
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Value::Map(pairs) => {
                for Pair { key, value } in pairs {
                    self.key(key);
                    self.node(value);
                }
            }
            Value::Nothing | Value::Text(_) | Value::Truth(_) | Value::Number => {}
        }
    }

    fn key(&mut self, key: &Node<'_>) {
        let Value::Text(text) = &key.value else { return };
        let Some(start) = text.find("${") else { return };
        let place = Raw::new(self, key, text);
        let finding = Finding::error(
            place.at(start..start + 2),
            format!("a key holds no variable, and {} has one", quoted(text)),
        )
        .label("not filled in")
        .help("write the key itself: variables stand in values");
        self.findings.add(finding);
        self.findings.give_up(place.whole);
    }

    fn text(&mut self, node: &mut Node<'_>) {
        let Value::Text(text) = &node.value else { return };
        let raw = Raw::new(self, node, text);
        let whole = raw.whole;
        if self.is_exhausted {
            self.findings.give_up(whole);
            return;
        }
        let pieces = pieces(text);
        let mut filled = String::new();
        let mut only = None;
        let mut is_filled = true;
        for Piece { place, what } in &pieces {
            let inside = match what {
                What::Text(text) => {
                    filled.push_str(text);
                    continue;
                }
                What::Reference(inside) => Some(*inside),
                What::Unfinished => None,
            };
            let scalar = match inside {
                Some(inside) => self.value(inside, || raw.at(place.clone())),
                None => {
                    self.findings.add(
                        Finding::error(raw.at(place.clone()), "`${` is not closed")
                            .label("begins here")
                            .help("write `${var.name}` for the value of a variable, or `$${` for a `${` that stays"),
                    );
                    None
                }
            };
            let Some(scalar) = scalar else {
                is_filled = false;
                continue;
            };
            let Some(left) = self.left.checked_sub(scalar.text.len()) else {
                self.is_exhausted = true;
                is_filled = false;
                self.findings.add(
                    Finding::error(
                        raw.at(place.clone()),
                        "variables fill in far more text than the files hold",
                    )
                    .note("what they fill in, all uses together, is limited by the size of the files")
                    .help("use the long value less often, or write it in fewer places"),
                );
                break;
            };
            self.left = left;
            filled.push_str(&scalar.text);
            only = (pieces.len() == 1).then_some(scalar);
        }
        drop(pieces);
        drop(raw);
        if !is_filled {
            self.findings.give_up(whole);
            return;
        }
        node.value = match only.map(|scalar| scalar.kind) {
            Some(Kind::Truth(truth)) => Value::Truth(truth),
            Some(Kind::Number) => Value::Number,
            Some(Kind::Text) | None => {
                node.value = Value::Text(Cow::Owned(filled));
                return;
            }
        };
        node.apart.get_or_insert_default().scalar = Some(filled.into());
    }

    /// What a reference stands for. If that is nothing, it has been reported.
    fn value(&mut self, inside: &str, at: impl Fn() -> At) -> Option<&'v Scalar> {
        let Some(name) = variable(inside) else {
            let meant = self.suggestions.get(inside.trim());
            let help = meant.map_or_else(
                || "write `$${` for a `${` that stays".to_owned(),
                |meant| format!("did you mean `${{var.{meant}}}`?"),
            );
            self.findings.add(
                Finding::error(
                    at(),
                    format!("only a variable can be filled in, and {} is none", quoted(inside)),
                )
                .label("expected `${var.name}`")
                .note(
                    "the environment is not filled in, unless as POWERFORM_VAR_name for the variable `name`",
                )
                .help(help),
            );
            return None;
        };
        let Some(known) = self.variables.get(name) else {
            if self.all_read {
                let meant = self.suggestions.get(name);
                let help = meant.map_or_else(
                    || {
                        "declare it under `variables:` at the top of a file, or write the value itself"
                            .to_owned()
                    },
                    |meant| format!("did you mean `${{var.{meant}}}`?"),
                );
                self.findings.add(
                    Finding::error(at(), format!("there is no variable {}", quoted(name)))
                        .label("unknown variable")
                        .help(help),
                );
            }
            return None;
        };
        if known.value.is_none() && !known.is_wrong {
            self.findings.add(
                Finding::error(at(), format!("the variable {} has no value", quoted(name)))
                    .label("used here")
                    .related(known.at, "declared here, without a default")
                    .help(format!(
                        "give it one: by `--var {name}=...`, in a file with --var-file, by the environment variable \
                         {ENVIRONMENT_PREFIX}{name}, or as its default"
                    )),
            );
        }
        known.value.as_ref()
    }
}

/// Finds the places in the file of what stands in a text whose quotes and escapes are undone.
struct Raw<'t> {
    whole: At,
    text: &'t str,
    /// The text as it is written, if it is known.
    written: &'t str,
    /// Where each `${` of the text is written.
    starts: OnceCell<HashMap<usize, usize>>,
}

impl<'t> Raw<'t> {
    fn new(filler: &Filler<'_, 't, '_>, node: &Node<'_>, text: &'t str) -> Self {
        let of = |source: usize| filler.texts.get(&source);
        let source =
            node.apart.as_ref().and_then(|apart| apart.source).map_or(filler.own, |(source, _)| source);
        let offset = of(source).map_or(0, |text| text.offset);
        let span = node.written.start as usize..node.written.end as usize;
        let written = of(source).and_then(|text| text.text.get(span)).unwrap_or_default();
        Self { whole: node.at(source, offset), text, written, starts: OnceCell::new() }
    }

    /// A place in the text; all of it where the writing does not show which.
    fn at(&self, place: Range<usize>) -> At {
        let starts = self.starts.get_or_init(|| {
            let places = |text: &str| text.match_indices("${").map(|(start, _)| start).collect::<Vec<_>>();
            let (read, written) = (places(self.text), places(self.written));
            if read.len() == written.len() { read.into_iter().zip(written).collect() } else { HashMap::new() }
        });
        let Some(start) = starts.get(&place.start) else { return self.whole };
        let begin = self.whole.written.start as usize + start;
        let part = Span::new(begin, begin + place.len());
        let used = if self.whole.used == self.whole.written { part } else { self.whole.used };
        At { used, written: part, ..self.whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_once_from_left_to_right() {
        for (text, expected) in [
            ("", ""),
            ("plain $ } {", "[plain $ } {]"),
            ("${var.a}", "<var.a>"),
            ("a${var.b}c${ var.d }", "[a]<var.b>[c]< var.d >"),
            ("$${var.a}", "[${][var.a}]"),
            ("$$${var.a}", "[$][${][var.a}]"),
            ("${var.a}$${", "<var.a>[${]"),
            ("x${var.a", "[x]!"),
            ("${${var.a}}", "<${var.a>[}]"),
            ("${}", "<>"),
        ] {
            let shown: String = pieces(text)
                .into_iter()
                .map(|piece| match piece.what {
                    What::Text(text) => format!("[{text}]"),
                    What::Reference(inside) => format!("<{inside}>"),
                    What::Unfinished => "!".to_owned(),
                })
                .collect();
            assert_eq!(shown, expected, "{text}");
        }
    }
}
