//! The metadata service of the ECS instance that this runs on, and which instance that is.
//!
//! It is asked in the hardened way: for a token first, which no proxy or redirected request can get; without one only
//! where the older way isn't forbidden.

use std::time::Duration;

use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};

use super::surroundings::Surroundings;
use super::transport::{Line, NoReply, Reply, Transport, ask};
use crate::fleet::InstanceId;

pub(super) const DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
pub(super) const OLDER_WAY_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";

pub(super) const TOKEN_PATH: &str = "/latest/api/token";
const INSTANCE_ID_PATH: &str = "/latest/meta-data/instance-id";
const TOKEN_HEADER: &str = "X-aliyun-ecs-metadata-token";
const TTL_HEADER: &str = "X-aliyun-ecs-metadata-token-ttl-seconds";
/// The longest that a token may last.
const TTL_SECONDS: &str = "21600";

/// How long a connection may take, and how long an answer: the service is next door.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// How long it may take in all to find out which instance this is. Elsewhere than on ECS the address answers nothing,
/// and whoever plans a stop there waits for a connection that does not come about: hence the shorter second.
const PROBE: Duration = Duration::from_secs(1);
const PROBE_CONNECT: Duration = Duration::from_millis(500);

/// Which instance this process runs on; none if it runs on no ECS instance, if the environment forbids to ask, or if
/// there is no answer within a second.
pub async fn own_instance(around: &Surroundings) -> Option<InstanceId> {
    let asking = async {
        let service = Service::open(around, &Transport::default(), PROBE_CONNECT).await.ok()?;
        let reply = service.get(INSTANCE_ID_PATH).await.ok()?;
        let text = String::from_utf8(reply.body).ok().filter(|_| reply.status == 200)?;
        InstanceId::new(text.trim()).ok()
    };
    let own = tokio::time::timeout(PROBE, asking).await.ok().flatten();
    tracing::debug!(
        instance = own.as_ref().map(InstanceId::as_str),
        "looked for the instance that this runs on"
    );
    own
}

/// Why there is no service to ask.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoService {
    #[error("{DISABLED} is true")]
    Disabled,
    #[error("no metadata service answers ({0}), so this seems to be no ECS instance")]
    NotHere(NoReply),
    #[error("the metadata service gives no token, and {OLDER_WAY_DISABLED} forbids to ask without")]
    NoToken,
    #[error("{0}")]
    NoClient(String),
}

/// The service, with the token for it if there is one.
pub(super) struct Service<'a> {
    base: &'a str,
    http: Client,
    token: Option<SecretString>,
    older_way: bool,
}

impl<'a> Service<'a> {
    /// Asks for a token.
    pub(super) async fn open(
        around: &'a Surroundings,
        transport: &Transport,
        connect: Duration,
    ) -> Result<Self, NoService> {
        if around.says_true(DISABLED) {
            return Err(NoService::Disabled);
        }
        let line = Line { encrypted: false, local: true, connect };
        let http = transport.client(line).map_err(|error| NoService::NoClient(error.to_string()))?;
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
            Err(error @ NoReply::NotConnected(_)) => return Err(NoService::NotHere(error)),
            Err(error) if !older_way => return Err(NoService::NotHere(error)),
            Err(_) => None,
        };
        if token.is_none() && !older_way {
            return Err(NoService::NoToken);
        }
        Ok(Self { base, http, token: token.map(Into::into), older_way })
    }

    /// Asks with the token; once more without it if that is refused and allowed.
    pub(super) async fn get(&self, path: &str) -> Result<Reply, NoService> {
        let address = format!("{}{path}", self.base);
        let plain = || self.http.get(&address);
        if let Some(token) = &self.token {
            let reply =
                ask(plain().header(TOKEN_HEADER, token.expose_secret()), CONNECT_TIMEOUT + READ_TIMEOUT);
            match reply.await {
                Ok(reply) if reply.status < 400 || reply.status == 404 => return Ok(reply),
                Ok(reply) if !self.older_way => return Ok(reply),
                Err(error) if !self.older_way => return Err(NoService::NotHere(error)),
                Ok(_) | Err(_) => {}
            }
        }
        ask(plain(), CONNECT_TIMEOUT + READ_TIMEOUT).await.map_err(NoService::NotHere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aliyun::scripted::{Asked, Said, Server};
    use crate::aliyun::surroundings::tests::surroundings;

    async fn asked(server: &Server, variables: &[(&str, &str)]) -> Option<String> {
        let mut around = surroundings(variables, None);
        around.metadata_service.clone_from(&server.address);
        own_instance(&around).await.map(|id| id.to_string())
    }

    fn instance(id: &'static str) -> impl Fn(usize, &Asked) -> Said + Send + Sync {
        move |_, asked| match (asked.method.as_str(), asked.path.as_str()) {
            ("PUT", TOKEN_PATH) => Said::Body(200, "t-1".to_owned()),
            ("GET", INSTANCE_ID_PATH) if asked.headers.contains_key("x-aliyun-ecs-metadata-token") => {
                Said::Body(200, id.to_owned())
            }
            _ => Said::Body(403, String::new()),
        }
    }

    #[tokio::test]
    async fn an_instance_learns_its_own_id_with_a_token() {
        let server = Server::start(instance("i-bp1own\n")).await;
        assert_eq!(asked(&server, &[]).await.as_deref(), Some("i-bp1own"));
        assert_eq!(server.asked().len(), 2);
    }

    #[tokio::test]
    async fn what_is_no_id_is_none_and_who_may_not_ask_does_not() {
        for body in ["", "<html>", "I-BP1", "i-a i-b"] {
            let server = Server::start(instance(body)).await;
            assert_eq!(asked(&server, &[]).await, None, "{body}");
        }
        let server = Server::start(instance("i-bp1own")).await;
        assert_eq!(asked(&server, &[(DISABLED, "true")]).await, None);
        assert!(server.asked().is_empty());
    }

    #[tokio::test]
    async fn a_machine_without_the_service_and_a_service_that_is_silent_end_in_nothing() {
        assert_eq!(own_instance(&surroundings(&[], None)).await, None, "nothing listens");
        let silent = Server::start(|_, _| Said::Silence).await;
        assert_eq!(asked(&silent, &[]).await, None);
    }
}
