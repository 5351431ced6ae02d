//! Signatures agree with the vectors that the official SDKs and the official pages gave.

use std::collections::BTreeMap;
use std::path::Path;

use powerform::aliyun::sign::{canonical_query, percent_encode, signature_v1, string_to_sign_v1};
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
