//! The regions, and DescribeRegions.

use std::collections::BTreeSet;

use super::{Call, Done};
use crate::simulator::answer::Value;
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::world::World;

/// The public regions: a request may name one where the account has nothing.
const PUBLIC_REGIONS: &[&str] = &[
    "cn-hangzhou",
    "cn-shanghai",
    "cn-qingdao",
    "cn-beijing",
    "cn-zhangjiakou",
    "cn-huhehaote",
    "cn-wulanchabu",
    "cn-shenzhen",
    "cn-heyuan",
    "cn-guangzhou",
    "cn-chengdu",
    "cn-nanjing",
    "cn-fuzhou",
    "cn-zhongwei",
    "cn-hongkong",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ap-southeast-8",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "us-west-1",
    "us-east-1",
    "us-southeast-1",
    "na-south-1",
    "eu-central-1",
    "eu-west-1",
    "me-east-1",
    "me-central-1",
    "rus-west-1",
    "cn-hangzhou-finance",
    "cn-shanghai-finance-1",
    "cn-shenzhen-finance-1",
    "cn-beijing-finance-1",
    "cn-north-2-gov-1",
];

/// The languages that DescribeRegions documents.
const LANGUAGES: [&str; 7] = ["zh-CN", "en-US", "ja", "fr", "de", "ko", "es"];

/// Whether there is such a region.
pub(super) fn exists(world: &World, region: &str) -> bool {
    PUBLIC_REGIONS.contains(&region) || world.account().regions.contains(region)
}

/// The region of a request that has to name one, and one that exists.
pub(super) fn required<'p>(world: &World, parameters: &'p Parameters) -> Result<&'p str, Refusal> {
    let region = parameters.value("RegionId").ok_or_else(|| Refusal::of("MissingParameter.RegionId"))?;
    if exists(world, region) { Ok(region) } else { Err(Refusal::of("InvalidRegionId.NotFound")) }
}

/// The public regions and those of the account, all open. The simulator knows no names for people: a region's is its
/// id in every language.
pub(super) fn describe_regions(call: &Call<'_>) -> Result<Done, Refusal> {
    let language = call.parameters.value("AcceptLanguage");
    if language.is_some_and(|language| !LANGUAGES.contains(&language)) {
        return Err(Refusal::of("InvalidAcceptLanguage.NotFound"));
    }
    call.permit("DescribeRegions")?;
    let own = call.world.account().regions.iter().map(String::as_str);
    let known: BTreeSet<&str> = PUBLIC_REGIONS.iter().copied().collect();
    let all = PUBLIC_REGIONS.iter().copied().chain(own.filter(|region| !known.contains(region)));
    let regions = all
        .map(|region| {
            Value::Fields(vec![
                ("RegionId", Value::text(region)),
                ("RegionEndpoint", Value::Text(format!("ecs.{region}.aliyuncs.com"))),
                ("LocalName", Value::text(region)),
                ("Status", Value::text("available")),
            ])
        })
        .collect();
    Ok(Done { fields: vec![("Regions", Value::List("Region", regions))], ..Done::default() })
}
