//! The client of one region of ECS.
//!
//! It obeys the tables of its siblings and decides nothing itself. A write is sent at most once for each call (again
//! only if it was refused before ECS looked at it: for its nonce, or for credentials that others replace); whether to
//! send it again is for the caller to say, after a look. What may be sent now is for the limiter of each action to
//! say: reads wait in it, writes are handed back.

mod assistant;
mod batch;
mod connection;
mod operations;
mod search;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::SignedDuration;

pub use connection::Limiters;
pub use operations::Permitted;

use super::credentials::CredentialSource;
use super::endpoint::Endpoint;
use super::request::{CONNECT_TIMEOUT, Dialect, Page, Request};
use super::response::{InstancePage, decode_acceptance, decode_batch, decode_instances};
use super::retry::{Policy, STANDARD};
use super::transport::{Line, Transport};
use crate::cloud::{Accepted, Advice, Cloud, LOOK_LIMIT, Refusal, StartRequest, StopRequest};
use crate::fleet::{InstanceId, Region, Sighting};
use batch::{judge_items, refused, unsendable};
use connection::Connection;

pub use super::surroundings::Clock;
pub use super::transport::SetupError;

/// The most pages that one look takes. The ids of a look fit on one page; were ECS to hold on to its default of 10
/// instances a page, they would fit on ten.
const MOST_PAGES: u32 = 12;

/// What a client is made of. Nothing is read from the environment.
pub struct Setup {
    /// Where requests are sent.
    pub endpoint: Endpoint,
    /// The region.
    pub region: Region,
    /// Who asks: looked up for each attempt, because temporary credentials are replaced while a run goes on.
    pub credentials: CredentialSource,
    /// How requests leave this machine.
    pub transport: Transport,
    /// The login name of a RAM user's account (`name@domain`), sent with starts where it is set.
    pub owner_account: Option<String>,
    /// The time.
    pub clock: Clock,
    /// How requests are put and answers wanted.
    pub dialect: Dialect,
    /// At most so many calls of one action are out at once.
    pub max_in_flight: NonZeroUsize,
    /// What is known of the limits of its account and region: shared by clients of the same.
    pub limiters: Limiters,
}

impl Setup {
    /// A client in the usual dialect that needs no proxy, with at most 16 calls of one action out at once.
    #[must_use]
    pub fn new(endpoint: Endpoint, region: Region, credentials: CredentialSource, clock: Clock) -> Self {
        let max_in_flight = NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN);
        let (dialect, transport) = (Dialect::default(), Transport::default());
        Self {
            endpoint,
            region,
            credentials,
            transport,
            owner_account: None,
            clock,
            dialect,
            max_in_flight,
            limiters: Limiters::default(),
        }
    }
}

/// One region of one account, over HTTP.
pub struct Client {
    region: Region,
    owner_account: Option<String>,
    connection: Arc<Connection>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", self.connection.endpoint())
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client. Sends nothing.
    ///
    /// # Errors
    /// [`SetupError`] if TLS cannot be set up.
    pub fn new(setup: Setup) -> Result<Self, SetupError> {
        Self::with_policy(setup, STANDARD)
    }

    fn with_policy(setup: Setup, policy: Policy) -> Result<Self, SetupError> {
        let line = Line {
            encrypted: setup.endpoint.is_encrypted(),
            local: setup.endpoint.is_loopback(),
            connect: CONNECT_TIMEOUT,
        };
        let http = setup.transport.client(line)?;
        Ok(Self {
            region: setup.region.clone(),
            owner_account: setup.owner_account.clone(),
            connection: Arc::new(Connection::new(setup, http, policy)),
        })
    }

    /// Where its credentials come from.
    #[must_use]
    pub fn credentials(&self) -> &CredentialSource {
        self.connection.source()
    }

    /// By how much this machine's clock was ahead of ECS's when ECS answered last; negative where it was behind.
    /// Nothing before the first answer. It includes the way of the answer and is exact to a second or two.
    #[must_use]
    pub fn clock_skew(&self) -> Option<SignedDuration> {
        self.connection.clock_skew()
    }
}

