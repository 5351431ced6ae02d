//! Profiles of the Alibaba Cloud CLI: `~/.aliyun/config.json`.

mod document;

use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use self::document::{Document, Mode, Profile};
use super::oidc::OidcRole;
use super::provider::{Context, Fetching, Grant, Lifetime, Missing, Provider};
use super::{Credentials, SESSION_NAME, external, metadata, open_file_warning, role, uri};
use crate::aliyun::sts::Role;
use crate::aliyun::surroundings::{SecretFile, Surroundings};

/// Name the file. The second is the Terraform provider's.
const FILE: [&str; 2] = ["ALIBABA_CLOUD_CONFIG_FILE", "ALICLOUD_SHARED_CREDENTIALS_FILE"];
/// The file, below the home folder.
const DEFAULT_FILE: &str = ".aliyun/config.json";
/// Name the profile.
pub(super) const PROFILE: [&str; 3] = ["ALIBABA_CLOUD_PROFILE", "ALIBABACLOUD_PROFILE", "ALICLOUD_PROFILE"];
/// Forbid to look at the file at all.
const FORBIDDEN: [&str; 2] = ["ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "ALIBABA_CLOUD_IGNORE_PROFILE"];

/// How many profiles may stand behind each other. Each one is a call to STS.
const MOST_SOURCES: usize = 10;

/// A profile.
pub(super) struct CliProfile {
    /// Its name as the configuration has it; else the environment or the file itself names it.
    pub(super) name: Option<String>,
}

impl Provider for CliProfile {
    fn place(&self) -> String {
        match &self.name {
            Some(name) => format!("the profile \"{name}\" of the Alibaba Cloud CLI"),
            None => "the profile of the Alibaba Cloud CLI".to_owned(),
        }
    }

    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a> {
        Box::pin(async move {
            let file = Opened::new(&context.surroundings)?;
            let name = file.name(self.name.as_deref(), &context.surroundings);
            let mut grant = file.fetch(context, &name).await?;
            if file.open_to_others {
                grant.warnings.push(open_file_warning(&file.path));
            }
            Ok(grant)
        })
    }
}

/// The region of the profile that is named, or else used, and where it is written.
pub(super) fn region(name: Option<&str>, around: &Surroundings) -> Option<(String, String)> {
    let file = Opened::new(around).ok()?;
    let name = file.name(name, around);
    let region = file.document.find(&name)?.values.text("region_id")?.to_owned();
    Some((region, format!("the profile \"{name}\" of {}", file.path.display())))
}

/// The file, read.
struct Opened {
    document: Document,
    path: PathBuf,
    open_to_others: bool,
}

impl Opened {
    fn new(around: &Surroundings) -> Result<Self, Missing> {
        if let Some(forbids) = FORBIDDEN.into_iter().find(|name| around.says_true(name)) {
            return Err(Missing::absent(format!("{forbids} is true")));
        }
        let path = match around.first_variable(&FILE) {
            Some((_, path)) => PathBuf::from(path),
            None => around
                .below_home(DEFAULT_FILE)
                .ok_or_else(|| Missing::absent("there is no home folder (HOME) to look below"))?,
        };
        let shown = path.display();
        let file = SecretFile::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Missing::absent(format!("there is no {shown}")),
            _ => Missing::broken(format!("{shown} cannot be read: {error}")),
        })?;
        let document = Document::read(file.text.expose_secret())
            .map_err(|why| Missing::broken(format!("{shown} cannot be used: {why}")))?;
        Ok(Self { document, path, open_to_others: file.open_to_others })
    }

    fn name(&self, written: Option<&str>, around: &Surroundings) -> String {
        match (written, around.first_variable(&PROFILE)) {
            (Some(written), _) => written.to_owned(),
            (None, Some((_, name))) => name,
            (None, None) => self.document.current().to_owned(),
        }
    }

    async fn fetch(&self, context: &Context, name: &str) -> Result<Grant, Missing> {
        let path = self.path.display();
        let mut profile = self.document.find(name).ok_or_else(|| {
            Missing::absent(format!("{path} has no profile \"{name}\" ({})", self.document.names()))
        })?;
        // The profiles whose roles are taken on one after the other, the last one first.
        let mut roles: Vec<&Profile> = Vec::new();
        while profile.mode == Mode::ChainableRamRoleArn {
            let circle = roles.iter().any(|earlier| earlier.name == profile.name);
            roles.push(profile);
            if circle || roles.len() > MOST_SOURCES {
                let way: Vec<&str> = roles.iter().map(|profile| profile.name.as_str()).collect();
                let what = if circle { "leads in a circle" } else { "leads too far" };
                return Err(Missing::broken(format!(
                    "source_profile {what} in {path}: {}",
                    way.join(" -> ")
                )));
            }
            let source = required(profile, "source_profile")?;
            profile = self.document.find(source).ok_or_else(|| {
                Missing::broken(format!(
                    "the profile \"{}\" of {path} names the source_profile \"{source}\", which is not there ({})",
                    profile.name,
                    self.document.names()
                ))
            })?;
        }
        let source = format!("the profile \"{name}\" of {path}");
        let mut grant = base(context, profile, &source).await?;
        for profile in roles.into_iter().rev() {
            grant = assume(context, profile, &grant.credentials, &source).await?;
        }
        Ok(grant)
    }
}

