//! The rules of a limiter as plain data: it is told what happened and when, and says who may go. It waits for
//! nothing.

use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::time::Instant;

/// However long a server asks to wait: ECS counts by minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Where few calls may be out at once, so many refusals in a row still do not show that nothing passes.
const FEW_REFUSALS: usize = 4;

/// The window and the room of one action.
#[derive(Debug)]
pub(super) struct Core {
    most: NonZeroUsize,
    at_once: NonZeroUsize,
    /// Calls that passed since `at_once` was changed last.
    passed: usize,
    out: usize,
    window: Window,
    /// How often the window has closed.
    closings: u64,
    /// Refusals since a call passed.
    refused: usize,
    probe_pause: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Window {
    Open,
    Closed {
        /// When the next probe may go.
        until: Instant,
        probing: bool,
    },
}

/// A call that is out.
#[derive(Debug)]
pub(super) struct Ticket {
    probe: bool,
    write: bool,
    /// How often the window had closed when it was sent.
    closings: u64,
}

/// Whether a call may go.
#[derive(Debug)]
pub(super) enum Turn {
    /// It goes now.
    Go(Ticket),
    /// Not before this moment.
    At(Instant),
    /// Not before a call that is out has been answered.
    AfterAnAnswer,
}

impl Core {
    pub(super) fn new(most: NonZeroUsize, probe_pause: Duration) -> Self {
        Self {
            most,
            at_once: most,
            passed: 0,
            out: 0,
            window: Window::Open,
            closings: 0,
            refused: 0,
            probe_pause,
        }
    }

    #[cfg(test)]
    pub(super) fn at_once(&self) -> NonZeroUsize {
        self.at_once
    }

    /// Reads keep to what has been learned.
    pub(super) fn ask_for_read(&mut self, now: Instant) -> Turn {
        self.ask(now, self.at_once, false)
    }

    /// How fast to send writes is learned by the engine, which knows those that wait; here only the bound counts.
    pub(super) fn ask_for_write(&mut self, now: Instant) -> Turn {
        self.ask(now, self.most, true)
    }

    fn ask(&mut self, now: Instant, room: NonZeroUsize, write: bool) -> Turn {
        let probe = match &mut self.window {
            Window::Open if self.out >= room.get() => return Turn::AfterAnAnswer,
            Window::Open => false,
            Window::Closed { probing: true, .. } => return Turn::AfterAnAnswer,
            Window::Closed { until, .. } if now < *until => return Turn::At(*until),
            Window::Closed { probing, .. } => {
                *probing = true;
                true
            }
        };
        self.out += 1;
        Turn::Go(Ticket { probe, write, closings: self.closings })
    }

    /// ECS looked at the call. A probe opens the window by that; a call that went before the window closed does not.
    pub(super) fn passed(&mut self, ticket: Ticket) {
        self.out -= 1;
        self.refused = 0;
        if ticket.probe {
            self.window = Window::Open;
        } else if matches!(self.window, Window::Open) {
            // One more at once for each round of calls that passed.
            self.passed += 1;
            if self.passed >= self.at_once.get() && self.at_once < self.most {
                self.at_once = self.at_once.saturating_add(1);
                self.passed = 0;
            }
        }
    }

    /// ECS refused the call because too many come, and perhaps asked for a pause.
    pub(super) fn refused(&mut self, ticket: Ticket, now: Instant, asked: Option<Duration>, random: f64) {
        self.out -= 1;
        self.refused = self.refused.saturating_add(1);
        // A refusal among writes that pass is how their pace is learned.
        let closes = !ticket.write || asked.is_some() || self.refused >= self.most.get().max(FEW_REFUSALS);
        let own = self.probe_pause.mul_f64(1.0 + random.clamp(0.0, 1.0) / 4.0);
        let until = now + asked.unwrap_or(own).min(LONGEST_PAUSE);
        match &mut self.window {
            Window::Closed { until: next, probing } if ticket.probe => {
                *next = until;
                *probing = false;
            }
            // One of those that were out when the window closed: it says the same again, or a later time.
            Window::Closed { until: next, .. } => *next = (*next).max(until),
            // It went before the window closed and has opened since: it says nothing of now.
            Window::Open if !closes || ticket.closings < self.closings => {}
            Window::Open => {
                self.window = Window::Closed { until, probing: false };
                self.closings += 1;
                self.at_once = NonZeroUsize::new(self.at_once.get() / 2).unwrap_or(NonZeroUsize::MIN);
                self.passed = 0;
            }
        }
    }

    /// There was no answer of ECS: nothing was learned. After a lost probe another may go.
    pub(super) fn lost(&mut self, ticket: Ticket, now: Instant) {
        self.out -= 1;
        if let Window::Closed { until, probing } = &mut self.window
            && ticket.probe
        {
            *until = now + self.probe_pause;
            *probing = false;
        }
    }
}
