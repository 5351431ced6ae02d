//! The Security Token Service: temporary credentials for a role, and who somebody is.
//!
//! Signed requests use version 1 of the signature, whatever ECS is asked with. Nothing that leaves here but
//! `Issued` holds a secret.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::credentials::{Credentials, Issued, SecretObject, has_shape_of_a_code, without_secret};
use super::endpoint::Endpoint;
use super::errors::clock_skew;
use super::sign;
use super::surroundings::Clock;
use super::transport::{Line, NoReply, Reply, SetupError, Transport, ask};

/// How long a connection to STS may take to come about, and how long an answer: what the official libraries allow.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The version of the STS API.
const VERSION: &str = "2015-04-01";

/// How often a question is asked whose answer did not come or may pass. Asking for credentials changes nothing.
const ATTEMPTS: u32 = 3;
/// The longest pause after the first of them; it doubles.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest message of STS that is repeated, in characters.
const LONGEST_MESSAGE: usize = 500;

/// A role to be taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name in full: `acs:ram::{account}:role/{name}`.
    pub arn: String,
    /// The name of the session, which the account's audit log shows.
    pub session_name: String,
    /// How long the credentials shall last: from 15 minutes up to the role's own limit. STS's default is an hour.
    pub duration: Option<Duration>,
    /// What the role's trust policy may ask for, where the role belongs to somebody else.
    pub external_id: Option<String>,
    /// A policy in JSON that narrows down what the credentials allow.
    pub policy: Option<String>,
}

/// Who somebody is, by GetCallerIdentity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The user or the role's session, in full.
    pub arn: String,
    /// `Account`, `RAMUser`, `AssumedRoleUser` or a word of the future.
    pub kind: String,
}

impl Identity {
    /// A number for the account that tells it from others and names it to nobody: SHA-256 in lower-case hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(format!("powerform account {}", self.account));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Why STS gave no answer that helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StsError {
    /// None came.
    #[error("{host} did not answer {action}: {why}; check the network and the proxy (HTTPS_PROXY, NO_PROXY)")]
    NoAnswer {
        /// The action.
        action: &'static str,
        /// Where it was asked for.
        host: String,
        /// Why, in words.
        why: String,
    },
    /// It says no.
    #[error("STS refuses {action} with {code}: {message}; {remedy}")]
    Refused {
        /// The action.
        action: &'static str,
        /// Its code.
        code: String,
        /// Its message, and the request's id.
        message: String,
        /// What a person can do about it.
        remedy: &'static str,
    },
    /// It says something else.
    #[error(
        "the answer of {host} to {action} (HTTP status {status}) cannot be read: {why}; something between this \
         machine and STS may answer in its place, usually a proxy"
    )]
    Unreadable {
        /// The action.
        action: &'static str,
        /// Where it was asked for.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Why, in words.
        why: String,
    },
}

impl StsError {
    /// Whether asking again may help.
    fn may_pass(&self, status: Option<u16>) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Refused { code, .. } if code.contains("Throttling") => true,
            Self::Refused { .. } => status.is_some_and(|status| status >= 500),
            // A success that cannot be read was cut off or swapped on its way. A redirection or a refusal in other
            // words than STS's comes from what stands in between, and comes again.
            Self::Unreadable { status, .. } => (200..300).contains(status) || *status >= 500,
        }
    }

    /// Whether the credentials that signed were refused, so that others may be accepted.
    #[must_use]
    pub fn refuses_credentials(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if super::credentials::refuses(code))
    }
}

/// STS at one endpoint.
pub struct Sts {
    endpoint: Endpoint,
    http: reqwest::Client,
    clock: Clock,
    pause: Duration,
}

impl fmt::Debug for Sts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sts").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A question to STS.
struct Question<'a> {
    action: &'static str,
    business: Vec<(&'static str, &'a str)>,
    /// Who signs it. Nobody signs a question that carries a token of its own.
    by: Option<&'a Credentials>,
    /// What must not be repeated, besides the secrets of whoever signs.
    secret: Option<&'a SecretString>,
}

impl Sts {
    /// STS at this endpoint. Sends nothing.
    ///
    /// # Errors
    /// [`SetupError`] if TLS cannot be set up.
    pub fn new(endpoint: Endpoint, transport: &Transport, clock: Clock) -> Result<Self, SetupError> {
        let line = Line {
            encrypted: endpoint.is_encrypted(),
            local: endpoint.is_loopback(),
            connect: CONNECT_TIMEOUT,
        };
        Ok(Self { http: transport.client(line)?, endpoint, clock, pause: PAUSE })
    }

