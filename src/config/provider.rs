//! The `provider` block: which cloud, which region, whose credentials, and how it is talked to.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::document::Written;
use super::endpoint;
use super::fields::{Field, Keys, Reader, Words};
use super::problem::{Finding, Findings, quoted};
use super::yaml::Value;
use crate::fleet::Region;

/// The `provider` block as written. What it leaves out is for the environment to say, or has the default named here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// The region.
    pub region: Option<Region>,
    /// A profile of the Alibaba Cloud CLI's configuration file. It beats credentials in the environment.
    pub profile: Option<String>,
    /// The URL to send requests to; `https`, or `http` on a loopback host. See [`endpoint::check`].
    pub endpoint: Option<String>,
    /// From where ECS is reached.
    pub network: Network,
    /// How requests are signed.
    pub signature: Signature,
    /// What ECS is asked to answer in.
    pub format: Format,
    /// A role to take on with the credentials that are found.
    pub assume_role: Option<RoleToAssume>,
    /// More starts or stops than this that are due at once go by StartInstances and StopInstances. 0: none ever do.
    pub batch_above: u32,
    /// How many calls of one action are out at once at most.
    pub max_in_flight: NonZeroU32,
    /// The account file of the embedded simulator, as written: relative to the folder of the first file. Never
    /// together with an endpoint.
    pub simulator: Option<PathBuf>,
}

/// What more than this are due at once goes in batches, unless the file says otherwise.
const BATCH_ABOVE: u32 = 10;

/// How many calls of one action are out at once, unless the file says otherwise.
const MAX_IN_FLIGHT: NonZeroU32 = NonZeroU32::new(16).expect("more than nothing");

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            endpoint: None,
            network: Network::default(),
            signature: Signature::default(),
            format: Format::default(),
            assume_role: None,
            batch_above: BATCH_ABOVE,
            max_in_flight: MAX_IN_FLIGHT,
            simulator: None,
        }
    }
}

/// From where a service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// From anywhere.
    #[default]
    Public,
    /// From inside a VPC of the same region.
    Vpc,
}

impl Network {
    /// The word in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Vpc => "vpc",
        }
    }
}

/// A version of Alibaba Cloud's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signature {
    /// HMAC-SHA1 over the parameters.
    #[default]
    V1,
    /// ACS3-HMAC-SHA256 over parameters and headers.
    V3,
}

impl Signature {
    /// The word in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V3 => "v3",
        }
    }
}

/// A format of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON.
    #[default]
    Json,
    /// XML.
    Xml,
}

impl Format {
    /// The word in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }
}

/// `assume_role`.
#[derive(Clone, PartialEq, Eq)]
pub struct RoleToAssume {
    /// The role: `acs:ram::{account}:role/{name}`.
    pub arn: String,
    /// The name of the session, which the account's audit log shows.
    pub session_name: String,
    /// How long its credentials shall last. `None` leaves it to STS: an hour.
    pub duration: Option<Duration>,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// A policy in JSON that narrows down what the credentials allow.
    pub policy: Option<String>,
}

impl fmt::Debug for RoleToAssume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An external id is shared with few.
        f.debug_struct("RoleToAssume")
            .field("arn", &self.arn)
            .field("session_name", &self.session_name)
            .field("duration", &self.duration)
            .field("has_external_id", &self.external_id.is_some())
            .field("policy", &self.policy)
            .finish()
    }
}

/// What one file wrote.
#[derive(Debug, Clone, Default)]
pub(super) struct WrittenProvider {
    region: Option<Region>,
    profile: Option<Written<Option<String>>>,
    endpoint: Option<Written<Option<String>>>,
    network: Option<Written<Option<Network>>>,
    signature: Option<Signature>,
    format: Option<Format>,
    assume_role: Option<Written<Option<RoleToAssume>>>,
    batch_above: Option<u32>,
    max_in_flight: Option<NonZeroU32>,
    simulator: Option<Written<Option<PathBuf>>>,
}

const PROVIDER: Keys<10> = Keys {
    of: "a provider",
    known: [
        "region",
        "profile",
        "endpoint",
        "network",
        "signature",
        "format",
        "assume_role",
        "batch_above",
        "max_in_flight",
        "simulator",
    ],
    later: &[],
};

