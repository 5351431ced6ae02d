//! StartInstance and StopInstance.

use super::{Call, Done, Subject};
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::status::StoppedMode;
use crate::simulator::world::{PowerCall, World};

pub(super) fn one_instance(_: &World, parameters: &Parameters) -> Subject {
    Subject::Power(parameters.value("InstanceId").map(str::to_owned))
}

/// RegionId is not in the model of these operations, but official clients send it with every call: it is tolerated,
/// as are the parameters that name the owner.
pub(super) fn start_instance(call: &Call<'_>) -> Result<Done, Refusal> {
    call.parameters.truth("InitLocalDisk")?;
    power(call, "StartInstance", PowerCall::Start)
}

pub(super) fn stop_instance(call: &Call<'_>) -> Result<Done, Refusal> {
    call.parameters.truth("ForceStop")?;
    call.parameters.truth("ConfirmStop")?;
    power(call, "StopInstance", PowerCall::Stop(stopped_mode(call.parameters)?))
}

/// Where StoppedMode is left out, the account's default holds: this account's is to keep charging.
pub(super) fn stopped_mode(parameters: &Parameters) -> Result<StoppedMode, Refusal> {
    match parameters.value("StoppedMode") {
        None | Some("KeepCharging") => Ok(StoppedMode::KeepCharging),
        Some("StopCharging") => Ok(StoppedMode::StopCharging),
        Some(_) => Err(Refusal::invalid("StoppedMode", "it is neither KeepCharging nor StopCharging")),
    }
}

fn power(call: &Call<'_>, action: &str, what: PowerCall) -> Result<Done, Refusal> {
    let id = call.parameters.required("InstanceId")?;
    let dry_run = call.parameters.truth("DryRun")?;
    call.permit(action)?;
    let phases = call.world.power(id, what, dry_run, call.strikes.twist(id), call.draw, call.now)?;
    Ok(Done { phases, ..Done::default() })
}
