//! `powerform graph`: draws a saved plan, or looks as `plan` does and draws what it finds. Changes nothing, writes
//! nothing, takes no lock.

use super::arguments::{Graph as Arguments, GraphFormat};
use super::configuration::{Loaded, load};
use super::connection::connect;
use super::failure::{Chain, Exit, Failure};
use super::plan::look;
use super::{Level, Session, plan_file};
use crate::plan::{Pattern, Plan, Scope, Shape};
use crate::render::graph::{self, Graph};
use crate::state::Store as _;

pub(super) async fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Exit, Failure> {
    let graph = match &arguments.plan {
        Some(path) => Graph::of_plan(&plan_file::read(&session.path(path))?.plan),
        None => of_configuration(session, arguments).await?,
    };
    session.console.document(&match arguments.format {
        GraphFormat::Dot => graph::dot(&graph),
        GraphFormat::Mermaid => graph::mermaid(&graph),
        GraphFormat::Svg => graph::svg(&graph),
    });
    Ok(Exit::Success)
}

async fn of_configuration(session: &Session<'_>, arguments: &Arguments) -> Result<Graph, Failure> {
    let loaded = load(session)?;
    let desired = &loaded.configuration.desired;
    if arguments.offline {
        return Ok(Graph::of_goals(desired));
    }
    let patterns = |given: &[String]| given.iter().cloned().map(Pattern).collect();
    let scope = Scope { targets: patterns(&arguments.target), excludes: patterns(&arguments.exclude) };
    let is_all = scope.is_everything() && !arguments.power_off;
    let shape = Shape { scope, power_off: arguments.power_off, ..Shape::default() };
    match looked(session, &loaded, &shape).await {
        Ok(plan) => Ok(Graph::of_plan(&plan)),
        // What was asked for needs a look; everything else is known from the configuration.
        Err(Failure::Other(error)) if is_all => {
            session.console.say(
                Level::Warning,
                format_args!(
                    "the instances could not be looked at, so this is only what the configuration wants: {}",
                    Chain(&error)
                ),
            );
            Ok(Graph::of_goals(desired))
        }
        Err(failure) => Err(failure),
    }
}

async fn looked(session: &Session<'_>, loaded: &Loaded, shape: &Shape) -> Result<Plan, Failure> {
    // The record explains what is seen and decides nothing: without it, less is said.
    let recorded = match loaded.backend().load().await {
        Ok(recorded) => recorded,
        Err(error) => {
            session.console.say(Level::Warning, format_args!("drawn without the state: {error}"));
            None
        }
    };
    let connections = connect(session, loaded).await?;
    Ok(look(session, loaded, shape, recorded.as_ref(), &connections, false).await?.plan)
}
