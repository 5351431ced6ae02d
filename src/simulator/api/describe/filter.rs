//! Which instances a read asks for, besides naming them.

use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::status::Status;
use crate::simulator::world::Shown;

/// How many tags a request may filter by.
const MOST_TAGS: usize = 20;

/// The longest pattern for names, in bytes: names have at most 128 characters, and each is held against the pattern.
const LONGEST_NAME: usize = 1024;

/// The reasons for locks that may be asked for.
const LOCKS: [&str; 5] = ["financial", "security", "Recycling", "dedicatedhostfinancial", "refunded"];

/// Filters of DescribeInstances that are not simulated. To pass over a filter would show instances that the real
/// service would not, so these are refused.
const UNSUPPORTED: &[&str] = &[
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
];

/// What a read asks for; all of it has to hold.
pub(super) struct Filter<'p> {
    region: &'p str,
    zone: Option<&'p str>,
    status: Option<&'p str>,
    name: Option<&'p str>,
    charge: Option<&'p str>,
    instance_type: Option<&'p str>,
    vpc: Option<&'p str>,
    resource_group: Option<&'p str>,
    lock: Option<&'p str>,
    /// A key, and a value unless any will do.
    tags: Vec<(&'p str, Option<&'p str>)>,
}

impl<'p> Filter<'p> {
    pub(super) fn read(region: &'p str, parameters: &'p Parameters) -> Result<Self, Refusal> {
        if let Some(name) = UNSUPPORTED.iter().find(|name| parameters.value(name).is_some()) {
            return Err(Refusal::of("UnsupportedParameter")
                .saying(format!("The parameter \"{name}\" is not supported by the simulator.")));
        }
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
        let lock = parameters.value("LockReason");
        if lock.is_some_and(|word| !LOCKS.iter().any(|known| known.eq_ignore_ascii_case(word))) {
            return Err(Refusal::of("InvalidLockReason.NotFound"));
        }
        Ok(Self {
            region,
            zone: parameters.value("ZoneId"),
            status,
            name,
            charge,
            instance_type: parameters.value("InstanceType"),
            vpc: parameters.value("VpcId"),
            resource_group: parameters.value("ResourceGroupId"),
            lock,
            tags: tags(parameters)?,
        })
    }

    /// Whether ECS finds what is asked for by its labels: tags and resource groups.
    pub(super) fn is_by_label(&self) -> bool {
        !self.tags.is_empty() || self.resource_group.is_some()
    }

    /// Whether an instance of the region has the labels.
    pub(super) fn considers(&self, shown: &Shown<'_>) -> bool {
        let given = shown.given;
        given.region == self.region
            && self.resource_group.is_none_or(|wanted| wanted == given.resource_group)
            && self.tags.iter().all(|(key, wanted)| {
                given.tags.get(*key).is_some_and(|value| wanted.is_none_or(|wanted| wanted == value))
            })
    }

    /// Whether all the rest holds of an instance that is considered.
    pub(super) fn admits(&self, shown: &Shown<'_>) -> bool {
        let given = shown.given;
        let is = |wanted: Option<&str>, actual: &str| wanted.is_none_or(|wanted| wanted == actual);
        is(self.zone, &given.zone)
            && is(self.status, shown.status.as_str())
            && is(self.charge, given.charge.as_str())
            && is(self.instance_type, &given.instance_type)
            && is(self.vpc, &given.vpc)
            && self.lock.is_none_or(|wanted| shown.locks.iter().any(|lock| lock.eq_ignore_ascii_case(wanted)))
            && self.name.is_none_or(|pattern| matches(pattern, &given.name))
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
