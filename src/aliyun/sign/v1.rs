//! Version 1: HMAC-SHA1 over the method and the sorted parameters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::percent_encode;

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
    use super::super::canonical_query;
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
