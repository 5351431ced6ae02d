//! Commands in instances, by Cloud Assistant.

use std::time::Duration;

use super::Client;
use crate::aliyun::request::Request;
use crate::aliyun::response::{CommandResult, decode_command_results, decode_invocation};
use crate::cloud::{Assistant, Invocation, Ran, Refusal};
use crate::fleet::InstanceId;

const PERMISSION: &str = "allow ecs:RunCommand and ecs:DescribeInvocationResults for these credentials: console > RAM > \
     Identities > Users > the user > Permissions";

impl Assistant for Client {
    async fn run(&self, id: &InstanceId, script: &str, timeout: Duration) -> Result<Invocation, Refusal> {
        let request = Request::run_command(&self.region, id, script, timeout);
        let decoded = self.connection.call(&request, decode_invocation).await.map_err(with_permission)?;
        Ok(Invocation { id: decoded.value, instance: id.clone() })
    }

    async fn outcome(&self, invocation: &Invocation) -> Result<Ran, Refusal> {
        let request = Request::describe_invocation_results(&self.region, invocation);
        let decoded =
            self.connection.call(&request, decode_command_results).await.map_err(with_permission)?;
        let of_it = |result: &CommandResult| result.instance == invocation.instance.as_str();
        let found = decoded.value.into_iter().find(of_it);
        // What was only just taken may not be listed yet.
        Ok(found.map_or(Ran::StillRunning, |result| result.ran))
    }
}

/// What a denied call needs is not what starts and stops need.
fn with_permission(mut refusal: Refusal) -> Refusal {
    let is_denied = |code: &str| ["Forbidden.RAM", "Forbidden.Unauthorized", "NoPermission"].contains(&code);
    if refusal.code.as_deref().is_some_and(is_denied) {
        refusal.remedy = Some(PERMISSION.into());
    }
    refusal
}
