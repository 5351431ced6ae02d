//! A role that is taken on with other credentials.

use std::time::Duration;

use super::account::Account;
use super::provider::{Context, Fetching, Grant, Missing, Provider};
use super::{CredentialSource, Credentials, SESSION_NAME};
use crate::aliyun::endpoint::Endpoint;
use crate::aliyun::sts::{Role, Sts};
use crate::aliyun::surroundings::Surroundings;

/// Where STS is, if somebody says so: for a simulator, or a gateway.
const ENDPOINT: &str = "ALIBABA_CLOUD_ENDPOINT_STS";
const REGION: &str = "ALIBABA_CLOUD_STS_REGION";
const VPC: &str = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED";

/// What the Terraform provider takes from the environment.
const OLDER_ARN: &str = "ALICLOUD_ASSUME_ROLE_ARN";
const OLDER_SESSION: &str = "ALICLOUD_ASSUME_ROLE_SESSION_NAME";
const OLDER_DURATION: &str = "ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION";

/// The role on top of whatever was found.
pub(super) struct AssumedRole {
    pub(super) base: CredentialSource,
    pub(super) role: Role,
}

impl Provider for AssumedRole {
    fn place(&self) -> String {
        format!("the role {}", self.role.arn)
    }

    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a> {
        Box::pin(async move {
            let broken = |error: &dyn std::fmt::Display| Missing::broken(error.to_string());
            let sts = sts(context, None, false, None)?;
            let base = self.base.current().await.map_err(|error| broken(&error))?;
            let mut issued = sts.assume_role(&base, &self.role).await;
            if issued.as_ref().is_err_and(|error| error.refuses_credentials())
                && self.base.replace(&base).await.map_err(|error| broken(&error))?
            {
                let base = self.base.current().await.map_err(|error| broken(&error))?;
                issued = sts.assume_role(&base, &self.role).await;
            }
            let source = format!("the role {}, taken on from {}", self.role.arn, self.base.place());
            let grant = issued.map_err(|error| broken(&error))?.grant(source);
            Ok(Grant { account: Account::Role(self.role.arn.clone()), ..grant })
        })
    }
}

/// Takes a role on, once.
pub(super) async fn assume(sts: &Sts, by: &Credentials, role: &Role, source: &str) -> Result<Grant, Missing> {
    let issued = sts.assume_role(by, role).await.map_err(|error| Missing::broken(error.to_string()))?;
    Ok(Grant { account: Account::Role(role.arn.clone()), ..issued.grant(source.to_owned()) })
}

/// STS as the variables say; else as the caller says; else for the VPC or the world, as the region allows.
pub(super) fn sts(
    context: &Context,
    region: Option<&str>,
    vpc: bool,
    host: Option<&str>,
) -> Result<Sts, Missing> {
    let around = &context.surroundings;
    let endpoint = match (around.variable(ENDPOINT), host) {
        (Some(written), _) => Endpoint::explicit(&written)
            .map_err(|error| Missing::broken(format!("the endpoint in {ENDPOINT}: {error}")))?,
        (None, Some(host)) => {
            Endpoint::explicit(host).map_err(|error| Missing::broken(format!("sts_endpoint: {error}")))?
        }
        (None, None) => {
            let written = region.map(str::to_owned).or_else(|| around.variable(REGION));
            let vpc = vpc || context.vpc || around.says_true(VPC);
            // STS is everywhere the same; only inside a VPC it is reached in a region.
            let region = written
                .or_else(|| context.region.as_ref().filter(|_| vpc).map(|region| region.as_str().to_owned()));
            Endpoint::sts(region.as_deref(), vpc).map_err(|error| Missing::broken(error.to_string()))?
        }
    };
    Sts::new(endpoint, &context.transport, around.clock.clone())
        .map_err(|error| Missing::broken(error.to_string()))
}

/// The role that older variables of the Terraform provider name.
pub(super) fn of_environment(around: &Surroundings) -> Option<Role> {
    Some(Role {
        arn: around.variable(OLDER_ARN)?,
        session_name: around.variable(OLDER_SESSION).unwrap_or_else(|| SESSION_NAME.to_owned()),
        duration: around
            .variable(OLDER_DURATION)
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs),
        external_id: None,
        policy: None,
    })
}
