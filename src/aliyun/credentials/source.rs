//! Credentials that renew themselves: held once for all calls, replaced before they expire.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex as Turn;

use super::provider::{Age, Context, Grant, Missing, Provider};
use super::{CredentialError, Credentials};

/// How long nothing is asked for after it could not be had, so that many waiting calls fail as one.
const PAUSE_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(5);

/// Where a client has its credentials from, each time that it signs. Clones share what is held.
#[derive(Clone)]
pub struct CredentialSource(Arc<Inner>);

struct Inner {
    place: String,
    account: Option<String>,
    origin: Option<Origin>,
    held: Mutex<Held>,
    /// Whose turn it is to ask for new ones.
    turn: Turn<()>,
}

/// How new ones are had.
struct Origin {
    provider: Box<dyn Provider>,
    context: Context,
}

struct Held {
    credentials: Arc<Credentials>,
    grant: Grant,
    given: Timestamp,
    /// When asking for new ones failed last, and how.
    failed: Option<(Timestamp, CredentialError)>,
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSource").field("place", &self.0.place).finish_non_exhaustive()
    }
}

impl CredentialSource {
    /// Credentials that stay what they are.
    #[must_use]
    pub fn fixed(credentials: Credentials) -> Self {
        Self::new(Grant::lasting(credentials), Timestamp::UNIX_EPOCH, None)
    }

    /// Credentials that a provider has just given, and gives again.
    pub(super) fn renewing(grant: Grant, provider: Box<dyn Provider>, context: Context) -> Self {
        let given = context.surroundings.now();
        Self::new(grant, given, Some(Origin { provider, context }))
    }

    fn new(grant: Grant, given: Timestamp, origin: Option<Origin>) -> Self {
        let place = grant.credentials.source.clone();
        let account = grant.account.fingerprint();
        let credentials = Arc::new(grant.credentials.clone());
        let held = Mutex::new(Held { credentials, grant, given, failed: None });
        Self(Arc::new(Inner { place, account, origin, held, turn: Turn::new(()) }))
    }

    /// Where the credentials come from, in words.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// A fingerprint of the account that they belong to, which holds no secret: another one means another account, or
    /// credentials of another kind. Equal ones of the same instance role's name may still be of two accounts. None where
    /// nothing about the credentials lasts.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.0.account.as_deref()
    }

    /// The credentials to sign with now. New ones are asked for when the held ones are about to expire, by one caller
    /// for all; while the held ones still work, the others go on with them, and so do all if there are no new ones.
    ///
    /// # Errors
    /// [`CredentialError`] if the held ones have expired and there are no new ones.
    pub async fn current(&self) -> Result<Arc<Credentials>, CredentialError> {
        let Some(origin) = &self.0.origin else { return Ok(Arc::clone(&self.held().credentials)) };
        let (age, held) = self.look(origin);
        let _turn = match age {
            Age::Fresh => return Ok(held),
            Age::Due => match self.0.turn.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(held),
            },
            Age::Expired => self.0.turn.lock().await,
        };
        // Whoever had the turn before may have brought new ones, or found that there are none.
        let (age, held) = self.look(origin);
        match (age, self.recent_failure(origin)) {
            (Age::Fresh, _) | (Age::Due, Some(_)) => return Ok(held),
            (Age::Expired, Some(error)) => return Err(error),
            (Age::Due | Age::Expired, None) => {}
        }
        match self.renew(origin).await {
            Ok(credentials) => Ok(credentials),
            Err(error) if age == Age::Due => {
                tracing::warn!(place = self.place(), %error, "credentials could not be renewed yet");
                Ok(held)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks for other credentials than these, which the service has refused. Whether there are others now.
    ///
    /// # Errors
    /// [`CredentialError`] if asking failed.
    pub async fn replace(&self, refused: &Credentials) -> Result<bool, CredentialError> {
        let Some(origin) = &self.0.origin else { return Ok(false) };
        let _turn = self.0.turn.lock().await;
        if !same(&self.held().credentials, refused) {
            return Ok(true);
        }
        if let Some(error) = self.recent_failure(origin) {
            return Err(error);
        }
        let credentials = self.renew(origin).await?;
        Ok(!same(&credentials, refused))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it is held, and what it guards is whole at any time.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, origin: &Origin) -> (Age, Arc<Credentials>) {
        let now = origin.context.surroundings.now();
        let held = self.held();
        (held.grant.age(held.given, now), Arc::clone(&held.credentials))
    }

    fn recent_failure(&self, origin: &Origin) -> Option<CredentialError> {
        let now = origin.context.surroundings.now();
        let held = self.held();
        let (at, error) = held.failed.as_ref()?;
        (now.duration_since(*at).abs() < PAUSE_AFTER_FAILURE).then(|| error.clone())
    }

    async fn renew(&self, origin: &Origin) -> Result<Arc<Credentials>, CredentialError> {
        let outcome = fetch(origin.provider.as_ref(), &origin.context).await;
        let now = origin.context.surroundings.now();
        let mut held = self.held();
        match outcome {
            Ok(grant) => {
                tracing::debug!(place = grant.credentials.source, "credentials were renewed");
                let credentials = Arc::new(grant.credentials.clone());
                *held = Held { credentials: Arc::clone(&credentials), grant, given: now, failed: None };
                Ok(credentials)
            }
            Err(missing) => {
                let error = CredentialError::Unusable {
                    place: origin.provider.place(),
                    why: missing.why().to_owned(),
                };
                held.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }
}

/// Asks a provider, and takes nothing from it that has expired already.
pub(super) async fn fetch(provider: &dyn Provider, context: &Context) -> Result<Grant, Missing> {
    let grant = provider.fetch(context).await?;
    let now = context.surroundings.now();
    if grant.age(now, now) == Age::Expired {
        return Err(Missing::broken(format!(
            "they have expired already, by the clock of this machine ({now}): renew them there, or set the clock"
        )));
    }
    Ok(grant)
}

fn same(one: &Credentials, other: &Credentials) -> bool {
    let token = |of: &Credentials| of.security_token.as_ref().map(|token| token.expose_secret().to_owned());
    one.access_key_id == other.access_key_id
        && one.access_key_secret.expose_secret() == other.access_key_secret.expose_secret()
        && token(one) == token(other)
}

#[cfg(test)]
mod tests;
