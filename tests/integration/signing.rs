//! Signatures agree with the vectors that the official SDKs and the official pages gave.

use std::collections::BTreeMap;
use std::path::Path;

use powerform::aliyun::sign::{
    authorization_v3, canonical_query, canonical_request_v3, hashed_payload_v3, named_headers_v3,
    percent_encode, read_authorization_v3, signature_v1, signature_v3, signed_headers_v3, string_to_sign_v1,
    string_to_sign_v3,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct VectorFile {
    vectors: Vec<Vector>,
}

/// One vector; what only the other scheme has is ignored.
#[derive(Deserialize)]
struct Vector {
    id: String,
    scheme: String,
    method: String,
    access_key_secret: String,
    query: BTreeMap<String, String>,
    #[serde(default)]
    form: BTreeMap<String, String>,
    canonical_query: String,
    string_to_sign: String,
    signature: String,
    request_target: String,
    body: String,
    access_key_id: String,
    #[serde(flatten)]
    version_3: Option<Version3>,
}

/// What only vectors of version 3 have.
#[derive(Deserialize)]
struct Version3 {
    canonical_uri: String,
    signed_headers_input: BTreeMap<String, String>,
    canonical_headers: String,
    signed_headers: String,
    hashed_payload: String,
    canonical_request: String,
    hashed_canonical_request: String,
    authorization: String,
}

fn vectors_of(scheme: &str) -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/signature-vectors.json");
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let file: VectorFile = serde_json::from_str(&text).expect("the vectors are readable");
    file.vectors.into_iter().filter(|vector| vector.scheme == scheme).collect()
}

/// The pieces of a query or form text, sorted: the order in which parameters are sent is free.
fn sorted_pieces(text: &str) -> Vec<&str> {
    let mut pieces: Vec<&str> = text.split('&').filter(|piece| !piece.is_empty()).collect();
    pieces.sort_unstable();
    pieces
}

fn pairs(parameters: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn every_version_1_vector_is_reproduced_step_by_step() {
    let vectors = vectors_of("V1");
    assert_eq!(vectors.len(), 9, "no vector may fall out of the test");
    for vector in vectors {
        let id = &vector.id;
        let mut signed = pairs(&vector.query);
        signed.extend(pairs(&vector.form));
        // The order of the parameters given must not matter.
        signed.reverse();
        let canonical = canonical_query(&signed);
        assert_eq!(canonical, vector.canonical_query, "canonical query of {id}");
        let text = string_to_sign_v1(&vector.method, &canonical);
        assert_eq!(text, vector.string_to_sign, "string to sign of {id}");
        let signature = signature_v1(&vector.access_key_secret, &text);
        assert_eq!(signature, vector.signature, "signature of {id}");

        let mut sent = pairs(&vector.query);
        sent.push(("Signature", &signature));
        let query = canonical_query(&sent);
        let expected = vector.request_target.strip_prefix("/?").expect("every request goes to /");
        assert_eq!(sorted_pieces(&query), sorted_pieces(expected), "request target of {id}");
        let form = canonical_query(&pairs(&vector.form));
        assert_eq!(sorted_pieces(&form), sorted_pieces(&vector.body), "body of {id}");
    }
}

#[test]
fn every_version_3_vector_is_reproduced_step_by_step() {
    let vectors = vectors_of("V3");
    assert_eq!(vectors.len(), 8, "no vector may fall out of the test");
    for vector in vectors {
        let id = &vector.id;
        let expected = vector.version_3.expect("a vector of version 3 is whole");
        let mut parameters = pairs(&vector.query);
        parameters.reverse();
        let query = canonical_query(&parameters);
        assert_eq!(query, vector.canonical_query, "canonical query of {id}");
        let target = if query.is_empty() { "/".to_owned() } else { format!("/?{query}") };
        assert_eq!(target, vector.request_target, "request target of {id}");
        let payload = hashed_payload_v3(vector.body.as_bytes());
        assert_eq!(payload, expected.hashed_payload, "hashed payload of {id}");
        // Neither the order nor the letter case of the headers given must matter.
        let spelled: Vec<(String, String)> = expected
            .signed_headers_input
            .iter()
            .rev()
            .map(|(name, value)| (name.to_ascii_uppercase(), format!(" {value}  ")))
            .collect();
        let request =
            canonical_request_v3(&vector.method, &expected.canonical_uri, &query, &spelled, &payload);
        assert!(
            request.contains(&format!("\n{}\n", expected.canonical_headers)),
            "canonical headers of {id}"
        );
        assert_eq!(request, expected.canonical_request, "canonical request of {id}");
        assert_eq!(hashed_payload_v3(request.as_bytes()), expected.hashed_canonical_request, "hash of {id}");
        let signed_headers = signed_headers_v3(&spelled);
        assert_eq!(signed_headers, expected.signed_headers, "signed headers of {id}");
        let text = string_to_sign_v3(&request);
        assert_eq!(text, vector.string_to_sign, "string to sign of {id}");
        let signature = signature_v3(&vector.access_key_secret, &text);
        assert_eq!(signature, vector.signature, "signature of {id}");
        let authorization = authorization_v3(&vector.access_key_id, &signed_headers, &signature);
        assert_eq!(authorization, expected.authorization, "authorization of {id}");
    }
}

/// As a server does it: from what came over the wire, among other headers, by the client's own list.
#[test]
fn every_version_3_vector_is_verified_from_its_authorization_header() {
    for vector in vectors_of("V3") {
        let id = &vector.id;
        let expected = vector.version_3.expect("a vector of version 3 is whole");
        let mut headers = pairs(&expected.signed_headers_input);
        headers.extend([
            ("connection", "keep-alive"),
            ("content-length", "0"),
            ("x-forwarded-for", "10.0.0.1"),
        ]);
        let authorization = read_authorization_v3(&expected.authorization).expect("readable");
        assert_eq!(authorization.access_key_id, vector.access_key_id, "key of {id}");
        let signed = named_headers_v3(&authorization.signed_headers, &headers).expect("all are there");
        let payload = hashed_payload_v3(vector.body.as_bytes());
        let request = canonical_request_v3(
            &vector.method,
            &expected.canonical_uri,
            &canonical_query(&pairs(&vector.query)),
            &signed,
            &payload,
        );
        let signature = signature_v3(&vector.access_key_secret, &string_to_sign_v3(&request));
        assert_eq!(signature, authorization.signature, "signature of {id}");
        let forged = request.replacen(&vector.method, "PUT", 1);
        assert_ne!(signature_v3(&vector.access_key_secret, &string_to_sign_v3(&forged)), signature);
    }
}

#[test]
fn only_unreserved_characters_escape_encoding() {
    let printable: String = (' '..='~').collect();
    let encoded = percent_encode(&printable);
    for c in printable.chars() {
        let kept = c.is_ascii_alphanumeric() || "-_.~".contains(c);
        let expected = if kept { c.to_string() } else { format!("%{:02X}", u32::from(c)) };
        assert_eq!(percent_encode(&c.to_string()), expected);
        assert!(encoded.contains(&expected));
    }
}
