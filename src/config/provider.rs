//! The `provider` block: which cloud, which region, whose credentials, and how it is talked to.

use std::collections::{HashMap, hash_map};
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::document::Written;
use super::endpoint;
use super::fields::{Field, Keys, Reader, Words};
use super::problem::{At, Finding, Findings, quoted};
use super::role::{self, RoleToAssume};
use super::yaml::{Node, Pair};
use crate::fleet::{ProviderAlias, Region};

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

impl WrittenProvider {
    /// The account file of the simulator, if one is named.
    pub(super) fn simulator(self) -> Option<PathBuf> {
        self.simulator?.value
    }
}

pub(super) const PROVIDER: Keys<10> = Keys {
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

pub(super) const NETWORKS: Words<Network> = Words {
    wanted: &["public", "vpc"],
    accepted: &[("public", Network::Public), ("vpc", Network::Vpc)],
    meant: &[("internet", "public"), ("private", "vpc"), ("internal", "vpc"), ("intranet", "vpc")],
};

pub(super) const SIGNATURES: Words<Signature> = Words {
    wanted: &["v1", "v3"],
    accepted: &[("v1", Signature::V1), ("v3", Signature::V3)],
    meant: &[("1", "v1"), ("1.0", "v1"), ("3", "v3"), ("acs3", "v3")],
};

pub(super) const FORMATS: Words<Format> =
    Words { wanted: &["json", "xml"], accepted: &[("json", Format::Json), ("xml", Format::Xml)], meant: &[] };

/// One of `providers`.
#[derive(Debug)]
pub(super) struct NamedProvider {
    /// Its key. `None` for an alias that breaks the rules.
    pub(super) alias: Option<ProviderAlias>,
    pub(super) at: At,
    pub(super) settings: WrittenProvider,
}

/// Reads `providers`.
pub(super) fn providers<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Vec<NamedProvider> {
    let Some(pairs) = reader.mapping(field, "an alias for each: `hk: { region: cn-hongkong }`") else {
        return Vec::new();
    };
    let mut first: HashMap<String, &Node<'s>> = HashMap::with_capacity(pairs.len());
    let mut providers = Vec::with_capacity(pairs.len());
    for Pair { key, value } in pairs {
        let Some(name) = reader.key(key) else { continue };
        let alias = reader.valid(key, &name, ProviderAlias::new);
        let settings = provider(reader, Field { key, value });
        if alias == Some(ProviderAlias::main()) {
            let finding = reader
                .error(key, format!("{} is what `provider` describes", quoted(&name)))
                .help("write it as `provider:`, or give it another alias");
            reader.add(finding);
        }
        match first.entry(name.into_owned()) {
            hash_map::Entry::Occupied(first) => reader.duplicate_key(key, first.get(), first.key()),
            hash_map::Entry::Vacant(place) => {
                place.insert(key);
                providers.push(NamedProvider { alias, at: reader.at(key), settings });
            }
        }
    }
    providers
}

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
            .map(|field| Written { at: reader.at(field.key), value: role::assume_role(reader, field) }),
        batch_above: batch_above.and_then(|field| reader.whole(field, "a whole number, or 0 for never")),
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
            // The URL may hold a password, which belongs into no log; who shows the source line hides it there.
            let shown = if text.contains('@') { "the URL".to_owned() } else { quoted(&text) };
            reader.wrong_value(field, format!("{shown} is not an endpoint: {mistake}"), "not an endpoint")
        }
    }
}

/// A text that is not empty and has no control characters.
pub(super) fn plain_text<'s>(
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
