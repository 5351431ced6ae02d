//! From an answer, or from none, to what the caller is told.
//!
//! Pure. Nothing that leaves here holds a secret of the credentials: servers and proxies quote requests.

use std::time::Duration;

use jiff::Timestamp;

use super::credentials::Credentials;
use super::errors::{clock_skew, meaning_of, signature_mismatch};
use super::request::{Effect, Operation, SignedRequest};
use super::response::{Answer, BatchItem, Decoded, Failure, Unreadable, decode_failure, excerpt};
use crate::cloud::{Advice, Refusal};

/// What was sent, as far as it matters for judging the answer.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The host that it was sent to.
    pub host: &'a str,
    /// The request as it was signed.
    pub signed: &'a SignedRequest,
    /// The credentials that signed it.
    pub credentials: &'a Credentials,
    /// When, by the clock of this machine.
    pub at: Timestamp,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// No connection came about: nothing was sent.
    NotConnected(
        /// Why, in words.
        String,
    ),
    /// The connection broke before the answer was complete.
    Broken(
        /// Why, in words.
        String,
    ),
    /// The answer took too long.
    TimedOut(
        /// How long it was waited for.
        Duration,
    ),
}

const REACH: &str = "check the network, the name of the region or endpoint, and the proxy (HTTPS_PROXY, NO_PROXY); \
     then run again";

const BROKEN_ANSWER: &str = "something between this machine and ECS answers in its place or breaks the connection, \
     usually a proxy or gateway: try without it, and run again";

const PROXY_LOGIN: &str =
    "the proxy wants a login: write it into HTTPS_PROXY, or go around the proxy by NO_PROXY";

const REDIRECTED: &str = "powerform follows no redirects: write the final host into provider.endpoint or \
     ALIBABA_CLOUD_ENDPOINT_ECS, or log in to the network if it shows a login page";

const CLOCK: &str = "check the clock of this machine first: by it the server's certificate is not valid now; set it, for \
     example by NTP, and if it is right, look for a proxy that answers with a certificate of its own";

/// The longest texts of others that are kept, in characters.
const LONGEST_MESSAGE: usize = 1000;
const LONGEST_LINK: usize = 500;
const LONGEST_CODE: usize = 120;

/// How much of an unreadable body is looked at for an excerpt, in bytes.
const EXCERPT_WINDOW: usize = 8 * 1024;

/// Reads an answer: what it says, or what the caller is told instead.
///
/// # Errors
/// The refusal, with advice and remedy.
pub fn judge<T>(
    answer: &Answer,
    sent: &Sent<'_>,
    decode: impl FnOnce(&[u8]) -> Result<Decoded<T>, Unreadable>,
) -> Result<Decoded<T>, Refusal> {
    if answer.too_long {
        return Err(unreadable(answer, sent, &format!("it is longer than {} bytes", answer.body.len())));
    }
    if answer.is_success() {
        return decode(&answer.body).map_err(|error| unreadable(answer, sent, &error.0));
    }
    Err(match decode_failure(&answer.body) {
        Some(failure) => refused(answer, sent, failure),
        None => unreadable(answer, sent, "it holds no error of ECS"),
    })
}

/// A refusal that ECS itself has put into words.
fn refused(answer: &Answer, sent: &Sent<'_>, failure: Failure) -> Refusal {
    let Failure { code, message, request_id, recommend } = failure;
    let meaning = meaning_of(&code, answer.status, sent.operation.effect, answer.retry_after);
    let diagnosis = match (code.as_str(), answer.server_time) {
        ("SignatureDoesNotMatch", _) => Some(signature_mismatch(&message, sent.signed.string_to_sign())),
        ("InvalidTimeStamp.Expired", Some(server)) => Some(clock_skew(sent.at, server)),
        _ => None,
    };
    let advice = match meaning.advice {
        // The window in which calls are counted says when, where the refusal itself does not.
        Advice::Throttled { retry_after: None } => Advice::Throttled { retry_after: answer.window_left },
        other => other,
    };
    let (message, remedy) = match diagnosis {
        Some(diagnosis) => (diagnosis.message, diagnosis.remedy),
        None if message.is_empty() => {
            (format!("ECS refused {} with {code}", sent.operation.action), meaning.remedy)
        }
        None => (message, meaning.remedy),
    };
    let kept = |text: &str, longest: usize| bounded(&sent.credentials.redact(text), longest);
    Refusal {
        advice,
        code: Some(bounded(&sent.credentials.redact_code(&code), LONGEST_CODE)),
        message: kept(&message, LONGEST_MESSAGE),
        request_id: request_id.as_ref().or(answer.request_id.as_ref()).map(|id| kept(id, LONGEST_CODE)),
        http_status: Some(answer.status),
        recommend: recommend.map(|link| kept(&link, LONGEST_LINK)),
        remedy: Some(remedy.into()),
    }
}

