//! One attempt: look, decide, carry out, and fold what happened into the record, saving it as it grows.
//!
//! Knows nothing of terminals, files of configuration or signals; `cli` joins those to it. The record is only ever
//! changed by [`adopt`] and [`advance`], which are pure.

mod preflight;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::cloud::{Cloud, Clouds, Refusal, Search};
use crate::execute::{Action, Event, EventKind, Execution, Limits, Report, execute};
use crate::fleet::{Address, Desired, Durations, Power, ProviderAlias, Recorded, RecordedInstance, Seen};
use crate::observe::{LookFailure, observe};
use crate::plan::{
    Change, Cycle, Misselected, Narrowed, NoMatch, Plan, Shape, Verdict, check_selections, drift_only,
    narrow, plan, power_off,
};
use crate::probe::Prober;
use crate::state::{Held, StateError, Store, Writer};

pub use preflight::{Unsettled, preflight};

/// A plan, and what it rests on.
#[derive(Debug)]
pub struct Preview {
    /// The plan.
    pub plan: Plan,
    /// What was taken into a narrowed plan because a target needs it.
    pub taken_in: Vec<Address>,
    /// What was left out of a narrowed plan because it needs something that is left out.
    pub left_out: Vec<Address>,
    /// Looks that failed.
    pub failures: Vec<LookFailure>,
    /// When the look was begun.
    looked_at: Instant,
}

impl Preview {
    /// How long ago the look was begun.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.looked_at.elapsed()
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The dependencies have a cycle.
    #[error(transparent)]
    Cycle(#[from] Cycle),
    /// A selection fits too few instances, or one that another entry has.
    #[error(transparent)]
    Misselected(#[from] Misselected),
    /// A target or exclude matches nothing.
    #[error(transparent)]
    NoMatch(#[from] NoMatch),
    /// ECS answers those who are not allowed to look with an empty list.
    #[error(
        "none of the {0} instances that the record knows is visible: the credentials may not be allowed to see them, \
         or they are those of another account. Check the account and its permission ecs:DescribeInstances; if all of \
         them have really been released, move the state file away"
    )]
    NothingVisible(usize),
}

/// So many known instances do not all vanish by chance.
const SUSPICIOUS: usize = 10;

/// Looks and decides. Changes nothing. `unconnected` are the providers that could not be joined to their clouds; `now`
/// is the time of day.
///
/// # Errors
/// [`PreviewError`], with the way out in words.
pub async fn preview<C: Cloud + Search + 'static>(
    desired: &Desired,
    shape: &Shape,
    recorded: Option<&Recorded>,
    clouds: &Clouds<C>,
    unconnected: &BTreeMap<ProviderAlias, Refusal>,
    now: Timestamp,
) -> Result<Preview, PreviewError> {
    let looked_at = Instant::now();
    let observation = observe(desired, clouds, unconnected, now).await;
    check_selections(desired, &observation.actual)?;
    let decide = if shape.power_off { power_off } else { plan };
    let plan = decide(desired, recorded, &observation.actual)?;
    if let Some(recorded) = recorded {
        let known = plan.changes.iter().filter(|change| recorded.instances.contains_key(&change.key));
        let looked_for: Vec<&Change> = known.filter(|change| change.verdict != Verdict::Release).collect();
        if looked_for.len() >= SUSPICIOUS && looked_for.iter().all(|change| change.seen == Seen::Absent) {
            return Err(PreviewError::NothingVisible(looked_for.len()));
        }
    }
    let Narrowed { plan, taken_in, left_out } = narrow(plan, &shape.scope)?;
    let plan = if shape.refresh_only { drift_only(plan) } else { plan };
    Ok(Preview { plan, taken_in, left_out, failures: observation.failures, looked_at })
}

