//! What is known of a running apply, and the lines that tell it. Pure: nothing is drawn here.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use super::estimate::Estimate;
use super::steps::Steps;
use crate::execute::{Action, Event, EventKind, How};
use crate::fleet::duration::Words;
use crate::fleet::{Power, StoppedMode};
use crate::plan::Plan;
use crate::render::words;

/// A fold over the events of an apply.
#[derive(Debug)]
pub(super) struct Board {
    steps: Steps,
    parallelism: Option<NonZeroUsize>,
    estimate: Estimate,
    now: Duration,
    /// How many steps there are.
    all: usize,
    done: usize,
    failed: usize,
    skipped: usize,
    left: usize,
    moving: BTreeMap<usize, Moving>,
    /// The same by age, so that the oldest are found without looking at all.
    by_age: BTreeSet<(Duration, usize)>,
}

#[derive(Debug)]
struct Moving {
    action: Action,
    began: Duration,
    /// What the last look that changed anything showed; an instance may have become invisible.
    seen: Option<Option<Power>>,
    phase: Phase,
}

/// What an instance in transition waits for.
#[derive(Debug)]
enum Phase {
    /// To be what it has to be before it can be called.
    First(&'static str),
    /// For ECS to take the call.
    Calling,
    /// For another try, after what the last one met.
    Again(String),
    /// For its goal.
    Arriving,
    /// For its probes, after it is up.
    Readying(String),
}

/// A line for something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) tone: Tone,
    pub(super) line: String,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Something goes on.
    UnderWay,
    /// Something went well.
    Good,
    /// Something failed.
    Bad,
    /// Something did not go as it should.
    Caution,
}

impl Board {
    /// The board before the first event. `parallelism` says how many instances may be in transition at a time, if that
    /// is limited for all of them together.
    pub(super) fn new(plan: &Plan, parallelism: Option<NonZeroUsize>) -> Self {
        let steps = Steps::of(plan);
        Self {
            parallelism,
            estimate: Estimate::new(plan, parallelism, |change| steps.stand(change, Duration::ZERO)),
            now: Duration::ZERO,
            all: steps.open(),
            steps,
            done: 0,
            failed: 0,
            skipped: 0,
            left: 0,
            moving: BTreeMap::new(),
            by_age: BTreeSet::new(),
        }
    }

    /// How many steps the plan has.
    pub(super) fn steps(&self) -> usize {
        self.all
    }

    /// How many of them have ended, however they did.
    pub(super) fn ended(&self) -> usize {
        self.done + self.failed + self.skipped + self.left
    }

    /// Takes in the time since the run began.
    pub(super) fn now(&mut self, at: Duration) {
        self.now = self.now.max(at);
    }

    /// Brings the estimate up to date. Called whenever that may be shown, it costs something about once a second.
    pub(super) fn estimate(&mut self) {
        self.estimate.renew(self.now, |change| self.steps.stand(change, self.now));
    }

