//! Whether an HTTP GET is answered as wanted.

use std::net::Ipv6Addr;

use reqwest::header::CONNECTION;

use super::{NotReady, Probes, Subject, host_of, in_words, one_line};
use crate::fleet::HttpTarget;

/// So much of a body is read to look for a text in it, in bytes.
const LONGEST_BODY: usize = 64 * 1024;

/// So much of a text that is missed is quoted, in characters.
const LONGEST_QUOTE: usize = 60;

/// Gets, and looks at status and body. Redirects are not followed: they are an answer.
pub(super) async fn ask<A>(
    probes: &Probes<A>,
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
    // A connection to each instance would be kept otherwise, and one that is kept proves less.
    let request = client.get(&url).header(CONNECTION, "close");
    let answer = request.send().await.map_err(|error| NotReady::new(tell(&error)))?;
    let is = answer.status();
    let is_wanted = match status {
        Some(wanted) => is.as_u16() == wanted,
        None => is.is_success(),
    };
    if !is_wanted {
        return Err(NotReady::new(is.to_string()));
    }
    let Some(wanted) = contains else { return Ok(()) };
    if holds(answer, wanted.as_bytes()).await? {
        return Ok(());
    }
    let wanted = one_line(wanted, LONGEST_QUOTE);
    Err(NotReady::new(format!("{is}, but the body does not contain \"{wanted}\"")))
}

/// Whether a text is in the beginning of a body, which is read no further than needed.
async fn holds(mut answer: reqwest::Response, wanted: &[u8]) -> Result<bool, NotReady> {
    let mut body = Vec::new();
    loop {
        let seen = body.len();
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                let room = LONGEST_BODY.saturating_sub(seen);
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(None) => return Ok(wanted.is_empty()),
            Err(error) => return Err(NotReady::new(tell(&error))),
        }
        let fresh = &body[seen.saturating_sub(wanted.len())..];
        if wanted.is_empty() || fresh.windows(wanted.len()).any(|part| part == wanted) {
            return Ok(true);
        }
        if body.len() == LONGEST_BODY {
            return Ok(false);
        }
    }
}

/// The innermost cause: the outer ones only say that there was a request.
fn tell(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.downcast_ref::<std::io::Error>().map_or_else(|| cause.to_string(), in_words)
}
