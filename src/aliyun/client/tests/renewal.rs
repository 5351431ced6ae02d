//! Credentials that are refused in the middle of a run.

use std::path::Path;

use super::*;
use crate::aliyun::credentials;
use crate::aliyun::surroundings::tests::surroundings;

/// Credentials from a file that is replaced while the client works.
async fn client_of_profile(address: &str, home: &Path) -> Client {
    let mut around = surroundings(&[], Some(home));
    let seconds = AtomicI64::new(1_800_000_000);
    around.clock =
        Arc::new(move || Timestamp::from_second(seconds.fetch_add(1, Ordering::Relaxed)).expect("in range"));
    let context = credentials::Context {
        surroundings: around,
        transport: Transport::default(),
        region: None,
        vpc: false,
    };
    let found = credentials::find(&credentials::Wanted::default(), &context).await.expect("a profile");
    Client::with_policy(Setup { credentials: found.source, ..setup_of(address) }, QUICK).expect("a client")
}

fn write_profile(home: &Path, key: &str) {
    let folder = home.join(".aliyun");
    std::fs::create_dir_all(&folder).expect("created");
    let text = format!(
        r#"{{"current":"a","profiles":[{{"name":"a","mode":"AK","access_key_id":"{key}","access_key_secret":"{SECRET}"}}]}}"#
    );
    std::fs::write(folder.join("config.json"), text).expect("written");
}

#[tokio::test]
async fn credentials_that_are_refused_are_replaced_and_the_call_sent_once_more() {
    for code in
        ["InvalidAccessKeyId.NotFound", "InvalidSecurityToken.Expired", "InvalidSecurityToken.Malformed"]
    {
        let home = tempfile::tempdir().expect("a folder");
        write_profile(home.path(), "old");
        let refused = || failure(400, code);
        let server = Server::start(vec![refused(), accepted(), refused()]).await;
        let client = client_of_profile(&server.address, home.path()).await;
        write_profile(home.path(), "new");
        client.start(start_of("i-1")).await.expect("accepted by the new key");
        let keys: Vec<String> =
            server.requests().iter().map(|request| request["AccessKeyId"].clone()).collect();
        assert_eq!(keys, ["old", "new"], "{code}");
        // The file has not changed since: there is nothing to try.
        let refusal = client.start(start_of("i-1")).await.expect_err("refused");
        assert_eq!((refusal.code.as_deref(), refusal.advice), (Some(code), Advice::Final));
        assert_eq!(server.requests().len(), 3);
    }
}

#[tokio::test]
async fn credentials_are_replaced_once_for_a_call_and_other_refusals_replace_none() {
    let home = tempfile::tempdir().expect("a folder");
    write_profile(home.path(), "old");
    let refused = || failure(404, "InvalidAccessKeyId.NotFound");
    let server = Server::start(vec![refused(), refused(), failure(403, "Forbidden.RAM")]).await;
    let client = client_of_profile(&server.address, home.path()).await;
    write_profile(home.path(), "new");
    assert!(client.describe(&[id("i-1")]).await.is_err());
    assert_eq!(server.requests().len(), 2);
    write_profile(home.path(), "newest");
    assert!(client.describe(&[id("i-1")]).await.is_err());
    assert_eq!(server.requests().len(), 3);
    std::fs::remove_file(home.path().join(".aliyun/config.json")).expect("removed");
    let server = Server::start(vec![refused()]).await;
    let client = Client::with_policy(
        Setup { credentials: client.connection.source().clone(), ..setup_of(&server.address) },
        QUICK,
    )
    .expect("a client");
    let refusal = client.describe(&[id("i-1")]).await.expect_err("refused");
    assert!(refusal.message.contains("in words (and the profile"), "{refusal}");
}
