//! Which regions are known, and which hosts serve them.
//!
//! The map of hosts is that of the official SDK (alibabacloud-ecs20140526 7.11.8).

use crate::fleet::Region;

/// The regions that Alibaba Cloud offers to the public, China's finance and government regions included.
pub(super) const REGIONS: &[&str] = &[
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
pub(super) const SHARED_HOSTS: &[(&str, &[&str])] = &[
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

/// The regions with an endpoint inside VPCs, which is reached from a VPC in the same region only.
pub(super) const VPC_REGIONS: &[&str] = &[
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
    "cn-heyuan",
    "cn-heyuan-acdr-1",
    "cn-hongkong",
    "cn-huhehaote",
    "cn-nanjing",
    "cn-north-2-gov-1",
    "cn-qingdao",
    "cn-shanghai",
    "cn-shanghai-finance-1",
    "cn-shenzhen",
    "cn-shenzhen-finance-1",
    "cn-wuhan-lr",
    "cn-wulanchabu",
    "cn-zhangjiakou",
    "cn-zhengzhou-jva",
    "cn-zhongwei",
    "eu-central-1",
    "eu-west-1",
    "me-central-1",
    "me-east-1",
    "na-south-1",
    "us-east-1",
    "us-southeast-1",
    "us-west-1",
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
    if REGIONS.iter().chain(VPC_REGIONS).chain(mapped).any(|known| *known == name) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        Region::new(name).expect("valid")
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
}
