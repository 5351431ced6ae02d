//! One instance as DescribeInstances and DescribeInstanceAttribute show it.

use jiff::Timestamp;

use crate::simulator::account::Instance;
use crate::simulator::answer::Value;
use crate::simulator::status::{Charge, StoppedMode};
use crate::simulator::world::Shown;

/// What ECS shows as the end of what never ends.
const NEVER: &str = "2099-12-31T15:59Z";

/// Every instance of a simulated account was made at this moment.
const CREATED: &str = "2026-01-01T00:00Z";

pub(super) fn instance(shown: &Shown<'_>) -> Value {
    let Shown { given, status, stopped_mode, locks, started } = *shown;
    let mut fields = vec![
        ("InstanceId", Value::text(&*given.id)),
        ("InstanceName", Value::text(given.name.as_str())),
        ("Description", Value::text(given.description.as_str())),
        ("HostName", Value::text(given.name.as_str())),
        ("Status", Value::text(status.as_str())),
        ("StoppedMode", Value::text(mode(stopped_mode))),
        ("OperationLocks", Value::List("LockReason", locks.iter().map(|lock| lock_reason(lock)).collect())),
        ("InstanceChargeType", Value::text(given.charge.as_str())),
        ("ExpiredTime", Value::Text(expired_time(given))),
        ("AutoReleaseTime", Value::text("")),
        ("SpotStrategy", Value::text(if given.spot { "SpotAsPriceGo" } else { "NoSpot" })),
        ("DeviceAvailable", Value::Truth(true)),
        ("Recyclable", Value::Truth(false)),
        ("DeletionProtection", Value::Truth(false)),
        ("RegionId", Value::text(given.region.as_str())),
        ("ZoneId", Value::text(given.zone.as_str())),
        ("ResourceGroupId", Value::text(given.resource_group.as_str())),
        ("InstanceType", Value::text(given.instance_type.as_str())),
        ("InstanceTypeFamily", Value::text(family(&given.instance_type))),
        ("InstanceNetworkType", Value::text("vpc")),
        ("IoOptimized", Value::Truth(true)),
        ("CreationTime", Value::text(CREATED)),
        ("StartTime", Value::Text(started.map(minute).unwrap_or_default())),
        ("Tags", Value::List("Tag", given.tags.iter().map(|(key, value)| tag(key, value)).collect())),
        ("PublicIpAddress", addresses(public_ip(shown))),
        ("InnerIpAddress", addresses(None)),
        ("EipAddress", elastic_address(given)),
        ("VpcAttributes", vpc(given)),
        ("SecurityGroupIds", Value::List("SecurityGroupId", vec![Value::text("sg-sim")])),
        ("HibernationOptions", Value::Fields(vec![("Configured", Value::Truth(false))])),
    ];
    if given.local_disks > 0 {
        fields.push(("LocalStorageAmount", Value::Number(u64::from(given.local_disks))));
    }
    Value::Fields(fields)
}

/// One instance as DescribeInstanceAttribute shows it: no tags, times with seconds, locks without messages, and
/// `IoOptimized` as a text.
pub(super) fn attribute(shown: &Shown<'_>) -> Vec<(&'static str, Value)> {
    let Shown { given, status, stopped_mode, locks, .. } = *shown;
    let locks = locks.iter().map(|lock| Value::Fields(vec![("LockReason", Value::text(lock.as_str()))]));
    vec![
        ("InstanceId", Value::text(&*given.id)),
        ("InstanceName", Value::text(given.name.as_str())),
        ("Description", Value::text(given.description.as_str())),
        ("HostName", Value::text(given.name.as_str())),
        ("Status", Value::text(status.as_str())),
        ("StoppedMode", Value::text(mode(stopped_mode))),
        ("OperationLocks", Value::List("LockReason", locks.collect())),
        ("InstanceChargeType", Value::text(given.charge.as_str())),
        ("ExpiredTime", Value::Text(with_seconds(&expired_time(given)))),
        ("CreationTime", Value::Text(with_seconds(CREATED))),
        ("RegionId", Value::text(given.region.as_str())),
        ("ZoneId", Value::text(given.zone.as_str())),
        ("InstanceType", Value::text(given.instance_type.as_str())),
        ("InstanceNetworkType", Value::text("vpc")),
        ("IoOptimized", Value::text("optimized")),
        ("PublicIpAddress", addresses(public_ip(shown))),
        ("InnerIpAddress", addresses(None)),
        ("EipAddress", elastic_address(given)),
        ("VpcAttributes", vpc(given)),
        ("SecurityGroupIds", Value::List("SecurityGroupId", vec![Value::text("sg-sim")])),
    ]
}

fn mode(stopped_mode: Option<StoppedMode>) -> &'static str {
    stopped_mode.map_or("Not-applicable", StoppedMode::as_str)
}

/// The public address goes back to the pool with economical mode.
fn public_ip<'w>(shown: &Shown<'w>) -> Option<&'w String> {
    shown.given.public_ip.as_ref().filter(|_| shown.stopped_mode != Some(StoppedMode::StopCharging))
}

fn vpc(given: &Instance) -> Value {
    Value::Fields(vec![
        ("VpcId", Value::text(given.vpc.as_str())),
        ("VSwitchId", Value::text("vsw-sim")),
        ("NatIpAddress", Value::text("")),
        ("PrivateIpAddress", addresses(given.private_ip.as_ref())),
    ])
}

/// `2026-01-01T00:00Z` as `2026-01-01T00:00:00Z`.
fn with_seconds(time: &str) -> String {
    time.replace('Z', ":00Z")
}

fn lock_reason(reason: &str) -> Value {
    Value::Fields(vec![("LockReason", Value::text(reason)), ("LockMsg", Value::text(""))])
}

/// In answers tags have other names than in requests.
fn tag(key: &str, value: &str) -> Value {
    Value::Fields(vec![("TagKey", Value::text(key)), ("TagValue", Value::text(value))])
}

fn addresses(address: Option<&String>) -> Value {
    Value::List("IpAddress", address.map(Value::text).into_iter().collect())
}

/// Texts that are empty where there is none.
fn elastic_address(given: &Instance) -> Value {
    let (id, paid) = if given.elastic_ip.is_some() { ("eip-sim", "PayByTraffic") } else { ("", "") };
    Value::Fields(vec![
        ("AllocationId", Value::text(id)),
        ("IpAddress", Value::text(given.elastic_ip.as_deref().unwrap_or_default())),
        ("InternetChargeType", Value::text(paid)),
    ])
}

fn expired_time(given: &Instance) -> String {
    match (given.charge, given.expires) {
        (Charge::PrePaid, Some(expires)) => minute(expires),
        (Charge::PrePaid | Charge::PostPaid, _) => NEVER.to_owned(),
    }
}

/// A time as DescribeInstances writes it: without seconds.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

/// `ecs.g7` of `ecs.g7.large`.
fn family(instance_type: &str) -> &str {
    instance_type.rsplit_once('.').map_or(instance_type, |(family, _)| family)
}
