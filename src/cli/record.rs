//! `powerform show` and `powerform state`: what is recorded, and what a saved plan holds. Only `state rm` changes
//! anything.

use std::time::Duration;

use anyhow::anyhow;

use super::apply::{lock, unlock};
use super::arguments::Show;
use super::configuration::load;
use super::failure::{Exit, Failure};
use super::plan::warn_over_limits;
use super::{Session, plan_file, report};
use crate::config::nearest;
use crate::fleet::{Address, InstanceKey, Recorded};
use crate::render::json::v1;
use crate::render::{human, markdown, words};
use crate::state::Store as _;

pub(super) async fn show(session: &Session<'_>, arguments: &Show) -> Result<Exit, Failure> {
    if let Some(page) = &arguments.report {
        return match arguments.plan {
            Some(_) => Err(anyhow!(
                "a report tells how an apply went, and a saved plan has not been applied: leave the plan out to get the \
                 report of the last apply, or give --report to the apply of this plan"
            )
            .into()),
            None => report::show(session, page).await,
        };
    }
    if let Some(path) = &arguments.plan {
        let saved = plan_file::read(&session.path(path))?;
        if arguments.json {
            session.console.document(&v1::saved_plan(&saved));
            return Ok(Exit::Success);
        }
        if arguments.markdown {
            session.console.document(&markdown::saved_plan(&saved));
            return Ok(Exit::Success);
        }
        session.console.result(&human::saved_plan(&saved));
        if saved.shape.refresh_only {
            session.console.result(&human::drift(&saved.plan, session.console.out_style(), arguments.all));
        } else {
            session.console.result(&human::plan(&saved.plan, session.console.out_style(), arguments.all));
        }
        warn_over_limits(session, &saved.plan, saved.limits);
        return Ok(Exit::Success);
    }
    let recorded = recorded(session).await?;
    if arguments.json {
        session.console.document(&v1::state(&recorded));
    } else {
        session.console.result(&human::state(&recorded, session.console.out_style()));
    }
    Ok(Exit::Success)
}

pub(super) async fn list(session: &Session<'_>, json: bool) -> Result<Exit, Failure> {
    let recorded = recorded(session).await?;
    if json {
        session.console.document(&v1::state_list(&recorded));
    } else {
        session.console.result(&human::state_list(&recorded));
    }
    Ok(Exit::Success)
}

pub(super) async fn show_address(session: &Session<'_>, address: &Address) -> Result<Exit, Failure> {
    let recorded = recorded(session).await?;
    match human::state_show(&recorded, address) {
        Some(text) => {
            session.console.result(&text);
            Ok(Exit::Success)
        }
        None => Err(not_recorded(&recorded, address).into()),
    }
}

pub(super) async fn remove(
    session: &Session<'_>,
    address: &Address,
    lock_timeout: Duration,
) -> Result<Exit, Failure> {
    let loaded = load(session)?;
    let store = loaded.backend();
    let held = lock(session, &loaded, &store, "state rm", lock_timeout).await?;
    let outcome = async {
        let mut recorded = match store.load().await? {
            Some(recorded) => recorded,
            None => Recorded::new(loaded.configuration.desired.stack.clone(), uuid::Uuid::nil()),
        };
        let gone: Vec<(InstanceKey, Address)> = recorded
            .instances
            .iter()
            .filter(|(_, record)| address.takes_in(&record.address))
            .map(|(key, record)| (key.clone(), record.address.clone()))
            .collect();
        if gone.is_empty() {
            return Err(Failure::from(not_recorded(&recorded, address)));
        }
        for (key, _) in &gone {
            recorded.instances.remove(key);
        }
        recorded.serial += 1;
        store.save(&recorded, &held).await?;
        Ok(gone)
    }
    .await;
    unlock(session, &store, held).await;
    let gone = outcome?;
    for (key, address) in &gone {
        session.console.result(&format!("Forgot {} ({}).\n", words::address(address), key.id));
    }
    session.console.result("The instances were not touched.\n");
    Ok(Exit::Success)
}

async fn recorded(session: &Session<'_>) -> Result<Recorded, Failure> {
    let loaded = load(session)?;
    let stack = loaded.configuration.desired.stack.clone();
    // What was never written has no lineage yet.
    Ok(loaded.backend().load().await?.unwrap_or_else(|| Recorded::new(stack, uuid::Uuid::nil())))
}

fn not_recorded(recorded: &Recorded, address: &Address) -> anyhow::Error {
    if recorded.instances.is_empty() {
        return anyhow!("{address} is not in the record. {}", human::nothing_recorded(recorded));
    }
    let known: Vec<String> = recorded.instances.values().map(|record| record.address.to_string()).collect();
    match nearest(&address.to_string(), known.iter().map(String::as_str)) {
        Some(near) => anyhow!("{address} is not in the record; did you mean {near}?"),
        None => anyhow!("{address} is not in the record; `powerform state list` shows what is"),
    }
}
