//! Compares what is shown with what was printed, without what differs from run to run.

/// What a command printed.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) out: String,
    pub(super) err: String,
}

/// Stands for any number of lines of the output.
const ELISION: &str = "...";

/// Compares. Results must be there in their order. The lines of stderr may stand anywhere among them, because the two
/// streams meet on a terminal only, and several things happen at once; but all must be there, unless lines are left
/// out.
pub(super) fn agree(shown: &[&str], printed: &Printed) -> Result<(), String> {
    let tidy = |line: &str| {
        // What takes unusually long on a busy machine is told again.
        let is_patience =
            line.contains(": still starting after ") || line.contains(": still stopping after ");
        (!line.trim().is_empty() && !is_patience).then(|| scrub(line))
    };
    let mut shown: Vec<String> = shown.iter().copied().filter_map(tidy).collect();
    let has_elision = shown.iter().any(|line| line == ELISION);
    for line in printed.err.lines().filter_map(tidy) {
        match shown.iter().position(|shown| *shown == line) {
            Some(position) => {
                shown.remove(position);
            }
            None if has_elision => {}
            None => return Err(format!("not shown: {line}")),
        }
    }
    let out: Vec<String> = printed.out.lines().filter_map(tidy).collect();
    let pieces: Vec<&[String]> = shown.split(|line| line == ELISION).collect();
    let mut rest = out.as_slice();
    for (index, piece) in pieces.iter().enumerate() {
        let is_last = index + 1 == pieces.len();
        let starts = if index == 0 { 0..=0 } else { 0..=rest.len().saturating_sub(piece.len()) };
        let fits = |start: &usize| {
            rest.get(*start..start + piece.len()) == Some(piece)
                && (!is_last || start + piece.len() == rest.len())
        };
        match starts.into_iter().find(fits) {
            Some(start) => rest = &rest[start + piece.len()..],
            None => return Err(format!("shown:\n{}\n\nprinted:\n{}", piece.join("\n"), rest.join("\n"))),
        }
    }
    Ok(())
}

/// Times, durations and ids that are new each time, as words that stay the same.
fn scrub(line: &str) -> String {
    let line = match line.split_once("\"@timestamp\":\"") {
        Some((before, after)) => {
            let after = after.split_once('"').map_or("", |(_, after)| after);
            format!("{before}\"@timestamp\":\"TIME\"{after}")
        }
        None => line.trim_end().to_owned(),
    };
    let words: Vec<String> = line.split(' ').map(scrub_word).collect();
    words.join(" ")
}

fn scrub_word(word: &str) -> String {
    let core = word.trim_matches(|c: char| matches!(c, '[' | ']' | '(' | ')' | ',' | ':' | ';' | '.'));
    let shape: String = core
        .chars()
        .map(|c| match c {
            '0'..='9' => '9',
            'a'..='f' | 'A'..='F' => 'x',
            other => other,
        })
        .collect();
    let is_duration = core.starts_with(|c: char| c.is_ascii_digit())
        && core.ends_with(['s', 'm', 'h'])
        && core.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 's' | 'm' | 'h'));
    let is_uuid = core.len() == 36
        && core.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && core.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    let replacement = match shape.as_str() {
        _ if is_uuid => "ID",
        _ if is_duration => "DURATION",
        "9999-99-99" => "DATE",
        "99:99" => "TIME",
        _ => return word.to_owned(),
    };
    word.replacen(core, replacement, 1)
}

#[test]
fn only_what_differs_from_run_to_run_is_taken_out() {
    for (line, scrubbed) in [
        (
            "db: Running after 4.5s [request 04CD5A4F-83FD-4ED2-9885-EEDB6C50DF45]",
            "db: Running after DURATION [request ID]",
        ),
        ("since the last apply 2026-11-23 16:02 UTC", "since the last apply DATE TIME UTC"),
        ("8 entries, i-bp1db0000000000001, 1 of 7", "8 entries, i-bp1db0000000000001, 1 of 7"),
        (
            r#"{"@timestamp":"2026-11-23T15:56:40Z","type":"version"}"#,
            r#"{"@timestamp":"TIME","type":"version"}"#,
        ),
    ] {
        assert_eq!(scrub(line), scrubbed);
    }
}

#[test]
fn other_lines_missing_lines_and_another_order_are_differences() {
    let printed = |out: &str, err: &str| Printed { out: out.to_owned(), err: err.to_owned() };
    let plan = printed("a\nb\n\nc\n", "x after 2s\ny\n");
    for (shown, agrees) in [
        (vec!["a", "y", "b", "x after 3.1s", "c"], true),
        (vec!["a", "b", "y", "x after 3.1s"], false),
        (vec!["b", "a", "c", "x after 2s", "y"], false),
        (vec!["a", "b", "c", "x after 2s"], false),
        (vec!["a", "b", "c", "d", "x after 2s", "y"], false),
        (vec!["a", "...", "c"], true),
        (vec!["...", "b", "..."], true),
        (vec!["a", "..."], true),
        (vec!["a", "...", "b"], false),
        (vec!["...", "d", "..."], false),
    ] {
        assert_eq!(agree(&shown, &plan).is_ok(), agrees, "{shown:?}");
    }
}
