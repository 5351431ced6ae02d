//! STS against a scripted server on a real socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::aliyun::scripted::{Asked, Said, Server};

const ISSUED: &str = r#"{"RequestId":"R","AssumedRoleUser":{"Arn":"a","AssumedRoleId":"b"},"Credentials":
    {"AccessKeyId":"STS.new","AccessKeySecret":"n3w-secret","SecurityToken":"n3w-token",
     "Expiration":"2027-01-15T09:00:00Z"}}"#;

fn sts(server: &Server) -> Sts {
    let clock: Clock = Arc::new(|| Timestamp::from_second(1_800_000_000).expect("within range"));
    let endpoint = Endpoint::explicit(&server.address).expect("loopback");
    let mut sts = Sts::new(endpoint, &Transport::default(), clock).expect("a client");
    sts.pause = Duration::from_millis(1);
    sts
}

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: "testid".to_owned(),
        access_key_secret: "t3st-secret".into(),
        security_token: token.map(Into::into),
        source: "a test".to_owned(),
    }
}

fn role() -> Role {
    Role {
        arn: "acs:ram::123:role/ops".to_owned(),
        session_name: "powerform".to_owned(),
        duration: Some(Duration::from_secs(1800)),
        external_id: Some("partner 7".to_owned()),
        policy: Some(r#"{"Version":"1"}"#.to_owned()),
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Said {
    Said::Body(
        status,
        serde_json::json!({"RequestId": "R-7", "HostId": "h", "Code": code, "Message": message}).to_string(),
    )
}

fn assert_signed(asked: &Asked) {
    let mut all: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in asked.query.iter().chain(&asked.form) {
        assert!(all.insert(name, value).is_none(), "{name} is sent once");
    }
    let signature = all.remove("Signature").expect("signed");
    let pairs: Vec<(&str, &str)> = all.into_iter().collect();
    let text = sign::string_to_sign_v1("POST", &sign::canonical_query(&pairs));
    assert_eq!(signature, sign::signature_v1("t3st-secret", &text));
}

#[tokio::test]
async fn a_role_is_assumed_by_a_signed_request() {
    let server = Server::start(|_, _| Said::Body(200, ISSUED.to_owned())).await;
    let issued =
        sts(&server).assume_role(&credentials(Some("t0ken/+of-sts")), &role()).await.expect("issued");
    assert_eq!(issued.access_key_id, "STS.new");
    assert_eq!(issued.security_token.expose_secret(), "n3w-token");
    assert_eq!(issued.expires.to_string(), "2027-01-15T09:00:00Z");
    let asked = server.asked();
    let [asked] = asked.as_slice() else { panic!("one request: {asked:?}") };
    assert_signed(asked);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/"));
    for (name, value) in [
        ("Action", "AssumeRole"),
        ("Version", "2015-04-01"),
        ("Format", "JSON"),
        ("Timestamp", "2027-01-15T08:00:00Z"),
        ("SecurityToken", "t0ken/+of-sts"),
    ] {
        assert_eq!(asked.query.get(name).map(String::as_str), Some(value), "{name}");
    }
    let form: Vec<(&str, &str)> =
        asked.form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        form,
        [
            ("DurationSeconds", "1800"),
            ("ExternalId", "partner 7"),
            ("Policy", r#"{"Version":"1"}"#),
            ("RoleArn", "acs:ram::123:role/ops"),
            ("RoleSessionName", "powerform"),
        ]
    );
}

#[tokio::test]
async fn a_token_of_an_identity_provider_is_sent_unsigned_and_in_the_form() {
    let server = Server::start(|_, _| Said::Body(200, ISSUED.to_owned())).await;
    let token: SecretString = "0idc.token".into();
    let bare = Role { duration: None, external_id: None, policy: None, ..role() };
    let issued = sts(&server).assume_role_with_oidc("acs:ram::123:oidc-provider/k8s", &token, &bare).await;
    assert_eq!(issued.expect("issued").access_key_id, "STS.new");
    let asked = server.asked();
    let query: Vec<&str> = asked[0].query.keys().map(String::as_str).collect();
    assert_eq!(query, ["Action", "Format", "Timestamp", "Version"]);
    let form: Vec<&str> = asked[0].form.keys().map(String::as_str).collect();
    assert_eq!(form, ["OIDCProviderArn", "OIDCToken", "RoleArn", "RoleSessionName"]);
    assert_eq!(asked[0].parameter("OIDCToken"), Some("0idc.token"));
}

#[tokio::test]
async fn somebody_is_told_who_they_are() {
    let server = Server::start(|_, _| {
        let body = r#"{"RequestId":"R","IdentityType":"RAMUser","AccountId":"123","PrincipalId":"2","UserId":"2",
            "Arn":"acs:ram::123:user/alice"}"#;
        Said::Body(200, body.to_owned())
    })
    .await;
    let identity = sts(&server).caller_identity(&credentials(None)).await.expect("an answer");
    assert_eq!(
        identity,
        Identity {
            account: "123".to_owned(),
            arn: "acs:ram::123:user/alice".to_owned(),
            kind: "RAMUser".to_owned()
        }
    );
    let other = Identity { account: "124".to_owned(), ..identity.clone() };
    let session = Identity { arn: "acs:ram::123:assumed-role/r/s".to_owned(), ..identity.clone() };
    assert_eq!(identity.fingerprint(), session.fingerprint(), "it is the account that counts");
    assert_ne!(identity.fingerprint(), other.fingerprint());
    assert_eq!(identity.fingerprint().len(), 64);
    let asked = server.asked();
    assert_signed(&asked[0]);
    assert_eq!(asked[0].headers.get("content-length").map(String::as_str), Some("0"));
}

#[tokio::test]
async fn every_documented_refusal_has_a_remedy_and_is_final() {
    for (status, code, words) in [
        (400, "InvalidParameter.RoleArn", "acs:ram::"),
        (400, "InvalidParameter.RoleSessionName", "2 to 64"),
        (400, "InvalidParameter.DurationSeconds", "15 minutes"),
        (400, "InvalidParameter.PolicyGrammar", "RAM policy"),
        (400, "InvalidParameter.PolicySize", "1024"),
        (403, "NoPermission", "sts:AssumeRole"),
        (404, "EntityNotExist.Role", "no such role"),
        (404, "InvalidAccessKeyId.NotFound", "unknown, disabled or expired"),
        (400, "InvalidSecurityToken.Expired", "sign in anew"),
        (400, "AuthenticationFail.OIDCToken.Expired", "token is fresh"),
        (400, "SignatureDoesNotMatch", "secret is wrong"),
        (400, "Someday.New", "look the code up"),
    ] {
        let server = Server::start(move |_, _| refusal(status, code, "in words")).await;
        let error = sts(&server).assume_role(&credentials(None), &role()).await.expect_err("refused");
        let text = error.to_string();
        assert!(text.contains(code) && text.contains(words) && text.contains("R-7"), "{text}");
        assert_eq!(server.asked().len(), 1, "{code} is not asked again");
        let refuses = code.starts_with("InvalidAccessKeyId") || code.starts_with("InvalidSecurityToken");
        assert_eq!(error.refuses_credentials(), refuses, "{code}");
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_again_and_not_for_ever() {
    for trouble in [
        refusal(400, "Throttling.User", "slow down"),
        refusal(500, "InternalError", "oops"),
        Said::Body(502, "<html>bad gateway</html>".to_owned()),
        Said::Body(200, "<html>welcome</html>".to_owned()),
        Said::Body(200, "{\"Credentials\":{\"AccessKeyId\":\"STS.".to_owned()),
        Said::Nothing,
    ] {
        let twice = trouble.clone();
        let server = Server::start(move |before, _| match before {
            0 | 1 => twice.clone(),
            _ => Said::Body(200, ISSUED.to_owned()),
        })
        .await;
        assert!(sts(&server).assume_role(&credentials(None), &role()).await.is_ok(), "{trouble:?}");
        let nonces: std::collections::BTreeSet<String> =
            server.asked().iter().map(|asked| asked.query["SignatureNonce"].clone()).collect();
        assert_eq!(nonces.len(), 3, "each attempt is signed anew");
        let always = trouble.clone();
        let server = Server::start(move |_, _| always.clone()).await;
        assert!(sts(&server).assume_role(&credentials(None), &role()).await.is_err());
        assert_eq!(server.asked().len(), 3);
    }
}

#[tokio::test]
async fn answers_that_are_none_are_errors_without_a_quotation() {
    for (status, body) in [
        (200, "s3cret"),
        (200, "{}"),
        (200, r#"{"Credentials":{"AccessKeyId":"i","AccessKeySecret":"s3cret"}}"#),
        (200, r#"{"Credentials":["s3cret"]}"#),
        (302, "<html>s3cret</html>"),
        (403, r#"{"Message":"s3cret"}"#),
    ] {
        let server = Server::start(move |_, _| Said::Body(status, body.to_owned())).await;
        let error = sts(&server).assume_role(&credentials(None), &role()).await.expect_err("unreadable");
        assert_eq!(server.asked().len(), if status == 200 { 3 } else { 1 }, "{status}");
        assert!(matches!(error, StsError::Unreadable { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    let server = Server::start(|_, _| Said::Body(200, "x".repeat(300 * 1024))).await;
    let error = sts(&server).caller_identity(&credentials(None)).await.expect_err("too long");
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[tokio::test]
async fn a_refusal_that_quotes_the_request_shows_no_secret() {
    let server = Server::start(|_, asked| {
        let everything: Vec<String> =
            asked.query.iter().chain(&asked.form).map(|(name, value)| format!("{name}={value}")).collect();
        let token = asked.parameter("SecurityToken").or(asked.parameter("OIDCToken")).expect("there is one");
        refusal(400, "Quoting", &format!("{} {}", everything.join("&"), sign::percent_encode(token)))
    })
    .await;
    let sts = sts(&server);
    let error = sts.assume_role(&credentials(Some("t0ken/+of-sts")), &role()).await.expect_err("refused");
    let oidc = sts.assume_role_with_oidc("arn", &"0idc/t0ken".into(), &role()).await.expect_err("refused");
    for text in [format!("{error} {error:?}"), format!("{oidc} {oidc:?} {sts:?}")] {
        assert!(!text.contains("t0ken") && !text.contains("t3st"), "{text}");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_diagnosed_by_the_time_of_the_server() {
    let server = Server::start(|_, _| Said::Nothing).await;
    let sts = sts(&server);
    let body = r#"{"RequestId":"R","Code":"InvalidTimeStamp.Expired","Message":"expired"}"#;
    let server_time = "2027-01-15T10:00:00Z".parse().expect("a time");
    let reply = Reply { status: 400, server_time: Some(server_time), body: body.into() };
    let by = credentials(None);
    let question = Question { action: "AssumeRole", business: Vec::new(), by: Some(&by), secret: None };
    let here = "2027-01-15T08:00:00Z".parse().expect("a time");
    let error = sts.judge(&question, Ok(reply), here, read_issued).expect_err("refused").to_string();
    assert!(error.contains("the clock of this machine is 2 hours behind STS's"), "{error}");
}
