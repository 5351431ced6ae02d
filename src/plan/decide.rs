//! The decision table: what is seen against what is wanted, for each instance by itself.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::hold_up::{hold_up, is_being_taken_back};
use super::order::{self, Cycle};
use super::selection::Before;
use super::{Block, Change, Drift, Plan, Request, Then, Verdict, Warning, Why};
use crate::fleet::{
    Actual, Charge, Desired, Entry, EntryIndex, Goal, InstanceKey, LockReason, Power, Recorded,
    RecordedInstance, Seen, Selected, Sighting, StopMode, StoppedMode,
};

/// Decides about every instance that is wanted or recorded.
///
/// `desired` and `actual` decide what is done; `recorded` only explains why, and names what is released.
///
/// # Errors
/// The entries of a cycle, if the dependencies have one.
pub fn plan(desired: &Desired, recorded: Option<&Recorded>, actual: &Actual) -> Result<Plan, Cycle> {
    order::check(desired)?;
    let before = Before::new(desired, recorded);
    let mut changes: Vec<Change> = desired
        .entries
        .iter()
        .enumerate()
        .flat_map(|(position, entry)| {
            decide_entry(EntryIndex(to_u32(position)), entry, recorded, actual, &before)
        })
        .collect();
    changes.extend(releases(recorded, &changes, &before));
    changes.sort_by(|a, b| a.address.cmp(&b.address).then_with(|| a.key.cmp(&b.key)));
    let groups = order::groups(desired, actual, &before, &changes);
    hold_up(&groups, &mut changes);
    Ok(Plan { stack: desired.stack.clone(), looked_at: actual.looked_at, changes, groups })
}

