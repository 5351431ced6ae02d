//! `powerform plan`: look, decide, show. Changes nothing, writes nothing, takes no lock.

use super::arguments::{Plan, Showing};
use super::configuration::{Loaded, load};
use super::connection::connect;
use super::failure::{Exit, Failure};
use super::{Level, Session};
use crate::cloud::{Cloud, Clouds};
use crate::fleet::Recorded;
use crate::reconcile::{Preview, preview};
use crate::render::json::v1;
use crate::render::{human, words};
use crate::state::{LockError, Store as _};

pub(super) async fn run(session: &Session<'_>, arguments: &Plan) -> Result<Exit, Failure> {
    begin(session, &arguments.showing)?;
    let loaded = load(session)?;
    let store = loaded.backend();
    match store.holder().await {
        Ok(Some(holder)) => session.console.say(
            Level::Note,
            format_args!("the state is locked by {holder}; what is planned here may be under way already"),
        ),
        Ok(None) => {}
        Err(error @ LockError::Held { .. }) => session.console.say(Level::Note, error),
        Err(error) => session.console.say(Level::Warning, error),
    }
    let recorded = store.load().await?;
    let clouds = connect(session, &loaded).await?;
    let preview = look(session, &loaded, recorded.as_ref(), &clouds).await?;
    show(session, &arguments.showing, &preview);
    let changes = arguments.detailed_exitcode && preview.plan.tally().holds_anything();
    Ok(if changes { Exit::Changes } else { Exit::Success })
}

/// Makes ready the streams that plan and apply write to.
pub(super) fn begin(session: &Session<'_>, showing: &Showing) -> anyhow::Result<()> {
    if showing.json {
        session.console.speak_json();
    }
    if let Some(path) = &showing.json_into {
        session.console.json_into(&session.path(path))?;
    }
    if session.console.takes_json_lines() {
        let version = v1::version(session.environment.now(), env!("CARGO_PKG_VERSION"));
        session.console.json_line(&version);
    }
    Ok(())
}

/// Looks and decides; an interruption ends it.
pub(super) async fn look<C: Cloud + 'static>(
    session: &Session<'_>,
    loaded: &Loaded,
    recorded: Option<&Recorded>,
    clouds: &Clouds<C>,
) -> Result<Preview, Failure> {
    let looking = preview(&loaded.configuration.desired, recorded, clouds, session.environment.now());
    let preview = tokio::select! {
        preview = looking => preview?,
        () = session.interruption.asked() => return Err(Failure::Interrupted),
    };
    for failure in &preview.failures {
        let region =
            clouds.get(&failure.provider).map(|cloud| cloud.region().to_string()).unwrap_or_default();
        session.console.say(
            Level::Error,
            format_args!(
                "{} in {region} could not be looked at: {}. What to do: {}",
                words::count(failure.instances, "instance"),
                words::message(&failure.refusal.message),
                words::remedy_of(&failure.refusal),
            ),
        );
    }
    Ok(preview)
}

/// Shows a plan to all who read it.
pub(super) fn show(session: &Session<'_>, showing: &Showing, preview: &Preview) {
    let console = session.console;
    console.result(&human::plan(&preview.plan, console.out_style(), showing.all));
    if console.takes_json_lines() {
        for line in v1::plan(session.environment.now(), &preview.plan) {
            console.json_line(&line);
        }
    }
}
