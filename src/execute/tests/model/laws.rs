//! The laws of calls and looks: which may be made, resting on what, how often, and how many at once.

use std::time::Duration;

use super::case::{Case, provider};
use super::cloud::{Answer, Item, LOOK, Request};
use super::evidence::{Evidence, from_and_to, seen_power};
use crate::cloud::Advice;
use crate::execute::{Action, EventKind};
use crate::fleet::{Goal, InstanceId, Power, StopPolicy};
use crate::plan::{Change, Then, Verdict};

/// What no observation that a call rests on may be older than.
const FRESH: Duration = Duration::from_secs(10);

/// Whether all laws were kept.
pub(super) fn judge(trial: &Evidence<'_>) -> Result<(), String> {
    for (number, request) in trial.world.requests.iter().enumerate() {
        whole_request(trial, number, request)?;
        for (at, item) in request.items.iter().enumerate() {
            let told = |law: String| {
                format!("{law}\n{:?} of {} sent at {:?}", request.action, item.id, request.sent)
            };
            planned(trial, request, item).map_err(told)?;
            fresh(trial, request, item).map_err(told)?;
            in_turn(trial, request, item).map_err(told)?;
            sent_again(trial, number, request, item).map_err(told)?;
            slots(trial, number, at, item).map_err(told)?;
        }
    }
    throttled(trial)?;
    looks(trial)?;
    once(trial)
}

/// While nothing is let through, and nothing said of when to come again, what was under way is refused, and one probe a
/// second.
fn throttled(trial: &Evidence<'_>) -> Result<(), String> {
    for span in trial.case.throttled.iter().filter(|span| span.retry_after.is_none()) {
        let from = LOOK + Duration::from_secs(span.from);
        let to = from + Duration::from_secs(span.seconds);
        let is_within = |request: &&Request| {
            let (alias, starts) = (provider(span.far), request.action == Action::Start);
            request.provider == alias && starts == span.starts && (from..to).contains(&request.reached)
        };
        let refused = trial.world.requests.iter().filter(is_within).count() as u64;
        let allowed = trial.case.max_in_flight as u64 + span.seconds + 2;
        if refused > allowed {
            return Err(format!("throttling: {refused} refused in {span:?}, {allowed} allowed"));
        }
    }
    Ok(())
}

fn goal_of(action: Action) -> Goal {
    if action == Action::Stop { Goal::Stopped } else { Goal::Running }
}

/// Batches hold what a batch can hold; no more requests are under way than allowed; nothing while ECS says to wait;
/// nothing after an interruption, and what was under way then has been awaited.
fn whole_request(trial: &Evidence<'_>, number: usize, request: &Request) -> Result<(), String> {
    let Case { batch_above, max_in_flight, .. } = *trial.case;
    let items = &request.items;
    let distinct =
        items.iter().enumerate().all(|(at, item)| items[..at].iter().all(|other| other.id != item.id));
    let alike = items.iter().all(|item| item.policy == items[0].policy);
    if request.is_batch {
        let restores = items.iter().any(|item| item.init_local_disk);
        if !distinct || !alike || restores || batch_above == 0 || items.len() < 2 {
            return Err(format!("batches: {items:?}"));
        }
    }
    let same = |other: &&Request| other.provider == request.provider && other.action == request.action;
    let earlier = || trial.world.requests[..number].iter().filter(same);
    let is_under_way = |other: &&Request| other.back.is_none_or(|back| back > request.sent);
    let under_way = earlier().filter(is_under_way).count();
    if under_way >= max_in_flight {
        return Err(format!("calls in flight: {} with this one, {max_in_flight} allowed", under_way + 1));
    }
    for other in earlier() {
        for item in &other.items {
            let Answer::Refused { advice: Advice::Throttled { retry_after }, .. } = item.answer else {
                continue;
            };
            // Where nothing is said of when to come again, what counts is how many are refused in all.
            let Some(wait) = retry_after.map(|wait| wait.max(Duration::from_millis(100))) else { continue };
            let back = other.back.unwrap_or(Duration::MAX);
            if back < request.sent && request.sent < back + wait {
                return Err(format!(
                    "throttling: sent {:?} after a refusal that says {wait:?}",
                    request.sent - back
                ));
            }
        }
    }
    if trial.interrupted().is_some_and(|at| request.sent > at) {
        return Err("interruption: a new call".to_owned());
    }
    match request.back {
        Some(back) if back <= trial.ended => Ok(()),
        _ => Err("interruption: a call under way was not awaited".to_owned()),
    }
}

