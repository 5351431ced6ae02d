//! `powerform plan`: look, decide, show. Changes nothing, writes nothing, takes no lock.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use anyhow::anyhow;

use super::arguments::{Plan, Shaping, Showing};
use super::configuration::{Loaded, load};
use super::connection::{Connections, accounts, connect, own_instance};
use super::failure::{Exit, Failure};
use super::{Level, Session, plan_file};
use crate::cloud::{Cloud, Clouds, Rehearse};
use crate::config::nearest;
use crate::fleet::{CallLimits, Recorded};
use crate::plan::{self, Call, NoMatch, Pattern, SavedPlan, Scope, Shape, spare_own_machine};
use crate::reconcile::{Preview, PreviewError, Unsettled, preflight, preview};
use crate::render::json::v1;
use crate::render::visible::visible;
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
        Ok(None) => {
            // Only for information, and the next look says what is wrong with the place.
            if let Ok(Some(left)) = store.left_behind().await {
                session.console.say(
                    Level::Note,
                    format_args!(
                        "a process that has ended left its lock on the state: {left}. It may have been killed at \
                         work; the next apply takes the lock over"
                    ),
                );
            }
        }
        Err(error @ LockError::Held { .. }) => session.console.say(Level::Note, error),
        Err(error) => session.console.say(Level::Warning, error),
    }
    let recorded = store.load().await?;
    let connections = connect(session, &loaded).await?;
    let shape = Shape { preflight: arguments.preflight, ..shape(&arguments.shaping) };
    let mut preview = look(session, &loaded, &shape, recorded.as_ref(), &connections, false).await?;
    if shape.preflight {
        rehearse(session, &loaded, &mut preview, &connections.clouds).await?;
    }
    show(session, &arguments.showing, &shape, &preview);
    warn_over_limits(session, &preview.plan, loaded.configuration.limits);
    let holds_anything = if shape.refresh_only {
        !preview.plan.changes.is_empty()
    } else {
        preview.plan.tally().holds_anything()
    };
    if let Some(path) = &arguments.out {
        let saved = SavedPlan {
            made_at: session.environment.now(),
            lineage: recorded.as_ref().map(|recorded| recorded.lineage),
            serial: recorded.as_ref().map_or(0, |recorded| recorded.serial),
            configuration: loaded.configuration.digest.clone(),
            limits: loaded.configuration.limits,
            accounts: accounts(&connections.clouds),
            shape,
            plan: preview.plan,
        };
        plan_file::write(&session.path(path), &saved)?;
        let path = path.display().to_string();
        let path = visible(&path);
        session.console.result(&format!(
            "\nSaved this plan to {path}. Carry out exactly this with: powerform apply {path}\n"
        ));
    }
    Ok(if arguments.detailed_exitcode && holds_anything { Exit::Changes } else { Exit::Success })
}

