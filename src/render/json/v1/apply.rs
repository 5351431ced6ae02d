//! The lines of an apply.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::hook::{Error, Hook, hook_line};
use super::{Diagnostic, Level, Severity, diagnostic, seconds};
use crate::execute::{Action, Event, EventKind, How};
use crate::fleet::duration::Words;
use crate::plan::{Change, Plan};
use crate::render::words;

/// How often a step that is still in transition is spoken of.
const EVERY: Duration = Duration::from_secs(10);

/// Makes the lines of one apply. It remembers which steps have begun, and when, so that every line can tell its
/// elapsed time, and every `apply_start` is followed by exactly one line that ends it.
#[derive(Debug, Default)]
pub struct Apply {
    steps: BTreeMap<usize, Step>,
}

/// A step that has begun and not ended.
#[derive(Debug)]
struct Step {
    action: Action,
    began: Duration,
    spoken_of: Duration,
    /// What it was last seen as; none of either before it has moved, or of the status if it is not visible.
    status: Option<String>,
    seen: Option<String>,
}

impl Apply {
    /// An apply of which nothing has been heard.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The line for an event, where it has one. `now` is the moment of the event.
    pub fn event_line(&mut self, now: Timestamp, plan: &Plan, event: &Event) -> Option<String> {
        let at = event.at;
        match &event.kind {
            EventKind::Began { change: position, action } => {
                let change = plan.changes.get(*position)?;
                if let Some(step) = self.steps.get_mut(position) {
                    // A wait that turned into a call goes on; it has had its beginning.
                    (step.action, step.spoken_of) = (*action, at);
                    return Some(progress_line(now, change, step, at));
                }
                self.steps.insert(
                    *position,
                    Step { action: *action, began: at, spoken_of: at, status: None, seen: None },
                );
                let message = about(change, format_args!("{}...", words::doing(*action)));
                Some(hook_line(now, Level::Info, "apply_start", &message, Hook::of(change, *action)))
            }
            EventKind::Accepted { .. } | EventKind::Interrupted => None,
            EventKind::Retrying { change: position, action, refusal, sends } => {
                let change = plan.changes.get(*position)?;
                let elapsed = self.elapsed(*position, at);
                let met = words::retrying(refusal, *sends);
                let message = about(change, format_args!("{}, trying again ({met})", words::doing(*action)));
                let hook = Hook {
                    elapsed_seconds: Some(seconds(elapsed)),
                    request_id: refusal.request_id.clone(),
                    sends: Some(*sends),
                    error: Some(Error::refusal("retrying", refusal)),
                    ..Hook::of(change, *action)
                };
                Some(hook_line(now, Level::Warn, "apply_progress", &message, hook))
            }
            EventKind::OutOfStock { change: position, refusal, again, until } => {
                let change = plan.changes.get(*position)?;
                let (again, left) = (again.saturating_sub(at), until.saturating_sub(at));
                let message = about(change, format_args!("{}", words::out_of_stock(refusal, again, left)));
                let hook = Hook {
                    elapsed_seconds: Some(seconds(self.elapsed(*position, at))),
                    request_id: refusal.request_id.clone(),
                    error: Some(Error::refusal("no_stock", refusal)),
                    ..Hook::of(change, Action::Start)
                };
                Some(hook_line(now, Level::Warn, "apply_progress", &message, hook))
            }
            EventKind::Readying { change: position, probe, answer } => {
                let change = plan.changes.get(*position)?;
                let step = self.steps.get_mut(position)?;
                step.spoken_of = at;
                let waits = words::readying(probe.as_ref(), answer.as_deref());
                let message = about(change, format_args!("Running, {waits}"));
                let hook = Hook {
                    elapsed_seconds: Some(seconds(at.saturating_sub(step.began))),
                    status: Some("Running".to_owned()),
                    waits_for: Some(probe.as_ref().map_or_else(|| "delay".to_owned(), words::probe)),
                    answer: answer.clone(),
                    ..Hook::of(change, step.action)
                };
                step.seen = Some(waits);
                Some(hook_line(now, Level::Info, "apply_progress", &message, hook))
            }
            EventKind::Moved { change: position, power } => {
                let change = plan.changes.get(*position)?;
                let step = self.steps.get_mut(position)?;
                step.status = power.as_ref().map(|power| power.word().to_owned());
                step.seen = Some(words::seen(power.as_ref()));
                step.spoken_of = at;
                Some(progress_line(now, change, step, at))
            }
            EventKind::Completed {
                change: position,
                action,
                how,
                power,
                elapsed,
                took,
                request_id,
                stopped_mode,
            } => {
                let change = plan.changes.get(*position)?;
                self.steps.remove(position);
                let seen = words::name(power.word());
                let mut message = about(change, format_args!("{seen} after {}", Words(*elapsed)));
                if let Some(mode) = stopped_mode {
                    message.push_str(&format!("; {}", words::stopped_otherwise(*mode)));
                }
                let hook = Hook {
                    elapsed_seconds: Some(seconds(*elapsed)),
                    request_id: request_id.clone(),
                    status: Some(power.word().to_owned()),
                    how: Some(how_word(*how)),
                    took_seconds: took.map(seconds),
                    stopped_mode: stopped_mode.map(crate::fleet::StoppedMode::word),
                    ..Hook::of(change, *action)
                };
                let level = if stopped_mode.is_some() { Level::Warn } else { Level::Info };
                Some(hook_line(now, level, "apply_complete", &message, hook))
            }
            EventKind::Failed { change: position, action, failure, power, elapsed } => {
                let change = plan.changes.get(*position)?;
                self.steps.remove(position);
                let error = Error::of(failure, *action);
                let what = words::failure(failure, *action).what;
                let message = about(change, format_args!("{what}"));
                let hook = Hook {
                    elapsed_seconds: Some(seconds(*elapsed)),
                    request_id: error.request_id.clone(),
                    status: power.as_ref().map(|power| power.word().to_owned()),
                    error: Some(error),
                    ..Hook::of(change, *action)
                };
                Some(hook_line(now, Level::Error, "apply_errored", &message, hook))
            }
            EventKind::Skipped { change: position, action, because, root } => {
                let change = plan.changes.get(*position)?;
                let what = words::skipped(because, root).what;
                let message = about(change, format_args!("{what}"));
                let hook = Hook {
                    because: Some(because.to_string()),
                    root: Some(root.to_string()),
                    ..Hook::of(change, *action)
                };
                Some(hook_line(now, Level::Warn, "apply_skipped", &message, hook))
            }
            // What never began has no line to end; the summary names it.
            EventKind::NotReached { change: position, action, in_transition } => {
                let change = plan.changes.get(*position)?;
                let step = self.steps.remove(position)?;
                let words::Explanation { what, remedy } = words::left_over(*in_transition);
                let message = about(change, format_args!("{what}"));
                let hook = Hook {
                    elapsed_seconds: Some(seconds(at.saturating_sub(step.began))),
                    status: step.status,
                    error: Some(Error {
                        kind: "interrupted",
                        code: None,
                        message: what,
                        request_id: None,
                        remedy: remedy.into_owned(),
                    }),
                    ..Hook::of(change, *action)
                };
                Some(hook_line(now, Level::Warn, "apply_errored", &message, hook))
            }
            EventKind::Throttled { action, until } => {
                let summary = format!("too many {} calls: ECS asks to wait", action.word());
                let next = Words(until.saturating_sub(at));
                let detail = format!("they wait until one is let through; the next try is in {next}");
                Some(diagnostic(now, &Diagnostic::new(Severity::Warning, summary, detail)))
            }
            EventKind::LookFailed { refusal } => {
                let summary = "a look at the instances failed; it will be repeated";
                let detail =
                    format!("{}: {}", words::message(&refusal.to_string()), words::remedy_of(refusal));
                Some(diagnostic(now, &Diagnostic::new(Severity::Warning, summary, detail)))
            }
        }
    }