/// The plan lists this call for this instance, with these parameters.
fn planned(trial: &Evidence<'_>, request: &Request, item: &Item) -> Result<(), String> {
    let change = trial.change(&item.id).1;
    let listed: Option<(Action, Option<StopPolicy>, bool)> = match &change.verdict {
        Verdict::Start { init_local_disk, .. } => Some((Action::Start, None, *init_local_disk)),
        Verdict::Stop { policy, .. } => Some((Action::Stop, Some(*policy), false)),
        Verdict::Wait { then: Some(Then::Start { init_local_disk }), .. } => {
            Some((Action::Start, None, *init_local_disk))
        }
        Verdict::Wait { then: Some(Then::Stop { policy }), .. } => Some((Action::Stop, Some(*policy), false)),
        _ => None,
    };
    let made = (request.action, item.policy, item.init_local_disk);
    if listed == Some(made) && change.key.provider == request.provider {
        Ok(())
    } else {
        Err(format!("unplanned: {made:?}, but the verdict is {:?}", change.verdict))
    }
}

/// The latest observations of the instance and of all that it must come after are fresh, and as they have to be; and
/// where nothing could deceive them, so is the truth.
fn fresh(trial: &Evidence<'_>, request: &Request, item: &Item) -> Result<(), String> {
    let change = trial.change(&item.id).1;
    let goal = goal_of(request.action);
    let (from, to) = from_and_to(goal);
    let mut rests_on = vec![(&item.id, &from)];
    rests_on.extend(trial.before(change, goal, true).into_iter().map(|id| (id, &to)));
    for (id, power) in rests_on {
        let latest = trial.latest(id, request.sent);
        let is_good = |seen: &super::evidence::Observation| {
            request.sent - seen.sent <= FRESH && seen.power.as_ref() == Some(power)
        };
        if !latest.iter().any(is_good) {
            return Err(format!("order: {id} has to be {power}, and was seen as {latest:?}"));
        }
        let is_honest = item.id != *id && trial.case.clicks.is_empty() && settled_long_ago(trial, id);
        if item.accepted && is_honest && trial.truth(id, request.reached) != Some(power) {
            return Err(format!(
                "order: {id} has to be {power}, and is {:?}",
                trial.truth(id, request.reached)
            ));
        }
    }
    Ok(())
}

/// Whether an instance was at the look what it had been for long.
fn settled_long_ago(trial: &Evidence<'_>, id: &InstanceId) -> bool {
    use super::case::AtFirst::{JustStarted, JustStopped};
    !matches!(trial.drawn(id).at_first, JustStarted | JustStopped)
}

/// All steps that are ordered before this one, soft ones too, have ended; no hard one of them in vain.
fn in_turn(trial: &Evidence<'_>, request: &Request, item: &Item) -> Result<(), String> {
    let change = trial.change(&item.id).1;
    let goal = goal_of(request.action);
    let hard = trial.before(change, goal, true);
    for id in trial.before(change, goal, false) {
        let (position, other) = trial.change(id);
        if !Evidence::is_step(other) || other.goal != Some(goal) {
            continue;
        }
        let is_hard = hard.contains(&id);
        match trial.end(position) {
            Some((_, EventKind::Completed { .. })) if is_hard => {}
            Some((_, end)) if is_hard => {
                return Err(format!("dependents of failures: {id} ended with {end:?}"));
            }
            Some(_) => {}
            None => return Err(format!("order: {id} has never ended")),
        }
        if trial.end(position).is_some_and(|(at, _)| at > request.sent) {
            return Err(format!("order: {id} ended only later"));
        }
    }
    Ok(())
}

