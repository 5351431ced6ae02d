//! What is known of a running apply, and the lines that tell it. Pure: nothing is drawn here.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::execute::{Action, Event, EventKind, How};
use crate::fleet::duration::Words;
use crate::fleet::{Address, InstanceId, Power, StoppedMode};
use crate::plan::{Outlook, Plan, Verdict};
use crate::render::words;

/// A fold over the events of an apply.
#[derive(Debug)]
pub(super) struct Board {
    /// By position in the plan.
    subjects: Vec<Subject>,
    /// By position in the plan's groups.
    groups: Vec<Group>,
    parallelism: Option<NonZeroUsize>,
    expected: Expected,
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
    group: Option<usize>,
    /// What it was when the plan was made.
    seen: Option<Power>,
    /// What the instance has to be before it can be called.
    first: Option<&'static str>,
    /// How long earlier steps like this took.
    expected: Option<Duration>,
    /// Whether its turn has not come yet.
    is_waiting: bool,
    /// Whether it has not ended yet.
    is_open: bool,
}

/// The steps of an entry.
#[derive(Debug)]
struct Group {
    /// The groups that it comes after.
    after: Vec<usize>,
    /// How many of its instances may be in transition at a time.
    at_once: Option<usize>,
    /// Steps whose turn has not come.
    waiting: usize,
    /// Steps that have not ended.
    open: usize,
}

/// How long the whole apply is expected to take.
#[derive(Debug, Clone, Copy)]
enum Expected {
    About(Duration),
    AtLeast(Duration),
    Unknown,
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
        let subjects: Vec<Subject> = plan
            .changes
            .iter()
            .map(|change| {
                let (first, is_step) = match &change.verdict {
                    Verdict::Start { once_stopped, .. } => (once_stopped.then_some("Stopped"), true),
                    Verdict::Stop { once_running, .. } => (once_running.then_some("Running"), true),
                    Verdict::Wait { .. } => (None, true),
                    Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => (None, false),
                };
                Subject {
                    address: change.address.clone(),
                    id: change.key.id.clone(),
                    group: change.entry.map(|entry| entry.at()),
                    seen: change.seen.sighting().map(|sighting| sighting.power.clone()),
                    first,
                    expected: change.expected,
                    is_waiting: is_step,
                    is_open: is_step,
                }
            })
            .collect();
        let steps = subjects.iter().filter(|subject| subject.is_open).count();
        let mut groups: Vec<Group> = plan
            .groups
            .iter()
            .map(|group| Group {
                after: group.after.iter().map(|after| after.group.at()).collect(),
                at_once: group.at_once.map(|at_once| at_once.get() as usize),
                waiting: 0,
                open: 0,
            })
            .collect();
        for subject in subjects.iter().filter(|subject| subject.is_open) {
            if let Some(group) = subject.group.and_then(|group| groups.get_mut(group)) {
                group.waiting += 1;
                group.open += 1;
            }
        }
        let outlook = Outlook::of(plan);
        let expected = match outlook.longest.takes {
            Duration::ZERO => Expected::Unknown,
            takes if parallelism.is_some() || !outlook.unknown.is_empty() => Expected::AtLeast(takes),
            takes => Expected::About(takes),
        };
        Self {
            subjects,
            groups,
            parallelism,
            expected,
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
                let moving = self.moving.get_mut(change)?;
                // Only that it begins is worth a line; the board shows the rest.
                let is_new = !matches!(moving.phase, Phase::Readying(_));
                let line = format!("{name}: Running, {waits}");
                moving.phase = Phase::Readying(waits);
                is_new.then_some(Said { tone: Tone::UnderWay, line })
            }
            EventKind::Moved { change, power } => {
                let moving = self.moving.get_mut(change)?;
                moving.seen = Some(power.clone());
                if matches!(moving.phase, Phase::First(first) if power.as_ref().map(Power::word) == Some(first))
                {
                    moving.phase = Phase::Calling;
                }
                None
            }
            EventKind::Completed { change, how, power, elapsed, request_id, stopped_mode, .. } => {
                let name = self.end(*change)?;
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
        let subject = self.subjects.get_mut(change)?;
        if !std::mem::replace(&mut subject.is_open, true) {
            // It is as wanted, and has yet to show that it is ready.
            self.steps += 1;
            if let Some(group) = subject.group.and_then(|group| self.groups.get_mut(group)) {
                group.open += 1;
            }
        }
        let subject = self.subjects.get_mut(change)?;
        if std::mem::take(&mut subject.is_waiting)
            && let Some(group) = subject.group.and_then(|group| self.groups.get_mut(group))
        {
            group.waiting -= 1;
        }
        let subject = self.subjects.get(change)?;
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
    fn end(&mut self, change: usize) -> Option<String> {
        if let Some(moving) = self.moving.remove(&change) {
            self.by_age.remove(&(moving.began, change));
        }
        let subject = self.subjects.get_mut(change)?;
        let was_waiting = std::mem::take(&mut subject.is_waiting);
        let was_open = std::mem::take(&mut subject.is_open);
        if let Some(group) = subject.group.and_then(|group| self.groups.get_mut(group)) {
            group.waiting -= usize::from(was_waiting);
            group.open -= usize::from(was_open);
        }
        self.name(change)
    }

    fn name(&self, change: usize) -> Option<String> {
        self.subjects.get(change).map(|subject| words::address(&subject.address))
    }

    /// `5 of 60 done`.
    pub(super) fn done_of_all(&self) -> String {
        format!("{} of {} done", self.done, self.steps)
    }

    /// How many have not come so far, by how they stand: `10 in transition`, `45 waiting`, `0 failed`.
    pub(super) fn counts(&self) -> Vec<String> {
        let waiting = self.steps.saturating_sub(self.ended() + self.moving.len());
        let for_slots = match self.waiting_for_slots() {
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

    /// Steps that nothing keeps from beginning but the number of those that have begun.
    fn waiting_for_slots(&self) -> usize {
        let all_are_taken = self.parallelism.is_some_and(|slots| self.moving.len() >= slots.get());
        let is_for_slots = |group: &&Group| {
            let are_taken = group.at_once.is_some_and(|slots| group.open - group.waiting >= slots);
            let before = || group.after.iter().filter_map(|before| self.groups.get(*before));
            (all_are_taken || are_taken) && before().all(|before| before.open == 0)
        };
        let waiting = self.groups.iter().filter(|group| group.waiting > 0);
        waiting.filter(is_for_slots).map(|group| group.waiting).sum()
    }

    /// How long it has taken, and how long that is expected to be: `8s of about 40s`.
    pub(super) fn time(&self) -> String {
        let elapsed = self.elapsed();
        match self.expected {
            Expected::About(takes) if takes >= self.now => format!("{elapsed} of about {}", whole(takes)),
            Expected::About(takes) => format!("{elapsed}, longer than the usual {}", whole(takes)),
            Expected::AtLeast(takes) if takes >= self.now => {
                format!("{elapsed} of at least {}", whole(takes))
            }
            Expected::AtLeast(_) | Expected::Unknown => format!("{elapsed} of an unknown time"),
        }
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
                let (subject, moving) = (self.subjects.get(*change)?, self.moving.get(change)?);
                Some((words::address(&subject.address), self.standing(subject, moving)))
            })
            .collect()
    }

    /// `Starting, 12s of about 40s`.
    fn standing(&self, subject: &Subject, moving: &Moving) -> String {
        let age = self.now.saturating_sub(moving.began);
        let time = match subject.expected.filter(|expected| *expected >= age) {
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
            Phase::Readying(waits) => format!("Running, {waits}, {}", whole(age)),
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
