//! Joins a configuration to the cloud that it names: ECS itself, or the embedded simulator.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;

use super::configuration::Loaded;
use super::failure::Failure;
use super::{Level, Session};
use crate::aliyun::client::{Client, Setup};
use crate::aliyun::credentials::{self, Credentials};
use crate::aliyun::endpoint::{self, Endpoint};
use crate::cloud::Clouds;
use crate::fleet::{ProviderAlias, Region};
use crate::simulator::Simulator;

/// Where the region is looked for, if the file does not name it.
const REGION_VARIABLES: [&str; 2] = ["ALIBABA_CLOUD_REGION_ID", "ALIBABA_CLOUD_REGION"];
/// Where the endpoint is looked for, if the file does not name it.
const ENDPOINT_VARIABLE: &str = "ALIBABA_CLOUD_ENDPOINT_ECS";

/// Makes the connection. Nothing is sent yet.
pub(super) async fn connect(session: &Session<'_>, loaded: &Loaded) -> Result<Clouds<Client>, Failure> {
    let setup = if loaded.configuration.provider.simulator.is_some() {
        simulated(session, loaded).await?
    } else {
        real(session, loaded)?
    };
    Ok(Clouds::from([(ProviderAlias::main(), Arc::new(Client::new(setup)?))]))
}

fn real(session: &Session<'_>, loaded: &Loaded) -> anyhow::Result<Setup> {
    let provider = &loaded.configuration.provider;
    let environment = session.environment;
    let credentials = credentials::from_variables(|name| environment.variable(name))?;
    let region = match &provider.region {
        Some(region) => region.clone(),
        None => region_of_environment(session)?,
    };
    let written = match &provider.endpoint {
        Some(endpoint) => Some((endpoint.clone(), loaded.name.clone())),
        None => environment.variable(ENDPOINT_VARIABLE).map(|value| (value, ENDPOINT_VARIABLE.to_owned())),
    };
    let endpoint = match written {
        Some((endpoint, place)) => {
            Endpoint::explicit(&endpoint).with_context(|| format!("the endpoint in {place}"))?
        }
        None => {
            if let Err(unknown) = endpoint::check_region(&region) {
                session.console.say(Level::Warning, unknown);
            }
            Endpoint::public(&region)?
        }
    };
    Ok(setup(session, endpoint, region, credentials))
}

fn region_of_environment(session: &Session<'_>) -> anyhow::Result<Region> {
    for name in REGION_VARIABLES {
        if let Some(value) = session.environment.variable(name) {
            return Region::new(&value).with_context(|| format!("the region in {name}"));
        }
    }
    Err(anyhow!(
        "no region is named: write `provider: {{ region: cn-hangzhou }}` with your region into the file, or set {}",
        REGION_VARIABLES.join(" or ")
    ))
}

/// Serves the simulated account on a free port of this machine for as long as this process lives.
async fn simulated(session: &Session<'_>, loaded: &Loaded) -> anyhow::Result<Setup> {
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
    let credentials = Credentials {
        access_key_id: key.id,
        access_key_secret: key.secret,
        security_token: key.token,
        source: format!("the simulated account {}", account.display()),
    };
    tokio::spawn(async move {
        if let Err(error) = simulator.serve(listener, std::future::pending()).await {
            tracing::error!(%error, "the simulator has ended");
        }
    });
    let endpoint = Endpoint::explicit(&format!("http://{address}"))?;
    Ok(setup(session, endpoint, region, credentials))
}

fn setup(session: &Session<'_>, endpoint: Endpoint, region: Region, credentials: Credentials) -> Setup {
    let environment = session.environment;
    tracing::debug!(%endpoint, %region, credentials = credentials.source, "connecting");
    Setup::new(endpoint, region, credentials, Arc::new(move || environment.now()))
}
