//! What is asked of ECS: operations as data, their parameters, and one signed attempt.
//!
//! Pure: time and nonce are arguments. An attempt that is repeated is built and signed anew, because ECS refuses a
//! nonce that it has seen.

mod attempt;
mod filter;

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::cloud::{Invocation, LOOK_LIMIT, StartRequest, StopRequest};
use crate::fleet::{InstanceId, Region, Selector, StopPolicy};

pub use attempt::{Carriage, Dialect, Format, Signature, SignedRequest, sign_attempt};

/// How long a connection may take to come about: what the official SDKs allow.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long ECS lets a command run, in seconds: from 10 s to a day.
const COMMAND_SECONDS: RangeInclusive<u64> = 10..=24 * 60 * 60;

/// The version of the ECS API.
const ECS_VERSION: &str = "2014-05-26";

/// An operation of an RPC-style API, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name: the `Action` parameter.
    pub action: &'static str,
    /// The version of the API that has it.
    pub version: &'static str,
    /// Whether it may be repeated without harm.
    pub effect: Effect,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long the answer may take. The official SDK's figures (its `timeout_config.json`): a client that gives up
    /// earlier gives up on calls that ECS later completes.
    pub read_timeout: Duration,
}

impl Operation {
    const fn new(action: &'static str, effect: Effect, read_seconds: u64) -> Self {
        Self {
            action,
            version: ECS_VERSION,
            effect,
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: Duration::from_secs(read_seconds),
        }
    }

    /// How long one attempt may take in all.
    #[must_use]
    pub fn time_limit(&self) -> Duration {
        self.connect_timeout + self.read_timeout
    }
}

/// Whether an operation changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only looks: repeating it is harmless.
    Read,
    /// It acts: it is sent again only after a look.
    Write,
}

/// Looks at instances.
pub const DESCRIBE_INSTANCES: Operation = Operation::new("DescribeInstances", Effect::Read, 10);
/// Looks at the power status of instances and at nothing else.
pub const DESCRIBE_INSTANCE_STATUS: Operation = Operation::new("DescribeInstanceStatus", Effect::Read, 26);
/// Lists regions.
pub const DESCRIBE_REGIONS: Operation = Operation::new("DescribeRegions", Effect::Read, 19);
/// Starts one instance.
pub const START_INSTANCE: Operation = Operation::new("StartInstance", Effect::Write, 46);
/// Stops one instance.
pub const STOP_INSTANCE: Operation = Operation::new("StopInstance", Effect::Write, 27);
/// Starts several instances. The official SDK has no figure for it; it waits as for one.
pub const START_INSTANCES: Operation = Operation::new("StartInstances", Effect::Write, 46);
/// Stops several instances.
pub const STOP_INSTANCES: Operation = Operation::new("StopInstances", Effect::Write, 27);
/// Runs a command in an instance. The official SDK's figure for what it has none for.
pub const RUN_COMMAND: Operation = Operation::new("RunCommand", Effect::Write, 10);
/// Looks what became of commands.
pub const DESCRIBE_INVOCATION_RESULTS: Operation =
    Operation::new("DescribeInvocationResults", Effect::Read, 10);

/// The most instances that one DescribeInstanceStatus takes: a page holds no more.
pub const STATUS_LIMIT: usize = 50;

const BATCH_OPTIMIZATION: &str = "BatchOptimization";

/// An operation with its parameters, ready to be signed as often as it is attempted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The operation.
    pub operation: Operation,
    /// What it is about, for logs: an instance, or how many.
    pub subject: String,
    parameters: Vec<(Cow<'static, str>, String)>,
}

/// Which page of an answer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The first one.
    First,
    /// The first one, of pages that name the next one by a token.
    FirstByToken,
    /// The one that a token of the page before names.
    Token(String),
    /// The one with this number, counted from 1.
    Number(u32),
}

impl Request {
    fn new(operation: Operation, subject: String) -> Self {
        Self { operation, subject, parameters: Vec::new() }
    }

    fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Lists are flattened, counted from 1.
    fn with_ids(self, ids: &[InstanceId]) -> Self {
        (1..)
            .zip(ids)
            .fold(self, |request, (number, id)| request.with(format!("InstanceId.{number}"), id.as_str()))
    }

    fn with_page(self, page: &Page) -> Self {
        let limit = LOOK_LIMIT.to_string();
        match page {
            Page::First => self.with("PageSize", limit),
            Page::Number(number) => self.with("PageSize", limit).with("PageNumber", number.to_string()),
            Page::FirstByToken => self.with("MaxResults", limit),
            Page::Token(token) => self.with("MaxResults", limit).with("NextToken", token),
        }
    }

    /// DescribeInstances for some ids of one region: at most [`LOOK_LIMIT`] of them fit on one page.
    #[must_use]
    pub fn describe_instances(region: &Region, ids: &[InstanceId], page: &Page) -> Self {
        let list: Vec<&str> = ids.iter().map(InstanceId::as_str).collect();
        Self::new(DESCRIBE_INSTANCES, subject(ids))
            .with("RegionId", region.as_str())
            .with("InstanceIds", serde_json::Value::from(list).to_string())
            .with_page(page)
    }

