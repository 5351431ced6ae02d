//! The HTTP library, as far as this program uses it: how it is set up, and what its errors say.

use reqwest::header::HeaderMap;
use reqwest::{Certificate, redirect, retry as http_retry};
use tokio::time::Duration;

use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::refusal::Silence;
use crate::aliyun::request::CONNECT_TIMEOUT;

/// How long an unused connection is kept. Short, because gateways drop idle connections without a word, and a write
/// on a connection that has just been dropped ends with an unknown outcome.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// The HTTP client: no redirects, no repetitions of its own, no compression.
///
/// One repetition stays that cannot be switched off: hyper takes a request to another connection if the pooled one
/// turned out to be closed before any of it was written. ECS has seen nothing of it then, so its nonce is still good.
pub(super) fn http_client(endpoint: &Endpoint) -> Result<reqwest::Client, reqwest::Error> {
    // Whoever is first installs it; a second attempt is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("powerform/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(http_retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_CONNECTION);
    if endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    builder = if endpoint.is_encrypted() {
        // The system's roots and Mozilla's: a container without CA files can reach ECS all the same.
        let mut roots = Vec::with_capacity(webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            roots.push(Certificate::from_der(root)?);
        }
        builder.tls_certs_merge(roots)
    } else {
        // Without TLS no roots are needed, and none may be looked for: that fails where there are no CA files.
        builder.tls_certs_only([])
    };
    builder.build()
}

/// A header as text, if it is there and is one.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What an error means for the request.
pub(super) fn silence(error: reqwest::Error) -> Silence {
    let why = causes(&error);
    if error.is_connect() { Silence::NotConnected(why) } else { Silence::Broken(why) }
}

/// What lies under an error of the HTTP library. Its own first line is left out: it holds the address, and with it
/// the query.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        cause = error.source();
        if text.starts_with("client error (") {
            continue;
        }
        // Many wrappers repeat what they wrap.
        words.retain(|earlier| !text.contains(earlier.as_str()));
        if !words.iter().any(|earlier| earlier.contains(&text)) {
            words.push(text);
        }
    }
    if words.is_empty() { "the HTTP library gives no reason".to_owned() } else { words.join(": ") }
}
