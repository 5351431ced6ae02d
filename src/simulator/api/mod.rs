//! The operations: from the parameters of a request to what it reads or changes. Pure: the world and the moment are
//! arguments, and nothing changes until what was decided is in the log.

mod assistant;
mod batch;
mod describe;
mod page;
mod power;
mod regions;
mod sts;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use super::answer::Value;
use super::guard::Asked;
use super::keys::Caller;
use super::log::{Invocation, Phase};
use super::refusal::Refusal;
use super::request::Parameters;
use super::world::{Strikes, World};

/// The parameters that the log keeps of whatever is not a read. None is a secret; what a command is made of is kept
/// with its invocation.
pub(super) const LOGGED: [&str; 13] = [
    "BatchOptimization",
    "ContentEncoding",
    "DryRun",
    "DurationSeconds",
    "ForceStop",
    "InitLocalDisk",
    "OwnerAccount",
    "RegionId",
    "RoleArn",
    "RoleSessionName",
    "StoppedMode",
    "Timeout",
    "Type",
];

/// What an operation belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    Ecs,
    Sts,
}

impl Product {
    /// The one version of its API.
    fn version(self) -> &'static str {
        match self {
            Self::Ecs => "2014-05-26",
            Self::Sts => "2015-04-01",
        }
    }

    /// Its name in addresses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ecs => "Ecs",
            Self::Sts => "Sts",
        }
    }
}

/// One operation of the API.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) product: Product,
    /// The value of `Action`.
    pub(super) name: &'static str,
    /// Whether anyone may call it without a signature.
    pub(super) unsigned: bool,
    /// What the request is about, for faults and the log.
    pub(super) subject: fn(&World, &Parameters) -> Subject,
    /// Checks the request and decides what comes of it.
    pub(super) perform: fn(&Call<'_>) -> Result<Done, Refusal>,
}

const fn ecs(
    name: &'static str,
    subject: fn(&World, &Parameters) -> Subject,
    perform: fn(&Call<'_>) -> Result<Done, Refusal>,
) -> Operation {
    Operation { product: Product::Ecs, name, unsigned: false, subject, perform }
}

const fn sts(
    name: &'static str,
    unsigned: bool,
    perform: fn(&Call<'_>) -> Result<Done, Refusal>,
) -> Operation {
    Operation { product: Product::Sts, name, unsigned, subject: |_, _| Subject::Other, perform }
}

/// Every operation that there is; more are added here.
const OPERATIONS: &[Operation] = &[
    ecs("DescribeInstances", describe::listed_in_json, describe::describe_instances),
    ecs("DescribeInstanceStatus", describe::listed_by_number, describe::describe_instance_status),
    ecs("DescribeInstanceAttribute", describe::one_instance, describe::describe_instance_attribute),
    ecs("DescribeRegions", |_, _| Subject::Other, regions::describe_regions),
    ecs("StartInstance", power::one_instance, power::start_instance),
    ecs("StopInstance", power::one_instance, power::stop_instance),
    ecs("StartInstances", batch::started, batch::start_instances),
    ecs("StopInstances", batch::stopped, batch::stop_instances),
    ecs("RunCommand", assistant::commanded, assistant::run_command),
    ecs("DescribeInvocationResults", assistant::asked_about, assistant::describe_invocation_results),
    ecs(
        "DescribeCloudAssistantStatus",
        describe::listed_by_number,
        assistant::describe_cloud_assistant_status,
    ),
    sts("AssumeRole", false, sts::assume_role),
    sts("AssumeRoleWithOIDC", true, sts::assume_role_with_oidc),
    sts("GetCallerIdentity", false, sts::get_caller_identity),
];

/// The operation of that name, in the product of that version.
///
/// # Errors
/// `InvalidVersion`, `InvalidAction.NotFound`.
pub(super) fn operation(asked: Asked<'_>) -> Result<&'static Operation, Refusal> {
    let (action, version) = (asked.action.unwrap_or_default(), asked.version.unwrap_or_default());
    if OPERATIONS.iter().all(|operation| operation.product.version() != version) {
        return Err(Refusal::of("InvalidVersion"));
    }
    OPERATIONS
        .iter()
        .find(|operation| operation.name == action && operation.product.version() == version)
        .ok_or_else(|| Refusal::of("InvalidAction.NotFound"))
}

/// The names of all operations.
pub(super) fn actions() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|operation| operation.name)
}

impl Operation {
    /// The region whose limits a request counts against; none for what belongs to no region.
    pub(super) fn region<'r>(
        &self,
        world: &'r World,
        parameters: &'r Parameters,
        subject: &Subject,
    ) -> &'r str {
        if self.product == Product::Sts {
            return "";
        }
        if let Subject::Power(Some(id)) = subject
            && let Some(given) = world.given(id)
        {
            return &given.region;
        }
        let named = parameters.value("RegionId").filter(|region| regions::exists(world, region));
        named.unwrap_or(&world.account().region)
    }
}

/// What a request is about. Nothing is checked here: a request that cannot be read is about nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// The power of one instance.
    Power(Option<String>),
    /// The power of several.
    Batch {
        /// The action that does the same to one of them.
        item_action: &'static str,
        /// Which; each once.
        ids: Vec<String>,
    },
    /// A command in these instances.
    Command(Vec<String>),
    /// A read of these instances, or of all.
    Read(Option<Vec<String>>),
    /// No instance at all.
    Other,
}

impl Subject {
    /// The ids that the request names.
    pub(super) fn ids(&self) -> Vec<&str> {
        match self {
            Self::Power(id) => id.iter().map(String::as_str).collect(),
            Self::Batch { ids, .. } | Self::Command(ids) => ids.iter().map(String::as_str).collect(),
            Self::Read(ids) => ids.iter().flatten().map(String::as_str).collect(),
            Self::Other => Vec::new(),
        }
    }
}

/// One call of an operation.
#[derive(Debug)]
pub(super) struct Call<'c> {
    pub(super) world: &'c World,
    pub(super) parameters: &'c Parameters,
    pub(super) caller: &'c Caller,
    /// Unique to this call.
    pub(super) request_id: &'c str,
    /// What is to go wrong.
    pub(super) strikes: &'c Strikes<'c>,
    /// A random number of at least 0 and below 1.
    pub(super) draw: f64,
    pub(super) now: Timestamp,
}

impl Call<'_> {
    /// The moment that a look takes for the present: a fault may let it see what is old.
    fn looked_at(&self) -> Timestamp {
        self.now.checked_sub(self.strikes.lag()).unwrap_or(Timestamp::MIN)
    }

    /// Whether the account may do this.
    fn is_denied(&self, action: &str) -> bool {
        self.world.account().denied.contains(action)
    }

    /// # Errors
    /// `Forbidden.RAM`.
    fn permit(&self, action: &str) -> Result<(), Refusal> {
        if self.is_denied(action) { Err(Refusal::of("Forbidden.RAM")) } else { Ok(()) }
    }
}

/// What comes of a call that was not refused.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Done {
    /// The fields of the answer besides `RequestId`.
    pub(super) fields: Vec<(&'static str, Value)>,
    /// What the instance is from now on, where the call changes one.
    pub(super) phases: Vec<Phase>,
    /// What became of each instance of a batch.
    pub(super) items: Vec<Item>,
    /// The command that runs from now on.
    pub(super) invocation: Option<Invocation>,
}

/// One instance of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) instance: String,
    /// What it is from now on.
    pub(super) outcome: Result<Vec<Phase>, Refusal>,
}
