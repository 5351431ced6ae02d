//! Several accounts at one address.

use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::*;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

/// Account files in one folder, `a.yaml` and `b.yaml`.
fn files(folder: &TempDir, a: &str, b: &str) -> [PathBuf; 2] {
    [("a.yaml", a), ("b.yaml", b)].map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    })
}

async fn ids(server: &Server, parameters: &[(&str, &str)], key: &str, secret: &str) -> Vec<String> {
    let mut all = vec![("Action", "DescribeInstances"), REGION];
    all.extend(parameters);
    let query = server.query_as(key, secret, "GET", "JSON", &all);
    let reply = server.send(Method::GET, &query, None).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    let json = reply.json();
    let shown = json["Instances"]["Instance"].as_array().unwrap();
    shown.iter().map(|it| it["InstanceId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn whose_key_signed_decides_whose_instances_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let role = "acs:ram::1234567890123456:role/ops";
    let files = files(
        &folder,
        "keys: [{ id: key-a, secret: same }]\ninstances: [{ id: i-a }, { id: i-both }]",
        &format!(
            "keys: [{{ id: key-b, secret: same }}]\nroles: [{{ arn: '{role}' }}]\ninstances: [{{ id: i-b }}, {{ id: i-both }}]"
        ),
    );
    let simulators = Simulator::open_all(&files).unwrap();
    let keys: Vec<_> = simulators.iter().map(Simulator::first_key).collect();
    let hand = Hand::default();
    let now = Timestamp::from_second(BEGUN).unwrap();
    // Real clocks are far from the one of the tests: the signature's time is theirs.
    let apart = now.duration_since(Clock::wall().now()).as_millis();
    hand.set(-i64::try_from(apart).unwrap());
    let server = Server::of_all(simulators, hand).await;
    let [a, b] = [&keys[0], &keys[1]].map(|key| (key.id.as_str(), key.secret.expose_secret()));
    assert_eq!(ids(&server, &[], a.0, a.1).await, ["i-a", "i-both"]);
    assert_eq!(ids(&server, &[], b.0, b.1).await, ["i-b", "i-both"]);

    // A role is taken on with the key of its account, and its temporary key is that account's.
    let assume =
        [("Action", "AssumeRole"), ("Version", "2015-04-01"), ("RoleArn", role), ("RoleSessionName", "test")];
    let query = server.query_as(b.0, b.1, "GET", "JSON", &assume);
    let issued = server.send(Method::GET, &query, None).await.unwrap().json()["Credentials"].clone();
    let part = |name: &str| issued[name].as_str().unwrap().to_owned();
    let (id, secret, token) = (part("AccessKeyId"), part("AccessKeySecret"), part("SecurityToken"));
    assert_eq!(ids(&server, &[("SecurityToken", &token)], &id, &secret).await, ["i-b", "i-both"]);

    // What happens to an instance happens in one account.
    let query =
        server.query_as(b.0, b.1, "GET", "JSON", &[("Action", "StartInstance"), ("InstanceId", "i-both")]);
    assert_eq!(server.send(Method::GET, &query, None).await.unwrap().status, 200);
    let query = server.query_as("key-c", "same", "GET", "JSON", &[("Action", "DescribeRegions")]);
    assert_eq!(server.send(Method::GET, &query, None).await.unwrap().code(), "InvalidAccessKeyId.NotFound");
    server.end().await;
    let starts = |name: &str| {
        let lines = read_log(&folder.path().join(name)).unwrap();
        let is_start =
            |event: &LogEvent| matches!(event, LogEvent::Request(it) if it.action == "StartInstance");
        lines.iter().filter(|line| is_start(&line.event)).count()
    };
    assert_eq!((starts("a.cloud.json"), starts("b.cloud.json")), (0, 1));
}

#[test]
fn what_accounts_may_not_share_is_named_with_both_files() {
    for (a, b, expected) in [
        (
            "keys: [{ id: k, secret: a }]",
            "keys: [{ id: l, secret: b }, { id: k, secret: b }]",
            "both have the access key \"k\"",
        ),
        (
            "keys: [{ id: k, secret: a }]\nmemory: m",
            "keys: [{ id: l, secret: b }]\nmemory: ./m",
            "keep their memory in",
        ),
        (
            "keys: [{ id: k, secret: a }]\ninstances: [{ id: i-a, listen: [{ tcp: 9 }] }]",
            "keys: [{ id: l, secret: b }]\ninstances: [{ id: i-b, listen: [{ http: 9 }] }]",
            "both listen on 127.0.0.1:9: i-a and i-b",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder, a, b);
        let error = Simulator::open_all(&files).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("a.yaml") && error.contains("b.yaml"), "{error}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "no memory is begun for accounts that are refused");
        let twice = [files[0].clone(), files[0].clone()];
        assert!(Simulator::open_all(&twice).unwrap_err().to_string().contains("given twice"));
    }
}
