//! Shows an apply while it runs: a display that keeps its place on a terminal, plain lines anywhere else.
//!
//! It hears what execution says and is told the time; it reads no clock and starts no thread. What it writes is a
//! courtesy: an apply does not fail because nobody can watch it.

mod board;
mod display;
mod estimate;
mod frame;
mod siblings;
mod steps;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Write;
use std::num::NonZeroUsize;
use std::time::Duration;

use self::board::{Board, Said, Tone};
use self::display::Display;
pub use self::display::{Size, Terminal};
use self::frame::frame;
use crate::execute::Event;
use crate::plan::Plan;
use crate::render::style::{Ink, Style};

/// How often plain lines tell of what is still in transition.
const EVERY: Duration = Duration::from_secs(10);

/// What has been in transition for less than this is not worth a line of its own yet.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

/// The most plain lines about what is still in transition at one time.
const LINES: usize = 10;

/// Where the progress is shown.
pub enum Screen {
    /// A terminal, on which lines can be drawn again.
    Terminal(Terminal),
    /// Anything else: one line after the other.
    Lines(Box<dyn Write + Send>),
}

impl Screen {
    /// The standard error stream: as a terminal of the size that is told, if one is, else as lines.
    #[must_use]
    pub fn stderr(size: Option<Box<dyn Fn() -> Size + Send>>) -> Self {
        let out = Box::new(std::io::stderr());
        match size {
            Some(size) => Self::Terminal(Terminal { out, size }),
            None => Self::Lines(out),
        }
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminal(_) => "Terminal",
            Self::Lines(_) => "Lines",
        })
    }
}

/// Follows one apply and shows it.
#[derive(Debug)]
pub struct Progress {
    board: Board,
    style: Style,
    output: Output,
}

enum Output {
    Display(Display),
    Lines { out: Box<dyn Write + Send>, next: Duration },
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Display(_) => "Display",
            Self::Lines { .. } => "Lines",
        })
    }
}

impl Progress {
    /// Shows the apply of a plan. `parallelism` says how many instances may be in transition at a time, if that is
    /// limited for all of them together.
    #[must_use]
    pub fn new(screen: Screen, plan: &Plan, parallelism: Option<NonZeroUsize>, style: Style) -> Self {
        let board = Board::new(plan, parallelism);
        let output = match screen {
            Screen::Terminal(terminal) => Output::Display(Display::new(terminal)),
            Screen::Lines(out) => Output::Lines { out, next: EVERY },
        };
        Self { board, style, output }
    }

    /// Takes in one event.
    pub fn hear(&mut self, event: &Event) {
        let Some(said) = self.board.hear(event) else { return };
        let line = self.coloured(&said);
        match &mut self.output {
            // The list shows what is under way; what has ended scrolls up and stays.
            Output::Display(_) if said.tone == Tone::UnderWay => {}
            Output::Display(display) => display.scroll(&line),
            Output::Lines { out, .. } => put(out, &line),
        }
    }

    /// Tells the time since the run began. Called a few times a second, it keeps the display alive.
    pub fn tick(&mut self, at: Duration) {
        self.board.now(at);
        match &mut self.output {
            Output::Display(display) => {
                self.board.estimate();
                let Size { columns, rows } = display.size();
                display.draw(frame(&self.board, columns, rows));
            }
            Output::Lines { out, next } => {
                if at < *next {
                    return;
                }
                // However late the tick comes, the next report is a full interval away.
                *next = at + EVERY;
                for line in self.board.still_moving(WORTH_A_LINE, LINES) {
                    put(out, &line);
                }
            }
        }
    }

    /// Writes something else to the same stream, while the display is out of its way.
    pub fn aside(&mut self, write: impl FnOnce()) {
        if let Output::Display(display) = &mut self.output {
            display.clear();
        }
        write();
    }

    /// The process goes on after it was suspended: whoever suspended it has written to the terminal meanwhile.
    pub fn resumed(&mut self) {
        if let Output::Display(display) = &mut self.output {
            display.abandon();
        }
    }

    /// Ends it: the display goes away, the lines stay.
    pub fn finish(&mut self) {
        match &mut self.output {
            Output::Display(display) => display.clear(),
            Output::Lines { out, .. } => {
                // Nobody may be watching any more.
                let _ = out.flush();
            }
        }
    }

    fn coloured(&self, said: &Said) -> String {
        let ink = match said.tone {
            Tone::UnderWay => return said.line.clone(),
            Tone::Good => Ink::Up,
            Tone::Bad => Ink::Trouble,
            Tone::Caution => Ink::Caution,
        };
        self.style.paint(ink, &said.line).to_string()
    }
}

fn put(out: &mut Box<dyn Write + Send>, line: &str) {
    // Nobody may be watching any more.
    let _ = writeln!(out, "{line}");
}
