//! How requests leave this machine: through which proxy, trusting which certificates.
//!
//! Both follow the usual variables, read through [`Surroundings`]. Requests to this machine never go through a proxy,
//! and unencrypted ones never do. Nothing here knows what is asked.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap};
use reqwest::{Certificate, NoProxy, Proxy, RequestBuilder, Url, redirect, retry as http_retry};
use tokio::time::Duration;

use super::response::read_date;
use super::surroundings::{SecretFile, Surroundings};

/// How long an unused connection is kept. Short, because gateways drop idle connections without a word, and a write
/// on a connection that has just been dropped ends with an unknown outcome.
const IDLE_CONNECTION: Duration = Duration::from_secs(15);

/// Names the proxy for encrypted requests: the first that is set.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Names the hosts that no proxy is used for: the first that is set.
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// A bundle of certificates in PEM that are trusted too.
const BUNDLE_VARIABLE: &str = "SSL_CERT_FILE";

/// The longest answer that [`ask`] takes, in bytes.
const LONGEST_ANSWER: usize = 256 * 1024;

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// TLS cannot be set up.
    #[error(
        "the HTTPS client cannot be set up: {0}. Check the machine's CA certificates and the variables SSL_CERT_FILE \
         and SSL_CERT_DIR"
    )]
    Tls(
        /// Why, in words.
        String,
    ),
    /// The bundle of certificates is not one.
    #[error(
        "the certificates in {path}, which {BUNDLE_VARIABLE} names, cannot be used: {why}. Name a file with \
         certificates in PEM (-----BEGIN CERTIFICATE-----), or unset {BUNDLE_VARIABLE}"
    )]
    Bundle {
        /// The file.
        path: String,
        /// Why, in words.
        why: String,
    },
    /// The proxy is none.
    #[error(
        "the proxy that {variable} names cannot be used: {why}. Write it as http://host:port, or unset {variable}"
    )]
    Proxy {
        /// The variable. Its value may hold a password.
        variable: &'static str,
        /// Why, in words.
        why: &'static str,
    },
}

/// Proxies and certificates.
#[derive(Clone, Default)]
pub struct Transport {
    proxy: Option<Proxy>,
    roots: Vec<Certificate>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A proxy may hold a password.
        f.debug_struct("Transport")
            .field("has_proxy", &self.proxy.is_some())
            .field("further_roots", &self.roots.len())
            .finish()
    }
}

/// What a connection is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// Whether it is encrypted.
    pub(super) encrypted: bool,
    /// Whether it goes to this machine, or to the metadata service of this one.
    pub(super) local: bool,
    /// How long it may take to come about.
    pub(super) connect: Duration,
}

impl Transport {
    /// What the variables say: `HTTPS_PROXY` (else `ALL_PROXY`) with `NO_PROXY`, and `SSL_CERT_FILE`.
    ///
    /// The certificates of that file are trusted besides the system's, which on Unix are those of `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` where they are set, and besides Mozilla's.
    ///
    /// # Errors
    /// [`SetupError`] for a proxy or bundle that is none. Certificates that are silently not there would end as a TLS
    /// error that names the wrong culprit.
    pub fn new(around: &Surroundings) -> Result<Self, SetupError> {
        let roots = match around.variable(BUNDLE_VARIABLE) {
            Some(path) => bundle(&path)?,
            None => Vec::new(),
        };
        let proxy = match around.first_variable(&PROXY_VARIABLES) {
            Some((variable, address)) => {
                let except = around.first_variable(&NO_PROXY_VARIABLES).map(|(_, hosts)| hosts);
                let except = except.as_deref().and_then(NoProxy::from_string);
                Some(proxy(variable, &address)?.no_proxy(except))
            }
            None => None,
        };
        Ok(Self { proxy, roots })
    }