const ASSUME_ROLE: Keys<5> = Keys {
    of: "`assume_role`",
    known: ["arn", "session_name", "duration", "external_id", "policy"],
    later: &[],
};

const NETWORKS: Words<Network> = Words {
    wanted: &["public", "vpc"],
    accepted: &[("public", Network::Public), ("vpc", Network::Vpc)],
    meant: &[("internet", "public"), ("private", "vpc"), ("internal", "vpc"), ("intranet", "vpc")],
};

const SIGNATURES: Words<Signature> = Words {
    wanted: &["v1", "v3"],
    accepted: &[("v1", Signature::V1), ("v3", Signature::V3)],
    meant: &[("1", "v1"), ("1.0", "v1"), ("3", "v3"), ("acs3", "v3")],
};

const FORMATS: Words<Format> =
    Words { wanted: &["json", "xml"], accepted: &[("json", Format::Json), ("xml", Format::Xml)], meant: &[] };

/// The shortest and the longest time that STS gives credentials for, in seconds.
const ROLE_SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;

pub(super) fn provider<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> WrittenProvider {
    let Some(pairs) = reader.mapping(field, "keys below it, like `region: cn-hangzhou`") else {
        return WrittenProvider::default();
    };
    let [
        region,
        profile,
        url,
        network,
        signature,
        format,
        assume_role,
        batch_above,
        max_in_flight,
        simulator,
    ] = reader.fields(pairs, &PROVIDER);
    WrittenProvider {
        region: region.and_then(|field| reader.name(field, Region::new, "a region like cn-hangzhou")),
        profile: profile.map(|field| Written {
            at: reader.at(field.key),
            value: plain_text(reader, field, "the name of a profile", "a name like prod"),
        }),
        endpoint: url.map(|field| Written { at: reader.at(field.key), value: endpoint_url(reader, field) }),
        network: network
            .map(|field| Written { at: reader.at(field.key), value: reader.word(field, &NETWORKS) }),
        signature: signature.and_then(|field| reader.word(field, &SIGNATURES)),
        format: format.and_then(|field| reader.word(field, &FORMATS)),
        assume_role: assume_role
            .map(|field| Written { at: reader.at(field.key), value: role(reader, field) }),
        batch_above: batch_above.and_then(|field| number_or_none(reader, field)),
        max_in_flight: max_in_flight.and_then(|field| reader.positive(field)),
        simulator: simulator.map(|field| Written {
            at: reader.at(field.key),
            value: reader.path(field, "the path of an account file, like account.yaml"),
        }),
    }
}

/// What the block means, and what in it contradicts itself.
pub(super) fn settings(written: &WrittenProvider, findings: &mut Findings) -> ProviderSettings {
    let WrittenProvider {
        region,
        profile,
        endpoint,
        network,
        signature,
        format,
        assume_role,
        batch_above,
        max_in_flight,
        simulator,
    } = written;
    if let Some(simulator) = simulator {
        if let Some(endpoint) = endpoint {
            findings.add(
                Finding::error(endpoint.at, "a provider has either an `endpoint` or a `simulator`")
                    .related(simulator.at, "the simulator is here")
                    .note("the embedded simulator has an endpoint of its own")
                    .help("remove one of them"),
            );
        }
        for (key, at) in [
            ("profile", profile.as_ref().map(|written| written.at)),
            ("network", network.as_ref().map(|written| written.at)),
            ("assume_role", assume_role.as_ref().map(|written| written.at)),
        ] {
            findings.extend(at.map(|at| {
                Finding::warning(at, format!("`{key}` has no effect beside a `simulator`"))
                    .related(simulator.at, "the simulator is here")
                    .note("the embedded simulator is on this machine and needs no credentials")
            }));
        }
    }
    ProviderSettings {
        region: region.clone(),
        profile: profile.as_ref().and_then(|written| written.value.clone()),
        endpoint: endpoint.as_ref().and_then(|written| written.value.clone()),
        network: network.as_ref().and_then(|written| written.value).unwrap_or_default(),
        signature: signature.unwrap_or_default(),
        format: format.unwrap_or_default(),
        assume_role: assume_role.as_ref().and_then(|written| written.value.clone()),
        batch_above: batch_above.unwrap_or(BATCH_ABOVE),
        max_in_flight: max_in_flight.unwrap_or(MAX_IN_FLIGHT),
        simulator: simulator.as_ref().and_then(|written| written.value.clone()),
    }
}

