//! The whole chain: which place wins, and what is said when none does.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::aliyun::credentials::account::Account;
use crate::aliyun::scripted::{Asked, Said, Server};
use crate::aliyun::surroundings::tests::surroundings;
use crate::aliyun::transport::Transport;

fn context(variables: &[(&str, &str)], home: Option<&Path>, metadata: Option<&Server>) -> Context {
    let mut around = surroundings(variables, home);
    if let Some(server) = metadata {
        around.metadata_service.clone_from(&server.address);
    }
    Context { surroundings: around, transport: Transport::default(), region: None, vpc: false }
}

/// STS, a metadata service and a credentials URI in one.
fn services(_: usize, asked: &Asked) -> Said {
    let key = match asked.path.as_str() {
        "/latest/api/token" => return Said::Body(200, "t-1".to_owned()),
        "/latest/meta-data/ram/security-credentials/" => return Said::Body(200, "worker".to_owned()),
        "/latest/meta-data/ram/security-credentials/worker" => "STS.metadata",
        "/uri" => "STS.uri",
        _ if asked.parameter("Action") == Some("AssumeRole") => "STS.role",
        _ => "STS.oidc",
    };
    let given = json!({"Code": "Success", "AccessKeyId": key, "AccessKeySecret": "s", "SecurityToken": "t",
        "Expiration": "2027-01-15T09:00:00Z"});
    let body = if asked.path == "/" { json!({"Credentials": given}) } else { given };
    Said::Body(200, body.to_string())
}

fn write(home: &Path, name: &str, text: &str) {
    let path = home.join(name);
    std::fs::create_dir_all(path.parent().expect("below the folder")).expect("created");
    std::fs::write(&path, text).expect("written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("allowed");
    }
}

const CONFIG: &str = r#"{"current":"default","profiles":[
    {"name":"default","mode":"AK","access_key_id":"profile","access_key_secret":"s3cret"},
    {"name":"prod","mode":"AK","access_key_id":"prod","access_key_secret":"s3cret"}]}"#;

async fn key(wanted: &Wanted, context: &Context) -> String {
    let found = find(wanted, context).await.expect("found");
    found.source.current().await.expect("held").access_key_id.clone()
}

#[tokio::test]
async fn the_order_is_that_of_the_official_default_chain() {
    let server = Server::start(services).await;
    let home = tempfile::tempdir().expect("a folder");
    let token = home.path().join("token");
    std::fs::write(&token, "0idc").expect("written");
    write(home.path(), ".aliyun/config.json", CONFIG);
    write(
        home.path(),
        ".alibabacloud/credentials",
        "[default]\naccess_key_id = ini\naccess_key_secret = s\n",
    );
    let token = token.display().to_string();
    let uri = format!("{}/uri", server.address);
    let everything = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "environment"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.as_str()),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "p"),
        ("ALIBABA_CLOUD_ENDPOINT_STS", server.address.as_str()),
        ("ALIBABA_CLOUD_CREDENTIALS_URI", uri.as_str()),
    ];
    let no_profile = [&everything[5..], &[("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")]].concat();
    let no_file = [&no_profile[..], &[("ALIBABA_CLOUD_CREDENTIALS_FILE", "/nowhere")]].concat();
    let no_metadata = [&no_file[..], &[("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")]].concat();
    let of_key = |id: &str| Account::Key(id.to_owned());
    for (variables, first, account) in [
        (&everything[..], "environment", of_key("environment")),
        (&everything[2..], "STS.oidc", Account::Role("acs:ram::1:role/r".to_owned())),
        (&everything[5..], "profile", of_key("profile")),
        (&no_profile[..], "ini", of_key("ini")),
        (&no_file[..], "STS.metadata", Account::InstanceRole("worker".to_owned())),
        (&no_metadata[..], "STS.uri", Account::Unknown),
    ] {
        let context = context(variables, Some(home.path()), Some(&server));
        assert_eq!(key(&Wanted::default(), &context).await, first);
        let found = find(&Wanted::default(), &context).await.expect("found");
        assert_eq!(found.source.account(), account.fingerprint().as_deref(), "{first}");
    }
    let named = Wanted { profile: Some("prod".to_owned()), role: None };
    assert_eq!(key(&named, &context(&everything, Some(home.path()), None)).await, "prod");
    let in_environment = [&everything[..], &[("ALIBABA_CLOUD_PROFILE", "prod")]].concat();
    let context = context(&in_environment, Some(home.path()), None);
    assert_eq!(key(&Wanted::default(), &context).await, "environment", "only the file's profile beats it");
}

