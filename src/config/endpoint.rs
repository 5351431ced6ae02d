//! Which URLs requests may be sent to.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::Url;

/// Why a URL is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not a URL with a host.
    #[error("it is not a URL like https://ecs.cn-hangzhou.aliyuncs.com")]
    NotAUrl,
    /// Neither `http` nor `https`.
    #[error("it must begin with https:// (http:// only on a loopback host)")]
    OtherScheme,
    /// `http` to somewhere else than this machine: requests would be open to everyone on the way.
    #[error("plain http:// is accepted on loopback hosts only (127.0.0.0/8, ::1, localhost); write https://")]
    PlainHttp,
    /// A user, path, query or fragment, which requests have no place for.
    #[error("it must hold nothing but the scheme, the host and a port")]
    TooMuch,
}

/// Checks that a URL names a host, safely: `https` anywhere, `http` on loopback hosts only.
///
/// # Errors
/// What is wrong with it, as the end of a sentence about the endpoint.
pub fn check(text: &str) -> Result<(), InvalidEndpoint> {
    // The URL standard drops tabs, line breaks and spaces at the ends without a word.
    if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(InvalidEndpoint::NotAUrl);
    }
    let url = Url::parse(text).map_err(|_| InvalidEndpoint::NotAUrl)?;
    if !matches!(url.scheme(), "https" | "http") {
        // `ecs.aliyuncs.com:443` parses as a URL with the scheme `ecs.aliyuncs.com`.
        return Err(if text.contains("://") {
            InvalidEndpoint::OtherScheme
        } else {
            InvalidEndpoint::NotAUrl
        });
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidEndpoint::NotAUrl)?;
    if url.scheme() == "http" && !is_loopback(host) {
        return Err(InvalidEndpoint::PlainHttp);
    }
    let bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    if bare { Ok(()) } else { Err(InvalidEndpoint::TooMuch) }
}

/// Whether a host, as the URL standard writes it, is this machine. Names other than `localhost` are not looked up: an
/// answer could change between the check and the request.
fn is_loopback(host: &str) -> bool {
    if host == "localhost" {
        return true;
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_hosts_and_https_for_all() {
        for (text, verdict) in [
            ("https://ecs.cn-hangzhou.aliyuncs.com", Ok(())),
            ("https://ecs.cn-hangzhou.aliyuncs.com/", Ok(())),
            ("https://10.0.0.1:8443", Ok(())),
            ("http://127.0.0.1:8080", Ok(())),
            ("http://127.9.9.9", Ok(())),
            ("http://localhost:1", Ok(())),
            ("http://LOCALHOST", Ok(())),
            ("http://[::1]:8080", Ok(())),
            ("http://ecs.aliyuncs.com", Err(InvalidEndpoint::PlainHttp)),
            ("http://localhost.evil.example", Err(InvalidEndpoint::PlainHttp)),
            ("http://127.0.0.1.evil.example", Err(InvalidEndpoint::PlainHttp)),
            ("http://127.0.0.1@evil.example", Err(InvalidEndpoint::PlainHttp)),
            ("http://[::ffff:10.0.0.1]", Err(InvalidEndpoint::PlainHttp)),
            ("http://0.0.0.0", Err(InvalidEndpoint::PlainHttp)),
            ("https://user:secret@ecs.aliyuncs.com", Err(InvalidEndpoint::TooMuch)),
            ("https://ecs.aliyuncs.com/path", Err(InvalidEndpoint::TooMuch)),
            ("https://ecs.aliyuncs.com?a=b", Err(InvalidEndpoint::TooMuch)),
            ("https://ecs.aliyuncs.com#a", Err(InvalidEndpoint::TooMuch)),
            ("ftp://ecs.aliyuncs.com", Err(InvalidEndpoint::OtherScheme)),
            ("ecs.aliyuncs.com", Err(InvalidEndpoint::NotAUrl)),
            ("ecs.aliyuncs.com:443", Err(InvalidEndpoint::NotAUrl)),
            ("https://", Err(InvalidEndpoint::NotAUrl)),
            ("https://ecs.aliyuncs.com\n", Err(InvalidEndpoint::NotAUrl)),
            ("", Err(InvalidEndpoint::NotAUrl)),
        ] {
            assert_eq!(check(text), verdict, "{text:?}");
        }
    }
}
