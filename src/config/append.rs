//! Adds to a file that a person wrote, without touching what is there: comments, order and layout stay byte for byte.

use std::ops::Range;

use super::problem::Findings;
use super::source::{self, Source};
use super::yaml::{self, Node, Pair, Value};

/// Why nothing can be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotAppend {
    /// It is no YAML, or no mapping.
    #[error("it cannot be read as a configuration: `powerform validate` says more")]
    Unreadable,
    /// The document itself is written in braces.
    #[error(
        "it is written in braces, as JSON is: add the entries by hand, or write its keys one below the other"
    )]
    InBraces,
    /// What is to be added to is written in braces.
    #[error("`{key}` is written in braces: write its entries one below the other, each on lines of its own")]
    KeyInBraces {
        /// The key.
        key: &'static str,
    },
    /// What is to be added to stands somewhere else.
    #[error(
        "what is under `{key}` comes from somewhere else, by an alias or a merge key: add the entries there by hand"
    )]
    Elsewhere {
        /// The key.
        key: &'static str,
    },
    /// What is to be added to is no mapping.
    #[error("what is under `{key}` is no mapping of entries")]
    NoMapping {
        /// The key.
        key: &'static str,
    },
    /// It is laid out in a way that nothing can be added to safely.
    #[error(
        "it is laid out unusually around `{key}`: add the entries by hand, or write each key on a line of its own"
    )]
    Layout {
        /// The key.
        key: &'static str,
    },
}

/// How deep a mapping stands below its key where nothing shows it.
const STEP: usize = 2;

/// The file with a block of entries added below one of its top-level keys, which is added where it is missing. Nothing
/// else is changed but braces that hold nothing. `block` has lines that begin in the first column.
///
/// Whether the outcome is valid, and means what it meant before and what was added, is for the caller to see.
///
/// # Errors
/// [`CannotAppend`] where there is no place that is certainly right.
pub fn append(source: &Source, key: &'static str, block: &str) -> Result<Vec<u8>, CannotAppend> {
    let mut findings = Findings::default();
    let text = source::decode(0, source, &mut findings).ok_or(CannotAppend::Unreadable)?;
    let root = yaml::read(0, text, &mut findings).ok_or(CannotAppend::Unreadable)?;
    let Value::Map(pairs) = &root.value else { return Err(CannotAppend::Unreadable) };
    let place = place(text.text, pairs, key)?;
    let line_break = if text.text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) {
        "\r\n"
    } else {
        "\n"
    };
    let Place { removed, at, column, heading } = place;
    let mut added = String::new();
    let before = &text.text[..at];
    if !before.is_empty() && !before.ends_with('\n') {
        added.push_str(line_break);
    }
    if let Some(heading) = heading {
        added.push_str(line_break);
        added.push_str(&heading);
        added.push_str(line_break);
    }
    for line in block.lines() {
        added.extend(std::iter::repeat_n(' ', column));
        added.push_str(line);
        added.push_str(line_break);
    }
    let offset = text.offset as usize;
    let mut bytes = source.text.clone();
    // What is removed stands before what is added.
    bytes.splice(offset + at..offset + at, added.into_bytes());
    bytes.drain(offset + removed.start..offset + removed.end);
    Ok(bytes)
}

/// Where something is added, and how.
struct Place {
    /// Braces that hold nothing, before `at`.
    removed: Range<usize>,
    /// Where the new lines begin: at the beginning of a line, or at the end of the text.
    at: usize,
    /// How far they are indented.
    column: usize,
    /// The line above them, where the key is missing.
    heading: Option<String>,
}

