//! The sockets of machines that are up: so that readiness can be probed as that of real machines.
//!
//! One task follows the world. It sleeps until the world says that something changes by itself, until an answer is
//! about to tell of a change, or until the memory file shows that another process did something; then it opens and
//! closes what differs.

mod connection;
mod limit;
mod sockets;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use self::sockets::Sockets;
use super::service::{Followed, Following, Service};
use super::world::later;

/// How often the memory file is looked at: as soon as this, a click in another process is noticed.
const GLANCE: Duration = Duration::from_millis(50);

/// How often an address is tried that could not be had.
const AGAIN: Duration = Duration::from_millis(250);

/// With fewer machines than these, the usual limit of open files is enough.
const MANY: usize = 50;

/// What listens for the machines of an account.
#[derive(Debug)]
pub(super) struct Listeners {
    /// The task that follows; none where no machine ever listens.
    following: JoinSet<()>,
    stop: oneshot::Sender<()>,
}

impl Listeners {
    /// Lets machines listen; those that are up do so when this returns.
    pub(super) async fn of(service: &Arc<Service>) -> Self {
        let mut following = JoinSet::new();
        let (stop, stopped) = oneshot::channel();
        let account = service.shared_account();
        let count: usize = account.instances.iter().map(|instance| instance.listeners.len()).sum();
        if count > 0 {
            if count > MANY {
                limit::raise();
            }
            let mut sockets = Sockets::new(account);
            let first = look(service, &mut sockets).await;
            let asked = service.begin_to_follow(first);
            following.spawn(follow(Arc::clone(service), sockets, asked, stopped));
        }
        Self { following, stop }
    }

    /// Nobody listens any more when this returns.
    pub(super) async fn close(mut self) {
        // Where nobody follows, there is nobody to tell.
        let _ = self.stop.send(());
        while self.following.join_next().await.is_some() {}
    }
}

async fn follow(
    service: Arc<Service>,
    mut sockets: Sockets,
    following: Following,
    mut stopped: oneshot::Receiver<()>,
) {
    let Following { mut asked, followed } = following;
    let memory = service.account().memory.clone();
    let mut seen = glance(&memory);
    loop {
        let (last, Followed { until, .. }) = *followed.borrow();
        let left = until.map(|until| Duration::try_from(until.duration_since(service.now())));
        let nap = left.map_or(GLANCE, |left| left.unwrap_or_default().min(GLANCE));
        tokio::select! {
            _ = &mut stopped => break,
            changed = asked.changed() => if changed.is_err() {
                // The same cloud is served anew elsewhere in this process, and followed from there.
                break;
            },
            () = tokio::time::sleep(nap) => {}
        }
        let number = *asked.borrow_and_update();
        let now_seen = glance(&memory);
        let is_due = until.is_some_and(|until| until <= service.now());
        if is_due || number != last || now_seen != seen || sockets.tries_again() {
            seen = now_seen;
            let found = look(&service, &mut sockets).await;
            followed.send_replace((number, found));
        }
    }
    sockets.become_those(&[]).await;
}

/// Looks at the world, and opens and closes what differs.
async fn look(service: &Arc<Service>, sockets: &mut Sockets) -> Followed {
    match service.listening().await {
        Some((listening, found)) => {
            sockets.become_those(&listening.open).await;
            found
        }
        None => {
            sockets.become_those(&[]).await;
            Followed::nothing(later(service.now(), AGAIN))
        }
    }
}

/// What shows whether the memory file is as it was.
fn glance(memory: &Path) -> Option<(u64, Option<SystemTime>)> {
    let metadata = std::fs::metadata(memory).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}
