//! The credentials file of the official libraries: `~/.alibabacloud/credentials`, in sections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::cli_profile::PROFILE;
use super::oidc::OidcRole;
use super::provider::{Context, Fetching, Grant, Missing, Provider};
use super::{Credentials, SESSION_NAME, metadata, open_file_warning, role};
use crate::aliyun::sts::Role;
use crate::aliyun::surroundings::{SecretFile, Surroundings};

const FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";
/// Where the Go and the Python libraries look, below the home folder.
const DEFAULT_FILES: [&str; 2] = [".alibabacloud/credentials", ".alibabacloud/credentials.ini"];

/// The credentials file.
pub(super) struct IniFile;

impl Provider for IniFile {
    fn place(&self) -> String {
        "the credentials file".to_owned()
    }

    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a> {
        Box::pin(async move {
            let around = &context.surroundings;
            let (path, file) = open(around)?;
            let sections = Sections::read(file.text.expose_secret())
                .map_err(|why| Missing::broken(format!("{} cannot be used: {why}", path.display())))?;
            let name = around.first_variable(&PROFILE).map_or_else(|| "default".to_owned(), |(_, name)| name);
            let section = Section {
                keys: sections
                    .0
                    .get(&name)
                    .ok_or_else(|| Missing::absent(format!("{} has no section [{name}]", path.display())))?,
                name: &name,
                path: &path,
            };
            let mut grant = section.fetch(context).await?;
            if file.open_to_others {
                grant.warnings.push(open_file_warning(&path));
            }
            Ok(grant)
        })
    }
}

fn open(around: &Surroundings) -> Result<(PathBuf, SecretFile), Missing> {
    let paths: Vec<PathBuf> = match around.variable(FILE) {
        Some(path) => vec![PathBuf::from(path)],
        None => DEFAULT_FILES.iter().filter_map(|path| around.below_home(path)).collect(),
    };
    for path in &paths {
        match SecretFile::read(path) {
            Ok(file) => return Ok((path.clone(), file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Missing::broken(format!("{} cannot be read: {error}", path.display()))),
        }
    }
    Err(Missing::absent(match paths.as_slice() {
        [] => "there is no home folder (HOME) to look below".to_owned(),
        paths => {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            format!("there is no {}", paths.join(" and no "))
        }
    }))
}

/// The sections by name, with their keys. It has no way to be printed.
struct Sections(BTreeMap<String, BTreeMap<String, SecretString>>);

impl Sections {
    /// Reads a file. Of two equal keys the last one counts, and two equal sections are one.
    fn read(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            return Err("it is JSON; a file of the Alibaba Cloud CLI is named by ALIBABA_CLOUD_CONFIG_FILE"
                .to_owned());
        }
        let mut sections: BTreeMap<String, BTreeMap<String, SecretString>> = BTreeMap::new();
        let mut section: Option<String> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                let name = name.split_once(']').map(|(name, _)| name.trim());
                let name = name.ok_or_else(|| format!("line {number} has a [ without a ]"))?;
                sections.entry(name.to_owned()).or_default();
                section = Some(name.to_owned());
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                return Err(format!("line {number} is neither [section] nor key = value"));
            };
            // What stands before the first section belongs to none.
            if let Some(keys) = section.as_ref().and_then(|section| sections.get_mut(section)) {
                keys.insert(key.trim().to_ascii_lowercase(), value.trim().into());
            }
        }
        Ok(Self(sections))
    }
}

/// One section.
struct Section<'a> {
    name: &'a str,
    path: &'a Path,
    keys: &'a BTreeMap<String, SecretString>,
}

impl Section<'_> {
    async fn fetch(&self, context: &Context) -> Result<Grant, Missing> {
        if self.text("enable").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
            return Err(Missing::absent(format!("{} says enable = false", self.shown())));
        }
        let source = self.shown();
        match self.text("type").unwrap_or("access_key") {
            "access_key" => Ok(Grant::lasting(self.key()?)),
            "ram_role_arn" => {
                let sts = role::sts(context, None, false, None)?;
                role::assume(&sts, &self.key()?, &self.role()?, &source).await
            }
            "ecs_ram_role" => {
                let mut grant = metadata::fetch(context, self.text("role_name")).await?;
                grant.credentials.source = source;
                Ok(grant)
            }
            "oidc_role_arn" => {
                let role = self.role()?;
                let wanted = OidcRole {
                    token_file: self.required("oidc_token_file_path")?,
                    provider_arn: self.required("oidc_provider_arn")?,
                    role: &role,
                };
                wanted.fetch(context, None, false, &source).await
            }
            other => Err(Missing::broken(format!(
                "{} has the type \"{}\", which powerform does not support: use access_key, ram_role_arn, \
                 ecs_ram_role or oidc_role_arn",
                self.shown(),
                other.chars().take(40).collect::<String>()
            ))),
        }
    }

    fn shown(&self) -> String {
        format!("the section [{}] of {}", self.name, self.path.display())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(|value| value.expose_secret()).filter(|value| !value.is_empty())
    }

    fn required(&self, key: &str) -> Result<&str, Missing> {
        self.text(key).ok_or_else(|| Missing::broken(format!("{} has no {key}", self.shown())))
    }

    fn key(&self) -> Result<Credentials, Missing> {
        Ok(Credentials {
            access_key_id: self.required("access_key_id")?.to_owned(),
            access_key_secret: self.required("access_key_secret")?.into(),
            security_token: None,
            source: self.shown(),
        })
    }

    fn role(&self) -> Result<Role, Missing> {
        Ok(Role {
            arn: self.required("role_arn")?.to_owned(),
            session_name: self.text("role_session_name").unwrap_or(SESSION_NAME).to_owned(),
            duration: None,
            external_id: None,
            policy: self.text("policy").map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests;
