//! Where ECS is reached: the endpoint of a region, and which regions are known.
//!
//! Pure. The map is that of the official SDK (alibabacloud-ecs20140526 7.11.8); regions that it does not name are
//! reached at `ecs.{region}.aliyuncs.com`.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::fleet::Region;

/// The regions that Alibaba Cloud offers to the public, China's finance and government regions included.
const REGIONS: &[&str] = &[
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ap-southeast-8",
    "cn-beijing",
    "cn-beijing-finance-1",
    "cn-chengdu",
    "cn-fuzhou",
    "cn-guangzhou",
    "cn-hangzhou",
    "cn-hangzhou-finance",
    "cn-heyuan",
    "cn-hongkong",
    "cn-huhehaote",
    "cn-nanjing",
    "cn-north-2-gov-1",
    "cn-qingdao",
    "cn-shanghai",
    "cn-shanghai-finance-1",
    "cn-shenzhen",
    "cn-shenzhen-finance-1",
    "cn-wulanchabu",
    "cn-zhangjiakou",
    "cn-zhongwei",
    "eu-central-1",
    "eu-west-1",
    "me-central-1",
    "me-east-1",
    "na-south-1",
    "rus-west-1",
    "us-east-1",
    "us-southeast-1",
    "us-west-1",
];

/// Hosts that serve regions under another name than the rule gives, with those regions.
const SHARED_HOSTS: &[(&str, &[&str])] = &[
    (
        "ecs-cn-hangzhou.aliyuncs.com",
        &[
            "cn-hangzhou",
            "cn-shanghai-finance-1",
            "cn-shenzhen-finance-1",
            "cn-beijing-nu16-b01",
            "cn-fujian",
            "cn-haidian-cm12-c01",
            "cn-hangzhou-bj-b01",
            "cn-hangzhou-internal-prod-1",
            "cn-hangzhou-internal-test-1",
            "cn-hangzhou-internal-test-2",
            "cn-hangzhou-internal-test-3",
            "cn-hangzhou-test-306",
            "cn-shanghai-et15-b01",
            "cn-shanghai-et2-b01",
            "cn-shanghai-internal-test-1",
            "cn-shenzhen-st4-d01",
            "cn-shenzhen-su18-b01",
            "cn-zhangbei-na61-b01",
        ],
    ),
    (
        "ecs.aliyuncs.com",
        &[
            "cn-north-2-gov-1",
            "cn-hangzhou-finance",
            "cn-beijing-finance-pop",
            "cn-beijing-gov-1",
            "cn-hongkong-finance-pop",
            "ap-northeast-2-pop",
            "rus-west-1-pop",
            "cn-shanghai-inner",
            "cn-shenzhen-inner",
            "cn-wuhan",
            "cn-yushanfang",
            "cn-zhangbei",
        ],
    ),
    ("ecs.cn-qingdao-nebula.aliyuncs.com", &["cn-edge-1", "cn-huhehaote-nebula-1", "cn-zhengzhou-nebula-1"]),
    ("ecs.cn-zhangjiakou.aliyuncs.com", &["cn-zhangjiakou-na62-a01"]),
    ("ecs.cn-shenzhen-cloudstone.aliyuncs.com", &["eu-west-1-oxs"]),
];

/// A region that this program has not heard of. It may be new: whether to go on is for the caller to decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the region \"{region}\" is not known{}", did_you_mean(.near))]
pub struct UnknownRegion {
    /// The region.
    pub region: Region,
    /// Known regions with a name that is nearly the same, the nearest first.
    pub near: Vec<&'static str>,
}

fn did_you_mean(near: &[&str]) -> String {
    match near {
        [] => String::new(),
        [first, rest @ ..] => {
            let others: String = rest.iter().map(|name| format!(" or {name}")).collect();
            format!(": did you mean {first}{others}?")
        }
    }
}

/// Checks that a region is one that is known, so that a slip of the pen is named before it becomes a host name that
/// does not resolve.
///
/// # Errors
/// [`UnknownRegion`] with near names. New regions appear now and then, so this alone need not end a run.
pub fn check_region(region: &Region) -> Result<(), UnknownRegion> {
    let name = region.as_str();
    let mapped = SHARED_HOSTS.iter().flat_map(|(_, regions)| regions.iter());
    if REGIONS.iter().chain(mapped).any(|known| *known == name) {
        return Ok(());
    }
    // Half of the names differ from some other by one digit, so only the closest few are worth saying.
    let mut near: Vec<(usize, &'static str)> = REGIONS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name.to_ascii_lowercase(), known), *known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).min(4))
        .collect();
    near.sort_by(|(a_distance, a), (b_distance, b)| {
        let likeness = |known: &str| strsim::jaro_winkler(name, known);
        a_distance.cmp(b_distance).then_with(|| likeness(b).total_cmp(&likeness(a)))
    });
    near.truncate(3);
    Err(UnknownRegion { region: region.clone(), near: near.into_iter().map(|(_, known)| known).collect() })
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
    fn a_slip_of_the_pen_is_answered_with_near_names() {
        for (slip, meant) in [
            ("cn-hangzou", "cn-hangzhou"),
            ("cn-shangai", "cn-shanghai"),
            ("CN-HANGZHOU", "cn-hangzhou"),
            ("ap-southeast-4", "ap-southeast-"),
            ("hongkong", "cn-hongkong"),
        ] {
            let unknown = check_region(&region(slip)).expect_err(slip);
            assert!(unknown.near.first().is_some_and(|near| near.starts_with(meant)), "{slip}: {unknown}");
            assert!(unknown.near.len() <= 3);
        }
        let strange = check_region(&region("atlantis-central-1")).expect_err("unknown");
        assert_eq!(strange.near, Vec::<&str>::new());
        assert_eq!(strange.to_string(), "the region \"atlantis-central-1\" is not known");
        let near = check_region(&region("cn-hangzou")).expect_err("unknown").to_string();
        assert!(
            near.starts_with("the region \"cn-hangzou\" is not known: did you mean cn-hangzhou"),
            "{near}"
        );
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
