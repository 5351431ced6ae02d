//! What ECS answers: bytes to data, leniently, without ever trusting them.
//!
//! Pure. JSON or XML is told by the first byte, because an XML error can answer a request for JSON and a content type
//! can be anybody's. An answer that cannot be read is [`Unreadable`], never a guess: an empty list stands only where ECS said so.
//! Unknown fields are ignored, odd ones count as absent; sizes are bounded by whoever reads the bytes.

mod address;
mod assistant;
mod batch;
mod envelope;
mod failure;
mod instances;
mod lenient;
mod regions;
mod statuses;
mod tags;
mod xml;

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use assistant::{CommandResult, decode_command_results, decode_invocation};
pub use batch::{BatchItem, decode_batch};
pub use failure::{Failure, decode_failure};
pub use instances::{InstancePage, Labelled, decode_instances, decode_labelled_instances};
pub use regions::{RegionOffer, decode_regions};
pub use statuses::decode_statuses;

use envelope::Envelope;

/// The most bytes that are read of an answer that says success. A full page of 100 instances has well under 1 MiB.
pub const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The most bytes that are read of an answer that says failure.
pub const FAILURE_BODY_LIMIT: usize = 1024 * 1024;

/// An HTTP answer, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The id of the request by the header `x-acs-request-id`.
    pub request_id: Option<String>,
    /// How long the server asks to wait: the header `x-acs-retry-after`.
    pub retry_after: Option<Duration>,
    /// How long the window lasts in which calls are counted: the headers `x-ratelimit-user-api` and
    /// `x-ratelimit-user`. Says nothing about whether this call was refused.
    pub window_left: Option<Duration>,
    /// What the header `Content-Type` calls the body. Untrusted text; for messages only.
    pub content_type: Option<String>,
    /// The server's time: the header `Date`.
    pub server_time: Option<Timestamp>,
    /// What was read of the body.
    pub body: Vec<u8>,
    /// Whether the body went on beyond the limit.
    pub too_long: bool,
}

impl Answer {
    /// Whether the status says success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The limit of a body by its answer's status.
#[must_use]
pub fn body_limit(status: u16) -> usize {
    if (200..300).contains(&status) { BODY_LIMIT } else { FAILURE_BODY_LIMIT }
}

/// Reads `x-acs-retry-after`: a positive whole number of milliseconds.
#[must_use]
pub fn read_retry_after(header: &str) -> Option<Duration> {
    header.trim().parse::<u64>().ok().filter(|milliseconds| *milliseconds > 0).map(Duration::from_millis)
}

/// Reads `x-ratelimit-user-api` or `x-ratelimit-user`: of its `Key:Value` pairs, separated by commas, `TimeLeft` in
/// milliseconds.
#[must_use]
pub fn read_window_left(header: &str) -> Option<Duration> {
    let pairs = header.split(',').filter_map(|pair| pair.split_once(':'));
    let (_, value) = pairs.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case("TimeLeft"))?;
    read_retry_after(value)
}

/// Reads the header `Date`.
#[must_use]
pub fn read_date(header: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(header).ok().map(|moment| moment.timestamp())
}

/// Reads the times of ECS: `2026-01-01T00:00Z`, with or without seconds. Anything else, an empty text too, is no
/// time.
#[must_use]
pub fn read_time(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok()
}

/// An answer that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(
    /// Why, in words that hold nothing of the answer.
    pub String,
);

/// A decoded answer with the id under which ECS keeps its request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<T> {
    /// The id of the request.
    pub request_id: Option<String>,
    /// What the answer said.
    pub value: T,
}

/// Reads the answer to StartInstance or StopInstance: `{"RequestId":"..."}` and nothing else that counts.
///
/// # Errors
/// [`Unreadable`] if it is not such an object, or if it names a code of its own although its status said success:
/// then nobody knows what was accepted.
pub fn decode_acceptance(body: &[u8]) -> Result<Decoded<()>, Unreadable> {
    let envelope: Envelope = from_body(body)?;
    let Some(request_id) = envelope.request_id.non_empty() else {
        return Err(Unreadable("it names no request".to_owned()));
    };
    match envelope.code.non_empty().as_deref() {
        None | Some("200") => Ok(Decoded { request_id: Some(request_id), value: () }),
        Some(_) => Err(Unreadable("it names an error although its status says success".to_owned())),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a body is XML, or means to be.
fn is_xml(body: &[u8]) -> bool {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    body.trim_ascii_start().first() == Some(&b'<')
}

/// Decodes an answer that says success, from JSON or XML.
fn from_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    if !is_xml(body) {
        return from_json(body);
    }
    let document = xml::read(&String::from_utf8_lossy(body))?;
    if !document.root.ends_with("Response") {
        return Err(Unreadable("it is XML, but no response of ECS".to_owned()));
    }
    serde_json::from_value(document.value)
        .map_err(|_| Unreadable("its XML has another shape than expected".to_owned()))
}

/// Decodes JSON. A byte order mark is tolerated.
fn from_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Unreadable> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    serde_json::from_slice(body).map_err(|error| {
        // The message of a data error can quote the text, which is not for logs; line and column are enough.
        Unreadable(match error.classify() {
            serde_json::error::Category::Eof if body.iter().all(u8::is_ascii_whitespace) => {
                "its body is empty".to_owned()
            }
            serde_json::error::Category::Eof => "its JSON ends too early".to_owned(),
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                format!("it is not JSON (line {}, column {})", error.line(), error.column())
            }
            serde_json::error::Category::Data => {
                format!(
                    "its JSON has another shape than expected (line {}, column {})",
                    error.line(),
                    error.column()
                )
            }
        })
    })
}

/// A few words of a body for an error message: printable characters on one line, at most 160 of them.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const LONGEST: usize = 160;
    let mut words = String::new();
    let printable = |c: char| c.is_alphanumeric() || c.is_ascii_graphic();
    for word in text.split(|c| !printable(c)).filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.chars().nth(LONGEST).is_some() {
            return words.chars().take(LONGEST).chain("...".chars()).collect();
        }
    }
    words
}

#[cfg(test)]
mod tests;
