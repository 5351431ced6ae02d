//! When a call of one action may be sent: one limiter for each account, region and action.
//!
//! ECS counts calls by account, region, action and minute, so a refusal holds for all of them together. While calls
//! pass, so many may be out at once as has proved good; after a refusal for throttling the window is closed for all.
//! From the moment that the server names, or after about a second, one call alone goes as a probe, and so on until
//! one is not refused for throttling. Thus a closed window costs the calls that were out and one refusal a second.
//!
//! **Reads wait here, writes never do.** A write rests on an observation that may be 10 s old when it is sent, and
//! only the engine can look again; so a write that may not go now is handed back at once, unsent, as throttled, with
//! the moment to come back, and waits in the engine's own gate. When a write goes is decided there: the gate learns the
//! pace from the answers. Here writes keep to the bound, and their window closes only for what everybody who shares the
//! limit has to know: that the server has named a time, or that it lets nothing through at all.

mod core;

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

use self::core::{Core, Ticket, Turn};
use crate::cloud::{Advice, Refusal};

/// A write that is handed back while a probe is out may come again after so long: the probe's answer is near.
const WHILE_PROBING: Duration = Duration::from_millis(250);

/// The limiter of one action.
#[derive(Debug)]
pub(super) struct Limiter {
    state: Mutex<State>,
    /// Reads wait in line here, and only the first of them watches the window.
    line: Semaphore,
    /// An answer has come, so that the window or the room may be another.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    core: Core,
    /// The refusal that closed the window last.
    refusal: Option<Refusal>,
}

/// A call may not be sent now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NotNow {
    /// How long to wait before it is worth to ask again.
    pub(super) pause: Duration,
    /// What ECS said when it closed the window.
    pub(super) refusal: Option<Refusal>,
}

impl NotNow {
    /// The refusal that the caller of an action is given in place of an answer.
    pub(super) fn into_refusal(self, action: &str) -> Refusal {
        let advice = Advice::Throttled { retry_after: Some(self.pause) };
        match self.refusal {
            Some(refusal) => Refusal { advice, ..refusal },
            None => Refusal::new(advice, format!("as many calls of {action} are out as may be")),
        }
    }
}

impl Limiter {
    /// A limiter that lets at most so many calls out at once. After a refusal that names no time, it waits for
    /// `probe_pause` or up to a quarter longer.
    pub(super) fn new(most: NonZeroUsize, probe_pause: Duration) -> Self {
        Self {
            state: Mutex::new(State { core: Core::new(most, probe_pause), refusal: None }),
            line: Semaphore::new(1),
            changed: Notify::new(),
        }
    }

    /// How many calls at once have proved good.
    #[cfg(test)]
    pub(super) fn at_once(&self) -> NonZeroUsize {
        self.state().core.at_once()
    }

    /// Lets a write go now or not at all.
    ///
    /// # Errors
    /// [`NotNow`] if it may not go.
    pub(super) fn try_enter(&self) -> Result<Permit<'_>, NotNow> {
        let now = Instant::now();
        let mut state = self.state();
        let pause = match state.core.ask_for_write(now) {
            Turn::Go(ticket) => return Ok(Permit { limiter: self, ticket: Some(ticket) }),
            Turn::At(at) => at.saturating_duration_since(now),
            Turn::AfterAnAnswer => WHILE_PROBING,
        };
        Err(NotNow { pause, refusal: state.refusal.clone() })
    }

    /// Lets a read go as soon as it may, in the order of asking, if that is before the deadline.
    ///
    /// # Errors
    /// [`NotNow`] if it may not, as soon as that is known.
    pub(super) async fn enter(&self, deadline: Instant) -> Result<Permit<'_>, NotNow> {
        let Ok(Ok(_first)) = timeout_at(deadline, self.line.acquire()).await else {
            return Err(self.not_before(deadline));
        };
        loop {
            let turn = self.state().core.ask_for_read(Instant::now());
            match turn {
                Turn::Go(ticket) => return Ok(Permit { limiter: self, ticket: Some(ticket) }),
                Turn::At(at) if at > deadline => return Err(self.not_before(at)),
                Turn::At(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = self.changed.notified() => {}
                },
                Turn::AfterAnAnswer => {
                    if timeout_at(deadline, self.changed.notified()).await.is_err() {
                        return Err(self.not_before(deadline));
                    }
                }
            }
        }
    }

    fn not_before(&self, at: Instant) -> NotNow {
        NotNow { pause: at.saturating_duration_since(Instant::now()), refusal: self.state().refusal.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half done here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a call, as far as the window is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Passage<'a> {
    /// ECS looked at it, whatever it said.
    Passed,
    /// ECS refused it because too many come.
    Refused(&'a Refusal),
    /// There was no answer of ECS.
    Unknown,
}

/// A call that is out. Dropped without an answer, it counts as one that had none.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    ticket: Option<Ticket>,
}

impl Permit<'_> {
    /// Says what became of the call. `random` is in `0.0..1.0` and spreads the probes of several machines.
    pub(super) fn answered(mut self, passage: Passage<'_>, random: f64) {
        self.settle(passage, random);
    }

    fn settle(&mut self, passage: Passage<'_>, random: f64) {
        let Some(ticket) = self.ticket.take() else { return };
        let mut state = self.limiter.state();
        match passage {
            Passage::Passed => state.core.passed(ticket),
            Passage::Unknown => state.core.lost(ticket, Instant::now()),
            Passage::Refused(refusal) => {
                let asked = match refusal.advice {
                    Advice::Throttled { retry_after } => retry_after,
                    _ => None,
                };
                state.core.refused(ticket, Instant::now(), asked, random);
                state.refusal = Some(refusal.clone());
            }
        }
        drop(state);
        self.limiter.changed.notify_one();
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.settle(Passage::Unknown, 0.0);
    }
}

#[cfg(test)]
mod tests;
