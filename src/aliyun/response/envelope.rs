//! The few fields that stand around every answer of ECS.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::lenient::Text;

/// Those fields. Their names are read in any letter case.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) code: Text,
    pub(super) message: Text,
    pub(super) request_id: Text,
    pub(super) recommend: Text,
}

impl Envelope {
    /// Where a key's value belongs. Keys come in upper and lower case.
    pub(super) fn slot(&mut self, key: &str) -> Option<&mut Text> {
        match key.to_ascii_lowercase().as_str() {
            "code" => Some(&mut self.code),
            "message" => Some(&mut self.message),
            "requestid" => Some(&mut self.request_id),
            "recommend" => Some(&mut self.recommend),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of ECS")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = object.next_key::<String>()? {
            match envelope.slot(&key) {
                Some(slot) => *slot = object.next_value()?,
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(envelope)
    }
}
