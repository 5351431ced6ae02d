//! DescribeInstances and DescribeInstanceStatus.

mod fields;

use std::collections::HashSet;

use super::{Call, Done, Subject};
use crate::simulator::answer::Value;
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::status::Status;
use crate::simulator::world::{Shown, World};

/// How many instances one request may name.
const MOST_IDS: usize = 100;

/// How many tags a request may filter by.
const MOST_TAGS: usize = 20;

/// The longest pattern for names, in bytes: names have at most 128 characters, and each is held against the pattern.
const LONGEST_NAME: usize = 1024;

/// How many entries a page holds where the request does not say.
const USUAL_PAGE: usize = 10;

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

/// Filters of DescribeInstances that are not simulated. To pass over a filter would show instances that the real
/// service would not, so these are refused.
const UNSUPPORTED: &[&str] = &[
    "ResourceGroupId",
    "VpcId",
    "VSwitchId",
    "SecurityGroupId",
    "ImageId",
    "KeyPairName",
    "HpcClusterId",
    "InstanceTypeFamily",
    "InternetChargeType",
    "InstanceNetworkType",
    "IoOptimized",
    "PrivateIpAddresses",
    "PublicIpAddresses",
    "EipAddresses",
    "InnerIpAddresses",
    "RdmaIpAddresses",
    "Ipv6Address.1",
    "Filter.1.Key",
    "HttpEndpoint",
    "HttpTokens",
    "NeedSaleCycle",
    "DeviceAvailable",
    "MaxResults",
    "NextToken",
];

/// The ids of `InstanceIds`, a JSON array.
pub(super) fn listed_in_json(parameters: &Parameters) -> Subject {
    Subject::Read(json_ids(parameters).ok().flatten())
}

/// The ids of `InstanceId.1`, `InstanceId.2` and so on.
pub(super) fn listed_by_number(parameters: &Parameters) -> Subject {
    let ids = numbered_ids(parameters);
    Subject::Read((!ids.is_empty()).then_some(ids))
}

pub(super) fn describe_instances(call: &Call<'_>) -> Result<Done, Refusal> {
    let Call { world, parameters, now, .. } = *call;
    let region = region(world, parameters)?;
    if let Some(name) = UNSUPPORTED.iter().find(|name| parameters.value(name).is_some()) {
        return Err(Refusal::of("UnsupportedParameter")
            .saying(format!("The parameter \"{name}\" is not supported by the simulator.")));
    }
    let ids = json_ids(parameters)?;
    let filter = Filter::read(region, parameters)?;
    let page = Page::read(parameters, 100)?;
    if parameters.truth("DryRun")? {
        return Err(Refusal::of("DryRunOperation"));
    }
    let (total, shown) = match ids {
        Some(ids) => {
            page.cut(distinct(&ids).filter_map(|id| world.look(id, now)).filter(|it| filter.admits(it)))
        }
        None => page.cut(world.shown(now).filter(|shown| filter.admits(shown))),
    };
    let instances = shown.iter().map(fields::instance).collect();
    let mut fields = page.fields(total);
    fields.push(("NextToken", Value::text("")));
    fields.push(("Instances", Value::List("Instance", instances)));
    Ok(Done { fields, phases: Vec::new() })
}

pub(super) fn describe_instance_status(call: &Call<'_>) -> Result<Done, Refusal> {
    let Call { world, parameters, now, .. } = *call;
    let region = region(world, parameters)?;
    let ids = numbered_ids(parameters);
    if ids.len() > MOST_IDS {
        return Err(Refusal::of("InvalidParameter.TooManyInstanceIds"));
    }
    if ids.iter().any(|id| !id.starts_with("i-")) {
        return Err(Refusal::of("Abs.InvalidInstanceIds.MalFormed"));
    }
    let zone = parameters.value("ZoneId");
    let page = Page::read(parameters, 50)?;
    let admits =
        |shown: &Shown<'_>| shown.given.region == region && zone.is_none_or(|zone| zone == shown.given.zone);
    let (total, shown) = if ids.is_empty() {
        page.cut(world.shown(now).filter(admits))
    } else {
        page.cut(distinct(&ids).filter_map(|id| world.look(id, now)).filter(admits))
    };
    let statuses = shown
        .iter()
        .map(|shown| {
            Value::Fields(vec![
                ("InstanceId", Value::text(&*shown.given.id)),
                ("Status", Value::text(shown.status.as_str())),
            ])
        })
        .collect();
    let mut fields = page.fields(total);
    fields.push(("InstanceStatuses", Value::List("InstanceStatus", statuses)));
    Ok(Done { fields, phases: Vec::new() })
}

/// The region of a read: mandatory, and one that exists.
fn region<'p>(world: &World, parameters: &'p Parameters) -> Result<&'p str, Refusal> {
    let region = parameters.value("RegionId").ok_or_else(|| Refusal::of("MissingParameter.RegionId"))?;
    if PUBLIC_REGIONS.contains(&region) || world.account().regions.contains(region) {
        Ok(region)
    } else {
        Err(Refusal::of("InvalidRegionId.NotFound"))
    }
}

/// An empty array is a filter that nothing passes; an absent parameter is no filter.
fn json_ids(parameters: &Parameters) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = parameters.value("InstanceIds") else { return Ok(None) };
    let ids: Vec<String> = serde_json::from_str(text)
        .map_err(|_| Refusal::invalid("InstanceIds", "it is not a JSON array of instance ids"))?;
    if ids.len() > MOST_IDS {
        return Err(Refusal::invalid("InstanceIds", "it holds more than 100 ids"));
    }
    Ok(Some(ids))
}

