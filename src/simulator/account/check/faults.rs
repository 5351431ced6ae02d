//! What goes wrong: with requests, and by itself.

use std::time::Duration;

use serde_saphyr::{Location, Spanned};

use super::super::{Change, Effect, Fault, Scheduled, Twist, document, notation};
use super::{Problems, check_action, known_lock, unknown_lock};
use crate::simulator::status::Status;

/// The actions that boot an instance.
const STARTS: [&str; 2] = ["StartInstance", "StartInstances"];
/// The actions that show what instances are.
const LOOKS: [&str; 3] = ["DescribeInstances", "DescribeInstanceStatus", "DescribeInstanceAttribute"];

/// When a fault strikes, where that is not by count.
struct Period {
    from: Option<Duration>,
    lasts: Option<Duration>,
}

/// What strikes requests, and what happens by itself.
pub(super) fn faults(
    written: Vec<Spanned<document::Fault>>,
    known: &impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> (Vec<Fault>, Vec<Scheduled>) {
    let mut on_request = Vec::new();
    let mut scheduled = Vec::new();
    for fault in written {
        if fault.value.at.is_some() && fault.value.lasts.is_none() && fault.value.throttle.is_none() {
            scheduled.extend(scheduled_change(fault, known, problems));
        } else {
            on_request.extend(request_fault(fault, known, problems));
        }
    }
    (on_request, scheduled)
}

fn request_fault(
    written: Spanned<document::Fault>,
    known: &impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<Fault> {
    let place = written.referenced;
    let fault = written.value;
    if fault.set.is_some() || fault.lock.is_some() || fault.unlock.is_some() {
        problems.add(place, "set, lock and unlock happen by themselves: say when, as in at: 10s");
        return None;
    }
    if let Some(action) = &fault.action {
        check_action(&action.value, action.referenced, problems);
    }
    if let Some(id) = fault.instance.as_ref().filter(|id| !known(&id.value)) {
        problems.add(id.referenced, format!("there is no instance {} in this account", id.value));
    }
    for count in
        [&fault.nth, &fault.times, &fault.every].into_iter().flatten().filter(|count| count.value == 0)
    {
        problems.add(count.referenced, "it counts from 1: 0 strikes nothing");
    }
    let when = period(&fault, place, problems);
    let mut effects = effects(&fault, problems)?;
    let mut twists = twists(&fault);
    if twists.contains(&Twist::FailsToBoot)
        && fault.action.as_ref().is_some_and(|action| !STARTS.contains(&action.value.as_str()))
    {
        problems.add(place, "only a start can fail to boot: write action: StartInstance");
    }
    if let Some(lag) = &fault.lag
        && fault.action.as_ref().is_some_and(|action| !LOOKS.contains(&action.value.as_str()))
    {
        problems.add(lag.referenced, "only a look can show what is old: write action: DescribeInstances");
    }
    let delay = fault.delay.is_some() || fault.lag.is_some();
    if effects.is_empty() && twists.is_empty() && !delay {
        problems.add(
            place,
            "nothing goes wrong: add one of error, throttle, drop, delay, lag, stuck, fails_to_boot, vanish, garbage, \
             truncate, http, or at with set",
        );
    }
    let refuses = matches!(effects.as_slice(), [Effect::Refuse { .. }]);
    if fault.retry_after && !(refuses && when.lasts.is_some()) {
        problems.add(place, "retry_after: says when error: is over, so it goes with error: and for:");
    }
    let served = effects
        .iter()
        .all(|effect| matches!(effect, Effect::DropAfter | Effect::Garbage(_) | Effect::Truncate));
    if effects.len() > 1 || twists.len() > 1 || !(twists.is_empty() || served) {
        problems.add(
            place,
            "one fault does one thing: write two faults. Only delay and lag go with any other, and drop: after, garbage and \
             truncate go with stuck, fails_to_boot and vanish",
        );
    }
    Some(Fault {
        action: fault.action.map(|action| action.value),
        instance: fault.instance.map(|id| id.value),
        first: fault.nth.as_ref().or(fault.every.as_ref()).map_or(1, |first| first.value),
        every: fault.every.as_ref().map_or(1, |every| every.value),
        times: fault
            .times
            .map(|times| times.value)
            .or(fault.nth.filter(|_| fault.every.is_none()).map(|_| 1)),
        from: when.from,
        lasts: when.lasts,
        retry_after: fault.retry_after,
        delay: problems.read(fault.delay.as_ref(), Duration::ZERO, notation::duration),
        lag: problems.read(fault.lag.as_ref(), Duration::ZERO, notation::duration),
        effect: effects.pop(),
        twist: twists.pop(),
    })
}

/// `at: 10s, for: 5s` strikes in that time; `nth: 3, for: 5s` from the third request on; `throttle: 5s` is
/// `error: Throttling.User, for: 5s`.
fn period(fault: &document::Fault, place: Location, problems: &mut Problems) -> Period {
    let lasts = fault.lasts.as_ref().or(fault.throttle.as_ref());
    if fault.lasts.is_some() && fault.throttle.is_some() {
        problems.add(place, "throttle: says how long already: leave out for:");
    }
    if let (Some(times), Some(_)) = (&fault.times, lasts) {
        problems.add(times.referenced, "it strikes for some time or some times: leave out one of them");
    }
    if let (Some(every), true) = (&fault.every, lasts.is_some() || fault.at.is_some()) {
        problems.add(every.referenced, "it strikes for some time or by count: leave out every:");
    }
    if let (Some(nth), Some(_)) = (&fault.nth, &fault.at) {
        problems.add(nth.referenced, "it strikes from a moment or from a request on: leave out at: or nth:");
    }
    let read =
        |text, problems: &mut Problems| problems.read(text, None, |text| notation::duration(text).map(Some));
    Period { from: read(fault.at.as_ref(), problems), lasts: read(lasts, problems) }
}

/// Everything that the fault does to the instance.
fn twists(fault: &document::Fault) -> Vec<Twist> {
    let all = [
        (fault.stuck, Twist::Stuck),
        (fault.fails_to_boot, Twist::FailsToBoot),
        (fault.vanish, Twist::Vanish),
    ];
    all.into_iter().filter_map(|(written, twist)| written.then_some(twist)).collect()
}

/// Everything that the fault does to the request or its answer.
fn effects(fault: &document::Fault, problems: &mut Problems) -> Option<Vec<Effect>> {
    let mut effects: Vec<Effect> = Vec::new();
    if let Some(message) = fault.message.as_ref().filter(|_| fault.error.is_none()) {
        problems.add(message.referenced, "message: goes with error:, which is missing");
    }
    if let Some(code) = &fault.error {
        let message = fault.message.as_ref().map(|message| message.value.clone());
        effects.push(Effect::Refuse { code: code.clone(), message });
    }
    if fault.throttle.is_some() {
        effects.push(Effect::Refuse { code: "Throttling.User".to_owned(), message: None });
    }
    match fault.drop.as_ref().map(|drop| (drop.value.as_str(), drop.referenced)) {
        Some(("before", _)) => effects.push(Effect::DropBefore),
        Some(("after", _)) => effects.push(Effect::DropAfter),
        Some((other, place)) => {
            problems.add(place, format!("drop: {other} has no meaning: write before (acting) or after"));
            return None;
        }
        None => {}
    }
    effects.extend(fault.garbage.clone().map(Effect::Garbage));
    effects.extend(fault.truncate.then_some(Effect::Truncate));
    if let Some(http) = &fault.http {
        if (400..=599).contains(&http.value) {
            effects.push(Effect::Http(http.value));
        } else {
            problems.add(http.referenced, format!("http: {} is not a failure: write 400 to 599", http.value));
            return None;
        }
    }
    Some(effects)
}

fn scheduled_change(
    written: Spanned<document::Fault>,
    known: &impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<Scheduled> {
    let place = written.referenced;
    // What lasts strikes requests, and does not come here.
    let document::Fault {
        action,
        instance,
        nth,
        times,
        every,
        error,
        message,
        drop,
        delay,
        lag,
        stuck,
        fails_to_boot,
        vanish,
        garbage,
        truncate,
        http,
        at,
        lasts: None,
        throttle: None,
        retry_after,
        set,
        lock,
        unlock,
    } = written.value
    else {
        return None;
    };
    let about_requests = action.is_some()
        || instance.is_some()
        || nth.is_some()
        || times.is_some()
        || every.is_some()
        || error.is_some()
        || message.is_some()
        || drop.is_some()
        || delay.is_some()
        || lag.is_some()
        || stuck
        || fails_to_boot
        || vanish
        || garbage.is_some()
        || truncate
        || http.is_some()
        || retry_after;
    if about_requests {
        problems.add(place, "at goes with set, lock or unlock, or with for: and what goes wrong so long");
        return None;
    }
    let mut changes = Vec::new();
    for (id, word) in set.unwrap_or_default() {
        changes.push((id, Change::Set(Status::from(word))));
    }
    for (id, reason) in lock.unwrap_or_default() {
        if !known_lock(&reason) {
            problems.add(place, unknown_lock(&reason));
        }
        changes.push((id, Change::Lock(reason)));
    }
    changes.extend(unlock.map(|id| (id, Change::Unlock)));
    if changes.is_empty() {
        problems.add(
            place,
            "nothing happens then: add set: { ID: Status }, lock: { ID: security } or unlock: ID",
        );
    }
    for (id, _) in changes.iter().filter(|(id, _)| !known(id)) {
        problems.add(place, format!("there is no instance {id} in this account"));
    }
    let after = problems.read(at.as_ref(), Duration::ZERO, notation::duration);
    Some(Scheduled { after, changes })
}
