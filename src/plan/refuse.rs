//! Takes out of a plan the calls that are known beforehand not to be made: what ECS itself refuses when it is asked, and
//! a stop of the machine that powerform runs on.

use std::collections::BTreeMap;

use super::hold_up::hold_up;
use super::{Block, Call, Change, Plan, Request, Then, Verdict, Warning};
use crate::fleet::{InstanceId, InstanceKey};

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

/// Keeps powerform from stopping the machine that it runs on, in the middle of its work, and so the instances that would
/// have to be stopped after it. If it is `allowed`, that is only warned of.
pub fn spare_own_machine(plan: &mut Plan, own: &InstanceId, allowed: bool) {
    for change in plan.changes.iter_mut().filter(|change| change.key.id == *own) {
        match change.verdict.request() {
            Some(Request::Stop { .. }) if allowed => change.warnings.push(Warning::OwnMachine),
            Some(Request::Stop { .. }) => change.forbid(Block::OwnMachine),
            Some(Request::Start { .. }) | None => {}
        }
    }
    hold_up(&plan.groups, &mut plan.changes);
}

/// Keeps blocked in a plan what was refused when an earlier one was made, or what that spared because it was made on it,
/// as far as it would be called again: ECS is not asked twice, and a call that the earlier plan did not hold is not made.
pub fn keep_refusals(plan: &mut Plan, earlier: &Plan) {
    let refusals: BTreeMap<&InstanceKey, &Block> =
        earlier.changes.iter().filter_map(|change| Some((&change.key, refusal(change)?))).collect();
    for change in &mut plan.changes {
        if let (Some(block), Some(request)) = (refusals.get(&change.key), change.verdict.request()) {
            let is_meant = match block {
                Block::Refused { call, .. } => *call == request.call(),
                _ => request.call() == Call::Stop,
            };
            if is_meant {
                change.forbid((*block).clone());
            }
        }
    }
    hold_up(&plan.groups, &mut plan.changes);
}

/// What was found out about a call beside looking and deciding.
fn refusal(change: &Change) -> Option<&Block> {
    match &change.verdict {
        Verdict::Blocked(block) | Verdict::Wait { then: Some(Then::Blocked(block)), .. } => Some(block),
        _ => None,
    }
    .filter(|block| matches!(block, Block::Refused { .. } | Block::OwnMachine))
}

impl Change {
    /// Takes away its call. What is on its way already goes on.
    fn forbid(&mut self, block: Block) {
        match &mut self.verdict {
            Verdict::Wait { then: Some(then), .. } => {
                *then = Then::Blocked(block);
                self.warnings.clear();
            }
            _ => self.give_up(block),
        }
    }
}
