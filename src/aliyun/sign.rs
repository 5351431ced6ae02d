//! Signature version 1 of Alibaba Cloud's RPC style: HMAC-SHA1 over the sorted parameters.
//!
//! Pure functions from inputs to text; no clock, no randomness, no network. Facts: the official signature pages for
//! RPC requests; every rule here is pinned by the vectors under `tests/data/signature-vectors.json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;

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

/// The text that version 1 signs: method, path `/`, and the canonical query, encoded once more.
///
/// `method` is upper case; `canonical_query` covers every parameter of the query and of a form body, except
/// `Signature`.
#[must_use]
pub fn string_to_sign_v1(method: &str, canonical_query: &str) -> String {
    format!("{method}&%2F&{}", percent_encode(canonical_query))
}

/// The signature of version 1: base64 of HMAC-SHA1 under the secret followed by `&`.
#[must_use]
pub fn signature_v1(access_key_secret: &str, string_to_sign: &str) -> String {
    let key = format!("{access_key_secret}&");
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC accepts keys of any length");
    mac.update(string_to_sign.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the official signature page.
    #[test]
    fn the_published_describe_regions_example_is_reproduced() {
        let query = canonical_query(&[
            ("Timestamp", "2016-02-23T12:46:24Z"),
            ("Format", "XML"),
            ("AccessKeyId", "testid"),
            ("Action", "DescribeRegions"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
            ("Version", "2014-05-26"),
            ("SignatureVersion", "1.0"),
        ]);
        let text = string_to_sign_v1("GET", &query);
        assert_eq!(signature_v1("testsecret", &text), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
    }
}
