//! The park of machines: what each is at a given moment, and what may be asked of it. Pure: no clock, no file, no
//! network. The world is the account file plus a fold over the lines of the log.
//!
//! No timers run here. What a machine will be is known when a call is accepted and is kept as *phases*, each from a
//! moment on; its status is looked up in them.

mod commands;
mod limits;
mod listening;
mod machine;
mod power;
#[cfg(test)]
mod properties;
mod strikes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub(super) use self::commands::Command;
use self::commands::Commands;
pub(super) use self::listening::{Listening, Place};
pub(super) use self::machine::{Machine, Shown};
pub(super) use self::power::PowerCall;
pub(super) use self::strikes::{Strike, Strikes, Struck};
use super::account::{Account, Change, Instance};
use super::log::{Invocation, LogEvent, LogLine, Phase, RequestLine, Snapshot};
use super::status::{Status, StoppedMode};

/// The simulated cloud.
#[derive(Debug)]
pub(super) struct World {
    account: Arc<Account>,
    /// When the memory began: scheduled changes count from here.
    begun: Timestamp,
    /// The moment of the latest line. Time never runs backwards here, whatever a clock does.
    latest: Timestamp,
    /// In the order of the account's instances.
    machines: Vec<Machine>,
    /// In the order of the account's faults: how many requests each has counted.
    fault_counts: Vec<u64>,
    /// By position: since when the faults strike that last for some time once they began.
    fault_since: BTreeMap<usize, Timestamp>,
    schedule: Vec<Due>,
    scheduled_done: usize,
    /// For each limited action and region its latest window and the calls in it.
    windows: BTreeMap<String, (i64, u64)>,
    commands: Commands,
}

/// A change that is due by itself.
#[derive(Debug)]
struct Due {
    at: Timestamp,
    what: What,
}

#[derive(Debug)]
enum What {
    /// One of the account's scheduled changes, by position.
    Change(usize),
    /// The subscription of this instance, by position, ends.
    Expiry(usize),
}

/// A moment later, or the end of time.
pub(super) fn later(at: Timestamp, duration: std::time::Duration) -> Timestamp {
    at.checked_add(duration).unwrap_or(Timestamp::MAX)
}

impl World {
    /// The world as the account file gives it, at the moment its memory begins.
    pub(super) fn new(account: Arc<Account>, begun: Timestamp) -> Self {
        let machines = account.instances.iter().map(|instance| Machine::new(instance, begun)).collect();
        let changes = account
            .scheduled
            .iter()
            .enumerate()
            .map(|(position, change)| Due { at: later(begun, change.after), what: What::Change(position) });
        let expiries = account.instances.iter().enumerate().filter_map(|(position, instance)| {
            let at = instance.expires.filter(|expires| *expires > begun)?;
            Some(Due { at, what: What::Expiry(position) })
        });
        let mut schedule: Vec<Due> = changes.chain(expiries).collect();
        // Stable, so that what is due at one moment happens in the order of the file.
        schedule.sort_by_key(|due| due.at);
        let fault_counts = vec![0; account.faults.len()];
        Self {
            account,
            begun,
            latest: begun,
            machines,
            fault_counts,
            fault_since: BTreeMap::new(),
            schedule,
            scheduled_done: 0,
            windows: BTreeMap::new(),
            commands: Commands::default(),
        }
    }

    /// The account whose world this is.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The same, to share.
    pub(super) fn shared_account(&self) -> Arc<Account> {
        Arc::clone(&self.account)
    }

    /// The moment to act at when the clock says `now`: never before what already happened.
    pub(super) fn moment(&self, now: Timestamp) -> Timestamp {
        now.max(self.latest)
    }

