//! Joins a configuration to the cloud that it names: ECS itself, or the embedded simulator.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;

use super::configuration::Loaded;
use super::failure::Failure;
use super::{Level, Session};
use crate::aliyun::client::{Client, Setup};
use crate::aliyun::credentials::{self, Context, CredentialSource, Credentials, Wanted};
use crate::aliyun::endpoint::{self, Endpoint};
use crate::aliyun::metadata;
use crate::aliyun::request::{Dialect, Format, Signature};
use crate::aliyun::sts::Role;
use crate::aliyun::surroundings::{METADATA_SERVICE, Surroundings};
use crate::aliyun::transport::Transport;
use crate::cloud::Clouds;
use crate::config::{self, Network, ProviderSettings};
use crate::fleet::{InstanceId, ProviderAlias, Region};
use crate::plan::saved::Account;
use crate::simulator::Simulator;

/// Where the region is looked for, if the file does not name it: the names of today, then those that the Alibaba
/// Cloud CLI and the Terraform provider fall back to.
const REGION_VARIABLES: [&str; 7] = [
    "ALIBABA_CLOUD_REGION_ID",
    "ALIBABA_CLOUD_REGION",
    "ALIBABACLOUD_REGION_ID",
    "ALICLOUD_REGION_ID",
    "ALICLOUD_REGION",
    "REGION_ID",
    "REGION",
];
/// Where the endpoint is looked for, if the file does not name it. The second is the Terraform provider's.
const ENDPOINT_VARIABLES: [&str; 2] = ["ALIBABA_CLOUD_ENDPOINT_ECS", "ECS_ENDPOINT"];

/// Names another address of the metadata service, on this machine only.
const METADATA_VARIABLE: &str = "POWERFORM_METADATA_SERVICE";

/// Makes the connection: looks for credentials, which may ask the services that give them. ECS is not asked yet.
pub(super) async fn connect(session: &Session<'_>, loaded: &Loaded) -> Result<Clouds<Client>, Failure> {
    let alias = ProviderAlias::main();
    let setup = if loaded.configuration.provider.simulator.is_some() {
        simulated(session, loaded).await?
    } else {
        let setup = tokio::select! {
            setup = real(session, loaded) => setup?,
            () = session.interruption.asked() => return Err(Failure::Interrupted),
        };
        session.console.say(
            Level::Note,
            format_args!("{alias}: {}, credentials from {}", setup.region, setup.credentials.place()),
        );
        setup
    };
    Ok(Clouds::from([(alias, Arc::new(Client::new(setup)?))]))
}

async fn real(session: &Session<'_>, loaded: &Loaded) -> anyhow::Result<Setup> {
    let provider = &loaded.configuration.provider;
    let around = surroundings(session);
    let transport = Transport::new(&around)?;
    let wanted = wanted(provider);
    let region = region(provider, &wanted, &around)?;
    let endpoint = endpoint(provider, &region, &around, &loaded.name)?;
    let context = Context {
        surroundings: around,
        transport: transport.clone(),
        region: Some(region.clone()),
        vpc: provider.network == Network::Vpc,
    };
    let found = credentials::find(&wanted, &context).await?;
    for warning in &found.warnings {
        session.console.say(Level::Warning, warning);
    }
    Ok(setup(session, provider, endpoint, region, found.source, transport))
}

pub(super) fn surroundings(session: &Session<'_>) -> Surroundings {
    let environment = session.environment;
    Surroundings {
        variables: Arc::new(move |name| environment.variable(name)),
        home: environment.home(),
        clock: Arc::new(move || environment.now()),
        metadata_service: metadata_service(session),
    }
}

/// The metadata service, or what stands in its place on this machine: nothing elsewhere, which could say anything.
fn metadata_service(session: &Session<'_>) -> String {
    let Some(address) = session.environment.variable(METADATA_VARIABLE) else {
        return METADATA_SERVICE.to_owned();
    };
    if Endpoint::explicit(&address).is_ok_and(|endpoint| endpoint.is_loopback()) {
        return address;
    }
    tracing::warn!(
        "{METADATA_VARIABLE} names no address of this machine, such as http://127.0.0.1:8000, and is ignored"
    );
    METADATA_SERVICE.to_owned()
}

/// Whose credentials are used, by provider.
pub(super) fn accounts(clouds: &Clouds<Client>) -> BTreeMap<ProviderAlias, Account> {
    let account = |cloud: &Client| {
        let credentials = cloud.credentials();
        Account {
            source: credentials.place().to_owned(),
            fingerprint: credentials.account().map(str::to_owned),
        }
    };
    clouds.iter().map(|(alias, cloud)| (alias.clone(), account(cloud))).collect()
}

