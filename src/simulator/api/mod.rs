//! The operations: from the parameters of a request to what it reads or changes. Pure: the world and the moment are
//! arguments, and nothing changes until what was decided is in the log.

mod describe;
mod power;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub(super) use self::power::LOGGED;
use super::answer::Value;
use super::log::Phase;
use super::refusal::Refusal;
use super::request::Parameters;
use super::world::{Twist, World};

/// One operation of the API.
#[derive(Debug)]
pub(super) struct Operation {
    /// The value of `Action`.
    pub(super) name: &'static str,
    /// What the request is about, for faults and the log.
    pub(super) subject: fn(&Parameters) -> Subject,
    /// Checks the request and decides what comes of it.
    pub(super) perform: fn(&Call<'_>) -> Result<Done, Refusal>,
}

/// Every operation that there is; more are added here.
const OPERATIONS: &[Operation] = &[
    Operation {
        name: "DescribeInstances",
        subject: describe::listed_in_json,
        perform: describe::describe_instances,
    },
    Operation {
        name: "DescribeInstanceStatus",
        subject: describe::listed_by_number,
        perform: describe::describe_instance_status,
    },
    Operation { name: "StartInstance", subject: power::one_instance, perform: power::start_instance },
    Operation { name: "StopInstance", subject: power::one_instance, perform: power::stop_instance },
];

/// The operation of that name.
///
/// # Errors
/// `InvalidAction.NotFound`.
pub(super) fn operation(name: &str) -> Result<&'static Operation, Refusal> {
    OPERATIONS
        .iter()
        .find(|operation| operation.name == name)
        .ok_or_else(|| Refusal::of("InvalidAction.NotFound"))
}

/// The names of all operations.
pub(super) fn actions() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|operation| operation.name)
}

/// What a request is about. Nothing is checked here: a request that cannot be read is about nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// The power of one instance.
    Power(Option<String>),
    /// A read of these instances, or of all.
    Read(Option<Vec<String>>),
}

impl Subject {
    /// The ids that the request names.
    pub(super) fn ids(&self) -> Vec<&str> {
        match self {
            Self::Power(id) => id.iter().map(String::as_str).collect(),
            Self::Read(ids) => ids.iter().flatten().map(String::as_str).collect(),
        }
    }
}

/// One call of an operation.
#[derive(Debug)]
pub(super) struct Call<'c> {
    pub(super) world: &'c World,
    pub(super) parameters: &'c Parameters,
    /// What is to go wrong after it is accepted.
    pub(super) twist: Option<Twist>,
    /// A random number of at least 0 and below 1.
    pub(super) draw: f64,
    pub(super) now: Timestamp,
}

/// What comes of a call that was not refused.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Done {
    /// The fields of the answer besides `RequestId`.
    pub(super) fields: Vec<(&'static str, Value)>,
    /// What the instance is from now on, where the call changes one.
    pub(super) phases: Vec<Phase>,
}
