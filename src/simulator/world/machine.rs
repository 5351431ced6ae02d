//! One machine: what it is when.

use jiff::Timestamp;

use super::later;
use crate::simulator::account::Instance;
use crate::simulator::log::{Phase, Remembered};
use crate::simulator::status::{Status, StoppedMode};

/// What happened to one instance, and what is going to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) struct Machine {
    /// The earliest first; never empty. The first holds for all time before it, too.
    phases: Vec<Phase>,
    locks: Vec<String>,
    started: Option<Timestamp>,
}

/// What a read shows of one instance.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulator) struct Shown<'w> {
    /// What the account file says.
    pub(in crate::simulator) given: &'w Instance,
    /// What it is.
    pub(in crate::simulator) status: &'w Status,
    /// How it is billed, where it is stopped.
    pub(in crate::simulator) stopped_mode: Option<StoppedMode>,
    /// Its locks.
    pub(in crate::simulator) locks: &'w [String],
    /// When it was last started.
    pub(in crate::simulator) started: Option<Timestamp>,
}

impl Machine {
    /// The machine as the account file gives it.
    pub(super) fn new(given: &Instance, begun: Timestamp) -> Self {
        let phases = settling(given, given.status.clone(), given.stopped_mode, begun);
        let started = start_of(&phases);
        Self { phases, locks: given.locks.clone(), started }
    }

    pub(super) fn remember(remembered: &Remembered) -> Self {
        let Remembered { phases, locks, started } = remembered.clone();
        Self { phases, locks, started }
    }

    pub(super) fn remembered(&self) -> Remembered {
        Remembered { phases: self.phases.clone(), locks: self.locks.clone(), started: self.started }
    }

    /// What holds at a moment.
    pub(super) fn phase(&self, at: Timestamp) -> &Phase {
        /// Never shown: a machine always has a phase, but a damaged memory could give one without.
        static GONE: Phase =
            Phase { from: Timestamp::UNIX_EPOCH, status: Status::Released, stopped_mode: None };
        self.phases.iter().rfind(|phase| phase.from <= at).or(self.phases.first()).unwrap_or(&GONE)
    }

    /// When what holds at a moment ends by itself; none where it stays.
    pub(super) fn next_phase(&self, at: Timestamp) -> Option<Timestamp> {
        self.phases.iter().map(|phase| phase.from).find(|from| *from > at)
    }

    /// What a read shows at a moment; none where the machine is gone.
    pub(super) fn shown<'w>(&'w self, given: &'w Instance, at: Timestamp) -> Option<Shown<'w>> {
        let phase = self.phase(at);
        (phase.status != Status::Released).then_some(Shown {
            given,
            status: &phase.status,
            stopped_mode: phase.stopped_mode,
            locks: &self.locks,
            started: self.started,
        })
    }

    pub(super) fn locks(&self) -> &[String] {
        &self.locks
    }

    pub(super) fn lock(&mut self, reason: &str) {
        if !self.locks.iter().any(|lock| lock == reason) {
            self.locks.push(reason.to_owned());
        }
    }

    pub(super) fn unlock(&mut self) {
        self.locks.clear();
    }

    /// What was going to happen does not; the new phases hold from now on. What no read can show any more is
    /// forgotten.
    pub(super) fn enter(&mut self, phases: &[Phase], at: Timestamp, oldest_shown: Timestamp) {
        if phases.is_empty() {
            return;
        }
        self.phases.retain(|phase| phase.from <= at);
        let past = self.phases.iter().filter(|phase| phase.from <= oldest_shown).count();
        self.phases.drain(..past.saturating_sub(1));
        self.phases.extend_from_slice(phases);
        self.started = start_of(phases).or(self.started);
    }
}

fn start_of(phases: &[Phase]) -> Option<Timestamp> {
    phases
        .iter()
        .find(|phase| matches!(phase.status, Status::Starting | Status::Running))
        .map(|phase| phase.from)
}

/// A status from a moment on, and what it settles as after the time that takes.
pub(super) fn settling(given: &Instance, status: Status, mode: StoppedMode, at: Timestamp) -> Vec<Phase> {
    let takes = if status == Status::Stopping { given.stop } else { given.start };
    let then = status.settles_as().map(|settled| phase(settled, mode, later(at, takes)));
    [phase(status, mode, at)].into_iter().chain(then).collect()
}

/// A phase; only a stopped machine has a stop mode.
pub(super) fn phase(status: Status, mode: StoppedMode, from: Timestamp) -> Phase {
    let stopped_mode = (status == Status::Stopped).then_some(mode);
    Phase { from, status, stopped_mode }
}
