//! What is asked of ECS: operations as data, their parameters, and one signed attempt.
//!
//! Pure: time and nonce are arguments. An attempt that is repeated is built and signed anew, because ECS refuses a
//! nonce that it has seen.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};

use super::credentials::Credentials;
use super::sign;
use crate::cloud::{LOOK_LIMIT, StartRequest, StopRequest};
use crate::fleet::{InstanceId, Region};

/// How long a connection may take to come about: what the official SDKs allow.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The version of the ECS API.
const ECS_VERSION: &str = "2014-05-26";

/// The only method used: parameters go into the query all the same, as the official SDKs do it.
const METHOD: Method = Method::POST;

/// An operation of an RPC-style API, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name: the `Action` parameter.
    pub action: &'static str,
    /// The version of the API that has it.
    pub version: &'static str,
    /// Whether it may be repeated without harm.
    pub effect: Effect,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long the answer may take. The official SDK's figures (its `timeout_config.json`): a client that gives up
    /// earlier gives up on calls that ECS later completes.
    pub read_timeout: Duration,
}

impl Operation {
    const fn new(action: &'static str, effect: Effect, read_seconds: u64) -> Self {
        Self {
            action,
            version: ECS_VERSION,
            effect,
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: Duration::from_secs(read_seconds),
        }
    }

    /// How long one attempt may take in all.
    #[must_use]
    pub fn time_limit(&self) -> Duration {
        self.connect_timeout + self.read_timeout
    }
}

/// Whether an operation changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only looks: repeating it is harmless.
    Read,
    /// It acts: it is sent again only after a look.
    Write,
}

/// Looks at instances.
pub const DESCRIBE_INSTANCES: Operation = Operation::new("DescribeInstances", Effect::Read, 10);
/// Starts one instance.
pub const START_INSTANCE: Operation = Operation::new("StartInstance", Effect::Write, 46);
/// Stops one instance.
pub const STOP_INSTANCE: Operation = Operation::new("StopInstance", Effect::Write, 27);

/// An operation with its parameters, ready to be signed as often as it is attempted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The operation.
    pub operation: Operation,
    /// What it is about, for logs: an instance, or how many.
    pub subject: String,
    parameters: Vec<(Cow<'static, str>, String)>,
}

/// Which page of an answer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The first one.
    First,
    /// The one that a token of the page before names.
    Token(String),
    /// The one with this number, counted from 1.
    Number(u32),
}

