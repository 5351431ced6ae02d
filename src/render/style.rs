//! Colour, or none. Colour only repeats what the text says, so that nothing is lost without it.

use std::fmt;

use anstyle::{AnsiColor, Effects};

/// How text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    coloured: bool,
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
        Self { coloured: false }
    }

    /// The sixteen colours that every terminal has.
    #[must_use]
    pub fn coloured() -> Self {
        Self { coloured: true }
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
}
