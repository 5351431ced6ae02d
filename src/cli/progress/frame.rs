//! What stands at the bottom of a terminal while an apply runs, for any size of terminal. Pure: nothing is drawn here.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::board::Board;

/// The most instances in transition that are listed.
pub(super) const LISTED: usize = 8;

/// The cells of the bar, where there is room for them.
const BAR: usize = 24;

/// A bar with fewer cells says nothing.
const SHORTEST_BAR: usize = 6;

/// Left free at the right edge, so that the `^C` or `^Z` that a terminal echoes stays in its line.
const ECHO: usize = 2;

/// The lines of a frame: the whole apply in one or two, then the instances in transition, the oldest first. None of
/// them is wider than the terminal, and there is always a row left above them.
pub(super) fn frame(board: &Board, columns: usize, rows: usize) -> Vec<String> {
    let room = columns.saturating_sub(ECHO).max(1);
    let mut lines = overall(board, room);
    lines.truncate(rows.saturating_sub(1).max(1));
    let left = rows.saturating_sub(1 + lines.len());
    let moving = board.moving();
    let listed = if moving > LISTED.min(left) { LISTED.min(left.saturating_sub(1)) } else { moving };
    lines.extend(list(&board.oldest(listed), room));
    if moving > listed && left > 0 {
        let more = if listed == 0 {
            format!("{moving} in transition")
        } else {
            format!("and {} more", moving - listed)
        };
        lines.push(cut(&format!("  {more}"), room));
    }
    lines
}

/// The whole apply: in one line where that is wide enough, else in two.
fn overall(board: &Board, room: usize) -> Vec<String> {
    let (done, counts, time) = (board.done_of_all(), board.counts(), board.time());
    let whole = format!("{done}, {}; {time}", counts.join(", "));
    // The bar, its brackets, and a blank.
    if let Some(cells) = room.checked_sub(whole.width() + 3).filter(|cells| *cells >= SHORTEST_BAR) {
        return vec![format!("{} {whole}", bar(board, cells.min(BAR)))];
    }
    let short = format!("{done}; {time}");
    let first = match room.checked_sub(short.width() + 3).filter(|cells| *cells >= SHORTEST_BAR) {
        Some(cells) => format!("{} {short}", bar(board, cells.min(BAR))),
        None if short.width() <= room => short,
        None => cut(&format!("{}; {}", done, board.elapsed()), room),
    };
    let telling: Vec<&str> =
        counts.iter().map(String::as_str).filter(|count| !count.starts_with("0 ")).collect();
    let all = counts.join(", ");
    let second = if all.width() <= room { all } else { cut(&telling.join(", "), room) };
    vec![first, second]
}

fn bar(board: &Board, cells: usize) -> String {
    let (ended, steps) = (board.ended(), board.steps().max(1));
    let full = (cells * ended / steps).min(cells);
    let head = if full < cells && full > 0 { ">" } else { "" };
    let body = "=".repeat(full - head.len());
    format!("[{:cells$}]", format!("{body}{head}"))
}

/// Names to the left, what holds for them to the right. Where both do not fit, names lose their middle before anything
/// is cut of what holds for them: ids differ at their ends.
fn list(entries: &[(String, String)], room: usize) -> Vec<String> {
    let widest = |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| text.width()).max().unwrap_or(0);
    let names = widest(&mut entries.iter().map(|(name, _)| name));
    let states = widest(&mut entries.iter().map(|(_, state)| state));
    // Two blanks before the name and two after it.
    let both = room.saturating_sub(4);
    let columns =
        if names + states <= both { names } else { both.saturating_sub(states).max(names.min(both / 2)) };
    entries
        .iter()
        .map(|(name, state)| {
            let name = without_middle(name, columns);
            let blanks = columns.saturating_sub(name.width());
            cut(&format!("  {name}{:blanks$}  {state}", ""), room)
        })
        .collect()
}

/// The text, cut to so many columns, with an ellipsis at its end.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    format!("{}…", prefix(text, columns.saturating_sub(1)))
}

/// The text, cut to so many columns, with an ellipsis in its middle.
fn without_middle(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let kept = columns.saturating_sub(1);
    let head = prefix(text, kept / 2);
    let mut width = 0;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        width += c.width().unwrap_or(0);
        if width > kept - head.width() {
            break;
        }
        from = at;
    }
    Cow::Owned(format!("{head}…{}", &text[from..]))
}

/// As much of the beginning as fits into so many columns.
fn prefix(text: &str, columns: usize) -> &str {
    let mut width = 0;
    for (at, c) in text.char_indices() {
        width += c.width().unwrap_or(0);
        if width > columns {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_and_names_keep_both_ends() {
        assert_eq!(cut("数据库主机", 10), "数据库主机");
        assert_eq!(cut("数据库主机", 9), "数据库主…");
        assert_eq!(cut("数据库主机", 8), "数据库…");
        assert_eq!(cut("db", 1), "…");
        assert_eq!(without_middle("app[i-bp1app000000000001]", 13), "app[i-…00001]");
        assert_eq!(without_middle("数据库主机", 7), "数…主机");
        assert_eq!(without_middle("db", 2), "db");
    }
}
