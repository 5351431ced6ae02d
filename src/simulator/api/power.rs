//! StartInstance and StopInstance.

use super::{Call, Done, Subject};
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::status::StoppedMode;
use crate::simulator::world::PowerCall;

/// The parameters of power calls that the log keeps.
pub(in crate::simulator) const LOGGED: [&str; 6] =
    ["DryRun", "ForceStop", "InitLocalDisk", "OwnerAccount", "RegionId", "StoppedMode"];

pub(super) fn one_instance(parameters: &Parameters) -> Subject {
    Subject::Power(parameters.value("InstanceId").map(str::to_owned))
}

/// RegionId is not in the model of these operations, but official clients send it with every call: it is tolerated,
/// as are the parameters that name the owner.
pub(super) fn start_instance(call: &Call<'_>) -> Result<Done, Refusal> {
    call.parameters.truth("InitLocalDisk")?;
    power(call, PowerCall::Start)
}

/// Where StoppedMode is left out, the account's default holds: this account's is to keep charging.
pub(super) fn stop_instance(call: &Call<'_>) -> Result<Done, Refusal> {
    call.parameters.truth("ForceStop")?;
    call.parameters.truth("ConfirmStop")?;
    let mode = match call.parameters.value("StoppedMode") {
        None | Some("KeepCharging") => StoppedMode::KeepCharging,
        Some("StopCharging") => StoppedMode::StopCharging,
        Some(_) => {
            return Err(Refusal::invalid("StoppedMode", "it is neither KeepCharging nor StopCharging"));
        }
    };
    power(call, PowerCall::Stop(mode))
}

fn power(call: &Call<'_>, what: PowerCall) -> Result<Done, Refusal> {
    let id = call.parameters.required("InstanceId")?;
    let dry_run = call.parameters.truth("DryRun")?;
    let phases = call.world.power(id, what, dry_run, call.twist, call.draw, call.now)?;
    Ok(Done { fields: Vec::new(), phases })
}