/// The refusal of one instance of a batch. It has the code that the call for this instance alone would have had, and no
/// HTTP status of its own.
#[must_use]
pub fn of_item(
    item: &BatchItem,
    request_id: Option<String>,
    operation: &Operation,
    credentials: &Credentials,
) -> Refusal {
    let meaning = meaning_of(&item.code, 200, operation.effect, None);
    let kept = |text: &str, longest: usize| bounded(&credentials.redact(text), longest);
    let code = bounded(&credentials.redact_code(&item.code), LONGEST_CODE);
    let message = match item.message.as_str() {
        "" => format!("ECS refused the instance in {} with {code}", operation.action),
        words => kept(words, LONGEST_MESSAGE),
    };
    Refusal {
        advice: meaning.advice,
        code: Some(code),
        message,
        request_id,
        http_status: None,
        recommend: None,
        remedy: Some(meaning.remedy.into()),
    }
}

/// An answer that is none of ECS, or is damaged. What became of a write, nobody knows.
///
/// A read learns that asking again would help no more, where that is so: the same proxy would answer the same.
fn unreadable(answer: &Answer, sent: &Sent<'_>, why: &str) -> Refusal {
    let status = answer.status;
    let hopeless = answer.too_long || (300..500).contains(&status);
    let advice = match sent.operation.effect {
        Effect::Read if status == 429 => Advice::Throttled { retry_after: answer.retry_after },
        Effect::Read if hopeless => Advice::Final,
        Effect::Read | Effect::Write => Advice::OutcomeUnknown,
    };
    let window = &answer.body[..answer.body.len().min(EXCERPT_WINDOW)];
    let words = excerpt(&sent.credentials.redact(&String::from_utf8_lossy(window)));
    let quote = if words.is_empty() { String::new() } else { format!(". It begins: {words}") };
    let mut refusal = Refusal::new(
        advice,
        format!(
            "the answer of {} to {} (HTTP status {status}{}) cannot be read: {why}{quote}",
            sent.host,
            sent.operation.action,
            answer.content_type.as_deref().map_or(String::new(), |kind| format!(", {}", excerpt(kind)))
        ),
    );
    refusal.http_status = Some(status);
    refusal.request_id =
        answer.request_id.as_ref().map(|id| bounded(&sent.credentials.redact(id), LONGEST_CODE));
    refusal.remedy = Some(
        match status {
            407 => PROXY_LOGIN,
            300..400 => REDIRECTED,
            _ => BROKEN_ANSWER,
        }
        .into(),
    );
    refusal
}

/// What the caller is told when there is no answer.
#[must_use]
pub fn of_silence(silence: &Silence, sent: &Sent<'_>) -> Refusal {
    let (host, action) = (sent.host, sent.operation.action);
    let (message, remedy) = match silence {
        Silence::NotConnected(why) => (format!("no connection to {host} for {action}: {why}"), REACH),
        Silence::Broken(why) => (
            format!("the connection to {host} broke before the answer to {action} was there: {why}"),
            BROKEN_ANSWER,
        ),
        Silence::TimedOut(limit) => {
            (format!("no answer from {host} to {action} within {} s", limit.as_secs_f64().ceil()), REACH)
        }
    };
    let remedy =
        if matches!(silence, Silence::NotConnected(why) if is_about_time(why)) { CLOCK } else { remedy };
    let message = bounded(&sent.credentials.redact(&message), LONGEST_MESSAGE);
    let mut refusal = Refusal::new(Advice::OutcomeUnknown, message);
    refusal.remedy = Some(remedy.into());
    refusal
}

/// Whether the server's certificate was found outside of its time, which is more often the fault of this machine's
/// clock than of the certificate.
fn is_about_time(why: &str) -> bool {
    let why = why.to_ascii_lowercase();
    why.contains("certificate")
        && (why.contains("expired") || why.contains("not valid yet") || why.contains("notvalidyet"))
}

/// The text, cut to so many characters.
fn bounded(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
