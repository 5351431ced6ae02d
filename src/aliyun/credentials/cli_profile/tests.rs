//! Every mode of the Alibaba Cloud CLI's profiles, with files in a folder of their own.

use serde_json::{Value, json};

use super::*;
use crate::aliyun::credentials::account::Account;
use crate::aliyun::scripted::{Asked, Said, Server};
use crate::aliyun::surroundings::tests::surroundings;
use crate::aliyun::transport::Transport;

/// A file with these profiles, of which the first is the current one.
struct Home(tempfile::TempDir);

impl Home {
    fn new(profiles: &[Value]) -> Self {
        let current = profiles.first().map(|profile| profile["name"].clone());
        Self::with(&json!({"current": current, "profiles": profiles}).to_string())
    }

    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(DEFAULT_FILE);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("created");
        std::fs::write(&path, text).expect("written");
        let home = Self(folder);
        home.set_mode(0o600);
        home
    }

    #[cfg(unix)]
    fn set_mode(&self, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.path().join(DEFAULT_FILE);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("allowed");
    }

    #[cfg(not(unix))]
    fn set_mode(&self, _: u32) {}

    async fn fetch(&self, name: Option<&str>, variables: &[(&str, &str)]) -> Result<Grant, Missing> {
        self.fetch_by(name, variables, None).await
    }

    async fn fetch_by(
        &self,
        name: Option<&str>,
        variables: &[(&str, &str)],
        metadata: Option<&Server>,
    ) -> Result<Grant, Missing> {
        let mut around = surroundings(variables, Some(self.0.path()));
        if let Some(server) = metadata {
            around.metadata_service.clone_from(&server.address);
        }
        let context =
            Context { surroundings: around, transport: Transport::default(), region: None, vpc: false };
        CliProfile { name: name.map(str::to_owned) }.fetch(&context).await
    }
}

fn ak(name: &str) -> Value {
    json!({"name": name, "mode": "AK", "access_key_id": format!("id-{name}"), "access_key_secret": "s3cret"})
}

/// STS, a metadata service and a credentials URI in one. STS numbers what it gives.
fn services(before: usize, asked: &Asked) -> Said {
    let key = match asked.path.as_str() {
        "/latest/api/token" => return Said::Body(200, "t-1".to_owned()),
        "/latest/meta-data/ram/security-credentials/" => return Said::Body(200, "worker".to_owned()),
        "/latest/meta-data/ram/security-credentials/worker" => "STS.worker".to_owned(),
        "/uri" => "STS.uri".to_owned(),
        _ => format!("STS.{before}"),
    };
    let given = json!({"Code": "Success", "AccessKeyId": key, "AccessKeySecret": "s3cret", "SecurityToken": "t0ken",
        "Expiration": "2027-01-15T09:00:00Z"});
    let body = if asked.path == "/" { json!({"Credentials": given}) } else { given };
    Said::Body(200, body.to_string())
}

#[tokio::test]
async fn the_profile_of_the_file_the_environment_or_the_cli_is_used() {
    let home = Home::new(&[ak("a"), ak("b"), ak("c"), ak("d")]);
    let variables =
        [("ALICLOUD_PROFILE", "d"), ("ALIBABACLOUD_PROFILE", "b"), ("ALIBABA_CLOUD_PROFILE", "c")];
    for (name, variables, key) in [
        (Some("a"), &variables[..], "id-a"),
        (None, &variables[..], "id-c"),
        (None, &variables[..2], "id-b"),
        (None, &variables[..1], "id-d"),
        (None, &[], "id-a"),
    ] {
        let grant = home.fetch(name, variables).await.expect("a key");
        assert_eq!(grant.credentials.access_key_id, key);
        let place = format!("the profile \"{}\" of {}", &key[3..], home.0.path().display());
        assert!(grant.credentials.source.starts_with(&place), "{}", grant.credentials.source);
    }
    let missing = home.fetch(Some("x"), &[]).await.expect_err("no such profile");
    assert!(missing.why().ends_with("has no profile \"x\" (it has a, b, c, d)"), "{missing}");
    for name in FORBIDDEN {
        let off = home.fetch(None, &[(name, "TRUE")]).await.expect_err("off");
        assert_eq!(off, Missing::absent(format!("{name} is true")));
    }
    for name in FILE {
        let elsewhere = home.0.path().join("none.json").display().to_string();
        let missing = home.fetch(None, &[(name, &elsewhere)]).await.expect_err("no such file");
        assert_eq!(missing, Missing::absent(format!("there is no {elsewhere}")));
    }
}

