//! The documents of `show --json` and `state list --json`.

use jiff::Timestamp;
use serde::Serialize;

use super::{FORMAT_VERSION, seconds, text};
use crate::fleet::Recorded;

/// The document of the record.
#[must_use]
pub fn state(recorded: &Recorded) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        format_version: &'static str,
        stack: &'a str,
        lineage: String,
        serial: u64,
        instances: Vec<Instance<'a>>,
    }
    #[derive(Serialize)]
    struct Instance<'a> {
        address: String,
        provider: &'a str,
        instance_id: &'a str,
        goal: &'static str,
        status: &'a str,
        recorded_at: Timestamp,
        start_seconds: Vec<f64>,
        stop_seconds: Vec<f64>,
    }
    let instances = recorded
        .instances
        .iter()
        .map(|(key, instance)| Instance {
            address: instance.address.to_string(),
            provider: key.provider.as_str(),
            instance_id: key.id.as_str(),
            goal: instance.goal.word(),
            status: instance.power.word(),
            recorded_at: instance.recorded_at,
            start_seconds: instance.took.starts.iter().copied().map(seconds).collect(),
            stop_seconds: instance.took.stops.iter().copied().map(seconds).collect(),
        })
        .collect();
    text(&Document {
        format_version: FORMAT_VERSION,
        stack: recorded.stack.as_str(),
        lineage: recorded.lineage.to_string(),
        serial: recorded.serial,
        instances,
    })
}

/// The document of the addresses in the record.
#[must_use]
pub fn state_list(recorded: &Recorded) -> String {
    #[derive(Serialize)]
    struct Document {
        format_version: &'static str,
        addresses: Vec<String>,
    }
    let mut addresses: Vec<String> =
        recorded.instances.values().map(|instance| instance.address.to_string()).collect();
    addresses.sort_unstable();
    text(&Document { format_version: FORMAT_VERSION, addresses })
}
