//! The attributes of one instance, as it is and as it shall be, and the difference between the two.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::fleet::{Power, StoppedMode};
use crate::plan::{Change, Verdict, Warning};
use crate::render::style::{Ink, Style};
use crate::render::text_diff::stretches;
use crate::render::words;

/// The attributes that a plan shows of one instance. Values are safe to print and hold no line break, so that the
/// canonical document has one line for each attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<String>,
}

impl Attributes {
    /// What an instance is. Without attributes if it was not seen.
    pub(super) fn actual(change: &Change) -> Self {
        let Some(sighting) = change.seen.sighting() else { return Self::default() };
        // The mode says something about an instance that is stopped, and it is worth a line only if it has a
        // consequence: an economical start, or a mode other than wanted.
        let differs = change.warnings.iter().any(|w| matches!(w, Warning::StopModeDiffers { .. }));
        let matters = sighting.power == Power::Stopped
            && match sighting.stopped_mode {
                StoppedMode::StopCharging => true,
                StoppedMode::KeepCharging => differs,
                StoppedMode::NotApplicable => false,
            };
        let locks: Vec<_> = sighting.locks.iter().map(|lock| words::name(lock.reason.word())).collect();
        Self {
            status: Some(words::name(sighting.power.word()).into_owned()),
            stopped_mode: matters.then(|| sighting.stopped_mode.word().to_owned()),
            lock: (!locks.is_empty()).then(|| words::list(&locks, words::LISTED)),
        }
    }

    /// What an instance will be. Nothing if no change of its status is ahead.
    pub(super) fn desired(change: &Change, actual: &Self) -> Option<Self> {
        let (status, stopped_mode) = match &change.verdict {
            Verdict::Start { .. } => ("Running", None),
            Verdict::Stop { policy, .. } => ("Stopped", Some(policy.mode.word().to_owned())),
            Verdict::Wait { until, .. } => (until.word(), None),
            Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => return None,
        };
        Some(Self { status: Some(status.to_owned()), stopped_mode, lock: actual.lock.clone() })
    }

    /// The canonical document: one line for each attribute, in a fixed order.
    fn document(&self) -> String {
        let entries = self.entries();
        if entries.is_empty() {
            return String::new();
        }
        // Three optional strings always serialise; if they ever did not, every line would count as changed.
        serde_yaml::to_string(self).unwrap_or_default()
    }

    fn entries(&self) -> Vec<(&'static str, &str)> {
        [("status", &self.status), ("stopped_mode", &self.stopped_mode), ("lock", &self.lock)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_deref()?)))
            .collect()
    }
}

/// Draws attributes. A fleet has few different pairs of attributes, so each is compared only once.
#[derive(Debug)]
pub(super) struct Drawings {
    style: Style,
    drawn: HashMap<(Attributes, Option<Attributes>), String>,
}

impl Drawings {
    pub(super) fn new(style: Style) -> Self {
        Self { style, drawn: HashMap::new() }
    }

    /// The lines between the braces of a block: `~ status = "Stopped" -> "Running"`.
    pub(super) fn draw(&mut self, change: &Change) -> &str {
        let actual = Attributes::actual(change);
        let desired = Attributes::desired(change, &actual);
        let style = self.style;
        self.drawn.entry((actual, desired)).or_insert_with_key(|(actual, desired)| match desired {
            Some(desired) => difference(actual, desired, style),
            None => list(actual),
        })
    }
}

fn list(actual: &Attributes) -> String {
    let entries = actual.entries();
    let width = entries.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let mut lines = String::new();
    for (key, value) in entries {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(lines, "        {key:width$} = {}", quoted(value));
    }
    lines
}

fn difference(actual: &Attributes, desired: &Attributes, style: Style) -> String {
    let (old, new) = (actual.entries(), desired.entries());
    let width = old.iter().chain(&new).map(|(key, _)| key.len()).max().unwrap_or(0);
    let mut lines = String::new();
    let mut line = |ink: Option<Ink>, sign: char, key: &str, value: &str| {
        let _ = match ink {
            Some(ink) => writeln!(lines, "      {} {key:width$} = {value}", style.paint(ink, sign)),
            None => writeln!(lines, "        {key:width$} = {value}"),
        };
    };
    for stretch in stretches(&actual.document(), &desired.document()) {
        let old = old.get(stretch.old).unwrap_or_default();
        let new = new.get(stretch.new).unwrap_or_default();
        if stretch.same {
            for (key, value) in old {
                line(None, ' ', key, &quoted(value));
            }
            continue;
        }
        for (key, was) in old {
            match new.iter().find(|(other, _)| other == key) {
                Some((_, becomes)) => {
                    line(Some(Ink::Change), '~', key, &format!("{} -> {}", quoted(was), quoted(becomes)));
                }
                None => line(Some(Ink::Down), '-', key, &quoted(was)),
            }
        }
        for (key, becomes) in new {
            if !old.iter().any(|(other, _)| other == key) {
                line(Some(Ink::Up), '+', key, &quoted(becomes));
            }
        }
    }
    lines
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\\\""))
}
