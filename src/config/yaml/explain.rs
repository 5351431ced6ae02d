//! The YAML library's errors in the words of this program.

use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

use super::DEEPEST;
use crate::config::problem::{At, Finding, Span};

/// What to do about the mistakes that are made most: part of the parser's message, and the advice.
const ADVICE: &[(&str, &str)] = &[
    (
        "mapping values are not allowed",
        "a value that contains \": \" needs quotes, and a key in the line before needs a colon and a space; otherwise \
         check the indentation",
    ),
    ("did not find expected key", "check the indentation: keys of one mapping stand in one column"),
    ("did not find expected '-'", "check the indentation: items of one list stand in one column"),
    ("did not find expected ','", "put a comma between the items, or close the bracket or brace"),
    ("unclosed bracket", "close the bracket or brace"),
    ("simple key expected", "a key needs a colon and a space after it"),
    ("unclosed quote", "close the quote"),
    ("tab", "write spaces instead of tabs, two for each level: YAML does not allow tabs there"),
    ("illegal placement of ':'", "close the bracket or brace that is open before this line"),
    ("unexpected character", "put the text in quotes"),
];

/// Says what the library found wrong.
pub(super) fn explain(error: &Error, at: At) -> Finding {
    match error.without_snippet() {
        Error::AliasError { error, .. } => explain(error, at),
        Error::MultipleDocuments { .. } => {
            Finding::error(at, "a second YAML document begins here, and a file may hold only one")
                .help("put it into a file of its own and give both with -f")
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(at),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            Finding::error(at, "the file unfolds to far more than its size allows")
                .note("the values that it holds, aliases and merge keys unfolded, are limited by its size")
                .help("use fewer aliases inside of anchors")
        }
        Error::UnknownAnchor { .. } => Finding::error(at, "this alias has no anchor")
            .help("write the anchor, &name, before the alias, *name; put text that begins with * in quotes"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            Finding::error(at, "this alias stands inside of its own anchor")
        }
        Error::UnsupportedTag { .. } => {
            Finding::error(at, "YAML tags are not supported").help("remove the word that begins with `!`")
        }
        Error::Eof { .. } => Finding::error(at, "the file ends too early"),
        other => syntax(&without_place(&other.to_string()), at),
    }
}

/// Whether the library stumbled over the brace of a `${`.
pub(super) fn is_at_a_variable(text: &str, at: Span) -> bool {
    let around = text.split_at_checked(at.start as usize);
    around.is_some_and(|(before, after)| before.ends_with('$') && after.starts_with('{'))
}

/// What is said then.
pub(super) fn unquoted_variable(at: At) -> Finding {
    Finding::error(at, "this is not valid YAML: a variable stands between brackets or braces without quotes")
        .help("put the value in quotes, like \"${var.name}\": there the braces of a variable mean something to YAML")
}

fn syntax(message: &str, at: At) -> Finding {
    if message.contains("recursion limit exceeded") {
        return too_deep(at);
    }
    let advice =
        ADVICE.iter().find(|(part, _)| message.contains(part)).map(|(_, advice)| (*advice).to_owned());
    Finding::error(at, format!("this is not valid YAML: {message}")).maybe_help(advice)
}

fn too_deep(at: At) -> Finding {
    Finding::error(at, format!("the file is nested deeper than {DEEPEST} levels"))
        .help("the language needs no more than seven")
}

/// The library ends its messages with the place, which is shown in its own way here.
fn without_place(message: &str) -> String {
    message.rfind(" at line ").and_then(|end| message.get(..end)).unwrap_or(message).to_owned()
}