/// Everything that an apply works with.
pub struct Apply<'a, C, S, P> {
    /// What is to be done.
    pub preview: &'a Preview,
    /// The record as it was loaded, or a new one.
    pub recorded: Recorded,
    /// Where it is done.
    pub clouds: &'a Clouds<C>,
    /// Asks instances whether they are ready.
    pub prober: &'a Arc<P>,
    /// Where the record is saved.
    pub store: &'a S,
    /// The lock on it.
    pub held: &'a Held,
    /// What bounds the run.
    pub limits: Limits,
    /// The time of day.
    pub clock: &'a (dyn Fn() -> Timestamp + Sync),
}

/// How an apply ended.
#[derive(Debug)]
pub struct Applied {
    /// What became of each change.
    pub report: Report,
    /// The record as it is now, whether or not it could be saved.
    pub recorded: Recorded,
    /// Why the record could not be saved, if the last try failed.
    pub unsaved: Option<StateError>,
}

/// Something that is worth hearing while an apply goes on.
#[derive(Debug)]
pub enum Heard<'a> {
    /// Something happened.
    Event(&'a Event),
    /// The record could not be saved; the run goes on and will try again. Said once, and again for another reason.
    Unsaved(&'a StateError),
    /// The record could be saved again.
    SavedAgain,
}

/// Carries out a preview and records what happens. Ends when every step has ended, or, once `interrupt` resolves,
/// when the calls under way are answered; the record is saved in either case.
///
/// `listen` hears everything as it happens.
pub async fn apply<C: Cloud + 'static, S: Store, P: Prober + 'static>(
    apply: Apply<'_, C, S, P>,
    interrupt: impl Future<Output = ()>,
    listen: impl Fn(Heard<'_>),
) -> Applied {
    let Apply { preview, mut recorded, clouds, prober, store, held, limits, clock } = apply;
    let plan = &preview.plan;

    let began = Instant::now();
    let mut saver =
        Saver { store, held, writer: Writer::new(), saved: recorded.clone(), unsaved: None, began };
    if adopt(&mut recorded, plan, clock()) {
        saver.writer.changed();
    }
    let mut report = Report::default();
    let (tell, mut told) = mpsc::unbounded_channel::<Event>();
    let running = async {
        let execution = Execution { plan, age: preview.age(), limits, expected: &|change| change.expected };
        execute(execution, clouds, prober, interrupt, |event| {
            report.hear(&event);
            listen(Heard::Event(&event));
            // The receiver lives until this sender is dropped.
            let _ = tell.send(event);
        })
        .await;
        drop(tell);
    };
    let recording = async {
        loop {
            let due = saver.writer.next_due();
            tokio::select! {
                event = told.recv() => match event {
                    Some(event) => {
                        if advance(&mut recorded, plan, &event, clock()) {
                            saver.writer.changed();
                        }
                    }
                    None => break,
                },
                () = sleep_until(began, due), if due.is_some() => saver.save(&mut recorded, &listen).await,
            }
        }
        if saver.writer.is_behind() {
            saver.save(&mut recorded, &listen).await;
        }
        saver.unsaved
    };
    let ((), unsaved) = tokio::join!(running, recording);
    Applied { report, recorded, unsaved }
}

async fn sleep_until(began: Instant, due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep_until(began + due).await,
        None => std::future::pending().await,
    }
}

struct Saver<'a, S> {
    store: &'a S,
    held: &'a Held,
    writer: Writer,
    saved: Recorded,
    unsaved: Option<StateError>,
    began: Instant,
}

impl<S: Store> Saver<'_, S> {
    /// Saves the record under the next serial, if it differs from what is saved.
    async fn save(&mut self, recorded: &mut Recorded, listen: &impl Fn(Heard<'_>)) {
        self.writer.began(self.began.elapsed());
        recorded.serial = self.saved.serial;
        let outcome = if *recorded == self.saved {
            Ok(())
        } else {
            recorded.serial += 1;
            self.store.save(recorded, self.held).await
        };
        self.writer.ended(self.began.elapsed(), outcome.is_ok());
        match outcome {
            Ok(()) => {
                self.saved = recorded.clone();
                if self.unsaved.take().is_some() {
                    listen(Heard::SavedAgain);
                }
            }
            Err(error) => {
                let is_news = self.unsaved.as_ref().is_none_or(|last| last.to_string() != error.to_string());
                if is_news {
                    listen(Heard::Unsaved(&error));
                }
                self.unsaved = Some(error);
            }
        }
    }
}

