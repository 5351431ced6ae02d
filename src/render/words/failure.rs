//! What a run says of an instance: refusals, failures, and what an interruption left.

use std::borrow::Cow;
use std::time::Duration;

use super::{Explanation, address, block, count, message, name, short};
use crate::cloud::{Advice, Refusal};
use crate::execute::{Action, Failure};
use crate::fleet::duration::Words;
use crate::fleet::{Address, Power, StoppedMode};

/// How a step failed, and what to do about it. `action` is what was being done.
#[must_use]
pub fn failure(failure: &Failure, action: Action) -> Explanation {
    match failure {
        Failure::Refused(refusal) => Explanation::new(
            format!("ECS refused the {}: {}", asked(action), said(refusal)),
            remedy_of(refusal),
        ),
        Failure::GaveUp { refusal, sends } => {
            let times = count(usize::try_from(*sends).unwrap_or(usize::MAX), "time");
            Explanation::new(
                format!(
                    "the {} was sent {times} and not accepted; last answer: {}",
                    asked(action),
                    said(refusal)
                ),
                remedy_of(refusal),
            )
        }
        Failure::Moved { planned, seen } => Explanation::new(
            format!("it is {}, neither at its goal nor {} as planned", name(seen), name(planned)),
            "someone else has moved it: plan again to see what is left to do",
        ),
        Failure::NeedMoved { need, goal, seen } => {
            let need = address(need);
            Explanation::new(
                format!("{need} has to be {goal} for it, and is {}", name(seen)),
                format!("find out what moved {need}, then plan again"),
            )
        }
        Failure::FellBack { seen, after, was_called } => {
            let what = if *was_called {
                let call = asked(action);
                format!(
                    "it was on its way and fell back to {} {} after ECS accepted the {call}",
                    name(seen),
                    Words(*after)
                )
            } else {
                format!(
                    "it was on its way by itself, and was {} instead {} after it was first awaited",
                    name(seen),
                    Words(*after)
                )
            };
            let is_boot = match action {
                Action::Start => true,
                Action::Stop => false,
                Action::Wait => seen == Power::Stopped.word(),
            };
            Explanation::new(
                what,
                if is_boot {
                    "the boot failed: read its system log (console > ECS > Instances > Get System Logs), then \
                     apply again"
                } else {
                    "look at it in the console, then apply again"
                },
            )
        }
        Failure::Blocked(why) => {
            let Explanation { what, remedy } = block(why);
            Explanation::new(format!("it has settled away from its goal, and {what}"), remedy)
        }
        Failure::Vanished { after } => Explanation::new(
            format!("it vanished from ECS's answers {} after it was first awaited", Words(*after)),
            "it was released, or taken back if it is a spot instance: put a replacement into the \
             configuration, or take it out",
        ),
        Failure::TimedOut { last_seen, for_so_long, timeout } => Explanation::new(
            format!(
                "it did not arrive within {}: last seen {}, for {}",
                Words(*timeout),
                name(last_seen),
                Words(*for_so_long)
            ),
            match action {
                Action::Start => {
                    "it may still arrive: look at its system log in the console, then apply again; if it is \
                     only slow, raise timeouts.start of its entry"
                }
                Action::Stop => {
                    "it may still arrive: look at it in the console, then apply again; if its guest is only \
                     slow, raise timeouts.stop of its entry"
                }
                Action::Wait => {
                    "it may still arrive: look at it in the console, then apply again; if it is only slow, \
                     raise the timeouts of its entry"
                }
            },
        ),
        Failure::NoStock { refusal, tries, patience } => {
            let times = count(usize::try_from(*tries).unwrap_or(usize::MAX), "time");
            Explanation::new(
                format!(
                    "there was no stock for {}, asked for {times}; last answer: {}",
                    Words(*patience),
                    said(refusal)
                ),
                "apply again later, raise on_no_stock of its entry, or change the instance type or zone",
            )
        }
        Failure::NotReady { probe, answer, within } => {
            let answer = answer.as_deref().map(message).filter(|answer| !answer.is_empty());
            let answer = answer.unwrap_or(Cow::Borrowed("no answer"));
            Explanation::new(
                format!(
                    "it is Running, but not ready within {}: {}: {answer}",
                    Words(*within),
                    super::probe(probe)
                ),
                "look at its service on the instance; if it is only slow, raise timeouts.ready, or ready.within, of its entry",
            )
        }
        Failure::CannotLook(refusal) => Explanation::new(
            format!("its status could not be read any more: {}", said(refusal)),
            refusal.remedy.clone().unwrap_or(Cow::Borrowed(
                "it may be on its way: mend that, then plan again to see where it arrived",
            )),
        ),
    }
}