fn endpoint_url<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    let text = reader.text(field, "a URL", "a URL like https://ecs.cn-hangzhou.aliyuncs.com")?;
    match endpoint::check(&text) {
        Ok(()) => Some(text.into_owned()),
        Err(mistake) => {
            // The URL may hold a password, which belongs into no log; the source line shows it to its author only.
            let shown = if text.contains('@') { "the URL".to_owned() } else { quoted(&text) };
            reader.wrong_value(field, format!("{shown} is not an endpoint: {mistake}"), "not an endpoint")
        }
    }
}

/// A text that is not empty and has no control characters.
fn plain_text<'s>(
    reader: &mut Reader<'s, '_>,
    field: Field<'_, 's>,
    wanted: &str,
    example: &str,
) -> Option<String> {
    let text = reader.text(field, wanted, example)?;
    if text.trim().is_empty() || text.contains(char::is_control) {
        let message = format!("{} is not {wanted}", quoted(&text));
        return reader.wrong_value(field, message, &format!("expected {wanted}"));
    }
    Some(text.into_owned())
}

/// A whole number from 0.
fn number_or_none<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<u32> {
    let wanted = "a whole number, or 0 for never";
    if !matches!(field.value.value, Value::Number) {
        return reader.wrong_kind(field, wanted, "a number like 10");
    }
    let text = reader.literal(field.value)?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => {
            let message = format!("`batch_above` must be {wanted}, and this is {}", quoted(&text));
            reader.wrong_value(field, message, "expected a whole number")
        }
    }
}

fn role<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<RoleToAssume> {
    const EXAMPLE: &str = "`{ arn: \"acs:ram::123:role/ops\", session_name: powerform }`";
    let pairs = reader.mapping(field, EXAMPLE)?;
    let [arn, session_name, duration, external_id, policy] = reader.fields(pairs, &ASSUME_ROLE);
    for (key, missing) in [("arn", arn.is_none()), ("session_name", session_name.is_none())] {
        if missing {
            let finding = reader
                .error(field.key, format!("`assume_role` has no `{key}`"))
                .help(format!("write {EXAMPLE}"));
            reader.add(finding);
        }
    }
    // All are looked at before any that is missing ends it.
    let arn = arn.and_then(|field| role_arn(reader, field));
    let session_name = session_name.and_then(|field| role_session(reader, field));
    Some(RoleToAssume {
        duration: duration.and_then(|field| role_duration(reader, field)),
        external_id: external_id.and_then(|field| {
            plain_text(reader, field, "an external id", "the id that the role's owner gave")
        }),
        policy: policy.and_then(|field| role_policy(reader, field)),
        arn: arn?,
        session_name: session_name?,
    })
}

fn role_arn<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    const WANTED: &str = "a role like acs:ram::123456789012:role/ops";
    let text = reader.text(field, WANTED, WANTED)?;
    let parts = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/"));
    let valid = parts.is_some_and(|(account, name)| {
        !account.is_empty()
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./@".contains(&byte))
    });
    if valid {
        return Some(text.into_owned());
    }
    let message = format!("{} is not a role's name in full", quoted(&text));
    reader.wrong_value(field, message, &format!("expected {WANTED}"))
}

fn role_session<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    let text = reader.text(field, "the name of a session", "a name like powerform")?;
    let valid = (2..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte));
    if valid {
        return Some(text.into_owned());
    }
    let message = format!("{} is not the name of a session", quoted(&text));
    reader.wrong_value(field, message, "expected 2 to 64 of A-Z a-z 0-9 . @ - _")
}

fn role_duration<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<Duration> {
    let duration = reader.duration(field)?;
    if ROLE_SECONDS.contains(&duration.as_secs()) {
        return Some(duration);
    }
    let message = "a role is taken on for 15 minutes at least and 12 hours at most".to_owned();
    reader.wrong_value(field, message, "expected a duration like 1h")
}

fn role_policy<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    let text = reader.text(field, "a policy in JSON", "a policy in JSON, in quotes")?;
    let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(&text);
    match object {
        Ok(_) => Some(text.into_owned()),
        Err(error) => {
            let message = format!("the policy is not a JSON object: {error}");
            reader.wrong_value(field, message, "expected a policy in JSON")
        }
    }
}
