//! Credentials from an address that answers with them.

use std::net::IpAddr;

use reqwest::Url;

use super::issued::{Issued, SecretObject};
use super::provider::{Context, Fetching, Grant, Missing, Provider};
use crate::aliyun::sts::{CONNECT_TIMEOUT, READ_TIMEOUT};
use crate::aliyun::transport::{Line, ask};

const ADDRESS: [&str; 2] = ["ALIBABA_CLOUD_CREDENTIALS_URI", "ALICLOUD_CREDENTIALS_URI"];

/// The address that the environment names.
pub(super) struct UriOfEnvironment;

impl Provider for UriOfEnvironment {
    fn place(&self) -> String {
        "the credentials URI of the environment".to_owned()
    }

    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a> {
        Box::pin(async move {
            match context.surroundings.first_variable(&ADDRESS) {
                Some((name, address)) => fetch(context, &address, &format!("the URI in {name}")).await,
                None => Err(Missing::absent(format!("{} is not set", ADDRESS[0]))),
            }
        })
    }
}

/// Asks an address. Its query may hold a secret, so it is never repeated.
pub(super) async fn fetch(context: &Context, address: &str, source: &str) -> Result<Grant, Missing> {
    let refuse = |why: &str| Missing::broken(format!("{source}: {why}"));
    let url = Url::parse(address).map_err(|_| refuse("it is not an address"))?;
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(refuse("it names no host"));
    };
    let encrypted = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(refuse("it begins with neither https:// nor http://")),
    };
    let (local, near) = how_near(host);
    let line = Line { encrypted, local, connect: CONNECT_TIMEOUT };
    let http = context.transport.client(line).map_err(|error| refuse(&error.to_string()))?;
    let reply = ask(http.get(url.clone()), CONNECT_TIMEOUT + READ_TIMEOUT)
        .await
        .map_err(|error| refuse(&error.to_string()))?;
    if reply.status != 200 {
        return Err(refuse(&format!("it answers HTTP status {}", reply.status)));
    }
    let object = SecretObject::read(&reply.body).map_err(|error| refuse(&error.to_string()))?;
    if object.text("Code").is_some_and(|code| code != "Success") {
        return Err(refuse("its answer doesn't say Success"));
    }
    let mut grant = Issued::read(&object).map_err(|why| refuse(&why))?.grant(source.to_owned());
    if !encrypted && !near {
        grant.warnings.push(format!(
            "{source} is plain http, so anyone on the way can read the credentials: use https, or an address within \
             your network"
        ));
    }
    Ok(grant)
}

/// Whether a host is this machine, and whether it is one of the addresses that do not leave the network.
fn how_near(host: &str) -> (bool, bool) {
    if host.eq_ignore_ascii_case("localhost") {
        return (true, true);
    }
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            // 100.64.0.0/10 holds the services of the cloud itself.
            let shared = address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64;
            let near = address.is_loopback() || address.is_link_local() || address.is_private() || shared;
            (address.is_loopback(), near)
        }
        Ok(IpAddr::V6(address)) => {
            let near = address.is_loopback() || address.is_unicast_link_local() || address.is_unique_local();
            (address.is_loopback(), near)
        }
        Err(_) => (false, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_within_the_network_are_told_from_those_outside() {
        for (host, near) in [
            ("localhost", (true, true)),
            ("127.0.0.1", (true, true)),
            ("[::1]", (true, true)),
            ("10.1.2.3", (false, true)),
            ("169.254.1.1", (false, true)),
            ("100.100.100.200", (false, true)),
            ("100.128.0.1", (false, false)),
            ("[fd00::1]", (false, true)),
            ("8.8.8.8", (false, false)),
            ("example.com", (false, false)),
        ] {
            assert_eq!(how_near(host), near, "{host}");
        }
    }
}
