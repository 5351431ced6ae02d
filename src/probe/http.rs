//! Whether an HTTP GET is answered as wanted.

use std::net::Ipv6Addr;

use super::{NotReady, Probes, Subject, host_of};
use crate::fleet::HttpTarget;

/// So much of a body is read to look for a text in it, in bytes.
const LONGEST_BODY: usize = 64 * 1024;

/// Gets, and looks at status and body. Redirects are not followed: they are an answer.
pub(super) async fn ask(
    probes: &Probes,
    subject: &Subject,
    target: &HttpTarget,
    status: Option<u16>,
    contains: Option<&str>,
) -> Result<(), NotReady> {
    let (client, url) = match target {
        HttpTarget::Url(url) => (probes.outer.as_ref().unwrap_or(&probes.direct), url.clone()),
        HttpTarget::Instance { port, path, address } => {
            let host = host_of(subject, address)?;
            let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host };
            (&probes.direct, format!("http://{host}:{port}{path}"))
        }
    };
    let answer = client.get(&url).send().await.map_err(|error| NotReady::new(in_words(&error)))?;
    let is = answer.status();
    let is_wanted = match status {
        Some(wanted) => is.as_u16() == wanted,
        None => is.is_success(),
    };
    if !is_wanted {
        return Err(NotReady::new(is.to_string()));
    }
    let Some(wanted) = contains else { return Ok(()) };
    let body = read(answer).await?;
    if String::from_utf8_lossy(&body).contains(wanted) {
        return Ok(());
    }
    Err(NotReady::new(format!("{is}, but the body does not contain \"{wanted}\"")))
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, NotReady> {
    let mut body = Vec::new();
    while body.len() < LONGEST_BODY {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(NotReady::new(in_words(&error))),
        }
    }
    body.truncate(LONGEST_BODY);
    Ok(body)
}

/// The innermost cause: the outer ones only say that there was a request.
fn in_words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let words = cause.to_string();
    if error.is_connect() && words.contains("refused") { "connection refused".to_owned() } else { words }
}
