//! The lines of a plan.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{FORMAT_VERSION, Level, Resource, line, text};
use crate::fleet::{InstanceId, Power, Readiness};
use crate::plan::{
    Block, Change, Drift, Group, Plan, Request, SavedPlan, Selecting, SelectionOutcome, Tally, Then, Verdict,
    Warning, Why, saved,
};
use crate::render::human::plan_line;
use crate::render::visible::visible;
use crate::render::words::{self, Explanation, Order};

/// All lines of a plan: what has moved outside powerform, what the selections came to, which
/// instances an apply asks whether they are ready, then what will be done about every instance, those in sync
/// too, then the counts. Lines are made as they are asked for, so that a large plan needs no large memory.
pub fn plan(now: Timestamp, plan: &Plan) -> impl Iterator<Item = String> + '_ {
    resource_drifts(now, plan)
        .chain(selections(now, plan))
        .chain(readiness(now, plan))
        .chain(planned_changes(now, plan))
        .chain(std::iter::once_with(move || change_summary(now, &plan.tally())))
}

/// One `resource_drift` line for each instance that has moved outside powerform.
pub fn resource_drifts(now: Timestamp, plan: &Plan) -> impl Iterator<Item = String> + '_ {
    plan.changes.iter().filter_map(move |change| Some(drift_line(now, change, change.drift.as_ref()?)))
}

/// One `selection` line for each entry whose instances are selected.
fn selections(now: Timestamp, plan: &Plan) -> impl Iterator<Item = String> + '_ {
    #[derive(Serialize)]
    struct Body<'a> {
        selection: Selected<'a>,
    }
    plan.selections().map(move |(group, selecting)| {
        let message = format!("{}: {}", group.name, words::selecting(selecting, words::LISTED));
        let level = if group.not_seen().is_some() { Level::Error } else { Level::Info };
        line(now, level, "selection", &message, Body { selection: Selected::of(group, selecting) })
    })
}

/// One `readiness` line for each entry whose instances an apply asks whether they are ready.
fn readiness(now: Timestamp, plan: &Plan) -> impl Iterator<Item = String> + '_ {
    #[derive(Serialize)]
    struct Body<'a> {
        readiness: Probed<'a>,
    }
    plan.groups_to_probe().map(move |(group, readiness)| {
        let message = format!("{}: {}", group.name, words::readiness(readiness));
        let body = Body { readiness: Probed::of(group, readiness) };
        line(now, Level::Info, "readiness", &message, body)
    })
}

/// One `planned_change` line for each instance.
pub fn planned_changes(now: Timestamp, plan: &Plan) -> impl Iterator<Item = String> + '_ {
    let order = Order::of(plan);
    plan.changes.iter().map(move |change| change_line(now, change, &order))
}

/// The `change_summary` line.
#[must_use]
pub fn change_summary(now: Timestamp, tally: &Tally) -> String {
    #[derive(Serialize)]
    struct Body {
        changes: Changes,
    }
    line(now, Level::Info, "change_summary", &plan_line(tally), Body { changes: Changes::of(tally) })
}

