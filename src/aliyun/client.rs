//! The client of one region of ECS: the loop around build, sign, send, judge.
//!
//! It obeys the tables of its siblings and decides nothing itself. A write is sent at most once for each call (again
//! only if its nonce was refused); whether to send it again is for the caller to say, after a look.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, DATE, HeaderMap};
use reqwest::{Certificate, redirect, retry as http_retry};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::credentials::Credentials;
use super::endpoint::Endpoint;
use super::refusal::{Sent, Silence, judge, of_silence};
use super::request::{CONNECT_TIMEOUT, Effect, Page, Request, SignedRequest, sign_attempt};
use super::response::{
    Answer, Decoded, InstancePage, Unreadable, body_limit, decode_acceptance, decode_instances, read_date,
    read_retry_after,
};
use super::retry::{Policy, Retry, STANDARD, Tried};
use crate::cloud::{Accepted, Advice, Cloud, LOOK_LIMIT, Refusal, StartRequest, StopRequest};
use crate::fleet::{InstanceId, Region, Sighting};

/// Tells the time. Requests carry it, so it should be that of the machine.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How long an unused connection is kept. Short, because gateways drop idle connections without a word, and a write
/// on a connection that has just been dropped ends with an unknown outcome.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// The most pages that one look takes. The ids of a look fit on one page; were ECS to hold on to its default of 10
/// instances a page, they would fit on ten.
const MOST_PAGES: u32 = 12;

/// What a client is made of. Nothing is read from the environment, except that requests to other machines go through
/// the proxies that the usual variables name.
pub struct Setup {
    /// Where requests are sent.
    pub endpoint: Endpoint,
    /// The region.
    pub region: Region,
    /// Who asks.
    pub credentials: Credentials,
    /// The login name of a RAM user's account (`name@domain`), sent with StartInstance where it is set.
    pub owner_account: Option<String>,
    /// The time.
    pub clock: Clock,
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "the HTTPS client cannot be set up: {why}. Check the machine's CA certificates and the variables SSL_CERT_FILE \
     and SSL_CERT_DIR"
)]
pub struct SetupError {
    /// Why, in words.
    why: String,
}

/// One region of one account, over HTTP.
pub struct Client {
    setup: Setup,
    http: reqwest::Client,
    policy: Policy,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.setup.endpoint)
            .field("region", &self.setup.region)
            .field("credentials", &self.setup.credentials)
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
        let http = http_client(&setup.endpoint).map_err(|error| SetupError { why: causes(&error) })?;
        Ok(Self { setup, http, policy })
    }

    /// Sends a request until there is an answer that counts, as the policy allows.
    async fn call<T>(
        &self,
        request: &Request,
        decode: fn(&[u8]) -> Result<Decoded<T>, Unreadable>,
    ) -> Result<Decoded<T>, Refusal> {
        let begun = Instant::now();
        let effect = request.operation.effect;
        let mut tried = Tried::default();
        loop {
            let limit = match effect {
                Effect::Read => self.policy.deadline.saturating_sub(begun.elapsed()),
                Effect::Write => Duration::MAX,
            };
            tried.attempts = tried.attempts.saturating_add(1);
            let mut refusal = match self.attempt(request, decode, tried.attempts, limit).await {
                Ok(decoded) => return Ok(decoded),
                Err(refusal) => refusal,
            };
            if refusal.code.as_deref() == Some("SignatureNonceUsed") {
                tried.refused_nonces = tried.refused_nonces.saturating_add(1);
            }
            tried.elapsed = begun.elapsed();
            match self.policy.decide(effect, &refusal, tried, fastrand::f64()) {
                Retry::AtOnce => {}
                Retry::After(pause) => tokio::time::sleep(pause).await,
                Retry::Never => {
                    if tried.attempts > 1 {
                        refusal.message.push_str(&format!(" (tried {} times)", tried.attempts));
                    }
                    return Err(refusal);
                }
            }
        }
    }

    /// Builds, signs and sends a request once, and judges the answer.
    async fn attempt<T>(
        &self,
        request: &Request,
        decode: fn(&[u8]) -> Result<Decoded<T>, Unreadable>,
        number: u32,
        limit: Duration,
    ) -> Result<Decoded<T>, Refusal> {
        let Setup { endpoint, credentials, clock, .. } = &self.setup;
        let at = clock();
        let nonce = Uuid::new_v4().to_string();
        let signed = sign_attempt(request, credentials, at, &nonce);
        let operation = &request.operation;
        let sent = Sent { operation, host: endpoint.authority(), signed: &signed, credentials, at };
        let limit = operation.time_limit().min(limit);
        let begun = Instant::now();
        let exchanged = tokio::time::timeout(limit, self.exchange(&signed)).await;
        let outcome = match exchanged {
            Ok(Ok(answer)) => judge(&answer, &sent, decode),
            Ok(Err(silence)) => Err(of_silence(&silence, &sent)),
            Err(_) => Err(of_silence(&Silence::TimedOut(limit), &sent)),
        };
        log(request, number, begun.elapsed(), &outcome);
        outcome
    }

    /// Sends a signed request and reads the answer, within the limits of its size.
    async fn exchange(&self, signed: &SignedRequest) -> Result<Answer, Silence> {
        let address = self.setup.endpoint.with_query(signed.query());
        let request = self
            .http
            .request(signed.method(), address)
            .header(ACCEPT, "application/json")
            // hyper leaves the length of no body out; some gateways then answer 411 Length Required.
            .header(CONTENT_LENGTH, 0);
        let mut response = request.send().await.map_err(silence)?;
        let status = response.status().as_u16();
        let mut answer = Answer {
            status,
            request_id: header(response.headers(), "x-acs-request-id").map(str::to_owned),
            retry_after: header(response.headers(), "x-acs-retry-after").and_then(read_retry_after),
            server_time: header(response.headers(), DATE.as_str()).and_then(read_date),
            body: Vec::new(),
            too_long: false,
        };
        let limit = body_limit(status);
        while let Some(chunk) = response.chunk().await.map_err(silence)? {
            let room = limit - answer.body.len();
            answer.too_long = chunk.len() > room;
            answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if answer.too_long {
                break;
            }
        }
        Ok(answer)
    }
}