    /// Temporary credentials for a role.
    pub(super) async fn assume_role(&self, by: &Credentials, role: &Role) -> Result<Issued, StsError> {
        let seconds = role.duration.map(|duration| duration.as_secs().to_string());
        let mut business = role_parameters(role, seconds.as_deref());
        business.extend(role.external_id.as_deref().map(|id| ("ExternalId", id)));
        let question = Question { action: "AssumeRole", business, by: Some(by), secret: None };
        self.ask(&question, read_issued).await
    }

    /// Temporary credentials for a role, for whoever has a token of an identity provider that the role trusts.
    pub(super) async fn assume_role_with_oidc(
        &self,
        provider_arn: &str,
        token: &SecretString,
        role: &Role,
    ) -> Result<Issued, StsError> {
        let seconds = role.duration.map(|duration| duration.as_secs().to_string());
        let mut business = role_parameters(role, seconds.as_deref());
        business.push(("OIDCProviderArn", provider_arn));
        business.push(("OIDCToken", token.expose_secret()));
        let question = Question { action: "AssumeRoleWithOIDC", business, by: None, secret: Some(token) };
        self.ask(&question, read_issued).await
    }

    /// Who these credentials belong to. Needs no permission.
    ///
    /// # Errors
    /// [`StsError`], with a remedy.
    pub async fn caller_identity(&self, by: &Credentials) -> Result<Identity, StsError> {
        let question =
            Question { action: "GetCallerIdentity", business: Vec::new(), by: Some(by), secret: None };
        self.ask(&question, |answer| {
            let text = |key: &str| answer.text(key).map(str::to_owned).ok_or(format!("it has no {key}"));
            Ok(Identity {
                account: text("AccountId")?,
                arn: text("Arn")?,
                kind: text("IdentityType").unwrap_or_default(),
            })
        })
        .await
    }

    async fn ask<T>(
        &self,
        question: &Question<'_>,
        read: impl Fn(SecretObject) -> Result<T, String>,
    ) -> Result<T, StsError> {
        let mut pause = self.pause;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let sent = (self.clock)();
            let reply = self.send(question, sent).await;
            let status = reply.as_ref().ok().map(|reply| reply.status);
            let connected = !matches!(reply, Err(NoReply::NotConnected(_)));
            let outcome = self.judge(question, reply, sent, &read);
            tracing::debug!(
                action = question.action,
                attempt,
                status,
                answered = outcome.is_ok(),
                "asked STS"
            );
            match outcome {
                // The connection's own time limit is long enough to have been patient.
                Err(error) if attempt < ATTEMPTS && connected && error.may_pass(status) => {
                    tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
    }

    /// Builds, signs and sends a question once: what every action has goes into the query, the rest into the form.
    async fn send(&self, question: &Question<'_>, at: Timestamp) -> Result<Reply, NoReply> {
        let (query, form) = encoded(question, at, &Uuid::new_v4().to_string());
        let mut request = self
            .http
            .post(self.endpoint.with_query(query.expose_secret()))
            .header(ACCEPT, "application/json");
        request = if form.expose_secret().is_empty() {
            // Some gateways answer 411 Length Required otherwise.
            request.header(CONTENT_LENGTH, 0)
        } else {
            request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.expose_secret().to_owned())
        };
        ask(request, CONNECT_TIMEOUT + READ_TIMEOUT).await
    }

    fn judge<T>(
        &self,
        question: &Question<'_>,
        reply: Result<Reply, NoReply>,
        sent: Timestamp,
        read: impl Fn(SecretObject) -> Result<T, String>,
    ) -> Result<T, StsError> {
        let action = question.action;
        let host = || self.endpoint.authority().to_owned();
        let reply = reply.map_err(|error| StsError::NoAnswer {
            action,
            host: host(),
            why: question.redact(&error.to_string()),
        })?;
        let unreadable =
            |why: String| StsError::Unreadable { action, host: host(), status: reply.status, why };
        let answer = SecretObject::read(&reply.body).map_err(|error| unreadable(error.to_string()))?;
        if (200..300).contains(&reply.status) {
            return read(answer).map_err(unreadable);
        }
        let Some(code) = answer.text("Code") else {
            return Err(unreadable("it holds no error of STS".to_owned()));
        };
        Err(question.refused(&answer, code, sent, reply.server_time))
    }
}

impl Question<'_> {
    fn redact(&self, text: &str) -> String {
        let text = match self.by {
            Some(by) => by.redact(text),
            None => text.to_owned(),
        };
        match self.secret {
            Some(secret) => without_secret(&text, secret.expose_secret().trim()),
            None => text,
        }
    }