    /// Takes in one event, and says what is worth a line.
    pub(super) fn hear(&mut self, event: &Event) -> Option<Said> {
        self.now(event.at);
        self.estimate.age();
        match &event.kind {
            EventKind::Began { change, action } => self.begin(*change, *action, event.at),
            EventKind::Accepted { change, .. } => {
                self.steps.set_out(*change, event.at);
                self.moving.get_mut(change)?.phase = Phase::Arriving;
                None
            }
            EventKind::Retrying { change, refusal, sends, .. } => {
                let name = self.name(*change)?;
                let met = words::retrying(refusal, *sends);
                let moving = self.moving.get_mut(change)?;
                let line = format!("{name}: {}, trying again ({met})", words::doing(moving.action));
                moving.phase = Phase::Again(met);
                Some(Said { tone: Tone::UnderWay, line })
            }
            EventKind::OutOfStock { change, refusal, again, until } => {
                let name = self.name(*change)?;
                let (again, left) = (again.saturating_sub(event.at), until.saturating_sub(event.at));
                let met = words::out_of_stock(refusal, again, left);
                let moving = self.moving.get_mut(change)?;
                let line = format!("{name}: {met}");
                moving.phase = Phase::Again(met);
                Some(Said { tone: Tone::Caution, line })
            }
            EventKind::Readying { change, probe, answer } => {
                let name = self.name(*change)?;
                let waits = words::readying(probe.as_ref(), answer.as_deref());
                self.steps.come_up(*change, event.at);
                let moving = self.moving.get_mut(change)?;
                // Only that it begins is worth a line; the board shows the rest.
                let is_new = !matches!(moving.phase, Phase::Readying(_));
                let line = format!("{name}: Running, {waits}");
                moving.phase = Phase::Readying(waits);
                is_new.then_some(Said { tone: Tone::UnderWay, line })
            }
            EventKind::Moved { change, power } => {
                self.steps.moved(*change, power.as_ref(), event.at);
                let moving = self.moving.get_mut(change)?;
                moving.seen = Some(power.clone());
                if matches!(moving.phase, Phase::First(first) if power.as_ref().map(Power::word) == Some(first))
                {
                    moving.phase = Phase::Calling;
                }
                None
            }
            EventKind::Completed { change, how, power, elapsed, took, request_id, stopped_mode, .. } => {
                if let Some(took) = took {
                    self.steps.arrived(*change, *took, event.at);
                }
                let name = self.end(*change, event.at)?;
                self.done += 1;
                let power = words::name(power.word());
                let mut line = match how {
                    How::AlreadyThere => format!("{name}: {power} already"),
                    How::Ready => format!("{name}: {power}, and ready after {}", Words(*elapsed)),
                    How::Arrived => format!("{name}: {power} after {}, without a call", Words(*elapsed)),
                    How::Called => format!("{name}: {power} after {}", Words(*elapsed)),
                };
                if let Some(id) = request_id {
                    line.push_str(&format!(" [request {}]", words::name(id)));
                }
                Some(otherwise(line, *stopped_mode))
            }
            EventKind::Failed { change, action, failure, elapsed, .. } => {
                let name = self.end(*change, event.at)?;
                self.failed += 1;
                let explanation = words::failure(failure, *action);
                let line = format!("{name}: failed after {}: {explanation}", Words(*elapsed));
                Some(Said { tone: Tone::Bad, line })
            }
            EventKind::Skipped { change, because, root, .. } => {
                let name = self.end(*change, event.at)?;
                self.skipped += 1;
                let line = format!("{name}: skipped: {}", words::skipped(because, root).what);
                Some(Said { tone: Tone::Caution, line })
            }
            EventKind::NotReached { change, in_transition, .. } => {
                let begun = self.moving.contains_key(change);
                let name = self.end(*change, event.at)?;
                self.left += 1;
                // What never began needs no line; the summary counts it.
                let line = format!("{name}: {}", words::left_over(*in_transition).what);
                begun.then_some(Said { tone: Tone::Caution, line })
            }
            // Whoever interrupted it knows; what it left is told for each step.
            EventKind::Interrupted => None,
            EventKind::Throttled { action, until } => {
                self.estimate.throttled();
                let rest = Words(until.saturating_sub(event.at));
                let line = format!(
                    "ECS limits the {} calls: they wait until it lets one through, and the next try is in {rest}",
                    action.word()
                );
                Some(Said { tone: Tone::Caution, line })
            }
            EventKind::LookFailed { refusal } => {
                let line =
                    format!("a look failed and will be repeated: {}", words::message(&refusal.to_string()));
                Some(Said { tone: Tone::Caution, line })
            }
        }
    }

    fn begin(&mut self, change: usize, action: Action, at: Duration) -> Option<Said> {
        // It is as wanted, and has yet to show that it is ready.
        self.all += usize::from(self.steps.begin(change, action, at));
        let subject = self.steps.get(change)?;
        let phase = match action {
            Action::Wait => Phase::Arriving,
            Action::Start | Action::Stop => subject.first.map_or(Phase::Calling, Phase::First),
        };
        let seen = match phase {
            Phase::Arriving | Phase::First(_) => subject.seen.clone().map(Some),
            Phase::Calling | Phase::Again(_) | Phase::Readying(_) => None,
        };
        let moving = Moving { action, began: at, seen, phase };
        if let Some(before) = self.moving.insert(change, moving) {
            self.by_age.remove(&(before.began, change));
        }
        self.by_age.insert((at, change));
        let mut line = format!("{}: {}...", words::address(&subject.address), words::doing(action));
        if subject.address.instance.is_none() {
            line.push_str(&format!(" ({})", words::name(subject.id.as_str())));
        }
        Some(Said { tone: Tone::UnderWay, line })
    }

    /// Takes a step off the board, and names its instance.
    fn end(&mut self, change: usize, at: Duration) -> Option<String> {
        if let Some(moving) = self.moving.remove(&change) {
            self.by_age.remove(&(moving.began, change));
        }
        self.steps.end(change, at);
        self.name(change)
    }

