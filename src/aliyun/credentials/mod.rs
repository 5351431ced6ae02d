//! Who asks: access keys, and where each kind of them is found.
//!
//! One file for each place that is looked at, behind one trait (`provider`); `chain` says in which order, and
//! `source` holds what was found and renews it. Secrets live in types that print as redacted; the only ways out are
//! signing a request and [`Credentials::redact`], which takes them out of texts. What files, programs and servers say
//! is never quoted where it may hold one.

mod account;
mod chain;
mod cli_profile;
mod environment;
mod error;
mod external;
mod ini;
mod issued;
mod metadata;
mod oidc;
mod provider;
mod role;
mod source;
mod uri;

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use self::provider::{Fetching, Grant, Missing};
use super::endpoint::Endpoint;
use super::sign::percent_encode;
use super::sts::Sts;

pub use chain::{Found, Wanted, find, region_of_profile};
pub use environment::secret_variables;
pub use error::{CredentialError, PassedOver};
pub(super) use issued::{Issued, SecretObject};
pub use provider::Context;
pub use source::CredentialSource;

/// The name of a session where nobody gives it one.
const SESSION_NAME: &str = "powerform";

/// Whether an error code says that the service refuses the credentials themselves, before it looks at the request.
/// Other ones may be accepted.
#[must_use]
pub fn refuses(code: &str) -> bool {
    code == "InvalidAccessKeyId"
        || code.starts_with("InvalidAccessKeyId.")
        || code.starts_with("InvalidSecurityToken")
}

/// The Security Token Service, where these surroundings and this network reach it. Beside an ECS on this machine, which
/// is a simulated one, it is that itself, unless the environment names another.
///
/// # Errors
/// [`CredentialError`] if the environment names an endpoint that is none, or TLS cannot be set up.
pub fn security_token_service(context: &Context, ecs: &Endpoint) -> Result<Sts, CredentialError> {
    let simulated = ecs.is_loopback().then(|| ecs.to_string());
    role::sts(context, None, false, simulated.as_deref()).map_err(|missing| CredentialError::Unusable {
        place: "the Security Token Service".to_owned(),
        why: missing.why().to_owned(),
    })
}

/// What a place that need not be waited for gives.
fn ready<'a>(outcome: Result<Grant, Missing>) -> Fetching<'a> {
    Box::pin(std::future::ready(outcome))
}

fn open_file_warning(path: &Path) -> String {
    let path = path.display();
    format!("others on this machine may read the credentials in {path}: run `chmod 600 {path}`")
}

/// An access key, and the security token that belongs to it where it is a temporary one (STS).
#[derive(Clone)]
pub struct Credentials {
    /// The key's id. Not a secret, but it names an account's user, so it is not shown without need.
    pub access_key_id: String,
    /// The key's secret.
    pub access_key_secret: SecretString,
    /// The token of temporary credentials.
    pub security_token: Option<SecretString>,
    /// Where the key was found, in words: "the environment (ALIBABA_CLOUD_ACCESS_KEY_ID)".
    pub source: String,
}

impl Credentials {
    /// The text without the secrets of these credentials, in any of the spellings that a request has: plain,
    /// percent-encoded, and encoded once more as in the text that is signed.
    ///
    /// Servers and proxies quote requests in their error messages; ECS itself quotes the text that it signed, and
    /// the security token is part of it. A secret of fewer than eight characters stays, because it may be part of an
    /// ordinary word.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let secrets = [Some(&self.access_key_secret), self.security_token.as_ref()];
        let secrets = secrets.into_iter().flatten().map(|secret| secret.expose_secret());
        secrets.fold(text.to_owned(), |text, secret| without_secret(&text, secret))
    }

    /// The same for an error code, which programs compare: what has the shape of a code is left as it is.
    #[must_use]
    pub fn redact_code(&self, code: &str) -> String {
        if has_shape_of_a_code(code) { code.to_owned() } else { self.redact(code) }
    }
}

/// The shortest secret that is taken out of texts, in characters. Those that Alibaba Cloud gives out have thirty and
/// more; only a simulator has shorter ones, and `s` or `test` would take ordinary words apart.
const SHORTEST_SECRET: usize = 8;

/// The longest error codes of ECS and STS stay well below.
const LONGEST_CODE: usize = 100;

/// The text without a secret, in any of the spellings that a request has; unless the secret is so short that it would
/// be found in ordinary words.
pub(super) fn without_secret(text: &str, secret: &str) -> String {
    if secret.chars().count() < SHORTEST_SECRET {
        return text.to_owned();
    }
    let once = percent_encode(secret);
    let twice = percent_encode(&once);
    let mut redacted = text.to_owned();
    for spelling in [twice.as_str(), once.as_str(), secret] {
        if redacted.contains(spelling) {
            redacted = redacted.replace(spelling, "[REDACTED]");
        }
    }
    redacted
}

/// Whether this is words joined by dots, as error codes are. Security tokens are longer and have other characters;
/// the secret itself is never sent, so no server can quote it.
pub(super) fn has_shape_of_a_code(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_CODE
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("access_key_secret", &"[REDACTED]")
            .field("security_token", &self.security_token.as_ref().map(|_| "[REDACTED]"))
            .field("source", &self.source)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> Credentials {
        Credentials {
            access_key_id: "STS.key".to_owned(),
            access_key_secret: "s3cr/et+".into(),
            security_token: Some("to ken=/*".into()),
            source: "a test".to_owned(),
        }
    }

    #[test]
    fn printing_credentials_shows_no_secret() {
        let text = format!("{:?} {:#?}", temporary(), temporary());
        assert!(text.contains("STS.key"));
        for secret in ["s3cr", "to ken", "to%20ken"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn secrets_are_taken_out_of_texts_in_every_spelling_of_a_request() {
        let credentials = temporary();
        let once = percent_encode("to ken=/*");
        let twice = percent_encode(&once);
        let text = format!("a s3cr/et+ b to ken=/* c {once} d {twice} e s3cr%2Fet%2B");
        assert_eq!(
            credentials.redact(&text),
            "a [REDACTED] b [REDACTED] c [REDACTED] d [REDACTED] e [REDACTED]"
        );
        assert_eq!(credentials.redact("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn a_secret_that_is_part_of_ordinary_words_takes_none_of_them_apart() {
        for secret in ["s", "secret", "test", "Expired"] {
            let credentials = Credentials { access_key_secret: secret.into(), ..temporary() };
            let text = "InvalidInstance.Expired: this secret of the test has expired";
            assert_eq!(credentials.redact(text), text, "{secret}");
        }
    }

    #[test]
    fn an_error_code_is_never_altered_and_what_is_none_is() {
        let credentials = Credentials { access_key_secret: "Signature".into(), ..temporary() };
        assert_eq!(credentials.redact_code("SignatureNonceUsed"), "SignatureNonceUsed");
        assert_eq!(credentials.redact("SignatureNonceUsed"), "[REDACTED]NonceUsed");
        assert_eq!(credentials.redact_code("Invalid to ken=/*"), "Invalid [REDACTED]");
    }
}
