//! The simulator: an ECS of its own, with real HTTP, real signatures and real error bodies.
//!
//! It is the embedded default and the test bed, so it has its own beliefs: its own words for statuses, its own
//! reading of the documentation, its own error bodies. It shares the signature function with the client, which vectors
//! pin, and nothing else; it must never be made to agree with the client.
//!
//! | part | what it is for |
//! |---|---|
//! | `account` | the account file: which instances there are, how quick, what goes wrong |
//! | `world` | the park of machines, pure: what each is when, and what may be asked of it |
//! | `log`, `memory` | what happened, one line each, in a file that any number of processes share |
//! | `guard`, `keys` | signatures, and the keys they are made with: the account's and those of STS |
//! | `request`, `refusal`, `answer` | parameters, error codes, JSON and XML |
//! | `api` | the operations, of ECS and of STS |
//! | `service` | one request through all of these |
//! | `together` | several accounts at one address |
//! | `http` | bytes |
//! | `listeners` | the sockets of machines that are up |

mod account;
mod answer;
mod api;
mod error;
mod guard;
mod http;
mod keys;
mod listeners;
pub mod log;
mod memory;
mod refusal;
mod request;
mod service;
mod status;
mod together;
mod world;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::net::TcpListener;

pub use self::account::Problem;
pub use self::error::SimulatorError;
pub use self::log::{ItemLine, LogEvent, LogLine, Phase, RequestLine, read_log};
use self::service::Service;
pub use self::status::{Status, StoppedMode};

/// What time it is in the simulated cloud.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks a function.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The clock on the wall.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the simulator's one look at the wall clock")]
    pub fn wall() -> Self {
        Self::new(Timestamp::now)
    }

    /// A clock that starts at a given time and runs with the timers of the runtime: where a test pauses those, the
    /// simulated cloud stands still, too.
    #[must_use]
    pub fn of_runtime(start: Timestamp) -> Self {
        let origin = tokio::time::Instant::now();
        Self::new(move || start.checked_add(origin.elapsed()).unwrap_or(Timestamp::MAX))
    }

    fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// An access key as a client needs it.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// The id.
    pub id: String,
    /// The secret.
    pub secret: SecretString,
    /// The security token, where the key is a temporary one.
    pub token: Option<SecretString>,
}

/// A simulated cloud, opened from its account file.
///
/// Cheap to clone: clones are the same cloud. Other processes may have the same account open at the same time; all
/// see what any of them does.
#[derive(Debug, Clone)]
pub struct Simulator {
    service: Arc<Service>,
    account_file: PathBuf,
}

impl Simulator {
    /// Opens the account, with what is remembered of it; begins the memory anew where the account file has changed
    /// since.
    ///
    /// # Errors
    /// The account file or the memory file cannot be read, or one of them is unsound. Every problem of an account
    /// file is named with its line and column.
    pub fn open(account_file: &Path) -> Result<Self, SimulatorError> {
        Self::open_with(account_file, Clock::wall(), fastrand::u64(..))
    }

    /// The same with a clock, and with the seed of what is left to chance (the jitter of boots).
    ///
    /// # Errors
    /// As [`Simulator::open`].
    pub fn open_with(account_file: &Path, clock: Clock, seed: u64) -> Result<Self, SimulatorError> {
        let account = account::Account::load(account_file)
            .map_err(|error| SimulatorError::of_account(account_file, error))?;
        Self::of(account, account_file, clock, seed)
    }

    /// Opens accounts that are to be served at one address, by [`Simulator::serve_all`].
    ///
    /// # Errors
    /// As [`Simulator::open`], and where two of them share what tells them apart: an access key, a memory file, or an
    /// address that their machines listen on.
    pub fn open_all(account_files: &[PathBuf]) -> Result<Vec<Self>, SimulatorError> {
        together::open(account_files)
    }

    fn of(
        account: account::Account,
        account_file: &Path,
        clock: Clock,
        seed: u64,
    ) -> Result<Self, SimulatorError> {
        let memory = account.memory.clone();
        let service =
            Service::open(account, clock, seed).map_err(|error| SimulatorError::of_memory(&memory, error))?;
        Ok(Self { service: Arc::new(service), account_file: account_file.to_owned() })
    }

    /// The region of the account: that of the instances that name none.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.service.account().region
    }

    /// The first key of the account: the one for clients that were given none.
    #[must_use]
    pub fn first_key(&self) -> ClientKey {
        let key = self.service.account().keys.first();
        // An account file without a key is refused, so there is one.
        key.map_or_else(
            || ClientKey { id: String::new(), secret: SecretString::default(), token: None },
            |key| ClientKey { id: key.id.clone(), secret: key.secret.clone(), token: key.token.clone() },
        )
    }

    /// How long reads show the status of before.
    #[must_use]
    pub fn lag(&self) -> Duration {
        self.service.account().lag
    }

    /// The file that remembers what happened, which [`read_log`] reads.
    #[must_use]
    pub fn memory_file(&self) -> &Path {
        &self.service.account().memory
    }

    /// Changes the status of an instance behind everyone's back, as a click in the console would; also while another
    /// process serves. The five words of ECS are known in any case; `Released` makes the instance go away; any other
    /// word is shown as it is.
    ///
    /// Waits for the lock of the memory file, which is only ever held for moments.
    ///
    /// # Errors
    /// The account has no such instance, it was released, or the memory file cannot be written.
    pub fn set(&self, id: &str, status: &str) -> Result<(), SimulatorError> {
        let account = self.service.account();
        if account.position(id).is_none() {
            return Err(SimulatorError::unknown_instance(&self.account_file, account, id));
        }
        let changed = self
            .service
            .click(id, Status::from(status.to_owned()))
            .map_err(|error| SimulatorError::of_memory(&account.memory, error))?;
        if changed {
            Ok(())
        } else {
            Err(SimulatorError::Released { id: id.to_owned(), memory: account.memory.clone() })
        }
    }

    /// Serves HTTP on the listener, which has to be on loopback, until `shutdown` ends; requests in progress then
    /// have two seconds to finish. The machines that listen do so for as long.
    ///
    /// # Errors
    /// The listener is not on loopback. Or a request has found that the account file was changed and its memory begun
    /// anew by another process: what is served here is no more.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        Self::serve_all(vec![self], listener, || (), shutdown).await
    }

    /// The same for several accounts: whose key signed a request decides whose instances it sees. `began` is called
    /// as soon as requests are served and all machines listen that are up.
    ///
    /// # Errors
    /// As [`Simulator::serve`].
    pub async fn serve_all(
        accounts: Vec<Self>,
        listener: TcpListener,
        began: impl FnOnce(),
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        together::serve(accounts, listener, began, shutdown).await
    }
}