/// The credentials of a profile that builds on no other one.
async fn base(context: &Context, profile: &Profile, source: &str) -> Result<Grant, Missing> {
    let values = &profile.values;
    match &profile.mode {
        Mode::Ak => Ok(Grant::lasting(key(profile, source, false)?)),
        Mode::StsToken => {
            required(profile, "sts_token")?;
            let grant = Grant::lasting(key(profile, source, true)?);
            let end = values.number("sts_expiration").filter(|second| *second > 0);
            let end = end.and_then(|second| jiff::Timestamp::from_second(second).ok());
            Ok(Grant { lifetime: end.map_or(Lifetime::Unknown, Lifetime::Until), ..grant })
        }
        Mode::RamRoleArn => assume(context, profile, &key(profile, source, true)?, source).await,
        Mode::EcsRamRole => renamed(metadata::fetch(context, values.text("ram_role_name")).await?, source),
        Mode::RamRoleArnWithEcs => {
            let grant = metadata::fetch(context, values.text("ram_role_name")).await?;
            assume(context, profile, &grant.credentials, source).await
        }
        Mode::Oidc => {
            let role = role_of(profile)?;
            let wanted = OidcRole {
                token_file: required(profile, "oidc_token_file")?,
                provider_arn: required(profile, "oidc_provider_arn")?,
                role: &role,
            };
            wanted.fetch(context, values.text("sts_region"), values.truth("enable_vpc"), source).await
        }
        Mode::External => external::fetch(context, required(profile, "process_command")?, source).await,
        Mode::CredentialsUri => uri::fetch(context, required(profile, "credentials_uri")?, source).await,
        Mode::ChainableRamRoleArn => Err(Missing::broken("it builds on another profile")),
        Mode::Refused(mode, remedy) => Err(Missing::broken(format!(
            "the profile \"{}\" has the mode {mode}, which powerform does not support: {remedy}",
            profile.name
        ))),
        Mode::Unknown(mode) => Err(Missing::broken(format!(
            "the profile \"{}\" has the mode \"{}\", which powerform does not know: use AK, StsToken, RamRoleArn, \
             EcsRamRole, ChainableRamRoleArn, OIDC, External or CredentialsURI",
            profile.name,
            mode.chars().take(40).collect::<String>()
        ))),
    }
}

fn renamed(mut grant: Grant, source: &str) -> Result<Grant, Missing> {
    grant.credentials.source = source.to_owned();
    Ok(grant)
}

async fn assume(
    context: &Context,
    profile: &Profile,
    by: &Credentials,
    source: &str,
) -> Result<Grant, Missing> {
    let values = &profile.values;
    let (region, host) = (values.text("sts_region"), values.text("sts_endpoint"));
    let sts = role::sts(context, region, values.truth("enable_vpc"), host)?;
    role::assume(&sts, by, &role_of(profile)?, source).await
}

fn role_of(profile: &Profile) -> Result<Role, Missing> {
    let values = &profile.values;
    let text = |key: &str| values.text(key).map(str::to_owned);
    Ok(Role {
        arn: required(profile, "ram_role_arn")?.to_owned(),
        session_name: text("ram_session_name")
            .or_else(|| text("role_session_name"))
            .unwrap_or_else(|| SESSION_NAME.to_owned()),
        duration: values
            .number("expired_seconds")
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs),
        external_id: text("external_id"),
        policy: text("policy"),
    })
}

fn key(profile: &Profile, source: &str, with_token: bool) -> Result<Credentials, Missing> {
    Ok(Credentials {
        access_key_id: required(profile, "access_key_id")?.to_owned(),
        access_key_secret: required(profile, "access_key_secret")?.into(),
        security_token: profile.values.secret("sts_token").filter(|_| with_token),
        source: source.to_owned(),
    })
}

fn required<'p>(profile: &'p Profile, key: &str) -> Result<&'p str, Missing> {
    profile.values.text(key).ok_or_else(|| {
        Missing::broken(format!(
            "the profile \"{}\" has no {key}: run `aliyun configure --profile {}`",
            profile.name, profile.name
        ))
    })
}

#[cfg(test)]
mod tests;
