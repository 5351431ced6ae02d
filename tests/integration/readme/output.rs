//! Compares what is shown with what was printed, without what differs from run to run.

use crate::volatile;

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
        let is_patience = line.contains(": Still ") && line.contains(" elapsed]");
        (!line.trim().is_empty() && !is_patience).then(|| volatile::replaced(line))
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
