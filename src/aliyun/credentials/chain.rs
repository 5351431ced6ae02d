//! Which places are looked at for credentials, and in which order.
//!
//! The order is that of the official libraries' default chain. A profile that the configuration names comes before
//! all of it, and then nothing else is looked at.

use super::cli_profile::{self, CliProfile};
use super::environment::Environment;
use super::ini::IniFile;
use super::metadata::Metadata;
use super::oidc::OidcOfEnvironment;
use super::provider::{Context, Missing, Provider};
use super::role::{self, AssumedRole};
use super::source::fetch;
use super::uri::UriOfEnvironment;
use super::{CredentialError, CredentialSource, PassedOver};
use crate::aliyun::sts::Role;
use crate::aliyun::surroundings::Surroundings;

/// What the configuration says about credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A profile of the Alibaba Cloud CLI. It beats the environment.
    pub profile: Option<String>,
    /// A role to take on with whatever is found.
    pub role: Option<Role>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The credentials.
    pub source: CredentialSource,
    /// What is odd about how they were found.
    pub warnings: Vec<String>,
}

/// Looks for credentials until there are some.
///
/// A place that is set up but does not work is passed over as the official libraries do it, and is among the warnings.
///
/// # Errors
/// [`CredentialError`]: every place that was looked at, in order, with the reason why it was passed over; or the one
/// place that the configuration names, with what is wrong there.
pub async fn find(wanted: &Wanted, context: &Context) -> Result<Found, CredentialError> {
    let mut passed_over: Vec<(String, Missing)> = Vec::new();
    for provider in places(wanted) {
        let place = provider.place();
        match fetch(provider.as_ref(), context).await {
            Ok(mut grant) => {
                tracing::debug!(place = grant.credentials.source, "credentials were found");
                let mut warnings = std::mem::take(&mut grant.warnings);
                warnings.extend(passed_over.iter().filter_map(|(place, missing)| match missing {
                    Missing::Broken(why) => Some(format!(
                        "{place} was passed over, and credentials are taken from {}: {why}",
                        grant.credentials.source
                    )),
                    Missing::Absent(_) => None,
                }));
                let source = CredentialSource::renewing(grant, provider, context.clone());
                return with_role(wanted, source, warnings, context).await;
            }
            Err(missing) => {
                tracing::debug!(place, why = missing.why(), "no credentials here");
                passed_over.push((place, missing));
            }
        }
    }
    let mut passed_over =
        passed_over.into_iter().map(|(place, missing)| PassedOver { place, why: missing.why().to_owned() });
    match (&wanted.profile, passed_over.next()) {
        (Some(_), Some(PassedOver { place, why })) => Err(CredentialError::Unusable { place, why }),
        (_, first) => Err(CredentialError::NotFound(first.into_iter().chain(passed_over).collect())),
    }
}

/// The region of the profile that is used, whoever's credentials are, and where it is written.
#[must_use]
pub fn region_of_profile(wanted: &Wanted, around: &Surroundings) -> Option<(String, String)> {
    cli_profile::region(wanted.profile.as_deref(), around)
}

fn places(wanted: &Wanted) -> Vec<Box<dyn Provider>> {
    if let Some(name) = &wanted.profile {
        return vec![Box::new(CliProfile { name: Some(name.clone()) })];
    }
    vec![
        Box::new(Environment),
        Box::new(OidcOfEnvironment),
        Box::new(CliProfile { name: None }),
        Box::new(IniFile),
        Box::new(Metadata),
        Box::new(UriOfEnvironment),
    ]
}

async fn with_role(
    wanted: &Wanted,
    source: CredentialSource,
    warnings: Vec<String>,
    context: &Context,
) -> Result<Found, CredentialError> {
    // What belongs to the environment doesn't reach a profile that the configuration names.
    let of_environment = || role::of_environment(&context.surroundings).filter(|_| wanted.profile.is_none());
    let Some(role) = wanted.role.clone().or_else(of_environment) else {
        return Ok(Found { source, warnings });
    };
    let provider = AssumedRole { base: source, role };
    match fetch(&provider, context).await {
        Ok(grant) => {
            let source = CredentialSource::renewing(grant, Box::new(provider), context.clone());
            Ok(Found { source, warnings })
        }
        Err(missing) => Err(CredentialError::Unusable {
            place: format!("{}, taken on from {}", provider.place(), provider.base.place()),
            why: missing.why().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
