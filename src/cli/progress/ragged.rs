//! A terminal whose lines end where their text ends.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

/// Between a terminal and indicatif, which fills every line with blanks to the right edge and lets the terminal wrap.
///
/// That leaves the cursor beyond the edge: the `^C` that a terminal echoes would go to the next line, from where the
/// display is cleared one line too low; and when the window gets narrower, all filled lines break in two.
#[derive(Debug)]
pub(super) struct Ragged<T> {
    inner: T,
    next: Mutex<Next>,
}

/// indicatif writes each line as two texts: the line itself, then the blanks that fill it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    FirstLine,
    Filler,
    /// A line that has to begin a new row first.
    Line,
}

impl<T> Ragged<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, next: Mutex::new(Next::FirstLine) }
    }

    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: TermLike> TermLike for Ragged<T> {
    fn width(&self) -> u16 {
        self.inner.width()
    }

    fn height(&self) -> u16 {
        self.inner.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        // Every frame begins by going to where the one before began.
        *self.next() = Next::FirstLine;
        self.inner.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.inner.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.inner.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.inner.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.inner.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut next = self.next();
        match *next {
            Next::Filler => {
                *next = Next::Line;
                return Ok(());
            }
            Next::Line => self.inner.write_str("\r\n")?,
            Next::FirstLine => {}
        }
        *next = Next::Filler;
        self.inner.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.inner.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.inner.flush()
    }
}