/// Why it was sent again, if it was: on a look made late enough after the refusal before, and not too often.
fn sent_again(trial: &Evidence<'_>, number: usize, request: &Request, item: &Item) -> Result<(), String> {
    let mut sends: u32 = 0;
    let mut last: Option<(&Request, Advice)> = None;
    for other in &trial.world.requests[..number] {
        for before in other.items.iter().filter(|before| before.id == item.id) {
            if other.back.is_none_or(|back| back > request.sent) {
                return Err("sends: the one before is still under way".to_owned());
            }
            match before.answer {
                Answer::Refused { advice: Advice::Throttled { .. }, .. } => {}
                Answer::Refused { advice, .. } => {
                    sends += 1;
                    last = Some((other, advice));
                }
                Answer::Accepted | Answer::Pending => return Err("sends: it had been accepted".to_owned()),
            }
        }
    }
    let Some((before, advice)) = last else { return Ok(()) };
    let patience = Duration::from_secs(match sends {
        1 => 2,
        2 => 5,
        _ => 10,
    });
    let (most, wait) = match advice {
        Advice::Final | Advice::Capacity => return Err("sends: it had been refused for good".to_owned()),
        Advice::OutcomeUnknown => (3, Duration::from_secs(5)),
        Advice::Busy { sends } => (sends, patience),
        Advice::WrongStatus => (5, patience),
        Advice::Throttled { .. } => return Ok(()),
    };
    if sends >= most {
        return Err(format!("sends: {} of at most {most}", sends + 1));
    }
    let after = before.back.unwrap_or(Duration::MAX).saturating_add(wait);
    let (from, _) = from_and_to(goal_of(request.action));
    let has_looked =
        |seen: &super::evidence::Observation| seen.sent >= after && seen.power.as_ref() == Some(&from);
    if trial.latest(&item.id, request.sent).iter().any(has_looked) {
        Ok(())
    } else {
        Err(format!("sends: again without a look {wait:?} after the answer"))
    }
}

/// No more in transition than there are slots. Those that moved at the look hold one, but never wait for one.
fn slots(trial: &Evidence<'_>, number: usize, at: usize, item: &Item) -> Result<(), String> {
    let request = &trial.world.requests[number];
    let now = request.sent;
    let sent_before = |id: &InstanceId| {
        let earlier = trial.world.requests[..number].iter().flat_map(|other| &other.items);
        earlier.chain(&request.items[..at]).any(|other| other.id == *id)
    };
    if sent_before(&item.id) {
        return Ok(());
    }
    let holds = |position: usize, change: &Change| {
        if !Evidence::is_step(change) || trial.end(position).is_some_and(|(end, _)| end <= now) {
            return false;
        }
        let id = &change.key.id;
        let moves = |power: Option<&Power>| power.is_some_and(Power::is_in_transition);
        let moved_at_first = seen_power(change).is_some_and(Power::is_in_transition);
        sent_before(id)
            || (moved_at_first
                && moves(trial.truth(id, now))
                && trial.observations(id, now).iter().all(|seen| moves(seen.power.as_ref())))
    };
    let own = trial.change(&item.id).1.entry;
    let holding: Vec<&Change> = trial
        .plan
        .changes
        .iter()
        .enumerate()
        .filter(|(position, change)| change.key.id != item.id && holds(*position, change))
        .map(|(_, change)| change)
        .collect();
    if trial.case.parallelism.is_some_and(|most| holding.len() >= most) {
        return Err(format!("slots: {} in transition with this one", holding.len() + 1));
    }
    let at_once = own.and_then(|entry| trial.desired.entries[entry.at()].at_once);
    let siblings = holding.iter().filter(|change| change.entry == own).count();
    if at_once.is_some_and(|most| siblings >= most.of(usize::MAX).get() as usize) {
        return Err(format!("at_once: {} in transition with this one", siblings + 1));
    }
    Ok(())
}

/// At most 120 looks a minute at a provider, each at its own instances, none after an interruption.
fn looks(trial: &Evidence<'_>) -> Result<(), String> {
    for (number, look) in trial.world.looks.iter().enumerate() {
        let earlier = || trial.world.looks[..number].iter().filter(|other| other.provider == look.provider);
        let minute = earlier().rev().take_while(|other| other.sent + Duration::from_secs(60) > look.sent);
        if minute.count() >= 120 {
            return Err(format!("looks: more than 120 in the minute before {:?}", look.sent));
        }
        for (at, id) in look.ids.iter().enumerate() {
            if look.ids[..at].contains(id) || trial.change(id).1.key.provider != look.provider {
                return Err(format!("looks: {id} does not belong there at {:?}", look.sent));
            }
        }
        if trial.interrupted().is_some_and(|at| look.sent > at) {
            return Err("interruption: a new look".to_owned());
        }
    }
    Ok(())
}

/// No machine is set on its way twice, unless something else has undone the first time and its answer was lost.
fn once(trial: &Evidence<'_>) -> Result<(), String> {
    use super::case::Fate;
    for change in &trial.plan.changes {
        let id = &change.key.id;
        let accepted = trial.calls_of(id).filter(|(_, item)| item.accepted).count();
        let undone = trial.world.clicked.contains_key(id) || trial.drawn(id).fates.contains(&Fate::FallBack);
        if accepted > 1 && !undone {
            return Err(format!("accepted calls: {accepted} of {id}"));
        }
    }
    Ok(())
}
