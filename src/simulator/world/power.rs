//! What may be asked of a machine: start and stop, with their conditions in the order ECS checks them.

use std::time::Duration;

use jiff::Timestamp;

use super::machine::phase;
use super::{Machine, World, later};
use crate::simulator::account::{Instance, Twist};
use crate::simulator::log::Phase;
use crate::simulator::refusal::Refusal;
use crate::simulator::status::{Charge, Status, StoppedMode};

/// A request to change the power of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum PowerCall {
    /// StartInstance.
    Start,
    /// StopInstance, with the mode that was asked for.
    Stop(StoppedMode),
}

impl World {
    /// Decides about a call, in the order of ECS: the instance exists, locks, expiry, status, then a dry run ends.
    /// `draw` is a random number of at least 0 and below 1 for the jitter.
    ///
    /// Returns what the instance is from now on; nothing changes until that is in the log.
    ///
    /// # Errors
    /// The refusal that the client reads, also for a dry run that would have been accepted.
    pub(in crate::simulator) fn power(
        &self,
        id: &str,
        call: PowerCall,
        dry_run: bool,
        twist: Option<Twist>,
        draw: f64,
        now: Timestamp,
    ) -> Result<Vec<Phase>, Refusal> {
        let (given, machine) = self.present(id, now)?;
        check_locks(given, machine.locks(), call)?;
        check_expiry(given, call, now)?;
        let needed = match call {
            PowerCall::Start => Status::Stopped,
            PowerCall::Stop(_) => Status::Running,
        };
        if machine.phase(now).status != needed {
            return Err(Refusal::of("IncorrectInstanceStatus"));
        }
        if dry_run {
            return Err(Refusal::of("DryRunOperation"));
        }
        Ok(course(given, call, twist, self.account.jitter, draw, now))
    }

    fn present(&self, id: &str, now: Timestamp) -> Result<(&Instance, &Machine), Refusal> {
        let not_found = || Refusal::of("InvalidInstanceId.NotFound");
        let position = self.account.position(id).ok_or_else(not_found)?;
        let given = self.account.instances.get(position).ok_or_else(not_found)?;
        let machine = self.machines.get(position).ok_or_else(not_found)?;
        if machine.phase(now).status == Status::Released {
            return Err(not_found());
        }
        Ok((given, machine))
    }
}

/// ECS writes the reasons of locks in different cases.
fn has(locks: &[String], reason: &str) -> bool {
    locks.iter().any(|lock| lock.eq_ignore_ascii_case(reason))
}

/// A start is refused under any lock. The pages of ECS disagree about a stop under a security lock; this simulator
/// keeps to the error table of StopInstance, which refuses it. The other locks do not hold up a stop, except that
/// of an account in arrears.
fn check_locks(given: &Instance, locks: &[String], call: PowerCall) -> Result<(), Refusal> {
    if has(locks, "security") {
        return Err(Refusal::of("InstanceLockedForSecurity"));
    }
    match call {
        PowerCall::Start if has(locks, "financial") => Err(expired(given)),
        PowerCall::Start if !locks.is_empty() => Err(Refusal::of("InstanceLockedForSecurity")),
        PowerCall::Stop(_) if has(locks, "financial") => Err(Refusal::of("InstanceExpiredOrInArrears")),
        PowerCall::Start | PowerCall::Stop(_) => Ok(()),
    }
}

fn check_expiry(given: &Instance, call: PowerCall, now: Timestamp) -> Result<(), Refusal> {
    let over = given.charge == Charge::PrePaid && given.expires.is_some_and(|expires| expires <= now);
    match call {
        PowerCall::Start if over => Err(expired(given)),
        PowerCall::Stop(_) if over => Err(Refusal::of("InstanceExpiredOrInArrears")),
        PowerCall::Start | PowerCall::Stop(_) => Ok(()),
    }
}

/// One code, two messages: that of an account in arrears and that of a subscription that is over.
fn expired(given: &Instance) -> Refusal {
    let refusal = Refusal::of("InstanceExpired");
    match given.charge {
        Charge::PostPaid => refusal.saying(
            "The postPaid instance has been expired. Please ensure your account have enough balance.",
        ),
        Charge::PrePaid => refusal.saying("The prePaid instance has been expired."),
    }
}

/// Economical mode needs pay-as-you-go and an instance type without local disks; where it cannot be had, ECS
/// silently keeps charging.
fn effective(given: &Instance, wanted: StoppedMode) -> StoppedMode {
    let qualifies = given.charge == Charge::PostPaid && given.local_disks == 0;
    if qualifies { wanted } else { StoppedMode::KeepCharging }
}

/// What an accepted call leads to.
fn course(
    given: &Instance,
    call: PowerCall,
    twist: Option<Twist>,
    jitter: f64,
    draw: f64,
    now: Timestamp,
) -> Vec<Phase> {
    let (moving, settled, mode, usual) = match call {
        PowerCall::Start => (Status::Starting, Status::Running, StoppedMode::KeepCharging, given.start),
        PowerCall::Stop(wanted) => (Status::Stopping, Status::Stopped, effective(given, wanted), given.stop),
    };
    let takes = jittered(usual, jitter, draw);
    let end = match twist {
        None => Some(phase(settled, mode, later(now, takes))),
        Some(Twist::Stuck) => None,
        Some(Twist::FailsToBoot) => {
            Some(phase(Status::Stopped, StoppedMode::KeepCharging, later(now, takes)))
        }
        Some(Twist::Vanish) => Some(phase(Status::Released, mode, later(now, takes / 2))),
    };
    [phase(moving, mode, now)].into_iter().chain(end).collect()
}

/// Longer or shorter by up to the share.
fn jittered(usual: Duration, share: f64, draw: f64) -> Duration {
    // Both factors are from 0 to 2, so neither sign nor size can overflow.
    let factor = (1.0 + share * (2.0 * draw - 1.0)).clamp(0.0, 2.0);
    usual.mul_f64(factor)
}
