//! Where ECS and STS are reached.
//!
//! Pure. Regions that the map of shared hosts does not name are reached at `ecs.{region}.aliyuncs.com`.

mod regions;

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use self::regions::{SHARED_HOSTS, VPC_REGIONS};
use crate::fleet::Region;

pub use regions::{UnknownRegion, check_region};

/// A region without an endpoint inside VPCs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the region {region} has no endpoint inside VPCs that powerform knows: take `network: vpc` away, or write the \
     endpoint into provider.endpoint"
)]
pub struct NoVpcEndpoint {
    /// The region.
    pub region: Region,
}

/// Where requests are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    loopback: bool,
}

/// A text that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" cannot be used as an endpoint: {why}")]
pub struct InvalidEndpoint {
    /// The text as it was given, without a password if it held one.
    pub text: String,
    /// What is wrong with it, and what to write instead.
    pub why: &'static str,
}

impl Endpoint {
    /// The public endpoint of a region.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if the region's name cannot be part of a host name.
    pub fn public(region: &Region) -> Result<Self, InvalidEndpoint> {
        let name = region.as_str().to_ascii_lowercase();
        let shared = SHARED_HOSTS.iter().find(|(_, regions)| regions.contains(&name.as_str()));
        match shared {
            Some((host, _)) => Self::explicit(host),
            None => Self::explicit(&format!("ecs.{name}.aliyuncs.com")),
        }
    }

    /// The endpoint of a region inside VPCs.
    ///
    /// # Errors
    /// [`NoVpcEndpoint`] if the region has none: a host name of that form would not resolve.
    pub fn vpc(region: &Region) -> Result<Self, NoVpcEndpoint> {
        let refuse = || NoVpcEndpoint { region: region.clone() };
        let name = region.as_str().to_ascii_lowercase();
        if !VPC_REGIONS.contains(&name.as_str()) {
            return Err(refuse());
        }
        Self::explicit(&format!("ecs-vpc.{name}.aliyuncs.com")).map_err(|_| refuse())
    }

    /// The endpoint of the Security Token Service: in a region, inside the VPCs of a region, or for the world.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if the region's name cannot be part of a host name.
    pub fn sts(region: Option<&str>, vpc: bool) -> Result<Self, InvalidEndpoint> {
        let Some(region) = region else { return Self::explicit("sts.aliyuncs.com") };
        let region = Region::new(region).map_err(|_| InvalidEndpoint {
            text: region.to_owned(),
            why: "a region's name has letters, digits and hyphens only",
        })?;
        let host = if vpc { "sts-vpc" } else { "sts" };
        Self::explicit(&format!("{host}.{}.aliyuncs.com", region.as_str().to_ascii_lowercase()))
    }

    /// An endpoint that a person wrote: `https://host`, `host` (which means https), or for a simulator on this
    /// machine `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] if it is no such text, or if it would send signed requests unencrypted over a network.
    pub fn explicit(text: &str) -> Result<Self, InvalidEndpoint> {
        let refuse = |why| InvalidEndpoint { text: without_user_information(text), why };
        let address = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let base = Url::parse(&address)
            .map_err(|_| refuse("it is not an address; write https:// and the name of the host"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(refuse("it holds a user name or password; credentials are given elsewhere"));
        }
        if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
            return Err(refuse("it has more than a host and a port; ECS answers at the path / only"));
        }
        let loopback = match base.host_str() {
            None | Some("") => return Err(refuse("it names no host")),
            Some("localhost") => true,
            Some(host) => {
                let address = host.trim_start_matches('[').trim_end_matches(']');
                address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        };
        match base.scheme() {
            "https" => Ok(Self { base, loopback }),
            "http" if loopback => Ok(Self { base, loopback }),
            "http" => Err(refuse("plain http is accepted for this machine (127.0.0.1) only; write https://")),
            _ => Err(refuse("only https is spoken, and http with this machine; write https://")),
        }
    }

    /// The host and, where it is not the usual one, the port: for messages.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.base.authority()
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether requests are encrypted. Those that are not never leave this machine.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// The address of a request with an encoded query, which may be empty.
    pub(super) fn with_query(&self, query: &str) -> Url {
        let mut address = self.base.clone();
        address.set_query(Some(query).filter(|query| !query.is_empty()));
        address
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.base.scheme(), self.base.authority())
    }
}