#[tokio::test]
async fn every_mode_gives_its_credentials_whatever_its_letter_case() {
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), "0idc.token\n").expect("written");
    let server = Server::start(services).await;
    let uri = format!("{}/uri", server.address);
    let key = json!({"access_key_id": "id", "access_key_secret": "s3cret"});
    let role =
        json!({"ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "s1", "expired_seconds": 1800});
    for (mode, keys, found) in [
        ("AK", vec![&key], "id"),
        ("", vec![&key], "id"),
        ("STSTOKEN", vec![&key, &json!({"sts_token": "t0ken"})], "id"),
        ("ramRoleArn", vec![&key, &role], "STS."),
        ("EcsRamRole", vec![], "STS.worker"),
        ("EcsRamRole", vec![&json!({"ram_role_name": "worker"})], "STS.worker"),
        ("RamRoleArnWithEcs", vec![&role], "STS."),
        ("RamRoleArnWithRoleName", vec![&role, &json!({"ram_role_name": "worker"})], "STS."),
        (
            "OIDC",
            vec![&role, &json!({"oidc_provider_arn": "p", "oidc_token_file": token.path().to_str()})],
            "STS.",
        ),
        ("CredentialsURI", vec![&json!({"credentials_uri": uri})], "STS.uri"),
        #[cfg(unix)]
        (
            "External",
            vec![&json!({"process_command": r#"printf '{"access_key_id":"x","access_key_secret":"y"}'"#})],
            "x",
        ),
        ("ChainableRamRoleArn", vec![&role, &json!({"source_profile": "base"})], "STS."),
    ] {
        let mut profile = json!({"name": "p", "mode": mode});
        for keys in keys {
            let keys = keys.as_object().expect("an object").clone();
            profile.as_object_mut().expect("an object").extend(keys);
        }
        let home = Home::new(&[profile, ak("base")]);
        let variables = [("ALIBABA_CLOUD_ENDPOINT_STS", server.address.as_str())];
        let grant = home.fetch_by(None, &variables, Some(&server)).await;
        let grant = grant.unwrap_or_else(|missing| panic!("{mode}: {missing}"));
        assert!(grant.credentials.access_key_id.starts_with(found), "{mode}: {:?}", grant.credentials);
        assert!(grant.credentials.source.starts_with("the profile \"p\" of"), "{mode}");
        let account = match (mode, found) {
            ("AK" | "", _) => Account::Key("id".to_owned()),
            ("EcsRamRole", _) => Account::InstanceRole("worker".to_owned()),
            (_, "STS.") => Account::Role("acs:ram::1:role/r".to_owned()),
            _ => Account::Unknown,
        };
        assert_eq!(grant.account, account, "{mode}");
        if found == "STS." {
            let asked = server.asked().pop().expect("STS was asked");
            assert_eq!(asked.parameter("DurationSeconds"), Some("1800"), "{mode}");
            assert_eq!(asked.parameter("RoleSessionName"), Some("s1"), "{mode}");
        }
    }
}

#[tokio::test]
async fn a_temporary_key_is_good_until_its_expiration() {
    let profile = |end: Value| {
        json!({"name": "p", "mode": "StsToken", "access_key_id": "i", "access_key_secret": "s3cret",
            "sts_token": "t", "sts_expiration": end})
    };
    let end = Lifetime::Until(jiff::Timestamp::from_second(1_800_003_600).expect("within range"));
    for (written, lifetime) in [
        (json!(1_800_003_600), end),
        (json!("1800003600"), end),
        (json!(0), Lifetime::Unknown),
        (json!(i64::MAX), Lifetime::Unknown),
        (Value::Null, Lifetime::Unknown),
    ] {
        let grant = Home::new(&[profile(written)]).fetch(None, &[]).await.expect("a key");
        assert_eq!(grant.lifetime, lifetime);
    }
}

#[tokio::test]
async fn modes_that_are_not_supported_are_refused_by_name_with_a_remedy() {
    for (mode, remedy) in [
        ("CloudSSO", "External"),
        ("OAuth", "External"),
        ("BearerToken", "aliyun configure"),
        ("anonymous", "aliyun configure"),
        ("RsaKeyPair", "aliyun configure"),
        ("Teleport", "use AK"),
    ] {
        let mut profile = ak("p");
        profile["mode"] = json!(mode);
        let missing = Home::new(&[profile]).fetch(None, &[]).await.expect_err(mode);
        let text = missing.why().to_ascii_lowercase();
        assert!(
            text.contains(&format!("mode {}", mode.to_lowercase()))
                || text.contains(&format!("mode \"{}\"", mode.to_lowercase())),
            "{text}"
        );
        assert!(missing.why().contains(remedy) && !missing.why().contains("s3cret"), "{missing}");
    }
}

#[tokio::test]
async fn what_a_profile_lacks_is_named() {
    for (mode, lacks) in [
        ("AK", "access_key_id"),
        ("StsToken", "sts_token"),
        ("RamRoleArn", "access_key_id"),
        ("OIDC", "ram_role_arn"),
        ("External", "process_command"),
        ("CredentialsURI", "credentials_uri"),
        ("ChainableRamRoleArn", "source_profile"),
    ] {
        let missing =
            Home::new(&[json!({"name": "p", "mode": mode})]).fetch(None, &[]).await.expect_err(mode);
        assert!(missing.why().contains(&format!("has no {lacks}")), "{mode}: {missing}");
    }
    let missing = Home::with("{\"profiles\": [\"s3cret\" 1").fetch(None, &[]).await.expect_err("no JSON");
    assert!(missing.why().contains("is not JSON") && !missing.why().contains("s3cret"), "{missing}");
}

#[tokio::test]
async fn roles_are_taken_on_one_after_the_other() {
    let chained = |name: &str, source: &str| {
        json!({"name": name, "mode": "ChainableRamRoleArn", "source_profile": source,
            "ram_role_arn": format!("acs:ram::1:role/{name}"), "external_id": "x"})
    };
    let server = Server::start(services).await;
    let variables = [("ALIBABA_CLOUD_ENDPOINT_STS", server.address.as_str())];
    let home = Home::new(&[chained("top", "middle"), chained("middle", "base"), ak("base")]);
    let grant = home.fetch(None, &variables).await.expect("granted");
    assert_eq!(grant.credentials.access_key_id, "STS.1");
    let asked = server.asked();
    let roles: Vec<_> = asked.iter().map(|asked| asked.parameter("RoleArn").expect("a role")).collect();
    assert_eq!(roles, ["acs:ram::1:role/middle", "acs:ram::1:role/top"]);
    let keys: Vec<_> = asked.iter().map(|asked| asked.parameter("AccessKeyId").expect("signed")).collect();
    assert_eq!(keys, ["id-base", "STS.0"]);

    for (profiles, words) in [
        (vec![chained("a", "a")], "leads in a circle in "),
        (vec![chained("a", "b"), chained("b", "c"), chained("c", "b")], ": a -> b -> c -> b"),
        (vec![chained("a", "x")], "names the source_profile \"x\", which is not there (it has a)"),
        ((0..20).map(|i| chained(&format!("p{i}"), &format!("p{}", i + 1))).collect(), "leads too far"),
    ] {
        let missing = Home::new(&profiles).fetch(None, &variables).await.expect_err("refused");
        assert!(missing.why().contains(words), "{missing}");
    }
    assert_eq!(server.asked().len(), 2, "a circle is seen before anybody is asked");
}

#[tokio::test]
async fn the_region_of_the_profile_is_found() {
    let mut profile = ak("a");
    profile["region_id"] = json!("cn-beijing");
    let home = Home::new(&[profile, ak("b")]);
    let around = surroundings(&[], Some(home.0.path()));
    let (found, place) = region(None, &around).expect("written");
    assert_eq!(found, "cn-beijing");
    assert!(place.starts_with("the profile \"a\" of "), "{place}");
    assert_eq!(region(Some("b"), &around), None);
    assert_eq!(region(Some("x"), &around), None);
    assert_eq!(region(None, &surroundings(&[], None)), None);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_read_is_warned_of() {
    let home = Home::new(&[ak("a")]);
    assert_eq!(home.fetch(None, &[]).await.expect("a key").warnings, Vec::<String>::new());
    home.set_mode(0o640);
    let grant = home.fetch(None, &[]).await.expect("a key");
    let path = home.0.path().join(DEFAULT_FILE).display().to_string();
    assert_eq!(
        grant.warnings,
        [format!("others on this machine may read the credentials in {path}: run `chmod 600 {path}`")]
    );
}
