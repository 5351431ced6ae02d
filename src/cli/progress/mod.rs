//! Shows an apply while it runs: a display that keeps its place on a terminal, plain lines anywhere else.
//!
//! It hears what execution says and is told the time; it reads no clock and starts no thread. What it writes is a
//! courtesy: an apply does not fail because nobody can watch it.

mod board;
mod ragged;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Write;
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::board::{Board, Said, Tone};
use self::ragged::Ragged;
use crate::execute::Event;
use crate::plan::Plan;
use crate::render::style::{Ink, Style};

/// How often plain lines tell of what is still in transition.
const EVERY: Duration = Duration::from_secs(10);

/// What has been in transition for less than this is not worth a line of its own yet.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

/// The most plain lines about what is still in transition at one time.
const LINES: usize = 10;

/// The most instances in transition that the display lists.
const LISTED: usize = 8;

/// The most frames that are drawn in a second.
const FRAMES: u8 = 20;

/// Where the progress is shown.
pub enum Screen {
    /// A terminal, on which lines can be drawn again.
    Terminal(ProgressDrawTarget),
    /// Anything else: one line after the other.
    Lines(Box<dyn Write + Send>),
}

impl Screen {
    /// The standard error stream. `terminal` asks for the display; where the stream cannot do that, there are lines.
    #[must_use]
    pub fn stderr(terminal: bool) -> Self {
        // A terminal that says it is dumb cannot draw a line again.
        if terminal && !ProgressDrawTarget::stderr().is_hidden() {
            let stderr = Ragged::new(Term::buffered_stderr());
            Self::Terminal(ProgressDrawTarget::term_like_with_hz(Box::new(stderr), FRAMES))
        } else {
            Self::Lines(Box::new(std::io::stderr()))
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
    /// Progress on the standard error stream.
    #[must_use]
    pub fn new(plan: &Plan, terminal: bool, colour: bool) -> Self {
        let style = if colour { Style::coloured() } else { Style::plain() };
        Self::on(Screen::stderr(terminal), plan, style)
    }

    /// Progress on any screen.
    #[must_use]
    pub fn on(screen: Screen, plan: &Plan, style: Style) -> Self {
        let board = Board::new(plan);
        let output = match screen {
            Screen::Terminal(target) => Output::Display(Display::new(target, board.steps())),
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
            Output::Display(display) => display.draw(&self.board),
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
        match &self.output {
            Output::Display(display) => display.bars.suspend(write),
            Output::Lines { .. } => write(),
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

/// What stands at the bottom of a terminal: a bar for the whole apply, and under it what is in transition.
struct Display {
    bars: MultiProgress,
    overall: ProgressBar,
    /// One for each line of the list that is shown now.
    list: Vec<ProgressBar>,
}

impl Display {
    fn new(target: ProgressDrawTarget, steps: usize) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let overall = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX))
            .with_style(style("[{bar:24}] {wide_msg}").progress_chars("=> "));
        Self { overall: bars.add(overall), bars, list: Vec::new() }
    }

    fn draw(&mut self, board: &Board) {
        self.overall.set_position(u64::try_from(board.ended()).unwrap_or(u64::MAX));
        self.overall.set_message(board.overall());
        let lines = board.list(LISTED);
        while self.list.len() > lines.len() {
            if let Some(bar) = self.list.pop() {
                self.bars.remove(&bar);
            }
        }
        for (position, line) in lines.into_iter().enumerate() {
            if position == self.list.len() {
                // Its length is never shown; the line is all in its message.
                self.list.push(self.bars.add(ProgressBar::new(1).with_style(style("  {wide_msg}"))));
            }
            self.list[position].set_message(line);
        }
    }

    fn scroll(&mut self, line: &str) {
        // Nobody may be watching any more.
        let _ = self.bars.println(line);
    }

    fn clear(&mut self) {
        for bar in self.list.drain(..) {
            self.bars.remove(&bar);
        }
        self.overall.finish_and_clear();
    }
}

/// A template that is part of this file; should it ever be wrong, the line looks plainer.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
