//! Whether a command inside of an instance ends well.

use std::time::Duration;

use tokio::time::sleep;

use super::{NotReady, ended, last_line};
use crate::cloud::{Advice, Assistant, Clouds, Invocation, Ran, Refusal};
use crate::fleet::InstanceKey;

/// The first look at what became of a command.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The later ones.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a command that came at a bad moment waits, where nobody says how long.
const BAD_MOMENT: Duration = Duration::from_secs(1);

/// Has the script run, and looks until it has ended. Given up, it is ended in the instance by the cloud.
pub(super) async fn ask<A: Assistant>(
    assistants: &Clouds<A>,
    key: &InstanceKey,
    script: &str,
    time: Duration,
) -> Result<(), NotReady> {
    let Some(assistant) = assistants.get(&key.provider) else {
        return Err(NotReady::new(format!("there is no connection for the provider {}", key.provider)));
    };
    let invocation = run(assistant.as_ref(), key, script, time).await?;
    sleep(FIRST_PAUSE).await;
    loop {
        match assistant.outcome(&invocation).await {
            Ok(Ran::StillRunning) => sleep(PAUSE).await,
            Ok(Ran::Ended { exit_code: 0, .. }) => return Ok(()),
            Ok(Ran::Ended { exit_code, output }) => {
                return Err(ended(&format!("exit status {exit_code}"), last_line(&output)));
            }
            Ok(Ran::Failed { why }) => return Err(NotReady::new(why)),
            Err(refusal) => return Err(refused(&refusal)),
        }
    }
}

/// A command that is refused before it is looked at may be sent again; any other is sent once.
async fn run<A: Assistant>(
    assistant: &A,
    key: &InstanceKey,
    script: &str,
    time: Duration,
) -> Result<Invocation, NotReady> {
    loop {
        match assistant.run(&key.id, script, time).await {
            Ok(invocation) => return Ok(invocation),
            Err(Refusal { advice: Advice::Throttled { retry_after }, .. }) => {
                sleep(retry_after.unwrap_or(BAD_MOMENT).max(BAD_MOMENT / 4)).await;
            }
            Err(refusal) => return Err(refused(&refusal)),
        }
    }
}

/// What only a person can change comes with what to do.
fn refused(refusal: &Refusal) -> NotReady {
    match &refusal.remedy {
        Some(remedy) if refusal.advice == Advice::Final => NotReady::new(format!("{refusal}; {remedy}")),
        _ => NotReady::new(refusal.to_string()),
    }
}
