//! Machine output, version 1.0: JSON lines in the manner of Terraform's machine-readable UI, and JSON documents.
//!
//! The types here are frozen: fields are added, never renamed, removed or given another meaning. Text from elsewhere
//! is given in full and exact, but characters that could repaint a terminal stand as JSON escapes.

mod apply;
mod checkup;
mod diagnostic;
mod hook;
mod plan;
mod problem;
mod state;
mod summary;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

pub use apply::Apply;
pub use checkup::checkup;
pub use diagnostic::{Diagnostic, Position, Range, Severity, Snippet, diagnostic, validation};
pub use plan::{change_summary, plan, planned_changes, resource_drifts, saved_plan};
pub use problem::diagnostics;
pub use state::{state, state_list};
pub use summary::apply_summary;

use crate::plan::Change;
use crate::render::visible::is_unsafe;

/// The version of the lines.
pub const UI: &str = "1.0";

/// The version of the documents.
pub const FORMAT_VERSION: &str = "1.0";

/// The first line of all: which powerform speaks, and in which version of the lines.
#[must_use]
pub fn version(now: Timestamp, powerform: &str) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        powerform: &'a str,
        ui: &'static str,
    }
    line(now, Level::Info, "version", &format!("powerform {powerform}"), Body { powerform, ui: UI })
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Info,
    Warn,
    Error,
}

/// What every line has, and in `body` what its type has besides.
#[derive(Serialize)]
struct Line<'a, Body> {
    #[serde(rename = "@level")]
    level: Level,
    #[serde(rename = "@message")]
    message: &'a str,
    #[serde(rename = "@module")]
    module: &'static str,
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    body: Body,
}

fn line<Body: Serialize>(
    now: Timestamp,
    level: Level,
    kind: &'static str,
    message: &str,
    body: Body,
) -> String {
    let module = "powerform.ui";
    let json = serde_json::to_string(&Line { level, message, module, timestamp: now, kind, body });
    // These types hold nothing that JSON cannot say. Should one ever do, the reader gets a line that says so.
    escaped(json.unwrap_or_else(|error| {
        let summary = format!("a line of type {kind} could not be written");
        serde_json::json!({
            "@level": "error", "@message": format!("Error: {summary}"), "@module": module,
            "@timestamp": now, "type": "diagnostic",
            "diagnostic": { "severity": "error", "summary": summary, "detail": error.to_string() },
        })
        .to_string()
    }))
}

/// The JSON text of a document, in one line and harmless on a terminal.
fn text<T: Serialize>(value: &T) -> String {
    // These types hold nothing that JSON cannot say. Should one ever do, the reader gets JSON that says so.
    let json = serde_json::to_string(value).unwrap_or_else(|error| {
        serde_json::json!({ "@level": "error", "@message": error.to_string(), "type": "diagnostic" })
            .to_string()
    });
    escaped(json)
}

/// JSON with everything invisible as escapes. Such characters can only stand inside of its strings, so the value
/// stays the same.
fn escaped(json: String) -> String {
    if !json.chars().any(is_unsafe) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_unsafe(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

/// An instance, in the form in which Terraform names a resource.
#[derive(Debug, Serialize)]
struct Resource {
    addr: String,
    module: &'static str,
    resource: String,
    implied_provider: String,
    resource_type: &'static str,
    resource_name: String,
    resource_key: Option<String>,
}

impl Resource {
    fn of(change: &Change) -> Self {
        let addr = change.address.to_string();
        Self {
            resource: addr.clone(),
            addr,
            module: "",
            implied_provider: change.key.provider.to_string(),
            resource_type: "instance",
            resource_name: change.address.entry.to_string(),
            resource_key: change.address.instance.as_ref().map(ToString::to_string),
        }
    }
}

/// Seconds to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
