//! What each operation makes of its parameters. This file has the account, how to call, and the reads and calls of
//! single instances.

mod assistant;
mod batches;
mod identity;
mod tokens;

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::simulator::account::Account;
use crate::simulator::world::Struck;

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn world(instances: &str) -> World {
    account(&format!("instances:\n{instances}"))
}

fn account(rest: &str) -> World {
    let text = format!("account: '1'\nkeys: [{{ id: k, secret: s }}]\nregion: cn-hangzhou\n{rest}");
    World::new(Arc::new(Account::parse(text.as_bytes(), Path::new("a.yaml")).unwrap()), now())
}

fn call(world: &World, action: &str, query: &str) -> Result<serde_json::Value, Refusal> {
    call_as(&Caller::Account, world, action, query)
}

fn call_as(caller: &Caller, world: &World, action: &str, query: &str) -> Result<serde_json::Value, Refusal> {
    let parameters = Parameters::read(query, "").unwrap();
    let operation = named(action)?;
    let subject = (operation.subject)(world, &parameters);
    let item_action = match &subject {
        Subject::Batch { item_action, .. } => Some(*item_action),
        _ => None,
    };
    let ids = subject.ids();
    let strikes = world.strikes(Struck { action, ids: &ids, item_action }, now());
    let done = (operation.perform)(&Call {
        world,
        parameters: &parameters,
        caller,
        request_id: "R",
        strikes: &strikes,
        draw: 0.5,
        now: now(),
    })?;
    Ok(serde_json::to_value(Value::Fields(done.fields)).unwrap())
}

/// The operation of that name, whatever it belongs to.
fn named(action: &str) -> Result<&'static Operation, Refusal> {
    let of = |version| operation(Asked { action: Some(action), version: Some(version) });
    of("2014-05-26").or_else(|_| of("2015-04-01"))
}

fn code(world: &World, action: &str, query: &str) -> String {
    call(world, action, query).map_or_else(|refusal| refusal.code, |_| "ok".to_owned())
}

/// The ids that DescribeInstances shows in cn-hangzhou.
fn ids(world: &World, query: &str) -> Vec<String> {
    let answer = call(world, "DescribeInstances", &format!("RegionId=cn-hangzhou&{query}")).unwrap();
    let instances = answer["Instances"]["Instance"].as_array().unwrap().clone();
    instances.iter().map(|instance| instance["InstanceId"].as_str().unwrap().to_owned()).collect()
}

fn park() -> World {
    world(
        "  - { id: i-a, name: web-1, status: Running, tags: { role: web, env: dev }, zone: cn-hangzhou-i }
  - { id: i-b, name: web-2, tags: { role: web, env: prod } }
  - { id: i-c, name: db, charge: PrePaid, expires: 2026-01-01T00:00:30Z, locks: [financial], type: ecs.r7.xlarge }
  - { id: i-d, name: far, region: cn-hongkong, vpc: vpc-far, resource_group: rg-far }
  - { id: i-e, name: gone, status: Released }
",
    )
}

#[test]
fn every_filter_narrows_the_list() {
    let world = park();
    for (query, expected) in [
        ("", ["i-a", "i-b", "i-c"].as_slice()),
        ("InstanceIds=[\"i-b\",\"i-a\",\"i-b\",\"i-zzz\",\"i-d\",\"i-e\"]", &["i-b", "i-a"]),
        ("InstanceIds=[]", &[]),
        ("Status=Running", &["i-a"]),
        ("InstanceName=web-1", &["i-a"]),
        ("InstanceName=web*", &["i-a", "i-b"]),
        ("InstanceName=*b*2", &["i-b"]),
        ("Tag.1.Key=role", &["i-a", "i-b"]),
        ("Tag.1.Key=role&Tag.1.Value=web&Tag.2.Key=env&Tag.2.Value=prod", &["i-b"]),
        ("Tag.1.key=env&Tag.1.value=dev", &["i-a"]),
        ("Tag.20.Key=env&Tag.20.Value=dev", &["i-a"]),
        ("ZoneId=cn-hangzhou-i", &["i-a"]),
        ("InstanceChargeType=PrePaid", &["i-c"]),
        ("InstanceType=ecs.r7.xlarge", &["i-c"]),
        ("LockReason=Financial", &["i-c"]),
        ("VpcId=vpc-sim", &["i-a", "i-b", "i-c"]),
        ("VpcId=vpc-far", &[]),
        ("ResourceGroupId=rg-far", &[]),
        ("Status=Running&InstanceName=web-2", &[]),
        ("PageSize=2", &["i-a", "i-b"]),
        ("PageSize=2&PageNumber=2", &["i-c"]),
        ("PageSize=2&PageNumber=3", &[]),
    ] {
        assert_eq!(ids(&world, query), expected, "{query}");
    }
}

