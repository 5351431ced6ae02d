//! Who may come in: the public parameters, the signature, the time, the nonce, in both versions of the signature. Pure;
//! it knows nothing of instances.

mod nonces;
#[cfg(test)]
mod tests;
mod version1;
mod version3;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub(super) use self::nonces::{Nonce, Nonces};
use super::account::Account;
use super::answer::Format;
use super::keys::Caller;
use super::refusal::Refusal;
use super::request::Incoming;

/// How far the time of a request may be from ours, either way.
const LARGEST_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// How a request is signed, and so where it says what it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// HMAC-SHA1: everything is a parameter.
    Version1,
    /// ACS3-HMAC-SHA256: what is not the operation's own is in headers.
    Version3,
}

/// Who came in, and with what.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) caller: Caller,
    /// May not be used again. Unsigned requests have none.
    pub(super) nonce: Option<Nonce>,
}

/// The operation that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Asked<'r> {
    pub(super) action: Option<&'r str>,
    pub(super) version: Option<&'r str>,
}

/// The key that a request says it is signed with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Claimed<'r> {
    pub(super) key: Option<String>,
    pub(super) token: Option<&'r str>,
}

impl Scheme {
    /// A header names the operation in version 3; but the official SDKs send that header with signatures of version 1
    /// as well, so a parameter wins.
    pub(super) fn of(incoming: &Incoming) -> Self {
        let acs3 = incoming.header("authorization").is_some_and(|value| value.starts_with("ACS3-"));
        let parameters = incoming.parameters();
        let by_parameter = parameters.is_ok_and(|parameters| parameters.get("Action").is_some());
        if acs3 || (incoming.header("x-acs-action").is_some() && !by_parameter) {
            Self::Version3
        } else {
            Self::Version1
        }
    }

    /// What is asked for, as far as the request says.
    pub(super) fn asked(self, incoming: &Incoming) -> Asked<'_> {
        match self {
            Self::Version1 => version1::asked(incoming),
            Self::Version3 => version3::asked(incoming),
        }
    }

    /// The form of the answer: the one thing that is known before anything is checked.
    ///
    /// # Errors
    /// `InvalidParameter`, which is then answered as XML.
    pub(super) fn format(self, incoming: &Incoming) -> Result<Format, Refusal> {
        match self {
            Self::Version1 => version1::format(incoming),
            Self::Version3 => Ok(version3::format(incoming)),
        }
    }

    /// Whose key the request says that it is signed with; nothing is checked.
    pub(super) fn claimed(self, incoming: &Incoming) -> Claimed<'_> {
        match self {
            Self::Version1 => version1::claimed(incoming),
            Self::Version3 => version3::claimed(incoming),
        }
    }

    fn is_signed(self, incoming: &Incoming) -> bool {
        match self {
            Self::Version1 => {
                incoming.parameters().is_ok_and(|parameters| parameters.value("Signature").is_some())
            }
            Self::Version3 => incoming.header("authorization").is_some(),
        }
    }

    /// Checks a request in the order of the gateway: method, public parameters, time, key, signature, token. The nonce
    /// is checked last, by [`Nonces::spend`], so that only who knows the secret can spend one.
    ///
    /// `unsigned` says that the operation may be called by anyone: only a signature that is there is checked then.
    ///
    /// # Errors
    /// The refusal that the client reads.
    pub(super) fn check(
        self,
        account: &Account,
        incoming: &Incoming,
        unsigned: bool,
        now: Timestamp,
    ) -> Result<Passed, Refusal> {
        if !matches!(incoming.method.as_str(), "GET" | "POST") {
            return Err(Refusal::of("UnsupportedHTTPMethod"));
        }
        if unsigned && !self.is_signed(incoming) {
            incoming.parameters()?;
            return Ok(Passed { caller: Caller::Anonymous, nonce: None });
        }
        match self {
            Self::Version1 => version1::check(account, incoming, now),
            Self::Version3 => version3::check(account, incoming, now),
        }
    }
}

/// A time in the one form that is accepted, `YYYY-MM-DDThh:mm:ssZ`, and not too far from now.
fn check_time(text: &str, now: Timestamp) -> Result<(), Refusal> {
    let pattern = "0000-00-00T00:00:00Z";
    let formed = text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte == wanted,
        });
    let read = text.parse::<Timestamp>();
    match (formed, read) {
        (true, Ok(time)) if time.duration_since(now).abs() > LARGEST_SKEW => {
            Err(Refusal::of("InvalidTimeStamp.Expired"))
        }
        (true, Ok(_)) => Ok(()),
        // A time, but with a fraction or an offset, or without a zone.
        (false, Ok(_)) => Err(Refusal::of("InvalidTimeStamp.Format")),
        _ if text.parse::<DateTime>().is_ok_and(|time| time.to_zoned(TimeZone::UTC).is_ok()) => {
            Err(Refusal::of("InvalidTimeStamp.Format"))
        }
        _ => Err(Refusal::of("IllegalTimestamp")),
    }
}
