//! Version 3: HMAC-SHA256 over the hash of a canonical request, carried in the `Authorization` header.
//!
//! A client signs `host`, `content-type` and every header that begins with `x-acs-`; the official SDKs sign all that
//! they send. Whoever checks a request therefore takes the headers that its `SignedHeaders` names
//! ([`read_authorization_v3`], [`named_headers_v3`]) and computes the signature over these.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The name of the algorithm, as it begins the string to sign and the `Authorization` header.
pub const ALGORITHM_V3: &str = "ACS3-HMAC-SHA256";

/// The canonical request of version 3.
///
/// `method` is upper case; `canonical_uri` is `/` for every RPC operation; `canonical_query` is that of
/// [`canonical_query`](super::canonical_query) over the parameters of the query alone, empty if there are none;
/// `headers` are those that are signed, and no others, in any order and letter case; `hashed_payload` is
/// [`hashed_payload_v3`] of the body. A header that comes more than once counts with all its values.
#[must_use]
pub fn canonical_request_v3<N: AsRef<str>, V: AsRef<str>>(
    method: &str,
    canonical_uri: &str,
    canonical_query: &str,
    headers: &[(N, V)],
    hashed_payload: &str,
) -> String {
    let headers = sorted(headers);
    let mut text = format!("{method}\n{canonical_uri}\n{canonical_query}\n");
    let mut previous: Option<&str> = None;
    for (name, value) in &headers {
        match previous {
            Some(previous) if previous == name => text.push(','),
            Some(_) => text.extend(["\n", name, ":"]),
            None => text.extend([name, ":"]),
        }
        text.push_str(value);
        previous = Some(name);
    }
    if previous.is_some() {
        text.push('\n');
    }
    // Every header's line ends the line and the part ends with another: hence an empty line.
    text.extend(["\n", &names(&headers), "\n", hashed_payload]);
    text
}

/// The names of the signed headers: lower case, sorted, each once, joined by `;`.
#[must_use]
pub fn signed_headers_v3<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)]) -> String {
    names(&sorted(headers))
}

/// The hash of a body, the exact bytes that are sent: SHA-256 in lower-case hexadecimal. Also the value of the header
/// `x-acs-content-sha256`.
#[must_use]
pub fn hashed_payload_v3(body: &[u8]) -> String {
    hexadecimal(&Sha256::digest(body))
}

/// The text that version 3 signs: the algorithm and the hash of the canonical request.
#[must_use]
pub fn string_to_sign_v3(canonical_request: &str) -> String {
    format!("{ALGORITHM_V3}\n{}", hashed_payload_v3(canonical_request.as_bytes()))
}

/// The signature of version 3: HMAC-SHA256 under the secret alone, in lower-case hexadecimal.
#[must_use]
pub fn signature_v3(access_key_secret: &str, string_to_sign: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(access_key_secret.as_bytes())
        .expect("HMAC accepts keys of any length");
    mac.update(string_to_sign.as_bytes());
    hexadecimal(&mac.finalize().into_bytes())
}

/// The value of the `Authorization` header.
#[must_use]
pub fn authorization_v3(access_key_id: &str, signed_headers: &str, signature: &str) -> String {
    format!("{ALGORITHM_V3} Credential={access_key_id},SignedHeaders={signed_headers},Signature={signature}")
}

/// What an `Authorization` header of version 3 says. Untrusted until its signature is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationV3 {
    /// The id of the key that signed.
    pub access_key_id: String,
    /// The names of the signed headers, in lower case, as they were listed.
    pub signed_headers: Vec<String>,
    /// The signature.
    pub signature: String,
}

/// Reads an `Authorization` header: nothing if it is not one of [`ALGORITHM_V3`], or lacks a part.
#[must_use]
pub fn read_authorization_v3(header: &str) -> Option<AuthorizationV3> {
    let parts = header.trim().strip_prefix(ALGORITHM_V3)?;
    if !parts.starts_with(' ') {
        return None;
    }
    let (mut key, mut listed, mut signature) = (None, None, None);
    for part in parts.split(',') {
        let (name, value) = part.trim().split_once('=')?;
        let slot = match name {
            "Credential" => &mut key,
            "SignedHeaders" => &mut listed,
            "Signature" => &mut signature,
            _ => continue,
        };
        if value.is_empty() || slot.replace(value).is_some() {
            return None;
        }
    }
    Some(AuthorizationV3 {
        access_key_id: key?.to_owned(),
        signed_headers: listed?.split(';').map(str::to_ascii_lowercase).collect(),
        signature: signature?.to_owned(),
    })
}

