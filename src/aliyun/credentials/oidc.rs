//! A role for whoever holds a token of an identity provider: pods of Kubernetes, jobs of CI systems.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::SESSION_NAME;
use super::account::Account;
use super::provider::{Context, Fetching, Grant, Missing, Provider};
use super::role::sts;
use crate::aliyun::sts::Role;
use crate::aliyun::surroundings::SecretFile;

const TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const ROLE: &str = "ALIBABA_CLOUD_ROLE_ARN";
const IDENTITY_PROVIDER: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const SESSION: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";

/// The role that variables of the environment name.
pub(super) struct OidcOfEnvironment;

impl Provider for OidcOfEnvironment {
    fn place(&self) -> String {
        "the OIDC role of the environment".to_owned()
    }

    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a> {
        Box::pin(async move {
            let around = &context.surroundings;
            let needed = [TOKEN_FILE, ROLE, IDENTITY_PROVIDER].map(|name| (name, around.variable(name)));
            let [(_, Some(token_file)), (_, Some(arn)), (_, Some(provider_arn))] = &needed else {
                let missing: Vec<&str> =
                    needed.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
                return Err(Missing::absent(format!("not set: {}", missing.join(", "))));
            };
            let role = Role {
                arn: arn.clone(),
                session_name: around.variable(SESSION).unwrap_or_else(|| SESSION_NAME.to_owned()),
                duration: None,
                external_id: None,
                policy: None,
            };
            let wanted = OidcRole { token_file, provider_arn, role: &role };
            wanted.fetch(context, None, false, &format!("the OIDC role {arn} ({TOKEN_FILE})")).await
        })
    }
}

/// A role with all that is needed to take it on.
pub(super) struct OidcRole<'a> {
    pub(super) token_file: &'a str,
    pub(super) provider_arn: &'a str,
    pub(super) role: &'a Role,
}

impl OidcRole<'_> {
    /// Takes the role on. The token is read anew each time, because platforms rotate it.
    pub(super) async fn fetch(
        &self,
        context: &Context,
        sts_region: Option<&str>,
        vpc: bool,
        source: &str,
    ) -> Result<Grant, Missing> {
        let refuse = |why: &str| Missing::broken(format!("the token in {}: {why}", self.token_file));
        let file =
            SecretFile::read(Path::new(self.token_file)).map_err(|error| refuse(&error.to_string()))?;
        let token = file.text.expose_secret().trim();
        if token.is_empty() {
            return Err(refuse("the file is empty"));
        }
        let token: SecretString = token.into();
        let sts = sts(context, sts_region, vpc, None)?;
        let issued = sts.assume_role_with_oidc(self.provider_arn, &token, self.role).await;
        let grant = issued.map_err(|error| Missing::broken(error.to_string()))?.grant(source.to_owned());
        Ok(Grant { account: Account::Role(self.role.arn.clone()), ..grant })
    }
}
