//! Files made to hurt. Each ends with an error and within the limits that the test's own time and memory set.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::config::LARGEST_SOURCE;

#[test]
fn what_is_not_text_is_refused_with_its_place() {
    for (bytes, message) in [
        (&b"stack: s\nx: \xff"[..], "2:4 the file is not UTF-8: byte 0xff at offset 12 is not valid there"),
        (b"stack: \xc3", "1:8 the file is not UTF-8: byte 0xc3 at offset 7 is not valid there"),
        (b"stack: a\0b", "1:9 the file holds a NUL byte at offset 8: it is not YAML"),
        (b"\xff\xfes\0t\0", "1:1 the file is UTF-16, not UTF-8"),
        (b"", "1:1 the file is empty"),
        (b"\n# nothing\n\n", "4:1 the file is empty"),
        (b"\xef\xbb\xbf", "1:1 the file is empty"),
        (b"---\n", "1:4 the file is empty"),
        (b"a: 1\n---\nb: 2\n", "3:1 a second YAML document begins here, and a file may hold only one"),
        (b"[1, 2]", "1:1 the document must be a mapping, and this is a list"),
        (b"stack", "1:1 the document must be a mapping, and this is text"),
    ] {
        assert_eq!(found(bytes), [message], "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_file_that_is_too_large_is_not_even_looked_at() {
    let text = vec![b'{'; LARGEST_SOURCE + 1];
    assert_eq!(found(text), ["1:1 the file is too large: 33554433 bytes, and at most 32 MiB are read"]);
}

#[test]
fn deep_nesting_is_refused() {
    let levels = 20_000;
    let blocks = (0..3000).fold(String::new(), |mut text, depth| {
        let _ = writeln!(text, "{}a:", " ".repeat(depth));
        text
    });
    for text in [
        "[".repeat(levels),
        "{".repeat(levels),
        "{a: ".repeat(levels),
        "- ".repeat(levels),
        "? ".repeat(levels),
        "[".repeat(levels) + &"]".repeat(levels),
        blocks,
    ] {
        let found = found(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with("the file is nested deeper than 32 levels"), "{found:?}");
    }
}

#[test]
fn anchors_that_unfold_to_billions_are_refused() {
    let list = |item: &str| [item; 10].join(", ");
    let mut lists = format!("a0: &a0 [{}]\n", list("x"));
    let mut merges = "a0: &a0 {k: v}\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        let _ = writeln!(lists, "a{level}: &a{level} [{}]", list(&below));
        let _ = writeln!(
            merges,
            "a{level}: &a{level} {{ x: {below}, y: {below}, z: {{ <<: {below}, b: {below} }} }}"
        );
    }
    for text in [lists, merges] {
        let found = found(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with("the file unfolds to far more than its size allows"), "{found:?}");
    }
    assert_eq!(found("a: &a [*a]"), ["1:8 this alias stands inside of its own anchor"]);
}

#[test]
fn one_anchor_may_serve_thousands_of_entries() {
    let mut text =
        "stack: s\ninstances:\n  first: &all { id: i-first, status: Running, timeouts: { start: 1m } }\n"
            .to_owned();
    for number in 0..5000 {
        let _ = writeln!(text, "  n{number}: {{ <<: *all, id: i-{number} }}");
    }
    assert_eq!(accepted(text).desired.entries.len(), 5001);
}

#[test]
fn a_large_fleet_may_share_an_anchor_that_holds_all_that_its_entries_have_in_common() {
    let mut text = "stack: s\ninstances:\n  db: { id: i-db, status: Running }\n  first: &all { id: i-first, \
                    status: Running, timeouts: { start: 10m, stop: 20m, ready: 5m }, \
                    stop: { mode: KeepCharging, force: false }, depends_on: [db], prevent_stop: false }\n"
        .to_owned();
    for number in 0..15_000 {
        let _ = writeln!(text, "  n{number}: {{<<: *all, id: i-{number}}}");
    }
    assert_eq!(accepted(text).desired.entries.len(), 15_002);
}

#[test]
fn a_mistake_behind_an_anchor_is_told_once() {
    let mut text = "stack: s\ninstances:\n  first: &all { id: i-first, status: Runing }\n".to_owned();
    for number in 0..100 {
        let _ = writeln!(text, "  n{number}: {{ <<: *all, id: i-{number} }}");
    }
    assert_eq!(found(text), ["3:38 `status` must be Running, Stopped or Any, and this is \"Runing\""]);
}

#[test]
fn thousands_of_problems_are_all_counted_and_end_soon() {
    let mut text = "stack: s\ninstances:\n".to_owned();
    for number in 0..20_000 {
        let _ = writeln!(text, "  n{number}: {{ id: i-{number}, status: Running, depends_on: [m{number}] }}");
    }
    let problems = read_text(text).unwrap_err();
    assert_eq!(problems.errors(), 20_000);
    assert_eq!(problems.iter().len(), 10_000);
}

#[test]
fn quotations_are_cut() {
    let long = "x".repeat(1_000_000);
    for text in [
        format!("stack: {long}!"),
        format!(
            "stack: s\ninstances: {{ a: {{ id: {long}, status: {long}, timeouts: {{ start: {long} }} }} }}"
        ),
        format!(
            "stack: s\ninstances: {{ a: {{ id: i-a, status: any, depends_on: [{long}], at_once: 1{} }} }}",
            "0".repeat(1000)
        ),
        format!("\"{}\": s", &long[..900]),
        format!("stack: s\nprovider: {{ endpoint: \"{long}\", simulator: \"{long}\\n\" }}"),
    ] {
        for problem in &read_text(text).unwrap_err() {
            assert!(problem.message.len() < 300, "{}", problem.message);
            assert!(problem.label.len() < 300 && problem.help.as_ref().is_none_or(|help| help.len() < 300));
        }
    }
}

/// The parts from which mistakes are put together below.
const PARTS: &[&str] = &[
    "stack: s\n",
    "instances:\n",
    "  a:\n",
    "    id: i-a\n",
    "    ids: [i-b, i-c]\n",
    "    status: Running\n",
    "    status: stopped\n",
    "    depends_on: [a, b]\n",
    "    depends_on: { a: {}, b: { required: false } }\n",
    "  b: {id: i-d, status: any}\n",
    "  <<: *x\n",
    "  c: &x {id: i-e}\n",
    "defaults: {stop: {force: yes}}\n",
    "provider:\n",
    "  endpoint: http://x\n",
    "  simulator: |\n",
    "    \u{1b}\n",
    "? [a]\n: b\n",
    "\t",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ": ",
    "#",
    "&a ",
    "*a",
    "!!int ",
    "!x ",
    "---\n",
    "...\n",
    "\u{feff}",
    "\u{0}",
    "é数",
    "\r",
    ">\n",
    "|-\n",
    "${x}",
    "null",
    "~",
    "1.10",
    "at_once: 0\n",
    "%YAML 1.2\n",
    "\u{2028}",
    "\u{85}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_places(bytes);
    }

    #[test]
    fn any_mixture_of_the_language_is_read_or_refused(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..25)
    ) {
        check_places(parts.concat().into_bytes());
    }

    #[test]
    fn a_valid_file_with_a_few_bytes_changed_is_read_or_refused(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0_usize..4), 1..6)
    ) {
        let mut bytes = crate::config::TEMPLATE.as_bytes().to_vec();
        for (at, byte, removed) in changes {
            let at = at.index(bytes.len());
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, [byte]);
        }
        check_places(bytes);
    }
}

/// Reads and asks that every problem has a place that exists.
fn check_places(bytes: Vec<u8>) {
    let sources = [source(&bytes)];
    let problems = match read(&sources) {
        Ok(configuration) => configuration.warnings,
        Err(problems) => {
            assert!(problems.errors() > 0);
            problems
        }
    };
    let line_count = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    let mut last = 0;
    for problem in &problems {
        let places = problem.related.iter().map(|related| &related.place).chain([&problem.place]);
        for place in places {
            assert!(place.span.start <= bytes.len() && place.span.start <= place.span.end, "{place:?}");
            assert!(place.line >= 1 && place.line <= line_count && place.column >= 1, "{place:?}");
        }
        assert!(problem.place.span.start >= last, "problems are sorted");
        last = problem.place.span.start;
    }
}
