//! The vocabulary: what a fleet of instances is wanted to be, is, and was recorded as.
//!
//! Everything here is plain data that validates itself. Nothing in this module reads files, asks the network,
//! knows the clock, or decides anything; it imports no other room of the house.

mod actual;
mod desired;
pub mod duration;
mod name;
mod power;
mod readiness;
mod recorded;
mod rolling;
mod selection;

pub use actual::{Actual, Charge, Lock, LockReason, Seen, Selected, Sighting};
pub use desired::{CallLimits, Desired, Entry, EntryIndex, Members, Need, StopPolicy, Strength, Timeouts};
pub use name::{Address, EntryName, InstanceId, InstanceKey, InvalidName, ProviderAlias, Region, StackName};
pub use power::{Goal, Power, StopMode, StoppedMode};
pub use readiness::{HttpTarget, Probe, ProbeAddress, Readiness};
pub use recorded::{Durations, Recorded, RecordedInstance};
pub use rolling::{AtOnce, OnFailure, OnNoStock, RollingOrder};
pub use selection::{Selection, Selector};
