//! Carries out a plan, and chooses nothing: what is called, with what, after whom and for how long is all in the plan.
//!
//! The work is a plain data structure (`run`) that joins a queue (`ready`), the steps' own moves (`step`) and the
//! shared poll (`poll`); the loop here only carries calls and looks to the cloud and answers back. Everything that
//! happens is said as an [`Event`]. Nothing here saves, prints, or looks at a wall clock.

mod event;
mod poll;
mod ready;
mod report;
mod run;
mod step;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

pub use event::{Action, Event, EventKind, Failure, How};
pub use report::{Outcome, Report};
pub use run::{CallBounds, Limits};

use crate::cloud::{Accepted, Advice, Cloud, Clouds, Refusal};
use crate::fleet::{InstanceId, ProviderAlias, Sighting};
use crate::plan::{Change, Plan};
use crate::probe::{NotReady, Prober};
use ready::StepIndex;
use run::{Command, Run};

/// What an execution needs to know besides the plan and the clouds.
pub struct Execution<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// How long ago the look was begun that the plan rests on.
    pub age: Duration,
    /// What bounds the run.
    pub limits: Limits,
    /// What an instance's change is expected to take, where that is known.
    pub expected: &'a (dyn Fn(&Change) -> Option<Duration> + Sync),
}

type Answers = Vec<(StepIndex, Result<Accepted, Refusal>)>;

enum Answer {
    Looked { number: u64, answer: Result<Vec<Sighting>, Refusal> },
    Called(Answers),
    Probed { number: u64, answer: Result<(), NotReady> },
}

/// Carries out a plan. Ends when every step has ended, or, once `interrupt` resolves, when the calls under way are
/// answered.
///
/// `prober` asks instances whether they are ready; attempts that are under way when the run ends are dropped.
///
/// `listen` hears every event, in order, as it happens. While it blocks nothing is sent, and an interruption that
/// comes meanwhile is heeded before anything else is.
pub async fn execute<C: Cloud + 'static, P: Prober + 'static>(
    execution: Execution<'_>,
    clouds: &Clouds<C>,
    prober: &Arc<P>,
    interrupt: impl Future<Output = ()>,
    mut listen: impl FnMut(Event),
) {
    let began = Instant::now();
    let age = execution.age;
    let now = || age + began.elapsed();
    let mut run = Run::new(execution.plan, age, &execution.limits, execution.expected);
    let mut work: JoinSet<Answer> = JoinSet::new();
    // Were it to yield for fairness, an interruption would look as if it had not come.
    let mut interrupt = pin!(tokio::task::unconstrained(interrupt));
    let mut interrupted = false;
    loop {
        // Whoever hears of an answer may block for as long as a person reads: nothing new is decided before that.
        run.take_events().into_iter().for_each(&mut listen);
        if !interrupted && !run.is_over() && has_come(interrupt.as_mut()).await {
            interrupted = true;
            run.interrupt(now());
        }
        for command in run.poll(now()) {
            carry_out(command, clouds, prober, &mut work);
        }
        run.take_events().into_iter().for_each(&mut listen);
        if run.is_over() {
            break;
        }
        let wake_at = run.wake_at();
        let waking = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(began + at.saturating_sub(age)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = &mut interrupt, if !interrupted => {
                interrupted = true;
                run.interrupt(now());
            }
            Some(answer) = work.join_next(), if !work.is_empty() => {
                let mut answer = Some(answer);
                // Those that have come together are taken in together: what they let go can travel together too.
                while let Some(answered) = answer {
                    take_in(&mut run, now(), answered);
                    answer = work.try_join_next();
                }
            }
            () = waking => {}
        }
    }
}

fn take_in(run: &mut Run<'_>, now: Duration, answer: Result<Answer, JoinError>) {
    match answer {
        Ok(Answer::Looked { number, answer }) => run.looked(now, number, answer),
        Ok(Answer::Called(answers)) => run.answered(now, answers),
        Ok(Answer::Probed { number, answer }) => run.probed(now, number, answer),
        // A task is never cancelled while the run goes on, so this is a defect in the cloud's code.
        Err(error) => {
            if let Ok(panic) = error.try_into_panic() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Whether a future has resolved by now.
async fn has_come(mut future: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

fn carry_out<C: Cloud + 'static, P: Prober + 'static>(
    command: Command,
    clouds: &Clouds<C>,
    prober: &Arc<P>,
    work: &mut JoinSet<Answer>,
) {
    let cloud = |provider: &ProviderAlias| {
        clouds.get(provider).cloned().ok_or_else(|| {
            Refusal::new(Advice::Final, format!("there is no connection for the provider \"{provider}\""))
        })
    };
    match command {
        Command::Look { number, provider, ids } => {
            let cloud = cloud(&provider);
            work.spawn(async move {
                let answer = match cloud {
                    Ok(cloud) => cloud.describe(&ids).await,
                    Err(refusal) => Err(refusal),
                };
                Answer::Looked { number, answer }
            });
        }
        Command::Probe { number, attempt } => {
            let prober = Arc::clone(prober);
            work.spawn(async move { Answer::Probed { number, answer: prober.attempt(*attempt).await } });
        }
        Command::Start { provider, calls } => {
            let cloud = cloud(&provider);
            work.spawn(async move {
                Answer::Called(match cloud {
                    Ok(cloud) => match <[_; 1]>::try_from(calls) {
                        Ok([(step, request)]) => vec![(step, cloud.start(request).await)],
                        Err(calls) => {
                            let (steps, requests) = unzip(calls, |request| &request.id);
                            for_steps(steps, cloud.start_many(requests).await)
                        }
                    },
                    Err(refusal) => for_all(calls, &refusal),
                })
            });
        }
        Command::Stop { provider, calls } => {
            let cloud = cloud(&provider);
            work.spawn(async move {
                Answer::Called(match cloud {
                    Ok(cloud) => match <[_; 1]>::try_from(calls) {
                        Ok([(step, request)]) => vec![(step, cloud.stop(request).await)],
                        Err(calls) => {
                            let (steps, requests) = unzip(calls, |request| &request.id);
                            for_steps(steps, cloud.stop_many(requests).await)
                        }
                    },
                    Err(refusal) => for_all(calls, &refusal),
                })
            });
        }
    }
}

/// The requests, and which step each instance belongs to.
fn unzip<R>(
    calls: Vec<(StepIndex, R)>,
    id: fn(&R) -> &InstanceId,
) -> (HashMap<InstanceId, StepIndex>, Vec<R>) {
    let steps = calls.iter().map(|(step, request)| (id(request).clone(), *step)).collect();
    (steps, calls.into_iter().map(|(_, request)| request).collect())
}

/// The answers to a batch by step. What an instance that is missing from them came to is not known.
fn for_steps(
    mut steps: HashMap<InstanceId, StepIndex>,
    answers: Vec<(InstanceId, Result<Accepted, Refusal>)>,
) -> Answers {
    let mut by_step: Answers =
        answers.into_iter().filter_map(|(id, answer)| Some((steps.remove(&id)?, answer))).collect();
    by_step.extend(steps.into_values().map(|step| {
        let refusal =
            Refusal::new(Advice::OutcomeUnknown, "the answer to the batch does not name this instance");
        (step, Err(refusal))
    }));
    by_step
}

fn for_all<R>(calls: Vec<(StepIndex, R)>, refusal: &Refusal) -> Answers {
    calls.into_iter().map(|(step, _)| (step, Err(refusal.clone()))).collect()
}
