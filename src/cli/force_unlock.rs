//! `powerform force-unlock`: removes a lock that nobody works under any more, after asking.

use anyhow::anyhow;

use super::Session;
use super::arguments::ForceUnlock;
use super::configuration::load;
use super::failure::{Exit, Failure};
use crate::render::visible::visible;
use crate::state::Store as _;

pub(super) async fn run(session: &Session<'_>, arguments: &ForceUnlock) -> Result<Exit, Failure> {
    if !arguments.force && !session.environment.stdin_is_terminal {
        return Err(anyhow!(
            "force-unlock asks before it removes a lock, and there is no terminal to ask on: give --force if nobody \
             works under it any more"
        )
        .into());
    }
    let store = load(session)?.backend();
    if !arguments.force {
        let what = format!(
            "Removing the lock {} lets others apply at once; whoever still works under it may undo their work.",
            arguments.id
        );
        super::approval::ask(session, &what).await?;
    }
    let was = store.force_unlock(arguments.id).await?;
    session.console.result(&format!("Removed the lock of {}.\n", visible(&was.to_string())));
    Ok(Exit::Success)
}
