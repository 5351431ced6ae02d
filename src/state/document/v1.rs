//! Version 1 of the text form.
//!
//! Frozen: `tests/data/state/v1-*.json` must read and write the same for ever. A field that this version does not
//! name is ignored when read and gone with the next write; so a field that must not be lost needs a new version.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::{Edition, Refused, damaged};
use crate::fleet::{
    Address, Durations, Goal, InstanceId, InstanceKey, Power, ProviderAlias, Recorded, RecordedInstance,
    StackName,
};

#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Document {
    stack: StackName,
    lineage: String,
    serial: u64,
    instances: Pairs,
}

#[derive(Deserialize)]
#[serde(expecting = "a JSON object")]
struct Heading {
    stack: StackName,
    lineage: String,
    serial: u64,
    #[serde(rename = "instances")]
    _instances: IgnoredAny,
}

#[derive(Serialize)]
struct WrittenDocument<'a> {
    format_version: u64,
    stack: &'a StackName,
    lineage: String,
    serial: u64,
    instances: BTreeMap<Address, Instance>,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "a JSON object")]
struct Instance {
    provider: ProviderAlias,
    id: InstanceId,
    #[serde(rename = "goal")]
    wanted: Wanted,
    status: Power,
    recorded_at: Timestamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    starts_ms: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stops_ms: Vec<u64>,
}

/// The words for goals, apart from the type that decisions are made with: that one may change.
#[derive(Serialize, Deserialize)]
enum Wanted {
    Running,
    Stopped,
    Any,
}

/// A JSON object in the order of the text, with repeated names kept: a map would let the last one win in silence.
struct Pairs(Vec<(Address, Instance)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("instances by address")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// The greatest serial that is read. One write a millisecond would reach it in three hundred million years, and as many
/// again could follow before there were none left to raise it to.
const GREATEST_SERIAL: u64 = u64::MAX / 2;

pub(super) fn read(text: &[u8]) -> Result<Recorded, Refused> {
    let document: Document = serde_json::from_slice(text).map_err(damaged)?;
    check_serial(document.serial)?;
    let lineage = read_lineage(&document.lineage)?;
    check_addresses(&document.instances)?;
    let mut instances = BTreeMap::new();
    for (address, instance) in document.instances.0 {
        let key = InstanceKey { provider: instance.provider, id: instance.id };
        let recorded = RecordedInstance {
            address,
            goal: match instance.wanted {
                Wanted::Running => Goal::Running,
                Wanted::Stopped => Goal::Stopped,
                Wanted::Any => Goal::Any,
            },
            power: instance.status,
            recorded_at: instance.recorded_at,
            took: Durations { starts: newest(&instance.starts_ms), stops: newest(&instance.stops_ms) },
        };
        match instances.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(recorded);
            }
            Entry::Occupied(occupied) => {
                let why = format!(
                    "it records {} twice, at {} and at {}",
                    occupied.key().id,
                    occupied.get().address,
                    recorded.address
                );
                return Err(Refused::Damaged { why });
            }
        }
    }
    Ok(Recorded { stack: document.stack, lineage, serial: document.serial, instances })
}

pub(super) fn read_edition(text: &[u8]) -> Result<(StackName, Edition), Refused> {
    let heading: Heading = serde_json::from_slice(text).map_err(damaged)?;
    check_serial(heading.serial)?;
    let lineage = read_lineage(&heading.lineage)?;
    Ok((heading.stack, Edition { lineage, serial: heading.serial }))
}

pub(super) fn write(record: &Recorded) -> Vec<u8> {
    let document = WrittenDocument {
        format_version: 1,
        stack: &record.stack,
        lineage: record.lineage.hyphenated().to_string(),
        serial: record.serial,
        instances: by_address(record),
    };
    let mut text = serde_json::to_vec_pretty(&document).expect("strings and whole numbers have a JSON form");
    text.push(b'\n');
    text
}

fn by_address(record: &Recorded) -> BTreeMap<Address, Instance> {
    let mut newest_first: Vec<_> = record.instances.iter().collect();
    newest_first.sort_by_key(|(_, recorded)| Reverse(recorded.recorded_at));
    let mut placed = BTreeMap::new();
    for (key, recorded) in newest_first {
        let own = recorded.address.clone();
        let former = Address { entry: own.entry.clone(), instance: Some(key.id.clone()) };
        let free = if placed.contains_key(&own) { former } else { own };
        if let Entry::Vacant(vacant) = placed.entry(free) {
            vacant.insert(written(key, recorded));
        }
    }
    placed
}

fn written(key: &InstanceKey, recorded: &RecordedInstance) -> Instance {
    Instance {
        provider: key.provider.clone(),
        id: key.id.clone(),
        wanted: match recorded.goal {
            Goal::Running => Wanted::Running,
            Goal::Stopped => Wanted::Stopped,
            Goal::Any => Wanted::Any,
        },
        status: recorded.power.clone(),
        recorded_at: recorded.recorded_at,
        starts_ms: milliseconds(&recorded.took.starts),
        stops_ms: milliseconds(&recorded.took.stops),
    }
}

fn check_addresses(instances: &Pairs) -> Result<(), Refused> {
    let mut seen = HashSet::with_capacity(instances.0.len());
    match instances.0.iter().find(|(address, _)| !seen.insert(address)) {
        None => Ok(()),
        Some((address, _)) => Err(Refused::Damaged { why: format!("it holds the address {address} twice") }),
    }
}

fn check_serial(serial: u64) -> Result<(), Refused> {
    if serial > GREATEST_SERIAL {
        let why = format!("its serial {serial} is greater than any that powerform has written");
        return Err(Refused::Damaged { why });
    }
    Ok(())
}

fn read_lineage(text: &str) -> Result<Uuid, Refused> {
    Uuid::try_parse(text).map_err(|_| Refused::Damaged { why: "its lineage is not a UUID".to_owned() })
}

fn newest(milliseconds: &[u64]) -> Vec<Duration> {
    let surplus = milliseconds.len().saturating_sub(Durations::KEPT);
    milliseconds[surplus..].iter().copied().map(Duration::from_millis).collect()
}

fn milliseconds(durations: &[Duration]) -> Vec<u64> {
    durations.iter().map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).collect()
}
