//! Access keys from the environment variables that the official SDKs and the Alibaba Cloud CLI read.

use super::Credentials;

const KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const KEY_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const SECURITY_TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// Why the environment gave no credentials. Holds names of variables, never their values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Neither half of a key is there.
    #[error(
        "no credentials were found: looked for {KEY_ID} and {KEY_SECRET} in the environment, and neither is set. Set \
         both (and {SECURITY_TOKEN} for temporary credentials); keys are made in the console > RAM > Users > \
         the user > AccessKey"
    )]
    NotSet,
    /// Only one half of a key is there.
    #[error(
        "the credentials in the environment are incomplete: {set} is set and {missing} is not. Set {missing} too, or \
         unset {set}"
    )]
    Incomplete {
        /// The variable that is set.
        set: &'static str,
        /// The variable that is missing.
        missing: &'static str,
    },
    /// A value that no key has, usually a line break from the file that it was read from.
    #[error(
        "the value of {variable} begins or ends with a space or a line break, which no key does. Set it again without"
    )]
    Surrounded {
        /// The variable.
        variable: &'static str,
    },
}

/// Reads `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for temporary credentials,
/// `ALIBABA_CLOUD_SECURITY_TOKEN` through the given look-up. A variable that is set to nothing counts as unset.
///
/// # Errors
/// [`EnvironmentError`], which names what is missing and what to do.
pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Credentials, EnvironmentError> {
    let read = |name: &'static str| -> Result<Option<String>, EnvironmentError> {
        match variable(name).filter(|value| !value.is_empty()) {
            Some(value) if value.trim() != value => Err(EnvironmentError::Surrounded { variable: name }),
            other => Ok(other),
        }
    };
    match (read(KEY_ID)?, read(KEY_SECRET)?) {
        (Some(access_key_id), Some(secret)) => Ok(Credentials {
            access_key_id,
            access_key_secret: secret.into(),
            security_token: read(SECURITY_TOKEN)?.map(Into::into),
            source: format!("the environment ({KEY_ID})"),
        }),
        (Some(_), None) => Err(EnvironmentError::Incomplete { set: KEY_ID, missing: KEY_SECRET }),
        (None, Some(_)) => Err(EnvironmentError::Incomplete { set: KEY_SECRET, missing: KEY_ID }),
        (None, None) => Err(EnvironmentError::NotSet),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Credentials, EnvironmentError> {
        from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_key_and_a_temporary_key_are_read() {
        let plain = read(&[(KEY_ID, "id"), (KEY_SECRET, "secret"), (SECURITY_TOKEN, "")]).expect("complete");
        assert_eq!(plain.access_key_id, "id");
        assert_eq!(plain.access_key_secret.expose_secret(), "secret");
        assert!(plain.security_token.is_none(), "an empty variable counts as unset");
        let temporary =
            read(&[(KEY_ID, "STS.id"), (KEY_SECRET, "secret"), (SECURITY_TOKEN, "token")]).expect("complete");
        assert_eq!(temporary.security_token.expect("is there").expose_secret(), "token");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(read(&[]).expect_err("empty"), EnvironmentError::NotSet);
        assert_eq!(read(&[(SECURITY_TOKEN, "t")]).expect_err("no key"), EnvironmentError::NotSet);
        let half = read(&[(KEY_ID, "id"), (KEY_SECRET, "")]).expect_err("half");
        assert_eq!(half, EnvironmentError::Incomplete { set: KEY_ID, missing: KEY_SECRET });
        assert!(half.to_string().contains("ALIBABA_CLOUD_ACCESS_KEY_SECRET is not"), "{half}");
        let half = read(&[(KEY_SECRET, "s3cr3t")]).expect_err("half");
        assert_eq!(half, EnvironmentError::Incomplete { set: KEY_SECRET, missing: KEY_ID });
        assert!(!half.to_string().contains("s3cr3t"));
    }

    #[test]
    fn a_line_break_at_the_end_of_a_secret_is_named_instead_of_failing_as_a_wrong_signature() {
        let error = read(&[(KEY_ID, "id"), (KEY_SECRET, "s3cr3t\n")]).expect_err("line break");
        assert_eq!(error, EnvironmentError::Surrounded { variable: KEY_SECRET });
        assert!(!error.to_string().contains("s3cr3t"));
    }
}
