//! The two signatures of Alibaba Cloud's RPC style: version 1 (HMAC-SHA1 over the sorted parameters) and version 3
//! (ACS3-HMAC-SHA256 over a canonical request).
//!
//! Pure functions from inputs to text; no clock, no randomness, no network. Whoever checks a signature computes it
//! again with the same functions. Facts: the official signature pages for RPC requests; every rule here is pinned by
//! the vectors under `tests/data/signature-vectors.json`.

mod v1;
mod v3;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use v1::{signature_v1, string_to_sign_v1};
pub use v3::{
    ALGORITHM_V3, AuthorizationV3, authorization_v3, canonical_request_v3, hashed_payload_v3,
    named_headers_v3, read_authorization_v3, signature_v3, signed_headers_v3, string_to_sign_v3,
};

/// What percent-encoding leaves alone: `A-Z a-z 0-9 - _ . ~`. Form encoders that write `+` for a space, keep `*` or
/// escape `~` produce signatures that are refused.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes the UTF-8 bytes of a text as both signature schemes want it.
#[must_use]
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The parameters sorted by name (bytes, case-sensitive), encoded and joined: also the exact query or form text to
/// send. Parameters with an empty value stay, as `name=`.
#[must_use]
pub fn canonical_query<N: AsRef<str>, V: AsRef<str>>(parameters: &[(N, V)]) -> String {
    let mut sorted: Vec<(&str, &str)> =
        parameters.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    sorted.sort_unstable();
    let mut text = String::with_capacity(sorted.len() * 32);
    for (position, (name, value)) in sorted.into_iter().enumerate() {
        if position > 0 {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, ENCODED));
        text.push('=');
        text.extend(utf8_percent_encode(value, ENCODED));
    }
    text
}