/// The document of a saved plan: `show PLAN --json`.
#[must_use]
pub fn saved_plan(saved: &SavedPlan) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        format_version: &'static str,
        stack: &'a str,
        made_at: Timestamp,
        lineage: Option<String>,
        serial: u64,
        configuration: &'a str,
        limits: Limits,
        accounts: BTreeMap<&'a str, Account<'a>>,
        targets: Vec<&'a str>,
        excludes: Vec<&'a str>,
        power_off: bool,
        refresh_only: bool,
        preflight: bool,
        resource_drift: Vec<Drifted>,
        selections: Vec<Selected<'a>>,
        readiness: Vec<Probed<'a>>,
        resource_changes: Vec<Planned>,
        changes: Changes,
    }
    let SavedPlan { made_at, lineage, serial, configuration, limits, accounts, shape, plan } = saved;
    let order = Order::of(plan);
    text(&Document {
        format_version: FORMAT_VERSION,
        stack: plan.stack.as_str(),
        made_at: *made_at,
        lineage: lineage.map(|lineage| lineage.to_string()),
        serial: *serial,
        configuration,
        limits: Limits { starts: limits.starts, stops: limits.stops },
        accounts: accounts.iter().map(|(alias, account)| (alias.as_str(), Account::of(account))).collect(),
        targets: shape.scope.targets.iter().map(|pattern| pattern.0.as_str()).collect(),
        excludes: shape.scope.excludes.iter().map(|pattern| pattern.0.as_str()).collect(),
        power_off: shape.power_off,
        refresh_only: shape.refresh_only,
        preflight: shape.preflight,
        resource_drift: plan
            .changes
            .iter()
            .filter_map(|change| Some(Drifted::of(change, change.drift.as_ref()?)))
            .collect(),
        readiness: plan.groups_to_probe().map(|(group, it)| Probed::of(group, it)).collect(),
        selections: plan.selections().map(|(group, selecting)| Selected::of(group, selecting)).collect(),
        resource_changes: plan.changes.iter().map(|change| Planned::of(change, &order)).collect(),
        changes: Changes::of(&plan.tally()),
    })
}

/// What the selection of one entry came to.
#[derive(Serialize)]
struct Selected<'a> {
    entry: &'a str,
    /// None if the look failed.
    matched: Option<usize>,
    newly_matched: Vec<&'a str>,
    no_longer_matched: Vec<&'a str>,
}

impl<'a> Selected<'a> {
    fn of(group: &'a Group, selecting: &'a Selecting) -> Self {
        let (matched, newly, no_longer): (_, &[InstanceId], &[InstanceId]) = match &selecting.outcome {
            SelectionOutcome::Fit { instances, newly, no_longer } => (Some(*instances), newly, no_longer),
            SelectionOutcome::NotSeen { .. } => (None, &[], &[]),
        };
        Self {
            entry: group.name.as_str(),
            matched,
            newly_matched: newly.iter().map(InstanceId::as_str).collect(),
            no_longer_matched: no_longer.iter().map(InstanceId::as_str).collect(),
        }
    }
}

/// What the instances of one entry have to show.
#[derive(Serialize)]
struct Probed<'a> {
    entry: &'a str,
    probes: Vec<String>,
    delay_seconds: f64,
    within_seconds: f64,
}

impl<'a> Probed<'a> {
    fn of(group: &'a Group, readiness: &Readiness) -> Self {
        Self {
            entry: group.name.as_str(),
            probes: readiness.probes.iter().map(words::probe).collect(),
            delay_seconds: readiness.delay.as_secs_f64(),
            within_seconds: readiness.within.unwrap_or(group.timeouts.ready).as_secs_f64(),
        }
    }
}

/// How many calls need no word more.
#[derive(Serialize)]
struct Limits {
    starts: Option<u32>,
    stops: Option<u32>,
}

/// Whose credentials a plan was made with.
#[derive(Serialize)]
struct Account<'a> {
    credentials: Cow<'a, str>,
    fingerprint: Option<&'a str>,
}

impl<'a> Account<'a> {
    fn of(account: &'a saved::Account) -> Self {
        let saved::Account { source, fingerprint } = account;
        Self { credentials: visible(source), fingerprint: fingerprint.as_deref() }
    }
}

/// The counts by action.
#[derive(Serialize)]
struct Changes {
    start: usize,
    stop: usize,
    wait: usize,
    noop: usize,
    blocked: usize,
    release: usize,
    any: usize,
    operation: &'static str,
}

impl Changes {
    fn of(tally: &Tally) -> Self {
        let Tally { start, stop, wait, blocked, release, in_sync, any, unknown: _ } = *tally;
        Self { start, stop, wait, noop: in_sync, blocked, release, any, operation: "plan" }
    }
}

/// A power status with what qualifies it.
#[derive(Serialize)]
struct Status {
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locks: Vec<String>,
}

impl Status {
    fn plain(word: &str) -> Self {
        Self { status: word.to_owned(), stopped_mode: None, locks: Vec::new() }
    }