    fn name(&self, change: usize) -> Option<String> {
        self.steps.get(change).map(|subject| words::address(&subject.address))
    }

    /// `5 of 60 done`.
    pub(super) fn done_of_all(&self) -> String {
        format!("{} of {} done", self.done, self.all)
    }

    /// How many have not come so far, by how they stand: `10 in transition`, `45 waiting`, `0 failed`.
    pub(super) fn counts(&self) -> Vec<String> {
        let waiting = self.all.saturating_sub(self.ended() + self.moving.len());
        let all_are_taken = self.parallelism.is_some_and(|slots| self.moving.len() >= slots.get());
        let for_slots = match self.steps.waiting_for_slots(all_are_taken) {
            0 => String::new(),
            number => format!(" ({number} for a slot)"),
        };
        let mut counts = vec![
            format!("{} in transition", self.moving.len()),
            format!("{waiting} waiting{for_slots}"),
            format!("{} failed", self.failed),
        ];
        if self.skipped > 0 {
            counts.push(format!("{} skipped", self.skipped));
        }
        counts
    }

    /// How long it has taken, and how long that is expected to be: `8s of about 40s`.
    pub(super) fn time(&self) -> String {
        self.estimate.words(self.now)
    }

    /// How long it has taken.
    pub(super) fn elapsed(&self) -> Words {
        whole(self.now)
    }

    /// How many instances are in transition.
    pub(super) fn moving(&self) -> usize {
        self.moving.len()
    }

    /// The instances that have been in transition for longest, at most so many: each with how it stands.
    pub(super) fn oldest(&self, most: usize) -> Vec<(String, String)> {
        self.by_age
            .iter()
            .take(most)
            .filter_map(|(_, change)| {
                Some((self.name(*change)?, self.standing(*change, self.moving.get(change)?)))
            })
            .collect()
    }

    /// `Starting, 12s of about 40s`.
    fn standing(&self, change: usize, moving: &Moving) -> String {
        let age = self.now.saturating_sub(moving.began);
        let takes = self.steps.takes(change, moving.began);
        let time = match takes.filter(|takes| *takes >= age) {
            Some(expected) => format!("{} of about {}", whole(age), whole(expected)),
            None => whole(age).to_string(),
        };
        let doing = words::doing(moving.action);
        let seen = moving.seen.as_ref().map(|seen| words::status(seen.as_ref()));
        let seen = seen.as_deref();
        match &moving.phase {
            Phase::First(first) => {
                format!("{}, {time}, {doing} it once it is {first}", seen.unwrap_or("on its way"))
            }
            Phase::Calling => format!("{doing}, {time}, waits for ECS to take the call"),
            Phase::Again(met) => format!("{doing}, {time}, waits for another try ({met})"),
            Phase::Arriving => format!("{}, {time}", seen.unwrap_or(doing)),
            Phase::Readying(waits) => format!("Running, {waits}, {time}"),
        }
    }

    /// A line for each instance that has been in transition for at least `age`, the oldest first, at most so many,
    /// and how many more there are.
    pub(super) fn still_moving(&self, age: Duration, most: usize) -> Vec<String> {
        let Some(latest) = self.now.checked_sub(age) else { return Vec::new() };
        let old = || self.by_age.range(..=(latest, usize::MAX));
        let mut lines: Vec<String> = old()
            .take(most)
            .filter_map(|(began, change)| {
                let moving = self.moving.get(change)?;
                let elapsed = Duration::from_secs(self.now.saturating_sub(*began).as_secs());
                let seen = match &moving.phase {
                    Phase::Readying(waits) => Some(format!("Running, {waits}")),
                    _ => moving.seen.as_ref().map(|seen| words::seen(seen.as_ref())),
                };
                let still = words::still(moving.action, elapsed, seen.as_deref());
                Some(format!("{}: {still}", self.name(*change)?))
            })
            .collect();
        let all = old().count();
        if all > most {
            lines.push(format!("and {} more are still in transition", all - most));
        }
        lines
    }
}

/// A duration to the second: tenths would only flicker.
pub(super) fn whole(duration: Duration) -> Words {
    Words(Duration::from_secs(duration.as_secs()))
}

fn otherwise(line: String, mode: Option<StoppedMode>) -> Said {
    match mode {
        None => Said { tone: Tone::Good, line },
        Some(mode) => {
            Said { tone: Tone::Caution, line: format!("{line}; {}", words::stopped_otherwise(mode)) }
        }
    }
}