    fn refused(
        &self,
        answer: &SecretObject,
        code: &str,
        sent: Timestamp,
        server_time: Option<Timestamp>,
    ) -> StsError {
        let message = answer.text("Message").unwrap_or("it gives no reason");
        let (message, remedy) = match (code, server_time) {
            // Its own message quotes all that was signed, the token too.
            ("SignatureDoesNotMatch", _) => {
                ("STS computes another signature for the request".to_owned(), WRONG_SECRET)
            }
            ("InvalidTimeStamp.Expired", Some(server)) => {
                let skew = clock_skew(sent, server);
                (skew.message.replace("ECS", "STS"), skew.remedy)
            }
            _ => (self.redact(message), remedy_for(code)),
        };
        let mut message: String = message.chars().take(LONGEST_MESSAGE).collect();
        if let Some(id) = answer.text("RequestId") {
            message.push_str(&format!(" (request {})", self.redact(id).chars().take(80).collect::<String>()));
        }
        let code = if has_shape_of_a_code(code) { code.to_owned() } else { self.redact(code) };
        let code = code.chars().take(120).collect();
        StsError::Refused { action: self.action, code, message, remedy }
    }
}

const WRONG_SECRET: &str =
    "most likely the access key's secret is wrong: check that it belongs to the access key's id";

fn remedy_for(code: &str) -> &'static str {
    if super::credentials::refuses(code) {
        return "the access key that asks is unknown, disabled or expired: check it, or sign in anew where it is \
                temporary";
    }
    if code.contains("Throttling") {
        return "STS takes no more calls for now: run again in a minute";
    }
    match code {
        "NoPermission" => {
            "allow sts:AssumeRole to whoever asks, and let the role's trust policy name them: console > RAM > Roles"
        }
        "EntityNotExist.Role" => "there is no such role: check the account and the name in its ARN",
        "InvalidParameter.RoleArn" => "write the role as acs:ram::{account}:role/{name}",
        "InvalidParameter.RoleSessionName" => "a session's name has 2 to 64 of A-Z a-z 0-9 . @ - _",
        "InvalidParameter.DurationSeconds" => {
            "ask for 15 minutes at least and for no more than the role's maximum session duration: console > RAM > Roles"
        }
        "InvalidParameter.PolicyGrammar" => "the policy is no valid RAM policy",
        "InvalidParameter.PolicySize" => "the policy is too long: STS takes 1024 characters",
        _ if code.contains("OIDC") => {
            "check that the token is fresh, and that the role's trust policy names the identity provider, its \
             audience and its subject: console > RAM > Integrations > SSO"
        }
        _ => "look the code up in the documentation of STS, or quote the request to Alibaba Cloud's support",
    }
}

fn role_parameters<'a>(role: &'a Role, seconds: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    let mut parameters =
        vec![("RoleArn", role.arn.as_str()), ("RoleSessionName", role.session_name.as_str())];
    parameters.extend(seconds.map(|seconds| ("DurationSeconds", seconds)));
    parameters.extend(role.policy.as_deref().map(|policy| ("Policy", policy)));
    parameters
}

fn read_issued(mut answer: SecretObject) -> Result<Issued, String> {
    match answer.take("Credentials") {
        Some(serde_json::Value::Object(credentials)) => Issued::read(&SecretObject::new(credentials)),
        _ => Err("it has no Credentials".to_owned()),
    }
}

/// The query and the form of a question.
fn encoded(question: &Question<'_>, at: Timestamp, nonce: &str) -> (SecretString, SecretString) {
    let timestamp = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut system: Vec<(&str, &str)> = vec![
        ("Action", question.action),
        ("Version", VERSION),
        ("Format", "JSON"),
        ("Timestamp", &timestamp),
    ];
    let form: SecretString = sign::canonical_query(&question.business).into();
    let Some(by) = question.by else {
        return (sign::canonical_query(&system).into(), form);
    };
    system.extend([
        ("AccessKeyId", by.access_key_id.as_str()),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", nonce),
    ]);
    if let Some(token) = &by.security_token {
        system.push(("SecurityToken", token.expose_secret()));
    }
    let everything: Vec<(&str, &str)> = system.iter().chain(&question.business).copied().collect();
    let text = sign::string_to_sign_v1("POST", &sign::canonical_query(&everything));
    let signature = sign::signature_v1(by.access_key_secret.expose_secret(), &text);
    system.push(("Signature", &signature));
    (sign::canonical_query(&system).into(), form)
}

#[cfg(test)]
mod tests;
