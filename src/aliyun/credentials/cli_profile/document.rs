//! The Alibaba Cloud CLI's `config.json`: profiles by name.
//!
//! Pure. Values may be secrets, so none is ever printed or quoted.

use serde_json::Value;

use crate::aliyun::credentials::issued::SecretObject;

/// The file.
#[derive(Debug)]
pub(super) struct Document {
    current: Option<String>,
    profiles: Vec<Profile>,
}

/// One profile.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) mode: Mode,
    /// Its other keys.
    pub(super) values: SecretObject,
}

/// How a profile gets credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Ak,
    StsToken,
    RamRoleArn,
    EcsRamRole,
    RamRoleArnWithEcs,
    ChainableRamRoleArn,
    Oidc,
    External,
    CredentialsUri,
    /// One that this program does not speak: its name, and what to do instead.
    Refused(&'static str, &'static str),
    /// A word of the future, or a slip.
    Unknown(String),
}

const SIGN_IN: &str = "let a command that prints temporary credentials stand in a profile of mode External, or set \
     ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN";

const MAKE_KEY: &str = "use a profile with an access key or a role: `aliyun configure --mode AK`";

/// Every mode, by its name in lower case: the CLI matches it without case.
const MODES: &[(&str, Mode)] = &[
    ("ak", Mode::Ak),
    ("ststoken", Mode::StsToken),
    ("ramrolearn", Mode::RamRoleArn),
    ("ecsramrole", Mode::EcsRamRole),
    ("ramrolearnwithecs", Mode::RamRoleArnWithEcs),
    ("ramrolearnwithrolename", Mode::RamRoleArnWithEcs),
    ("chainableramrolearn", Mode::ChainableRamRoleArn),
    ("oidc", Mode::Oidc),
    ("external", Mode::External),
    ("credentialsuri", Mode::CredentialsUri),
    ("cloudsso", Mode::Refused("CloudSSO", SIGN_IN)),
    ("oauth", Mode::Refused("OAuth", SIGN_IN)),
    ("bearertoken", Mode::Refused("BearerToken", MAKE_KEY)),
    ("anonymous", Mode::Refused("Anonymous", MAKE_KEY)),
    ("rsakeypair", Mode::Refused("RsaKeyPair", MAKE_KEY)),
];

impl Document {
    /// Reads the file. The error says what is wrong with it as a whole and quotes nothing.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut whole = SecretObject::read(text.as_bytes()).map_err(|error| error.to_string())?;
        let current = whole.text("current").map(str::to_owned);
        let list = match whole.take("profiles") {
            Some(Value::Array(list)) => list,
            Some(_) => return Err("its `profiles` is not a list".to_owned()),
            None => return Err("it has no `profiles`".to_owned()),
        };
        let profiles = list.into_iter().filter_map(Profile::read).collect();
        Ok(Self { current, profiles })
    }

    /// The name of the profile that is used where nobody names one.
    pub(super) fn current(&self) -> &str {
        self.current.as_deref().unwrap_or("default")
    }

    /// The first profile of a name, as the CLI finds it.
    pub(super) fn find(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// The names of all profiles, for people who look for one.
    pub(super) fn names(&self) -> String {
        const MOST: usize = 10;
        let mut names: Vec<&str> =
            self.profiles.iter().take(MOST).map(|profile| profile.name.as_str()).collect();
        if self.profiles.len() > MOST {
            names.push("...");
        }
        if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) }
    }
}

impl Profile {
    fn read(value: Value) -> Option<Self> {
        let Value::Object(map) = value else { return None };
        let values = SecretObject::new(map);
        let name = values.text("name")?.to_owned();
        // The oldest files have no mode.
        let mode = values.text("mode").unwrap_or("AK");
        let known = MODES.iter().find(|(word, _)| mode.eq_ignore_ascii_case(word));
        let mode = known.map_or_else(|| Mode::Unknown(mode.to_owned()), |(_, mode)| mode.clone());
        Some(Self { name, mode, values })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn profiles_are_found_by_name_and_modes_in_any_letter_case() {
        let document = Document::read(
            r#"{"current":"b","meta_path":"","profiles":[
                {"name":"a","mode":"ak"},{"name":"b","mode":"STSTOKEN"},{"name":"b","mode":"AK"},{"name":"c"},
                {"name":"d","mode":"RamRoleArnWithRoleName"},{"name":"e","mode":"Teleport"},
                {"name":""},{"mode":"AK"},7,null]}"#,
        )
        .expect("readable");
        assert_eq!(document.current(), "b");
        for (name, mode) in [
            ("a", Mode::Ak),
            ("b", Mode::StsToken),
            ("c", Mode::Ak),
            ("d", Mode::RamRoleArnWithEcs),
            ("e", Mode::Unknown("Teleport".to_owned())),
        ] {
            assert_eq!(document.find(name).expect("there").mode, mode, "{name}");
        }
        assert!(document.find("B").is_none());
        assert_eq!(document.names(), "it has a, b, b, c, d, e");
    }

    #[test]
    fn what_is_no_such_file_is_said_without_quoting_it() {
        for (text, words) in [
            ("", "not JSON"),
            ("[default]\naccess_key_secret = s3cret", "not JSON"),
            ("[]", "not a JSON object"),
            ("{}", "it has no `profiles`"),
            (r#"{"profiles":{"s3cret":1}}"#, "not a list"),
        ] {
            let error = Document::read(text).expect_err("refused");
            assert!(error.contains(words) && !error.contains("s3cret"), "{error}");
        }
        let empty = Document::read(r#"{"profiles":[]}"#).expect("readable");
        assert_eq!((empty.current(), empty.names().as_str()), ("default", "it has none"));
        assert!(Document::read(&"[".repeat(100_000)).is_err(), "deep nesting is refused, not followed");
    }

    proptest! {
        #[test]
        fn no_text_panics(
            text in ".{0,200}",
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"profiles\"", "\"name\"", "\"mode\"", "\"AK\"", "null", "1e999",
                    "\"\\ud800\"", "\"current\"", " ",
                ]),
                0..40,
            ),
        ) {
            for text in [text, pieces.concat()] {
                if let Ok(document) = Document::read(&text) {
                    let _ = (document.find(document.current()).is_some(), document.names());
                }
            }
        }
    }
}
