//! A made-up fleet in ten layers, each instance with one to three needs in the layer below, as the texts that a plan
//! of it reads.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::cpu_time;
use crate::layers;
use powerform::aliyun::response::decode_instances;
use powerform::cloud::{Accepted, Advice, Cloud, Found, Refusal, Search, StartRequest, StopRequest};
use powerform::fleet::{
    Address, Durations, EntryName, Goal, InstanceId, InstanceKey, Power, ProviderAlias, Recorded,
    RecordedInstance, Region, Selector, Sighting, StackName,
};
use powerform::state::document;

pub(super) const STACK: &str = "bench";

/// What the plan finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
    InSync,
    AllToStart,
}

impl Story {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::InSync => "in-sync",
            Self::AllToStart => "all-to-start",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::InSync, Self::AllToStart].into_iter().find(|story| story.name() == name)
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::InSync => "Planning a fleet that is as wanted",
            Self::AllToStart => "Planning a fleet that is all to be started, and showing every start",
        }
    }

    /// How many instances are in sync, and how many are to be started.
    pub(super) fn expected(self, size: usize) -> (usize, usize) {
        match self {
            Self::InSync => (size, 0),
            Self::AllToStart => (0, size),
        }
    }
}

/// The same for the same size, every time.
pub(super) struct Fleet {
    /// For each instance the positions of those it needs.
    needs: Vec<Vec<usize>>,
}

impl Fleet {
    pub(super) fn new(size: usize) -> Self {
        Self { needs: layers::needs(size) }
    }

    /// The configuration, written as a generator of inventories writes it.
    pub(super) fn yaml(&self) -> String {
        let mut text = format!("stack: {STACK}\nprovider:\n  region: cn-hangzhou\ninstances:\n");
        for (position, needs) in self.needs.iter().enumerate() {
            let (name, id) = (name(position), id(position));
            let _ = writeln!(text, "  {name}:\n    id: {id}\n    status: Running");
            if !needs.is_empty() {
                let needs: Vec<String> = needs.iter().map(|need| self::name(*need)).collect();
                let _ = writeln!(text, "    depends_on: [{}]", needs.join(", "));
            }
        }
        text
    }

    /// The record that an apply has left: everything runs, and took its time five times.
    pub(super) fn record(&self) -> String {
        let stack = StackName::new(STACK).expect("a stack name");
        let mut recorded = Recorded::new(stack, Uuid::from_u128(7));
        recorded.serial = 7;
        let durations = Durations { starts: vec![Duration::from_millis(31_415); 5], stops: Vec::new() };
        for position in 0..self.needs.len() {
            let key = InstanceKey {
                provider: ProviderAlias::main(),
                id: InstanceId::new(&id(position)).expect("an instance id"),
            };
            let record = RecordedInstance {
                address: Address {
                    entry: EntryName::new(&name(position)).expect("an entry name"),
                    instance: None,
                },
                goal: Goal::Running,
                power: Power::Running,
                recorded_at: Timestamp::UNIX_EPOCH,
                took: durations.clone(),
            };
            recorded.instances.insert(key, record);
        }
        String::from_utf8(document::write(&recorded)).expect("JSON")
    }
}

fn name(position: usize) -> String {
    format!("service-{position:06}")
}

fn id(position: usize) -> String {
    format!("i-bp1{position:015x}")
}

/// A cloud that answers from memory with the text that ECS would send, which is then decoded.
pub(super) struct Answers {
    region: Region,
    status: &'static str,
    making: Mutex<Duration>,
}

impl Answers {
    pub(super) fn new(story: Story) -> Self {
        let status = match story {
            Story::InSync => "Running",
            Story::AllToStart => "Stopped",
        };
        let region = Region::new("cn-hangzhou").expect("a region");
        Self { region, status, making: Mutex::new(Duration::ZERO) }
    }

    /// The CPU time that went into making the answers.
    pub(super) fn making(&self) -> Duration {
        *self.making.lock().expect("one thread")
    }

    fn page(&self, ids: &[InstanceId]) -> String {
        let mut text = format!(
            r#"{{"RequestId":"473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E","TotalCount":{0},"PageNumber":1,"PageSize":100,"NextToken":"","Instances":{{"Instance":["#,
            ids.len()
        );
        for (position, id) in ids.iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            text.push_str(&INSTANCE.replace("ID", id.as_str()).replace("STATUS", self.status));
        }
        text.push_str("]}}");
        text
    }
}

impl Cloud for Answers {
    fn region(&self) -> &Region {
        &self.region
    }

