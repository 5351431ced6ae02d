//! The first address of an instance, wherever ECS puts it.

use std::fmt;
use std::net::IpAddr;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The first address of `{"IpAddress":["10.0.0.1"]}`, of `{"PrivateIpAddress":{"IpAddress":[..]}}`, and of what is near
/// to them. Everything else counts as absent, and nothing of it is kept: a fleet has many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FirstAddress(pub(super) Option<IpAddr>);

impl<'de> Deserialize<'de> for FirstAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AddressVisitor).map(Self)
    }
}

/// Where addresses stand.
#[derive(serde::Deserialize)]
#[serde(field_identifier)]
enum Field {
    IpAddress,
    PrivateIpAddress,
    #[serde(other)]
    Other,
}

struct AddressVisitor;

impl<'de> Visitor<'de> for AddressVisitor {
    type Value = Option<IpAddr>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("addresses")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(field) = object.next_key()? {
            match field {
                Field::IpAddress | Field::PrivateIpAddress => {
                    let FirstAddress(inner) = object.next_value()?;
                    found = found.or(inner);
                }
                Field::Other => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(FirstAddress(address)) = list.next_element()? {
            found = found.or(address);
        }
        Ok(found)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.trim().parse().ok())
    }

    // Whatever is no address.
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
}
