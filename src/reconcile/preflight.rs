//! Asks the cloud itself about every call of a plan, before anybody approves it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::cloud::{Advice, Clouds, Refusal, Rehearse, StartRequest, StopRequest};
use crate::fleet::Address;
use crate::plan::{Block, Call, Change, Plan, Request, Verdict, refuse};

/// A call about which the cloud gave no answer that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// The instance.
    pub address: Address,
    /// What would be called.
    pub call: Call,
    /// What came back instead.
    pub refusal: Refusal,
}

/// Asks about every start and stop of a plan whether it would be accepted now, at most `at_once` at one time. What is
/// refused becomes blocked, and so does what has to come after it. Changes nothing else.
///
/// Only a refusal that would stay one counts. Of an instance that is busy or has moved, or where the answer did not
/// come, nothing is known: such calls stay in the plan, and come back in the order of the plan.
pub async fn preflight<C: Rehearse + 'static>(
    plan: &mut Plan,
    clouds: &Clouds<C>,
    at_once: NonZeroUsize,
) -> Vec<Unsettled> {
    let mut questions = plan.changes.iter().enumerate().filter_map(|(position, change)| {
        let cloud = clouds.get(&change.key.provider)?;
        Some((position, Arc::clone(cloud), Question::of(change)?))
    });
    let mut asking = JoinSet::new();
    let mut answers = Vec::new();
    loop {
        while asking.len() < at_once.get()
            && let Some((position, cloud, question)) = questions.next()
        {
            asking.spawn(async move { (position, question.ask(cloud.as_ref()).await) });
        }
        match asking.join_next().await {
            Some(Ok(answer)) => answers.push(answer),
            Some(Err(error)) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
            None => break,
        }
    }
    drop(questions);
    answers.sort_by_key(|(position, _)| *position);

    let mut refused = Vec::new();
    let mut unsettled = Vec::new();
    for (position, answer) in answers {
        let change = &plan.changes[position];
        let (Err(refusal), Some(call)) = (answer, change.verdict.certain_request().map(Request::call)) else {
            continue;
        };
        match (refusal.advice, refusal.code.clone()) {
            (Advice::Final | Advice::Capacity, Some(code)) => {
                refused.push((change.key.clone(), block(call, code, refusal)));
            }
            // The call waits for another status anyway; what was checked before the status was in order.
            (Advice::WrongStatus, _) if waits(&change.verdict) => {}
            _ => unsettled.push(Unsettled { address: change.address.clone(), call, refusal }),
        }
    }
    refuse(plan, refused);
    unsettled
}

enum Question {
    Start(StartRequest),
    Stop(StopRequest),
}

impl Question {
    fn of(change: &Change) -> Option<Self> {
        let id = change.key.id.clone();
        Some(match change.verdict.certain_request()? {
            Request::Start { init_local_disk } => Self::Start(StartRequest { id, init_local_disk }),
            Request::Stop { policy } => Self::Stop(StopRequest { id, policy }),
        })
    }

    async fn ask<C: Rehearse>(self, cloud: &C) -> Result<(), Refusal> {
        match self {
            Self::Start(request) => cloud.would_start(request).await,
            Self::Stop(request) => cloud.would_stop(request).await,
        }
    }
}

fn waits(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Start { once_stopped: true, .. } | Verdict::Stop { once_running: true, .. })
}

fn block(call: Call, code: String, refusal: Refusal) -> Block {
    let link = refusal.recommend.filter(|link| link.starts_with("https://"));
    let remedy = match refusal.remedy {
        Some(remedy) => Some(remedy.into_owned()),
        None => link.map(|link| format!("see {link}")),
    };
    Block::Refused { call, code, message: refusal.message, request_id: refusal.request_id, remedy }
}

#[cfg(test)]
mod tests;
