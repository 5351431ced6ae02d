//! `powerform doctor`: looks at everything that a run needs, and changes nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::arguments::Doctor;
use super::configuration::{Loaded, load};
use super::connection::{Simulators, endpoint, region, setup, simulated, surroundings, together, wanted};
use super::failure::{Chain, Exit, Failure};
use crate::aliyun::client::{Client, Setup};
use crate::aliyun::credentials::{self, Context, CredentialError, CredentialSource, security_token_service};
use crate::aliyun::sts::{Sts, StsError};
use crate::aliyun::surroundings::Surroundings;
use crate::aliyun::transport::Transport;
use crate::cloud::{Advice, Clouds, LOOK_LIMIT, Refusal, StartRequest, StopRequest};
use crate::config::{Network, ProviderSettings};
use crate::fleet::{
    Actual, Address, Charge, Desired, Entry, EntryIndex, Goal, InstanceId, Power, ProviderAlias, Seen,
    StopPolicy,
};
use crate::observe::{Observation, observe};
use crate::render::checkup::{Check, Finding, Rehearsal, clock, permission};
use crate::render::json::v1;
use crate::render::{human, words};
use crate::state::{LockError, Store as _};

/// How long any one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What needs a connection to ask over.
const OVER_THE_CONNECTION: [&str; 5] = ["identity", "clock", "look", "start", "stop"];

pub(super) async fn run(session: &Session<'_>, arguments: &Doctor) -> Result<Exit, Failure> {
    let loaded = load(session)?;
    let checks = tokio::select! {
        (mut clouds, state) = async { tokio::join!(clouds(session, &loaded), state(&loaded)) } => {
            clouds.extend(state);
            clouds
        }
        () = session.interruption.asked() => return Err(Failure::Interrupted),
    };
    if arguments.json {
        session.console.document(&v1::checkup(&checks));
    } else {
        session.console.result(&human::checkup(&checks, session.console.out_style()));
    }
    let is_well = checks.iter().all(|check| check.finding != Finding::Error);
    Ok(if is_well { Exit::Success } else { Exit::Failure })
}

/// What there is to ask with.
struct Access {
    setup: Setup,
    sts: Result<Sts, CredentialError>,
}

/// Every provider that the configuration names, side by side.
async fn clouds(session: &Session<'_>, loaded: &Loaded) -> Vec<Check> {
    let aliases = loaded.providers();
    let simulators = Simulators::default();
    let looking = aliases.iter().map(|alias| cloud(session, loaded, alias, &simulators)).collect();
    let found = together(looking).await;
    let are_several = aliases.len() > 1;
    let name = |alias: &ProviderAlias, mut checks: Vec<Check>| {
        for check in checks.iter_mut().filter(|_| are_several) {
            check.provider = Some(alias.to_string());
        }
        checks
    };
    aliases.iter().zip(found).flat_map(|(alias, checks)| name(alias, checks)).collect()
}

async fn cloud(
    session: &Session<'_>,
    loaded: &Loaded,
    alias: &ProviderAlias,
    simulators: &Simulators,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let provider = loaded.provider(alias);
    let access = match &provider.simulator {
        Some(account) => {
            let account = loaded.path(account);
            access_to_simulator(session, provider, &account, simulators, &mut checks).await
        }
        None => access(session, loaded, provider, &mut checks).await,
    };
    match access {
        Some(access) => checks.extend(ask(session, loaded, alias, access).await),
        None => checks.extend(
            OVER_THE_CONNECTION
                .map(|name| Check::skipped(name, "there is nothing yet to ask with, see above")),
        ),
    }
    checks
}

async fn access_to_simulator(
    session: &Session<'_>,
    provider: &ProviderSettings,
    account: &Path,
    simulators: &Simulators,
    checks: &mut Vec<Check>,
) -> Option<Access> {
    match simulated(session, provider, account, simulators).await {
        Ok(setup) => {
            checks.push(Check::ok("credentials", setup.credentials.place()));
            checks.push(Check::ok("region", setup.region.to_string()));
            // What the environment says is about the real service.
            let around = Surroundings { variables: Arc::new(|_| None), ..surroundings(session) };
            let context =
                Context { surroundings: around, transport: Transport::default(), region: None, vpc: false };
            let sts = security_token_service(&context, &setup.endpoint);
            Some(Access { setup, sts })
        }
        Err(error) => {
            checks.push(Check::error("simulator", Chain(&error).to_string(), None::<String>));
            None
        }
    }
}

