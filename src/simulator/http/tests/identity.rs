//! Who calls: both versions of the signature, and keys that STS gave out.

use super::*;

const STS: (&str, &str) = ("Version", "2015-04-01");
const ROLE: (&str, &str) = ("RoleArn", "acs:ram::1:role/ops");
const SESSION: (&str, &str) = ("RoleSessionName", "me");

/// A call signed by version 3, with its parameters in the query or, if there are any, in a form.
async fn call_v3(
    server: &Server,
    accept: &str,
    action: &str,
    query: &[(&str, &str)],
    form: &[(&str, &str)],
) -> Reply {
    let now = at(server.hand.0.load(Ordering::SeqCst));
    let query = sign::canonical_query(query);
    let body = sign::canonical_query(form);
    let hash = sign::hashed_payload_v3(body.as_bytes());
    let mut headers = vec![
        ("host", server.address.to_string()),
        ("accept", accept.to_owned()),
        ("x-acs-action", action.to_owned()),
        ("x-acs-version", "2014-05-26".to_owned()),
        ("x-acs-date", now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ("x-acs-signature-nonce", uuid::Uuid::new_v4().to_string()),
        ("x-acs-content-sha256", hash.clone()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    let canonical = sign::canonical_request_v3("POST", "/", &query, &headers, &hash);
    let signature = sign::signature_v3("sim-secret", &sign::string_to_sign_v3(&canonical));
    let names = sign::signed_headers_v3(&headers);
    headers.push(("authorization", sign::authorization_v3("sim-key", &names, &signature)));
    let mut request = server.client.post(format!("http://{}/?{query}", server.address)).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    Reply {
        status: response.status().as_u16(),
        content_type: headers["content-type"].to_str().unwrap().to_owned(),
        headers,
        body: response.text().await.unwrap(),
    }
}

#[tokio::test]
async fn version_3_says_in_headers_what_version_1_says_in_parameters() {
    let cloud = Cloud::new("instances: [{ id: i-a }, { id: i-b }]");
    let server = cloud.serve().await;
    let started = call_v3(&server, "*/*", "StartInstance", &[("InstanceId", "i-a")], &[]).await;
    assert_eq!((started.status, started.content_type.as_str()), (200, "application/json;charset=utf-8"));
    let started = call_v3(&server, "application/xml", "StartInstance", &[], &[("InstanceId", "i-b")]).await;
    assert_eq!((started.status, started.content_type.as_str()), (200, "text/xml;charset=utf-8"));
    assert!(started.body.contains("<StartInstanceResponse>"), "{}", started.body);
    let refused = call_v3(&server, "*/*", "StartInstance", &[("InstanceId", "i-a")], &[]).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "IncorrectInstanceStatus"));
    let unknown = call_v3(&server, "*/*", "DeleteInstance", &[], &[]).await;
    assert_eq!(unknown.code(), "InvalidAction.NotFound");
    assert_eq!(server.status("i-b").await, "Starting");
    server.end().await;
}

#[tokio::test]
async fn the_key_of_a_role_is_accepted_by_every_process_until_it_ends() {
    let cloud = Cloud::new(
        "instances: [{ id: i-a }]\nroles: [{ arn: 'acs:ram::1:role/ops' }]\nsts: { duration: 20s }",
    );
    let (one, other) = (cloud.serve().await, cloud.serve().await);
    let assumed = one.call(&[("Action", "AssumeRole"), STS, ROLE, SESSION]).await.json();
    let key = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
    assert_eq!(key("Expiration"), "2026-11-22T10:00:20Z");
    let (id, secret, token) = (key("AccessKeyId"), key("AccessKeySecret"), key("SecurityToken"));
    let call = async |server: &Server, token: &str, parameters: &[(&str, &str)]| {
        let mut all = parameters.to_vec();
        if !token.is_empty() {
            all.push(("SecurityToken", token));
        }
        let query = server.query_as(&id, &secret, "GET", "JSON", &all);
        server.send(Method::GET, &query, None).await.unwrap()
    };
    let who = call(&other, &token, &[("Action", "GetCallerIdentity"), STS]).await.json();
    assert_eq!(who["Arn"], "acs:ram::1:assumed-role/ops/me");
    let start = [("Action", "StartInstance"), ("InstanceId", "i-a")];
    assert_eq!(call(&other, "", &start).await.code(), "InvalidAccessKeyId.NotFound");
    assert_eq!(call(&other, "forged", &start).await.code(), "InvalidSecurityToken.Malformed");
    cloud.hand.set(19_999);
    assert_eq!(call(&other, &token, &start).await.status, 200);
    cloud.hand.set(20_000);
    let refused = call(&one, &token, &start).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "InvalidSecurityToken.Expired"));
    one.end().await;
    other.end().await;
    let memory = std::fs::read_to_string(cloud.folder.path().join("account.cloud.json")).unwrap();
    assert!(memory.contains("acs:ram::1:role/ops"));
    assert!(!memory.contains(&secret) && !memory.contains(&token), "no secret is written down");
}

#[tokio::test]
async fn a_role_is_assumed_with_an_identity_token_without_a_signature() {
    let cloud = Cloud::new(
        "roles: [{ arn: 'acs:ram::1:role/ops' }]
faults: [{ action: AssumeRoleWithOIDC, nth: 2, error: AuthenticationFail.OIDCToken.Expired }]",
    );
    let server = cloud.serve().await;
    let parameters = [
        ("Action", "AssumeRoleWithOIDC"),
        STS,
        ("Format", "JSON"),
        ("Timestamp", "2026-11-22T10:00:00Z"),
        ROLE,
        SESSION,
        ("OIDCProviderArn", "acs:ram::1:oidc-provider/idp"),
        ("OIDCToken", "a.secret.token"),
    ];
    let query = sign::canonical_query(&parameters);
    let given = server.send(Method::GET, &query, None).await.unwrap();
    assert_eq!(given.status, 200, "{}", given.body);
    assert!(given.json()["Credentials"]["SecurityToken"].is_string());
    let again = server.send(Method::POST, "", Some(query)).await.unwrap();
    assert_eq!(again.code(), "AuthenticationFail.OIDCToken.Expired");
    assert!(again.json()["Recommend"].as_str().unwrap().contains("product=Sts"));
    let unsigned = sign::canonical_query(&[("Action", "GetCallerIdentity"), STS, ("Format", "JSON")]);
    assert_eq!(server.send(Method::GET, &unsigned, None).await.unwrap().code(), "MissingParameter");
    server.end().await;
    let memory = std::fs::read_to_string(cloud.folder.path().join("account.cloud.json")).unwrap();
    assert!(!memory.contains("a.secret.token"));
}
