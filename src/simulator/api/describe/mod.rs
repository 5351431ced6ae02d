//! DescribeInstances, DescribeInstanceStatus and DescribeInstanceAttribute.

mod fields;
mod filter;

use std::collections::HashSet;

use self::filter::Filter;
use super::page::{Cut, Page};
use super::{Call, Done, Subject, regions};
use crate::simulator::answer::Value;
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;
use crate::simulator::world::{Shown, World};

/// How many instances one request may name.
pub(super) const MOST_IDS: usize = 100;

/// How many instances of a region ECS considers that have the tags or the resource group that are asked for.
const MOST_BY_LABEL: usize = 1_000;

/// The sizes of pages that a token can lead to.
const PAGES: std::ops::RangeInclusive<usize> = 10..=100;

/// The ids of `InstanceIds`, a JSON array.
pub(super) fn listed_in_json(_: &World, parameters: &Parameters) -> Subject {
    Subject::Read(json_ids(parameters).ok().flatten())
}

/// The ids of `InstanceId.1`, `InstanceId.2` and so on.
pub(super) fn listed_by_number(_: &World, parameters: &Parameters) -> Subject {
    let ids = numbered_ids(parameters);
    Subject::Read((!ids.is_empty()).then_some(ids))
}

/// The id of `InstanceId`.
pub(super) fn one_instance(_: &World, parameters: &Parameters) -> Subject {
    Subject::Read(Some(parameters.value("InstanceId").into_iter().map(str::to_owned).collect()))
}

/// Who lacks the permission sees an empty list and no error, as documented; only a dry run tells.
pub(super) fn describe_instances(call: &Call<'_>) -> Result<Done, Refusal> {
    let Call { world, parameters, .. } = *call;
    let now = call.looked_at();
    let region = regions::required(world, parameters)?;
    let ids = json_ids(parameters)?;
    let filter = Filter::read(region, parameters)?;
    let page = Page::read(parameters, PAGES, world.account().quirks)?;
    let denied = call.is_denied("DescribeInstances");
    if parameters.truth("DryRun")? {
        return Err(Refusal::of(if denied { "Forbidden.RAM" } else { "DryRunOperation" }));
    }
    let considers = |(_, shown): &(usize, Shown<'_>)| filter.considers(shown);
    let admits = |(_, shown): &(usize, Shown<'_>)| filter.admits(shown);
    let first = page.first();
    let is_limited = world.account().quirks.first_thousand && filter.is_by_label();
    let cut = match ids {
        _ if denied => page.cut(std::iter::empty()),
        Some(ids) => {
            let named = distinct(&ids).enumerate().skip(first);
            let shown = named.filter_map(|(place, id)| Some((place, world.look(id, now)?)));
            page.cut(shown.filter(considers).filter(admits))
        }
        None if is_limited => {
            let considered = world.shown_from(0, now).filter(considers).take(MOST_BY_LABEL);
            page.cut(considered.skip_while(|(place, _)| *place < first).filter(admits))
        }
        None => page.cut(world.shown_from(first, now).filter(considers).filter(admits)),
    };
    let Cut { shown, next, fields: mut all } = cut;
    all.push(("NextToken", Value::Text(next)));
    all.push(("Instances", Value::List("Instance", shown.iter().map(fields::instance).collect())));
    Ok(Done { fields: all, ..Done::default() })
}

pub(super) fn describe_instance_status(call: &Call<'_>) -> Result<Done, Refusal> {
    let Call { world, parameters, .. } = *call;
    let now = call.looked_at();
    let region = regions::required(world, parameters)?;
    let ids = numbered_ids(parameters);
    if ids.len() > MOST_IDS {
        return Err(Refusal::of("InvalidParameter.TooManyInstanceIds"));
    }
    if ids.iter().any(|id| !id.starts_with("i-")) {
        return Err(Refusal::of("Abs.InvalidInstanceIds.MalFormed"));
    }
    let zone = parameters.value("ZoneId");
    let page = Page::numbered(parameters, 50)?;
    call.permit("DescribeInstanceStatus")?;
    let admits = |(_, shown): &(usize, Shown<'_>)| {
        shown.given.region == region && zone.is_none_or(|zone| zone == shown.given.zone)
    };
    let cut = if ids.is_empty() {
        page.cut(world.shown_from(0, now).filter(admits))
    } else {
        let named = ids.iter().enumerate();
        page.cut(named.filter_map(|(place, id)| Some((place, world.look(id, now)?))).filter(admits))
    };
    let statuses = cut
        .shown
        .iter()
        .map(|shown| {
            Value::Fields(vec![
                ("InstanceId", Value::text(&*shown.given.id)),
                ("Status", Value::text(shown.status.as_str())),
            ])
        })
        .collect();
    let mut fields = cut.fields;
    fields.push(("InstanceStatuses", Value::List("InstanceStatus", statuses)));
    Ok(Done { fields, ..Done::default() })
}

/// One instance, flat, with times and truth values in another form than those of a list.
pub(super) fn describe_instance_attribute(call: &Call<'_>) -> Result<Done, Refusal> {
    let id = call.parameters.required("InstanceId")?;
    call.permit("DescribeInstanceAttribute")?;
    let shown =
        call.world.look(id, call.looked_at()).ok_or_else(|| Refusal::of("InvalidInstanceId.NotFound"))?;
    Ok(Done { fields: fields::attribute(&shown), ..Done::default() })
}

/// An empty array is a filter that nothing passes; an absent parameter is no filter.
fn json_ids(parameters: &Parameters) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = parameters.value("InstanceIds") else { return Ok(None) };
    let ids: Vec<String> = serde_json::from_str(text)
        .map_err(|_| Refusal::invalid("InstanceIds", "it is not a JSON array of instance ids"))?;
    if ids.len() > MOST_IDS {
        return Err(Refusal::invalid("InstanceIds", "it holds more than 100 ids"));
    }
    Ok(Some(ids))
}

/// Each id once, and one more at most than may be asked for: that is enough to see that there are too many.
pub(super) fn numbered_ids(parameters: &Parameters) -> Vec<String> {
    let named = |number: usize| parameters.value(&format!("InstanceId.{number}")).map(str::to_owned);
    let all: Vec<String> = (1..=MOST_IDS + 1).map_while(named).collect();
    if all.len() > MOST_IDS { all } else { distinct(&all).map(str::to_owned).collect() }
}

/// Each id once, in the order of the request.
fn distinct(ids: &[String]) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    ids.iter().map(String::as_str).filter(move |id| seen.insert(*id))
}