/// What the configuration, the environment and the profiles make together.
async fn access(
    session: &Session<'_>,
    loaded: &Loaded,
    provider: &ProviderSettings,
    checks: &mut Vec<Check>,
) -> Option<Access> {
    let around = surroundings(session);
    let wanted = wanted(provider);
    let region = region(provider, &wanted, &around);
    let transport = Transport::new(&around);
    let context = transport.as_ref().ok().map(|transport| Context {
        surroundings: around.clone(),
        transport: transport.clone(),
        region: region.as_ref().ok().cloned(),
        vpc: provider.network == Network::Vpc,
    });
    let found = match &context {
        Some(context) => {
            let (check, found) = find_credentials(&wanted, context).await;
            checks.push(check);
            found
        }
        None => None,
    };
    if let Err(error) = &transport {
        checks.push(Check::error("network", error.to_string(), None::<String>));
    }
    let endpoint = match &region {
        Ok(region) => {
            checks.push(Check::ok("region", region.to_string()));
            let endpoint = endpoint(provider, region, &around, &loaded.name);
            if let Err(error) = &endpoint {
                checks.push(Check::error("endpoint", Chain(error).to_string(), None::<String>));
            }
            endpoint.ok()
        }
        Err(error) => {
            checks.push(Check::error("region", Chain(error).to_string(), None::<String>));
            None
        }
    };
    let (context, found, endpoint, region) = match (context, found, endpoint, region) {
        (Some(context), Some(found), Some(endpoint), Ok(region)) => (context, found, endpoint, region),
        (_, _, endpoint, _) => {
            checks.extend(endpoint.map(|endpoint| Check::ok("endpoint", format!("{endpoint} (not asked)"))));
            return None;
        }
    };
    let sts = security_token_service(&context, &endpoint);
    let setup = setup(session, provider, endpoint, region, found, context.transport);
    Some(Access { setup, sts })
}

async fn find_credentials(
    wanted: &credentials::Wanted,
    context: &Context,
) -> (Check, Option<CredentialSource>) {
    const NAME: &str = "credentials";
    match tokio::time::timeout(PATIENCE, credentials::find(wanted, context)).await {
        Ok(Ok(found)) if found.warnings.is_empty() => {
            (Check::ok(NAME, found.source.place()), Some(found.source))
        }
        Ok(Ok(found)) => {
            (Check::warning(NAME, found.source.place(), found.warnings.join("; ")), Some(found.source))
        }
        Ok(Err(error)) => (Check::error(NAME, error.to_string(), None::<String>), None),
        Err(_) => {
            let remedy = "check the network and the proxy (HTTPS_PROXY, NO_PROXY), or give credentials that need \
                 no service to be asked";
            (
                Check::error(
                    NAME,
                    format!("no place gave any within {} seconds", PATIENCE.as_secs()),
                    Some(remedy),
                ),
                None,
            )
        }
    }
}

/// Everything that takes an answer.
async fn ask(session: &Session<'_>, loaded: &Loaded, alias: &ProviderAlias, access: Access) -> Vec<Check> {
    let Access { setup, sts } = access;
    let (credentials, endpoint) = (setup.credentials.clone(), setup.endpoint.clone());
    let client = match Client::new(setup) {
        Ok(client) => Arc::new(client),
        Err(error) => {
            let mut checks = vec![Check::error("endpoint", error.to_string(), None::<String>)];
            checks.extend(OVER_THE_CONNECTION.map(|name| Check::skipped(name, "there is no connection")));
            return checks;
        }
    };
    let desired = &only(alias, &loaded.configuration.desired);
    let ids: Vec<InstanceId> =
        desired.entries.iter().flat_map(|entry| entry.ids()).take(LOOK_LIMIT).cloned().collect();
    let clouds = Clouds::from([(alias.clone(), Arc::clone(&client))]);
    let unconnected = BTreeMap::new();
    let now = session.environment.now();
    let (identity, look, seen) = tokio::join!(
        identity(sts, &credentials),
        in_time(client.rehearse_look(&ids)),
        tokio::time::timeout(PATIENCE, observe(desired, &clouds, &unconnected, now)),
    );
    let look = look.map(drop);
    let clock = clock(client.clock_skew());
    if let Err(refusal @ Refusal { http_status: None, code: None, .. }) = &look {
        let endpoint = Check::refused("endpoint", &format!("{endpoint} does not answer"), refusal);
        let others =
            ["look", "start", "stop"].map(|name| Check::skipped(name, "ECS does not answer, see above"));
        return [endpoint, identity, clock].into_iter().chain(others).collect();
    }
    let nothing = Actual::new(now);
    let actual = seen.as_ref().map_or(&nothing, |seen| &seen.actual);
    let look = match &look {
        Err(refusal) => Check::refused("look", "DescribeInstances does not work", refusal),
        Ok(()) => visible(seen.as_ref().ok()),
    };
    let (start, stop) = tokio::join!(start(&client, desired, actual), stop(&client, desired, actual));
    vec![Check::ok("endpoint", endpoint.to_string()), identity, clock, look, start, stop]
}