    /// The moment that reads show.
    fn shown_at(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.account.lag).unwrap_or(Timestamp::MIN)
    }

    /// Every instance that reads show from a position in the account file on, in its order, with its position.
    pub(super) fn shown_from(
        &self,
        first: usize,
        now: Timestamp,
    ) -> impl Iterator<Item = (usize, Shown<'_>)> {
        let at = self.shown_at(now);
        let all = self.account.instances.iter().zip(&self.machines).enumerate();
        all.skip(first)
            .filter_map(move |(position, (given, machine))| Some((position, machine.shown(given, at)?)))
    }

    /// What the account file says of an instance, whatever became of it.
    pub(super) fn given(&self, id: &str) -> Option<&Instance> {
        self.account.instances.get(self.account.position(id)?)
    }

    /// What a read shows of one instance; none where it is unknown or gone.
    pub(super) fn look(&self, id: &str, now: Timestamp) -> Option<Shown<'_>> {
        let position = self.account.position(id)?;
        self.machines.get(position)?.shown(self.given(id)?, self.shown_at(now))
    }

    /// What an instance truly is, without the lag of reads; none where there never was one.
    pub(super) fn status(&self, id: &str, now: Timestamp) -> Option<&Status> {
        let position = self.account.position(id)?;
        Some(&self.machines.get(position)?.phase(now).status)
    }

    /// The lines of what is due by itself at `now` and not yet in the log, for the earliest such change; empty when
    /// nothing is due. They are to be applied before anything else happens, and asked for again.
    pub(super) fn due(&self, now: Timestamp) -> Vec<LogLine> {
        let Some(due) = self.schedule.get(self.scheduled_done).filter(|due| due.at <= now) else {
            return Vec::new();
        };
        // A process may notice late, after something else happened.
        let at = self.moment(due.at);
        let mut events = Vec::new();
        match due.what {
            What::Change(position) => {
                for (id, change) in self.account.scheduled.get(position).iter().flat_map(|it| &it.changes) {
                    events.extend(self.change(id, change, at));
                }
            }
            What::Expiry(position) => {
                let instance = self.account.instances.get(position);
                let expired = instance.filter(|instance| {
                    matches!(self.status(&instance.id, at), Some(Status::Running | Status::Starting))
                });
                events.extend(
                    expired.and_then(|instance| self.change(&instance.id, &Change::Set(Status::Stopped), at)),
                );
            }
        }
        events.push(LogEvent::Scheduled { done: self.scheduled_done + 1 });
        events.into_iter().map(|event| LogLine { at, event }).collect()
    }

    /// The event of a change that nobody called for; none where the instance is unknown or gone.
    pub(super) fn change(&self, id: &str, change: &Change, now: Timestamp) -> Option<LogEvent> {
        if self.status(id, now).is_none_or(|status| *status == Status::Released) {
            return None;
        }
        let instance = id.to_owned();
        Some(match change {
            Change::Set(status) => {
                let given = self.account.instances.get(self.account.position(id)?)?;
                let phases = machine::settling(given, status.clone(), StoppedMode::KeepCharging, now);
                LogEvent::Set { instance, phases }
            }
            Change::Lock(reason) => LogEvent::Lock { instance, reason: reason.clone() },
            Change::Unlock => LogEvent::Unlock { instance },
        })
    }

    /// Takes in one line of the log. A line about something that the account does not have changes nothing.
    pub(super) fn apply(&mut self, line: &LogLine) {
        let at = self.moment(line.at);
        self.latest = at;
        match &line.event {
            LogEvent::Request(request) => self.apply_request(request, at),
            LogEvent::Set { instance, phases } => self.enter(instance, phases, at),
            LogEvent::Lock { instance, reason } => {
                if let Some(machine) = self.machine(instance) {
                    machine.lock(reason);
                }
            }
            LogEvent::Unlock { instance } => {
                if let Some(machine) = self.machine(instance) {
                    machine.unlock();
                }
            }
            LogEvent::Scheduled { done } => self.scheduled_done = *done,
            LogEvent::Snapshot(snapshot) => self.restore(snapshot),
        }
    }

    fn apply_request(&mut self, request: &RequestLine, at: Timestamp) {
        self.count_call(&request.action, &request.region, at);
        self.count_faults(&request.faults, at);
        if let Some(instance) = &request.instance {
            self.enter(instance, &request.phases, at);
        }
        for item in &request.items {
            self.enter(&item.instance, &item.phases, at);
        }
        if let Some(invocation) = &request.invocation {
            self.commands.add(Invocation::clone(invocation));
        }
    }

    fn enter(&mut self, instance: &str, phases: &[Phase], at: Timestamp) {
        let oldest_shown = at.checked_sub(self.account.longest_lag()).unwrap_or(Timestamp::MIN);
        if let Some(machine) = self.machine(instance) {
            machine.enter(phases, at, oldest_shown);
            self.commands.interrupt(instance, phases);
        }
    }

    fn machine(&mut self, id: &str) -> Option<&mut Machine> {
        let position = self.account.position(id)?;
        self.machines.get_mut(position)
    }

    /// Everything that the log says so far, folded into one event.
    pub(super) fn snapshot(&self) -> Snapshot {
        let instances = self
            .account
            .instances
            .iter()
            .zip(&self.machines)
            .filter(|(given, machine)| **machine != Machine::new(given, self.begun))
            .map(|(given, machine)| (given.id.to_string(), machine.remembered()))
            .collect();
        Snapshot {
            instances,
            faults: self.fault_counts.clone(),
            since: self.fault_since.clone(),
            scheduled: self.scheduled_done,
            windows: self.windows.clone(),
            invocations: self.commands.since(self.latest),
        }
    }

    fn restore(&mut self, snapshot: &Snapshot) {
        for (id, remembered) in &snapshot.instances {
            if let Some(machine) = self.machine(id) {
                *machine = Machine::remember(remembered);
            }
        }
        for (count, remembered) in self.fault_counts.iter_mut().zip(&snapshot.faults) {
            *count = *remembered;
        }
        self.fault_since.clone_from(&snapshot.since);
        self.scheduled_done = snapshot.scheduled;
        self.windows.clone_from(&snapshot.windows);
        self.commands = snapshot.invocations.iter().cloned().collect();
    }
}
