//! One attempt after the other: credentials, turn, build, sign, send, judge, decide.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue,
};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::{Clock, Setup};
use crate::aliyun::credentials::{CredentialError, CredentialSource, Credentials};
use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::limiter::{Limiter, Passage};
use crate::aliyun::refusal::{Sent, Silence, judge, of_silence};
use crate::aliyun::request::{Dialect, Effect, Request, SignedRequest, sign_attempt};
use crate::aliyun::response::{
    Answer, Decoded, Unreadable, body_limit, read_date, read_retry_after, read_window_left,
};
use crate::aliyun::retry::{Policy, Retry, Tried};
use crate::aliyun::transport::{causes, header};
use crate::cloud::{Advice, Refusal};

/// How an answer is read.
pub(super) type Decode<T> = fn(&[u8]) -> Result<Decoded<T>, Unreadable>;

/// An answer, with who asked.
pub(super) struct Answered<T> {
    pub(super) decoded: Decoded<T>,
    pub(super) credentials: Arc<Credentials>,
}

const UNUSABLE_CREDENTIALS: &str = "set the access key and the security token again, without line breaks or other \
     invisible characters";

/// One limiter for each action, of one account in one region. Clones are the same.
#[derive(Clone, Default)]
pub struct Limiters(Arc<Mutex<BTreeMap<&'static str, Arc<Limiter>>>>);

/// What all calls of a client share.
pub(super) struct Connection {
    endpoint: Endpoint,
    credentials: CredentialSource,
    clock: Clock,
    dialect: Dialect,
    max_in_flight: NonZeroUsize,
    http: reqwest::Client,
    policy: Policy,
    limiters: Limiters,
    /// By how much this machine's clock was ahead of ECS's at the last answer.
    skew: Mutex<Option<SignedDuration>>,
}

impl Connection {
    pub(super) fn new(setup: Setup, http: reqwest::Client, policy: Policy) -> Self {
        let Setup { endpoint, credentials, clock, dialect, max_in_flight, limiters, .. } = setup;
        Self {
            endpoint,
            credentials,
            clock,
            dialect,
            max_in_flight,
            http,
            policy,
            limiters,
            skew: Mutex::default(),
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn clock_skew(&self) -> Option<SignedDuration> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limiter of an action, shared by all its calls.
    pub(super) fn limiter(&self, action: &'static str) -> Arc<Limiter> {
        let mut limiters = self.limiters.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Limiter::new(self.max_in_flight, self.policy.probe_pause));
        Arc::clone(limiters.entry(action).or_insert_with(new))
    }

    pub(super) fn source(&self) -> &CredentialSource {
        &self.credentials
    }

    /// Sends a request until there is an answer that counts, as the policy and the limiter allow.
    pub(super) async fn call<T>(&self, request: &Request, decode: Decode<T>) -> Result<Decoded<T>, Refusal> {
        Ok(self.ask(request, decode).await?.decoded)
    }

    /// As [`Connection::call`], with the credentials that were used: what the answer quotes may hold them.
    pub(super) async fn ask<T>(&self, request: &Request, decode: Decode<T>) -> Result<Answered<T>, Refusal> {
        let begun = Instant::now();
        let deadline = begun + self.policy.deadline;
        let effect = request.operation.effect;
        let limiter = self.limiter(request.operation.action);
        let mut tried = Tried::default();
        loop {
            let entered = match effect {
                Effect::Read => limiter.enter(deadline).await,
                Effect::Write => limiter.try_enter(),
            };
            let permit = match entered {
                Ok(permit) => permit,
                Err(not_now) => {
                    return Err(counted(not_now.into_refusal(request.operation.action), tried));
                }
            };
            // Asked for each time: temporary ones are replaced while a run goes on.
            let credentials = self.credentials.current().await.map_err(|error| no_credentials(&error))?;
            let limit = match effect {
                Effect::Read => deadline.saturating_duration_since(Instant::now()),
                Effect::Write => Duration::MAX,
            };
            tried.attempts = tried.attempts.saturating_add(1);
            let outcome = self.attempt(request, decode, &credentials, tried.attempts, limit).await;
            permit.answered(passage(&outcome), fastrand::f64());
            let mut refusal = match outcome {
                Ok(decoded) => return Ok(Answered { decoded, credentials }),
                Err(refusal) => refusal,
            };
            if refusal.code.as_deref() == Some("SignatureNonceUsed") {
                tried.refused_nonces = tried.refused_nonces.saturating_add(1);
            }
            if matches!(refusal.advice, Advice::Throttled { .. }) {
                tried.throttled = tried.throttled.saturating_add(1);
            }
            tried.elapsed = begun.elapsed();
            match self.policy.decide(effect, &refusal, tried, fastrand::f64()) {
                Retry::AtOnce | Retry::InTurn => {}
                Retry::After(pause) => tokio::time::sleep(pause).await,
                Retry::WithOtherCredentials => {
                    tried.renewals += 1;
                    match self.credentials.replace(&credentials).await {
                        Ok(true) => {}
                        Ok(false) => return Err(counted(refusal, tried)),
                        Err(error) => {
                            refusal.message.push_str(&format!(" (and {error})"));
                            return Err(counted(refusal, tried));
                        }
                    }
                }
                Retry::Never => return Err(counted(refusal, tried)),
            }
        }
    }

    /// Builds, signs and sends a request once, and judges the answer.
    async fn attempt<T>(
        &self,
        request: &Request,
        decode: Decode<T>,
        credentials: &Credentials,
        number: u32,
        limit: Duration,
    ) -> Result<Decoded<T>, Refusal> {
        let at = (self.clock)();
        let nonce = Uuid::new_v4().to_string();
        let host = self.endpoint.authority();
        let signed = sign_attempt(request, self.dialect, host, credentials, at, &nonce);
        let operation = &request.operation;
        let sent = Sent { operation, host, signed: &signed, credentials, at };
        let limit = operation.time_limit().min(limit);
        let begun = Instant::now();
        let headers = headers_of(&signed).map_err(|_| unusable_credentials(credentials))?;
        let exchanged = tokio::time::timeout(limit, self.exchange(&signed, headers)).await;
        let outcome = match exchanged {
            Ok(Ok(answer)) => {
                if let Some(server) = answer.server_time {
                    let ahead = at.duration_since(server);
                    *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
                }
                judge(&answer, &sent, decode)
            }
            Ok(Err(silence)) => Err(of_silence(&silence, &sent)),
            Err(_) => Err(of_silence(&Silence::TimedOut(limit), &sent)),
        };
        log(request, number, begun.elapsed(), &outcome);
        outcome
    }

    /// Sends a signed request and reads the answer, within the limits of its size.
    async fn exchange(&self, signed: &SignedRequest, headers: HeaderMap) -> Result<Answer, Silence> {
        let address = self.endpoint.with_query(signed.query());
        let request = self.http.request(signed.method(), address).headers(headers);
        let request = match signed.body() {
            // hyper leaves the length of no body out; some gateways then answer 411 Length Required.
            "" => request.header(CONTENT_LENGTH, 0),
            form => request.body(form.to_owned()),
        };
        let mut response = request.send().await.map_err(silence)?;
        let status = response.status().as_u16();
        let received = response.headers();
        let mut answer = Answer {
            status,
            request_id: header(received, "x-acs-request-id").map(str::to_owned),
            retry_after: header(received, "x-acs-retry-after").and_then(read_retry_after),
            window_left: header(received, "x-ratelimit-user-api")
                .or_else(|| header(received, "x-ratelimit-user"))
                .and_then(read_window_left),
            content_type: header(received, CONTENT_TYPE.as_str()).map(str::to_owned),
            server_time: header(received, DATE.as_str()).and_then(read_date),
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

/// The headers of a request. All are marked as secret, so that no library prints them.
fn headers_of(signed: &SignedRequest) -> Result<HeaderMap, InvalidHeaderValue> {
    let mut headers = HeaderMap::new();
    for (name, value) in signed.headers() {
        let mut value = HeaderValue::from_str(value)?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

/// Only what comes from the credentials can be no header: all else is written here.
fn unusable_credentials(credentials: &Credentials) -> Refusal {
    let message = format!(
        "nothing was sent: the access key id or the security token from {} holds a character that no key has",
        credentials.source
    );
    let mut refusal = Refusal::new(Advice::Final, message);
    refusal.remedy = Some(UNUSABLE_CREDENTIALS.into());
    refusal
}

/// What the caller is told when there is nothing to sign with: nothing was sent.
fn no_credentials(error: &CredentialError) -> Refusal {
    Refusal::new(Advice::Final, error.to_string())
}

/// What an error of the HTTP library means for the request.
fn silence(error: reqwest::Error) -> Silence {
    let why = causes(&error);
    if error.is_connect() { Silence::NotConnected(why) } else { Silence::Broken(why) }
}

/// What an outcome says of the window in which calls are counted.
fn passage<T>(outcome: &Result<Decoded<T>, Refusal>) -> Passage<'_> {
    match outcome {
        Ok(_) => Passage::Passed,
        Err(refusal) if matches!(refusal.advice, Advice::Throttled { .. }) => Passage::Refused(refusal),
        Err(refusal) if refusal.code.is_some() => Passage::Passed,
        Err(_) => Passage::Unknown,
    }
}

/// The refusal, with how often the request was sent.
fn counted(mut refusal: Refusal, tried: Tried) -> Refusal {
    if tried.attempts > 1 {
        refusal.message.push_str(&format!(" (tried {} times)", tried.attempts));
    }
    refusal
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
