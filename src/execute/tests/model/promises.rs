//! The laws of endings: every step ends once, as what it says is true of it, for a cause, and no failure goes further
//! than it has to.

use std::collections::BTreeSet;
use std::time::Duration;

use super::case::{AtFirst, Fate};
use super::cloud::{Answer, Look};
use super::evidence::{Evidence, Observation, from_and_to, may_have_acted, seen_power};
use crate::cloud::Advice;
use crate::execute::{EventKind, Failure, How};
use crate::fleet::{Goal, InstanceId};
use crate::plan::{Block, Change, Then, Verdict};

/// Whether all promises were kept.
pub(super) fn judge(trial: &Evidence<'_>) -> Result<(), String> {
    for (position, change) in trial.plan.changes.iter().enumerate() {
        let told = |law: String| format!("{law}\n{}: {:?}", change.address, change.verdict);
        ends_once(trial, position, change).map_err(told)?;
        let Some((at, end)) = trial.end(position) else { continue };
        match end {
            EventKind::Completed { how, .. } => completed(trial, change, at, *how),
            EventKind::Failed { failure, .. } => failed(trial, change, at, failure),
            EventKind::Skipped { because, root, .. } => {
                let of = |name: &crate::fleet::Address| {
                    trial.plan.changes.iter().position(|change| change.address == *name)
                };
                skipped(trial, position, of(because), of(root))
            }
            EventKind::NotReached { in_transition, .. } => not_reached(trial, change, *in_transition),
            _ => Ok(()),
        }
        .and_then(|()| succeeds_if_nothing_is_in_its_way(trial, change, end))
        .map_err(told)?;
    }
    in_time(trial)
}

fn ends_once(trial: &Evidence<'_>, position: usize, change: &Change) -> Result<(), String> {
    let ends = trial.events.iter().filter(|event| match event.kind {
        EventKind::Completed { change, .. }
        | EventKind::Failed { change, .. }
        | EventKind::Skipped { change, .. }
        | EventKind::NotReached { change, .. } => change == position,
        _ => false,
    });
    let is_held_up = matches!(change.verdict, Verdict::Blocked(Block::HeldUp { .. }));
    let expected = usize::from(Evidence::is_step(change) || is_held_up);
    let ends = ends.count();
    if ends != expected {
        return Err(format!("endings: {ends} instead of {expected}"));
    }
    let heard = trial
        .events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::Accepted { change, .. } if change == position));
    let accepted = trial.calls_of(&change.key.id).filter(|(_, item)| item.answer == Answer::Accepted).count();
    if heard.count() != accepted {
        return Err(format!("accepted: {accepted} answers, and not so many events"));
    }
    Ok(())
}

fn goal(change: &Change) -> Goal {
    match &change.verdict {
        Verdict::Wait { until, .. } => *until,
        Verdict::Stop { .. } => Goal::Stopped,
        _ => Goal::Running,
    }
}

/// It was seen at the goal, and it is true if nothing else could have moved it.
fn completed(trial: &Evidence<'_>, change: &Change, at: Duration, how: How) -> Result<(), String> {
    let id = &change.key.id;
    let (_, to) = from_and_to(goal(change));
    if !trial.latest(id, at).iter().any(|seen| seen.power.as_ref() == Some(&to)) {
        return Err(format!("success: never seen as {to}"));
    }
    let is_deceived = trial.world.clicked.contains_key(id)
        || matches!(trial.drawn(id).at_first, AtFirst::JustStarted | AtFirst::JustStopped);
    if !is_deceived && trial.truth(id, at) != Some(&to) {
        return Err(format!("success: it is {:?}", trial.truth(id, at)));
    }
    let acted = trial.calls_of(id).any(|(_, item)| may_have_acted(item));
    if (how == How::Called) != acted {
        return Err(format!("success: {how:?}, and calls that may have acted: {acted}"));
    }
    Ok(())
}

