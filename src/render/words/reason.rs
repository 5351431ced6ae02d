//! What a plan says of an instance: verdicts, reasons, blocks, drift, warnings.

use super::{Explanation, NAME_COLUMNS, address, count, message, name, short, time};
use crate::fleet::{Goal, LockReason, Power, Seen, StopMode, StoppedMode};
use crate::plan::{Block, Call, Change, Drift, Excess, Then, Verdict, Warning, Why};

/// What will be done, as it follows the address: `will be started`.
#[must_use]
pub fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::InSync => "is in sync",
        Verdict::Start { once_stopped: false, .. } => "will be started",
        Verdict::Start { once_stopped: true, .. } => "will be started once it is Stopped",
        Verdict::Stop { once_running: false, .. } => "will be stopped",
        Verdict::Stop { once_running: true, .. } => "will be stopped once it is Running",
        Verdict::Wait { .. } => "will be waited for",
        Verdict::Blocked(_) => "is blocked",
        Verdict::Release => "will be released",
        Verdict::Any => "is only looked at",
    }
}

/// What stands after the address over the block of an instance. Where only drift is shown, that is it.
#[must_use]
pub fn heading(change: &Change) -> &'static str {
    if change.goal.is_none() && change.drift.is_some() { "has moved" } else { verdict(&change.verdict) }
}

/// The same of several instances at once, after their number: `will be started`, `are blocked`.
#[must_use]
pub fn heading_of_several(change: &Change) -> &'static str {
    match heading(change) {
        "is in sync" => "are in sync",
        "will be started once it is Stopped" => "will be started once they are Stopped",
        "will be stopped once it is Running" => "will be stopped once they are Running",
        "is blocked" => "are blocked",
        "is only looked at" => "are only looked at",
        "has moved" => "have moved",
        same => same,
    }
}

/// Why an instance got its verdict. Never empty, whatever the verdict.
#[must_use]
pub fn reason(change: &Change) -> String {
    match (&change.verdict, &change.why) {
        (Verdict::Blocked(why), _) => block(why).to_string(),
        (Verdict::Any, _) => match &change.seen {
            Seen::There(_) => "its goal is Any: it is looked at and never touched".to_owned(),
            Seen::Absent => format!("its goal is Any, but it is {}", block(&Block::NotVisible)),
            Seen::NotSeen { why } => {
                format!("its goal is Any, but it was {}", block(&Block::NotSeen { why: why.clone() }))
            }
        },
        (Verdict::InSync, _) => match (change.goal, &change.drift) {
            (Some(goal), _) => format!("it is {goal}, as wanted"),
            (None, Some(moved)) => drift(moved),
            (None, None) => "it is as wanted".to_owned(),
        },
        (Verdict::Release, None) => because(&Why::LeftConfiguration, change),
        (_, Some(why)) => because(why, change),
        (Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. }, None) => match change.goal {
            Some(goal) => format!("it is not {goal}, as the configuration wants it"),
            None => "it is not as the configuration wants it".to_owned(),
        },
    }
}

fn because(why: &Why, change: &Change) -> String {
    match why {
        Why::NewlyManaged => "not in the record yet: this is the first apply that manages it".to_owned(),
        Why::GoalChanged { from } => match change.goal {
            Some(goal) => format!("the configuration wants {goal} now; the last apply was for {from}"),
            None => format!("the goal has changed; the last apply was for {from}"),
        },
        Why::Drifted => match &change.drift {
            Some(moved) => drift(moved),
            None => "changed outside powerform since the last apply".to_owned(),
        },
        Why::Unfinished { recorded_at } => {
            format!("it was not there yet when it was last recorded, on {}", time(*recorded_at))
        }
        Why::PoweredOff => "everything is powered off for this run; a plain apply brings it back".to_owned(),
        Why::LeftConfiguration => {
            "no longer in the configuration: it leaves the record, and is not touched".to_owned()
        }
        Why::NewlySelected => {
            "it fits the selection now, and did not at the last apply: this is the first that manages it"
                .to_owned()
        }
        Why::NoLongerSelected => {
            "it does not fit the selection any more: it leaves the record, and is not touched".to_owned()
        }
    }
}

