//! What can be asked of ECS besides the verbs of [`Cloud`](crate::cloud::Cloud): statuses, regions, rehearsals.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Client;
use crate::aliyun::request::{Page, Request, STATUS_LIMIT};
use crate::aliyun::response::{Decoded, RegionOffer, decode_acceptance, decode_regions, decode_statuses};
use crate::cloud::{Advice, LOOK_LIMIT, Refusal, Rehearse, StartRequest, StopRequest};
use crate::fleet::{InstanceId, Power, Selector, StopPolicy};

/// ECS would have accepted a request that was only rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    /// The id under which ECS keeps the rehearsal.
    pub request_id: Option<String>,
}

impl Client {
    /// The power status of instances, by DescribeInstanceStatus: the cheapest look, 50 instances a call. It shows no
    /// locks. Instances that are not there are missing.
    ///
    /// # Errors
    /// The refusal of the first call that failed, tried enough.
    pub async fn statuses(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, Power>, Refusal> {
        let mut looks = JoinSet::new();
        for chunk in ids.chunks(STATUS_LIMIT) {
            let request = Request::describe_instance_status(&self.region, chunk);
            let connection = Arc::clone(&self.connection);
            looks.spawn(async move { connection.call(&request, decode_statuses).await });
        }
        let wanted: HashSet<&InstanceId> = ids.iter().collect();
        let mut statuses = BTreeMap::new();
        while let Some(answer) = joined(&mut looks).await {
            statuses.extend(answer?.value.into_iter().filter(|(id, _)| wanted.contains(id)));
        }
        Ok(statuses)
    }

    /// The regions that ECS offers to this account.
    ///
    /// # Errors
    /// The refusal, tried enough.
    pub async fn regions(&self) -> Result<Vec<RegionOffer>, Refusal> {
        Ok(self.connection.call(&Request::describe_regions(), decode_regions).await?.value)
    }

    /// Asks whether these credentials may look at instances. An empty list proves nothing: ECS answers so where it
    /// denies.
    ///
    /// # Errors
    /// The refusal that a look would meet.
    pub async fn rehearse_look(&self, ids: &[InstanceId]) -> Result<Permitted, Refusal> {
        let ids = &ids[..ids.len().min(LOOK_LIMIT)];
        let request = if ids.is_empty() {
            Request::find_instances(&self.region, &Selector::default(), &Page::First)
        } else {
            Request::describe_instances(&self.region, ids, &Page::First)
        };
        self.rehearse(request).await
    }

    /// Asks whether a start would be accepted now. Nothing is started.
    ///
    /// # Errors
    /// The refusal that the start would meet.
    pub async fn rehearse_start(&self, start: &StartRequest) -> Result<Permitted, Refusal> {
        self.rehearse(Request::start_instance(start, self.owner_account.as_deref())).await
    }

    /// Asks whether a stop would be accepted now. Nothing is stopped.
    ///
    /// # Errors
    /// The refusal that the stop would meet.
    pub async fn rehearse_stop(&self, stop: &StopRequest) -> Result<Permitted, Refusal> {
        self.rehearse(Request::stop_instance(stop)).await
    }

    /// Asks whether all these starts would be accepted now.
    ///
    /// # Errors
    /// The refusal that one of them would meet; ECS does not say which.
    pub async fn rehearse_starts(&self, ids: &[InstanceId]) -> Result<Permitted, Refusal> {
        self.rehearse(Request::start_instances(&self.region, ids, self.owner_account.as_deref())).await
    }

    /// Asks whether all these stops would be accepted now.
    ///
    /// # Errors
    /// As [`Client::rehearse_starts`].
    pub async fn rehearse_stops(&self, ids: &[InstanceId], policy: StopPolicy) -> Result<Permitted, Refusal> {
        self.rehearse(Request::stop_instances(&self.region, ids, policy)).await
    }

    /// ECS answers a rehearsal that went well with an error.
    async fn rehearse(&self, request: Request) -> Result<Permitted, Refusal> {
        let request = request.rehearsed();
        match self.connection.call(&request, decode_acceptance).await {
            Err(refusal) if is_permission(&refusal) => Ok(Permitted { request_id: refusal.request_id }),
            Err(refusal) => Err(refusal),
            Ok(Decoded { request_id, .. }) => {
                let message =
                    format!("ECS answered the rehearsal of {} as if it were none", request.operation.action);
                Err(Refusal { request_id, ..Refusal::new(Advice::OutcomeUnknown, message) })
            }
        }
    }
}

impl Rehearse for Client {
    async fn would_start(&self, request: StartRequest) -> Result<(), Refusal> {
        self.rehearse_start(&request).await.map(drop)
    }

    async fn would_stop(&self, request: StopRequest) -> Result<(), Refusal> {
        self.rehearse_stop(&request).await.map(drop)
    }
}

fn is_permission(refusal: &Refusal) -> bool {
    let is = |code: &str| refusal.code.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(code));
    is("DryRunOperation") || is("DRYRUN.SUCCESS")
}

/// The next result of tasks that nobody cancels. A panic in one is passed on.
pub(super) async fn joined<T: 'static>(tasks: &mut JoinSet<T>) -> Option<T> {
    loop {
        match tasks.join_next().await? {
            Ok(value) => return Some(value),
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
}
