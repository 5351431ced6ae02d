//! Forty machines: layers that start and layers that stop, some of them a few at a time, some in one request.

use std::fmt::Write as _;

/// How many of them have to be called.
pub(super) const CALLS: usize = 35;

/// Calls of more machines than this go in one request.
pub(super) const PROVIDER: &str = "batch_above: 5";

/// Each entry: its name, its machines, what they are, what they shall be, and the rest of it.
const ENTRIES: [(&str, usize, &str, &str, &str); 10] = [
    ("base", 9, "Stopped", "Running", ""),
    ("mid", 6, "Stopped", "Running", "at_once: 3, depends_on: [base]"),
    ("leaf", 5, "Stopped", "Running", "depends_on: { mid: {}, one: { required: false } }"),
    ("one", 1, "Stopped", "Running", "depends_on: [steady]"),
    ("two", 1, "Stopped", "Running", "depends_on: [one]"),
    ("three", 1, "Stopped", "Running", "depends_on: [two, base]"),
    ("front", 4, "Running", "Stopped", "depends_on: [back]"),
    ("back", 8, "Running", "Stopped", ""),
    ("steady", 3, "Running", "Running", ""),
    ("foreign", 2, "Stopped", "Any", ""),
];

/// What follows the head of the account file, but for faults.
pub(super) fn account() -> String {
    let mut text = "instances:\n".to_owned();
    for (number, (id, status)) in ENTRIES
        .iter()
        .flat_map(|(name, count, status, ..)| (0..*count).map(move |nth| (id(name, nth), status)))
        .enumerate()
    {
        // They take their time, each its own; and some so long that the next apply meets them on their way.
        let longer = if number % 3 == 0 { 600 } else { 0 };
        let (start, stop) = (20 + number * 7 % 50 + longer, 10 + number * 5 % 40 + longer);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - {{ id: {id}, status: {status}, start: {start}ms, stop: {stop}ms }}");
    }
    text
}

/// What follows the provider in the configuration.
pub(super) fn configuration() -> String {
    let mut text = "instances:\n".to_owned();
    for (name, count, _, goal, rest) in ENTRIES {
        let ids: Vec<String> = (0..count).map(|nth| id(name, nth)).collect();
        let _ = writeln!(text, "  {name}: {{ ids: [{}], status: {goal}, {rest} }}", ids.join(", "));
    }
    text.replace(",  }", " }")
}

fn id(entry: &str, nth: usize) -> String {
    format!("i-{entry}{nth}")
}
