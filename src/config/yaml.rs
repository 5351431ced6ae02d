//! From text to nodes that know their place. The only module that knows the YAML library.
//!
//! Nothing is refused here but what is not YAML or is too much of it: duplicate keys are passed on as written, so that
//! one of them does not hide the problems after it.

mod explain;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Options, Spanned};

use super::lines::Lines;
use super::problem::{At, Findings, Span};
use super::source::Text;

/// How deep a file may be nested. The language needs seven levels; the reader recurses once or more for each.
const DEEPEST: usize = 32;

/// Up to this size, a file may unfold to a value for every byte: 100,000 short entries, each with a merge key that brings
/// in a dozen values and more, are an honest file. Beyond it, the values of a file come from what it writes.
const DENSEST: usize = 4_000_000;

/// One value and where it stands. Spans count from the beginning of the text, after a byte order mark.
#[derive(Debug)]
pub(super) struct Node<'s> {
    pub(super) value: Value<'s>,
    /// Where it is used: the alias or merge key, if it came through one.
    pub(super) used: Span,
    /// Where it is written.
    pub(super) written: Span,
    /// What sets it apart from what the file that is read says there.
    pub(super) apart: Option<Box<Apart>>,
}

/// What is different about a node that an overlay brought in, or that a variable gave its value.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// The source that it stands in, if it is not the one that is read, and how far its text is moved there.
    pub(super) source: Option<(usize, u32)>,
    /// Its digits or its word, if they are not in the text that is read.
    pub(super) scalar: Option<Box<str>>,
}

/// What YAML sees in a value.
#[derive(Debug)]
pub(super) enum Value<'s> {
    /// Nothing, `~` or `null`.
    Nothing,
    /// Text, with quotes and escapes undone.
    Text(Cow<'s, str>),
    /// `true` or `false`, unquoted.
    Truth(bool),
    /// Anything that looks like a number, unquoted. Its digits are in the text at [`Node::written`]: `1.10` is not
    /// `1.1` where a name is wanted.
    Number,
    /// A list.
    List(Vec<Node<'s>>),
    /// A mapping in the order it is written, duplicates included; what merge keys bring in comes last, unless the
    /// mapping itself has the key. A merge key that brings in no mapping stays a key.
    Map(Vec<Pair<'s>>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Pair<'s> {
    pub(super) key: Node<'s>,
    pub(super) value: Node<'s>,
}

impl<'s> Node<'s> {
    /// What it is, with an article.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Nothing => "nothing",
            Value::Text(_) => "text",
            Value::Truth(_) => "true or false",
            Value::Number => "a number",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Where it stands, if the file that is read is this one and its text is moved so far.
    pub(super) fn at(&self, source: usize, offset: u32) -> At {
        let (source, offset) = self.apart.as_ref().and_then(|apart| apart.source).unwrap_or((source, offset));
        At {
            used: self.used.moved(offset),
            written: self.written.moved(offset),
            ..At::here(source, self.used)
        }
    }

    /// The text of a scalar, exactly as written: `1.10` and `010` stay what they are.
    pub(super) fn literal<'n>(&'n self, text: &str) -> Cow<'n, str> {
        if let Value::Text(text) = &self.value {
            return Cow::Borrowed(text);
        }
        if let Some(scalar) = self.apart.as_ref().and_then(|apart| apart.scalar.as_deref()) {
            return Cow::Borrowed(scalar);
        }
        let span = self.written.start as usize..self.written.end as usize;
        Cow::Owned(text.get(span).unwrap_or_default().to_owned())
    }

    /// Whether it is the key `<<`.
    pub(super) fn is_merge_key(&self) -> bool {
        matches!(&self.value, Value::Text(text) if text == "<<")
    }

    fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    fn into_pairs(self) -> Vec<Pair<'s>> {
        match self.value {
            Value::Map(pairs) => pairs,
            _ => Vec::new(),
        }
    }
}

/// Adds what merge keys brought in, as far as a mapping does not have it: the first of several wins.
fn merge<'s>(map: &mut Vec<Pair<'s>>, merged: Vec<Pair<'s>>) {
    let text = |pair: &Pair<'s>| match &pair.key.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let mut known: HashSet<Cow<'s, str>> = map.iter().filter_map(text).collect();
    map.extend(merged.into_iter().filter(|pair| text(pair).is_none_or(|text| known.insert(text))));
}

/// Reads the one document of a text, or says why that is not possible.
pub(super) fn read<'s>(source: usize, text: Text<'s>, findings: &mut Findings) -> Option<Node<'s>> {
    match serde_saphyr::from_str_with_options(text.text, options(text.text.len())) {
        Ok(node) => Some(node),
        Err(error) => {
            let at = error.location().map_or(Span::new(0, 0), |location| place_of_error(text.text, location));
            let is_variable = explain::is_at_a_variable(text.text, at);
            let at = At::here(source, at.moved(text.offset));
            findings.add(if is_variable {
                explain::unquoted_variable(at)
            } else {
                explain::explain(&error, at)
            });
            None
        }
    }
}

/// Strict YAML 1.2, with limits that follow the size of the file: an honest file meets none of them, and what a bomb
/// unfolds to stays in proportion to what was sent.
fn options(bytes: usize) -> Options {
    // A node that is written takes five bytes or more: in long lists of short names.
    let unfolded = (bytes / 5).max(bytes.min(DENSEST));
    let mut options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // Merged here: so the library need not remember every key of a large file.
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_events: 1_000_000 + bytes + unfolded,
            max_nodes: 250_000 + unfolded,
            max_aliases: 50_000 + bytes / 8,
            max_anchors: 50_000 + bytes / 8,
            // One anchor that thousands of entries share is what anchors are for.
            enforce_alias_anchor_ratio: false,
        },
    };
    options.alias_limits.max_total_replayed_events = 1_000_000 + unfolded;
    options
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value<'de>>::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            used: span(spanned.referenced),
            written: span(spanned.defined),
            apart: None,
        })
    }
}

fn span(location: Location) -> Span {
    let span = location.span();
    let start = usize::try_from(span.byte_offset().unwrap_or_default()).unwrap_or(usize::MAX);
    let length = usize::try_from(span.byte_len().unwrap_or_default()).unwrap_or_default();
    Span::new(start, start.saturating_add(length))
}

/// Where an error is. The parser's own errors have a line and a column only.
fn place_of_error(text: &str, location: Location) -> Span {
    if location.span().byte_offset().is_some() {
        return span(location);
    }
    let number = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let start = Lines::new(text.as_bytes()).byte(number(location.line()), number(location.column()));
    Span::new(start, start + 1)
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Value::Truth(truth))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Value::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Value::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Self::Value, E> {
        Ok(Value::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Self::Value, E> {
        Ok(Value::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        list.shrink_to_fit();
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = Vec::new();
        let mut merged = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Node<'de>, Node<'de>>()? {
            let Node { value, used, written, apart } = value;
            match value {
                Value::Map(pairs) if key.is_merge_key() => merged.extend(pairs),
                Value::List(items) if key.is_merge_key() && items.iter().all(Node::is_map) => {
                    merged.extend(items.into_iter().flat_map(Node::into_pairs));
                }
                value => map.push(Pair { key, value: Node { value, used, written, apart } }),
            }
        }
        if !merged.is_empty() {
            merge(&mut map, merged);
        }
        map.shrink_to_fit();
        Ok(Value::Map(map))
    }
}
