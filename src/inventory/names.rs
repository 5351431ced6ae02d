//! Names for entries, from texts that may be anything.

use std::collections::{BTreeSet, HashMap};

use crate::fleet::EntryName;

/// The longest name of an entry, in bytes.
const LONGEST: usize = 63;

/// A text as the name of an entry: what may not stand in one becomes a hyphen. One that does not begin with a letter gets
/// `word` in front, and one of which nothing is left is `word`.
pub(super) fn valid(text: &str, word: &str) -> String {
    let mut name = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_matches('-');
    let mut name = match name.chars().next() {
        None => word.to_owned(),
        Some(first) if first.is_ascii_alphabetic() => name.to_owned(),
        Some(_) => format!("{word}-{name}"),
    };
    name.truncate(LONGEST);
    name
}

/// A name with something after it, of which the end stays whole.
pub(super) fn with_suffix(name: &str, suffix: &str) -> String {
    let mut suffix = suffix.to_owned();
    suffix.truncate(LONGEST - 2);
    // Names are ASCII.
    let kept = name.len().min(LONGEST - 1 - suffix.len());
    format!("{}-{suffix}", &name[..kept])
}

/// Gives every name once.
pub(super) struct Register<'k> {
    known: &'k BTreeSet<String>,
    given: BTreeSet<String>,
    /// Which number to try next, so that thousands of the same name are not all tried each time.
    next: HashMap<String, u32>,
}

impl<'k> Register<'k> {
    pub(super) fn new(known: &'k BTreeSet<String>) -> Self {
        Self { known, given: BTreeSet::new(), next: HashMap::new() }
    }

    /// This name, or with the first number from 2 on that makes it a new one. None for a name that breaks the rules.
    pub(super) fn give(&mut self, name: &str) -> Option<EntryName> {
        let mut wanted = name.to_owned();
        let number = self.next.entry(name.to_owned()).or_insert(2);
        while self.known.contains(&wanted) || self.given.contains(&wanted) {
            wanted = with_suffix(name, &number.to_string());
            *number += 1;
        }
        self.given.insert(wanted.clone());
        EntryName::new(&wanted).ok()
    }
}
