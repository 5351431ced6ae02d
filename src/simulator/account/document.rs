//! The account file as it is written: texts with their places, nothing resolved.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Options, Spanned, alias_limits, budget, options};

use super::Problem;

/// The largest account file that is read, in bytes. A hundred thousand instances take about a quarter of it.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// A text and where it stands.
pub(super) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) account: Option<Text>,
    pub(super) keys: Option<Spanned<Vec<Key>>>,
    pub(super) memory: Option<Text>,
    pub(super) region: Option<Text>,
    #[serde(default)]
    pub(super) pace: Pace,
    #[serde(default)]
    pub(super) limits: BTreeMap<String, Spanned<Limit>>,
    #[serde(default)]
    pub(super) roles: Vec<Role>,
    #[serde(default)]
    pub(super) sts: Sts,
    #[serde(default)]
    pub(super) permissions: Permissions,
    #[serde(default)]
    pub(super) quirks: Quirks,
    pub(super) lag: Option<Text>,
    #[serde(default)]
    pub(super) instances: Vec<Instance>,
    #[serde(default)]
    pub(super) faults: Vec<Spanned<Fault>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) id: Text,
    #[serde(deserialize_with = "secret")]
    pub(super) secret: SecretString,
    #[serde(default, deserialize_with = "optional_secret")]
    pub(super) token: Option<SecretString>,
}

/// How often an action may be called: a rate alone, or one with more about it.
pub(super) struct Limit {
    pub(super) rate: String,
    pub(super) retry_after: bool,
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct InFull {
            rate: String,
            #[serde(default)]
            retry_after: bool,
        }

        struct EitherForm;

        impl<'de> Visitor<'de> for EitherForm {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate such as 20/s, or { rate: 20/s, retry_after: true }")
            }

            fn visit_str<E: de::Error>(self, rate: &str) -> Result<Limit, E> {
                Ok(Limit { rate: rate.to_owned(), retry_after: false })
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Limit, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Limit, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Limit, A::Error> {
                let InFull { rate, retry_after } = InFull::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Limit { rate, retry_after })
            }
        }

        deserializer.deserialize_any(EitherForm)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) arn: Text,
    pub(super) external_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Sts {
    pub(super) duration: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Permissions {
    #[serde(default)]
    pub(super) deny: Vec<Text>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Quirks {
    #[serde(default)]
    pub(super) numeric_codes: bool,
    #[serde(default)]
    pub(super) empty_pages: bool,
    #[serde(default)]
    pub(super) first_thousand: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Pace {
    pub(super) start: Option<Text>,
    pub(super) stop: Option<Text>,
    pub(super) jitter: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Instance {
    pub(super) id: Text,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) status: Option<Text>,
    pub(super) zone: Option<String>,
    pub(super) region: Option<String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    pub(super) charge: Option<Text>,
    pub(super) expires: Option<Text>,
    #[serde(default)]
    pub(super) locks: Vec<Text>,
    pub(super) start: Option<Text>,
    pub(super) stop: Option<Text>,
    #[serde(default)]
    pub(super) spot: bool,
    #[serde(default)]
    pub(super) local_disks: u32,
    #[serde(rename = "type")]
    pub(super) instance_type: Option<String>,
    pub(super) stopped_mode: Option<Text>,
    pub(super) vpc: Option<String>,
    pub(super) resource_group: Option<String>,
    pub(super) public_ip: Option<String>,
    pub(super) eip: Option<String>,
    pub(super) private_ip: Option<Text>,
    #[serde(default)]
    pub(super) listen: Vec<Spanned<Listen>>,
    #[serde(default)]
    pub(super) assistant: Assistant,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Assistant {
    pub(super) online: Option<bool>,
    pub(super) delay: Option<Text>,
    #[serde(default)]
    pub(super) answers: Vec<CommandAnswer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandAnswer {
    #[serde(default)]
    pub(super) when: String,
    pub(super) exit: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) output: String,
    pub(super) delay: Option<Text>,
    pub(super) after: Option<Text>,
    pub(super) times: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) hang: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) tcp: Option<Spanned<i64>>,
    pub(super) http: Option<Spanned<i64>>,
    pub(super) path: Option<Text>,
    pub(super) status: Option<Spanned<i64>>,
    pub(super) body: Option<Text>,
    pub(super) after: Option<Text>,
    pub(super) flap: Option<Text>,
    #[serde(default)]
    pub(super) hang: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    pub(super) action: Option<Text>,
    pub(super) instance: Option<Text>,
    pub(super) nth: Option<Spanned<u64>>,
    pub(super) times: Option<Spanned<u64>>,
    pub(super) every: Option<Spanned<u64>>,
    pub(super) error: Option<String>,
    pub(super) message: Option<Text>,
    pub(super) drop: Option<Text>,
    pub(super) delay: Option<Text>,
    pub(super) lag: Option<Text>,
    #[serde(default)]
    pub(super) stuck: bool,
    #[serde(default)]
    pub(super) fails_to_boot: bool,
    #[serde(default)]
    pub(super) vanish: bool,
    pub(super) garbage: Option<String>,
    #[serde(default)]
    pub(super) truncate: bool,
    pub(super) http: Option<Spanned<u16>>,
    pub(super) at: Option<Text>,
    #[serde(rename = "for")]
    pub(super) lasts: Option<Text>,
    pub(super) throttle: Option<Text>,
    #[serde(default)]
    pub(super) retry_after: bool,
    pub(super) set: Option<BTreeMap<String, String>>,
    pub(super) lock: Option<BTreeMap<String, String>>,
    pub(super) unlock: Option<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn optional_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

/// Reads the text strictly: unknown and duplicate keys, wrong types and `yes` for a truth value are problems.
pub(super) fn read(text: &str) -> Result<Document, Problem> {
    if let Some(at) = text.find('\0') {
        let line = text.get(..at).map_or(0, |before| before.matches('\n').count() + 1);
        return Err(Problem {
            line: u64::try_from(line).unwrap_or_default(),
            column: 1,
            message: "the file holds a NUL byte: it is not YAML".to_owned(),
        });
    }
    serde_saphyr::from_str_with_options(text, limits(text.len())).map_err(|error| {
        let place = error.location();
        let message = error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter);
        // The reader appends the place to its words; it is given apart here.
        let message = message.split(" at line ").next().unwrap_or_default();
        Problem {
            line: place.map_or(0, |place| place.line()),
            column: place.map_or(0, |place| place.column()),
            message: message.to_owned(),
        }
    })
}

/// The limits follow the size, so that an honest file of a hundred thousand instances is read and a short bomb is
/// not: its aliases may not stand for more than the file itself could hold.
fn limits(bytes: usize) -> Options {
    let nodes = bytes.saturating_add(250_000);
    let events = bytes.saturating_mul(4).saturating_add(1_000_000);
    options! {
        budget: budget! {
            max_nodes: nodes,
            max_events: events,
            max_merge_keys: nodes,
            max_aliases: nodes,
            max_total_scalar_bytes: events,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: alias_limits! {
            max_total_replayed_events: nodes,
            max_alias_expansions_per_anchor: nodes,
        },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}