/// Also run by the test below, in a process whose environment and home are full of credentials.
#[tokio::test]
async fn where_there_is_nothing_every_place_is_listed_with_its_reason() {
    let home = tempfile::tempdir().expect("a folder");
    let error = find(&Wanted::default(), &context(&[], Some(home.path()), None)).await.expect_err("none");
    let text = error.to_string().replace(&home.path().display().to_string(), "HOME");
    let (start, rest) = text.split_once("(no connection: ").expect("the metadata service");
    let (_, end) = rest.split_once("), so").expect("its end");
    assert_eq!(
        start,
        "no credentials were found. Looked at, in this order: (1) the environment: neither \
         ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET nor an older name of theirs is set; (2) the \
         OIDC role of the environment: not set: ALIBABA_CLOUD_OIDC_TOKEN_FILE, ALIBABA_CLOUD_ROLE_ARN, \
         ALIBABA_CLOUD_OIDC_PROVIDER_ARN; (3) the profile of the Alibaba Cloud CLI: there is no \
         HOME/.aliyun/config.json; (4) the credentials file: there is no HOME/.alibabacloud/credentials and no \
         HOME/.alibabacloud/credentials.ini; (5) the RAM role of this ECS instance: no metadata service answers "
    );
    assert!(
        end.starts_with(
            " this seems to be no ECS instance; (6) the credentials URI of the environment: \
             ALIBABA_CLOUD_CREDENTIALS_URI is not set. Set "
        ),
        "{end}"
    );
}

