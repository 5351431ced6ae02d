//! `powerform simulator`: serves a simulated ECS on this machine, or clicks in it as someone else.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::net::{TcpListener, lookup_host};

use super::arguments::{Serve, Simulator, SimulatorCommand};
use super::failure::{Exit, Failure};
use super::{Level, Session};
use crate::config::nearest;
use crate::fleet::duration::Words;
use crate::render::visible::visible;
use crate::simulator::{self, Status};

/// A longer lag is told instead.
const LONGEST_LAG_TO_WAIT_OUT: Duration = Duration::from_secs(2);

pub(super) async fn run(session: &Session<'_>, arguments: Simulator) -> Result<Exit, Failure> {
    match (arguments.command, arguments.serve) {
        (Some(SimulatorCommand::Set { account, id, status }), _) => {
            let is_known = check_status(&status)?;
            let simulator = simulator::Simulator::open(&session.path(&account))?;
            simulator.set(&id, &status)?;
            if !is_known {
                session.console.say(
                    Level::Note,
                    format_args!("ECS has no status \"{status}\"; reads show it as it is, to see what clients make of it"),
                );
            }
            let (id, status) = (visible(&id), visible(&status));
            let lag = simulator.lag();
            if lag <= LONGEST_LAG_TO_WAIT_OUT {
                // Whoever looks next shall see it.
                tokio::time::sleep(lag).await;
                session.console.result(&format!("{id} is {status} now.\n"));
            } else {
                let lag = Words(lag);
                session
                    .console
                    .result(&format!("{id} is {status} now. Reads show it in {lag}: the account's lag.\n"));
            }
            Ok(Exit::Success)
        }
        (None, Some(serve)) => self::serve(session, &serve).await,
        (None, None) => Err(anyhow!(
            "give --account FILE with the instances to simulate, or `simulator set` to change one of them"
        )
        .into()),
    }
}

/// Whether ECS has this status. Any other word may be set, but not one that is probably misspelt.
fn check_status(word: &str) -> anyhow::Result<bool> {
    let Status::Other(_) = Status::from(word.to_owned()) else { return Ok(true) };
    let known = Status::DOCUMENTED.into_iter().chain([Status::Released]);
    let known: Vec<String> = known.map(String::from).collect();
    match nearest(word, known.iter().map(String::as_str)) {
        Some(near) => Err(anyhow!("\"{word}\" is not a status; did you mean {near}?")),
        None => Ok(false),
    }
}

async fn serve(session: &Session<'_>, arguments: &Serve) -> Result<Exit, Failure> {
    let files: Vec<PathBuf> = arguments.accounts.iter().map(|account| session.path(account)).collect();
    let simulators = simulator::Simulator::open_all(&files)?;
    let context = || format!("cannot listen on {}", arguments.listen);
    let address = lookup_host(&arguments.listen).await.with_context(context)?.next().with_context(context)?;
    if !address.ip().is_loopback() {
        return Err(anyhow!(
            "cannot listen on {address}: the simulator serves this machine only; write --listen 127.0.0.1:{}",
            address.port()
        )
        .into());
    }
    let listener = TcpListener::bind(address).await.with_context(context)?;
    let address = listener.local_addr().with_context(context)?;
    let accounts: Vec<String> = arguments
        .accounts
        .iter()
        .map(|account| visible(&account.display().to_string()).to_string())
        .collect();
    let accounts = accounts.join(", ");
    let began =
        || session.console.result(&format!("Serving {accounts} on http://{address} until interrupted.\n"));
    simulator::Simulator::serve_all(simulators, listener, began, session.interruption.asked())
        .await
        .context("the simulator has ended")?;
    Ok(Exit::Success)
}
