//! Who may come in: the public parameters, the signature, the time, the nonce. Pure; it knows nothing of instances.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::account::{AccessKey, Account};
use super::answer::Format;
use super::refusal::Refusal;
use super::request::Parameters;
use crate::aliyun::sign;

/// How far the time of a request may be from ours, either way.
const LARGEST_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// How many nonces are remembered at most. Each takes some 80 bytes; a client would have to send 560 requests every
/// second for half an hour to fill it.
const MOST_NONCES: usize = 1 << 20;

/// The one version of the API.
const VERSION: &str = "2014-05-26";

/// The form of the answer: the one thing that is known before anything is checked.
///
/// # Errors
/// `InvalidParameter`, which is then answered as XML.
pub(super) fn format(parameters: &Parameters) -> Result<Format, Refusal> {
    match parameters.value("Format") {
        None => Ok(Format::Xml),
        Some(text) if text.eq_ignore_ascii_case("XML") => Ok(Format::Xml),
        Some(text) if text.eq_ignore_ascii_case("JSON") => Ok(Format::Json),
        Some(_) => Err(Refusal::invalid("Format", "it is neither JSON nor XML")),
    }
}

/// Checks a request signed in the RPC style, version 1, in the order of the gateway: method, public parameters,
/// time, key, signature, token, version. The nonce is checked last, by [`Nonces::spend`], so that only who knows the
/// secret can spend one.
///
/// Returns the nonce, which may not be used again.
///
/// # Errors
/// The refusal that the client reads.
pub(super) fn check(
    account: &Account,
    method: &str,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Nonce, Refusal> {
    if !matches!(method, "GET" | "POST") {
        return Err(Refusal::of("UnsupportedHTTPMethod"));
    }
    for name in [
        "Action",
        "Version",
        "AccessKeyId",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
    ] {
        parameters.required(name)?;
    }
    for (name, only) in [("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")] {
        if parameters.required(name)? != only {
            return Err(Refusal::of("IncompleteSignature")
                .saying(format!("The specified {name} is not supported here: use {only}.")));
        }
    }
    if parameters.value("SignatureType").is_some() {
        return Err(Refusal::of("IncompleteSignature")
            .saying("The specified SignatureType is not supported here: leave it out."));
    }
    let timestamp = timestamp(parameters.required("Timestamp")?)?;
    if timestamp.duration_since(now).abs() > LARGEST_SKEW {
        return Err(Refusal::of("InvalidTimeStamp.Expired"));
    }
    let key = account
        .key(parameters.required("AccessKeyId")?)
        .ok_or_else(|| Refusal::of("InvalidAccessKeyId.NotFound"))?;
    check_signature(key, method, parameters)?;
    check_token(key, parameters)?;
    if parameters.required("Version")? != VERSION {
        return Err(Refusal::of("InvalidVersion"));
    }
    Ok(Nonce::new(&key.id, parameters.required("SignatureNonce")?))
}

/// A time in the one form that is accepted, `YYYY-MM-DDThh:mm:ssZ`.
fn timestamp(text: &str) -> Result<Timestamp, Refusal> {
    let pattern = "0000-00-00T00:00:00Z";
    let formed = text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte == wanted,
        });
    let read = text.parse::<Timestamp>();
    match (formed, read) {
        (true, Ok(timestamp)) => Ok(timestamp),
        // A time, but with a fraction or an offset, or without a zone.
        (false, Ok(_)) => Err(Refusal::of("InvalidTimeStamp.Format")),
        _ if text.parse::<DateTime>().is_ok_and(|time| time.to_zoned(TimeZone::UTC).is_ok()) => {
            Err(Refusal::of("InvalidTimeStamp.Format"))
        }
        _ => Err(Refusal::of("IllegalTimestamp")),
    }
}

fn check_signature(key: &AccessKey, method: &str, parameters: &Parameters) -> Result<(), Refusal> {
    let signed: Vec<(&str, &str)> = parameters.iter().filter(|(name, _)| *name != "Signature").collect();
    let text = sign::string_to_sign_v1(method, &sign::canonical_query(&signed));
    if parameters.required("Signature")? == sign::signature_v1(key.secret.expose_secret(), &text) {
        Ok(())
    } else {
        Err(Refusal::of("SignatureDoesNotMatch").saying(format!(
            "Specified signature is not matched with our calculation. server string to sign is:{text}"
        )))
    }
}

fn check_token(key: &AccessKey, parameters: &Parameters) -> Result<(), Refusal> {
    match (&key.token, parameters.value("SecurityToken")) {
        (None, None) => Ok(()),
        (Some(token), Some(given)) if token.expose_secret() == given => Ok(()),
        (Some(_), None) => Err(Refusal::of("MissingSecurityToken")),
        (_, Some(_)) => Err(Refusal::of("InvalidSecurityToken.MismatchWithAccessKey")),
    }
}

/// A nonce of one access key: a digest, so that its length does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Nonce([u8; 16]);

impl Nonce {
    fn new(key: &str, nonce: &str) -> Self {
        let digest = Sha256::new_with_prefix(key).chain_update([0]).chain_update(nonce).finalize();
        let mut short = [0; 16];
        short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(short)
    }
}

/// The nonces that were used while their timestamps are still acceptable.
#[derive(Debug)]
pub(super) struct Nonces {
    most: usize,
    until: HashMap<Nonce, Timestamp>,
    /// In the order in which they were used.
    order: VecDeque<Nonce>,
}

impl Default for Nonces {
    fn default() -> Self {
        Self { most: MOST_NONCES, until: HashMap::new(), order: VecDeque::new() }
    }
}

impl Nonces {
    /// Uses a nonce up.
    ///
    /// # Errors
    /// `SignatureNonceUsed`; `ServiceUnavailable` where more are in use than can be remembered, because to forget one
    /// would let a request be replayed.
    pub(super) fn spend(&mut self, nonce: Nonce, now: Timestamp) -> Result<(), Refusal> {
        while let Some(oldest) = self.order.front() {
            if self.until.get(oldest).is_some_and(|until| *until >= now) {
                break;
            }
            self.until.remove(oldest);
            self.order.pop_front();
        }
        if self.until.contains_key(&nonce) {
            return Err(Refusal::of("SignatureNonceUsed"));
        }
        if self.until.len() >= self.most {
            return Err(Refusal::of("ServiceUnavailable"));
        }
        // A request may be sent again for as long as its own time is acceptable. That is at most twice the skew from
        // now; all are remembered that long, so that they end in the order in which they were used.
        let until = now.checked_add(LARGEST_SKEW * 2).unwrap_or(Timestamp::MAX);
        self.until.insert(nonce, until);
        self.order.push_back(nonce);
        Ok(())
    }
}