fn to_u32(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn decide_entry(
    index: EntryIndex,
    entry: &Entry,
    recorded: Option<&Recorded>,
    actual: &Actual,
    before: &Before<'_>,
) -> Vec<Change> {
    let not_seen = match actual.selected.get(&index) {
        Some(Selected::NotSeen { why }) => Some(why.as_str()),
        Some(Selected::Matched(_)) | None => None,
    };
    // Where nobody knows which they are, those of the last apply are as good as any: nothing is done to them.
    let of_old = before.of(&entry.name).filter(|key| not_seen.is_some() && key.provider == entry.provider);
    let ids = actual.ids_of(index, entry).iter().chain(of_old.map(|key| &key.id));
    ids.map(|id| {
        let key = InstanceKey { provider: entry.provider.clone(), id: id.clone() };
        let seen = actual.instances.get(&key).filter(|_| not_seen.is_none()).cloned();
        let seen = seen
            .unwrap_or_else(|| Seen::NotSeen { why: not_seen.unwrap_or("it was not looked at").to_owned() });
        let (verdict, warnings) = decide(entry, &seen, actual.looked_at);
        let record = recorded.and_then(|recorded| recorded.instances.get(&key));
        Change {
            address: entry.address_of(id),
            region: actual.regions.get(&key.provider).cloned(),
            key,
            entry: Some(index),
            goal: Some(entry.goal),
            why: why(&verdict, entry.goal, record, before.knows(&entry.name)),
            drift: drift(entry.goal, &seen, record),
            expected: expected(&verdict, record),
            seen,
            verdict,
            warnings,
        }
    })
    .collect()
}

/// The decision table: what is seen against what is wanted, for one instance by itself.
fn decide(entry: &Entry, seen: &Seen, now: Timestamp) -> (Verdict, Vec<Warning>) {
    if entry.goal == Goal::Any {
        return (Verdict::Any, Vec::new());
    }
    let sighting = match seen {
        Seen::There(sighting) => sighting,
        Seen::Absent => return (Verdict::Blocked(Block::NotVisible), Vec::new()),
        Seen::NotSeen { why } => {
            return (Verdict::Blocked(Block::NotSeen { why: why.clone() }), Vec::new());
        }
    };
    let verdict = match (&sighting.power, entry.goal) {
        (_, Goal::Any) => Verdict::Any,
        (Power::Unrecognised(word), Goal::Running | Goal::Stopped) => {
            Verdict::Blocked(Block::UnknownStatus { word: word.to_string() })
        }
        (Power::Running, Goal::Running) | (Power::Stopped, Goal::Stopped) => Verdict::InSync,
        (Power::Stopped, Goal::Running) => start_or_block(entry, sighting, false, now),
        (Power::Stopping, Goal::Running) => start_or_block(entry, sighting, true, now),
        (Power::Starting, Goal::Running) => Verdict::Wait { until: Goal::Running, then: None },
        (Power::Pending, Goal::Running) => Verdict::Wait {
            until: Goal::Running,
            then: Some(Then::Start { init_local_disk: entry.init_local_disk }),
        },
        (Power::Running, Goal::Stopped) => stop_or_block(entry, sighting, false),
        (Power::Starting, Goal::Stopped) => stop_or_block(entry, sighting, true),
        (Power::Stopping, Goal::Stopped) => Verdict::Wait { until: Goal::Stopped, then: None },
        (Power::Pending, Goal::Stopped) => Verdict::Wait {
            until: Goal::Stopped,
            then: Some(match refusal_to_stop(entry, sighting) {
                Some(block) => Then::Blocked(block),
                None => Then::Stop { policy: entry.stop },
            }),
        },
    };
    let warnings = warnings(entry, sighting, &verdict);
    (verdict, warnings)
}

/// ECS would refuse the start of an instance that is locked or not paid: that is known before asking.
fn start_or_block(entry: &Entry, sighting: &Sighting, once_stopped: bool, now: Timestamp) -> Verdict {
    if let Some(block) = refusal_to_start(sighting, now) {
        return Verdict::Blocked(block);
    }
    Verdict::Start { once_stopped, init_local_disk: entry.init_local_disk }
}

fn refusal_to_start(sighting: &Sighting, now: Timestamp) -> Option<Block> {
    if sighting.charge == Charge::PrePaid
        && let Some(since) = sighting.expires
        && since <= now
    {
        return Some(Block::Expired { since });
    }
    let lock = sighting.locks.first()?;
    if lock.reason == LockReason::Financial && sighting.charge == Charge::PostPaid {
        return Some(Block::Overdue);
    }
    Some(Block::Locked { reason: lock.reason.clone() })
}

fn stop_or_block(entry: &Entry, sighting: &Sighting, once_running: bool) -> Verdict {
    match refusal_to_stop(entry, sighting) {
        Some(block) => Verdict::Blocked(block),
        None => Verdict::Stop { once_running, policy: entry.stop },
    }
}

/// A group of Auto Scaling counts a stopped member as unhealthy, releases it, and makes another one in its place.
fn refusal_to_stop(entry: &Entry, sighting: &Sighting) -> Option<Block> {
    if entry.prevent_stop {
        return Some(Block::PreventStop);
    }
    let tag = sighting.scaling_tag.as_deref().filter(|_| !entry.allow_autoscaling)?;
    Some(Block::AutoScaling { tag: tag.to_owned() })
}

fn warnings(entry: &Entry, sighting: &Sighting, verdict: &Verdict) -> Vec<Warning> {
    let mut warnings = Vec::new();
    match verdict.request() {
        Some(Request::Start { init_local_disk }) => {
            if init_local_disk {
                warnings.push(Warning::InitLocalDisk { local_disks: sighting.local_disks });
            }
            if sighting.stopped_mode == StoppedMode::StopCharging {
                warnings.push(Warning::EconomicalStart);
            }
            if sighting.spot {
                warnings.push(Warning::Spot);
            }
        }
        Some(Request::Stop { policy }) => {
            if let Some(lock) = sighting.locks.first() {
                warnings.push(Warning::StopUnderLock { reason: lock.reason.clone() });
            }
            if let Some(tag) = &sighting.scaling_tag {
                warnings.push(Warning::AutoScaling { tag: tag.to_string() });
            }
            if policy.force {
                warnings.push(Warning::ForceStop);
            }
        }
        None if *verdict == Verdict::InSync => match entry.goal {
            Goal::Running if is_being_taken_back(sighting) => warnings.push(Warning::Recycling),
            Goal::Stopped => warnings.extend(other_stop_mode(entry.stop.mode, sighting.stopped_mode)),
            Goal::Running | Goal::Any => {}
        },
        None => {}
    }
    warnings
}

fn other_stop_mode(wanted: StopMode, is: StoppedMode) -> Option<Warning> {
    match (wanted, is) {
        (StopMode::KeepCharging, StoppedMode::StopCharging)
        | (StopMode::StopCharging, StoppedMode::KeepCharging) => Some(Warning::StopModeDiffers { wanted, is }),
        (StopMode::KeepCharging, StoppedMode::KeepCharging)
        | (StopMode::StopCharging, StoppedMode::StopCharging)
        // ECS does not say: nothing to note.
        | (_, StoppedMode::NotApplicable) => None,
    }
}

/// `is_known` says whether its entry selects its instances and has been applied before.
fn why(verdict: &Verdict, goal: Goal, record: Option<&RecordedInstance>, is_known: bool) -> Option<Why> {
    match verdict {
        Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. } => {}
        Verdict::Release => return Some(Why::LeftConfiguration),
        Verdict::InSync | Verdict::Blocked(_) | Verdict::Any => return None,
    }
    Some(match record {
        None if is_known => Why::NewlySelected,
        None => Why::NewlyManaged,
        Some(record) if record.goal != goal => Why::GoalChanged { from: record.goal },
        Some(record) if goal.is_met_by(&record.power) => Why::Drifted,
        Some(record) => Why::Unfinished { recorded_at: record.recorded_at },
    })
}