    /// Clients for probes, with as long to connect as an attempt may take: one for instances themselves, without a proxy
    /// and without encryption, and one for URLs, if that is wanted.
    ///
    /// # Errors
    /// [`SetupError`] if TLS cannot be set up.
    pub fn for_probes(
        &self,
        connect: Duration,
        with_urls: bool,
    ) -> Result<(reqwest::Client, Option<reqwest::Client>), SetupError> {
        let direct = self.client(Line { encrypted: false, local: true, connect })?;
        let outer = Line { encrypted: true, local: false, connect };
        Ok((direct, with_urls.then(|| self.client(outer)).transpose()?))
    }

    /// An HTTP client: no redirects, no repetitions of its own, no compression.
    ///
    /// One repetition stays that cannot be switched off: hyper takes a request to another connection if the pooled
    /// one turned out to be closed before any of it was written. The server has seen nothing of it then, so its nonce
    /// is still good.
    pub(super) fn client(&self, line: Line) -> Result<reqwest::Client, SetupError> {
        // Whoever is first installs it; a second attempt is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = |error: reqwest::Error| SetupError::Tls(causes(&error));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("powerform/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(http_retry::never())
            .referer(false)
            .connect_timeout(line.connect)
            .pool_idle_timeout(IDLE_CONNECTION)
            // Also keeps the library from reading the variables of the process by itself.
            .no_proxy();
        if let Some(proxy) = self.proxy.as_ref().filter(|_| line.encrypted && !line.local) {
            builder = builder.proxy(proxy.clone());
        }
        builder = if line.encrypted {
            // The system's roots and Mozilla's: a container without CA files can reach ECS all the same.
            let mut roots = self.roots.clone();
            for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
                roots.push(Certificate::from_der(root).map_err(tls)?);
            }
            builder.tls_certs_merge(roots)
        } else {
            // Without TLS no roots are needed, and none may be looked for: that fails where there are no CA files.
            builder.tls_certs_only([])
        };
        builder.build().map_err(tls)
    }
}

fn bundle(path: &str) -> Result<Vec<Certificate>, SetupError> {
    use secrecy::ExposeSecret as _;
    let refuse = |why: String| SetupError::Bundle { path: path.to_owned(), why };
    let file = SecretFile::read(Path::new(path)).map_err(|error| refuse(error.to_string()))?;
    let roots = Certificate::from_pem_bundle(file.text.expose_secret().as_bytes())
        .map_err(|_| refuse("it is not PEM".to_owned()))?;
    if roots.is_empty() {
        return Err(refuse("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

fn proxy(variable: &'static str, address: &str) -> Result<Proxy, SetupError> {
    let refuse = |why| SetupError::Proxy { variable, why };
    let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let url = Url::parse(&address).map_err(|_| refuse("it is not an address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("only HTTP proxies are spoken to"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refuse("it names no host"));
    }
    Proxy::https(url).map_err(|_| refuse("it is not an address"))
}

/// What a server answered.
pub(super) struct Reply {
    pub(super) status: u16,
    /// The time by the server's clock, where it says one.
    pub(super) server_time: Option<Timestamp>,
    /// May hold secrets: not for logs or errors.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoReply {
    #[error("no connection: {0}")]
    NotConnected(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("the answer is longer than {LONGEST_ANSWER} bytes")]
    TooLong,
}

/// Sends a request and reads its answer, within limits of time and size.
pub(super) async fn ask(request: RequestBuilder, limit: Duration) -> Result<Reply, NoReply> {
    let no_reply = |error: reqwest::Error| {
        let why = causes(&error);
        if error.is_connect() { NoReply::NotConnected(why) } else { NoReply::Broken(why) }
    };
    let exchange = async {
        let mut response = request.send().await.map_err(no_reply)?;
        let status = response.status().as_u16();
        let server_time = header(response.headers(), DATE.as_str()).and_then(read_date);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_reply)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(NoReply::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, server_time, body })
    };
    tokio::time::timeout(limit, exchange).await.unwrap_or(Err(NoReply::TimedOut(limit)))
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
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

#[cfg(test)]
mod tests;