#[test]
fn what_is_wrong_with_a_read_has_its_code() {
    let world = park();
    let many = |count: usize| {
        let ids: Vec<String> = (0..count).map(|number| format!("\"i-{number}\"")).collect();
        format!("RegionId=cn-hangzhou&InstanceIds=[{}]", ids.join(","))
    };
    for (query, expected) in [
        ("".to_owned(), "MissingParameter.RegionId"),
        ("RegionId=cn-atlantis".to_owned(), "InvalidRegionId.NotFound"),
        ("RegionId=us-west-1".to_owned(), "ok"),
        (many(100), "ok"),
        (many(101), "InvalidParameter"),
        ("RegionId=cn-hangzhou&InstanceIds=i-a".to_owned(), "InvalidParameter"),
        ("RegionId=cn-hangzhou&InstanceIds={}".to_owned(), "InvalidParameter"),
        ("RegionId=cn-hangzhou&InstanceIds=[1]".to_owned(), "InvalidParameter"),
        ("RegionId=cn-hangzhou&PageSize=101".to_owned(), "InvalidParameter"),
        ("RegionId=cn-hangzhou&PageNumber=0".to_owned(), "InvalidParameter"),
        ("RegionId=cn-hangzhou&Status=Expired".to_owned(), "InvalidStatus.NotFound"),
        ("RegionId=cn-hangzhou&InstanceChargeType=Free".to_owned(), "InvalidInstanceChargeType.NotFound"),
        ("RegionId=cn-hangzhou&Tag.1.Value=x".to_owned(), "InvalidTag.Mismatch"),
        ("RegionId=cn-hangzhou&Tag.21.Key=x".to_owned(), "InvalidTagCount"),
        ("RegionId=cn-hangzhou&VSwitchId=vsw-1".to_owned(), "UnsupportedParameter"),
        ("RegionId=cn-hangzhou&LockReason=rust".to_owned(), "InvalidLockReason.NotFound"),
        (format!("RegionId=cn-hangzhou&InstanceName={}", "*a".repeat(512)), "ok"),
        (format!("RegionId=cn-hangzhou&InstanceName={}", "*a".repeat(513)), "InvalidParameter"),
        ("RegionId=cn-hangzhou&DryRun=true".to_owned(), "DryRunOperation"),
        ("RegionId=cn-hangzhou&OwnerAccount=a@b&ResourceOwnerId=".to_owned(), "ok"),
    ] {
        assert_eq!(code(&world, "DescribeInstances", &query), expected, "{query}");
    }
}

#[test]
fn an_instance_is_shown_with_the_fields_that_power_control_needs() {
    let world = world(
        "  - { id: i-a, name: a, description: the first, status: Stopped, stopped_mode: StopCharging, spot: true,
        local_disks: 2, public_ip: 1.2.3.4, eip: 1.2.3.9, vpc: vpc-1, resource_group: rg-1, private_ip: 10.0.0.1, locks: [Recycling], tags: { k: v } }
  - { id: i-b, status: Running, charge: PrePaid, expires: 2027-01-01T00:00:30Z, public_ip: 1.2.3.5 }
",
    );
    let answer = call(&world, "DescribeInstances", "RegionId=cn-hangzhou").unwrap();
    let expected = serde_json::json!({
        "InstanceId": "i-a", "InstanceName": "a", "Description": "the first", "Status": "Stopped",
        "StoppedMode": "StopCharging", "InstanceChargeType": "PostPaid", "SpotStrategy": "SpotAsPriceGo",
        "LocalStorageAmount": 2, "ExpiredTime": "2099-12-31T15:59Z", "StartTime": "", "IoOptimized": true,
        "RegionId": "cn-hangzhou", "ZoneId": "cn-hangzhou-a",
        "OperationLocks": {"LockReason": [{"LockReason": "Recycling", "LockMsg": ""}]},
        "Tags": {"Tag": [{"TagKey": "k", "TagValue": "v"}]},
        "PublicIpAddress": {"IpAddress": []}, "ResourceGroupId": "rg-1",
        "EipAddress": {"AllocationId": "eip-sim", "IpAddress": "1.2.3.9", "InternetChargeType": "PayByTraffic"},
    });
    let shown = &answer["Instances"]["Instance"][0];
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!(shown["VpcAttributes"]["PrivateIpAddress"]["IpAddress"][0], "10.0.0.1");
    assert_eq!(shown["VpcAttributes"]["VpcId"], "vpc-1");
    let other = &answer["Instances"]["Instance"][1];
    assert_eq!(other["EipAddress"]["IpAddress"], "");
    let expected = [
        ("StoppedMode", "Not-applicable"),
        ("ExpiredTime", "2027-01-01T00:00Z"),
        ("StartTime", "2026-11-22T10:00Z"),
        ("SpotStrategy", "NoSpot"),
    ];
    for (name, value) in expected {
        assert_eq!(other[name], value, "{name}");
    }
    assert_eq!(other["PublicIpAddress"]["IpAddress"][0], "1.2.3.5");
    assert_eq!(other.get("LocalStorageAmount"), None);
    let page = [&answer["TotalCount"], &answer["PageNumber"], &answer["PageSize"], &answer["NextToken"]];
    assert_eq!(
        page,
        [&serde_json::json!(2), &serde_json::json!(1), &serde_json::json!(10), &serde_json::json!("")]
    );
}

