//! `assume_role` in the `provider` block.

use std::fmt;
use std::time::Duration;

use super::fields::{Field, Keys, Reader};
use super::problem::quoted;
use super::provider::plain_text;

/// `assume_role`.
#[derive(Clone, PartialEq, Eq)]
pub struct RoleToAssume {
    /// The role: `acs:ram::{account}:role/{name}`.
    pub arn: String,
    /// The name of the session, which the account's audit log shows.
    pub session_name: String,
    /// How long its credentials shall last. `None` leaves it to STS: an hour.
    pub duration: Option<Duration>,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// A policy in JSON that narrows down what the credentials allow.
    pub policy: Option<String>,
}

impl fmt::Debug for RoleToAssume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An external id is shared with few.
        f.debug_struct("RoleToAssume")
            .field("arn", &self.arn)
            .field("session_name", &self.session_name)
            .field("duration", &self.duration)
            .field("has_external_id", &self.external_id.is_some())
            .field("policy", &self.policy)
            .finish()
    }
}

pub(super) const ASSUME_ROLE: Keys<5> = Keys {
    of: "`assume_role`",
    known: ["arn", "session_name", "duration", "external_id", "policy"],
    later: &[],
};

/// The shortest and the longest time that STS gives credentials for, in seconds.
const ROLE_SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;

/// Reads the block.
pub(super) fn assume_role<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<RoleToAssume> {
    const EXAMPLE: &str = "`{ arn: \"acs:ram::123:role/ops\", session_name: powerform }`";
    let pairs = reader.mapping(field, EXAMPLE)?;
    let [arn, session_name, duration, external_id, policy] = reader.fields(pairs, &ASSUME_ROLE);
    for (key, missing) in [("arn", arn.is_none()), ("session_name", session_name.is_none())] {
        if missing {
            let finding = reader
                .error(field.key, format!("`assume_role` has no `{key}`"))
                .help(format!("write {EXAMPLE}"));
            reader.add(finding);
        }
    }
    // All are looked at before any that is missing ends it.
    let arn = arn.and_then(|field| role_arn(reader, field));
    let session_name = session_name.and_then(|field| role_session(reader, field));
    Some(RoleToAssume {
        duration: duration.and_then(|field| role_duration(reader, field)),
        external_id: external_id.and_then(|field| {
            plain_text(reader, field, "an external id", "the id that the role's owner gave")
        }),
        policy: policy.and_then(|field| role_policy(reader, field)),
        arn: arn?,
        session_name: session_name?,
    })
}

fn role_arn<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    const WANTED: &str = "a role like acs:ram::123456789012:role/ops";
    let text = reader.text(field, WANTED, WANTED)?;
    let parts = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/"));
    let valid = parts.is_some_and(|(account, name)| {
        !account.is_empty()
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./@".contains(&byte))
    });
    if valid {
        return Some(text.into_owned());
    }
    let message = format!("{} is not a role's name in full", quoted(&text));
    reader.wrong_value(field, message, &format!("expected {WANTED}"))
}

fn role_session<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    let text = reader.text(field, "the name of a session", "a name like powerform")?;
    let valid = (2..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte));
    if valid {
        return Some(text.into_owned());
    }
    let message = format!("{} is not the name of a session", quoted(&text));
    reader.wrong_value(field, message, "expected 2 to 64 of A-Z a-z 0-9 . @ - _")
}

fn role_duration<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<Duration> {
    let duration = reader.duration(field)?;
    if ROLE_SECONDS.contains(&duration.as_secs()) {
        return Some(duration);
    }
    let message = "a role is taken on for 15 minutes at least and 12 hours at most".to_owned();
    reader.wrong_value(field, message, "expected a duration like 1h")
}

fn role_policy<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    let text = reader.text(field, "a policy in JSON", "a policy in JSON, in quotes")?;
    let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(&text);
    match object {
        Ok(_) => Some(text.into_owned()),
        Err(error) => {
            let message = format!("the policy is not a JSON object: {error}");
            reader.wrong_value(field, message, "expected a policy in JSON")
        }
    }
}
