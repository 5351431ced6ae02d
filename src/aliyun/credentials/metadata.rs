//! The RAM role of the instance that this runs on, by the instance's metadata service.
//!
//! How that is asked is said in [`crate::aliyun::metadata`].

use super::account::Account;
use super::issued::{Issued, SecretObject};
use super::provider::{Context, Fetching, Grant, Missing, Provider};
use crate::aliyun::metadata::{CONNECT_TIMEOUT, NoService, Service};

/// Name the role, so that it need not be asked for.
const ROLE: [&str; 2] = ["ALIBABA_CLOUD_ECS_METADATA", "ALICLOUD_ECS_ROLE_NAME"];

const ROLES_PATH: &str = "/latest/meta-data/ram/security-credentials/";

/// The metadata service, as a place in the chain.
pub(super) struct Metadata;

impl Provider for Metadata {
    fn place(&self) -> String {
        "the RAM role of this ECS instance".to_owned()
    }

    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a> {
        Box::pin(async move {
            let role = context.surroundings.first_variable(&ROLE).map(|(_, role)| role);
            fetch(context, role.as_deref()).await
        })
    }
}

/// The credentials of a role, or of the one that the instance has.
pub(super) async fn fetch(context: &Context, role: Option<&str>) -> Result<Grant, Missing> {
    let service = Service::open(&context.surroundings, &context.transport, CONNECT_TIMEOUT).await?;
    let role = match role {
        Some(role) => role.to_owned(),
        None => role_of(&service).await?,
    };
    if !is_role_name(&role) {
        return Err(Missing::broken("the name of the role has characters that no role's name has"));
    }
    let reply = service.get(&format!("{ROLES_PATH}{role}")).await?;
    if reply.status == 404 {
        return Err(Missing::broken(format!("this instance has no RAM role {role}")));
    }
    let broken = |why: String| Missing::broken(format!("the answer about the role {role}: {why}"));
    if reply.status != 200 {
        return Err(broken(format!("HTTP status {}", reply.status)));
    }
    let object = SecretObject::read(&reply.body).map_err(|error| broken(error.to_string()))?;
    if object.text("Code") != Some("Success") {
        return Err(broken("it doesn't say Success".to_owned()));
    }
    let grant =
        Issued::read(&object).map_err(broken)?.grant(format!("the RAM role {role} of this ECS instance"));
    Ok(Grant { account: Account::InstanceRole(role), ..grant })
}

/// The role that the instance has.
async fn role_of(service: &Service<'_>) -> Result<String, Missing> {
    let reply = service.get(ROLES_PATH).await?;
    let none = "this instance has no RAM role: give it one in the console > ECS > the instance > Attach/Detach \
                RAM Role";
    match reply.status {
        200 => {}
        404 => return Err(Missing::absent(none)),
        status => {
            return Err(Missing::broken(format!("the metadata service answers HTTP status {status}")));
        }
    }
    let text = String::from_utf8_lossy(&reply.body);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned).ok_or(Missing::absent(none))
}

impl From<NoService> for Missing {
    fn from(error: NoService) -> Self {
        match error {
            NoService::Disabled | NoService::NotHere(_) => Self::absent(error.to_string()),
            NoService::NoToken | NoService::NoClient(_) => Self::broken(error.to_string()),
        }
    }
}

/// Names of roles go into a path.
fn is_role_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte))
        && !text.bytes().all(|byte| byte == b'.')
}

#[cfg(test)]
mod tests;
