//! Joins a configuration to the cloud that it names: ECS itself, or the embedded simulator.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::configuration::Loaded;
use super::failure::{Chain, Failure};
use super::{Level, Session};
use crate::aliyun::client::{Client, Limiters, Setup};
use crate::aliyun::credentials::{self, Context, CredentialSource, Credentials, Wanted};
use crate::aliyun::endpoint::{self, Endpoint};
use crate::aliyun::metadata;
use crate::aliyun::request::{Dialect, Format, Signature};
use crate::aliyun::sts::Role;
use crate::aliyun::surroundings::{METADATA_SERVICE, Surroundings};
use crate::aliyun::transport::Transport;
use crate::cloud::{Advice, Cloud as _, Clouds, Refusal};
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

/// The providers that a configuration names, each joined to its cloud or not.
pub(super) struct Connections {
    /// Those that could be connected.
    pub(super) clouds: Clouds<Client>,
    /// Those that could not, and why: their instances will not be seen.
    pub(super) unconnected: BTreeMap<ProviderAlias, Refusal>,
}

/// Makes the connections: looks for credentials, which may ask the services that give them. ECS is not asked yet.
///
/// Where a provider is the only one, what is wrong with it ends the run. One of several ends its own instances only.
pub(super) async fn connect(session: &Session<'_>, loaded: &Loaded) -> Result<Connections, Failure> {
    let joined = join(session, loaded, loaded.providers(), &Simulators::default(), None).await?;
    let is_only = joined.len() == 1;
    let mut connections = Connections { clouds: Clouds::new(), unconnected: BTreeMap::new() };
    for (alias, client) in joined {
        match client {
            Ok(client) => {
                connections.clouds.insert(alias, client);
            }
            Err(error) if is_only => return Err(error.into()),
            Err(error) => {
                let words = Chain(&error).to_string();
                session.console.say(
                    Level::Error,
                    format_args!(
                        "the provider {alias} cannot be connected, so its instances will not be seen: {words}"
                    ),
                );
                connections.unconnected.insert(alias, Refusal::new(Advice::Final, words));
            }
        }
    }
    Ok(connections)
}

/// Each of these providers joined to its cloud, or why not. An interruption ends it.
///
/// With credentials that are known already, no others are looked for.
pub(super) async fn join(
    session: &Session<'_>,
    loaded: &Loaded,
    aliases: Vec<ProviderAlias>,
    simulators: &Simulators,
    known: Option<&CredentialSource>,
) -> Result<Vec<(ProviderAlias, anyhow::Result<Arc<Client>>)>, Failure> {
    let setting_up =
        together(aliases.iter().map(|alias| set_up(session, loaded, alias, simulators, known)).collect());
    let setups = tokio::select! {
        setups = setting_up => setups,
        () = session.interruption.asked() => return Err(Failure::Interrupted),
    };
    // ECS counts the calls of an account in a region, whatever alias they come by.
    let mut limiters: BTreeMap<(String, Region), Limiters> = BTreeMap::new();
    let joined = aliases.into_iter().zip(setups).map(|(alias, setup)| {
        let client = setup.and_then(|mut setup| {
            if let Some(account) = setup.credentials.account() {
                let shared = limiters.entry((account.to_owned(), setup.region.clone())).or_default();
                setup.limiters = shared.clone();
            }
            Ok(Arc::new(Client::new(setup)?))
        });
        (alias, client)
    });
    Ok(joined.collect())
}

async fn set_up(
    session: &Session<'_>,
    loaded: &Loaded,
    alias: &ProviderAlias,
    simulators: &Simulators,
    known: Option<&CredentialSource>,
) -> anyhow::Result<Setup> {
    let provider = loaded.provider(alias);
    if let Some(account) = &provider.simulator {
        return simulated(session, provider, &loaded.path(account), simulators).await;
    }
    let setup = real(session, loaded, provider, known).await?;
    if known.is_some() {
        return Ok(setup);
    }
    session.console.say(
        Level::Note,
        format_args!("{alias}: {}, credentials from {}", setup.region, setup.credentials.place()),
    );
    Ok(setup)
}

/// Awaits all of these side by side.
pub(super) async fn together<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut values: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_ready = true;
        for (future, value) in futures.iter_mut().zip(&mut values) {
            if value.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *value = Some(done),
                    Poll::Pending => is_ready = false,
                }
            }
        }
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    values.into_iter().flatten().collect()
}

