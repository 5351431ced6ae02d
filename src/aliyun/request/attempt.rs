//! One attempt at a request: in which dialect it is spoken, and what goes over the wire.

use std::fmt;

use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};

use super::Request;
use crate::aliyun::credentials::Credentials;
use crate::aliyun::sign;

/// The longest query that is sent as one, in bytes. Gateways and proxies refuse addresses beyond 8 KiB; a full batch
/// of 100 ids stays under 5 KiB, a filter with long tags may not.
const LONGEST_QUERY: usize = 6 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// How requests are put. Every combination means the same to ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// The version of the signature.
    pub signature: Signature,
    /// The format of the answers.
    pub format: Format,
    /// Where the parameters are.
    pub carriage: Carriage,
}

/// The versions of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signature {
    /// HMAC-SHA1, in the query.
    #[default]
    V1,
    /// ACS3-HMAC-SHA256, in the header `Authorization`.
    V3,
}

/// The formats of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON.
    #[default]
    Json,
    /// XML.
    Xml,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
        }
    }
}

/// Where the parameters of a request are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carriage {
    /// GET with all of them in the query.
    Get,
    /// POST with all of them in the query, as the official SDKs do it; in a form where the query would be longer than
    /// proxies let pass.
    #[default]
    PostQuery,
    /// POST with those of the operation in a form.
    PostForm,
}

/// One attempt, signed. It holds the security token and the signature, so it prints as its method only.
pub struct SignedRequest {
    method: Method,
    query: SecretString,
    headers: Vec<(&'static str, SecretString)>,
    body: SecretString,
    string_to_sign: SecretString,
}

impl SignedRequest {
    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method.clone()
    }

    /// The query to send: encoded, possibly empty. Not for logs or errors.
    #[must_use]
    pub fn query(&self) -> &str {
        self.query.expose_secret()
    }

    /// The headers to send, besides those that HTTP itself needs. Not for logs or errors.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.expose_secret()))
    }

    /// The body to send: a form, or nothing. Not for logs or errors.
    #[must_use]
    pub fn body(&self) -> &str {
        self.body.expose_secret()
    }

    /// The text that was signed, to be compared with the one that ECS quotes. Not for logs or errors.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        self.string_to_sign.expose_secret()
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Signs one attempt at a request to a host, named as the header `Host` will name it. `nonce` must be new for every
/// attempt; `timestamp` must be within 15 minutes of ECS's clock, and is sent in whole seconds.
#[must_use]
pub fn sign_attempt(
    request: &Request,
    dialect: Dialect,
    host: &str,
    credentials: &Credentials,
    timestamp: Timestamp,
    nonce: &str,
) -> SignedRequest {
    let timestamp = timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let parameters: Vec<(&str, &str)> =
        request.parameters.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
    let encoded = sign::canonical_query(&parameters);
    let (method, in_form) = match dialect.carriage {
        Carriage::Get => (Method::GET, false),
        Carriage::PostQuery => (Method::POST, encoded.len() > LONGEST_QUERY),
        Carriage::PostForm => (Method::POST, !parameters.is_empty()),
    };
    let attempt =
        Attempt { request, host, credentials, timestamp: &timestamp, nonce, method, in_form, encoded };
    match dialect.signature {
        Signature::V1 => attempt.by_version_1(dialect.format, &parameters),
        Signature::V3 => attempt.by_version_3(dialect.format),
    }
}

struct Attempt<'a> {
    request: &'a Request,
    host: &'a str,
    credentials: &'a Credentials,
    timestamp: &'a str,
    nonce: &'a str,
    method: Method,
    in_form: bool,
    /// The operation's own parameters.
    encoded: String,
}

impl Attempt<'_> {
    fn by_version_1(mut self, format: Format, parameters: &[(&str, &str)]) -> SignedRequest {
        let encoded = std::mem::take(&mut self.encoded);
        let operation = &self.request.operation;
        let mut public: Vec<(&str, &str)> = vec![
            ("Action", operation.action),
            ("Version", operation.version),
            ("Format", format.word()),
            ("AccessKeyId", &self.credentials.access_key_id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", self.nonce),
            ("Timestamp", self.timestamp),
        ];
        if let Some(token) = &self.credentials.security_token {
            public.push(("SecurityToken", token.expose_secret()));
        }
        // Query and form are signed together, as one.
        let all: Vec<(&str, &str)> = public.iter().chain(parameters).copied().collect();
        let canonical = sign::canonical_query(&all);
        let string_to_sign = sign::string_to_sign_v1(self.method.as_str(), &canonical);
        let signature = sign::signature_v1(self.secret(), &string_to_sign);
        let (query, body) =
            if self.in_form { (sign::canonical_query(&public), encoded) } else { (canonical, String::new()) };
        let mut headers: Vec<(&'static str, SecretString)> = vec![("accept", format.content_type().into())];
        if self.in_form {
            headers.push(("content-type", FORM.into()));
        }
        SignedRequest {
            method: self.method,
            query: format!("{query}&Signature={}", sign::percent_encode(&signature)).into(),
            headers,
            body: body.into(),
            string_to_sign: string_to_sign.into(),
        }
    }

    fn by_version_3(mut self, format: Format) -> SignedRequest {
        let encoded = std::mem::take(&mut self.encoded);
        let operation = &self.request.operation;
        let (query, body) = if self.in_form { (String::new(), encoded) } else { (encoded, String::new()) };
        let payload = sign::hashed_payload_v3(body.as_bytes());
        // The least that the rule asks for: proxies rewrite other headers.
        let mut signed: Vec<(&'static str, &str)> = vec![
            ("host", self.host),
            ("x-acs-action", operation.action),
            ("x-acs-version", operation.version),
            ("x-acs-date", self.timestamp),
            ("x-acs-signature-nonce", self.nonce),
            ("x-acs-content-sha256", &payload),
        ];
        if self.in_form {
            signed.push(("content-type", FORM));
        }
        if let Some(token) = &self.credentials.security_token {
            signed.push(("x-acs-accesskey-id", &self.credentials.access_key_id));
            signed.push(("x-acs-security-token", token.expose_secret()));
        }
        let canonical = sign::canonical_request_v3(self.method.as_str(), "/", &query, &signed, &payload);
        let string_to_sign = sign::string_to_sign_v3(&canonical);
        let signature = sign::signature_v3(self.secret(), &string_to_sign);
        let authorization = sign::authorization_v3(
            &self.credentials.access_key_id,
            &sign::signed_headers_v3(&signed),
            &signature,
        );
        let mut headers: Vec<(&'static str, SecretString)> =
            signed.iter().map(|(name, value)| (*name, SecretString::from(*value))).collect();
        headers.push(("accept", format.content_type().into()));
        headers.push(("authorization", authorization.into()));
        SignedRequest {
            method: self.method,
            query: query.into(),
            headers,
            body: body.into(),
            string_to_sign: string_to_sign.into(),
        }
    }

    fn secret(&self) -> &str {
        self.credentials.access_key_secret.expose_secret()
    }
}