/// Takes into the record what a plan says without anything being done: released instances are forgotten, and those
/// that are as wanted, or only looked at, are recorded as they were seen. Says whether anything changed.
pub fn adopt(recorded: &mut Recorded, plan: &Plan, now: Timestamp) -> bool {
    let before = recorded.instances.len();
    let mut changed = false;
    for change in plan.changes.iter().filter(|change| change.verdict == Verdict::Release) {
        recorded.instances.remove(&change.key);
    }
    changed |= recorded.instances.len() != before;
    for change in &plan.changes {
        // A renamed entry keeps its record. All are renamed before any is recorded anew: the file names them by
        // their addresses, so no two may share one.
        if let Some(record) = recorded.instances.get_mut(&change.key)
            && record.address != change.address
        {
            record.address = change.address.clone();
            changed = true;
        }
    }
    for change in &plan.changes {
        let settled = matches!(change.verdict, Verdict::InSync | Verdict::Any);
        if let (true, Some(power)) = (settled, change.seen.power()) {
            changed |= record(recorded, change, power, now, |_| {});
        }
    }
    changed
}

/// Takes one event into the record. Says whether anything changed.
pub fn advance(recorded: &mut Recorded, plan: &Plan, event: &Event, now: Timestamp) -> bool {
    match &event.kind {
        EventKind::Accepted { change, action, .. } => {
            // Recorded at once: if the run is killed now, the next one knows that this was asked for.
            let power = if *action == Action::Stop { Power::Stopping } else { Power::Starting };
            record(recorded, &plan.changes[*change], &power, now, |_| {})
        }
        EventKind::Completed { change, action, power, took, .. } => {
            record(recorded, &plan.changes[*change], power, now, |durations| match (action, took) {
                (Action::Start, Some(took)) => durations.add_start(*took),
                (Action::Stop, Some(took)) => durations.add_stop(*took),
                (Action::Wait, _) | (_, None) => {}
            })
        }
        EventKind::Failed { change, power: Some(power), .. } => {
            record(recorded, &plan.changes[*change], power, now, |_| {})
        }
        EventKind::Failed { power: None, .. }
        | EventKind::Began { .. }
        | EventKind::Retrying { .. }
        | EventKind::OutOfStock { .. }
        | EventKind::Readying { .. }
        | EventKind::Moved { .. }
        | EventKind::Skipped { .. }
        | EventKind::NotReached { .. }
        | EventKind::Interrupted
        | EventKind::Throttled { .. }
        | EventKind::LookFailed { .. } => false,
    }
}

/// Records an instance as seen. The time of the record moves only with its content, so that an apply that finds
/// everything as it was leaves the record as it was.
fn record(
    recorded: &mut Recorded,
    change: &Change,
    power: &Power,
    now: Timestamp,
    learn: impl FnOnce(&mut Durations),
) -> bool {
    let old = recorded.instances.get(&change.key);
    // Where only drift is recorded, the goal stays what it was.
    let Some(goal) = change.goal.or(old.map(|old| old.goal)) else { return false };
    let mut new = RecordedInstance {
        address: change.address.clone(),
        goal,
        power: power.clone(),
        recorded_at: old.map_or(now, |old| old.recorded_at),
        took: old.map(|old| old.took.clone()).unwrap_or_default(),
    };
    learn(&mut new.took);
    if old == Some(&new) {
        return false;
    }
    new.recorded_at = now;
    recorded.instances.insert(change.key.clone(), new);
    true
}
