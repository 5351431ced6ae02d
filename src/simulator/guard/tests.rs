use std::path::Path;

use super::*;

const NOW: &str = "2026-11-22T10:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn account() -> Account {
    let text = "account: '1'\nregion: cn-hangzhou\nkeys: [{ id: k, secret: s }, { id: STS.k, secret: t, token: 'to/k+en' }]";
    Account::parse(text.as_bytes(), Path::new("account.yaml")).unwrap()
}

/// A good request with some parameters changed or (with an empty value) removed, signed with the secret.
fn signed(method: &str, secret: &str, changes: &[(&str, &str)]) -> Parameters {
    let mut all = vec![
        ("Action", "StartInstance"),
        ("Version", "2014-05-26"),
        ("AccessKeyId", "k"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", "n-1"),
        ("Timestamp", NOW),
        ("InstanceId", "i-*~ 网"),
    ];
    for (name, value) in changes {
        all.retain(|(known, _)| known != name);
        if !value.is_empty() {
            all.push((name, value));
        }
    }
    let query = sign::canonical_query(&all);
    let signature = sign::signature_v1(secret, &sign::string_to_sign_v1(method, &query));
    Parameters::read(&query, &format!("Signature={}", sign::percent_encode(&signature))).unwrap()
}

fn code(method: &str, secret: &str, changes: &[(&str, &str)]) -> String {
    match check(&account(), method, &signed(method, secret, changes), now()) {
        Ok(_) => "ok".to_owned(),
        Err(refusal) => refusal.code,
    }
}

#[test]
fn a_request_with_a_right_signature_comes_in_by_get_and_by_post() {
    assert_eq!(code("GET", "s", &[]), "ok");
    assert_eq!(code("POST", "s", &[]), "ok");
}

#[test]
fn every_public_parameter_is_mandatory() {
    for name in [
        "Action",
        "Version",
        "AccessKeyId",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
    ] {
        let refusal = check(&account(), "GET", &signed("GET", "s", &[(name, "")]), now()).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "MissingParameter"));
        assert!(refusal.message.contains(&format!("\"{name}\"")), "{}", refusal.message);
    }
    let unsigned = Parameters::read(
        "Action=A&Version=2014-05-26&AccessKeyId=k&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=n&Timestamp=x",
        "",
    );
    let refusal = check(&account(), "GET", &unsigned.unwrap(), now()).unwrap_err();
    assert!(refusal.message.contains("\"Signature\""));
}

#[test]
fn what_is_wrong_with_a_request_has_its_code() {
    for (method, secret, changes, expected) in [
        ("PUT", "s", [].as_slice(), "UnsupportedHTTPMethod"),
        ("GET", "s", &[("AccessKeyId", "unknown")], "InvalidAccessKeyId.NotFound"),
        ("GET", "wrong", &[], "SignatureDoesNotMatch"),
        ("GET", "s", &[("SignatureMethod", "HMAC-SHA256")], "IncompleteSignature"),
        ("GET", "s", &[("SignatureVersion", "2.0")], "IncompleteSignature"),
        ("GET", "s", &[("SignatureType", "BEARERTOKEN")], "IncompleteSignature"),
        ("GET", "s", &[("Version", "2015-01-01")], "InvalidVersion"),
        ("GET", "s", &[("Timestamp", "now")], "IllegalTimestamp"),
        ("GET", "s", &[("Timestamp", "2026-13-01T00:00:00Z")], "IllegalTimestamp"),
        ("GET", "s", &[("Timestamp", "2026-11-22T10:00:00.5Z")], "InvalidTimeStamp.Format"),
        ("GET", "s", &[("Timestamp", "2026-11-22T18:00:00+08:00")], "InvalidTimeStamp.Format"),
        ("GET", "s", &[("Timestamp", "2026-11-22 10:00:00")], "InvalidTimeStamp.Format"),
        ("GET", "s", &[("Timestamp", "2026-11-22T10:15:00Z")], "ok"),
        ("GET", "s", &[("Timestamp", "2026-11-22T09:45:00Z")], "ok"),
        ("GET", "s", &[("Timestamp", "2026-11-22T10:15:01Z")], "InvalidTimeStamp.Expired"),
        ("GET", "s", &[("Timestamp", "2026-11-22T09:44:59Z")], "InvalidTimeStamp.Expired"),
        ("GET", "t", &[("AccessKeyId", "STS.k"), ("SecurityToken", "to/k+en")], "ok"),
        ("GET", "t", &[("AccessKeyId", "STS.k")], "MissingSecurityToken"),
        (
            "GET",
            "t",
            &[("AccessKeyId", "STS.k"), ("SecurityToken", "other")],
            "InvalidSecurityToken.MismatchWithAccessKey",
        ),
        ("GET", "s", &[("SecurityToken", "to/k+en")], "InvalidSecurityToken.MismatchWithAccessKey"),
    ] {
        assert_eq!(code(method, secret, changes), expected, "{method} {changes:?}");
    }
    assert_eq!(Refusal::of("InvalidAccessKeyId.NotFound").status, 404);
}