/// Of the headers that are there, those that a client's `SignedHeaders` names, to be given to
/// [`canonical_request_v3`]; a header that is named and comes more than once is given as often.
///
/// # Errors
/// The first name that no header has: such a request cannot be checked.
pub fn named_headers_v3<'a, N: AsRef<str>, V: AsRef<str>>(
    signed_headers: &'a [String],
    headers: &'a [(N, V)],
) -> Result<Vec<(&'a str, &'a str)>, &'a str> {
    let is_called = |header: &N, name: &str| header.as_ref().eq_ignore_ascii_case(name);
    if let Some(missing) =
        signed_headers.iter().find(|name| !headers.iter().any(|(header, _)| is_called(header, name)))
    {
        return Err(missing);
    }
    let named =
        headers.iter().filter(|(header, _)| signed_headers.iter().any(|name| is_called(header, name)));
    Ok(named.map(|(header, value)| (header.as_ref(), value.as_ref())).collect())
}

/// The headers by name in lower case, then by value.
fn sorted<N: AsRef<str>, V: AsRef<str>>(headers: &[(N, V)]) -> Vec<(String, &str)> {
    let mut sorted: Vec<(String, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.as_ref().trim()))
        .collect();
    sorted.sort_unstable();
    sorted
}

fn names(sorted: &[(String, &str)]) -> String {
    let mut names: Vec<&str> = sorted.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    names.join(";")
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|digit| DIGITS[usize::from(digit)] as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_trimmed_sorted_and_joined_where_one_comes_twice() {
        let headers = [("X-Acs-B", " 2 "), ("host", "h"), ("x-acs-b", "1")];
        assert_eq!(
            canonical_request_v3("GET", "/", "", &headers, "p"),
            "GET\n/\n\nhost:h\nx-acs-b:1,2\n\nhost;x-acs-b\np"
        );
        assert_eq!(signed_headers_v3(&headers), "host;x-acs-b");
        assert_eq!(canonical_request_v3::<&str, &str>("GET", "/", "", &[], "p"), "GET\n/\n\n\n\np");
    }

    #[test]
    fn an_authorization_is_read_as_it_was_written() {
        let written = authorization_v3("STS.id", "host;x-acs-date", "0a1b");
        let read = read_authorization_v3(&written).expect("whole");
        assert_eq!((read.access_key_id.as_str(), read.signature.as_str()), ("STS.id", "0a1b"));
        assert_eq!(read.signed_headers, ["host", "x-acs-date"]);
        let spaced =
            "ACS3-HMAC-SHA256 Credential=STS.id, SignedHeaders=Host;X-Acs-Date, Signature=0a1b, New=x";
        assert_eq!(read_authorization_v3(spaced), Some(read));
    }

    #[test]
    fn what_is_no_authorization_of_version_3_is_not_read() {
        for header in [
            "",
            "ACS3-HMAC-SHA256",
            "ACS3-HMAC-SHA256 ",
            "ACS3-HMAC-SHA256Credential=a,SignedHeaders=b,Signature=c",
            "ACS3-HMAC-SM3 Credential=a,SignedHeaders=b,Signature=c",
            "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=b",
            "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=",
            "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c,Signature=d",
            "Bearer abc",
        ] {
            assert_eq!(read_authorization_v3(header), None, "{header:?}");
        }
    }

    #[test]
    fn the_headers_that_were_signed_are_taken_and_a_missing_one_is_named() {
        let present = [("Host", "h"), ("Accept", "*/*"), ("x-acs-date", "now")];
        let listed = ["host".to_owned(), "x-acs-date".to_owned()];
        assert_eq!(named_headers_v3(&listed, &present), Ok(vec![("Host", "h"), ("x-acs-date", "now")]));
        assert_eq!(named_headers_v3(&["x-acs-action".to_owned()], &present), Err("x-acs-action"));
    }
}
