//! Draws frames at the bottom of a terminal, and lines that scroll up above them.

use std::fmt;
use std::io::Write;

use unicode_width::UnicodeWidthStr as _;

/// Clears from the cursor to the end of its line.
const CLEAR_LINE: &str = "\u{1b}[K";

/// Clears from the cursor to the end of the screen.
const CLEAR_BELOW: &str = "\u{1b}[J";

/// The columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its width.
    pub columns: usize,
    /// Its height.
    pub rows: usize,
}

/// A terminal: where to write, and how large it is now.
pub struct Terminal {
    /// Takes text and escape sequences.
    pub out: Box<dyn Write + Send>,
    /// Asked again for every frame, because windows are resized.
    pub size: Box<dyn Fn() -> Size + Send>,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Terminal")
    }
}

/// What stands on the terminal, and what is to go there with the next frame. Every frame is one write, so that nothing
/// comes between its parts.
#[derive(Debug)]
pub(super) struct Display {
    terminal: Terminal,
    /// The frame as it was drawn. The cursor stands at the end of its last line.
    drawn: Vec<String>,
    /// How wide the terminal was then.
    columns: usize,
    /// Lines to scroll up above the next frame.
    above: String,
}

impl Display {
    pub(super) fn new(terminal: Terminal) -> Self {
        Self { terminal, drawn: Vec::new(), columns: 0, above: String::new() }
    }

    pub(super) fn size(&self) -> Size {
        (self.terminal.size)()
    }

    /// Takes a line that will stand above the frame and stay. It may be wider than the terminal.
    pub(super) fn scroll(&mut self, line: &str) {
        self.above.push_str(line);
        self.above.push_str("\r\n");
    }

    /// Draws the lines that wait, and the frame under them.
    pub(super) fn draw(&mut self, frame: Vec<String>) {
        let columns = self.size().columns;
        if self.above.is_empty() && frame == self.drawn && columns == self.columns {
            return;
        }
        let mut text = self.up(columns);
        if !self.above.is_empty() || columns != self.columns {
            // A terminal that has broken lines anew remembers which rows belong together until they are cleared.
            text.push_str(CLEAR_BELOW);
            text.push_str(&std::mem::take(&mut self.above));
        }
        for (position, line) in frame.iter().enumerate() {
            if position > 0 {
                text.push_str("\r\n");
            }
            // Cleared line by line after it is written, a frame that hardly changes does not flicker.
            text.push_str(line);
            text.push_str(CLEAR_LINE);
        }
        text.push_str(CLEAR_BELOW);
        self.write(&text);
        self.drawn = frame;
        self.columns = columns;
    }

    /// Takes the frame away, and leaves the cursor where it began. What waits is written.
    pub(super) fn clear(&mut self) {
        if self.drawn.is_empty() && self.above.is_empty() {
            return;
        }
        let text =
            format!("{}{CLEAR_BELOW}{}", self.up(self.size().columns), std::mem::take(&mut self.above));
        self.write(&text);
        self.drawn.clear();
    }

    /// Someone else has written since the last frame: it stays where it is, and the next one begins at the cursor.
    pub(super) fn abandon(&mut self) {
        self.drawn.clear();
    }

    /// Goes to where the frame began.
    ///
    /// Most terminals break lines anew when they are resized, so that lines that have become too wide take several
    /// rows; the cursor stays with its text. On one that does not, a frame that shrinks covers rows above it.
    fn up(&self, columns: usize) -> String {
        let is_narrower = columns < self.columns;
        let rows_of = |line: &String| match line.width() {
            width if is_narrower && columns > 0 => width.div_ceil(columns).max(1),
            _ => 1,
        };
        match self.drawn.iter().map(rows_of).sum::<usize>().saturating_sub(1) {
            0 => "\r".to_owned(),
            rows => format!("\r\u{1b}[{rows}A"),
        }
    }

    fn write(&mut self, text: &str) {
        // Nobody may be watching any more.
        let _ = self.terminal.out.write_all(text.as_bytes()).and_then(|()| self.terminal.out.flush());
    }
}
