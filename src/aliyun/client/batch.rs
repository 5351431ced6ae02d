//! Several starts or stops in one call, judged one by one.

use std::collections::{BTreeMap, HashSet};

use super::connection::Answered;
use crate::aliyun::refusal::of_item;
use crate::aliyun::request::Operation;
use crate::aliyun::response::{BatchItem, Decoded};
use crate::cloud::{Accepted, Advice, BATCH_LIMIT, Refusal};
use crate::fleet::InstanceId;

/// What became of each instance of a batch, in the order in which they were asked for.
pub(super) type Verdicts = Vec<(InstanceId, Result<Accepted, Refusal>)>;

/// The same refusal for all.
pub(super) fn refused(ids: Vec<InstanceId>, refusal: &Refusal) -> Verdicts {
    ids.into_iter().map(|id| (id, Err(refusal.clone()))).collect()
}

/// Why a batch cannot be sent as one, if it cannot.
pub(super) fn unsendable(ids: &[InstanceId]) -> Option<Refusal> {
    let distinct: HashSet<&InstanceId> = ids.iter().collect();
    let why = if ids.len() > BATCH_LIMIT {
        format!("one batch takes {BATCH_LIMIT} instances at most, not {}", ids.len())
    } else if distinct.len() < ids.len() {
        "a batch names an instance twice".to_owned()
    } else {
        return None;
    };
    Some(Refusal::new(Advice::Final, why))
}

/// Reads the verdict on each instance out of an answer, by its id: no source promises an order. An instance that the
/// answer does not name, or names twice with different verdicts, may have been accepted.
pub(super) fn judge_items(
    ids: Vec<InstanceId>,
    answer: Result<Answered<Vec<BatchItem>>, Refusal>,
    operation: &Operation,
) -> Verdicts {
    let Answered { decoded: Decoded { request_id, value: items }, credentials } = match answer {
        Ok(answered) => answered,
        Err(refusal) => return refused(ids, &refusal),
    };
    let mut found: BTreeMap<&InstanceId, Option<&BatchItem>> = BTreeMap::new();
    for item in &items {
        found
            .entry(&item.id)
            .and_modify(|first| *first = first.filter(|first| first.code == item.code))
            .or_insert(Some(item));
    }
    let unknown = |why: &str| Refusal {
        request_id: request_id.clone(),
        http_status: Some(200),
        ..Refusal::new(Advice::OutcomeUnknown, format!("the answer to {} {why}", operation.action))
    };
    let judge = |id: &InstanceId| match found.get(id) {
        None => Err(unknown("does not name the instance")),
        Some(None) => Err(unknown("names the instance twice with different verdicts")),
        Some(Some(item)) if item.is_accepted() => Ok(Accepted { request_id: request_id.clone() }),
        Some(Some(item)) if item.code.is_empty() => Err(unknown("holds no verdict on the instance")),
        Some(Some(item)) => Err(of_item(item, request_id.clone(), operation, &credentials)),
    };
    ids.iter().map(|id| (id.clone(), judge(id))).collect()
}