/// What it says of itself is in the log.
fn failed(trial: &Evidence<'_>, change: &Change, at: Duration, failure: &Failure) -> Result<(), String> {
    let id = &change.key.id;
    let (from, to) = from_and_to(goal(change));
    let latest = trial.latest(id, at);
    let last_call = trial.calls_of(id).last();
    let last_answer = last_call.map(|(_, item)| item.answer);
    let set_out = last_call.map_or(trial.began(), |(request, _)| request.sent);
    let timeout = trial.desired.entries[change.entry.expect("an entry").at()].timeouts.start;
    let provider = &change.key.provider;
    let off_the_way = |powers: &dyn Fn(&Observation) -> bool| {
        let late: Vec<Duration> = trial
            .observations(id, at)
            .into_iter()
            .filter(|seen| seen.sent >= set_out + Duration::from_secs(30) && powers(seen))
            .map(|seen| seen.sent)
            .collect();
        let first = late.iter().min().copied().unwrap_or_default();
        late.iter().any(|sent| *sent >= first + Duration::from_secs(3))
    };
    let holds = match failure {
        Failure::Refused(_) => {
            matches!(last_answer, Some(Answer::Refused { advice: Advice::Final | Advice::Capacity, .. }))
        }
        Failure::GaveUp { .. } => {
            let of_provider = trial.calls().filter(|(request, _)| request.provider == *provider);
            let mut answers = of_provider.map(|(_, item)| item.answer);
            answers.any(|answer| matches!(answer, Answer::Refused { .. }))
        }
        Failure::Moved { .. } => {
            latest.iter().any(|seen| seen.power.as_ref() != Some(&from) && seen.power.as_ref() != Some(&to))
        }
        Failure::NeedMoved { need, .. } => {
            let need = trial.plan.changes.iter().find(|change| change.address == *need).expect("known");
            let seen = trial.latest(&need.key.id, at);
            seen.iter().any(|seen| seen.power.as_ref() != Some(&to))
        }
        Failure::FellBack { .. } => {
            off_the_way(&|seen| seen.power.is_some() && seen.power != Some(to.clone()))
        }
        Failure::Vanished { .. } => off_the_way(&|seen| seen.power.is_none()),
        Failure::TimedOut { .. } => {
            latest.iter().any(|seen| seen.sent >= set_out + timeout && seen.power.as_ref() != Some(&to))
        }
        Failure::CannotLook(_) => {
            let others = trial.before(change, goal(change), true);
            // Looks that failed, or whose answers were too old when they came for anything to rest on.
            let in_vain = |look: &&Look| {
                look.back
                    .is_some_and(|back| look.seen.is_none() || back > look.sent + Duration::from_secs(10))
            };
            let mut failed = trial.world.looks.iter().filter(in_vain);
            failed.any(|look| {
                look.provider == *provider
                    || others.iter().any(|other| trial.change(other).1.key.provider == look.provider)
            })
        }
        // No case asks for patience or for readiness.
        Failure::NoStock { .. } | Failure::NotReady { .. } => false,
        Failure::Blocked(_) => {
            matches!(change.verdict, Verdict::Wait { then: Some(Then::Blocked(_)), .. })
                && latest.iter().any(|seen| seen.power.as_ref() == Some(&from))
        }
    };
    if holds {
        Ok(())
    } else {
        Err(format!("failure: {failure:?} after {latest:?}, answered {last_answer:?}"))
    }
}

fn has_failed(trial: &Evidence<'_>, position: usize) -> bool {
    matches!(trial.end(position), Some((_, EventKind::Failed { .. })))
        || matches!(
            &trial.plan.changes[position].verdict,
            Verdict::Blocked(block) if !matches!(block, Block::HeldUp { .. })
        )
}

fn is_skipped(trial: &Evidence<'_>, position: usize) -> bool {
    matches!(trial.end(position), Some((_, EventKind::Skipped { .. })))
}

/// A skip goes back to one hard step before it that failed, was skipped or was blocked, and by such to its root.
fn skipped(
    trial: &Evidence<'_>,
    position: usize,
    because: Option<usize>,
    root: Option<usize>,
) -> Result<(), String> {
    let (Some(because), Some(root)) = (because, root) else {
        return Err("skips: because of nobody".to_owned());
    };
    let change = &trial.plan.changes[position];
    if trial.calls_of(&change.key.id).next().is_some() {
        return Err("skips: it was called".to_owned());
    }
    let goal = change.goal.expect("a goal");
    let before = |change: &Change| trial.before(change, goal, true);
    if !before(change).contains(&&trial.plan.changes[because].key.id) {
        return Err(format!("skips: it does not come after {}", trial.plan.changes[because].address));
    }
    if !has_failed(trial, because) && !is_skipped(trial, because) {
        return Err(format!("skips: {} has not failed", trial.plan.changes[because].address));
    }
    let mut reached = BTreeSet::from([because]);
    let mut next = vec![because];
    while let Some(at) = next.pop() {
        for id in before(&trial.plan.changes[at]) {
            let (other, _) = trial.change(id);
            if is_skipped(trial, at)
                && (has_failed(trial, other) || is_skipped(trial, other))
                && reached.insert(other)
            {
                next.push(other);
            }
        }
    }
    if has_failed(trial, root) && reached.contains(&root) {
        Ok(())
    } else {
        Err(format!("skips: {} is not where it begins", trial.plan.changes[root].address))
    }
}

