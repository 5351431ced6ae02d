//! Several accounts at one address: whose key signed a request decides whose instances it sees. What they may not
//! share is refused before anything is served.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::account::Account;
use super::error::SimulatorError;
use super::guard::Scheme;
use super::listeners::Listeners;
use super::request::Incoming;
use super::service::Service;
use super::{Clock, Simulator, http, keys};

/// The services of the accounts, in the order in which they were given. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Together(Arc<[Arc<Service>]>);

impl Together {
    /// The account that a request is for. One whose key nobody has is refused by the first.
    pub(super) fn of(&self, incoming: &Incoming) -> Option<&Arc<Service>> {
        let claimed = Scheme::of(incoming).claimed(incoming);
        let is_for = |service: &&Arc<Service>| match &claimed.key {
            Some(key) => keys::is_of(service.account(), key, claimed.token),
            None => {
                // Roles of OIDC providers are taken on without a key.
                let role = incoming.parameters().ok().and_then(|parameters| parameters.value("RoleArn"));
                role.is_some_and(|role| service.account().role(role).is_some())
            }
        };
        self.0.iter().find(is_for).or(self.0.first())
    }

    /// Resolves once the memory of one of them belongs to a changed account file: which.
    pub(super) async fn superseded(&self) -> PathBuf {
        let mut all = JoinSet::new();
        for service in self.0.iter().map(Arc::clone) {
            all.spawn(async move {
                service.superseded().await;
                service.account().memory.clone()
            });
        }
        match all.join_next().await {
            Some(Ok(memory)) => memory,
            Some(Err(_)) | None => std::future::pending().await,
        }
    }
}

/// Serves accounts until `shutdown` ends. `began` is called when all that are up listen.
pub(super) async fn serve(
    simulators: Vec<Simulator>,
    listener: TcpListener,
    began: impl FnOnce(),
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let together = Together(simulators.into_iter().map(|simulator| simulator.service).collect());
    let mut listeners = Vec::new();
    for service in together.0.iter() {
        listeners.push(Listeners::of(service).await);
    }
    began();
    let ended = http::serve(listener, together, shutdown).await;
    for listeners in listeners {
        listeners.close().await;
    }
    match ended? {
        http::Ended::AsAsked => Ok(()),
        http::Ended::Superseded(path) => Err(std::io::Error::other(SimulatorError::AccountChanged { path })),
    }
}

/// Opens accounts that are to be served at one address.
pub(super) fn open(files: &[PathBuf]) -> Result<Vec<Simulator>, SimulatorError> {
    let mut accounts = Vec::with_capacity(files.len());
    for file in files {
        let account = Account::load(file).map_err(|error| SimulatorError::of_account(file, error))?;
        accounts.push((file.as_path(), account));
    }
    // Before any memory is begun anew.
    check(&accounts)?;
    accounts
        .into_iter()
        .map(|(file, account)| Simulator::of(account, file, Clock::wall(), fastrand::u64(..)))
        .collect()
}

fn check(accounts: &[(&Path, Account)]) -> Result<(), SimulatorError> {
    let (mut files, mut memories) = (HashMap::new(), HashMap::new());
    let (mut keys, mut addresses) = (HashMap::new(), HashMap::new());
    for (file, account) in accounts {
        let file = *file;
        if files.insert(whereabouts(file), file).is_some() {
            return Err(SimulatorError::AccountTwice { path: file.to_owned() });
        }
        let shared = |what: String, remedy, first: &Path| SimulatorError::Shared {
            what,
            remedy,
            first: first.to_owned(),
            second: file.to_owned(),
        };
        if let Some(first) = memories.insert(whereabouts(&account.memory), file) {
            let what = format!("keep their memory in {}", account.memory.display());
            return Err(shared(what, "name another with memory: in one of them", first));
        }
        for key in &account.keys {
            if let Some(first) = keys.insert(key.id.as_str(), file).filter(|first| *first != file) {
                let what = format!("have the access key \"{}\"", key.id);
                return Err(shared(
                    what,
                    "a request has to tell whose it is, so give each keys of its own",
                    first,
                ));
            }
        }
        for instance in &account.instances {
            for listener in &instance.listeners {
                let taken = addresses.insert(listener.address, (file, &instance.id));
                let Some((first, other)) = taken else { continue };
                let what = format!("listen on {}: {other} and {}", listener.address, instance.id);
                return Err(shared(what, "give one of them another port or private_ip", first));
            }
        }
    }
    Ok(())
}

/// What stands for a file that may not be there yet, however it is named.
fn whereabouts(file: &Path) -> PathBuf {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.join(file.file_name().unwrap_or_default())
}