fn numbered_ids(parameters: &Parameters) -> Vec<String> {
    let named = |number: usize| parameters.value(&format!("InstanceId.{number}")).map(str::to_owned);
    // One more than may be asked for is enough to see that there are too many.
    (1..=MOST_IDS + 1).map_while(named).collect()
}

/// Each id once, in the order of the request.
fn distinct(ids: &[String]) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    ids.iter().map(String::as_str).filter(move |id| seen.insert(*id))
}

/// What a read asks for; all of it has to hold.
struct Filter<'p> {
    region: &'p str,
    zone: Option<&'p str>,
    status: Option<&'p str>,
    name: Option<&'p str>,
    charge: Option<&'p str>,
    instance_type: Option<&'p str>,
    lock: Option<&'p str>,
    /// A key, and a value unless any will do.
    tags: Vec<(&'p str, Option<&'p str>)>,
}

impl<'p> Filter<'p> {
    fn read(region: &'p str, parameters: &'p Parameters) -> Result<Self, Refusal> {
        let status = parameters.value("Status");
        if status.is_some_and(|word| Status::DOCUMENTED.iter().all(|status| status.as_str() != word)) {
            return Err(Refusal::of("InvalidStatus.NotFound"));
        }
        let name = parameters.value("InstanceName");
        if name.is_some_and(|pattern| pattern.len() > LONGEST_NAME) {
            return Err(Refusal::invalid("InstanceName", "no name is that long"));
        }
        let charge = parameters.value("InstanceChargeType");
        if charge.is_some_and(|word| !matches!(word, "PrePaid" | "PostPaid")) {
            return Err(Refusal::of("InvalidInstanceChargeType.NotFound"));
        }
        Ok(Self {
            region,
            zone: parameters.value("ZoneId"),
            status,
            name,
            charge,
            instance_type: parameters.value("InstanceType"),
            lock: parameters.value("LockReason"),
            tags: tags(parameters)?,
        })
    }

    fn admits(&self, shown: &Shown<'_>) -> bool {
        let given = shown.given;
        let is = |wanted: Option<&str>, actual: &str| wanted.is_none_or(|wanted| wanted == actual);
        given.region == self.region
            && is(self.zone, &given.zone)
            && is(self.status, shown.status.as_str())
            && is(self.charge, given.charge.as_str())
            && is(self.instance_type, &given.instance_type)
            && self.lock.is_none_or(|wanted| shown.locks.iter().any(|lock| lock.eq_ignore_ascii_case(wanted)))
            && self.name.is_none_or(|pattern| matches(pattern, &given.name))
            && self.tags.iter().all(|(key, wanted)| {
                given.tags.get(*key).is_some_and(|value| wanted.is_none_or(|wanted| wanted == value))
            })
    }
}

/// `Tag.N.Key` and `Tag.N.Value`, also in their old lower-case spelling.
fn tags(parameters: &Parameters) -> Result<Vec<(&str, Option<&str>)>, Refusal> {
    let part = |number: usize, upper: &str, lower: &str| {
        parameters
            .value(&format!("Tag.{number}.{upper}"))
            .or_else(|| parameters.value(&format!("Tag.{number}.{lower}")))
    };
    let mut tags = Vec::new();
    for number in 1..=MOST_TAGS + 1 {
        match (part(number, "Key", "key"), part(number, "Value", "value")) {
            (None, None) => {}
            (None, Some(_)) => return Err(Refusal::of("InvalidTag.Mismatch")),
            (Some(_), _) if number > MOST_TAGS => return Err(Refusal::of("InvalidTagCount")),
            (Some(key), value) => tags.push((key, value)),
        }
    }
    Ok(tags)
}

/// Whether a name matches a pattern in which `*` stands for any characters. Linear in the pattern times the name.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    // What comes first is taken first: that leaves the most for what follows.
    for part in parts {
        match name.split_once(part) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(tail)
}

/// Which page of how many entries.
struct Page {
    number: usize,
    size: usize,
}

impl Page {
    fn read(parameters: &Parameters, largest: usize) -> Result<Self, Refusal> {
        let whole = |name: &str, usual: usize, largest: usize| match parameters.value(name) {
            None => Ok(usual),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| (1..=largest).contains(number))
                .ok_or_else(|| Refusal::invalid(name, &format!("it is not a number from 1 to {largest}"))),
        };
        Ok(Self {
            number: whole("PageNumber", 1, i32::MAX as usize)?,
            size: whole("PageSize", USUAL_PAGE, largest)?,
        })
    }

    /// How many there are in all, and those on the page.
    fn cut<'w>(&self, all: impl Iterator<Item = Shown<'w>>) -> (usize, Vec<Shown<'w>>) {
        let first = (self.number - 1).saturating_mul(self.size);
        let mut page = Vec::with_capacity(self.size);
        let mut total: usize = 0;
        for shown in all {
            if total >= first && page.len() < self.size {
                page.push(shown);
            }
            total += 1;
        }
        (total, page)
    }

    fn fields(&self, total: usize) -> Vec<(&'static str, Value)> {
        let number = |number: usize| Value::Number(u64::try_from(number).unwrap_or(u64::MAX));
        vec![
            ("TotalCount", number(total)),
            ("PageNumber", number(self.number)),
            ("PageSize", number(self.size)),
        ]
    }
}
