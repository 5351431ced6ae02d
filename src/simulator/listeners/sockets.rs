//! The sockets that are open, by the listener of the account that each is for.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{AGAIN, connection};
use crate::simulator::account::{Account, Instance, Listener};
use crate::simulator::world::Place;

/// Everything that listens now.
#[derive(Debug)]
pub(super) struct Sockets {
    account: Arc<Account>,
    /// One task for each, which has the socket and its connections.
    open: HashMap<Place, JoinSet<()>>,
    /// Those that should be open and could not be, with when that was last tried.
    missed: HashMap<Place, Instant>,
}

impl Sockets {
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self { account, open: HashMap::new(), missed: HashMap::new() }
    }

    /// Closes and opens, so that these are open and no others.
    pub(super) async fn become_those(&mut self, wanted: &[Place]) {
        let wanted_set: HashSet<Place> = wanted.iter().copied().collect();
        let closed: Vec<Place> =
            self.open.keys().copied().filter(|place| !wanted_set.contains(place)).collect();
        for place in closed {
            if let Some(mut task) = self.open.remove(&place) {
                task.shutdown().await;
            }
        }
        self.missed.retain(|place, _| wanted_set.contains(place));
        for place in wanted {
            let is_early = self.missed.get(place).is_some_and(|tried| tried.elapsed() < AGAIN);
            if is_early || self.open.contains_key(place) {
                continue;
            }
            let account = Arc::clone(&self.account);
            let Some((instance, listener)) = given(&account, *place) else { continue };
            match TcpListener::bind(listener.address).await {
                Ok(socket) => {
                    if self.missed.remove(place).is_some() {
                        tracing::info!(instance = %instance.id, address = %listener.address, "it listens at last");
                    }
                    let mut task = JoinSet::new();
                    task.spawn(connection::accept(socket, listener.manner.clone()));
                    self.open.insert(*place, task);
                }
                Err(error) => {
                    if self.missed.insert(*place, Instant::now()).is_none() {
                        warn(instance, listener, &error);
                    }
                }
            }
        }
    }

    /// Whether something is to be tried again.
    pub(super) fn tries_again(&self) -> bool {
        self.missed.values().any(|tried| tried.elapsed() >= AGAIN)
    }
}

fn given(account: &Account, place: Place) -> Option<(&Instance, &Listener)> {
    let instance = account.instances.get(place.instance)?;
    Some((instance, instance.listeners.get(place.listener)?))
}

fn warn(instance: &Instance, listener: &Listener, error: &io::Error) {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "something else on this machine listens there, or another process that serves the account"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 are kept for the system here",
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
        _ => "the system refused",
    };
    tracing::warn!(
        instance = %instance.id, address = %listener.address, %error,
        "a simulated machine is up and cannot listen: {why}; it is tried again and again"
    );
}
