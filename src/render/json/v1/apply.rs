//! The lines of an apply.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Diagnostic, Level, Resource, Severity, diagnostic, line, seconds};
use crate::cloud::Refusal;
use crate::execute::{Action, Event, EventKind, Failure, How};
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
    status: Option<String>,
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
                self.steps
                    .insert(*position, Step { action: *action, began: at, spoken_of: at, status: None });
                let message = format!("{}: {}...", words::address(&change.address), words::doing(*action));
                let hook = Hook::of(change, *action);
                Some(hook_line(now, Level::Info, "apply_start", &message, hook))
            }
            EventKind::Accepted { .. } => None,
            EventKind::Retrying { change: position, action, refusal, sends } => {
                let change = plan.changes.get(*position)?;
                let elapsed = self.elapsed(*position, at);
                let message = format!(
                    "{}: {} again: {}",
                    words::address(&change.address),
                    words::doing(*action),
                    words::retrying(refusal, *sends)
                );
                let hook = Hook {
                    elapsed_seconds: Some(seconds(elapsed)),
                    request_id: refusal.request_id.clone(),
                    sends: Some(*sends),
                    error: Some(Error::refusal("retrying", refusal)),
                    ..Hook::of(change, *action)
                };
                Some(hook_line(now, Level::Warn, "apply_progress", &message, hook))
            }
            EventKind::Moved { change: position, power } => {
                let change = plan.changes.get(*position)?;
                let step = self.steps.get_mut(position)?;
                step.status = Some(power.word().to_owned());
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
                let mut message = format!(
                    "{}: {} after {}",
                    words::address(&change.address),
                    words::name(power.word()),
                    Words(*elapsed)
                );
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
                let message = format!("{}: {what}", words::address(&change.address));
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
                let message = format!("{}: {what}", words::address(&change.address));
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
                let message = format!("{}: {what}", words::address(&change.address));
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
                let detail = format!("they go on in {}", Words(until.saturating_sub(at)));
                Some(diagnostic(now, &Diagnostic::new(Severity::Warning, summary, detail)))
            }
            EventKind::LookFailed { refusal } => {
                let summary = "a look at the instances failed; it will be repeated";
                let detail = format!("{}: {}", words::message(&refusal.message), words::remedy_of(refusal));
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

fn progress_line(now: Timestamp, change: &Change, step: &Step, at: Duration) -> String {
    let elapsed = at.saturating_sub(step.began);
    let mut message = format!(
        "{}: still {} after {}",
        words::address(&change.address),
        words::doing(step.action),
        Words(elapsed)
    );
    if let Some(status) = &step.status {
        message.push_str(&format!(", seen {}", words::name(status)));
    }
    let hook = Hook {
        elapsed_seconds: Some(seconds(elapsed)),
        status: step.status.clone(),
        ..Hook::of(change, step.action)
    };
    hook_line(now, Level::Info, "apply_progress", &message, hook)
}

fn hook_line(now: Timestamp, level: Level, kind: &'static str, message: &str, hook: Hook) -> String {
    #[derive(Serialize)]
    struct Body {
        hook: Hook,
    }
    line(now, level, kind, message, Body { hook })
}

/// What the lines of one step say, each what it knows.
#[derive(Debug, Serialize)]
struct Hook {
    resource: Resource,
    action: &'static str,
    id_key: &'static str,
    id_value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sends: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
}

impl Hook {
    fn of(change: &Change, action: Action) -> Self {
        Self {
            resource: Resource::of(change),
            action: action.word(),
            id_key: "instance_id",
            id_value: change.key.id.to_string(),
            elapsed_seconds: None,
            request_id: None,
            status: None,
            how: None,
            took_seconds: None,
            stopped_mode: None,
            sends: None,
            error: None,
            because: None,
            root: None,
        }
    }
}

/// How a step failed. `code`, `message` and `request_id` are ECS's own where ECS refused.
#[derive(Debug, Serialize)]
pub(super) struct Error {
    pub(super) kind: &'static str,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
    remedy: String,
}

impl Error {
    pub(super) fn of(failure: &Failure, action: Action) -> Self {
        let (kind, refusal) = match failure {
            Failure::Refused(refusal) => ("refused", Some(refusal)),
            Failure::GaveUp { refusal, .. } => ("gave_up", Some(refusal)),
            Failure::CannotLook(refusal) => ("cannot_look", Some(refusal)),
            Failure::Moved { .. } => ("moved", None),
            Failure::NeedMoved { .. } => ("need_moved", None),
            Failure::FellBack { .. } => ("fell_back", None),
            Failure::Vanished { .. } => ("vanished", None),
            Failure::TimedOut { .. } => ("timed_out", None),
        };
        let words::Explanation { what, remedy } = words::failure(failure, action);
        Self {
            kind,
            code: refusal.and_then(|refusal| refusal.code.clone()),
            message: refusal.map_or(what, |refusal| refusal.message.clone()),
            request_id: refusal.and_then(|refusal| refusal.request_id.clone()),
            remedy: remedy.into_owned(),
        }
    }

    fn refusal(kind: &'static str, refusal: &Refusal) -> Self {
        Self {
            kind,
            code: refusal.code.clone(),
            message: refusal.message.clone(),
            request_id: refusal.request_id.clone(),
            remedy: words::remedy_of(refusal).into_owned(),
        }
    }
}

fn how_word(how: How) -> &'static str {
    match how {
        How::Called => "called",
        How::Arrived => "arrived",
        How::AlreadyThere => "already_there",
    }
}
