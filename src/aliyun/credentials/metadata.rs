//! The RAM role of the instance that this runs on, by the instance's metadata service.
//!
//! In the hardened way: a token first, which no proxy or redirected request can get; without one only where the
//! older way isn't forbidden.

use std::time::Duration;

use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};

use super::issued::{Issued, SecretObject};
use super::provider::{Context, Fetching, Grant, Missing, Provider};
use crate::aliyun::surroundings::Surroundings;
use crate::aliyun::transport::{Line, NoReply, Reply, ask};

const DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
const OLDER_WAY_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";
/// Name the role, so that it need not be asked for.
const ROLE: [&str; 2] = ["ALIBABA_CLOUD_ECS_METADATA", "ALICLOUD_ECS_ROLE_NAME"];

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/ram/security-credentials/";
const TOKEN_HEADER: &str = "X-aliyun-ecs-metadata-token";
const TTL_HEADER: &str = "X-aliyun-ecs-metadata-token-ttl-seconds";
/// The longest that a token may last.
const TTL_SECONDS: &str = "21600";

/// How long a connection may take, and how long an answer: the service is next door.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const READ_TIMEOUT: Duration = Duration::from_secs(1);

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
    let around = &context.surroundings;
    if around.says_true(DISABLED) {
        return Err(Missing::absent(format!("{DISABLED} is true")));
    }
    let line = Line { encrypted: false, local: true, connect: CONNECT_TIMEOUT };
    let http = context.transport.client(line).map_err(|error| Missing::broken(error.to_string()))?;
    let service = Service::open(around, http).await?;
    let role = match role {
        Some(role) => role.to_owned(),
        None => service.role().await?,
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
    Ok(Issued::read(&object).map_err(broken)?.grant(format!("the RAM role {role} of this ECS instance")))
}

/// The service, with the token for it if there is one.
struct Service<'a> {
    base: &'a str,
    http: Client,
    token: Option<SecretString>,
    older_way: bool,
}

impl<'a> Service<'a> {
    async fn open(around: &'a Surroundings, http: Client) -> Result<Self, Missing> {
        let base = around.metadata_service.trim_end_matches('/');
        let older_way = !around.says_true(OLDER_WAY_DISABLED);
        let request = http.put(format!("{base}{TOKEN_PATH}")).header(TTL_HEADER, TTL_SECONDS);
        let token = match ask(request, CONNECT_TIMEOUT + READ_TIMEOUT).await {
            Ok(Reply { status: 200, body, .. }) => {
                String::from_utf8(body).ok().map(|token| token.trim().to_owned()).filter(|token| {
                    !token.is_empty()
                        && token.len() < 4096
                        && token.bytes().all(|byte| byte.is_ascii_graphic())
                })
            }
            Ok(_) => None,
            // Whoever can't be reached for a token can't be reached for the rest.
            Err(error @ NoReply::NotConnected(_)) => return Err(not_here(&error)),
            Err(error) if !older_way => return Err(not_here(&error)),
            Err(_) => None,
        };
        if token.is_none() && !older_way {
            return Err(Missing::broken(format!(
                "the metadata service gives no token, and {OLDER_WAY_DISABLED} forbids to ask without"
            )));
        }
        Ok(Self { base, http, token: token.map(Into::into), older_way })
    }

    /// Asks with the token; once more without it if that is refused and allowed.
    async fn get(&self, path: &str) -> Result<Reply, Missing> {
        let address = format!("{}{path}", self.base);
        let plain = || self.http.get(&address);
        if let Some(token) = &self.token {
            let reply =
                ask(plain().header(TOKEN_HEADER, token.expose_secret()), CONNECT_TIMEOUT + READ_TIMEOUT);
            match reply.await {
                Ok(reply) if reply.status < 400 || reply.status == 404 => return Ok(reply),
                Ok(reply) if !self.older_way => return Ok(reply),
                Err(error) if !self.older_way => return Err(not_here(&error)),
                Ok(_) | Err(_) => {}
            }
        }
        ask(plain(), CONNECT_TIMEOUT + READ_TIMEOUT).await.map_err(|error| not_here(&error))
    }

    async fn role(&self) -> Result<String, Missing> {
        let reply = self.get(ROLES_PATH).await?;
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
        text.lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .map(str::to_owned)
            .ok_or(Missing::absent(none))
    }
}

fn not_here(error: &NoReply) -> Missing {
    Missing::absent(format!("no metadata service answers ({error}), so this seems to be no ECS instance"))
}

/// Names of roles go into a path.
fn is_role_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte))
        && !text.bytes().all(|byte| byte == b'.')
}

#[cfg(test)]
mod tests;
