//! What can be asked of ECS besides the verbs of [`Cloud`](crate::cloud::Cloud): searches, statuses, regions,
//! rehearsals.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Client;
use crate::aliyun::request::{Filter, Page, Request, STATUS_LIMIT};
use crate::aliyun::response::{
    Decoded, InstancePage, RegionOffer, decode_acceptance, decode_instances, decode_regions, decode_statuses,
};
use crate::cloud::{Advice, LOOK_LIMIT, Refusal, Rehearse, StartRequest, StopRequest};
use crate::fleet::{InstanceId, Power, Sighting, StopPolicy};

/// The most pages of a search: 100,000 instances.
const MOST_PAGES: u32 = 1000;

/// ECS would have accepted a request that was only rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    /// The id under which ECS keeps the rehearsal.
    pub request_id: Option<String>,
}

impl Client {
    /// Looks for all instances of the region that fit a filter, in the order of their ids. Pages are asked for side by
    /// side where ECS numbers them, and one after the other where each names the next.
    ///
    /// # Errors
    /// The refusal of the first page that failed, tried enough.
    pub async fn find(&self, filter: &Filter) -> Result<Vec<Sighting>, Refusal> {
        let first = self.page(filter, &Page::First).await?;
        let mut found = BTreeMap::new();
        let InstancePage { next_token, total, .. } = take_in(&mut found, first);
        if let Some(token) = next_token {
            self.walk(filter, Page::Token(token), &mut found).await?;
            return Ok(found.into_values().collect());
        }
        let total = total.unwrap_or_default();
        if found.is_empty() || found.len() as u64 >= total {
            return Ok(found.into_values().collect());
        }
        let pages = total.div_ceil(LOOK_LIMIT as u64);
        if pages > u64::from(MOST_PAGES) {
            return Err(endless(total));
        }
        let mut looks = JoinSet::new();
        for number in 2..=u32::try_from(pages).unwrap_or(MOST_PAGES) {
            let request = Request::find_instances(&self.region, filter, &Page::Number(number));
            let connection = Arc::clone(&self.connection);
            looks.spawn(async move { connection.call(&request, decode_instances).await });
        }
        while let Some(page) = joined(&mut looks).await {
            take_in(&mut found, page?.value);
        }
        if (found.len() as u64) < total {
            // The list moved between its pages, or they are shorter than was asked: tokens know where they are.
            found.clear();
            self.walk(filter, Page::FirstByToken, &mut found).await?;
        }
        Ok(found.into_values().collect())
    }

    async fn page(&self, filter: &Filter, page: &Page) -> Result<InstancePage, Refusal> {
        let request = Request::find_instances(&self.region, filter, page);
        Ok(self.connection.call(&request, decode_instances).await?.value)
    }

    /// Follows tokens to the end. A page may be short or empty though a token is there.
    async fn walk(
        &self,
        filter: &Filter,
        from: Page,
        found: &mut BTreeMap<InstanceId, Sighting>,
    ) -> Result<(), Refusal> {
        let mut page = from;
        for _ in 0..MOST_PAGES {
            let answer = self.page(filter, &page).await?;
            match take_in(found, answer).next_token {
                Some(token) => page = Page::Token(token),
                None => return Ok(()),
            }
        }
        Err(endless(found.len() as u64))
    }

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
            Request::find_instances(&self.region, &Filter::default(), &Page::First)
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

/// Adds a page's instances; what is left of it is its token and total.
fn take_in(found: &mut BTreeMap<InstanceId, Sighting>, mut page: InstancePage) -> InstancePage {
    found.extend(page.sightings.drain(..).map(|sighting| (sighting.id.clone(), sighting)));
    page
}

fn endless(instances: u64) -> Refusal {
    let message = format!(
        "the search finds {instances} instances and more than {MOST_PAGES} pages of them: narrow it down by tags, name or \
         zone"
    );
    Refusal::new(Advice::Final, message)
}

/// The next result of tasks that nobody cancels. A panic in one is passed on.
async fn joined<T: 'static>(tasks: &mut JoinSet<T>) -> Option<T> {
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
