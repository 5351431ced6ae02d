//! StartInstances and StopInstances.

use super::describe::{MOST_IDS, numbered_ids};
use super::{Call, Done, Item, Subject, power, regions};
use crate::simulator::answer::Value;
use crate::simulator::log::Phase;
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::status::Status;
use crate::simulator::world::{PowerCall, World};

const NOT_FOUND: &str = "InvalidInstanceId.NotFound";

pub(super) fn started(_: &World, parameters: &Parameters) -> Subject {
    Subject::Batch { item_action: "StartInstance", ids: numbered_ids(parameters) }
}

pub(super) fn stopped(_: &World, parameters: &Parameters) -> Subject {
    Subject::Batch { item_action: "StopInstance", ids: numbered_ids(parameters) }
}

pub(super) fn start_instances(call: &Call<'_>) -> Result<Done, Refusal> {
    batch(call, "StartInstances", PowerCall::Start)
}

pub(super) fn stop_instances(call: &Call<'_>) -> Result<Done, Refusal> {
    call.parameters.truth("ForceStop")?;
    batch(call, "StopInstances", PowerCall::Stop(power::stopped_mode(call.parameters)?))
}

/// `AllTogether`: all instances pass their checks, or the first refusal is that of the whole call and nothing is done.
/// `SuccessFirst`: each for itself. A dry run of the latter checks no instance, as documented.
fn batch(call: &Call<'_>, action: &str, what: PowerCall) -> Result<Done, Refusal> {
    let Call { world, parameters, .. } = *call;
    let region = regions::required(world, parameters)?;
    let ids = checked_ids(parameters)?;
    let all_together = match parameters.value("BatchOptimization") {
        None | Some("AllTogether") => true,
        Some("SuccessFirst") => false,
        Some(_) => {
            return Err(Refusal::invalid("BatchOptimization", "it is neither AllTogether nor SuccessFirst"));
        }
    };
    let dry_run = parameters.truth("DryRun")?;
    call.permit(action)?;
    if dry_run && !all_together {
        return Err(Refusal::of("DRYRUN.SUCCESS"));
    }
    let mut items = Vec::with_capacity(ids.len());
    for (position, instance) in ids.into_iter().enumerate() {
        let outcome = decide(call, &instance, region, what, position);
        match outcome {
            Err(refusal) if all_together => return Err(refusal),
            outcome => items.push(Item { instance, outcome }),
        }
    }
    if dry_run {
        return Err(Refusal::of("DRYRUN.SUCCESS"));
    }
    let responses = items.iter().map(|item| response(call, item)).collect();
    let fields = vec![("InstanceResponses", Value::List("InstanceResponse", responses))];
    Ok(Done { fields, items, ..Done::default() })
}

/// Each id once: nothing is said about one that is named twice.
fn checked_ids(parameters: &Parameters) -> Result<Vec<String>, Refusal> {
    let ids = numbered_ids(parameters);
    if ids.is_empty() {
        // The one place where the documentation gives this code the status 403.
        let refusal = Refusal::of(NOT_FOUND);
        return Err(Refusal { status: 403, ..refusal }.saying("The specified InstanceIds are null."));
    }
    if ids.len() > MOST_IDS {
        return Err(Refusal::of("InvalidParameter.TooManyInstanceIds"));
    }
    if ids.iter().any(|id| !id.starts_with("i-")) {
        return Err(Refusal::of("Abs.InvalidInstanceIds.MalFormed"));
    }
    Ok(ids)
}

fn decide(
    call: &Call<'_>,
    id: &str,
    region: &str,
    what: PowerCall,
    position: usize,
) -> Result<Vec<Phase>, Refusal> {
    let Call { world, strikes, now, .. } = *call;
    if let Some(refusal) = strikes.items.get(id).and_then(|strike| strike.refusal()) {
        return Err(refusal);
    }
    if world.given(id).is_some_and(|given| given.region != region) {
        return Err(Refusal::of(NOT_FOUND));
    }
    // Each item has a draw of its own: multiples of the golden ratio spread evenly, wherever they begin.
    #[expect(clippy::cast_precision_loss, reason = "there are at most a hundred items")]
    let draw = (call.draw + position as f64 * 0.618_033_988_749_895).fract();
    world.power(id, what, false, strikes.twist(id), draw, now)
}

fn response(call: &Call<'_>, item: &Item) -> Value {
    // Where there is no such instance, it has no status.
    let is_there = item.outcome.as_ref().map_or_else(|refusal| refusal.code != NOT_FOUND, |_| true);
    let before = call.world.status(&item.instance, call.now).filter(|_| is_there);
    let before = before.map_or("", Status::as_str);
    let (after, code, message) = match &item.outcome {
        Ok(phases) => {
            let number = call.world.account().quirks.numeric_codes;
            let code = if number { Value::Number(200) } else { Value::text("200") };
            (phases.first().map_or("", |phase| phase.status.as_str()), code, "success")
        }
        Err(refusal) => (before, Value::text(refusal.code.as_str()), refusal.message.as_str()),
    };
    Value::Fields(vec![
        ("InstanceId", Value::text(item.instance.as_str())),
        ("PreviousStatus", Value::text(before)),
        ("CurrentStatus", Value::text(after)),
        ("Code", code),
        ("Message", Value::text(message)),
    ])
}
