//! What differs from run to run in what is printed, replaced by words that stay the same.

/// A line with words in the place of times, durations, generated ids and numbers of processes.
pub(crate) fn replaced(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.trim_end();
    while let Some(first) = rest.chars().next() {
        let end = if is_of_a_word(first) {
            rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(end);
        out.push_str(&word_replaced(&out, word));
        rest = after;
    }
    out
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | ':' | '.' | '_')
}

/// What stands for a word, given what is before it.
fn word_replaced(before: &str, word: &str) -> String {
    let core = word.trim_matches(|c| matches!(c, ':' | '.' | '-'));
    let is_number = core.parse::<f64>().is_ok();
    let leading = word.len() - word.trim_start_matches([':', '.', '-']).len();
    let before_core = format!("{before}{}", &word[..leading]);
    let after = |lead: &str| before_core.ends_with(lead);
    let value_of = |key: &str| after(&format!("\"{key}\":")) || after(&format!("\"{key}\": "));
    let in_escape_sequence = before
        .rsplit_once("\u{1b}[")
        .is_some_and(|(_, parameters)| parameters.chars().all(|c| c.is_ascii_digit() || c == ';'));
    let name = if in_escape_sequence {
        return word.to_owned();
    } else if has_shape(core, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh") {
        "ID"
    } else if is_duration(core) {
        "DURATION"
    } else if has_shape(core, "9999-99-99") {
        "DATE"
    } else if has_shape(core, "99:99") || is_moment(core) || (has_shape(core, "9999") && after("DATE ")) {
        "TIME"
    } else if is_number && (after("serial ") || value_of("serial") || is_measured(&before_core)) {
        "NUMBER"
    } else if let Some(port) = core.strip_prefix("127.0.0.1:")
        && after("http://")
        && port.len() == 5
    {
        return word.replacen(port, "PORT", 1);
    } else if is_number && (after("(process ") || value_of("pid")) {
        "PROCESS"
    } else {
        return word.to_owned();
    };
    word.replacen(core, name, 1)
}

/// Whether what comes next is a time in seconds that was measured: the value of a key, or in its list.
fn is_measured(before: &str) -> bool {
    before
        .rsplit_once("_seconds\":")
        .is_some_and(|(_, since)| since.replace("NUMBER,", "").chars().all(|c| matches!(c, '[' | ' ')))
}

/// Whether a text has this shape, in which `9` stands for a digit and `h` for a hexadecimal one.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.chars().zip(shape.chars()).all(|(c, shape)| match shape {
            '9' => c.is_ascii_digit(),
            'h' => c.is_ascii_hexdigit(),
            other => c == other,
        })
}

fn is_duration(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(['s', 'm', 'h'])
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 's' | 'm' | 'h'))
}

/// As in `2026-11-23T15:56:40.123Z`.
fn is_moment(text: &str) -> bool {
    text.ends_with('Z')
        && text.get(..19).is_some_and(|to_the_second| has_shape(to_the_second, "9999-99-99T99:99:99"))
}

#[test]
fn only_what_differs_from_run_to_run_is_replaced() {
    for (line, expected) in [
        (
            "db: Running after 4.5s [request 04CD5A4F-83FD-4ED2-9885-EEDB6C50DF45]",
            "db: Running after DURATION [request ID]",
        ),
        ("since the last apply 2026-11-23 16:02 UTC", "since the last apply DATE TIME UTC"),
        // Mermaid takes no colon in a description.
        ("Looked at on 2026-11-23 1602 UTC, 1602", "Looked at on DATE TIME UTC, 1602"),
        ("8 entries, i-bp1db0000000000001, 1 of 7", "8 entries, i-bp1db0000000000001, 1 of 7"),
        (
            r#"{"@timestamp":"2026-11-23T15:56:40.5Z","elapsed_seconds":0.25,"n":1}"#,
            r#"{"@timestamp":"TIME","elapsed_seconds":NUMBER,"n":1}"#,
        ),
        (
            "\u{1b}[1;31mError\u{1b}[0m after 1s\u{1b}[0m",
            "\u{1b}[1;31mError\u{1b}[0m after DURATION\u{1b}[0m",
        ),
        (
            r#"{"start_seconds": [0.25,0.5],"stop_seconds":[],"serial":2,"x":[1]}"#,
            r#"{"start_seconds": [NUMBER,NUMBER],"stop_seconds":[],"serial":NUMBER,"x":[1]}"#,
        ),
        (
            "at http://127.0.0.1:34567, or http://127.0.0.1:99",
            "at http://127.0.0.1:PORT, or http://127.0.0.1:99",
        ),
        (
            "serial 3, (process 17 on host, since 2026-11-23T15:56:40Z, 10m): 3m5s.",
            "serial NUMBER, (process PROCESS on host, since TIME, DURATION): DURATION.",
        ),
    ] {
        assert_eq!(replaced(line), expected);
    }
}