#[test]
fn nothing_is_read_from_the_real_environment_of_the_machine() {
    const NAME: &str = "where_there_is_nothing_every_place_is_listed_with_its_reason";
    let home = tempfile::tempdir().expect("a folder");
    write(home.path(), ".aliyun/config.json", CONFIG);
    write(
        home.path(),
        ".alibabacloud/credentials",
        "[default]\naccess_key_id = ini\naccess_key_secret = s\n",
    );
    let token = home.path().join("token");
    std::fs::write(&token, "0idc").expect("written");
    let module = module_path!().split_once("::").expect("below the crate").1;
    let program = std::env::current_exe().expect("this test's program");
    let output = Command::new(program)
        .args(["--exact", &format!("{module}::{NAME}"), "--test-threads=1"])
        .env("HOME", home.path())
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "planted")
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "planted")
        .env("ALICLOUD_ACCESS_KEY", "planted")
        .env("ALICLOUD_SECRET_KEY", "planted")
        .env("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:1/")
        .env("ALIBABA_CLOUD_OIDC_TOKEN_FILE", &token)
        .env("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r")
        .env("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "p")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env("SSL_CERT_FILE", "/nowhere")
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn a_place_that_is_set_up_but_broken_is_passed_over_with_a_warning() {
    let home = tempfile::tempdir().expect("a folder");
    write(home.path(), ".aliyun/config.json", CONFIG);
    let half = context(&[("ALIBABA_CLOUD_ACCESS_KEY_ID", "half")], Some(home.path()), None);
    let found = find(&Wanted::default(), &half).await.expect("found");
    let [warning] = found.warnings.as_slice() else { panic!("one warning: {:?}", found.warnings) };
    assert!(
        warning.starts_with("the environment was passed over, and credentials are taken from the profile"),
        "{warning}"
    );
    assert!(warning.contains("ALIBABA_CLOUD_ACCESS_KEY_SECRET is not"), "{warning}");
}

#[tokio::test]
async fn the_profile_that_the_file_names_is_the_only_place_looked_at() {
    let home = tempfile::tempdir().expect("a folder");
    write(home.path(), ".aliyun/config.json", CONFIG);
    let key = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "i"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s")];
    let named = |name: &str| Wanted { profile: Some(name.to_owned()), role: None };
    let error = find(&named("other"), &context(&key, Some(home.path()), None)).await.expect_err("none");
    let text = error.to_string();
    assert!(
        text.starts_with("the profile \"other\" of the Alibaba Cloud CLI gives no credentials: ")
            && text.ends_with("has no profile \"other\" (it has default, prod)"),
        "{text}"
    );
    let off = [key[0], key[1], ("ALIBABA_CLOUD_IGNORE_PROFILE", "TRUE")];
    let error = find(&named("prod"), &context(&off, Some(home.path()), None)).await.expect_err("forbidden");
    assert!(error.to_string().ends_with("ALIBABA_CLOUD_IGNORE_PROFILE is true"), "{error}");
}

#[tokio::test]
async fn a_role_is_taken_on_with_whatever_is_found() {
    let server = Server::start(services).await;
    let variables = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "base"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s"),
        ("ALIBABA_CLOUD_ENDPOINT_STS", server.address.as_str()),
        ("ALICLOUD_ASSUME_ROLE_ARN", "acs:ram::1:role/older"),
        ("ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION", "900"),
    ];
    let role = Role {
        arn: "acs:ram::1:role/written".to_owned(),
        session_name: "powerform".to_owned(),
        duration: None,
        external_id: None,
        policy: None,
    };
    let wanted = Wanted { profile: None, role: Some(role) };
    for (wanted, arn, duration) in [
        (&wanted, "acs:ram::1:role/written", None),
        (&Wanted::default(), "acs:ram::1:role/older", Some("900")),
    ] {
        let context = context(&variables, None, None);
        let found = find(wanted, &context).await.expect("found");
        assert_eq!(
            found.source.place(),
            format!("the role {arn}, taken on from the environment (ALIBABA_CLOUD_ACCESS_KEY_ID)")
        );
        assert_eq!(found.source.current().await.expect("held").access_key_id, "STS.role");
        let asked = server.asked().pop().expect("asked");
        assert_eq!(asked.parameter("RoleArn"), Some(arn));
        assert_eq!(asked.parameter("AccessKeyId"), Some("base"));
        assert_eq!(asked.parameter("DurationSeconds"), duration);
    }
}

/// The base has been replaced behind our back: STS refuses the old key, so the file is read again.
#[tokio::test]
async fn a_refused_base_is_renewed_once_before_the_role_is_given_up() {
    let home = Arc::new(tempfile::tempdir().expect("a folder"));
    write(home.path(), ".aliyun/config.json", CONFIG);
    let rotated = Arc::clone(&home);
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let server = Server::start(move |before, asked| {
        if asked.parameter("AccessKeyId") == Some("profile") {
            counted.fetch_add(1, Ordering::SeqCst);
            write(rotated.path(), ".aliyun/config.json", &CONFIG.replace("\"profile\"", "\"rotated\""));
            return Said::Body(404, r#"{"Code":"InvalidAccessKeyId.NotFound","Message":"gone"}"#.to_owned());
        }
        services(before, asked)
    })
    .await;
    let role = Role {
        arn: "acs:ram::1:role/r".to_owned(),
        session_name: "powerform".to_owned(),
        duration: None,
        external_id: None,
        policy: None,
    };
    let wanted = Wanted { profile: None, role: Some(role) };
    let variables = [("ALIBABA_CLOUD_ENDPOINT_STS", server.address.as_str())];
    assert_eq!(key(&wanted, &context(&variables, Some(home.path()), None)).await, "STS.role");
    assert_eq!(refused.load(Ordering::SeqCst), 1);
}