#[test]
fn statuses_come_in_pages_of_fifty_at_most() {
    let world = park();
    let numbered = |count: usize| {
        let ids: String = (1..=count).map(|number| format!("&InstanceId.{number}=i-{number}")).collect();
        format!("RegionId=cn-hangzhou{ids}")
    };
    for (query, expected) in [
        (numbered(100), "ok"),
        (numbered(101), "InvalidParameter.TooManyInstanceIds"),
        ("RegionId=cn-hangzhou&InstanceId.1=db".to_owned(), "Abs.InvalidInstanceIds.MalFormed"),
        ("RegionId=cn-hangzhou&PageSize=51".to_owned(), "InvalidParameter"),
        ("RegionId=cn-hangzhou&PageSize=50".to_owned(), "ok"),
        (String::new(), "MissingParameter.RegionId"),
    ] {
        assert_eq!(code(&world, "DescribeInstanceStatus", &query), expected, "{query}");
    }
    let answer = call(
        &world,
        "DescribeInstanceStatus",
        "RegionId=cn-hangzhou&InstanceId.1=i-a&InstanceId.2=i-c&InstanceId.3=i-d",
    );
    assert_eq!(
        answer.unwrap()["InstanceStatuses"],
        serde_json::json!({"InstanceStatus": [
            {"InstanceId": "i-a", "Status": "Running"}, {"InstanceId": "i-c", "Status": "Stopped"},
        ]})
    );
}

