use super::*;

/// A request that is about to be signed.
struct Draft {
    method: &'static str,
    query: String,
    body: String,
    headers: Vec<(&'static str, String)>,
    key: String,
    secret: String,
    /// Headers that are left out of the signature.
    unsigned: Vec<&'static str>,
}

impl Draft {
    fn new() -> Self {
        let header = |name, value: &str| (name, value.to_owned());
        Self {
            method: "POST",
            query: sign::canonical_query(&[("InstanceId", "i-*~ 网")]),
            body: String::new(),
            headers: vec![
                header("host", "127.0.0.1:8080"),
                header("x-acs-action", "StartInstance"),
                header("x-acs-version", "2014-05-26"),
                header("x-acs-date", NOW),
                header("x-acs-signature-nonce", "n-1"),
                header("user-agent", "  a client  "),
            ],
            key: "k".to_owned(),
            secret: "s".to_owned(),
            unsigned: Vec::new(),
        }
    }

    /// With a header set, or removed where the value is empty.
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    fn without_signing(mut self, name: &'static str) -> Self {
        self.unsigned.push(name);
        self
    }

    fn of(mut self, key: &str, secret: &str, token: Option<&str>) -> Self {
        (self.key, self.secret) = (key.to_owned(), secret.to_owned());
        match token {
            Some(token) => self.with("x-acs-accesskey-id", key).with("x-acs-security-token", token),
            None => self,
        }
    }

    fn signed(mut self) -> Incoming {
        let hash = sign::hashed_payload_v3(self.body.as_bytes());
        self.headers.push(("x-acs-content-sha256", hash.clone()));
        let signed: Vec<_> =
            self.headers.iter().filter(|(name, _)| !self.unsigned.contains(name)).cloned().collect();
        let canonical = sign::canonical_request_v3(self.method, "/", &self.query, &signed, &hash);
        let signature = sign::signature_v3(&self.secret, &sign::string_to_sign_v3(&canonical));
        let names = sign::signed_headers_v3(&signed);
        self.headers.push(("authorization", sign::authorization_v3(&self.key, &names, &signature)));
        self.sent()
    }

