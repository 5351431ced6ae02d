//! The answer to DescribeInstances.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::lenient::{Many, Object, Text};
use super::tags::ScalingTag;
use super::{Decoded, Unreadable, from_body, read_time};
use crate::fleet::{Charge, InstanceId, Lock, LockReason, Power, Sighting, StoppedMode};

/// One page of instances.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InstancePage {
    /// What it says of each instance.
    pub sightings: Vec<Sighting>,
    /// The token of the next page, if there is one.
    pub next_token: Option<String>,
    /// How many instances there are on all pages. Without meaning where pages have tokens.
    pub total: Option<u64>,
}

/// Reads the answer to DescribeInstances.
///
/// # Errors
/// [`Unreadable`] if it has no list of instances, or one in it has no usable id. What else is odd about an instance
/// counts as absent, so that it is seen with an unknown status rather than spoiling the look at the others.
pub fn decode_instances(body: &[u8]) -> Result<Decoded<InstancePage>, Unreadable> {
    let document: Document = from_body(body)?;
    let Some(Object(list)) = document.instances else {
        return Err(Unreadable("it has no list of instances".to_owned()));
    };
    let page = InstancePage {
        sightings: list.instance.0.into_iter().map(|item| item.0).collect(),
        next_token: document.next_token.non_empty(),
        total: document.total_count.count(),
    };
    Ok(Decoded { request_id: document.request_id.non_empty(), value: page })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    request_id: Text,
    #[serde(default)]
    next_token: Text,
    #[serde(default)]
    total_count: Text,
    #[serde(default)]
    instances: Option<Object<List>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    #[serde(default)]
    instance: Many<Item>,
}

/// The fields that count, of some eighty.
#[derive(Deserialize)]
#[serde(field_identifier)]
enum Field {
    InstanceId,
    InstanceName,
    Status,
    StoppedMode,
    OperationLocks,
    InstanceChargeType,
    ExpiredTime,
    SpotStrategy,
    ZoneId,
    LocalStorageAmount,
    Tags,
    VpcAttributes,
    InnerIpAddress,
    EipAddress,
    PublicIpAddress,
    #[serde(other)]
    Other,
}

/// An instance. Read by hand and not by derived code, because a field that comes twice or in another shape must not
/// make the whole page unreadable.
struct Item(Sighting);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ItemVisitor).map(Self)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Sighting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instance")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Sighting, A::Error> {
        let mut id = Text::default();
        let mut name = Text::default();
        let mut status = Text::default();
        let mut stopped_mode = Text::default();
        let mut locks = Vec::new();
        let mut charge = Text::default();
        let mut expires = Text::default();
        let mut spot = Text::default();
        let mut zone = Text::default();
        let mut local_disks = Text::default();
        let mut tags = ScalingTag::default();
        let mut vpc = Value::Null;
        let mut inner = Value::Null;
        let mut elastic = Value::Null;
        let mut public = Value::Null;
        while let Some(field) = object.next_key()? {
            match field {
                Field::InstanceId => id = object.next_value()?,
                Field::InstanceName => name = object.next_value()?,
                Field::Status => status = object.next_value()?,
                Field::StoppedMode => stopped_mode = object.next_value()?,
                Field::OperationLocks => locks = read_locks(&object.next_value()?),
                Field::InstanceChargeType => charge = object.next_value()?,
                Field::ExpiredTime => expires = object.next_value()?,
                Field::SpotStrategy => spot = object.next_value()?,
                Field::ZoneId => zone = object.next_value()?,
                Field::LocalStorageAmount => local_disks = object.next_value()?,
                Field::Tags => tags = object.next_value()?,
                Field::VpcAttributes => vpc = object.next_value()?,
                Field::InnerIpAddress => inner = object.next_value()?,
                Field::EipAddress => elastic = object.next_value()?,
                Field::PublicIpAddress => public = object.next_value()?,
                Field::Other => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        let id =
            InstanceId::new(id.or_empty()).map_err(|_| A::Error::custom("an instance has no usable id"))?;
        Ok(Sighting {
            id,
            name: name.non_empty().unwrap_or_default(),
            power: Power::from_word(status.or_empty()),
            stopped_mode: StoppedMode::from_word(stopped_mode.or_empty()),
            locks,
            charge: read_charge(charge.or_empty()),
            expires: read_time(expires.or_empty()),
            spot: !matches!(spot.or_empty().to_ascii_lowercase().as_str(), "" | "nospot"),
            zone: zone.non_empty().unwrap_or_default(),
            local_disks: local_disks.count().map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)),
            scaling_tag: tags.0,
            private_address: first_address(&vpc["PrivateIpAddress"]).or_else(|| first_address(&inner)),
            public_address: first_address(&elastic).or_else(|| first_address(&public)),
        })
    }
}

/// The first address of `{"IpAddress":["10.0.0.1"]}`, and of what is near to it.
fn first_address(value: &Value) -> Option<IpAddr> {
    match value.get("IpAddress").unwrap_or(value) {
        Value::Array(items) => items.iter().find_map(|item| item.as_str()?.parse().ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn read_charge(word: &str) -> Charge {
    if word.eq_ignore_ascii_case("PrePaid") {
        Charge::PrePaid
    } else if word.eq_ignore_ascii_case("PostPaid") {
        Charge::PostPaid
    } else {
        Charge::Other
    }
}

/// Reads `{"LockReason":[{"LockReason":"security","LockMsg":""}]}`, and what is near to it.
///
/// What stands in the list is a lock even if it cannot be read: to overlook one would mean to promise a start that is
/// refused.
fn read_locks(value: &Value) -> Vec<Lock> {
    match value.get("LockReason").unwrap_or(value) {
        Value::Array(items) => items.iter().filter_map(read_lock).collect(),
        Value::Object(wrapper) if !wrapper.contains_key("LockReason") => Vec::new(),
        Value::String(word) if word.is_empty() => Vec::new(),
        // One lock, not in a list, with its message beside its name.
        Value::String(_) if value.is_object() => read_lock(value).into_iter().collect(),
        one => read_lock(one).into_iter().collect(),
    }
}

fn read_lock(item: &Value) -> Option<Lock> {
    let words = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
    let reason = match item {
        Value::Null => return None,
        Value::String(word) => word,
        _ => words("LockReason"),
    };
    let reason = if reason.is_empty() { "unnamed" } else { reason };
    Some(Lock { reason: LockReason::from_word(reason), message: words("LockMsg").to_owned() })
}