/// Which instance this process runs on, if it may be one that a plan speaks of. What is simulated never is.
pub(super) async fn own_instance(session: &Session<'_>, loaded: &Loaded) -> Option<InstanceId> {
    if loaded.configuration.provider.simulator.is_some() {
        return None;
    }
    metadata::own_instance(&surroundings(session)).await
}

pub(super) fn wanted(provider: &ProviderSettings) -> Wanted {
    let role = provider.assume_role.clone().map(|role| Role {
        arn: role.arn,
        session_name: role.session_name,
        duration: role.duration,
        external_id: role.external_id,
        policy: role.policy,
    });
    Wanted { profile: provider.profile.clone(), role }
}

/// The region of the file, the environment, or the profile that is used.
pub(super) fn region(
    provider: &ProviderSettings,
    wanted: &Wanted,
    around: &Surroundings,
) -> anyhow::Result<Region> {
    if let Some(region) = &provider.region {
        return Ok(region.clone());
    }
    let found = around
        .first_variable(&REGION_VARIABLES)
        .map(|(name, value)| (value, name.to_owned()))
        .or_else(|| credentials::region_of_profile(wanted, around));
    match found {
        Some((text, place)) => Region::new(&text).with_context(|| format!("the region in {place}")),
        None => Err(anyhow!(
            "no region is named: write `provider: {{ region: cn-hangzhou }}` with your region into the configuration, or set \
             {} or {}; the profile of the Alibaba Cloud CLI has none either",
            REGION_VARIABLES[0],
            REGION_VARIABLES[1]
        )),
    }
}

/// The endpoint of the file, the environment, or the region. `name` is what the file is called.
pub(super) fn endpoint(
    provider: &ProviderSettings,
    region: &Region,
    around: &Surroundings,
    name: &str,
) -> anyhow::Result<Endpoint> {
    let written = match &provider.endpoint {
        Some(endpoint) => Some((name.to_owned(), endpoint.clone())),
        None => around
            .first_variable(&ENDPOINT_VARIABLES)
            .map(|(variable, endpoint)| (variable.to_owned(), endpoint)),
    };
    if let Some((place, endpoint)) = written {
        return Endpoint::explicit(&endpoint).with_context(|| format!("the endpoint in {place}"));
    }
    if let Err(unknown) = endpoint::check_region(region) {
        // A question ends itself.
        let stop = if unknown.near.is_empty() { "." } else { "" };
        return Err(anyhow!(
            "{unknown}{stop} If it is newer than this version of powerform, write its endpoint into provider.endpoint or \
             {}",
            ENDPOINT_VARIABLES[0]
        ));
    }
    Ok(match provider.network {
        Network::Public => Endpoint::public(region)?,
        Network::Vpc => Endpoint::vpc(region)?,
    })
}

/// Serves the simulated account on a free port of this machine for as long as this process lives.
pub(super) async fn simulated(session: &Session<'_>, loaded: &Loaded) -> anyhow::Result<Setup> {
    let provider = &loaded.configuration.provider;
    let account = provider.simulator.as_deref().map(|account| loaded.path(account)).unwrap_or_default();
    let simulator = Simulator::open(&account)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on this machine")?;
    let address = listener.local_addr().context("cannot listen on this machine")?;
    let region = match &provider.region {
        Some(region) => region.clone(),
        None => Region::new(simulator.region())?,
    };
    let key = simulator.first_key();
    let credentials = CredentialSource::fixed(Credentials {
        access_key_id: key.id,
        access_key_secret: key.secret,
        security_token: key.token,
        source: format!("the simulated account {}", account.display()),
    });
    tokio::spawn(async move {
        if let Err(error) = simulator.serve(listener, std::future::pending()).await {
            tracing::error!(%error, "the simulator has ended");
        }
    });
    let endpoint = Endpoint::explicit(&format!("http://{address}"))?;
    Ok(setup(session, provider, endpoint, region, credentials, Transport::default()))
}

pub(super) fn setup(
    session: &Session<'_>,
    provider: &ProviderSettings,
    endpoint: Endpoint,
    region: Region,
    credentials: CredentialSource,
    transport: Transport,
) -> Setup {
    let environment = session.environment;
    tracing::debug!(%endpoint, %region, credentials = credentials.place(), "connecting");
    let clock = Arc::new(move || environment.now());
    let dialect = Dialect {
        signature: match provider.signature {
            config::Signature::V1 => Signature::V1,
            config::Signature::V3 => Signature::V3,
        },
        format: match provider.format {
            config::Format::Json => Format::Json,
            config::Format::Xml => Format::Xml,
        },
        ..Dialect::default()
    };
    let max_in_flight = provider.max_in_flight.try_into().unwrap_or(NonZeroUsize::MAX);
    Setup { transport, dialect, max_in_flight, ..Setup::new(endpoint, region, credentials, clock) }
}

#[cfg(test)]
mod tests;
