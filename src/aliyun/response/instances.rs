//! The answer to DescribeInstances.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::address::FirstAddress;
use super::lenient::{Many, Object, Reading, Text};
use super::tags::{AllTags, ScalingTag, Tags};
use super::{Decoded, Unreadable, from_body, read_time};
use crate::fleet::{Charge, InstanceId, Lock, LockReason, Power, Sighting, StoppedMode};

/// One page of instances.
#[derive(Debug, Clone, PartialEq)]
pub struct InstancePage<T = Sighting> {
    /// What it says of each instance.
    pub sightings: Vec<T>,
    /// The token of the next page, if there is one.
    pub next_token: Option<String>,
    /// How many instances there are on all pages. Without meaning where pages have tokens.
    pub total: Option<u64>,
}

impl<T> Default for InstancePage<T> {
    fn default() -> Self {
        Self { sightings: Vec::new(), next_token: None, total: None }
    }
}

/// An instance with what searches go by. Untrusted text.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// What a look shows of it.
    pub sighting: Sighting,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The id of its resource group; empty if it is in none.
    pub resource_group: String,
}

/// Reads the answer to DescribeInstances.
///
/// # Errors
/// [`Unreadable`] if it has no list of instances, or one in it has no usable id. What else is odd about an instance
/// counts as absent, so that it is seen with an unknown status rather than spoiling the look at the others.
pub fn decode_instances(body: &[u8]) -> Result<Decoded<InstancePage>, Unreadable> {
    read_page::<Plain, Sighting>(body, |item| item.0)
}

/// Reads the answer to DescribeInstances as [`decode_instances`] does, with what else a search goes by.
///
/// # Errors
/// As [`decode_instances`].
pub fn decode_labelled_instances(body: &[u8]) -> Result<Decoded<InstancePage<Labelled>>, Unreadable> {
    read_page::<WithLabels, Labelled>(body, |item| item.0)
}

fn read_page<I: DeserializeOwned, T>(
    body: &[u8],
    out: fn(I) -> T,
) -> Result<Decoded<InstancePage<T>>, Unreadable> {
    let document: Document<I> = from_body(body)?;
    let Some(Object(list)) = document.instances else {
        return Err(Unreadable("it has no list of instances".to_owned()));
    };
    let page = InstancePage {
        sightings: list.instance.0.into_iter().map(out).collect(),
        next_token: document.next_token.non_empty(),
        total: document.total_count.count(),
    };
    Ok(Decoded { request_id: document.request_id.non_empty(), value: page })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document<I> {
    #[serde(default)]
    request_id: Text,
    #[serde(default)]
    next_token: Text,
    #[serde(default)]
    total_count: Text,
    #[serde(default = "none")]
    instances: Option<Object<List<I>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List<I> {
    #[serde(default = "empty")]
    instance: Many<I>,
}

// Said by name, because a default of its own would ask one of the items too.
fn none<T>() -> Option<T> {
    None
}

fn empty<I>() -> Many<I> {
    Many(Vec::new())
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
    ResourceGroupId,
    VpcAttributes,
    InnerIpAddress,
    EipAddress,
    PublicIpAddress,
    #[serde(other)]
    Other,
}

/// An instance. Read by hand and not by derived code, because a field that comes twice or in another shape must not
/// make the whole page unreadable.
struct Plain(Sighting);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(deserializer.deserialize_map(ItemVisitor::<ScalingTag>(PhantomData))?.sighting))
    }
}

/// An instance with its labels.
struct WithLabels(Labelled);

impl<'de> Deserialize<'de> for WithLabels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = deserializer.deserialize_map(ItemVisitor::<AllTags>(PhantomData))?;
        let Item { sighting, tags: AllTags(tags), resource_group } = item;
        let resource_group = resource_group.non_empty().unwrap_or_default();
        Ok(Self(Labelled { sighting, tags, resource_group }))
    }
}

/// What is kept of an instance.
struct Item<T> {
    sighting: Sighting,
    tags: T,
    resource_group: Text,
}

struct ItemVisitor<T>(PhantomData<T>);

impl<'de, T: Tags + Deserialize<'de>> Visitor<'de> for ItemVisitor<T> {
    type Value = Item<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instance")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Item<T>, A::Error> {
        let mut id = None;
        let mut name = Text::default();
        let mut power = Power::from_word("");
        let mut stopped_mode = StoppedMode::from_word("");
        let mut locks = Vec::new();
        let mut charge = Charge::Other;
        let mut expires = None;
        let mut spot = false;
        let mut zone = Text::default();
        let mut local_disks = 0;
        let mut tags = T::default();
        let mut resource_group = Text::default();
        let mut private = FirstAddress::default();
        let mut inner = FirstAddress::default();
        let mut elastic = FirstAddress::default();
        let mut public = FirstAddress::default();
        while let Some(field) = object.next_key()? {
            match field {
                Field::InstanceId => id = object.next_value_seed(word(|id| InstanceId::new(id).ok()))?,
                Field::InstanceName => name = object.next_value()?,
                Field::Status => power = object.next_value_seed(word(Power::from_word))?,
                Field::StoppedMode => stopped_mode = object.next_value_seed(word(StoppedMode::from_word))?,
                Field::OperationLocks => locks = read_locks(&object.next_value()?),
                Field::InstanceChargeType => charge = object.next_value_seed(word(read_charge))?,
                Field::ExpiredTime => expires = object.next_value_seed(word(read_time))?,
                Field::SpotStrategy => spot = object.next_value_seed(word(is_spot))?,
                Field::ZoneId => zone = object.next_value()?,
                Field::LocalStorageAmount => local_disks = object.next_value_seed(word(read_amount))?,
                Field::Tags => tags = object.next_value()?,
                Field::ResourceGroupId => resource_group = object.next_value()?,
                Field::VpcAttributes => private = object.next_value()?,
                Field::InnerIpAddress => inner = object.next_value()?,
                Field::EipAddress => elastic = object.next_value()?,
                Field::PublicIpAddress => public = object.next_value()?,
                Field::Other => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        let sighting = Sighting {
            id: id.ok_or_else(|| A::Error::custom("an instance has no usable id"))?,
            name: name.non_empty().unwrap_or_default(),
            power,
            stopped_mode,
            locks,
            charge,
            expires,
            spot,
            zone: zone.non_empty().unwrap_or_default(),
            local_disks,
            scaling_tag: tags.scaling(),
            private_address: private.0.or(inner.0),
            public_address: elastic.0.or(public.0),
        };
        Ok(Item { sighting, tags, resource_group })
    }
}

/// Reads a value as a word; what is absent is the empty one.
fn word<T>(read: impl FnOnce(&str) -> T) -> Reading<impl FnOnce(Option<&str>) -> T> {
    Reading(|text: Option<&str>| read(text.unwrap_or_default()))
}

fn is_spot(strategy: &str) -> bool {
    !strategy.is_empty() && !strategy.eq_ignore_ascii_case("NoSpot")
}

fn read_amount(word: &str) -> u32 {
    word.trim().parse::<u64>().map_or(0, |amount| u32::try_from(amount).unwrap_or(u32::MAX))
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