impl Request {
    fn new(operation: Operation, subject: String) -> Self {
        Self { operation, subject, parameters: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// DescribeInstances for some ids of one region: at most [`LOOK_LIMIT`] of them fit on one page.
    #[must_use]
    pub fn describe_instances(region: &Region, ids: &[InstanceId], page: &Page) -> Self {
        let list: Vec<&str> = ids.iter().map(InstanceId::as_str).collect();
        let subject = match list.as_slice() {
            [only] => (*only).to_owned(),
            several => format!("{} instances", several.len()),
        };
        let limit = LOOK_LIMIT.to_string();
        let request = Self::new(DESCRIBE_INSTANCES, subject)
            .with("RegionId", region.as_str())
            .with("InstanceIds", serde_json::Value::from(list).to_string());
        match page {
            Page::First => request.with("PageSize", limit),
            Page::Number(number) => request.with("PageSize", limit).with("PageNumber", number.to_string()),
            Page::Token(token) => request.with("MaxResults", limit).with("NextToken", token),
        }
    }

    /// StartInstance. `owner_account` is the login name of a RAM user's account, for the few that need it.
    ///
    /// `InitLocalDisk` destroys the data on local disks, so it is sent only when it is wanted.
    #[must_use]
    pub fn start_instance(start: &StartRequest, owner_account: Option<&str>) -> Self {
        let mut request =
            Self::new(START_INSTANCE, start.id.to_string()).with("InstanceId", start.id.as_str());
        if start.init_local_disk {
            request = request.with("InitLocalDisk", "true");
        }
        if let Some(owner_account) = owner_account {
            request = request.with("OwnerAccount", owner_account);
        }
        request
    }

    /// StopInstance. The mode is always sent, because what an absent one means depends on a setting of the account
    /// that this API does not show.
    #[must_use]
    pub fn stop_instance(stop: &StopRequest) -> Self {
        Self::new(STOP_INSTANCE, stop.id.to_string())
            .with("InstanceId", stop.id.as_str())
            .with("StoppedMode", stop.policy.mode.word())
            .with("ForceStop", if stop.policy.force { "true" } else { "false" })
    }
}

/// One attempt, signed. It holds the security token and the signature, so it prints as its method only.
pub struct SignedRequest {
    query: SecretString,
    string_to_sign: SecretString,
}

impl SignedRequest {
    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> Method {
        METHOD
    }

    /// The query to send: encoded, with the signature. Not for logs or errors.
    #[must_use]
    pub fn query(&self) -> &str {
        self.query.expose_secret()
    }

    /// The text that was signed, to be compared with the one that ECS quotes. Not for logs or errors.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        self.string_to_sign.expose_secret()
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest").field("method", &METHOD).finish_non_exhaustive()
    }
}

/// Signs one attempt at a request. `nonce` must be new for every attempt; `timestamp` must be within 15 minutes of
/// ECS's clock, and is sent in whole seconds.
#[must_use]
pub fn sign_attempt(
    request: &Request,
    credentials: &Credentials,
    timestamp: Timestamp,
    nonce: &str,
) -> SignedRequest {
    let timestamp = timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut parameters: Vec<(&str, &str)> = vec![
        ("Action", request.operation.action),
        ("Version", request.operation.version),
        ("Format", "JSON"),
        ("AccessKeyId", &credentials.access_key_id),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", nonce),
        ("Timestamp", &timestamp),
    ];
    if let Some(token) = &credentials.security_token {
        parameters.push(("SecurityToken", token.expose_secret()));
    }
    parameters.extend(request.parameters.iter().map(|(name, value)| (name.as_ref(), value.as_str())));
    let canonical = sign::canonical_query(&parameters);
    let string_to_sign = sign::string_to_sign_v1(METHOD.as_str(), &canonical);
    let signature = sign::signature_v1(credentials.access_key_secret.expose_secret(), &string_to_sign);
    SignedRequest {
        query: format!("{canonical}&Signature={}", sign::percent_encode(&signature)).into(),
        string_to_sign: string_to_sign.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{StopMode, StopPolicy};

    fn id(text: &str) -> InstanceId {
        InstanceId::new(text).expect("valid")
    }

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials {
            access_key_id: "testid".to_owned(),
            access_key_secret: "testsecret".into(),
            security_token: token.map(Into::into),
            source: "a test".to_owned(),
        }
    }

    fn sent(request: &Request) -> Vec<(&str, &str)> {
        request.parameters.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect()
    }

    #[test]
    fn a_look_names_its_region_and_its_ids_as_one_json_array() {
        let region = Region::new("cn-hangzhou").expect("valid");
        let ids = [id("i-a1"), id("i-b2")];
        let first = Request::describe_instances(&region, &ids, &Page::First);
        assert_eq!(
            sent(&first),
            [("RegionId", "cn-hangzhou"), ("InstanceIds", r#"["i-a1","i-b2"]"#), ("PageSize", "100")]
        );
        assert_eq!(first.subject, "2 instances");
        let second = Request::describe_instances(&region, &ids, &Page::Number(2));
        assert_eq!(sent(&second)[2..], [("PageSize", "100"), ("PageNumber", "2")]);
        let next = Request::describe_instances(&region, &ids[..1], &Page::Token("t/1".to_owned()));
        assert_eq!(sent(&next)[2..], [("MaxResults", "100"), ("NextToken", "t/1")]);
        assert_eq!(next.subject, "i-a1");
    }

    #[test]
    fn a_start_names_local_disks_only_when_they_are_to_be_restored() {
        let plain = StartRequest { id: id("i-a1"), init_local_disk: false };
        assert_eq!(sent(&Request::start_instance(&plain, None)), [("InstanceId", "i-a1")]);
        let restoring = StartRequest { init_local_disk: true, ..plain };
        assert_eq!(
            sent(&Request::start_instance(&restoring, Some("ops@example"))),
            [("InstanceId", "i-a1"), ("InitLocalDisk", "true"), ("OwnerAccount", "ops@example")]
        );
    }

    #[test]
    fn a_stop_always_says_how() {
        for (mode, force, words) in [
            (StopMode::KeepCharging, false, ["KeepCharging", "false"]),
            (StopMode::StopCharging, true, ["StopCharging", "true"]),
        ] {
            let stop = StopRequest { id: id("i-a1"), policy: StopPolicy { mode, force } };
            assert_eq!(
                sent(&Request::stop_instance(&stop)),
                [("InstanceId", "i-a1"), ("StoppedMode", words[0]), ("ForceStop", words[1])]
            );
        }
    }

    /// The numbers are those of the vector `v1-start-instance-post-query`, with an id that has no asterisks.
    #[test]
    fn an_attempt_is_signed_as_the_rules_say() {
        let request = Request::start_instance(&StartRequest { id: id("i-a1"), init_local_disk: false }, None);
        let at: Timestamp = "2025-01-02T03:04:05.999Z".parse().expect("valid");
        let signed = sign_attempt(&request, &credentials(None), at, "00000000-0000-4000-8000-000000000001");
        let canonical = "AccessKeyId=testid&Action=StartInstance&Format=JSON&InstanceId=i-a1\
             &SignatureMethod=HMAC-SHA1&SignatureNonce=00000000-0000-4000-8000-000000000001\
             &SignatureVersion=1.0&Timestamp=2025-01-02T03%3A04%3A05Z&Version=2014-05-26";
        assert_eq!(signed.string_to_sign(), sign::string_to_sign_v1("POST", canonical));
        let signature = sign::signature_v1("testsecret", signed.string_to_sign());
        assert_eq!(signed.query(), format!("{canonical}&Signature={}", sign::percent_encode(&signature)));
        assert_eq!(signed.method(), "POST");
    }

    #[test]
    fn temporary_credentials_sign_their_token_too_and_a_signed_request_prints_no_secret() {
        let request = Request::start_instance(&StartRequest { id: id("i-a1"), init_local_disk: false }, None);
        let at = Timestamp::UNIX_EPOCH;
        let signed = sign_attempt(&request, &credentials(Some("to/ken")), at, "n1");
        assert!(signed.query().contains("&SecurityToken=to%2Fken&"));
        assert!(signed.string_to_sign().contains("to%252Fken"));
        let printed = format!("{signed:?} {signed:#?}");
        for secret in ["to/ken", "to%2Fken", "testsecret", "Signature="] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
