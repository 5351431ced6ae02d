//! Takes into a plan what ECS itself says beforehand of the calls that it holds.

use std::collections::BTreeMap;

use super::hold_up::hold_up;
use super::{Block, Call, Plan, Verdict};
use crate::fleet::InstanceKey;

/// Blocks the starts and stops that ECS refuses, and what has to come after them.
pub fn refuse(plan: &mut Plan, refused: impl IntoIterator<Item = (InstanceKey, Block)>) {
    let mut refused: BTreeMap<InstanceKey, Block> = refused.into_iter().collect();
    for change in &mut plan.changes {
        if change.verdict.certain_request().is_some()
            && let Some(block) = refused.remove(&change.key)
        {
            change.give_up(block);
        }
    }
    hold_up(&plan.groups, &mut plan.changes);
}

/// Blocks in a plan what was refused when an earlier one was made, as far as it would be called again: ECS is not
/// asked twice, and a call that the earlier plan did not hold is not made.
pub fn refuse_again(plan: &mut Plan, earlier: &Plan) {
    let now: BTreeMap<&InstanceKey, Call> = plan
        .changes
        .iter()
        .filter_map(|change| Some((&change.key, change.verdict.certain_request()?.call())))
        .collect();
    let refused: Vec<(InstanceKey, Block)> = earlier
        .changes
        .iter()
        .filter_map(|change| match &change.verdict {
            Verdict::Blocked(block @ Block::Refused { call, .. }) if now.get(&change.key) == Some(call) => {
                Some((change.key.clone(), block.clone()))
            }
            _ => None,
        })
        .collect();
    refuse(plan, refused);
}