    /// One `apply_progress` line for each step that is in transition and has not been spoken of for ten seconds.
    /// `at` is the time since the run began.
    pub fn progress_lines(&mut self, now: Timestamp, plan: &Plan, at: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        for (position, step) in &mut self.steps {
            if at.saturating_sub(step.spoken_of) < EVERY {
                continue;
            }
            if let Some(change) = plan.changes.get(*position) {
                step.spoken_of = at;
                lines.push(progress_line(now, change, step, at));
            }
        }
        lines
    }

    fn elapsed(&self, position: usize, at: Duration) -> Duration {
        self.steps.get(&position).map_or(Duration::ZERO, |step| at.saturating_sub(step.began))
    }
}

fn about(change: &Change, what: fmt::Arguments<'_>) -> String {
    format!("{}: {what}", words::address(&change.address))
}

fn progress_line(now: Timestamp, change: &Change, step: &Step, at: Duration) -> String {
    let elapsed = at.saturating_sub(step.began);
    let still = words::still(step.action, elapsed, step.seen.as_deref());
    let message = about(change, format_args!("{still}"));
    let hook = Hook {
        elapsed_seconds: Some(seconds(elapsed)),
        status: step.status.clone(),
        ..Hook::of(change, step.action)
    };
    hook_line(now, Level::Info, "apply_progress", &message, hook)
}

fn how_word(how: How) -> &'static str {
    match how {
        How::Called => "called",
        How::Arrived => "arrived",
        How::AlreadyThere => "already_there",
        How::Ready => "ready",
    }
}
