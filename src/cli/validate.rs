//! `powerform validate`: everything that can be checked without the network.

use super::Session;
use super::arguments::{Annotations, Validate};
use super::configuration::load;
use super::failure::{Exit, Failure};
use crate::render::annotations;
use crate::render::json::v1::{self, Diagnostic, Severity};
use crate::render::visible::visible;
use crate::render::words;

/// How many files are named.
const MOST_NAMED: usize = 8;

pub(super) fn run(session: &Session<'_>, arguments: &Validate) -> Result<Exit, Failure> {
    let outcome = load(session);
    let document: Option<fn(&[Diagnostic]) -> String> = match arguments.annotations {
        Some(Annotations::Github) => Some(annotations::github),
        Some(Annotations::Gitlab) => Some(annotations::gitlab),
        None => arguments.json.then_some(v1::validation),
    };
    if let Some(document) = document {
        let diagnostics = match &outcome {
            Ok(loaded) => loaded.warnings.clone(),
            Err(Failure::Configuration { diagnostics, .. }) => diagnostics.clone(),
            Err(Failure::Other(error)) => {
                vec![Diagnostic::new(Severity::Error, super::Chain(error).to_string(), "")]
            }
            Err(Failure::Interrupted) => return outcome.map(|_| Exit::Success),
        };
        let text = document(&diagnostics);
        if !text.is_empty() {
            session.console.document(&text);
        }
        return Ok(if outcome.is_ok() { Exit::Success } else { Exit::Failure });
    }
    let loaded = outcome?;
    let desired = &loaded.configuration.desired;
    let instances: usize = desired.entries.iter().map(|entry| entry.ids().len()).sum();
    session.console.result(&format!(
        "{}: stack {}, {}, {}.\n",
        valid(&loaded.names),
        desired.stack,
        match desired.entries.len() {
            1 => "1 entry".to_owned(),
            entries => format!("{entries} entries"),
        },
        words::count(instances, "instance"),
    ));
    Ok(Exit::Success)
}

/// What is valid.
fn valid(names: &[String]) -> String {
    match names {
        [only] => format!("{} is valid", visible(only)),
        _ => {
            let mut named: Vec<String> =
                names.iter().take(MOST_NAMED).map(|name| visible(name).into_owned()).collect();
            if let Some(more) = names.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
                named.push(format!("{more} more"));
            }
            format!("{} files are valid ({})", names.len(), named.join(", "))
        }
    }
}
