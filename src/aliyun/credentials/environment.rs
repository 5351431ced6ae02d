//! Access keys in the environment.

use super::provider::{Context, Fetching, Grant, Missing, Provider};
use super::{Credentials, ready};
use crate::aliyun::surroundings::Surroundings;

/// The names that a key may have, in the order in which they are looked for. The first are those of the official
/// libraries; the others are what the Alibaba Cloud CLI and the Terraform provider fall back to. The halves of a key
/// are never taken from two rows.
const NAMES: [Names; 5] = [
    Names {
        id: "ALIBABA_CLOUD_ACCESS_KEY_ID",
        secret: "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        token: "ALIBABA_CLOUD_SECURITY_TOKEN",
    },
    Names {
        id: "ALIBABACLOUD_ACCESS_KEY_ID",
        secret: "ALIBABACLOUD_ACCESS_KEY_SECRET",
        token: "ALIBABACLOUD_SECURITY_TOKEN",
    },
    Names {
        id: "ALICLOUD_ACCESS_KEY_ID",
        secret: "ALICLOUD_ACCESS_KEY_SECRET",
        token: "ALICLOUD_SECURITY_TOKEN",
    },
    Names { id: "ALICLOUD_ACCESS_KEY", secret: "ALICLOUD_SECRET_KEY", token: "ALICLOUD_SECURITY_TOKEN" },
    Names { id: "ACCESS_KEY_ID", secret: "ACCESS_KEY_SECRET", token: "SECURITY_TOKEN" },
];

struct Names {
    id: &'static str,
    secret: &'static str,
    token: &'static str,
}

/// The variables whose values are keys, tokens or lead to them: not for other programs.
pub fn secret_variables() -> impl Iterator<Item = &'static str> {
    let keys = NAMES.iter().flat_map(|names| [names.id, names.secret, names.token]);
    keys.chain(["ALIBABA_CLOUD_CREDENTIALS_URI", "ALICLOUD_CREDENTIALS_URI"])
}

/// The environment.
pub(super) struct Environment;

impl Provider for Environment {
    fn place(&self) -> String {
        "the environment".to_owned()
    }

    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a> {
        ready(read(&context.surroundings).map(Grant::lasting))
    }
}

fn read(around: &Surroundings) -> Result<Credentials, Missing> {
    let mut half = None;
    for Names { id, secret, token } in &NAMES {
        match (around.variable(id), around.variable(secret)) {
            (Some(key), Some(value)) => {
                let token_value = around.variable(token);
                let given = [(id, Some(&key)), (secret, Some(&value)), (token, token_value.as_ref())];
                for (name, value) in given {
                    // Usually a line break from the file that it was read from; it would end as a wrong signature.
                    if value.is_some_and(|value| value.trim() != value) {
                        return Err(Missing::broken(format!(
                            "the value of {name} begins or ends with a space or a line break, which no key does: set \
                             it again without"
                        )));
                    }
                }
                return Ok(Credentials {
                    access_key_id: key,
                    access_key_secret: value.into(),
                    security_token: token_value.map(Into::into),
                    source: format!("the environment ({id})"),
                });
            }
            (Some(_), None) => half = half.or(Some((id, secret))),
            (None, Some(_)) => half = half.or(Some((secret, id))),
            (None, None) => {}
        }
    }
    Err(match half {
        Some((there, missing)) => Missing::broken(format!(
            "{there} is set and {missing} is not: set {missing} too, or unset {there}"
        )),
        None => Missing::absent(format!(
            "neither {} and {} nor an older name of theirs is set",
            NAMES[0].id, NAMES[0].secret
        )),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::aliyun::surroundings::tests::surroundings;

    const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
    const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
    const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

    fn found(variables: &[(&str, &str)]) -> Result<Credentials, Missing> {
        read(&surroundings(variables, None))
    }

    #[test]
    fn a_key_and_a_temporary_key_are_read() {
        let plain = found(&[(ID, "id"), (SECRET, "secret"), (TOKEN, "")]).expect("complete");
        assert_eq!((plain.access_key_id.as_str(), plain.access_key_secret.expose_secret()), ("id", "secret"));
        assert!(plain.security_token.is_none(), "an empty variable counts as unset");
        assert_eq!(plain.source, "the environment (ALIBABA_CLOUD_ACCESS_KEY_ID)");
        let temporary = found(&[(ID, "STS.id"), (SECRET, "secret"), (TOKEN, "token")]).expect("complete");
        assert_eq!(temporary.security_token.expect("is there").expose_secret(), "token");
    }

    #[test]
    fn every_older_name_is_read_and_newer_ones_come_first() {
        let all: Vec<(&str, &str)> =
            NAMES.iter().flat_map(|names| [(names.id, names.id), (names.secret, "secret")]).collect();
        for (position, names) in NAMES.iter().enumerate() {
            let known = found(&all[position * 2..]).expect("complete");
            assert_eq!(known.access_key_id, names.id);
            let with_token = found(&[(names.id, "i"), (names.secret, "s"), (names.token, "t")]);
            assert!(with_token.expect("complete").security_token.is_some(), "{}", names.token);
        }
    }

    #[test]
    fn halves_of_a_key_are_never_put_together() {
        let mixed = found(&[(ID, "id"), ("ALICLOUD_ACCESS_KEY_SECRET", "s3cret")]).expect_err("halves");
        assert_eq!(
            mixed,
            Missing::broken(format!("{ID} is set and {SECRET} is not: set {SECRET} too, or unset {ID}"))
        );
        let half = found(&[(SECRET, "s3cret")]).expect_err("half");
        assert!(half.why().starts_with(&format!("{SECRET} is set and {ID} is not")), "{half}");
        let older = found(&[(ID, "id"), ("ACCESS_KEY_ID", "old"), ("ACCESS_KEY_SECRET", "s")]).expect("one");
        assert_eq!(older.access_key_id, "old");
        assert!(matches!(found(&[]).expect_err("none"), Missing::Absent(_)));
        assert!(matches!(found(&[(TOKEN, "t")]).expect_err("none"), Missing::Absent(_)));
    }

    #[test]
    fn a_line_break_at_the_end_of_a_secret_is_named_instead_of_failing_as_a_wrong_signature() {
        let error = found(&[(ID, "id"), (SECRET, "s3cret\n")]).expect_err("line break");
        assert!(error.why().contains(SECRET) && !error.why().contains("s3cret"), "{error}");
        assert!(found(&[(ID, "id"), (SECRET, "s"), (TOKEN, " t")]).is_err());
    }
}