fn place(text: &str, pairs: &[Pair<'_>], key: &'static str) -> Result<Place, CannotAppend> {
    let layout = || CannotAppend::Layout { key };
    let first = pairs.iter().map(|pair| start(&pair.key)).min();
    if holds_brace(&text[..first.unwrap_or(text.len())]) {
        return Err(CannotAppend::InBraces);
    }
    let first = first.ok_or_else(layout)?;
    let outer = column(text, first).ok_or_else(layout)?;
    // What a merge key brings into the document is written further in.
    let mut top: Vec<&Pair<'_>> =
        pairs.iter().filter(|pair| column(text, start(&pair.key)) == Some(outer)).collect();
    top.sort_by_key(|pair| start(&pair.key));
    let end_of_document = end_of_document(text, first);
    let position = top.iter().position(|pair| matches!(&pair.key.value, Value::Text(text) if text == key));
    let Some(position) = position else {
        let at = end_of_document;
        let heading = Some(format!("{:outer$}{key}:", ""));
        return Ok(Place { removed: 0..0, at, column: outer + STEP, heading });
    };
    let Pair { key: own, value } = top[position];
    let begins = own.written.end as usize;
    let ends = top.get(position + 1).map_or(end_of_document, |next| line_start(text, start(&next.key)));
    let section = begins..ends;
    let entries = match &value.value {
        Value::Map(entries) => entries,
        Value::Nothing if !text[section.clone()].contains(['~', '*', '&', '!', 'n', 'N']) => {
            let at = after_line(text, begins);
            return Ok(Place { removed: 0..0, at, column: outer + STEP, heading: None });
        }
        _ => return Err(CannotAppend::NoMapping { key }),
    };
    let Some(inner) = entries.iter().map(|pair| start(&pair.key)).filter(|at| section.contains(at)).min()
    else {
        if !entries.is_empty() {
            return Err(CannotAppend::Elsewhere { key });
        }
        let braces = empty_braces(&text[section.clone()]).ok_or(CannotAppend::Elsewhere { key })?;
        let braces = begins + braces.start..begins + braces.end;
        let at = after_line(text, braces.end);
        return Ok(Place { removed: braces, at, column: outer + STEP, heading: None });
    };
    if holds_brace(&text[begins..inner]) {
        return Err(CannotAppend::KeyInBraces { key });
    }
    let column = column(text, inner).filter(|column| *column > outer).ok_or_else(layout)?;
    let at = end_of_block(text, inner..ends, column);
    Ok(Place { removed: 0..0, at, column, heading: None })
}

fn start(node: &Node<'_>) -> usize {
    node.written.start as usize
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |line_break| line_break + 1)
}

/// The beginning of the next line.
fn after_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |line_break| at + line_break + 1)
}

/// In which column something stands, if only spaces are before it on its line.
fn column(text: &str, at: usize) -> Option<usize> {
    let before = &text[line_start(text, at)..at];
    before.bytes().all(|byte| byte == b' ').then_some(before.len())
}

/// Whether there is an opening brace, outside of comments.
fn holds_brace(text: &str) -> bool {
    text.lines().any(|line| without_comment(line).contains('{'))
}