    fn before(change: &Change) -> Option<Self> {
        let sighting = change.seen.sighting()?;
        Some(Self {
            status: sighting.power.word().to_owned(),
            stopped_mode: (sighting.power == Power::Stopped).then(|| sighting.stopped_mode.word()),
            locks: sighting.locks.iter().map(|lock| lock.reason.word().to_owned()).collect(),
        })
    }

    fn after(change: &Change) -> Option<Self> {
        match &change.verdict {
            Verdict::Start { .. } => Some(Self::plain("Running")),
            Verdict::Stop { policy, .. } => {
                Some(Self { stopped_mode: Some(policy.mode.word()), ..Self::plain("Stopped") })
            }
            Verdict::Wait { until, .. } => Some(Self::plain(until.word())),
            Verdict::InSync | Verdict::Blocked(_) | Verdict::Any => Self::before(change),
            Verdict::Release => None,
        }
    }
}

/// A change that powerform did not make.
#[derive(Serialize)]
struct Drifted {
    resource: Resource,
    action: &'static str,
    reason: String,
    before: Status,
    after: Status,
    since: Timestamp,
}

impl Drifted {
    fn of(change: &Change, drift: &Drift) -> Self {
        Self {
            resource: Resource::of(change),
            action: match drift.is {
                Power::Starting | Power::Running => "start",
                Power::Stopping | Power::Stopped => "stop",
                Power::Pending | Power::Unrecognised(_) => "update",
            },
            reason: words::drift(drift),
            before: Status::plain(drift.was.word()),
            after: Status::plain(drift.is.word()),
            since: drift.since,
        }
    }
}

fn drift_line(now: Timestamp, change: &Change, drift: &Drift) -> String {
    #[derive(Serialize)]
    struct Body {
        change: Drifted,
    }
    let drifted = Drifted::of(change, drift);
    let message = format!("{}: {}", words::address(&change.address), drifted.reason);
    line(now, Level::Info, "resource_drift", &message, Body { change: drifted })
}

/// The call that a change makes, with every parameter that matters.
#[derive(Serialize)]
#[serde(tag = "action")]
enum Call {
    StartInstance { init_local_disk: bool },
    StopInstance { stopped_mode: &'static str, force_stop: bool },
}

impl Call {
    fn of(request: Request) -> Self {
        match request {
            Request::Start { init_local_disk } => Self::StartInstance { init_local_disk },
            Request::Stop { policy } => {
                Self::StopInstance { stopped_mode: policy.mode.word(), force_stop: policy.force }
            }
        }
    }
}

#[derive(Serialize)]
struct Note {
    code: &'static str,
    reason: String,
    remedy: String,
}

impl Note {
    fn of(warning: &Warning) -> Self {
        let Explanation { what, remedy } = words::warning(warning);
        Self { code: warning_code(warning), reason: what, remedy: remedy.into_owned() }
    }
}

/// Why no call follows if a Pending instance settles away from its goal.
#[derive(Serialize)]
struct Blocked {
    code: &'static str,
    reason: String,
    remedy: String,
}

impl Blocked {
    fn of(verdict: &Verdict) -> Option<Self> {
        let Verdict::Wait { then: Some(Then::Blocked(block)), .. } = verdict else { return None };
        let Explanation { what, remedy } = words::block(block);
        Some(Self { code: block_code(block), reason: what, remedy: remedy.into_owned() })
    }
}

/// What will be done about one instance.
#[derive(Serialize)]
struct Planned {
    resource: Resource,
    action: &'static str,
    reason: String,
    reason_code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    before: Option<Status>,
    after: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_blocked: Option<Blocked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    instance_id: String,
    provider: String,
    region: Option<String>,
    warnings: Vec<Note>,
}

impl Planned {
    fn of(change: &Change, order: &Order) -> Self {
        let (reason, remedy) = match &change.verdict {
            Verdict::Blocked(block) => {
                let Explanation { what, remedy } = words::block(block);
                (what, Some(remedy.into_owned()))
            }
            _ => (words::reason(change), None),
        };
        Self {
            resource: Resource::of(change),
            action: action(&change.verdict),
            reason,
            reason_code: reason_code(change),
            remedy,
            before: Status::before(change),
            after: Status::after(change),
            call: change.verdict.request().map(Call::of),
            call_blocked: Blocked::of(&change.verdict),
            order: order.of_change(change).map(ToOwned::to_owned),
            instance_id: change.key.id.to_string(),
            provider: change.key.provider.to_string(),
            region: change.region.as_ref().map(ToString::to_string),
            warnings: change.warnings.iter().map(Note::of).collect(),
        }
    }
}

fn change_line(now: Timestamp, change: &Change, order: &Order) -> String {
    #[derive(Serialize)]
    struct Body {
        change: Planned,
        // It stands here for filters that look no deeper, and in the change where Terraform has it.
        reason: String,
    }
    let level = match change.verdict {
        Verdict::Blocked(_) | Verdict::Wait { then: Some(Then::Blocked(_)), .. } => Level::Warn,
        _ if !change.warnings.is_empty() => Level::Warn,
        _ => Level::Info,
    };
    let planned = Planned::of(change, order);
    let reason = planned.reason.clone();
    let message = format!("{} {}: {reason}", words::address(&change.address), words::heading(change));
    line(now, level, "planned_change", &message, Body { change: planned, reason })
}

/// The word for a verdict.
fn action(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::InSync => "noop",
        Verdict::Start { .. } => "start",
        Verdict::Stop { .. } => "stop",
        Verdict::Wait { .. } => "wait",
        Verdict::Blocked(_) => "blocked",
        Verdict::Release => "release",
        Verdict::Any => "any",
    }
}