    fn sent(self) -> Incoming {
        let headers = self.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Incoming::read(self.method, "/", &self.query, headers, self.body.as_bytes())
    }
}

#[test]
fn a_request_with_a_right_signature_comes_in_whatever_else_is_signed() {
    assert_eq!(code_of(&Draft::new().signed()), "ok");
    assert_eq!(code_of(&Draft::new().without_signing("user-agent").signed()), "ok");
    let form = Draft {
        query: String::new(),
        body: "InstanceId=i-a".to_owned(),
        ..Draft::new().with("content-type", "application/x-www-form-urlencoded")
    };
    let form = form.signed();
    assert_eq!(code_of(&form), "ok");
    assert_eq!(form.parameters().unwrap().value("InstanceId"), Some("i-a"));
    assert_eq!(code_of(&Draft { method: "PUT", ..Draft::new() }.signed()), "UnsupportedHTTPMethod");
}

#[test]
fn what_is_wrong_with_a_request_has_its_code() {
    let alive = temporary(20);
    let over = temporary(-1);
    let draft = Draft::new;
    for (incoming, expected) in [
        (draft().with("x-acs-version", ""), "MissingParameter"),
        (draft().with("x-acs-signature-nonce", ""), "MissingParameter"),
        (draft().with("x-acs-date", ""), "MissingParameter"),
        (draft().with("x-acs-date", "yesterday"), "IllegalTimestamp"),
        (draft().with("x-acs-date", "2026-11-22T10:00:00.5Z"), "InvalidTimeStamp.Format"),
        (draft().with("x-acs-date", "2026-11-22T09:45:00Z"), "ok"),
        (draft().with("x-acs-date", "2026-11-22T09:44:59Z"), "InvalidTimeStamp.Expired"),
        (draft().without_signing("host"), "IncompleteSignature"),
        (draft().without_signing("x-acs-date"), "IncompleteSignature"),
        (draft().with("x-acs-extra", "1").without_signing("x-acs-extra"), "IncompleteSignature"),
        (draft().of("k", "wrong", None), "SignatureDoesNotMatch"),
        (draft().of("unknown", "s", None), "InvalidAccessKeyId.NotFound"),
        (draft().of("k", "s", Some("to/k+en")), "InvalidSecurityToken.MismatchWithAccessKey"),
        (draft().of("STS.k", "t", Some("to/k+en")), "ok"),
        (draft().of("STS.k", "t", None), "MissingSecurityToken"),
        (draft().of("STS.k", "t", Some("to/k+en")).with("x-acs-accesskey-id", "k"), "IncompleteSignature"),
        (draft().of(&alive.id, &alive.secret, Some(&alive.token)), "ok"),
        (draft().of(&alive.id, "wrong", Some(&alive.token)), "SignatureDoesNotMatch"),
        (draft().of(&over.id, &over.secret, Some(&over.token)), "InvalidSecurityToken.Expired"),
        (draft().of(&alive.id, &alive.secret, None), "InvalidAccessKeyId.NotFound"),
    ]
    .map(|(draft, expected)| (draft.signed(), expected))
    {
        assert_eq!(code_of(&incoming), expected, "{:?}", incoming.headers());
    }
}

#[test]
fn an_authorization_that_cannot_be_read_is_incomplete() {
    for text in [
        "ACS3-HMAC-SM3 Credential=k,SignedHeaders=host,Signature=0",
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SHA256 Credential=k,Signature=0",
        "ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host;no-such-header,Signature=0",
        &format!("ACS3-HMAC-SHA256 Credential=k,SignedHeaders={},Signature=0", "host;".repeat(1000)),
    ] {
        let draft = Draft::new().with("x-acs-content-sha256", "0").with("authorization", text);
        assert_eq!(code_of(&draft.sent()), "IncompleteSignature", "{text}");
    }
    assert_eq!(code_of(&Draft::new().sent()), "MissingParameter");
}

/// What is changed on its way, in the query, in the body, or in a header that was signed.
#[test]
fn what_was_signed_cannot_be_changed() {
    let change = |change: fn(&mut Vec<(String, String)>, &mut String, &mut String)| {
        let draft = Draft { body: "A=1".to_owned(), ..Draft::new() };
        let query = draft.query.clone();
        let signed = draft.signed();
        let (mut headers, mut query, mut body) = (signed.headers().to_vec(), query, "A=1".to_owned());
        change(&mut headers, &mut query, &mut body);
        code_of(&Incoming::read("POST", "/", &query, headers, body.as_bytes()))
    };
    assert_eq!(change(|_, _, _| ()), "ok");
    assert_eq!(change(|_, query, _| query.push_str("&B=2")), "SignatureDoesNotMatch");
    assert_eq!(change(|_, _, body| body.push('2')), "SignatureDoesNotMatch");
    let host = |headers: &mut Vec<(String, String)>, _: &mut String, _: &mut String| {
        headers.iter_mut().for_each(|(name, value)| {
            if name == "host" {
                *value = "elsewhere".to_owned();
            }
        });
    };
    assert_eq!(change(host), "SignatureDoesNotMatch");
    let hash = |headers: &mut Vec<(String, String)>, _: &mut String, body: &mut String| {
        *body = "A=2".to_owned();
        let hash = sign::hashed_payload_v3(body.as_bytes());
        headers
            .iter_mut()
            .filter(|(name, _)| name == "x-acs-content-sha256")
            .for_each(|it| it.1 = hash.clone());
    };
    assert_eq!(change(hash), "SignatureDoesNotMatch");
}

#[test]
fn a_mismatch_shows_what_the_server_signed() {
    let refusal = check(&Draft::new().of("k", "wrong", None).signed()).unwrap_err();
    let (_, shown) = refusal.message.split_once("server string to sign is:").unwrap();
    let (text, canonical) = shown.split_once("\nserver canonical request is:").unwrap();
    assert_eq!(text, sign::string_to_sign_v3(canonical));
    assert!(
        canonical.starts_with("POST\n/\nInstanceId=i-%2A~%20%E7%BD%91\nhost:127.0.0.1:8080\n"),
        "{canonical}"
    );
    assert!(canonical.contains("\nuser-agent:a client\n"), "{canonical}");
}

#[test]
fn the_form_of_the_answer_is_json_unless_only_xml_is_accepted() {
    let format = |accept| Scheme::Version3.format(&Draft::new().with("accept", accept).sent()).unwrap();
    assert_eq!(format(""), Format::Json);
    assert_eq!(format("*/*"), Format::Json);
    assert_eq!(format("application/json"), Format::Json);
    assert_eq!(format("application/xml"), Format::Xml);
    assert_eq!(format("text/xml;charset=utf-8"), Format::Xml);
    assert_eq!(format("application/xml, application/json"), Format::Json);
}

#[test]
fn a_replayed_request_has_the_same_nonce() {
    let nonce = |incoming: &Incoming| check(incoming).unwrap().nonce.unwrap();
    let first = nonce(&Draft::new().signed());
    assert_eq!(nonce(&Draft::new().signed()), first);
    assert_ne!(nonce(&Draft::new().with("x-acs-signature-nonce", "n-2").signed()), first);
}

#[test]
fn whose_key_it_is_stands_in_the_authorization() {
    let incoming = Draft::new().of("STS.k", "s", Some("token")).signed();
    let claimed = Scheme::of(&incoming).claimed(&incoming);
    assert_eq!((claimed.key.as_deref(), claimed.token), (Some("STS.k"), Some("token")));
    let incoming = Draft::new().sent();
    assert_eq!(Scheme::of(&incoming).claimed(&incoming), Claimed::default());
}
