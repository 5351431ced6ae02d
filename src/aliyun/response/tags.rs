//! The tags of an instance. To a look only one matters: the one that Auto Scaling puts on the members of its groups.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use serde_json::Value;

use super::lenient::{Reading, Text};

/// How the keys of Auto Scaling's own tags begin. Its pages show such tags on the instances of a group, but promise
/// nothing: unconfirmed on a live account. Keys with `acs:` are reserved, so nobody else gives them.
const PREFIX: &str = "acs:autoscaling:";

/// Auto Scaling's tag among `{"Tag":[{"TagKey":"..","TagValue":".."}]}` and what is near to it, as `key=value`. The first,
/// if there are several; other tags are passed over without being kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ScalingTag(pub(super) Option<Box<str>>);

/// What is kept of the tags.
pub(super) trait Tags: Default {
    /// Auto Scaling's tag, as `key=value`.
    fn scaling(&self) -> Option<Box<str>>;
}

impl Tags for ScalingTag {
    fn scaling(&self) -> Option<Box<str>> {
        self.0.clone()
    }
}

/// All of the tags, for searches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AllTags(pub(super) BTreeMap<String, String>);

impl Tags for AllTags {
    fn scaling(&self) -> Option<Box<str>> {
        let mut tags = self.0.iter();
        tags.find(|(key, _)| is_scaling(key)).map(|(key, value)| format!("{key}={value}").into())
    }
}

impl<'de> Deserialize<'de> for AllTags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut tags = BTreeMap::new();
        collect(&Value::deserialize(deserializer)?, &mut tags);
        Ok(Self(tags))
    }
}

/// Takes in what has a key, at whatever depth.
fn collect(value: &Value, tags: &mut BTreeMap<String, String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, tags)),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str);
            if let Some(key) = text("TagKey").filter(|key| !key.is_empty()) {
                tags.insert(key.to_owned(), text("TagValue").unwrap_or_default().to_owned());
            } else {
                object.values().for_each(|inner| collect(inner, tags));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_scaling(key: &str) -> bool {
    key.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

impl<'de> Deserialize<'de> for ScalingTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TagsVisitor).map(Self)
    }
}

/// What an object of the list, or around it, has.
#[derive(serde::Deserialize)]
#[serde(field_identifier)]
enum Field {
    TagKey,
    TagValue,
    #[serde(other)]
    Other,
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = Option<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tags")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let mut key = None;
        let mut value = Text::default();
        while let Some(field) = object.next_key()? {
            match field {
                Field::TagKey => {
                    key = object.next_value_seed(Reading(|key: Option<&str>| {
                        key.filter(|key| is_scaling(key)).map(str::to_owned)
                    }))?;
                }
                Field::TagValue => value = object.next_value()?,
                Field::Other => {
                    let ScalingTag(inner) = object.next_value()?;
                    found = found.or(inner);
                }
            }
        }
        Ok(found.or_else(|| key.map(|key| format!("{key}={}", value.or_empty()).into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(ScalingTag(tag)) = list.next_element()? {
            found = found.or(tag);
        }
        Ok(found)
    }

    // Whatever is no tag.
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}
