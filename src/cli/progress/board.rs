//! What is known of a running apply, and the lines that tell it. Pure: nothing is drawn here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::execute::{Action, Event, EventKind, How};
use crate::fleet::duration::Words;
use crate::fleet::{Address, InstanceId, StoppedMode};
use crate::plan::{Plan, Verdict};
use crate::render::words;

/// A fold over the events of an apply.
#[derive(Debug)]
pub(super) struct Board {
    /// By position in the plan.
    subjects: Vec<Subject>,
    now: Duration,
    steps: usize,
    done: usize,
    failed: usize,
    skipped: usize,
    left: usize,
    moving: BTreeMap<usize, Moving>,
    /// The same by age, so that the oldest are found without looking at all.
    by_age: BTreeSet<(Duration, usize)>,
}

#[derive(Debug)]
struct Subject {
    address: Address,
    id: InstanceId,
    /// What the instance has to be before it can be called.
    first: Option<&'static str>,
    /// What it shall be.
    goal: &'static str,
}

#[derive(Debug)]
struct Moving {
    action: Action,
    began: Duration,
    /// What the last look that changed anything showed, in words.
    seen: Option<String>,
    waits_for: String,
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
    /// The board before the first event.
    pub(super) fn new(plan: &Plan) -> Self {
        let subjects: Vec<Subject> = plan
            .changes
            .iter()
            .map(|change| {
                let (first, goal) = match &change.verdict {
                    Verdict::Start { once_stopped, .. } => (once_stopped.then_some("Stopped"), "Running"),
                    Verdict::Stop { once_running, .. } => (once_running.then_some("Running"), "Stopped"),
                    Verdict::Wait { until, .. } => (None, until.word()),
                    Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => (None, ""),
                };
                Subject { address: change.address.clone(), id: change.key.id.clone(), first, goal }
            })
            .collect();
        let steps = subjects.iter().filter(|subject| !subject.goal.is_empty()).count();
        Self {
            subjects,
            now: Duration::ZERO,
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
        self.steps
    }

    /// How many of them have ended, however they did.
    pub(super) fn ended(&self) -> usize {
        self.done + self.failed + self.skipped + self.left
    }

    /// Takes in the time since the run began.
    pub(super) fn now(&mut self, at: Duration) {
        self.now = self.now.max(at);
    }

    /// Takes in one event, and says what is worth a line.
    pub(super) fn hear(&mut self, event: &Event) -> Option<Said> {
        self.now(event.at);
        match &event.kind {
            EventKind::Began { change, action } => self.begin(*change, *action, event.at),
            EventKind::Accepted { change, .. } => {
                let goal = self.subjects.get(*change)?.goal;
                goal.clone_into(&mut self.moving.get_mut(change)?.waits_for);
                None
            }
            EventKind::Retrying { change, refusal, sends, .. } => {
                let name = self.name(*change)?;
                let met = words::retrying(refusal, *sends);
                let moving = self.moving.get_mut(change)?;
                moving.waits_for = format!("another try ({met})");
                let line = format!("{name}: {}, trying again ({met})", words::doing(moving.action));
                Some(Said { tone: Tone::UnderWay, line })
            }
            EventKind::Moved { change, power } => {
                self.moving.get_mut(change)?.seen = Some(words::seen(power.as_ref()));
                None
            }
            EventKind::Completed { change, how, power, elapsed, request_id, stopped_mode, .. } => {
                let name = self.end(*change)?;
                self.done += 1;
                let power = words::name(power.word());
                let mut line = match how {
                    How::AlreadyThere => format!("{name}: {power} already"),
                    How::Arrived => format!("{name}: {power} after {}, without a call", Words(*elapsed)),
                    How::Called => format!("{name}: {power} after {}", Words(*elapsed)),
                };
                if let Some(id) = request_id {
                    line.push_str(&format!(" [request {}]", words::name(id)));
                }
                Some(otherwise(line, *stopped_mode))
            }
            EventKind::Failed { change, action, failure, elapsed, .. } => {
                let name = self.end(*change)?;
                self.failed += 1;
                let explanation = words::failure(failure, *action);
                let line = format!("{name}: failed after {}: {explanation}", Words(*elapsed));
                Some(Said { tone: Tone::Bad, line })
            }
            EventKind::Skipped { change, because, root, .. } => {
                let name = self.end(*change)?;
                self.skipped += 1;
                let line = format!("{name}: skipped: {}", words::skipped(because, root).what);
                Some(Said { tone: Tone::Caution, line })
            }
            EventKind::NotReached { change, in_transition, .. } => {
                let begun = self.moving.contains_key(change);
                let name = self.end(*change)?;
                self.left += 1;
                // What never began needs no line; the summary counts it.
                let line = format!("{name}: {}", words::left_over(*in_transition).what);
                begun.then_some(Said { tone: Tone::Caution, line })
            }
            // Whoever interrupted it knows; what it left is told for each step.
            EventKind::Interrupted => None,
            EventKind::Throttled { action, until } => {
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
        let subject = self.subjects.get(change)?;
        let waits_for = match action {
            Action::Wait => subject.goal,
            Action::Start | Action::Stop => subject.first.unwrap_or("ECS to take the call"),
        };
        let moving = Moving { action, began: at, seen: None, waits_for: waits_for.to_owned() };
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
    fn end(&mut self, change: usize) -> Option<String> {
        if let Some(moving) = self.moving.remove(&change) {
            self.by_age.remove(&(moving.began, change));
        }
        self.name(change)
    }

    fn name(&self, change: usize) -> Option<String> {
        self.subjects.get(change).map(|subject| words::address(&subject.address))
    }

    /// The whole apply in one line.
    pub(super) fn overall(&self) -> String {
        let waiting = self.steps.saturating_sub(self.ended() + self.moving.len());
        let mut line = format!(
            "{} of {} done, {} in transition, {waiting} waiting, {} failed",
            self.done,
            self.steps,
            self.moving.len(),
            self.failed
        );
        if self.skipped > 0 {
            line.push_str(&format!(", {} skipped", self.skipped));
        }
        line.push_str(&format!("; {}", whole(self.now)));
        line
    }

    /// The instances in transition, the oldest first, at most so many, and how many more there are.
    pub(super) fn list(&self, most: usize) -> Vec<String> {
        let mut lines: Vec<String> = self
            .by_age
            .iter()
            .take(most)
            .filter_map(|(began, change)| {
                let moving = self.moving.get(change)?;
                let age = whole(self.now.saturating_sub(*began));
                let mut line = format!("{}: {} for {age}", self.name(*change)?, words::doing(moving.action));
                if let Some(seen) = &moving.seen {
                    line.push_str(&format!(", {seen}"));
                }
                line.push_str(&format!(", waits for {}", moving.waits_for));
                Some(line)
            })
            .collect();
        if self.by_age.len() > most {
            lines.push(format!("and {} more", self.by_age.len() - most));
        }
        lines
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
                let age = whole(self.now.saturating_sub(*began));
                let mut line =
                    format!("{}: still {} after {age}", self.name(*change)?, words::doing(moving.action));
                if let Some(seen) = &moving.seen {
                    line.push_str(&format!(", {seen}"));
                }
                Some(line)
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
fn whole(duration: Duration) -> Words {
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