/// What moved outside powerform: `stopped outside powerform since the last apply 2026-11-21 20:04 UTC`.
#[must_use]
pub fn drift(drift: &Drift) -> String {
    let since = time(drift.since);
    let did = match &drift.is {
        Power::Running => "started".to_owned(),
        Power::Stopped => "stopped".to_owned(),
        Power::Starting => "being started".to_owned(),
        Power::Stopping => "being stopped".to_owned(),
        Power::Pending | Power::Unrecognised(_) => {
            format!("changed from {} to {}", name(drift.was.word()), name(drift.is.word()))
        }
    };
    format!("{did} outside powerform since the last apply {since}")
}

/// What follows when a Pending instance settles away from its goal: `then: start if Stopped`, or why nothing does.
#[must_use]
pub fn then(then: &Then, until: Goal) -> String {
    match then {
        Then::Start { .. } => "then: start if Stopped".to_owned(),
        Then::Stop { .. } => "then: stop if Running".to_owned(),
        Then::Blocked(why) => {
            let call = if until == Goal::Stopped { "stop if Running" } else { "start if Stopped" };
            format!("then: no {call}: {}", block(why))
        }
    }
}

/// Why nothing can be done about an instance now.
#[must_use]
pub fn block(block: &Block) -> Explanation {
    match block {
        Block::UnknownStatus { word } => Explanation::new(
            format!("ECS reports the status \"{}\", which powerform does not know", name(word)),
            "look at the instance in the console; nothing is done to it until it shows a known status",
        ),
        Block::NotVisible => Explanation::new(
            "not visible (released, another region, or no permission)",
            "check its id, its provider's region and the permission ecs:DescribeInstances, or take it out of \
             the configuration",
        ),
        Block::NotSeen { why } => Explanation::new(
            format!("not seen, because the look failed ({})", message(why)),
            "mend that and plan again",
        ),
        Block::Locked { reason } => Explanation::new(
            format!("ECS refuses to start it until the {} lock is lifted", name(reason.word())),
            unlock(reason),
        ),
        Block::Expired { since } => Explanation::new(
            format!("its subscription ended on {}, and ECS refuses to start it", time(*since)),
            "renew it: console > Expenses > Renewal Management",
        ),
        Block::Overdue => Explanation::new(
            "payment for it is overdue, and ECS refuses to start it",
            "settle the bill, then reactivate it: console > ECS > Instances > Reactivate",
        ),
        Block::PreventStop => Explanation::new(
            "prevent_stop forbids the stop",
            "take prevent_stop out of its entry to let it be stopped, or give the entry the status Running",
        ),
        Block::AutoScaling { tag } => Explanation::new(
            format!(
                "stopped, it would be released by the Auto Scaling group that it belongs to ({})",
                name(tag)
            ),
            "take it out of the group or set it to Standby there, or write allow_autoscaling: true into its entry",
        ),
        Block::OwnMachine => Explanation::new(
            "powerform runs on it, and its stop would end this run in the middle of its work",
            "run powerform elsewhere, leave it out with --exclude, or give --allow-self-stop to an apply without a saved \
             plan",
        ),
        Block::Refused { call, code, message: said, request_id, remedy } => {
            let call = match call {
                Call::Start => "start",
                Call::Stop => "stop",
            };
            let mut what = format!("asked beforehand, ECS refuses the {call}: {}", name(code));
            for (before, said, after) in [
                (": ", message(said), ""),
                (" (request ", short(request_id.as_deref().unwrap_or_default(), NAME_COLUMNS), ")"),
            ] {
                if !said.is_empty() {
                    what.extend([before, &said, after]);
                }
            }
            Explanation::new(
                what,
                match remedy {
                    Some(remedy) => message(remedy).into_owned(),
                    None => "mend what the message names, then plan again".to_owned(),
                },
            )
        }
        Block::NeedsUnmanaged { need, seen } => {
            let need = address(need);
            Explanation::new(
                format!("it needs {need}, which is {} and whose goal is Any", name(seen)),
                format!("start {need} yourself, or give its entry the status Running"),
            )
        }
        Block::NeedsRecycled { need } => {
            let need = address(need);
            Explanation::new(
                format!("it needs {need}, which ECS is taking back"),
                format!("put a replacement for {need} into the configuration"),
            )
        }
        Block::StillNeeded { by, seen } => {
            let by = address(by);
            Explanation::new(
                format!("{by}, which is {} and whose goal is Any, still needs it", name(seen)),
                format!("stop {by} yourself, or give its entry the status Stopped"),
            )
        }
        Block::HeldUp { by, root } if by == root => {
            let by = address(by);
            Explanation::new(
                format!("it has to come after {by}, which is blocked"),
                format!("see what blocks {by}"),
            )
        }
        Block::HeldUp { by, root } => {
            let root = address(root);
            Explanation::new(
                format!("it has to come after {}, which is held up by {root}", address(by)),
                format!("see what blocks {root}"),
            )
        }
    }
}