/// What ECS or the connection said: code, message and request id, as far as they are known.
fn said(refusal: &Refusal) -> String {
    let words = message(&refusal.message);
    let mut said = match &refusal.code {
        Some(code) if words.is_empty() => name(code).into_owned(),
        Some(code) => format!("{}: {words}", name(code)),
        None if words.is_empty() => "no reason given".to_owned(),
        None => words.into_owned(),
    };
    if let Some(id) = &refusal.request_id {
        said.push_str(&format!(" (request {})", name(id)));
    }
    said
}

/// What a person can do about a refusal: what the table of codes says, or else what follows from the kind.
#[must_use]
pub fn remedy_of(refusal: &Refusal) -> Cow<'static, str> {
    if let Some(remedy) = &refusal.remedy {
        return remedy.clone();
    }
    if let Some(link) = refusal.recommend.as_deref().filter(|link| link.starts_with("https://")) {
        return Cow::Owned(format!("see {}", message(link)));
    }
    Cow::Borrowed(match refusal.advice {
        Advice::Final => "mend what the message names, then apply again",
        Advice::Capacity => "ECS has no stock: apply again later, or change the instance type or zone",
        Advice::Throttled { .. } => "too many calls come from this account: apply again in a minute",
        Advice::Busy { .. } => "ECS or the instance is busy: apply again in a few minutes",
        Advice::WrongStatus => "something else moves it: plan again to see what it is now",
        Advice::OutcomeUnknown => {
            "it is not known whether the call took effect: plan again to see what it is now"
        }
    })
}

/// What the last attempt met, while it is tried again: `InternalError, sent 2 times`.
#[must_use]
pub fn retrying(refusal: &Refusal, sends: u32) -> String {
    let met = match &refusal.code {
        Some(code) => short(code, 40),
        None => short(refusal.message.trim().trim_end_matches('.'), 40),
    };
    format!("{met}, sent {}", count(usize::try_from(sends).unwrap_or(usize::MAX), "time"))
}

/// What a look showed of an instance on its way: `seen Starting`, or `not visible`.
#[must_use]
pub fn seen(power: Option<&Power>) -> String {
    match power {
        Some(power) => format!("seen {}", status(Some(power))),
        None => status(None).into_owned(),
    }
}

/// The status that a look showed, or `not visible`.
#[must_use]
pub fn status(power: Option<&Power>) -> Cow<'_, str> {
    power.map_or(Cow::Borrowed("not visible"), |power| name(power.word()))
}

/// What an interruption left of a step that had not ended.
#[must_use]
pub fn left_over(in_transition: bool) -> Explanation {
    if in_transition {
        Explanation::new(
            // It may have been called, be on its way by itself, or have lost the answer to its call.
            "it is on its way as far as is known, but its arrival was not awaited",
            "plan again to see where it arrived",
        )
    } else {
        Explanation::new("the run ended first", "apply again")
    }
}

/// Why a step was not tried: the nearest instance that kept it from its turn, and the one where the failure began.
#[must_use]
pub fn skipped(because: &Address, root: &Address) -> Explanation {
    let root_words = address(root);
    let what = if because == root {
        format!("not tried because of {root_words}")
    } else {
        format!("not tried because of {}, which was held up by {root_words}", address(because))
    };
    Explanation::new(what, format!("mend {root_words}, then apply again"))
}

/// What is to be said of a stop that ended in another mode than was asked for: `still charging`.
#[must_use]
pub fn stopped_otherwise(mode: StoppedMode) -> &'static str {
    match mode {
        StoppedMode::KeepCharging => "stopped, but still charging: ECS kept its resources",
        StoppedMode::StopCharging => "stopped in economical mode, which was not asked for",
        StoppedMode::NotApplicable => "stopped, but ECS does not say in which mode",
    }
}

/// What a step is doing: `starting`.
#[must_use]
pub fn doing(action: Action) -> &'static str {
    match action {
        Action::Start => "starting",
        Action::Stop => "stopping",
        Action::Wait => "waiting",
    }
}

/// That a step has not ended yet, as Terraform puts it: `Still starting... [10s elapsed] seen Starting`. `seen` is what
/// [`seen`] says of the last look that showed something new.
#[must_use]
pub fn still(action: Action, elapsed: Duration, seen: Option<&str>) -> String {
    let seen = seen.map_or_else(String::new, |seen| format!(" {seen}"));
    format!("Still {}... [{} elapsed]{seen}", doing(action), Words(elapsed))
}

fn asked(action: Action) -> &'static str {
    match action {
        Action::Start => "start",
        Action::Stop => "stop",
        Action::Wait => "call",
    }
}