/// The text without what stands before an `@`, which may be a password.
fn without_user_information(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
            format!("{scheme}...@{after}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::regions::REGIONS;
    use super::*;

    fn region(name: &str) -> Region {
        Region::new(name).expect("valid")
    }

    #[test]
    fn a_region_has_its_own_host_unless_the_map_names_another() {
        for (name, endpoint) in [
            ("cn-shanghai", "https://ecs.cn-shanghai.aliyuncs.com"),
            ("eu-central-1", "https://ecs.eu-central-1.aliyuncs.com"),
            ("cn-hangzhou", "https://ecs-cn-hangzhou.aliyuncs.com"),
            ("CN-Hangzhou", "https://ecs-cn-hangzhou.aliyuncs.com"),
            ("cn-north-2-gov-1", "https://ecs.aliyuncs.com"),
            ("cn-edge-1", "https://ecs.cn-qingdao-nebula.aliyuncs.com"),
            ("xx-nowhere-9", "https://ecs.xx-nowhere-9.aliyuncs.com"),
        ] {
            let public = Endpoint::public(&region(name)).expect("a host name");
            assert_eq!(public.to_string(), endpoint);
            assert!(public.is_encrypted() && !public.is_loopback());
        }
    }

    #[test]
    fn every_known_region_has_an_endpoint_and_is_known() {
        for name in REGIONS.iter().chain(SHARED_HOSTS.iter().flat_map(|(_, regions)| regions.iter())) {
            assert!(check_region(&region(name)).is_ok(), "{name}");
            assert!(Endpoint::public(&region(name)).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_region_without_a_vpc_endpoint_is_refused_by_name() {
        for name in VPC_REGIONS {
            let endpoint = Endpoint::vpc(&region(name)).expect("there is one").to_string();
            assert_eq!(endpoint, format!("https://ecs-vpc.{name}.aliyuncs.com"));
            assert!(check_region(&region(name)).is_ok(), "{name}");
        }
        for name in ["rus-west-1", "cn-hangzhou-finance", "cn-atlantis"] {
            let error = Endpoint::vpc(&region(name)).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains("network: vpc"), "{error}");
        }
    }

    #[test]
    fn the_security_token_service_is_reached_in_the_world_a_region_or_a_vpc() {
        for (region, vpc, endpoint) in [
            (None, false, "https://sts.aliyuncs.com"),
            (None, true, "https://sts.aliyuncs.com"),
            (Some("cn-beijing"), false, "https://sts.cn-beijing.aliyuncs.com"),
            (Some("cn-beijing"), true, "https://sts-vpc.cn-beijing.aliyuncs.com"),
        ] {
            assert_eq!(Endpoint::sts(region, vpc).expect("a host").to_string(), endpoint);
        }
        assert!(Endpoint::sts(Some("evil.example/"), false).is_err());
    }

    #[test]
    fn plain_http_is_accepted_on_this_machine_only() {
        for text in ["http://127.0.0.1:8080", "http://127.8.8.8", "http://[::1]:80/", "http://localhost:1"] {
            let endpoint = Endpoint::explicit(text).expect(text);
            assert!(endpoint.is_loopback() && !endpoint.is_encrypted(), "{text}");
        }
        for text in [
            "http://ecs.aliyuncs.com",
            "http://10.0.0.1",
            "http://0.0.0.0:80",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
        ] {
            let error = Endpoint::explicit(text).expect_err(text);
            assert!(error.to_string().contains("plain http"), "{error}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for (text, read) in [
            ("ecs.cn-beijing.aliyuncs.com", "https://ecs.cn-beijing.aliyuncs.com"),
            ("https://ecs.aliyuncs.com/", "https://ecs.aliyuncs.com"),
            ("https://proxy.internal:8443", "https://proxy.internal:8443"),
        ] {
            assert_eq!(Endpoint::explicit(text).expect(text).to_string(), read);
        }
        for text in [
            "",
            "https://",
            "ftp://ecs.aliyuncs.com",
            "https://ecs.aliyuncs.com/api",
            "https://ecs.aliyuncs.com/?a=b",
            "https://ecs.aliyuncs.com/#a",
            "https://a b",
        ] {
            assert!(Endpoint::explicit(text).is_err(), "{text:?}");
        }
        let error = Endpoint::explicit("https://me:pass/word@ecs.aliyuncs.com").expect_err("a password");
        assert!(!error.to_string().contains("word"), "{error}");
        let error = Endpoint::explicit("https://me:password@ecs.aliyuncs.com").expect_err("a password");
        assert!(!error.to_string().contains("password@"), "{error}");
    }

    #[test]
    fn a_query_is_sent_exactly_as_it_was_signed() {
        let endpoint = Endpoint::explicit("http://127.0.0.1:9").expect("valid");
        let query = "A=%2A%20%7E~-_.&B=&C=%E7%BD%91%2B%2F%3D";
        assert_eq!(endpoint.with_query(query).as_str(), format!("http://127.0.0.1:9/?{query}"));
    }
}
