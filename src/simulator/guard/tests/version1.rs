use super::*;

/// A good request with some parameters changed or (with an empty value) removed, signed with the secret.
fn signed(method: &str, secret: &str, changes: &[(&str, &str)]) -> Incoming {
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
    posted(method, &query, &format!("Signature={}", sign::percent_encode(&signature)))
}

/// Some parameters in the query, and some in a form.
fn posted(method: &str, query: &str, form: &str) -> Incoming {
    let content_type = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    Incoming::read(method, "/", query, vec![content_type], form.as_bytes())
}

fn code(method: &str, secret: &str, changes: &[(&str, &str)]) -> String {
    code_of(&signed(method, secret, changes))
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
        let refusal = check(&signed("GET", "s", &[(name, "")])).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "MissingParameter"));
        assert!(refusal.message.contains(&format!("\"{name}\"")), "{}", refusal.message);
    }
    let unsigned = posted(
        "GET",
        "Action=A&Version=2014-05-26&AccessKeyId=k&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=n&Timestamp=x",
        "",
    );
    let refusal = check(&unsigned).unwrap_err();
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
    let refusal = check(&parameters).unwrap_err();
    let (_, shown) = refusal.message.split_once("server string to sign is:").unwrap();
    assert!(
        shown.starts_with("GET&%2F&AccessKeyId%3Dk%26Action%3DStartInstance%26InstanceId%3Di-%252A~%2520")
    );
    assert!(!shown.contains("Signature%3D"), "the signature itself is not signed: {shown}");
    // The method is part of it.
    let mut moved = signed("GET", "s", &[]);
    moved.method = "POST".to_owned();
    assert_eq!(code_of(&moved), "SignatureDoesNotMatch");
}

#[test]
fn the_form_of_the_answer_is_xml_unless_it_is_json() {
    let format =
        |query: &str| Scheme::Version1.format(&posted("GET", query, "")).map_err(|refusal| refusal.code);
    assert_eq!(format(""), Ok(Format::Xml));
    assert_eq!(format("Format="), Ok(Format::Xml));
    assert_eq!(format("Format=XML"), Ok(Format::Xml));
    assert_eq!(format("Format=JSON"), Ok(Format::Json));
    assert_eq!(format("Format=json"), Ok(Format::Json));
    assert_eq!(format("Format=YAML"), Err("InvalidParameter".to_owned()));
}
