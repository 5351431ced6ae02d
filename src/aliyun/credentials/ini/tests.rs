//! Credentials files in a folder of their own.

use proptest::prelude::*;

use super::*;
use crate::aliyun::scripted::{Asked, Said, Server};
use crate::aliyun::surroundings::tests::surroundings;
use crate::aliyun::transport::Transport;

const KEY: &str = "access_key_id = testid\naccess_key_secret = t3st-secret\n";

struct Home(tempfile::TempDir);

impl Home {
    fn new(name: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("created");
        std::fs::write(&path, text).expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("allowed");
        }
        Self(folder)
    }

    fn context(&self, variables: &[(&str, &str)]) -> Context {
        Context {
            surroundings: surroundings(variables, Some(self.0.path())),
            transport: Transport::default(),
            region: None,
            vpc: false,
        }
    }

    async fn fetch(&self, variables: &[(&str, &str)]) -> Result<Grant, Missing> {
        IniFile.fetch(&self.context(variables)).await
    }
}

fn issue(_: usize, _: &Asked) -> Said {
    let body = r#"{"Credentials":{"AccessKeyId":"STS.new","AccessKeySecret":"n3w","SecurityToken":"t",
        "Expiration":"2027-01-15T09:00:00Z"}}"#;
    Said::Body(200, body.to_owned())
}

#[tokio::test]
async fn the_section_that_is_named_is_read_from_either_default_file() {
    for name in DEFAULT_FILES {
        let text = format!(
            "# a comment\nstray = 1\n[default]\n{KEY}\n; another\n[ other ]\r\nType=access_key\n{KEY}"
        );
        let home = Home::new(name, &text);
        let grant = home.fetch(&[]).await.expect("a key");
        assert_eq!(grant.credentials.access_key_id, "testid");
        assert!(grant.credentials.source.starts_with("the section [default] of "), "{:?}", grant.credentials);
        assert_eq!(grant.warnings, Vec::<String>::new());
        let other = home.fetch(&[("ALIBABA_CLOUD_PROFILE", "other")]).await.expect("a key");
        assert!(other.credentials.source.contains("[other]"), "{:?}", other.credentials);
        let missing = home.fetch(&[("ALIBABA_CLOUD_PROFILE", "third")]).await.expect_err("no section");
        assert!(
            matches!(&missing, Missing::Absent(why) if why.contains("no section [third]")),
            "{missing:?}"
        );
    }
    let home = Home::new("elsewhere", &format!("[default]\n{KEY}"));
    let path = home.0.path().join("elsewhere").display().to_string();
    assert!(home.fetch(&[(FILE, &path)]).await.is_ok());
    let missing = home.fetch(&[]).await.expect_err("not where it is looked for");
    assert!(missing.why().contains("credentials and no "), "{missing}");
}

#[tokio::test]
async fn roles_are_taken_on_at_sts() {
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), " 0idc.token\n").expect("written");
    let oidc = format!(
        "type = oidc_role_arn\nrole_arn = acs:ram::1:role/r\noidc_provider_arn = acs:ram::1:oidc-provider/p\n\
         oidc_token_file_path = {}\nrole_session_name = s1\n",
        token.path().display()
    );
    let role = format!(
        "type = ram_role_arn\n{KEY}role_arn = acs:ram::1:role/r\nrole_session_name = s1\npolicy = {{}}\n"
    );
    for (section, action) in [(role, "AssumeRole"), (oidc, "AssumeRoleWithOIDC")] {
        let server = Server::start(issue).await;
        let home = Home::new(DEFAULT_FILES[0], &format!("[default]\n{section}"));
        let grant = home.fetch(&[("ALIBABA_CLOUD_ENDPOINT_STS", &server.address)]).await.expect("granted");
        assert_eq!(grant.credentials.access_key_id, "STS.new");
        let asked = &server.asked()[0];
        assert_eq!(asked.parameter("Action"), Some(action));
        assert_eq!(asked.parameter("RoleArn"), Some("acs:ram::1:role/r"));
        assert_eq!(asked.parameter("RoleSessionName"), Some("s1"));
        let token = (action == "AssumeRoleWithOIDC").then_some("0idc.token");
        assert_eq!(asked.parameter("OIDCToken"), token);
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_named_and_not_quoted() {
    for (text, words) in [
        ("[default]\ntype = rsa_key_pair\nprivate_key_file = s3cret", "the type \"rsa_key_pair\""),
        ("[default]\naccess_key_id = i", "has no access_key_secret"),
        ("[default]\naccess_key_secret = s3cret", "has no access_key_id"),
        ("[default]\ntype = ram_role_arn\naccess_key_id = i\naccess_key_secret = s3cret", "has no role_arn"),
        ("[default]\nenable = false\naccess_key_id = i\naccess_key_secret = s3cret", "enable = false"),
        ("[default\naccess_key_secret = s3cret", "line 1 has a [ without a ]"),
        ("[default]\ns3cret", "line 2 is neither"),
        ("{\"access_key_secret\": \"s3cret\"}", "ALIBABA_CLOUD_CONFIG_FILE"),
    ] {
        let missing = Home::new(DEFAULT_FILES[0], text).fetch(&[]).await.expect_err(text);
        assert!(missing.why().contains(words) && !missing.why().contains("s3cret"), "{missing}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new(DEFAULT_FILES[0], &format!("[default]\n{KEY}"));
    let path = home.0.path().join(DEFAULT_FILES[0]);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("allowed");
    let grant = home.fetch(&[]).await.expect("a key");
    assert_eq!(grant.warnings.len(), 1);
    assert!(grant.warnings[0].contains("chmod 600"), "{:?}", grant.warnings);
}

proptest! {
    #[test]
    fn no_text_panics(any in ".{0,200}", lines in proptest::collection::vec("[\\[\\]=;# a-c]{0,8}", 0..20)) {
        for text in [any, lines.join("\n")] {
            if let Ok(sections) = Sections::read(&text) {
                let keys: usize = sections.0.values().map(BTreeMap::len).sum();
                prop_assert!(keys + sections.0.len() <= text.lines().count());
            }
        }
    }
}
