//! How text is put: in colour or not, and how wide. Colour only repeats what the text says, so that nothing is lost
//! without it; where no width is given, lines are as long as they are, so that a log can be searched.

use std::borrow::Cow;
use std::fmt;

use anstyle::{AnsiColor, Effects};

/// How text is coloured, and how wide its lines may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    coloured: bool,
    columns: Option<usize>,
}

/// What a piece of text is for; the colour follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// The line that names what follows.
    Heading,
    /// Something comes up, or went well.
    Up,
    /// Something goes down or leaves.
    Down,
    /// Something changes.
    Change,
    /// Something went wrong or cannot be done.
    Trouble,
    /// Something to know before going on.
    Caution,
    /// Something that matters less.
    Aside,
}

impl Style {
    /// No colour at all: not one escape sequence.
    #[must_use]
    pub fn plain() -> Self {
        Self { coloured: false, columns: None }
    }

    /// The sixteen colours that every terminal has.
    #[must_use]
    pub fn coloured() -> Self {
        Self { coloured: true, columns: None }
    }

    /// The same, with lines that are broken between words to fit so many columns, as far as their words allow it.
    #[must_use]
    pub fn within(self, columns: Option<usize>) -> Self {
        Self { columns, ..self }
    }

    /// How wide lines may be, if that matters.
    #[must_use]
    pub fn columns(self) -> Option<usize> {
        self.columns
    }

    /// The lines of a text that stands `indent` columns from the left. Those after the first have two columns less.
    /// The text holds no line break and no colour.
    #[must_use]
    pub fn lines(self, text: &str, indent: usize) -> Vec<Cow<'_, str>> {
        match self.columns.map(|columns| columns.saturating_sub(indent)) {
            Some(room) if text.len() > room => textwrap::wrap(
                text,
                // Names and ids are never broken: they have to be found and copied.
                textwrap::Options::new(room.max(20))
                    .subsequent_indent("  ")
                    .break_words(false)
                    .word_splitter(textwrap::WordSplitter::NoHyphenation),
            ),
            _ => vec![Cow::Borrowed(text)],
        }
    }

    /// The text in its colour.
    #[must_use]
    pub fn paint<T: fmt::Display>(self, ink: Ink, text: T) -> Painted<T> {
        let style = if self.coloured { ink.style() } else { anstyle::Style::new() };
        Painted { style, text }
    }
}

impl Ink {
    fn style(self) -> anstyle::Style {
        let plain = anstyle::Style::new();
        match self {
            Self::Heading => plain.effects(Effects::BOLD),
            Self::Up => plain.fg_color(Some(AnsiColor::Green.into())),
            Self::Down => plain.fg_color(Some(AnsiColor::Red.into())),
            Self::Change | Self::Caution => plain.fg_color(Some(AnsiColor::Yellow.into())),
            Self::Trouble => plain.fg_color(Some(AnsiColor::Red.into())).effects(Effects::BOLD),
            Self::Aside => plain.effects(Effects::DIMMED),
        }
    }
}

/// Text in its colour, made by [`Style::paint`].
#[derive(Debug, Clone, Copy)]
pub struct Painted<T> {
    style: anstyle::Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.text, self.style.render_reset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_holds_no_escape_sequence_and_coloured_text_ends_its_colour() {
        assert_eq!(Style::plain().paint(Ink::Trouble, "db").to_string(), "db");
        assert_eq!(Style::coloured().paint(Ink::Up, "db").to_string(), "\u{1b}[32mdb\u{1b}[0m");
    }
    #[test]
    fn lines_break_between_words_by_their_columns_and_names_stay_whole() {
        let style = Style::plain().within(Some(30));
        assert_eq!(style.lines("no longer than it may be", 4), ["no longer than it may be"]);
        assert_eq!(
            style.lines("it is longer than it may be here", 8),
            ["it is longer than it", "  may be here"]
        );
        // Twenty columns of ten characters, which take twice the room that their number says.
        assert_eq!(
            style.lines("数据库数据库数据 数据库数据库数据", 8),
            ["数据库数据库数据", "  数据库数据库数据"]
        );
        assert_eq!(
            style.lines("app[i-bp1app000000000000001] waits", 8),
            ["app[i-bp1app000000000000001]", "  waits"]
        );
        let long = "as long as it is ".repeat(20);
        assert_eq!(Style::plain().lines(&long, 8), [long.as_str()]);
    }
}