fn reason_code(change: &Change) -> &'static str {
    match (&change.verdict, &change.why) {
        (Verdict::Blocked(block), _) => block_code(block),
        (Verdict::InSync, _) if change.goal.is_none() => "drifted",
        (Verdict::InSync, _) => "in_sync",
        (Verdict::Any, _) => "goal_is_any",
        (_, Some(why)) => match why {
            Why::NewlyManaged => "newly_managed",
            Why::GoalChanged { .. } => "goal_changed",
            Why::Drifted => "drifted",
            Why::Unfinished { .. } => "unfinished",
            Why::PoweredOff => "powered_off",
            Why::LeftConfiguration => "left_configuration",
            Why::NewlySelected => "newly_selected",
            Why::NoLongerSelected => "no_longer_selected",
        },
        (Verdict::Release, None) => "left_configuration",
        (Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. }, None) => "not_as_wanted",
    }
}

/// The word for a block.
pub(super) fn block_code(block: &Block) -> &'static str {
    match block {
        Block::UnknownStatus { .. } => "unknown_status",
        Block::NotVisible => "not_visible",
        Block::NotSeen { .. } => "not_seen",
        Block::Locked { .. } => "locked",
        Block::Expired { .. } => "expired",
        Block::Overdue => "overdue",
        Block::PreventStop => "prevent_stop",
        Block::AutoScaling { .. } => "autoscaling",
        Block::OwnMachine => "own_machine",
        Block::Refused { .. } => "refused",
        Block::NeedsUnmanaged { .. } => "needs_unmanaged",
        Block::NeedsRecycled { .. } => "needs_recycled",
        Block::StillNeeded { .. } => "still_needed",
        Block::HeldUp { .. } => "held_up",
    }
}

fn warning_code(warning: &Warning) -> &'static str {
    match warning {
        Warning::EconomicalStart => "economical_start",
        Warning::InitLocalDisk { .. } => "init_local_disk",
        Warning::Spot => "spot",
        Warning::StopUnderLock { .. } => "stop_under_lock",
        Warning::AutoScaling { .. } => "autoscaling_member",
        Warning::OwnMachine => "stops_own_machine",
        Warning::Recycling => "recycling",
        Warning::StopModeDiffers { .. } => "stop_mode_differs",
        Warning::ForceStop => "force_stop",
    }
}