impl Cloud for Client {
    fn region(&self) -> &Region {
        &self.region
    }

    async fn describe(&self, ids: &[InstanceId]) -> Result<Vec<Sighting>, Refusal> {
        if ids.len() > LOOK_LIMIT {
            let message = format!("one look takes {LOOK_LIMIT} instances at most, not {}", ids.len());
            return Err(Refusal::new(Advice::Final, message));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: HashSet<&InstanceId> = ids.iter().collect();
        let mut seen: BTreeMap<InstanceId, Sighting> = BTreeMap::new();
        let mut listed: u64 = 0;
        let mut page = Page::First;
        for number in 1..=MOST_PAGES {
            let request = Request::describe_instances(&self.region, ids, &page);
            let InstancePage { sightings, next_token, total } =
                self.connection.call(&request, decode_instances).await?.value;
            listed = listed.saturating_add(sightings.len() as u64);
            // Tokens make the total meaningless; without them a page with nothing on it is the last one.
            let more = page_follows(&page, sightings.is_empty(), listed, total);
            seen.extend(
                sightings
                    .into_iter()
                    .filter(|sighting| wanted.contains(&sighting.id))
                    .map(|sighting| (sighting.id.clone(), sighting)),
            );
            page = match next_token {
                _ if seen.len() == wanted.len() => return Ok(seen.into_values().collect()),
                Some(token) => Page::Token(token),
                None if more => Page::Number(number + 1),
                None => return Ok(seen.into_values().collect()),
            };
        }
        let message = format!("ECS has not come to an end of its list of {} instances", ids.len());
        Err(Refusal::new(Advice::OutcomeUnknown, format!("{message} after {MOST_PAGES} pages")))
    }

    async fn start(&self, request: StartRequest) -> Result<Accepted, Refusal> {
        let request = Request::start_instance(&request, self.owner_account.as_deref());
        let decoded = self.connection.call(&request, decode_acceptance).await?;
        Ok(Accepted { request_id: decoded.request_id })
    }

    async fn stop(&self, request: StopRequest) -> Result<Accepted, Refusal> {
        let request = Request::stop_instance(&request);
        let decoded = self.connection.call(&request, decode_acceptance).await?;
        Ok(Accepted { request_id: decoded.request_id })
    }

    async fn start_many(&self, requests: Vec<StartRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        let restores = requests.iter().any(|request| request.init_local_disk);
        let ids: Vec<InstanceId> = requests.into_iter().map(|request| request.id).collect();
        if restores {
            let why = "a batch of starts cannot restore local disks";
            return refused(ids, &Refusal::new(Advice::Final, why));
        }
        if let Some(refusal) = unsendable(&ids) {
            return refused(ids, &refusal);
        }
        if ids.is_empty() {
            return Vec::new();
        }
        let request = Request::start_instances(&self.region, &ids, self.owner_account.as_deref());
        let answer = self.connection.ask(&request, decode_batch).await;
        judge_items(ids, answer, &request.operation)
    }

    async fn stop_many(&self, requests: Vec<StopRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        let Some(policy) = requests.first().map(|request| request.policy) else { return Vec::new() };
        let differ = requests.iter().any(|request| request.policy != policy);
        let ids: Vec<InstanceId> = requests.into_iter().map(|request| request.id).collect();
        if differ {
            let why = "a batch of stops stops all its instances in the same way";
            return refused(ids, &Refusal::new(Advice::Final, why));
        }
        if let Some(refusal) = unsendable(&ids) {
            return refused(ids, &refusal);
        }
        let request = Request::stop_instances(&self.region, &ids, policy);
        let answer = self.connection.ask(&request, decode_batch).await;
        judge_items(ids, answer, &request.operation)
    }
}

/// Whether there is another page by numbers after one that named no token.
fn page_follows(page: &Page, empty: bool, listed: u64, total: Option<u64>) -> bool {
    let by_token = matches!(page, Page::Token(_) | Page::FirstByToken);
    !by_token && !empty && total.is_some_and(|total| total > listed)
}

#[cfg(test)]
mod tests;