async fn real(
    session: &Session<'_>,
    loaded: &Loaded,
    provider: &ProviderSettings,
    known: Option<&CredentialSource>,
) -> anyhow::Result<Setup> {
    let around = surroundings(session);
    let transport = Transport::new(&around)?;
    let wanted = wanted(provider);
    let region = region(provider, &wanted, &around)?;
    let endpoint = endpoint(provider, &region, &around, &loaded.name)?;
    if let Some(known) = known {
        return Ok(setup(session, provider, endpoint, region, known.clone(), transport));
    }
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

/// The account and region that each provider reaches, as far as its credentials tell an account.
pub(super) fn quotas(clouds: &Clouds<Client>) -> BTreeMap<ProviderAlias, String> {
    let quota = |cloud: &Client| Some(format!("{} {}", cloud.credentials().account()?, cloud.region()));
    clouds.iter().filter_map(|(alias, cloud)| Some((alias.clone(), quota(cloud)?))).collect()
}

/// Which instance this process runs on, if it may be one that a plan speaks of. What is simulated never is.
pub(super) async fn own_instance(session: &Session<'_>, loaded: &Loaded) -> Option<InstanceId> {
    if loaded.providers().iter().all(|alias| loaded.provider(alias).simulator.is_some()) {
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
    named_region(provider, wanted, around)?.ok_or_else(|| {
        anyhow!(
            "no region is named: write `provider: {{ region: cn-hangzhou }}` with your region into the configuration, or set \
             {} or {}; the profile of the Alibaba Cloud CLI has none either",
            REGION_VARIABLES[0],
            REGION_VARIABLES[1]
        )
    })
}

/// As [`region`]; none where no place names one.
pub(super) fn named_region(
    provider: &ProviderSettings,
    wanted: &Wanted,
    around: &Surroundings,
) -> anyhow::Result<Option<Region>> {
    if let Some(region) = &provider.region {
        return Ok(Some(region.clone()));
    }
    let found = around
        .first_variable(&REGION_VARIABLES)
        .map(|(name, value)| (value, name.to_owned()))
        .or_else(|| credentials::region_of_profile(wanted, around));
    found
        .map(|(text, place)| Region::new(&text).with_context(|| format!("the region in {place}")))
        .transpose()
}

/// The endpoint that the environment names, and which variable does.
pub(super) fn endpoint_of_environment(around: &Surroundings) -> Option<(&'static str, String)> {
    around.first_variable(&ENDPOINT_VARIABLES)
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
        None => endpoint_of_environment(around).map(|(variable, endpoint)| (variable.to_owned(), endpoint)),
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

/// The simulated accounts that this process serves, by the path of the account file: providers of one account share it.
#[derive(Default)]
pub(super) struct Simulators(Mutex<BTreeMap<PathBuf, Served>>);

#[derive(Clone)]
struct Served {
    address: SocketAddr,
    region: String,
    credentials: CredentialSource,
}

impl Simulators {
    /// Serves an account on a free port of this machine for as long as this process lives.
    async fn serve(&self, account: &Path) -> anyhow::Result<Served> {
        let known = account.canonicalize().unwrap_or_else(|_| account.to_owned());
        let mut serving = self.0.lock().await;
        if let Some(served) = serving.get(&known) {
            return Ok(served.clone());
        }
        let simulator = Simulator::open(account)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on this machine")?;
        let address = listener.local_addr().context("cannot listen on this machine")?;
        let key = simulator.first_key();
        let credentials = CredentialSource::fixed(Credentials {
            access_key_id: key.id,
            access_key_secret: key.secret,
            security_token: key.token,
            source: format!("the simulated account {}", account.display()),
        });
        let served = Served { address, region: simulator.region().to_owned(), credentials };
        tokio::spawn(async move {
            if let Err(error) = simulator.serve(listener, std::future::pending()).await {
                tracing::error!(%error, "the simulator has ended");
            }
        });
        serving.insert(known, served.clone());
        Ok(served)
    }
}

/// How the simulated account is reached.
pub(super) async fn simulated(
    session: &Session<'_>,
    provider: &ProviderSettings,
    account: &Path,
    simulators: &Simulators,
) -> anyhow::Result<Setup> {
    let Served { address, region, credentials } = simulators.serve(account).await?;
    let region = match &provider.region {
        Some(region) => region.clone(),
        None => Region::new(&region)?,
    };
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
