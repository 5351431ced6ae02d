//! Reading a mapping by its keys, and a scalar as what the language wants there.
//!
//! Every function reports what is wrong and returns `None`; its caller goes on with the rest.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::nearest::nearest;
use super::problem::{At, Finding, Findings, quoted};
use super::source::Text;
use super::yaml::{Node, Pair, Value};
use crate::fleet::{InvalidName, duration};

/// The keys that a mapping may have.
pub(super) struct Keys<const N: usize> {
    /// What the mapping is, with an article: "an entry".
    pub(super) of: &'static str,
    /// The keys that are read.
    pub(super) known: [&'static str; N],
    /// Keys of the language that this version does not read.
    pub(super) later: &'static [&'static str],
}

/// The words that a value may be.
pub(super) struct Words<T: 'static> {
    /// Those that messages name.
    pub(super) wanted: &'static [&'static str],
    /// Every accepted spelling and what it means.
    pub(super) accepted: &'static [(&'static str, T)],
    /// Other words, and the word that is probably meant by each.
    pub(super) meant: &'static [(&'static str, &'static str)],
}

/// Words that people write, too far from the key for [`nearest`].
const OTHER_WORDS: &[(&str, &str)] = &[
    ("dependencies", "depends_on"),
    ("depends", "depends_on"),
    ("needs", "depends_on"),
    ("requires", "depends_on"),
    ("after", "depends_on"),
    ("state", "status"),
    ("power", "status"),
    ("desired", "status"),
    ("instance_id", "id"),
    ("instance", "id"),
    ("instance_ids", "ids"),
    ("hosts", "instances"),
    ("entries", "instances"),
    ("name", "stack"),
    ("version", "required_version"),
    ("region_id", "region"),
    ("parallelism", "at_once"),
    ("prevent_destroy", "prevent_stop"),
    ("stopped_mode", "mode"),
    ("force_stop", "force"),
];

/// A value with its key, which is where a missing value is reported.
#[derive(Clone, Copy)]
pub(super) struct Field<'n, 's> {
    pub(super) key: &'n Node<'s>,
    pub(super) value: &'n Node<'s>,
}

/// Reads the nodes of one source.
pub(super) struct Reader<'s, 'f> {
    pub(super) source: usize,
    pub(super) text: Text<'s>,
    pub(super) findings: &'f mut Findings,
}