fn without_comment(line: &str) -> &str {
    let is_comment = |at: usize| line[..at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').map(|(at, _)| at).find(|at| is_comment(*at)).map_or(line, |at| &line[..at])
}

/// Where `{}` stands after a key, with the spaces before it, if nothing else does.
fn empty_braces(section: &str) -> Option<Range<usize>> {
    let open = section.find('{')?;
    let close = open + section[open..].find('}')?;
    let is_empty = section[open + 1..close].lines().all(|line| without_comment(line).trim().is_empty());
    let before = section[..open].trim_end();
    // An anchor would name nothing any more.
    (is_empty && before.trim() == ":").then_some(before.len()..close + 1)
}

/// Where the document ends: at its marker, or with the text.
fn end_of_document(text: &str, from: usize) -> usize {
    let mut at = line_start(text, from);
    for line in text[at..].split_inclusive('\n') {
        if line.strip_prefix("...").is_some_and(|rest| rest.trim().is_empty()) {
            return at;
        }
        at += line.len();
    }
    text.len()
}

/// The end of the last line that belongs to a mapping whose keys stand in `column`. Comments belong to it that stand as
/// far in as its keys, or further; those further out, and empty lines, go with what comes next.
fn end_of_block(text: &str, within: Range<usize>, column: usize) -> usize {
    let mut at = within.start;
    let mut end = within.end;
    let mut is_first = true;
    for line in text[within].split_inclusive('\n') {
        at += line.len();
        let content = line.trim();
        let indentation = line.len() - line.trim_start_matches(' ').len();
        let belongs = !content.is_empty() && (!content.starts_with('#') || indentation >= column);
        if belongs || is_first {
            end = at;
        }
        is_first = false;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(text: &str) -> Result<String, CannotAppend> {
        let source = Source { name: "powerform.yaml".to_owned(), text: text.as_bytes().to_owned() };
        let bytes = append(&source, "instances", "new:\n  id: i-new\n  status: Any\n")?;
        Ok(String::from_utf8(bytes).expect("text"))
    }

    const NEW: &str = "  new:\n    id: i-new\n    status: Any\n";

    #[test]
    fn new_entries_come_after_the_last_one_and_before_what_belongs_to_the_next_key() {
        for (before, after) in [
            ("stack: a\ninstances:\n  db: { id: i-db, status: Any } # ours\n", ""),
            (
                "instances:\n  db:\n    id: i-db\n    status: Any\n  # kept for later:\n  # web: { id: i-web }\n",
                "\n# whose\nstack: a\n",
            ),
            (
                "instances:\n  db:\n    id: i-db\n    status: Any\n    ready:\n      guest: |\n        # first\n        true\n\n        # last\n",
                "\n\nstack: a\n",
            ),
            (
                "# {a}\n---\nstack: a\ninstances: &all # {b}\n\n  # the first\n  \"db\": { id: i-db,\n    status: Any\n}\n",
                "...\n",
            ),
            ("\u{feff}instances:\n  db: { id: i-db, status: Any }\n", "stack: a"),
        ] {
            assert_eq!(
                appended(&format!("{before}{after}")).as_deref(),
                Ok(&*format!("{before}{NEW}{after}")),
                "{before}"
            );
        }
    }

    #[test]
    fn indentation_and_line_ends_are_those_of_the_file() {
        assert_eq!(
            appended("stack: a\r\ninstances:\r\n    db: { id: i-db, status: Any }").as_deref(),
            Ok(
                "stack: a\r\ninstances:\r\n    db: { id: i-db, status: Any }\r\n    new:\r\n      id: i-new\r\n      status: Any\r\n"
            )
        );
        assert_eq!(
            appended(" stack: a\n instances:\n  db: { id: i-db, status: Any }\n\n").as_deref(),
            Ok(&*format!(" stack: a\n instances:\n  db: {{ id: i-db, status: Any }}\n{NEW}\n"))
        );
    }

    #[test]
    fn braces_that_hold_nothing_make_way_and_a_missing_key_is_added() {
        for (before, after) in [
            ("instances: {}\nstack: a\n", format!("instances:\n{NEW}stack: a\n")),
            ("instances: {} # none yet\nstack: a\n", format!("instances: # none yet\n{NEW}stack: a\n")),
            ("stack: a\ninstances: {}", format!("stack: a\ninstances:\n{NEW}")),
            ("instances: {\n  # none\n}\nstack: a\n", format!("instances:\n{NEW}stack: a\n")),
            ("instances:\nstack: a\n", format!("instances:\n{NEW}stack: a\n")),
            ("stack: a\n", format!("stack: a\n\ninstances:\n{NEW}")),
            ("stack: a # b", format!("stack: a # b\n\ninstances:\n{NEW}")),
        ] {
            assert_eq!(appended(before), Ok(after), "{before}");
        }
    }

    #[test]
    fn where_no_place_is_certainly_right_nothing_is_added() {
        let key = "instances";
        for (text, why) in [
            ("{ stack: a, instances: {} }", CannotAppend::InBraces),
            ("{\n  stack: a,\n  instances: {\n    db: {}\n  }\n}", CannotAppend::InBraces),
            ("stack: a\ninstances: { db: { id: i-db } }\n", CannotAppend::KeyInBraces { key }),
            ("stack: a\ninstances: {\n  db: { id: i-db }\n}\n", CannotAppend::KeyInBraces { key }),
            ("x: &x\n  db: { id: i-db }\ninstances: *x\n", CannotAppend::Elsewhere { key }),
            ("x: &x\n  db: { id: i-db }\ninstances:\n  <<: *x\n", CannotAppend::Elsewhere { key }),
            ("stack: a\ninstances: 7\n", CannotAppend::NoMapping { key }),
            ("stack: a\ninstances: ~\n", CannotAppend::NoMapping { key }),
            ("a: [\n", CannotAppend::Unreadable),
            ("- a\n", CannotAppend::Unreadable),
            ("", CannotAppend::Unreadable),
            ("? instances\n: db: { id: i-db }\n", CannotAppend::Layout { key }),
        ] {
            assert_eq!(appended(text), Err(why), "{text}");
        }
    }

    /// What `config::read` makes of a text, entry by entry.
    fn meaning(text: &[u8]) -> std::collections::BTreeMap<String, String> {
        let source = Source { name: "powerform.yaml".to_owned(), text: text.to_owned() };
        let read = crate::config::read(&[source]).expect("valid");
        let name = |index: crate::fleet::EntryIndex| read.desired.entries[index.at()].name.to_string();
        let meaning = |entry: &crate::fleet::Entry| {
            let needs: Vec<_> = entry.needs.iter().map(|need| (name(need.entry), need.strength)).collect();
            format!("{needs:?} {:?}", crate::fleet::Entry { needs: Vec::new(), ..entry.clone() })
        };
        read.desired.entries.iter().map(|entry| (entry.name.to_string(), meaning(entry))).collect()
    }

    proptest::proptest! {
        /// Files as people lay them out: every piece in any of several forms, in any order, with anything between.
        #[test]
        fn whatever_is_there_means_what_it_meant(
            pieces in proptest::collection::vec(0..PIECES.len(), 0..6),
            tail in proptest::sample::select(vec!["", "\n", "# end\n", "  # end", "...\n", "limits: { starts: 3 }", "  \n\n# x: {\nlimits:\n  starts: 3\n"]),
            head in proptest::sample::select(vec!["stack: a\n", "# {}\n---\nstack: a # b\n\n", "\u{feff}stack: \"a\"\n", "limits: { stops: 1 }\nstack: a\n"]),
            deep in 1..5_usize,
            is_dos: bool,
        ) {
            let mut text = head.to_owned();
            text.push_str(if pieces.is_empty() { "instances: {}\n" } else { "instances:\n" });
            for (number, piece) in pieces.iter().enumerate() {
                for line in PIECES[*piece].replace("N", &number.to_string()).lines() {
                    let indentation = if line.is_empty() { 0 } else { deep };
                    text.push_str(&format!("{:indentation$}{line}\n", ""));
                }
            }
            if !(head.contains("limits") && tail.contains("limits")) {
                text.push_str(tail);
            }
            if is_dos {
                text = text.replace('\n', "\r\n");
            }
            let before = meaning(text.as_bytes());
            let source = Source { name: "powerform.yaml".to_owned(), text: text.clone().into_bytes() };
            let appended = append(&source, "instances", "new:\n  id: i-new\n  status: Any\n").expect("there is a place");
            let mut after = meaning(&appended);
            proptest::prop_assert!(after.remove("new").is_some());
            proptest::prop_assert_eq!(after, before);
            if !pieces.is_empty() {
                let added = appended.len() - text.len();
                let kept = (0..=text.len()).any(|at| appended[..at] == text.as_bytes()[..at] && appended[at + added..] == text.as_bytes()[at..]);
                proptest::prop_assert!(kept, "every byte is kept");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(
            tokens in proptest::collection::vec(proptest::sample::select(TOKENS.to_vec()), 0..24),
            others in ".{0,8}",
        ) {
            let text = format!("{}{others}", tokens.concat());
            let source = Source { name: "powerform.yaml".to_owned(), text: text.into_bytes() };
            for key in ["instances", "providers"] {
                let Ok(text) = append(&source, key, "new: {}\n") else { continue };
                proptest::prop_assert!(std::str::from_utf8(&text).is_ok());
            }
        }
    }

    const TOKENS: [&str; 36] = [
        "instances",
        "providers",
        "stack",
        ":",
        ": ",
        "{",
        "}",
        "{}",
        "[",
        "]",
        "\n",
        "\r\n",
        "\n  ",
        "\n    ",
        "\n- ",
        " ",
        "- ",
        "#",
        " # 数据库\n",
        "? ",
        "&a ",
        "*a",
        "<<: ",
        "!!map ",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "---\n",
        "...\n",
        "数据库",
        "é: ",
        "\t",
        "~",
        "a: b",
        "\u{feff}",
    ];

    const PIECES: [&str; 9] = [
        "# 数据库\nchineseN:\n  select: { name: \"数据库 # {\" } # 名\n  status: Any # 二",
        "dbN: { id: i-dbN, status: Running } # one",
        "# above\nwebN:\n  id: i-webN\n  status: Any",
        "\nspacedN:\n\n  id: i-spN\n\n  status: Any\n\n# below\n",
        "guestN:\n  id: i-gN\n  status: Running\n  ready:\n    guest: |\n      # not a comment\n\n      true\n      # nor this",
        "foldN:\n  id: i-fN\n  status: Running\n  ready:\n    guest: >-\n      test -f /x\n\n      && true",
        "\"quotedN\": {\n  id: 'i-qN',\n  status: Any\n }",
        "idsN:\n  ids:\n  - i-aN\n  - i-bN\n  status: Any # last",
        "longN:\n  id: i-lN\n  status: Running\n  ready: { guest: \"a\n    # in the text\n    b\" }",
    ];
}
