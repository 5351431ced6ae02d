//! Version 3 of the signature: ACS3-HMAC-SHA256 over a canonical request, in the `Authorization` header.
//!
//! The client says which headers it signed. The official rule is `host`, `content-type` and every header that begins
//! with `x-acs-`; the official SDKs sign all that they set. So the canonical request is built from the client's own
//! list, which has to hold at least `host` and all of `x-acs-`.

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::{Asked, Claimed, Nonce, Passed, check_time};
use crate::aliyun::sign::{self, AuthorizationV3};
use crate::simulator::account::Account;
use crate::simulator::answer::Format;
use crate::simulator::keys::{self, Key};
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Incoming;

/// The hash of the body, as the client computed it.
const HASHED_BODY: &str = "x-acs-content-sha256";

pub(super) fn asked(incoming: &Incoming) -> Asked<'_> {
    Asked { action: incoming.header("x-acs-action"), version: incoming.header("x-acs-version") }
}

pub(super) fn claimed(incoming: &Incoming) -> Claimed<'_> {
    let authorization = incoming.header("authorization").and_then(sign::read_authorization_v3);
    Claimed {
        key: authorization.map(|authorization| authorization.access_key_id),
        token: incoming.header("x-acs-security-token"),
    }
}

/// JSON unless the client would rather have XML and does not take JSON.
pub(super) fn format(incoming: &Incoming) -> Format {
    let accepted = incoming.header("accept").unwrap_or_default().to_ascii_lowercase();
    let wants = |kind: &str| accepted.contains(kind);
    if (wants("application/xml") || wants("text/xml")) && !wants("application/json") {
        Format::Xml
    } else {
        Format::Json
    }
}

pub(super) fn check(account: &Account, incoming: &Incoming, now: Timestamp) -> Result<Passed, Refusal> {
    let authorization = required(incoming, "authorization")?;
    let authorization = sign::read_authorization_v3(authorization).ok_or_else(|| {
        incomplete(&format!(
            "The header Authorization is not \"{} Credential=ID,SignedHeaders=NAMES,Signature=HEX\".",
            sign::ALGORITHM_V3
        ))
    })?;
    for name in ["x-acs-action", "x-acs-version", HASHED_BODY] {
        required(incoming, name)?;
    }
    let nonce = required(incoming, "x-acs-signature-nonce")?;
    check_time(required(incoming, "x-acs-date")?, now)?;
    let token = incoming.header("x-acs-security-token");
    let key = keys::find(account, &authorization.access_key_id, token)?;
    if incoming.header("x-acs-accesskey-id").is_some_and(|id| id != key.id) {
        return Err(incomplete("The header x-acs-accesskey-id names another key than Credential."));
    }
    check_signed_headers(&authorization, incoming)?;
    check_signature(&key, &authorization, incoming)?;
    key.check(token, now)?;
    let nonce = Nonce::new(&key.id, nonce);
    Ok(Passed { caller: key.caller, nonce: Some(nonce) })
}

fn required<'r>(incoming: &'r Incoming, name: &str) -> Result<&'r str, Refusal> {
    incoming.header(name).ok_or_else(|| Refusal::missing(name))
}

fn incomplete(message: &str) -> Refusal {
    Refusal::of("IncompleteSignature").saying(message)
}

/// What is not signed could be changed on its way.
fn check_signed_headers(authorization: &AuthorizationV3, incoming: &Incoming) -> Result<(), Refusal> {
    let must_be_signed = |name: &str| name == "host" || name.starts_with("x-acs-");
    let unsigned = incoming
        .headers()
        .iter()
        .find(|(name, _)| must_be_signed(name) && !authorization.signed_headers.contains(name));
    match unsigned {
        Some((name, _)) => {
            Err(incomplete(&format!("The header {name} has to be signed: add it to SignedHeaders.")))
        }
        None => Ok(()),
    }
}

/// The hash of the body is the server's own: a body that is not what the client hashed has another signature.
fn check_signature(key: &Key, authorization: &AuthorizationV3, incoming: &Incoming) -> Result<(), Refusal> {
    // Each name is that of a header: a longer list only costs time.
    if authorization.signed_headers.len() > incoming.headers().len() {
        return Err(incomplete("SignedHeaders names more headers than there are."));
    }
    let headers = sign::named_headers_v3(&authorization.signed_headers, incoming.headers())
        .map_err(|name| incomplete(&format!("SignedHeaders names {name:?}, and there is no such header.")))?;
    let query: Vec<(&str, &str)> = incoming.query()?.iter().collect();
    let canonical = sign::canonical_request_v3(
        &incoming.method,
        "/",
        &sign::canonical_query(&query),
        &headers,
        &incoming.hashed_body,
    );
    let text = sign::string_to_sign_v3(&canonical);
    let expected = sign::signature_v3(key.secret.expose_secret(), &text);
    if authorization.signature == expected && incoming.header(HASHED_BODY) == Some(&incoming.hashed_body) {
        Ok(())
    } else {
        Err(Refusal::of("SignatureDoesNotMatch").saying(format!(
            "Specified signature is not matched with our calculation. server string to sign is:{text}\n\
             server canonical request is:{canonical}"
        )))
    }
}