impl Cloud for Client {
    fn region(&self) -> &Region {
        &self.setup.region
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
            let request = Request::describe_instances(&self.setup.region, ids, &page);
            let InstancePage { sightings, next_token, total } =
                self.call(&request, decode_instances).await?.value;
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
        let request = Request::start_instance(&request, self.setup.owner_account.as_deref());
        let decoded = self.call(&request, decode_acceptance).await?;
        Ok(Accepted { request_id: decoded.request_id })
    }

    async fn stop(&self, request: StopRequest) -> Result<Accepted, Refusal> {
        let request = Request::stop_instance(&request);
        let decoded = self.call(&request, decode_acceptance).await?;
        Ok(Accepted { request_id: decoded.request_id })
    }

    async fn start_many(&self, requests: Vec<StartRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push((request.id.clone(), self.start(request).await));
        }
        answers
    }

    async fn stop_many(&self, requests: Vec<StopRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push((request.id.clone(), self.stop(request).await));
        }
        answers
    }
}

/// Whether there is another page by numbers after one that named no token.
fn page_follows(page: &Page, empty: bool, listed: u64, total: Option<u64>) -> bool {
    let by_token = matches!(page, Page::Token(_));
    !by_token && !empty && total.is_some_and(|total| total > listed)
}

/// The HTTP client: no redirects, no repetitions of its own, no compression.
///
/// One repetition stays that cannot be switched off: hyper takes a request to another connection if the pooled one
/// turned out to be closed before any of it was written. ECS has seen nothing of it then, so its nonce is still good.
fn http_client(endpoint: &Endpoint) -> Result<reqwest::Client, reqwest::Error> {
    // Whoever is first installs it; a second attempt is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("powerform/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(http_retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_CONNECTION);
    if endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    builder = if endpoint.is_encrypted() {
        // The system's roots and Mozilla's: a container without CA files can reach ECS all the same.
        let mut roots = Vec::with_capacity(webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            roots.push(Certificate::from_der(root)?);
        }
        builder.tls_certs_merge(roots)
    } else {
        // Without TLS no roots are needed, and none may be looked for: that fails where there are no CA files.
        builder.tls_certs_only([])
    };
    builder.build()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn silence(error: reqwest::Error) -> Silence {
    let why = causes(&error);
    if error.is_connect() { Silence::NotConnected(why) } else { Silence::Broken(why) }
}

/// What lies under an error of the HTTP library. Its own first line is left out: it holds the address, and with it
/// the query.
fn causes(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        cause = error.source();
        if text.starts_with("client error (") {
            continue;
        }
        // Many wrappers repeat what they wrap.
        words.retain(|earlier| !text.contains(earlier.as_str()));
        if !words.iter().any(|earlier| earlier.contains(&text)) {
            words.push(text);
        }
    }
    if words.is_empty() { "the HTTP library gives no reason".to_owned() } else { words.join(": ") }
}

/// One line for each attempt. Never the query: it holds the signature and the security token.
fn log<T>(request: &Request, number: u32, elapsed: Duration, outcome: &Result<Decoded<T>, Refusal>) {
    let action = request.operation.action;
    let subject = request.subject.as_str();
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Ok(decoded) => tracing::debug!(
            action,
            subject,
            attempt = number,
            request_id = decoded.request_id.as_deref(),
            milliseconds,
            "answered"
        ),
        Err(refusal) => tracing::debug!(
            action,
            subject,
            attempt = number,
            status = refusal.http_status,
            code = refusal.code.as_deref(),
            request_id = refusal.request_id.as_deref(),
            milliseconds,
            advice = ?refusal.advice,
            "refused"
        ),
    }
}

#[cfg(test)]
mod tests;