/// What a step is expected to take, by earlier ones. For an instance that is on its way already it is the most that is
/// left: when that was begun is not known.
fn expected(verdict: &Verdict, record: Option<&RecordedInstance>) -> Option<Duration> {
    let took = &record?.took;
    match verdict {
        Verdict::Start { .. } | Verdict::Wait { until: Goal::Running | Goal::Any, .. } => {
            took.expected_start()
        }
        Verdict::Stop { .. } | Verdict::Wait { until: Goal::Stopped, .. } => took.expected_stop(),
        Verdict::InSync | Verdict::Blocked(_) | Verdict::Release | Verdict::Any => None,
    }
}

/// What moved since the last apply. Only settled statuses are compared: a run that was cut short records instances on
/// their way, and those are expected to have arrived since.
fn drift(goal: Goal, seen: &Seen, record: Option<&RecordedInstance>) -> Option<Drift> {
    let record = record?;
    let is = seen.power()?;
    let moved = goal != Goal::Any && !record.power.is_in_transition() && record.power != *is;
    moved.then(|| Drift { was: record.power.clone(), is: is.clone(), since: record.recorded_at })
}

fn releases(recorded: Option<&Recorded>, changes: &[Change], before: &Before<'_>) -> Vec<Change> {
    let Some(recorded) = recorded else { return Vec::new() };
    let wanted: HashMap<&InstanceKey, ()> = changes.iter().map(|change| (&change.key, ())).collect();
    recorded
        .instances
        .iter()
        .filter(|(key, _)| !wanted.contains_key(key))
        .map(|(key, record)| Change {
            address: record.address.clone(),
            key: key.clone(),
            region: None,
            entry: None,
            goal: None,
            seen: Seen::NotSeen { why: "it is no longer in the configuration".to_owned() },
            verdict: Verdict::Release,
            why: Some(match before.knows(&record.address.entry) {
                true => Why::NoLongerSelected,
                false => Why::LeftConfiguration,
            }),
            drift: None,
            expected: None,
            warnings: Vec::new(),
        })
        .collect()
}