/// The entries of one provider. In what order they go is of no matter here.
fn only(alias: &ProviderAlias, desired: &Desired) -> Desired {
    let of_it = desired.entries.iter().filter(|entry| entry.provider == *alias);
    let entries = of_it.map(|entry| Entry { needs: Vec::new(), ..entry.clone() }).collect();
    Desired { stack: desired.stack.clone(), entries }
}

/// Waits for an answer of ECS, but not for ever.
async fn in_time<T>(answer: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
        let message = format!("no answer within {} seconds", PATIENCE.as_secs());
        let remedy =
            "check the network and the proxy (HTTPS_PROXY, NO_PROXY), and whether the endpoint is right";
        Err(Refusal { remedy: Some(remedy.into()), ..Refusal::new(Advice::OutcomeUnknown, message) })
    })
}

async fn identity(sts: Result<Sts, CredentialError>, credentials: &CredentialSource) -> Check {
    const NAME: &str = "identity";
    let error = |error: &dyn std::fmt::Display| Check::error(NAME, error.to_string(), None::<String>);
    let sts = match sts {
        Ok(sts) => sts,
        Err(broken) => return error(&broken),
    };
    let asking = async {
        let by = match credentials.current().await {
            Ok(by) => by,
            Err(broken) => return error(&broken),
        };
        match sts.caller_identity(&by).await {
            Ok(identity) => {
                let kind = if identity.kind.is_empty() { "" } else { " " };
                Check::ok(
                    NAME,
                    format!("{}{kind}{} of the account {}", identity.kind, identity.arn, identity.account),
                )
            }
            Err(refused @ StsError::Refused { .. }) => error(&refused),
            // Nothing else needs STS.
            Err(silent) => Check { finding: Finding::Warning, ..error(&silent) },
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| {
        let detail = format!("STS has not said who asks within {} seconds", PATIENCE.as_secs());
        Check::warning(NAME, detail, "check the network and the proxy (HTTPS_PROXY, NO_PROXY)")
    })
}

/// Judges what a look shows to someone who may look: the permission may still not cover every instance.
fn visible(seen: Option<&Observation>) -> Check {
    const NAME: &str = "look";
    const PERMITTED: &str = "DescribeInstances is permitted";
    let Some(Observation { actual, failures }) = seen else {
        return Check::warning(
            NAME,
            format!(
                "{PERMITTED}, but the instances could not be looked at within {} seconds",
                PATIENCE.as_secs()
            ),
            "run again; if it stays so, check the network",
        );
    };
    if let Some(failure) = failures.first() {
        return Check::refused(NAME, &format!("{PERMITTED}, but a look failed"), &failure.refusal);
    }
    let mut missing: Vec<&str> = actual
        .instances
        .iter()
        .filter(|(_, seen)| !matches!(seen, Seen::There(_)))
        .map(|(key, _)| key.id.as_str())
        .collect();
    missing.sort_unstable();
    let all = words::count(actual.instances.len(), "instance");
    if missing.is_empty() {
        return Check::ok(NAME, format!("{PERMITTED}, and all of {all} can be seen"));
    }
    Check::warning(
        NAME,
        format!(
            "{PERMITTED}, but of {all} {} cannot be seen: {}",
            missing.len(),
            words::list(&missing, words::LISTED)
        ),
        "check their ids, the region and the account, and that the permission covers them",
    )
}

/// An instance to ask about.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    address: Address,
    id: InstanceId,
    policy: StopPolicy,
    seen: String,
}

impl Candidate {
    /// What asking about it stands for: a call that needs an instance in a certain status.
    fn rehearsal(self, name: &'static str, action: &'static str, needs: &Power) -> Rehearsal {
        Rehearsal {
            name,
            action,
            needs: needs.word().to_owned(),
            address: words::address(&self.address),
            seen: self.seen,
        }
    }
}