    async fn describe(&self, ids: &[InstanceId]) -> Result<Vec<Sighting>, Refusal> {
        let before = cpu_time().expect("a clock");
        let page = self.page(ids);
        let making = cpu_time().expect("a clock").saturating_sub(before);
        *self.making.lock().expect("one thread") += making;
        match decode_instances(page.as_bytes()) {
            Ok(decoded) => Ok(decoded.value.sightings),
            Err(unreadable) => Err(Refusal::new(Advice::Final, unreadable.to_string())),
        }
    }

    async fn start(&self, _: StartRequest) -> Result<Accepted, Refusal> {
        Err(Refusal::new(Advice::Final, "a plan starts nothing"))
    }

    async fn stop(&self, _: StopRequest) -> Result<Accepted, Refusal> {
        Err(Refusal::new(Advice::Final, "a plan stops nothing"))
    }

    async fn start_many(&self, _: Vec<StartRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        Vec::new()
    }

    async fn stop_many(&self, _: Vec<StopRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        Vec::new()
    }
}

impl Search for Answers {
    async fn find(&self, _: &Selector) -> Result<Vec<Found>, Refusal> {
        Err(Refusal::new(Advice::Final, "every instance is named"))
    }
}

/// One instance in an answer to DescribeInstances, with the fields that a VPC instance has.
const INSTANCE: &str = r#"{"InstanceId":"ID","InstanceName":"service-of-the-shop","Description":"","HostName":"ID","Status":"STATUS","StoppedMode":"Not-applicable","OperationLocks":{"LockReason":[]},"ExpiredTime":"2099-12-31T15:59Z","AutoReleaseTime":"","InstanceChargeType":"PostPaid","SpotStrategy":"NoSpot","SpotPriceLimit":0.0,"SpotDuration":1,"SpotInterruptionBehavior":"Terminate","DeviceAvailable":true,"LocalStorageAmount":0,"LocalStorageCapacity":0,"Recyclable":false,"DeletionProtection":false,"Tags":{"Tag":[{"TagKey":"team","TagValue":"shop"},{"TagKey":"env","TagValue":"production"},{"TagKey":"role","TagValue":"service"}]},"RegionId":"cn-hangzhou","ZoneId":"cn-hangzhou-i","ResourceGroupId":"rg-acfmxazb4ph6aiy","ClusterId":"","VpcAttributes":{"VpcId":"vpc-bp1opxu1zkhn00gzv26cn","VSwitchId":"vsw-bp1ddbrxdlrcbim46xzp6","NatIpAddress":"","PrivateIpAddress":{"IpAddress":["10.1.36.17"]}},"PublicIpAddress":{"IpAddress":[]},"InnerIpAddress":{"IpAddress":[]},"RdmaIpAddress":{"IpAddress":[]},"EipAddress":{"AllocationId":"","IpAddress":"","Bandwidth":0,"InternetChargeType":"","IsSupportUnassociate":false},"SecurityGroupIds":{"SecurityGroupId":["sg-bp15ed6xe1yxeycg7ov3"]},"NetworkInterfaces":{"NetworkInterface":[{"NetworkInterfaceId":"eni-bp125p95hhdhn3ot4tcf","PrimaryIpAddress":"10.1.36.17","MacAddress":"00:16:3e:0f:27:96","Type":"Primary","PrivateIpSets":{"PrivateIpSet":[{"PrivateIpAddress":"10.1.36.17","Primary":true}]},"Ipv6Sets":{"Ipv6Set":[]}}]},"InstanceType":"ecs.g7.large","InstanceTypeFamily":"ecs.g7","Cpu":2,"Memory":8192,"GPUAmount":0,"GPUSpec":"","OSName":"Alibaba Cloud Linux 3.2104 LTS 64-bit","OSNameEn":"Alibaba Cloud Linux 3.2104 LTS 64 bit","OSType":"linux","ImageId":"aliyun_3_x64_20G_alibase_20240528.vhd","CreationTime":"2024-06-10T07:28Z","StartTime":"2026-03-02T09:11Z","InstanceNetworkType":"vpc","InternetChargeType":"PayByTraffic","InternetMaxBandwidthIn":100,"InternetMaxBandwidthOut":0,"IoOptimized":true,"CreditSpecification":"","KeyPairName":"","SerialNumber":"51d1353b-22bf-4567-a176-8b3e12e43135","VlanId":"","SaleCycle":"","DeploymentSetId":"","HpcClusterId":"","ISP":"","HibernationOptions":{"Configured":false},"MetadataOptions":{"HttpEndpoint":"enabled","HttpTokens":"optional","HttpPutResponseHopLimit":1},"CpuOptions":{"CoreCount":1,"ThreadsPerCore":2,"Numa":""},"DedicatedHostAttribute":{"DedicatedHostId":"","DedicatedHostName":"","DedicatedHostClusterId":""},"DedicatedInstanceAttribute":{"Affinity":"","Tenancy":""},"EcsCapacityReservationAttr":{"CapacityReservationId":"","CapacityReservationPreference":""}}"#;
