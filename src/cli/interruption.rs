//! SIGINT, SIGTERM, and SIGHUP of a terminal that went away: the first asks a command to come to an end, the second
//! ends it. And SIGCONT, which tells that the process was suspended and goes on.

use std::future::Future;

use tokio::sync::watch;

use super::failure::Exit;
use crate::probe::Commands;

/// Knows whether the process was asked to end.
#[derive(Debug, Clone)]
pub(super) struct Interruption {
    asked: watch::Receiver<bool>,
    commands: Commands,
}

impl Interruption {
    /// Listens from now on. The second signal ends the process at once: what is saved is saved.
    pub(super) fn listen() -> std::io::Result<Self> {
        let (ask, asked) = watch::channel(false);
        let mut signals = Signals::new()?;
        let commands = Commands::default();
        let left_behind = commands.clone();
        tokio::spawn(async move {
            signals.next().await;
            // A command that has ended no longer listens.
            let _ = ask.send(true);
            signals.next().await;
            left_behind.end();
            std::process::exit(i32::from(Exit::Interrupted.status()));
        });
        Ok(Self { asked, commands })
    }

    /// What runs on this machine in the name of this process, and ends with it.
    pub(super) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Whether the process was asked to end.
    pub(super) fn was_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Resolves once the process was asked to end.
    pub(super) fn asked(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut asked = self.asked.clone();
        async move {
            if asked.wait_for(|asked| *asked).await.is_err() {
                // The listener is gone, so nobody will ever ask.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    async fn next(&mut self) {
        self.interrupt.recv().await;
    }
}

/// Knows when the process goes on after it was suspended. Where that cannot be known, it never does.
pub(super) struct Resumptions {
    #[cfg(unix)]
    resumed: Option<tokio::signal::unix::Signal>,
}

impl Resumptions {
    #[cfg(unix)]
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { resumed: signal(SignalKind::from_raw(libc::SIGCONT)).ok() }
    }

    #[cfg(not(unix))]
    pub(super) fn listen() -> Self {
        Self {}
    }

    /// Resolves when the process goes on.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        let heard = match &mut self.resumed {
            Some(resumed) => resumed.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        std::future::pending::<()>().await
    }
}
