//! `powerform force-unlock`: removes a lock that nobody works under any more, after asking.

use anyhow::anyhow;

use super::arguments::ForceUnlock;
use super::configuration::load;
use super::failure::{Exit, Failure};
use super::{Session, approval};
use crate::render::visible::visible;
use crate::state::{LockInfo, Store as _};

pub(super) async fn run(session: &Session<'_>, arguments: &ForceUnlock) -> Result<Exit, Failure> {
    let store = load(session)?.backend();
    let left = store.left_behind().await?;
    // A lock that cannot be removed, or is not there, is refused below, without a question.
    if let Some(left) = left.filter(|left| left.id == arguments.id && !arguments.force) {
        approve(session, &left).await?;
    }
    let was = store.force_unlock(arguments.id).await?;
    session.console.result(&format!("Removed the lock of {}.\n", visible(&was.to_string())));
    Ok(Exit::Success)
}

async fn approve(session: &Session<'_>, left: &LockInfo) -> Result<(), Failure> {
    if !session.environment.stdin_is_terminal {
        return Err(anyhow!(
            "force-unlock asks before it removes a lock, and there is no terminal to ask on: give --force if nobody \
             works under it any more"
        )
        .into());
    }
    let left = left.to_string();
    let what = format!(
        "Removing the lock of {} lets others apply at once; whoever still works under it may undo their work.",
        visible(&left)
    );
    if approval::is_given(session, &what, "Do you want to remove the lock?").await? {
        Ok(())
    } else {
        Err(anyhow!("not approved: the lock was left as it is").into())
    }
}