fn unlock(reason: &LockReason) -> &'static str {
    match reason {
        LockReason::Security => "console > Security Center",
        LockReason::Financial => "settle the bill or renew it: console > Expenses",
        LockReason::Recycling => {
            "ECS is taking the spot instance back; put a replacement into the configuration"
        }
        LockReason::DedicatedHostFinancial => {
            "renew the dedicated host it stands on: console > ECS > Dedicated Hosts"
        }
        LockReason::Refunded => "it was refunded; put a replacement into the configuration",
        LockReason::Other(_) => "ask Alibaba Cloud's support what lifts it: console > Tickets",
    }
}

/// What a person should know about an instance before approving.
#[must_use]
pub fn warning(warning: &Warning) -> Explanation {
    match warning {
        Warning::EconomicalStart => Explanation::new(
            "it was stopped in economical mode, so a start may find no stock, and its public IP address may \
             change",
            "stop it with the mode KeepCharging where that matters; on_no_stock of its entry can ask again for a while",
        ),
        Warning::InitLocalDisk { local_disks } => Explanation::new(
            match local_disks {
                0 => "init_local_disk destroys the data on local disks; ECS reports none now".to_owned(),
                1 => "the start destroys the data on its local disk".to_owned(),
                disks => {
                    let disks = count(usize::try_from(*disks).unwrap_or(usize::MAX), "local disk");
                    format!("the start destroys the data on its {disks}")
                }
            },
            "save the data first, or take init_local_disk out of its entry; apply asks for --allow-data-loss",
        ),
        Warning::Spot => Explanation::new(
            "it is a spot instance, so a start may find no stock or too high a price, and ECS may take it back",
            "use a pay-as-you-go instance for what has to run",
        ),
        Warning::StopUnderLock { reason } => Explanation::new(
            format!("it is under the {} lock, so ECS may refuse the stop", name(reason.word())),
            unlock(reason),
        ),
        Warning::AutoScaling { tag } => Explanation::new(
            format!("it belongs to an Auto Scaling group ({}), which may release what is stopped", name(tag)),
            "set it to Standby there first, or take allow_autoscaling out of its entry to keep it from being stopped",
        ),
        Warning::OwnMachine => Explanation::new(
            "powerform runs on it: its stop ends this run, and nothing after it is awaited or recorded",
            "leave it out with --exclude, and stop it from elsewhere; what is left then is for the next apply",
        ),
        Warning::Recycling => Explanation::new(
            "it is Running, as wanted, but ECS is taking it back",
            "have a replacement ready; what depends on it is not started any more",
        ),
        Warning::StopModeDiffers { wanted, is } => Explanation::new(
            match (wanted, is) {
                (StopMode::StopCharging, StoppedMode::KeepCharging) => {
                    "it is Stopped, as wanted, but still charging (in the stop mode KeepCharging)".to_owned()
                }
                (wanted, is) => {
                    format!(
                        "it is Stopped, as wanted, but in the stop mode {} instead of {wanted}",
                        is.word()
                    )
                }
            },
            "to change the mode, start it and stop it again",
        ),
        Warning::ForceStop => Explanation::new(
            "its power will be cut, and data that the guest has not written is lost",
            "take force out of its stop policy to let the guest shut down",
        ),
    }
}

/// How far a plan is over a limit, after its subject: `holds 12 starts, and limits.starts allows 10`.
#[must_use]
pub fn excess(excess: &Excess) -> String {
    let Excess { call, planned, limit } = excess;
    let noun = match call {
        Call::Start => "start",
        Call::Stop => "stop",
    };
    format!("holds {}, and limits.{noun}s allows {limit}", count(*planned, noun))
}

/// What an instance waits to become: the word of its goal.
#[must_use]
pub(super) fn up_or_down(goal: Goal) -> &'static str {
    match goal {
        Goal::Running => "Running",
        Goal::Stopped => "Stopped",
        Goal::Any => "settled",
    }
}
