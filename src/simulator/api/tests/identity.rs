use super::*;
use crate::simulator::keys::Session;

const OPS: &str = "RoleArn=acs:ram::1:role/ops&RoleSessionName=me";
const CI: &str = "RoleArn=acs:ram::1:role/ci&RoleSessionName=me";
const OIDC: &str = "OIDCProviderArn=acs:ram::1:oidc-provider/idp&OIDCToken=x";

fn park(rest: &str) -> World {
    account(&format!(
        "roles: [{{ arn: 'acs:ram::1:role/ops' }}, {{ arn: 'acs:ram::1:role/ci', external_id: known }}]\n{rest}"
    ))
}

#[test]
fn an_assumed_role_has_a_key_for_as_long_as_was_asked() {
    for (rest, query, expires) in [
        ("", OPS.to_owned(), "2026-11-22T11:00:00Z"),
        ("", format!("{OPS}&DurationSeconds=900"), "2026-11-22T10:15:00Z"),
        ("sts: { duration: 20s }", OPS.to_owned(), "2026-11-22T10:00:20Z"),
        ("sts: { duration: 2h }", OPS.to_owned(), "2026-11-22T11:00:00Z"),
        ("", format!("{CI}&ExternalId=known&Policy={{}}"), "2026-11-22T11:00:00Z"),
    ] {
        let answer = call(&park(rest), "AssumeRole", &query).unwrap();
        let key = &answer["Credentials"];
        assert_eq!(key["Expiration"], expires, "{query}");
        assert!(key["AccessKeyId"].as_str().unwrap().starts_with("STS."));
        let arn = answer["AssumedRoleUser"]["Arn"].as_str().unwrap();
        assert!(arn == "acs:ram::1:role/ops/me" || arn == "acs:ram::1:role/ci/me", "{arn}");
    }
    let answer = call(&park(""), "AssumeRoleWithOIDC", &format!("{OPS}&{OIDC}")).unwrap();
    assert_eq!(answer["Credentials"]["Expiration"], "2026-11-22T11:00:00Z");
}

#[test]
fn what_is_wrong_with_assuming_a_role_has_its_code() {
    let long = "x".repeat(33);
    for (query, expected) in [
        ("RoleSessionName=me".to_owned(), (400, "MissingParameter")),
        ("RoleArn=ops&RoleSessionName=me".to_owned(), (400, "InvalidParameter.RoleArn")),
        ("RoleArn=acs:ram::1:role/ops".to_owned(), (400, "MissingParameter")),
        (OPS.replace("=me", "=m"), (400, "InvalidParameter.RoleSessionName")),
        (OPS.replace("=me", &format!("={long}")), (400, "InvalidParameter.RoleSessionName")),
        (OPS.replace("=me", "=m/e"), (400, "InvalidParameter.RoleSessionName")),
        (format!("{OPS}&DurationSeconds=899"), (400, "InvalidParameter.DurationSeconds")),
        (format!("{OPS}&DurationSeconds=3601"), (400, "InvalidParameter.DurationSeconds")),
        (format!("{OPS}&Policy={{"), (400, "InvalidParameter.PolicyGrammar")),
        (format!("{OPS}&Policy={}", "x".repeat(1025)), (400, "InvalidParameter.PolicySize")),
        (OPS.replace("ops", "nobody"), (404, "EntityNotExist.Role")),
        (CI.to_owned(), (403, "NoPermission")),
        (format!("{CI}&ExternalId=guess"), (403, "NoPermission")),
    ] {
        let refusal = call(&park(""), "AssumeRole", &query).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), expected, "{query}");
    }
    let denied = park("permissions: { deny: [AssumeRole] }");
    assert_eq!(code(&denied, "AssumeRole", OPS), "NoPermission");
    for (query, expected) in [
        (OPS.to_owned(), "MissingParameter"),
        (format!("{OPS}&OIDCProviderArn=acs:ram::1:oidc-provider/idp"), "MissingParameter"),
        (format!("{OPS}&OIDCProviderArn=idp&OIDCToken=x"), "InvalidParameter.OIDCProviderArn"),
    ] {
        assert_eq!(code(&park(""), "AssumeRoleWithOIDC", &query), expected, "{query}");
    }
}

#[test]
fn everyone_learns_who_they_are() {
    let world = park("");
    let account = call(&world, "GetCallerIdentity", "").unwrap();
    let expected = serde_json::json!({
        "AccountId": "1", "IdentityType": "Account", "UserId": "1", "PrincipalId": "1", "Arn": "acs:ram::1:root",
    });
    assert_eq!(account, expected);
    let session = Session { role: "acs:ram::1:role/ci".to_owned(), name: "me".to_owned(), until: now() };
    let role = call_as(&Caller::Role(session), &world, "GetCallerIdentity", "").unwrap();
    assert_eq!(role["IdentityType"], "AssumedRoleUser");
    assert_eq!(role["Arn"], "acs:ram::1:assumed-role/ci/me");
    let id = role["RoleId"].as_str().unwrap();
    assert_eq!(role["PrincipalId"].as_str().unwrap(), format!("{id}:me"));
}

#[test]
fn a_product_knows_its_own_version_and_actions_only() {
    let code = |action, version| {
        let asked = Asked { action: Some(action), version: Some(version) };
        operation(asked).map_or_else(|refusal| refusal.code, |operation| operation.name.to_owned())
    };
    assert_eq!(code("AssumeRole", "2015-04-01"), "AssumeRole");
    assert_eq!(code("AssumeRole", "2014-05-26"), "InvalidAction.NotFound");
    assert_eq!(code("StartInstance", "2015-04-01"), "InvalidAction.NotFound");
    assert_eq!(code("StartInstance", "2015-01-01"), "InvalidVersion");
}
