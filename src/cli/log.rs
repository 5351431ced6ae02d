//! The log: what the program does inside, on stderr, for those who ask.

use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::arguments::{Global, LogFormat};
use super::environment::Environment;

/// Begins to log, if `--log` or `POWERFORM_LOG` asks for it.
///
/// A bare level means this program's own messages: the libraries below would drown them.
pub(super) fn begin(global: &Global, environment: Environment) -> Result<()> {
    let Some(filter) = global.log.clone().or_else(|| environment.variable("POWERFORM_LOG")) else {
        return Ok(());
    };
    let spelled = match tracing::level_filters::LevelFilter::from_str(&filter) {
        Ok(level) => format!("powerform={level}"),
        Err(_) => filter.clone(),
    };
    let targets = Targets::from_str(&spelled).with_context(|| {
        format!(
            "the log filter \"{filter}\" cannot be read: write a level (error, warn, info, debug, trace) or targets \
             like powerform::aliyun=debug"
        )
    })?;
    let registry = tracing_subscriber::registry().with(targets);
    match global.log_format {
        LogFormat::Text => registry
            .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false))
            .try_init(),
        LogFormat::Json => {
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init()
        }
    }
    .context("the log cannot be begun")
}
