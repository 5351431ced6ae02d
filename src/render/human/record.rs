//! The record as people read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::fleet::duration::Words;
use crate::fleet::{Address, InstanceKey, Recorded, RecordedInstance};
use crate::render::style::{Ink, Style};
use crate::render::words;

/// The whole record: what it belongs to, and one line for each instance.
#[must_use]
pub fn state(recorded: &Recorded, style: Style) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", style.paint(Ink::Heading, format!("# stack {}", recorded.stack)));
    let _ = writeln!(text, "lineage {}, serial {}", recorded.lineage, recorded.serial);
    if recorded.instances.is_empty() {
        let _ = writeln!(text, "\n{}", nothing_recorded(recorded));
        return text;
    }
    text.push('\n');
    let instances = by_address(recorded);
    let addresses: Vec<String> =
        instances.iter().map(|(_, instance)| words::address(&instance.address)).collect();
    let width = addresses.iter().map(String::len).max().unwrap_or(0).min(words::NAME_COLUMNS);
    for (address, (key, instance)) in addresses.iter().zip(&instances) {
        let id = words::name(key.id.as_str());
        let power = words::name(instance.power.word());
        let at = words::time(instance.recorded_at);
        let _ = write!(text, "{address:width$}  {power:8}  goal {:7}  {at}", instance.goal);
        if instance.address.instance.is_none() {
            let _ = write!(text, "  {id}");
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "\n{} as the last apply left them; plan shows what they are now.",
        words::count(instances.len(), "instance")
    );
    text
}

/// Why a record holds no instance, and what fills it.
#[must_use]
pub fn nothing_recorded(recorded: &Recorded) -> &'static str {
    match recorded.serial {
        0 => "Nothing is recorded yet: the first apply writes the record.",
        _ => {
            "Nothing is recorded any more: what was is released or forgotten. The next apply records what it manages."
        }
    }
}

/// The addresses in the record, one a line.
#[must_use]
pub fn state_list(recorded: &Recorded) -> String {
    by_address(recorded).iter().fold(String::new(), |mut text, (_, instance)| {
        let _ = writeln!(text, "{}", words::address(&instance.address));
        text
    })
}

/// What the record says of one address, or of all instances of an entry, as YAML: one document for each instance.
/// Nothing if none is recorded.
#[must_use]
pub fn state_show(recorded: &Recorded, address: &Address) -> Option<String> {
    let documents: Vec<String> = by_address(recorded)
        .into_iter()
        .filter(|(_, instance)| address.takes_in(&instance.address))
        // A mapping of texts and lists of texts always serialises.
        .filter_map(|(key, instance)| serde_yaml::to_string(&Document::of(key, instance)).ok())
        .collect();
    (!documents.is_empty()).then(|| documents.join("---\n"))
}

fn by_address(recorded: &Recorded) -> Vec<(&InstanceKey, &RecordedInstance)> {
    let mut instances: Vec<_> = recorded.instances.iter().collect();
    instances.sort_by_key(|(key, instance)| (&instance.address, *key));
    instances
}

/// The record of one instance in the order in which people want to read it.
#[derive(Serialize)]
struct Document {
    address: String,
    provider: String,
    id: String,
    goal: &'static str,
    status: String,
    recorded_at: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    took: BTreeMap<&'static str, Vec<String>>,
}

impl Document {
    fn of(key: &InstanceKey, instance: &RecordedInstance) -> Self {
        let words_of = |took: &[std::time::Duration]| took.iter().map(|t| Words(*t).to_string()).collect();
        Self {
            address: words::address(&instance.address),
            provider: key.provider.to_string(),
            id: words::name(key.id.as_str()).into_owned(),
            goal: instance.goal.word(),
            status: words::name(instance.power.word()).into_owned(),
            recorded_at: instance.recorded_at.to_string(),
            took: [("starts", &instance.took.starts), ("stops", &instance.took.stops)]
                .into_iter()
                .filter(|(_, took)| !took.is_empty())
                .map(|(key, took)| (key, words_of(took)))
                .collect(),
        }
    }
}