/// The instance about which a rehearsal says most: in the status that the call needs, neither locked nor expired, and
/// with the goal that leads to such a call; of those the first. None if the stack has no instance.
fn candidate(desired: &Desired, actual: &Actual, needs: &Power, goal: Goal) -> Option<Candidate> {
    let seen_of =
        |id: &InstanceId| actual.instances.iter().find(|(key, _)| key.id == *id).map(|(_, seen)| seen);
    (0u32..)
        .map(EntryIndex)
        .zip(&desired.entries)
        .flat_map(|(index, entry)| actual.ids_of(index, entry).iter().map(move |id| (entry, id)))
        .map(|(entry, id)| (entry, id, seen_of(id)))
        .min_by_key(|(entry, _, seen)| {
            let sighting = seen.and_then(Seen::sighting);
            let fits = sighting.is_some_and(|sighting| sighting.power == *needs);
            let is_barred = sighting.is_some_and(|sighting| {
                !sighting.locks.is_empty()
                    || (sighting.charge == Charge::PrePaid
                        && sighting.expires.is_some_and(|end| end <= actual.looked_at))
            });
            (!fits, sighting.is_none(), is_barred, entry.goal != goal)
        })
        .map(|(entry, id, seen)| Candidate {
            address: entry.address_of(id),
            id: id.clone(),
            policy: entry.stop,
            seen: seen.and_then(Seen::power).map_or("not visible", Power::word).to_owned(),
        })
}

const NO_INSTANCE: &str = "the configuration has no instance to ask about";

async fn start(client: &Client, desired: &Desired, actual: &Actual) -> Check {
    let Some(candidate) = candidate(desired, actual, &Power::Stopped, Goal::Running) else {
        return Check::skipped("start", NO_INSTANCE);
    };
    let request = StartRequest { id: candidate.id.clone(), init_local_disk: false };
    let outcome = in_time(client.rehearse_start(&request)).await.map(drop);
    permission(&candidate.rehearsal("start", "StartInstance", &Power::Stopped), &outcome)
}

async fn stop(client: &Client, desired: &Desired, actual: &Actual) -> Check {
    let Some(candidate) = candidate(desired, actual, &Power::Running, Goal::Stopped) else {
        return Check::skipped("stop", NO_INSTANCE);
    };
    let request = StopRequest { id: candidate.id.clone(), policy: candidate.policy };
    let outcome = in_time(client.rehearse_stop(&request)).await.map(drop);
    permission(&candidate.rehearsal("stop", "StopInstance", &Power::Running), &outcome)
}

/// The record and its lock: where they are, whether they work, and whose they are.
async fn state(loaded: &Loaded) -> Vec<Check> {
    let store = loaded.backend();
    let place = store.place();
    let looking = async { tokio::join!(store.load(), store.try_writing(), store.holder()) };
    let Ok((record, writing, holder)) = tokio::time::timeout(PATIENCE, looking).await else {
        let detail = format!("{place} could not be looked at within {} seconds", PATIENCE.as_secs());
        let mut checks =
            vec![Check::error("state", detail, Some("check the disk or the network drive it is on"))];
        checks.extend(["lock", "lineage"].map(|name| Check::skipped(name, "the state does not answer")));
        return checks;
    };
    let state = match (&record, writing) {
        (Err(error), _) => Check::error("state", error.to_string(), None::<String>),
        (Ok(_), Err(error)) => Check::error("state", error.to_string(), None::<String>),
        (Ok(_), Ok(())) => Check::ok("state", format!("{place} can be read and written")),
    };
    let wait = "wait until it has ended, or interrupt it; the lock ends with its process";
    let lock = match holder {
        Ok(None) => Check::ok("lock", "nobody holds it"),
        Ok(Some(holder)) => Check::warning("lock", format!("held by {holder}"), wait),
        Err(error @ LockError::Held { .. }) => Check::warning("lock", error.to_string(), wait),
        Err(error) => Check::error("lock", error.to_string(), None::<String>),
    };
    let lineage = match record {
        Ok(Some(record)) => Check::ok(
            "lineage",
            format!(
                "{}, serial {}, {} recorded",
                record.lineage,
                record.serial,
                words::count(record.instances.len(), "instance")
            ),
        ),
        Ok(None) => Check::ok("lineage", "none yet: the first apply writes the state"),
        Err(_) => Check::skipped("lineage", "the state cannot be read, see above"),
    };
    vec![state, lock, lineage]
}

#[cfg(test)]
mod tests;
