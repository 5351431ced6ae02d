//! The part of a source line that fits on the screen, made harmless, with the place still marked.

use std::borrow::Cow;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use crate::render::login::login;
use crate::render::visible::visible;

const CUT: &str = "...";

/// A line for the screen, and the bytes of it that are meant.
pub(super) struct Excerpt {
    pub(super) line: String,
    pub(super) span: Range<usize>,
}

/// One character of the source as it is shown.
struct Shown<'s> {
    bytes: Range<usize>,
    text: Cow<'s, str>,
}

impl Shown<'_> {
    fn width(&self) -> usize {
        self.text.width()
    }
}

/// The line that holds the beginning of `span`, cut to `width` columns around it, and without the login of a URL in it.
/// Looks at no more of the source than could be shown.
pub(super) fn around(source: &[u8], span: &Range<usize>, width: usize) -> Excerpt {
    let start = span.start.min(source.len());
    let mut before = shown_before(source, start, width);
    let mut after = shown_after(source, start, width);
    hide_login(source, &mut before, &mut after);
    // A third of the line for what stands before, more if little follows.
    let follows: usize = after.iter().map(Shown::width).sum();
    let (before, cut_before) = fit(before.into_iter().rev(), (width / 3).max(width.saturating_sub(follows)));
    let taken = before.iter().map(Shown::width).sum::<usize>() + if cut_before { CUT.len() } else { 0 };
    let (after, cut_after) = fit(after.into_iter(), width.saturating_sub(taken).max(CUT.len() + 1));

    let mut line = String::new();
    if cut_before {
        line.push_str(CUT);
    }
    for shown in before.iter().rev() {
        line.push_str(&shown.text);
    }
    let marked_from = line.len();
    let mut marked_to = marked_from;
    for shown in &after {
        line.push_str(&shown.text);
        if shown.bytes.start < span.end {
            marked_to = line.len();
        }
    }
    if cut_after {
        line.push_str(CUT);
    }
    Excerpt { line, span: marked_from..marked_to }
}

/// What goes to a screen ends up in the logs of whatever ran there, which is no place for a password.
fn hide_login<'s>(source: &[u8], before: &mut [Shown<'s>], after: &mut [Shown<'s>]) {
    let Some(begin) = before.iter().chain(&*after).next().map(|first| first.bytes.start) else { return };
    let end = after.iter().chain(&*before).map(|shown| shown.bytes.end).max().unwrap_or(begin);
    let Some(login) = login(source.get(begin..end).unwrap_or_default()) else { return };
    let hidden = begin + login.start..begin + login.end;
    for shown in before.iter_mut().chain(after) {
        if hidden.contains(&shown.bytes.start) {
            shown.text = Cow::Borrowed("*");
        }
    }
}

/// As many as fit into `width` columns, and whether some did not.
fn fit<'s>(shown: impl Iterator<Item = Shown<'s>>, width: usize) -> (Vec<Shown<'s>>, bool) {
    let all: Vec<Shown<'s>> = shown.collect();
    let total: usize = all.iter().map(Shown::width).sum();
    if total <= width {
        return (all, false);
    }
    let mut left = width.saturating_sub(CUT.len());
    let fitting = all
        .into_iter()
        .take_while(|shown| {
            let fits = shown.width() <= left;
            left = left.saturating_sub(shown.width());
            fits
        })
        .collect();
    (fitting, true)
}

/// The characters from `start` to the end of its line, at most a few more than `width`.
fn shown_after(source: &[u8], start: usize, width: usize) -> Vec<Shown<'_>> {
    let rest = source.get(start..).unwrap_or_default();
    let rest = rest.get(..longest(width)).unwrap_or(rest);
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = match line.split_last() {
        Some((b'\r', line)) if line.len() < rest.len() => line,
        _ => line,
    };
    shown(line, start)
}

/// The characters of the line before `start`, at most a few more than `width`.
fn shown_before(source: &[u8], start: usize, width: usize) -> Vec<Shown<'_>> {
    let mut from = start.saturating_sub(longest(width));
    // Not in the middle of a character.
    while from < start && source.get(from).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {
        from += 1;
    }
    let before = source.get(from..start).unwrap_or_default();
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let mark = b"\xef\xbb\xbf";
    let at = start - line.len();
    match line.strip_prefix(mark) {
        Some(line) if at == 0 => shown(line, mark.len()),
        _ => shown(line, at),
    }
}

/// How many bytes hold more than `width` columns: no character is longer than four bytes.
fn longest(width: usize) -> usize {
    width.saturating_add(2).saturating_mul(4)
}

fn shown(bytes: &[u8], offset: usize) -> Vec<Shown<'_>> {
    let mut at = offset;
    let mut all = Vec::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().split_inclusive(|_| true) {
            all.push(Shown { bytes: at..at + character.len(), text: visible(character) });
            at += character.len();
        }
        for byte in chunk.invalid() {
            all.push(Shown { bytes: at..at + 1, text: Cow::Owned(format!("\\x{byte:02x}")) });
            at += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(source: &[u8], span: Range<usize>, width: usize) -> (String, String) {
        let Excerpt { line, span } = around(source, &span, width);
        let marked = line[span].to_owned();
        (line, marked)
    }

    #[test]
    fn short_lines_are_shown_whole() {
        assert_eq!(cut(b"a\nid: x y\r\nb", 6..7, 40), ("id: x y".into(), "x".into()));
        assert_eq!(cut(b"", 0..1, 40), (String::new(), String::new()));
        assert_eq!(cut(b"a\n", 2..3, 40), (String::new(), String::new()));
        assert_eq!(cut(b"a", 900..901, 40), ("a".into(), String::new()));
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let line = format!("{}HERE{}", "a".repeat(1_000_000), "b".repeat(1_000_000));
        let (line, marked) = cut(line.as_bytes(), 1_000_000..1_000_004, 40);
        assert_eq!(marked, "HERE");
        assert_eq!(line, "...aaaaaaaaaaHEREbbbbbbbbbbbbbbbbbbbb...");
        let all = "x".repeat(1000);
        let (line, marked) = cut(all.as_bytes(), 0..1000, 40);
        assert_eq!((line.len(), marked.len()), (40, 37));
        let (line, marked) = cut(all.as_bytes(), 999..1000, 40);
        assert_eq!((line.len(), marked.as_str()), (40, "x"));
    }

    #[test]
    fn the_login_of_a_url_is_hidden_and_the_mark_stays_in_place() {
        let line = b"a\nx: \"https://u:p\xc3\xa9@host\" # y\nb: c@d";
        assert_eq!(
            cut(line, 5..25, 60),
            ("x: \"https://****@host\" # y".into(), "\"https://****@host\"".into())
        );
        assert_eq!(cut(line, 28..29, 60), ("x: \"https://****@host\" # y".into(), "y".into()));
        assert_eq!(cut(b"a: bcd", 3..6, 60).0, "a: bcd");
    }

    #[test]
    fn what_could_disturb_the_screen_is_shown_and_the_mark_stays_in_place() {
        assert_eq!(cut(b"a: \x1b[2J\tid", 8..10, 60), ("a: \\u{1b}[2J\\tid".into(), "id".into()));
        assert_eq!(cut(b"a: \xff\xfe", 3..4, 60), ("a: \\xff\\xfe".into(), "\\xff".into()));
        assert_eq!(cut("数据: é".as_bytes(), 8..10, 60), ("数据: é".into(), "é".into()));
        assert_eq!(cut(b"\xef\xbb\xbfid: x", 7..8, 60), ("id: x".into(), "x".into()));
    }
}