/// The shape that the command line asks for.
pub(super) fn shape(arguments: &Shaping) -> Shape {
    let patterns = |given: &[String]| given.iter().cloned().map(Pattern).collect();
    Shape {
        scope: Scope { targets: patterns(&arguments.target), excludes: patterns(&arguments.exclude) },
        power_off: arguments.power_off,
        refresh_only: arguments.refresh_only,
        preflight: false,
    }
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

/// Looks and decides; an interruption ends it. A stop of the machine that this runs on is blocked, unless it is allowed.
pub(super) async fn look(
    session: &Session<'_>,
    loaded: &Loaded,
    shape: &Shape,
    recorded: Option<&Recorded>,
    connections: &Connections,
    allow_self_stop: bool,
) -> Result<Preview, Failure> {
    let now = session.environment.now();
    let Connections { clouds, unconnected } = connections;
    let looking = preview(&loaded.configuration.desired, shape, recorded, clouds, unconnected, now);
    let mut preview = tokio::select! {
        preview = looking => preview.map_err(explain)?,
        () = session.interruption.asked() => return Err(Failure::Interrupted),
    };
    if preview.plan.calls(Call::Stop) > 0 {
        let own = tokio::select! {
            own = own_instance(session, loaded) => own,
            () = session.interruption.asked() => return Err(Failure::Interrupted),
        };
        if let Some(own) = own {
            spare_own_machine(&mut preview.plan, &own, allow_self_stop);
        }
    }
    for failure in &preview.failures {
        // Why a provider is not connected has been said.
        let Some(cloud) = clouds.get(&failure.provider) else { continue };
        let region = cloud.region();
        session.console.say(
            Level::Error,
            format_args!(
                "{} in {region} could not be looked at: {}. What to do: {}",
                words::count(failure.instances, "instance"),
                failure.refusal,
                words::remedy_of(&failure.refusal),
            ),
        );
    }
    Ok(preview)
}

/// Asks ECS about every call of the plan; an interruption ends it.
async fn rehearse<C: Rehearse + 'static>(
    session: &Session<'_>,
    loaded: &Loaded,
    preview: &mut Preview,
    clouds: &Clouds<C>,
) -> Result<(), Failure> {
    let providers = loaded.providers();
    let at_once = providers.iter().map(|alias| loaded.provider(alias).max_in_flight).min();
    let at_once = at_once.and_then(|most| most.try_into().ok()).unwrap_or(NonZeroUsize::MIN);
    let unsettled = tokio::select! {
        unsettled = preflight(&mut preview.plan, clouds, at_once) => unsettled,
        () = session.interruption.asked() => return Err(Failure::Interrupted),
    };
    // What befell many of them is said once.
    let mut alike: BTreeMap<(&str, Call), Vec<&Unsettled>> = BTreeMap::new();
    for one in &unsettled {
        let what = one.refusal.code.as_deref().unwrap_or(&one.refusal.message);
        alike.entry((what, one.call)).or_default().push(one);
    }
    for ((_, call), alike) in alike {
        let Some(first) = alike.first() else { continue };
        let names: Vec<String> = alike.iter().map(|one| words::address(&one.address)).collect();
        let call = match call {
            Call::Start => "start",
            Call::Stop => "stop",
        };
        session.console.say(
            Level::Warning,
            format_args!(
                "asked beforehand, ECS did not say whether it would {call} {}: {}. What to do: {}",
                words::list(&names, words::LISTED),
                first.refusal,
                words::remedy_of(&first.refusal),
            ),
        );
    }
    Ok(())
}

/// A pattern that matches nothing is most often a slip of the finger.
fn explain(error: PreviewError) -> anyhow::Error {
    if let PreviewError::NoMatch(NoMatch { pattern, known }) = &error
        && let Some(near) = nearest(pattern, known.iter().map(String::as_str))
    {
        return anyhow!("{error}; did you mean \"{near}\"?");
    }
    error.into()
}

/// Says which limits a plan is over.
pub(super) fn warn_over_limits(session: &Session<'_>, plan: &plan::Plan, limits: CallLimits) {
    for excess in plan.over(limits) {
        session.console.say(
            Level::Warning,
            format_args!("this plan {}: apply takes it with --allow-over-limit only", words::excess(&excess)),
        );
    }
}

/// Shows a plan to all who read it.
pub(super) fn show(session: &Session<'_>, showing: &Showing, shape: &Shape, preview: &Preview) {
    let console = session.console;
    let style = console.out_style();
    if shape.refresh_only {
        console.result(&human::drift(&preview.plan, style, showing.all));
    } else {
        console.result(&human::plan(&preview.plan, style, showing.all));
    }
    for (addresses, what) in [
        (&preview.taken_in, "taken in too, because what is targeted needs them"),
        (&preview.left_out, "left out too, because they need what is excluded"),
    ] {
        if !addresses.is_empty() {
            let names: Vec<String> = addresses.iter().map(words::address).collect();
            let most = if showing.all { names.len() } else { words::LISTED };
            console.say(Level::Note, format_args!("{what}: {}", words::list(&names, most)));
        }
    }
    if console.takes_json_lines() {
        for line in v1::plan(session.environment.now(), &preview.plan) {
            console.json_line(&line);
        }
    }
}