#[test]
fn a_mismatch_shows_the_string_that_the_server_signed() {
    let parameters = signed("GET", "wrong", &[]);
    let refusal = check(&account(), "GET", &parameters, now()).unwrap_err();
    let (_, shown) = refusal.message.split_once("server string to sign is:").unwrap();
    assert!(
        shown.starts_with("GET&%2F&AccessKeyId%3Dk%26Action%3DStartInstance%26InstanceId%3Di-%252A~%2520")
    );
    assert!(!shown.contains("Signature%3D"), "the signature itself is not signed: {shown}");
    // The method is part of it.
    assert_eq!(
        check(&account(), "POST", &signed("GET", "s", &[]), now()).unwrap_err().code,
        "SignatureDoesNotMatch"
    );
}

#[test]
fn the_form_of_the_answer_is_xml_unless_it_is_json() {
    let format = |query: &str| format(&Parameters::read(query, "").unwrap()).map_err(|refusal| refusal.code);
    assert_eq!(format(""), Ok(Format::Xml));
    assert_eq!(format("Format="), Ok(Format::Xml));
    assert_eq!(format("Format=XML"), Ok(Format::Xml));
    assert_eq!(format("Format=JSON"), Ok(Format::Json));
    assert_eq!(format("Format=json"), Ok(Format::Json));
    assert_eq!(format("Format=YAML"), Err("InvalidParameter".to_owned()));
}

#[test]
fn a_nonce_is_spent_for_as_long_as_its_request_could_be_sent_again() {
    let mut nonces = Nonces::default();
    let nonce = Nonce::new("k", "n");
    let spend = |nonces: &mut Nonces, nonce, minutes| {
        let at = now().checked_add(SignedDuration::from_mins(minutes)).unwrap();
        nonces.spend(nonce, at).map_err(|refusal| refusal.code)
    };
    let used = Err("SignatureNonceUsed".to_owned());
    assert_eq!(spend(&mut nonces, nonce, 0), Ok(()));
    assert_eq!(spend(&mut nonces, nonce, 0), used);
    assert_eq!(spend(&mut nonces, Nonce::new("other key", "n"), 0), Ok(()));
    assert_eq!(spend(&mut nonces, nonce, 30), used);
    assert_eq!(spend(&mut nonces, nonce, 31), Ok(()));
    assert_eq!(nonces.until.len(), 1, "what has expired is forgotten");
}

#[test]
fn no_more_nonces_are_taken_than_can_be_remembered() {
    let mut nonces = Nonces { most: 100, ..Nonces::default() };
    for number in 0..100 {
        nonces.spend(Nonce([number; 16]), now()).unwrap();
    }
    assert_eq!(nonces.spend(Nonce([255; 16]), now()).unwrap_err().code, "ServiceUnavailable");
    let later = now().checked_add(SignedDuration::from_mins(31)).unwrap();
    assert!(nonces.spend(Nonce([255; 16]), later).is_ok());
}
