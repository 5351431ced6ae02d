//! Makes text harmless in the languages that others display: one function for each of them, and no other place.
//!
//! All of them first make visible what would be obeyed on a terminal ([`visible`]), so that none of it gets through
//! them either. None of them cuts: that is for [`words::short`](super::words::short), before.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::visible::visible;

/// For text and quoted attributes in XML, SVG and HTML.
#[must_use]
pub fn xml(text: &str) -> Cow<'_, str> {
    // These two are no characters of XML at all, not even as references.
    let is_special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\u{fffe}' | '\u{ffff}');
    let text = visible(text);
    if !text.contains(is_special) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// For the inside of a string in double quotes in DOT, also as a label, where graphviz reads escapes and entities.
#[must_use]
pub fn dot(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

/// For the inside of a label in double quotes in mermaid. Mermaid reads labels as Markdown and as HTML, and shows
/// `#NNN;` as the character of that number, after all of its other readings: whatever could mean something is written so.
#[must_use]
pub fn mermaid(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        let is_plain = match c {
            ' ' | ',' => true,
            // Within a word these mean nothing.
            '-' | '.' | '_' => before.is_alphanumeric() && after.is_alphanumeric(),
            _ => !c.is_ascii() || c.is_ascii_alphanumeric(),
        };
        if is_plain {
            out.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "#{};", u32::from(c));
        }
        before = c;
    }
    out
}

/// For running text in Markdown as GitHub and GitLab read it, also in the cell of a table. Nothing in it is a mention, a
/// reference or a link; a word joiner, which takes no room, stands where one would begin. What begins a line must not
/// come from elsewhere.
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    let mut word = String::new();
    while let Some(c) = rest.next() {
        if matches!(
            c,
            '\\' | '`'
                | '*'
                | '_'
                | '{'
                | '}'
                | '['
                | ']'
                | '<'
                | '>'
                | '#'
                | '!'
                | '|'
                | '~'
                | '&'
                | '@'
                | '$'
                | '^'
        ) {
            out.push('\\');
        }
        out.push(c);
        let begins = match c {
            '@' | '#' | '!' | '~' | '%' | '&' | '$' | '^' | ':' => true,
            '.' => word.eq_ignore_ascii_case("www"),
            '-' => word.eq_ignore_ascii_case("gh"),
            _ => false,
        };
        if begins && rest.peek().is_some_and(|next| !next.is_whitespace()) {
            out.push('\u{2060}');
        }
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else {
            word.clear();
        }
    }
    out
}

/// For a name in Markdown: a code span, in which nothing means anything. Text that could end the span, or the cell that it
/// stands in, stands as running text instead.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    let shown = visible(text);
    if shown.trim().is_empty() || shown.contains(['`', '|', '\\']) {
        markdown(text)
    } else {
        format!("`{shown}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures::{assert_harmless, hostile, hostile_pieces};

    #[test]
    fn plain_words_stay_as_they_are_in_every_language() {
        for text in ["db", "web-shop", "app.eu_1", "2 start, 1 blocked", "数据库", "Stopped → Running"] {
            assert_eq!(xml(text), text);
            assert_eq!(dot(text), text);
            assert_eq!(mermaid(text), text);
            assert_eq!(markdown_code(text), format!("`{text}`"));
        }
        assert_eq!(markdown("it is Stopped, as wanted"), "it is Stopped, as wanted");
    }

    #[test]
    fn what_means_something_is_written_as_what_means_itself() {
        assert_eq!(xml("</script>'\"&\u{ffff}"), "&lt;/script&gt;&#39;&quot;&amp;\u{fffd}");
        assert_eq!(xml("]]>-->"), "]]&gt;--&gt;");
        assert_eq!(dot("a\"b\\N&lt;\n"), "a\\\"b\\\\N&amp;lt;\\\\n");
        assert_eq!(mermaid("\"]end; #1 <b> `"), "#34;#93;end#59; #35;1 #60;b#62; #96;");
        assert_eq!(mermaid("1. a - b *c* _d_"), "1#46; a #45; b #42;c#42; #95;d#95;");
        assert_eq!(markdown("a|b `c` <d> *e*"), "a\\|b \\`c\\` \\<d\\> \\*e\\*");
        assert_eq!(
            markdown("@you #1 !2 https://x www.y a@b"),
            "\\@\u{2060}you \\#\u{2060}1 \\!\u{2060}2 https:\u{2060}//x www.\u{2060}y a\\@\u{2060}b"
        );
        assert_eq!(markdown_code("a|b"), "a\\|b");
        assert_eq!(markdown_code("a`b"), "a\\`b");
        assert_eq!(markdown_code(" "), " ");
    }

    #[test]
    fn nothing_hostile_ends_what_it_stands_in() {
        for text in hostile_pieces().into_iter().map(ToOwned::to_owned).chain([hostile()]) {
            let text: String = text.chars().take(500).collect();
            for out in
                [xml(&text).into_owned(), dot(&text), mermaid(&text), markdown(&text), markdown_code(&text)]
            {
                assert_harmless(&out.replace('\u{2060}', ""));
                assert!(!out.contains('\n'), "{out:?}");
            }
            assert!(!xml(&text).contains(['<', '>', '"', '\'']));
            assert!(!mermaid(&text).contains(['"', '<', '>', '`', '[', ']', '{', '}', '|', '\\', '@', '&']));
            let dot = dot(&text);
            assert!(!dot.replace("\\\\", "").replace("\\\"", "").contains(['"', '\\']), "{dot}");
            let markdown = markdown(&text);
            let bare = markdown.replace("\\\\", "");
            for (at, c) in bare.char_indices().filter(|(_, c)| "`|<>[]*_@#".contains(*c)) {
                assert!(bare[..at].ends_with('\\'), "{c} stands bare in {markdown}");
            }
            assert!(!markdown.contains("://") && !markdown.contains("www.e"), "{markdown}");
        }
    }
}
