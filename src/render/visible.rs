//! Makes text from elsewhere harmless on a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything visible that could repaint a terminal or reorder a line: control characters (line breaks
/// and tabs too) and Unicode's invisible formatting characters stand as `\u{1b}`-style escapes.
///
/// Every name, message or link that ECS or a file supplies goes through here before it is printed.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character could repaint a terminal or reorder a line.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_are_shown_and_not_obeyed() {
        assert_eq!(visible("数据库 db"), "数据库 db");
        assert_eq!(visible("\u{1b}[2Jdb"), "\\u{1b}[2Jdb");
        assert_eq!(visible("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(visible("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(visible("\u{9b}31m"), "\\u{9b}31m");
    }
}
