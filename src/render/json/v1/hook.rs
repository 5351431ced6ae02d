//! What the lines of an apply say of one step.

use jiff::Timestamp;
use serde::Serialize;

use super::{Level, Resource, line};
use crate::cloud::Refusal;
use crate::execute::{Action, Failure};
use crate::plan::Change;
use crate::render::words;

pub(super) fn hook_line(
    now: Timestamp,
    level: Level,
    kind: &'static str,
    message: &str,
    hook: Hook,
) -> String {
    #[derive(Serialize)]
    struct Body {
        hook: Hook,
    }
    line(now, level, kind, message, Body { hook })
}

/// What the lines of one step say, each what it knows.
#[derive(Debug, Serialize)]
pub(super) struct Hook {
    pub(super) resource: Resource,
    pub(super) action: &'static str,
    pub(super) id_key: &'static str,
    pub(super) id_value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) elapsed_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) how: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) took_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waits_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sends: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Error>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) root: Option<String>,
}

impl Hook {
    pub(super) fn of(change: &Change, action: Action) -> Self {
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
            waits_for: None,
            answer: None,
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
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    pub(super) remedy: String,
}

impl Error {
    pub(super) fn of(failure: &Failure, action: Action) -> Self {
        let (kind, refusal) = match failure {
            Failure::Refused(refusal) => ("refused", Some(refusal)),
            Failure::GaveUp { refusal, .. } => ("gave_up", Some(refusal)),
            Failure::CannotLook(refusal) => ("cannot_look", Some(refusal)),
            Failure::NoStock { refusal, .. } => ("no_stock", Some(refusal)),
            Failure::NotReady { .. } => ("not_ready", None),
            Failure::Moved { .. } => ("moved", None),
            Failure::NeedMoved { .. } => ("need_moved", None),
            Failure::FellBack { .. } => ("fell_back", None),
            Failure::Blocked(_) => ("blocked", None),
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

    pub(super) fn refusal(kind: &'static str, refusal: &Refusal) -> Self {
        Self {
            kind,
            code: refusal.code.clone(),
            message: refusal.message.clone(),
            request_id: refusal.request_id.clone(),
            remedy: words::remedy_of(refusal).into_owned(),
        }
    }
}
