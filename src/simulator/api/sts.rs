//! STS: AssumeRole, AssumeRoleWithOIDC and GetCallerIdentity, which ECS's neighbour serves.

use std::time::Duration;

use jiff::Timestamp;

use super::{Call, Done};
use crate::simulator::account::Role;
use crate::simulator::answer::Value;
use crate::simulator::keys::{self, Caller, Session};
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::world::later;

/// How long temporary keys live, in seconds: at least, and where nothing else is asked for also at most, because that
/// is what roles allow unless they are told otherwise.
const SESSION_SECONDS: std::ops::RangeInclusive<u64> = 900..=3600;

/// How many characters a session's name has.
const SESSION_NAME: std::ops::RangeInclusive<usize> = 2..=32;

/// The largest policy, in characters.
const LARGEST_POLICY: usize = 1024;

pub(super) fn assume_role(call: &Call<'_>) -> Result<Done, Refusal> {
    let (role, session) = session(call)?;
    permit(call, "AssumeRole")?;
    if role.external_id.as_deref().is_some_and(|wanted| call.parameters.value("ExternalId") != Some(wanted)) {
        return Err(Refusal::of("NoPermission").saying("You are not authorized to do this action: the trust policy of the role asks for another ExternalId."));
    }
    Ok(credentials(call, role, session))
}

/// Any token is taken for a good one: whom it stands for is between the client and its identity provider.
pub(super) fn assume_role_with_oidc(call: &Call<'_>) -> Result<Done, Refusal> {
    let provider = call.parameters.required("OIDCProviderArn")?;
    if !provider.starts_with("acs:ram::") || !provider.contains(":oidc-provider/") {
        return Err(Refusal::of("InvalidParameter.OIDCProviderArn"));
    }
    call.parameters.required("OIDCToken")?;
    let (role, session) = session(call)?;
    permit(call, "AssumeRoleWithOIDC")?;
    Ok(credentials(call, role, session))
}

/// Nobody can be kept from asking this.
pub(super) fn get_caller_identity(call: &Call<'_>) -> Result<Done, Refusal> {
    let account = call.world.account();
    let mut fields = vec![("AccountId", Value::text(account.id.as_str()))];
    match call.caller {
        Caller::Account => fields.extend([
            ("IdentityType", Value::text("Account")),
            ("UserId", Value::text(account.id.as_str())),
            ("PrincipalId", Value::text(account.id.as_str())),
            ("Arn", Value::Text(format!("acs:ram::{}:root", account.id))),
        ]),
        Caller::Role(session) => {
            let role = account.role(&session.role).ok_or_else(|| Refusal::of("EntityNotExist.Role"))?;
            let id = keys::role_id(role);
            fields.extend([
                ("IdentityType", Value::text("AssumedRoleUser")),
                ("PrincipalId", Value::Text(format!("{id}:{}", session.name))),
                ("RoleId", Value::Text(id)),
                (
                    "Arn",
                    Value::Text(format!(
                        "acs:ram::{}:assumed-role/{}/{}",
                        account.id,
                        role.name(),
                        session.name
                    )),
                ),
            ]);
        }
        // The guard lets nobody in without a signature here.
        Caller::Anonymous => return Err(Refusal::missing("AccessKeyId")),
    }
    Ok(Done { fields, ..Done::default() })
}

/// STS has a code of its own for this.
fn permit(call: &Call<'_>, action: &str) -> Result<(), Refusal> {
    if call.is_denied(action) { Err(Refusal::of("NoPermission")) } else { Ok(()) }
}

/// What both ways to assume a role check alike.
fn session<'c>(call: &Call<'c>) -> Result<(&'c Role, Session), Refusal> {
    let Call { world, parameters, now, .. } = *call;
    let arn = parameters.required("RoleArn")?;
    let named = arn.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/"));
    if named.is_none_or(|(account, name)| account.is_empty() || name.is_empty()) {
        return Err(Refusal::of("InvalidParameter.RoleArn"));
    }
    let name = parameters.required("RoleSessionName")?;
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte);
    if !SESSION_NAME.contains(&name.len()) || !name.bytes().all(is_of_names) {
        return Err(Refusal::of("InvalidParameter.RoleSessionName"));
    }
    if let Some(policy) = parameters.value("Policy") {
        if policy.chars().count() > LARGEST_POLICY {
            return Err(Refusal::of("InvalidParameter.PolicySize"));
        }
        if serde_json::from_str::<serde_json::Value>(policy).is_err() {
            return Err(Refusal::of("InvalidParameter.PolicyGrammar"));
        }
    }
    let lifetime = lifetime(parameters)?;
    let role = world.account().role(arn).ok_or_else(|| Refusal::of("EntityNotExist.Role"))?;
    let lifetime = world.account().longest_session.map_or(lifetime, |longest| longest.min(lifetime));
    let session = Session { role: role.arn.clone(), name: name.to_owned(), until: later(now, lifetime) };
    Ok((role, session))
}

fn lifetime(parameters: &Parameters) -> Result<Duration, Refusal> {
    let seconds = match parameters.value("DurationSeconds") {
        None => *SESSION_SECONDS.end(),
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| SESSION_SECONDS.contains(seconds))
            .ok_or_else(|| Refusal::of("InvalidParameter.DurationSeconds"))?,
    };
    Ok(Duration::from_secs(seconds))
}

fn credentials(call: &Call<'_>, role: &Role, session: Session) -> Done {
    let (name, until) = (session.name.clone(), session.until);
    let key = keys::issue(call.world.account(), session, call.request_id);
    let fields = vec![
        (
            "AssumedRoleUser",
            Value::Fields(vec![
                ("AssumedRoleId", Value::Text(format!("{}:{name}", keys::role_id(role)))),
                ("Arn", Value::Text(format!("{}/{name}", role.arn))),
            ]),
        ),
        (
            "Credentials",
            Value::Fields(vec![
                ("AccessKeyId", Value::Text(key.id)),
                ("AccessKeySecret", Value::Text(key.secret)),
                ("SecurityToken", Value::Text(key.token)),
                ("Expiration", Value::Text(second(until))),
            ]),
        ),
    ];
    Done { fields, ..Done::default() }
}

/// A time as STS writes it.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