impl<'s> Reader<'s, '_> {
    pub(super) fn at(&self, node: &Node<'_>) -> At {
        node.at(self.source, self.text.offset)
    }

    pub(super) fn error(&mut self, node: &Node<'_>, message: impl Into<String>) -> Finding {
        Finding::error(self.at(node), message)
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.add(finding);
    }

    /// The pairs of a mapping.
    pub(super) fn mapping<'n>(&mut self, field: Field<'n, 's>, example: &str) -> Option<&'n [Pair<'s>]> {
        match &field.value.value {
            Value::Map(pairs) => Some(pairs),
            _ => self.wrong_kind(field, "a mapping", example),
        }
    }

    /// The values of a mapping's known keys, in the order in which `keys` has them; everything else is reported.
    pub(super) fn fields<'n, const N: usize>(
        &mut self,
        pairs: &'n [Pair<'s>],
        keys: &Keys<N>,
    ) -> [Option<Field<'n, 's>>; N] {
        let mut found: [Option<Field<'n, 's>>; N] = [None; N];
        for Pair { key, value } in pairs {
            let Some(name) = self.key(key) else { continue };
            let Some(slot) =
                keys.known.iter().position(|known| *known == name).and_then(|at| found.get_mut(at))
            else {
                self.unexpected_key(key, &name, keys);
                continue;
            };
            match slot {
                None => *slot = Some(Field { key, value }),
                Some(first) => {
                    let first = first.key;
                    self.duplicate_key(key, first, &name);
                }
            }
        }
        found
    }

    /// The text of a key.
    pub(super) fn key<'n>(&mut self, key: &'n Node<'s>) -> Option<Cow<'n, str>> {
        if key.is_merge_key() {
            let finding = self
                .error(key, "a merge key `<<` takes a mapping or a list of mappings")
                .help("write `<<: *name` for a mapping that begins with `&name`");
            self.add(finding);
            return None;
        }
        match &key.value {
            Value::Nothing | Value::List(_) | Value::Map(_) => {
                let finding = self.error(key, format!("a key must be text, and this is {}", key.kind()));
                self.add(finding);
                None
            }
            Value::Text(_) | Value::Truth(_) | Value::Number => Some(self.literal(key)),
        }
    }

    pub(super) fn duplicate_key(&mut self, key: &Node<'_>, first: &Node<'_>, name: &str) {
        let first = self.at(first);
        let finding = self
            .error(key, format!("the key {} is written twice", quoted(name)))
            .label("again here")
            .related(first, "first here")
            .help("keep one of them");
        self.add(finding);
    }

    fn unexpected_key<const N: usize>(&mut self, key: &Node<'_>, name: &str, keys: &Keys<N>) {
        if keys.later.contains(&name) {
            let finding = self.error(key, format!("`{name}` is not supported by this version yet")).help(
                format!("remove it: this version of powerform does not know what {} does with it", keys.of),
            );
            self.add(finding);
            return;
        }
        let meant = if self.findings.is_full() { None } else { meant_key(name, keys) };
        let mut finding = self.error(key, format!("unknown key {} in {}", quoted(name), keys.of));
        finding = match meant {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding
                .note(format!("{} has the keys {}", keys.of, keys.known.join(", ")))
                .help("use one of these, or remove it"),
        };
        self.add(finding);
    }

    /// Reports that a value is of the wrong kind, or not there at all.
    pub(super) fn wrong_kind<T>(&mut self, field: Field<'_, 's>, wanted: &str, example: &str) -> Option<T> {
        let name = self.literal(field.key);
        let finding = if matches!(field.value.value, Value::Nothing) {
            self.error(field.key, format!("{} has no value", code(name)))
                .label(format!("expected {wanted}"))
                .help(format!("write {example}, or remove the key"))
        } else {
            self.error(
                field.value,
                format!("{} must be {wanted}, and this is {}", code(name), field.value.kind()),
            )
            .label(format!("expected {wanted}"))
            .help(format!("write {example}"))
        };
        self.add(finding);
        None
    }

    /// Reports a value of the right kind that is wrong all the same.
    pub(super) fn wrong_value<T>(&mut self, field: Field<'_, 's>, message: String, label: &str) -> Option<T> {
        let finding = self.error(field.value, message).label(label);
        self.add(finding);
        None
    }

    /// The text of a scalar exactly as written: `1.10` and `010` stay what they are.
    pub(super) fn text<'n>(
        &mut self,
        field: Field<'n, 's>,
        wanted: &str,
        example: &str,
    ) -> Option<Cow<'n, str>> {
        match field.value.value {
            Value::Text(_) | Value::Truth(_) | Value::Number => Some(self.literal(field.value)),
            Value::Nothing | Value::List(_) | Value::Map(_) => self.wrong_kind(field, wanted, example),
        }
    }

    /// The text of a scalar, exactly as written.
    pub(super) fn literal<'n>(&self, node: &'n Node<'s>) -> Cow<'n, str> {
        node.literal(self.text.text)
    }

    /// A value that validates itself.
    pub(super) fn name<T>(
        &mut self,
        field: Field<'_, 's>,
        new: fn(&str) -> Result<T, InvalidName>,
        example: &str,
    ) -> Option<T> {
        let text = self.text(field, "text", example)?;
        self.valid(field.value, &text, new)
    }

    /// Makes a validated value of a text, or reports the rule that the text breaks.
    pub(super) fn valid<T>(
        &mut self,
        node: &Node<'_>,
        text: &str,
        new: fn(&str) -> Result<T, InvalidName>,
    ) -> Option<T> {
        match new(text) {
            Ok(value) => Some(value),
            Err(InvalidName { text: _, kind, rule }) => {
                let finding = self
                    .error(node, format!("{} is not {kind}", quoted(text)))
                    .label(format!("not {kind}"))
                    .note(rule)
                    .help(format!("write {kind} like {}", valid_example(kind)));
                self.add(finding);
                None
            }
        }
    }

    pub(super) fn truth(&mut self, field: Field<'_, 's>) -> Option<bool> {
        match &field.value.value {
            Value::Truth(truth) => Some(*truth),
            // Whoever writes `yes` or "true" is told which word it is.
            Value::Text(_) => self.wrong_kind(field, "true or false", "true or false, without quotes"),
            _ => self.wrong_kind(field, "true or false", "true or false"),
        }
    }

    pub(super) fn positive(&mut self, field: Field<'_, 's>) -> Option<NonZeroU32> {
        self.number(field, "a whole number from 1", "expected a whole number from 1", "a number like 2")
    }

    /// A whole number from 0. `wanted` says what it is, with an article.
    pub(super) fn whole(&mut self, field: Field<'_, 's>, wanted: &str) -> Option<u32> {
        self.number(field, wanted, "expected a whole number", "a number like 10")
    }

    fn number<T: FromStr>(
        &mut self,
        field: Field<'_, 's>,
        wanted: &str,
        expected: &str,
        example: &str,
    ) -> Option<T> {
        match &field.value.value {
            Value::Number => {
                let text = self.literal(field.value);
                if let Ok(number) = text.parse() {
                    return Some(number);
                }
                let name = self.literal(field.key);
                let message = format!("{} must be {wanted}, and this is {}", code(name), quoted(&text));
                self.wrong_value(field, message, expected)
            }
            Value::Text(_) => self.wrong_kind(field, wanted, &format!("{example}, without quotes")),
            _ => self.wrong_kind(field, wanted, example),
        }
    }

    /// A duration that is more than nothing.
    pub(super) fn duration(&mut self, field: Field<'_, 's>) -> Option<Duration> {
        let text = self.text(field, "a duration", "a duration like 90s, 10m or 1h30m")?;
        let mistake = match duration::parse(&text) {
            Ok(duration) if duration.is_zero() => "a timeout must be longer than nothing".to_owned(),
            Ok(duration) => return Some(duration),
            Err(_) if text.chars().count() > 40 => format!("{} is not a duration", quoted(&text)),
            Err(mistake) => mistake,
        };
        let finding = self
            .error(field.value, mistake)
            .label("expected a duration like 90s, 10m or 1h30m")
            .help("write a number with its unit and no space: s, m or h, as in `10m`");
        self.add(finding);
        None
    }

    /// The path of a file, as written. What it is relative to is for others to know.
    pub(super) fn path(&mut self, field: Field<'_, 's>, example: &str) -> Option<PathBuf> {
        let text = self.text(field, "a path", example)?;
        if text.is_empty() {
            return self.wrong_value(field, "the path is empty".to_owned(), "expected a path");
        }
        if text.contains(char::is_control) {
            let message = format!("{} holds a control character, which a path may not", quoted(&text));
            return self.wrong_value(field, message, "expected a path");
        }
        if matches!(text.rsplit(std::path::is_separator).next(), Some("" | "." | "..")) {
            let message = format!("{} is a folder, and a file is wanted", quoted(&text));
            return self.wrong_value(field, message, "expected the path of a file");
        }
        Some(PathBuf::from(text.as_ref()))
    }

    /// One word of a few. Any other letter case is a mistake, except for the spellings that are given.
    pub(super) fn word<T: Copy>(&mut self, field: Field<'_, 's>, words: &Words<T>) -> Option<T> {
        let wanted = || one_of(words.wanted);
        let text = match field.value.value {
            Value::Text(_) | Value::Truth(_) | Value::Number => self.literal(field.value),
            Value::Nothing | Value::List(_) | Value::Map(_) => {
                return self.wrong_kind(field, &wanted(), &wanted());
            }
        };
        if let Some((_, value)) = words.accepted.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let meant = nearest(&text, words.wanted.iter().copied()).or_else(|| {
            words.meant.iter().find(|(other, _)| other.eq_ignore_ascii_case(&text)).map(|(_, meant)| *meant)
        });
        let name = self.literal(field.key);
        let finding = self
            .error(field.value, format!("{} must be {}, and this is {}", code(name), wanted(), quoted(&text)))
            .label(format!("expected {}", wanted()))
            .maybe_help(meant.map(|meant| format!("did you mean `{meant}`?")));
        self.add(finding);
        None
    }
}

/// The known key that was probably meant.
fn meant_key<const N: usize>(name: &str, keys: &Keys<N>) -> Option<&'static str> {
    nearest(name, keys.known.iter().chain(keys.later).copied()).or_else(|| {
        let (_, meant) = OTHER_WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(name))?;
        keys.known.contains(meant).then_some(*meant)
    })
}

fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn code(name: Cow<'_, str>) -> String {
    if name.chars().count() > 64 { quoted(&name) } else { format!("`{name}`") }
}

/// A valid name of a kind, as [`InvalidName::kind`] calls it.
fn valid_example(kind: &str) -> &'static str {
    match kind {
        "an instance id" => "`i-bp1db0000000000001`",
        "a stack name" => "`web-shop`",
        "a region id" => "`cn-hangzhou`",
        _ => "`web-1`",
    }
}