/// Only an interruption leaves steps behind, and it knows which of them may be on their way.
fn not_reached(trial: &Evidence<'_>, change: &Change, in_transition: bool) -> Result<(), String> {
    if trial.interrupted().is_none() {
        return Err("interruption: there was none".to_owned());
    }
    let is_on_its_way = trial.calls_of(&change.key.id).any(|(_, item)| item.accepted && may_have_acted(item));
    if is_on_its_way && !in_transition {
        return Err("interruption: it is on its way, and that is not said".to_owned());
    }
    Ok(())
}

/// A step that nothing stands in the way of, and neither of what it comes after, succeeds, whatever else goes wrong.
fn succeeds_if_nothing_is_in_its_way(
    trial: &Evidence<'_>,
    change: &Change,
    end: &EventKind,
) -> Result<(), String> {
    let waits_in_vain = matches!(change.verdict, Verdict::Wait { then: Some(Then::Blocked(_)), .. });
    let is_expected = Evidence::is_step(change)
        && !waits_in_vain
        && trial.interrupted().is_none()
        && is_sure(trial, &change.key.id, goal(change));
    if is_expected && !matches!(end, EventKind::Completed { .. }) {
        return Err(format!(
            "only dependents are held up: nothing stands in its way, and it ends with {end:?}"
        ));
    }
    Ok(())
}

fn is_sure(trial: &Evidence<'_>, id: &InstanceId, toward: Goal) -> bool {
    use AtFirst::{Absent, JustStarted, JustStopped, StartingForEver, Strange};
    let change = trial.change(id).1;
    let drawn = trial.drawn(id);
    let timeout = trial.desired.entries[change.entry.expect("an entry").at()].timeouts.start;
    let takes = Duration::from_millis(drawn.takes * 100);
    let lag = Duration::from_secs(trial.case.lag);
    let unsure = [JustStarted, JustStopped, StartingForEver, Strange, Absent];
    let last_throttled = trial.case.throttled.iter().map(|span| span.seconds).sum::<u64>();
    let fates = |fate: &Fate| {
        matches!(
            fate,
            Fate::LoseAnswer
                | Fate::LoseRequest
                | Fate::Busy
                | Fate::InternalError
                | Fate::InternalErrorAfter
                | Fate::WrongStatus
                | Fate::Throttled
        )
    };
    // So many sends are left whatever they met; more is drawn in a storm only.
    let few = drawn.fates.len() <= 4
        && drawn.fates.iter().filter(|fate| matches!(fate, Fate::LoseAnswer | Fate::LoseRequest)).count()
            <= 2
        && drawn.fates.iter().skip(2).all(|fate| !matches!(fate, Fate::LoseAnswer | Fate::LoseRequest));
    let quiet = trial.case.blind.is_empty()
        && trial.case.requests.is_empty()
        && !trial.case.slow_answers
        && last_throttled <= 24
        && drawn.locked_from.is_none()
        && !unsure.contains(&drawn.at_first)
        && drawn.fates.iter().all(fates)
        && few
        && takes + lag * 2 + Duration::from_secs(10) < timeout
        && !trial.case.clicks.iter().any(|_| trial.world.clicked.contains_key(id));
    let hopeless = matches!(change.verdict, Verdict::Blocked(_))
        || matches!(change.verdict, Verdict::Wait { then: Some(Then::Blocked(_)), .. });
    let stands = match change.verdict {
        Verdict::Any => seen_power(change) == Some(&from_and_to(toward).1),
        _ => true,
    };
    quiet
        && !hopeless
        && stands
        && trial.before(change, toward, true).iter().all(|other| is_sure(trial, other, toward))
}

/// It ends within all timeouts of all steps one after the other, and soon after an interruption.
fn in_time(trial: &Evidence<'_>) -> Result<(), String> {
    let steps = trial.plan.changes.iter().filter(|change| Evidence::is_step(change));
    let each = steps.map(|change| {
        let timeout = trial.desired.entries[change.entry.expect("an entry").at()].timeouts.start;
        timeout * 4 + Duration::from_secs(300)
    });
    let troubled = trial.case.throttled.iter().map(|span| span.from + span.seconds).sum::<u64>()
        + trial.case.blind.iter().map(|span| span.from + span.seconds).sum::<u64>();
    let most = trial.began() + each.sum::<Duration>() + Duration::from_secs(troubled);
    if trial.ended > most {
        return Err(format!("termination: at {:?}, {most:?} would do", trial.ended));
    }
    // What is under way takes two ways at most.
    match trial.interrupted() {
        Some(at) if trial.ended > at + Duration::from_secs(25) => {
            Err(format!("interruption: at {at:?}, but it ended at {:?}", trial.ended))
        }
        _ => Ok(()),
    }
}
