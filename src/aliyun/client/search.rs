//! Searches: every instance of the region that fits, in the fewest calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Client;
use super::operations::joined;
use crate::aliyun::request::{Page, Request};
use crate::aliyun::response::{InstancePage, Labelled, decode_labelled_instances};
use crate::cloud::{Advice, Found, LOOK_LIMIT, Refusal, Search};
use crate::fleet::{InstanceId, Selector};

/// The most pages of a search: 100,000 instances.
const MOST_PAGES: u32 = 1000;

/// Where tags or a resource group are asked for, ECS looks at so many instances at most (its page on
/// DescribeInstances), and says nothing of the others.
const MOST_CONSIDERED: usize = 1000;

type Instances = BTreeMap<InstanceId, Labelled>;

impl Search for Client {
    async fn find(&self, selector: &Selector) -> Result<Vec<Found>, Refusal> {
        let mut found = self.search(selector).await?;
        if found.len() >= MOST_CONSIDERED && (!selector.tags.is_empty() || selector.resource_group.is_some())
        {
            // There may be more that nobody was told of: all others are looked through here.
            let wider = Selector { tags: BTreeMap::new(), resource_group: None, ..selector.clone() };
            let all = self.search(&wider).await?;
            found.extend(all.into_iter().filter(|(_, instance)| fits(selector, instance)));
        }
        let found = found.into_values().map(|Labelled { sighting, tags, .. }| Found { sighting, tags });
        Ok(found.collect())
    }
}

/// Whether an instance has the tags and the resource group.
fn fits(selector: &Selector, instance: &Labelled) -> bool {
    let has = |(key, wanted): (&String, &Option<String>)| {
        instance.tags.get(key).is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value))
    };
    selector.tags.iter().all(has)
        && selector.resource_group.as_ref().is_none_or(|wanted| *wanted == instance.resource_group)
}

impl Client {
    /// One search as ECS does it. Pages are asked for side by side where ECS numbers them, and one after the other where
    /// each names the next.
    async fn search(&self, selector: &Selector) -> Result<Instances, Refusal> {
        let first = self.page(selector, &Page::First).await?;
        let mut found = BTreeMap::new();
        let InstancePage { next_token, total, .. } = take_in(&mut found, first);
        if let Some(token) = next_token {
            self.walk(selector, Page::Token(token), &mut found).await?;
            return Ok(found);
        }
        let total = total.unwrap_or_default();
        if found.is_empty() || found.len() as u64 >= total {
            return Ok(found);
        }
        let pages = total.div_ceil(LOOK_LIMIT as u64);
        if pages > u64::from(MOST_PAGES) {
            return Err(endless(total));
        }
        let mut looks = JoinSet::new();
        for number in 2..=u32::try_from(pages).unwrap_or(MOST_PAGES) {
            let request = Request::find_instances(&self.region, selector, &Page::Number(number));
            let connection = Arc::clone(&self.connection);
            looks.spawn(async move { connection.call(&request, decode_labelled_instances).await });
        }
        while let Some(page) = joined(&mut looks).await {
            take_in(&mut found, page?.value);
        }
        if (found.len() as u64) < total {
            // The list moved between its pages, or they are shorter than was asked: tokens know where they are.
            found.clear();
            self.walk(selector, Page::FirstByToken, &mut found).await?;
        }
        Ok(found)
    }

    async fn page(&self, selector: &Selector, page: &Page) -> Result<InstancePage<Labelled>, Refusal> {
        let request = Request::find_instances(&self.region, selector, page);
        Ok(self.connection.call(&request, decode_labelled_instances).await?.value)
    }

    /// Follows tokens to the end. A page may be short or empty though a token is there.
    async fn walk(&self, selector: &Selector, from: Page, found: &mut Instances) -> Result<(), Refusal> {
        let mut page = from;
        for _ in 0..MOST_PAGES {
            let answer = self.page(selector, &page).await?;
            match take_in(found, answer).next_token {
                Some(token) => page = Page::Token(token),
                None => return Ok(()),
            }
        }
        Err(endless(found.len() as u64))
    }
}

/// Adds a page's instances; what is left of it is its token and total.
fn take_in(found: &mut Instances, mut page: InstancePage<Labelled>) -> InstancePage<Labelled> {
    found.extend(page.sightings.drain(..).map(|instance| (instance.sighting.id.clone(), instance)));
    page
}

fn endless(instances: u64) -> Refusal {
    let message = format!(
        "the search finds {instances} instances and more than {MOST_PAGES} pages of them: narrow it down by tags, name or \
         zone"
    );
    Refusal::new(Advice::Final, message)
}