#[test]
fn one_instance_is_shown_flat_and_in_other_forms() {
    let world = world("  - { id: i-a, charge: PrePaid, expires: 2027-01-01T00:00:30Z, locks: [security] }\n");
    let shown = call(&world, "DescribeInstanceAttribute", "InstanceId=i-a").unwrap();
    for (name, value) in [
        ("Status", "Stopped"),
        ("StoppedMode", "KeepCharging"),
        ("ExpiredTime", "2027-01-01T00:00:00Z"),
        ("IoOptimized", "optimized"),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    assert_eq!(shown["OperationLocks"], serde_json::json!({"LockReason": [{"LockReason": "security"}]}));
    assert_eq!(code(&world, "DescribeInstanceAttribute", "InstanceId=i-z"), "InvalidInstanceId.NotFound");
    assert_eq!(code(&world, "DescribeInstanceAttribute", ""), "MissingParameter");
}

#[test]
fn regions_are_the_public_ones_and_those_of_the_account() {
    let world = world("  - { id: i-a, region: cn-private-1 }\n");
    let answer = call(&world, "DescribeRegions", "AcceptLanguage=en-US").unwrap();
    let regions = answer["Regions"]["Region"].as_array().unwrap();
    let count = |id: &str| regions.iter().filter(|region| region["RegionId"] == *id).count();
    assert_eq!(["cn-hangzhou", "cn-private-1", "cn-nowhere"].map(count), [1, 1, 0]);
    assert_eq!(regions[0]["RegionEndpoint"], "ecs.cn-hangzhou.aliyuncs.com");
    assert_eq!(code(&world, "DescribeRegions", "AcceptLanguage=tlh"), "InvalidAcceptLanguage.NotFound");
}

/// The documented trap: a read without permission finds nothing, and only a dry run tells why.
#[test]
fn what_is_denied_is_refused_except_that_a_list_is_empty() {
    let world = account(
        "instances: [{ id: i-a }]
permissions: { deny: [StartInstance, StartInstances, DescribeInstances, DescribeRegions] }",
    );
    assert_eq!(ids(&world, ""), [""; 0]);
    assert_eq!(ids(&world, "InstanceIds=[\"i-a\"]"), [""; 0]);
    for (action, query, expected) in [
        ("DescribeInstances", "RegionId=cn-hangzhou&DryRun=true", "Forbidden.RAM"),
        ("DescribeRegions", "", "Forbidden.RAM"),
        ("DescribeInstanceStatus", "RegionId=cn-hangzhou", "ok"),
        ("StartInstance", "InstanceId=i-a", "Forbidden.RAM"),
        ("StartInstance", "InstanceId=i-z", "Forbidden.RAM"),
        ("StartInstance", "InstanceId=i-a&DryRun=true", "Forbidden.RAM"),
        ("StartInstances", "RegionId=cn-hangzhou&InstanceId.1=i-a", "Forbidden.RAM"),
        ("StopInstance", "InstanceId=i-a&DryRun=true", "IncorrectInstanceStatus"),
    ] {
        assert_eq!(code(&world, action, query), expected, "{action} {query}");
    }
}

#[test]
fn power_calls_check_their_parameters_before_the_instance() {
    let world = park();
    for (action, query, expected) in [
        ("StartInstance", "", "MissingParameter"),
        ("StartInstance", "InstanceId=", "MissingParameter"),
        ("StartInstance", "InstanceId=i-zzz", "InvalidInstanceId.NotFound"),
        ("StartInstance", "InstanceId=i-b&InitLocalDisk=maybe", "InvalidParameter"),
        ("StartInstance", "InstanceId=i-b&InitLocalDisk=True&RegionId=cn-hangzhou&OwnerAccount=a@b", "ok"),
        ("StartInstance", "InstanceId=i-b&DryRun=True", "DryRunOperation"),
        ("StartInstance", "InstanceId=i-a&DryRun=true", "IncorrectInstanceStatus"),
        ("StopInstance", "InstanceId=i-a&StoppedMode=Sometimes", "InvalidParameter"),
        ("StopInstance", "InstanceId=i-a&ForceStop=1", "InvalidParameter"),
        ("StopInstance", "InstanceId=i-a&ForceStop=true&StoppedMode=StopCharging", "ok"),
        ("StopInstance", "InstanceId=i-a", "ok"),
        ("StopInstance", "InstanceId=i-b", "IncorrectInstanceStatus"),
        ("RebootInstance", "InstanceId=i-b", "InvalidAction.NotFound"),
    ] {
        assert_eq!(code(&world, action, query), expected, "{action} {query}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing that a client sends ends in anything but an answer.
    #[test]
    fn any_request_gets_an_answer(query in "(RegionId=cn-hangzhou&)?(Type=RunShellScript&)?((CommandContent|InvokeId|Timeout|InstanceIds|InstanceId|InstanceId\\.1|NextToken|MaxResults|RoleArn|RoleSessionName|DurationSeconds|BatchOptimization|Tag\\.1\\.Key|InstanceName|PageNumber|PageSize|Status)=\\PC{0,20}&?){0,4}") {
        let world = park();
        if Parameters::read(&query, "").is_err() { return Ok(()) }
        for action in actions() {
            match call(&world, action, &query) {
                Ok(answer) => prop_assert!(answer.is_object()),
                Err(refusal) => prop_assert!((400..=503).contains(&refusal.status)),
            }
        }
    }

    /// Pages put together are the whole list, each instance once.
    #[test]
    fn pages_put_together_are_the_whole_list(count in 0..60_usize, size in 1..30_usize) {
        let instances: String = (0..count).map(|number| format!("  - {{ id: i-{number} }}\n")).collect();
        let world = world(if instances.is_empty() { "  []" } else { &instances });
        let mut seen = Vec::new();
        for page in 1.. {
            let ids = ids(&world, &format!("PageSize={size}&PageNumber={page}"));
            if ids.is_empty() { break }
            seen.extend(ids);
        }
        let all: Vec<String> = (0..count).map(|number| format!("i-{number}")).collect();
        prop_assert_eq!(seen, all);
    }
}