    /// DescribeInstances for all instances of one region that fit a selector.
    #[must_use]
    pub fn find_instances(region: &Region, selector: &Selector, page: &Page) -> Self {
        let request =
            Self::new(DESCRIBE_INSTANCES, filter::in_words(selector)).with("RegionId", region.as_str());
        let filtered = filter::parameters(selector)
            .into_iter()
            .fold(request, |request, (name, value)| request.with(name, value));
        filtered.with_page(page)
    }

    /// DescribeInstanceStatus for some ids of one region, at most [`STATUS_LIMIT`] of them.
    #[must_use]
    pub fn describe_instance_status(region: &Region, ids: &[InstanceId]) -> Self {
        Self::new(DESCRIBE_INSTANCE_STATUS, subject(ids))
            .with("RegionId", region.as_str())
            .with("PageSize", STATUS_LIMIT.to_string())
            .with_ids(ids)
    }

    /// DescribeRegions.
    #[must_use]
    pub fn describe_regions() -> Self {
        Self::new(DESCRIBE_REGIONS, "all regions".to_owned()).with("AcceptLanguage", "en-US")
    }

    /// StartInstance. `owner_account` is the login name of a RAM user's account, for the few that need it.
    ///
    /// `InitLocalDisk` destroys the data on local disks, so it is sent only when it is wanted.
    #[must_use]
    pub fn start_instance(start: &StartRequest, owner_account: Option<&str>) -> Self {
        let mut request =
            Self::new(START_INSTANCE, start.id.to_string()).with("InstanceId", start.id.as_str());
        if start.init_local_disk {
            request = request.with("InitLocalDisk", "true");
        }
        if let Some(owner_account) = owner_account {
            request = request.with("OwnerAccount", owner_account);
        }
        request
    }

    /// StopInstance. The mode is always sent, because what an absent one means depends on a setting of the account
    /// that this API does not show.
    #[must_use]
    pub fn stop_instance(stop: &StopRequest) -> Self {
        Self::new(STOP_INSTANCE, stop.id.to_string())
            .with("InstanceId", stop.id.as_str())
            .with_policy(stop.policy)
    }

    /// StartInstances: each instance for itself (`SuccessFirst`), so that one that is refused holds up no other. It
    /// cannot restore local disks.
    #[must_use]
    pub fn start_instances(region: &Region, ids: &[InstanceId], owner_account: Option<&str>) -> Self {
        let request = Self::new(START_INSTANCES, subject(ids))
            .with("RegionId", region.as_str())
            .with(BATCH_OPTIMIZATION, "SuccessFirst")
            .with_ids(ids);
        match owner_account {
            Some(owner_account) => request.with("OwnerAccount", owner_account),
            None => request,
        }
    }

    /// StopInstances, as [`Request::start_instances`], all of them in the same way.
    #[must_use]
    pub fn stop_instances(region: &Region, ids: &[InstanceId], policy: StopPolicy) -> Self {
        Self::new(STOP_INSTANCES, subject(ids))
            .with("RegionId", region.as_str())
            .with(BATCH_OPTIMIZATION, "SuccessFirst")
            .with_policy(policy)
            .with_ids(ids)
    }

    /// RunCommand: one shell script in one instance, not kept among the account's commands. The time that it may run
    /// is sent in whole seconds, rounded up, within what ECS takes.
    #[must_use]
    pub fn run_command(region: &Region, id: &InstanceId, script: &str, timeout: Duration) -> Self {
        let seconds = timeout.as_secs().saturating_add(u64::from(timeout.subsec_nanos() > 0));
        Self::new(RUN_COMMAND, id.to_string())
            .with("RegionId", region.as_str())
            .with("Type", "RunShellScript")
            .with("CommandContent", BASE64.encode(script))
            .with("ContentEncoding", "Base64")
            .with("KeepCommand", "false")
            .with("Timeout", seconds.clamp(*COMMAND_SECONDS.start(), *COMMAND_SECONDS.end()).to_string())
            .with_ids(std::slice::from_ref(id))
    }

    /// DescribeInvocationResults: what became of one command in one instance.
    #[must_use]
    pub fn describe_invocation_results(region: &Region, invocation: &Invocation) -> Self {
        Self::new(DESCRIBE_INVOCATION_RESULTS, invocation.instance.to_string())
            .with("RegionId", region.as_str())
            .with("InvokeId", invocation.id.as_str())
            .with("InstanceId", invocation.instance.as_str())
            .with("ContentEncoding", "Base64")
    }

    fn with_policy(self, policy: StopPolicy) -> Self {
        self.with("StoppedMode", policy.mode.word())
            .with("ForceStop", if policy.force { "true" } else { "false" })
    }

    /// The same as a rehearsal (`DryRun`): ECS checks everything and does nothing, so repeating it is harmless.
    ///
    /// A batch is rehearsed with `AllTogether`: with `SuccessFirst` ECS answers that all is well whatever it finds.
    #[must_use]
    pub fn rehearsed(mut self) -> Self {
        self.operation.effect = Effect::Read;
        for (name, value) in &mut self.parameters {
            if name == BATCH_OPTIMIZATION {
                *value = "AllTogether".to_owned();
            }
        }
        self.with("DryRun", "true")
    }
}

/// What a call is about, in words for logs.
fn subject(ids: &[InstanceId]) -> String {
    match ids {
        [only] => only.to_string(),
        several => format!("{} instances", several.len()),
    }
}

#[cfg(test)]
mod tests;
