//! What a decision about one instance means for those that come after it.

use super::order;
use super::{Block, Change, Group, Then, Verdict};
use crate::fleet::{Address, Goal, LockReason, Power, Seen, Sighting, Strength};

/// What keeps others from coming after an entry.
#[derive(Clone)]
enum Obstacle {
    Blocked { by: Address, root: Address },
    Unmanaged { by: Address, seen: String },
    Recycled { by: Address },
}

/// Blocks every start that comes after something that will not be up, and every stop of something that others, which
/// will not be stopped, still need. What is blocked already stays as it is, so this may be done again whenever
/// something more has been blocked.
pub(super) fn hold_up(groups: &[Group], changes: &mut [Change]) {
    let mut to_start: Vec<Option<Obstacle>> = vec![None; groups.len()];
    let mut to_stop = to_start.clone();
    for index in order::in_turn(groups) {
        let group = &groups[index];
        let obstacles = match group.goal {
            Goal::Running => Some(&to_start),
            Goal::Stopped => Some(&to_stop),
            // It is never called.
            Goal::Any => None,
        };
        let obstacle = obstacles.and_then(|obstacles| {
            let hard = group.after.iter().filter(|after| after.strength == Strength::Hard);
            hard.map(|after| after.group.at()).find_map(|before| obstacles[before].clone())
        });
        if let Some(obstacle) = obstacle {
            for &change in &group.changes {
                block(&mut changes[change], &obstacle);
            }
        }
        let own = || group.changes.iter().map(|change| &changes[*change]);
        // Between a start and a stop nothing is ordered.
        if group.goal != Goal::Stopped {
            to_start[index] = unknown(group).or_else(|| obstacle_to_start(group.goal, own()));
        }
        if group.goal != Goal::Running {
            to_stop[index] = unknown(group).or_else(|| obstacle_to_stop(own()));
        }
    }
}

/// Of an entry whose instances nobody knows, nobody knows either whether they are where they have to be.
fn unknown(group: &Group) -> Option<Obstacle> {
    group.not_seen()?;
    let by = Address { entry: group.name.clone(), instance: None };
    Some(Obstacle::Blocked { root: by.clone(), by })
}

/// What keeps the dependents of these instances from being started: the first that is not up and will not be.
fn obstacle_to_start<'a>(goal: Goal, mut changes: impl Iterator<Item = &'a Change>) -> Option<Obstacle> {
    changes.find_map(|change| match (&change.verdict, goal) {
        (Verdict::Blocked(block), _) => Some(blocked(change, block)),
        (Verdict::Any, _) if change.seen.power() != Some(&Power::Running) => Some(unmanaged(change)),
        (Verdict::Any | Verdict::InSync, Goal::Running | Goal::Any)
            if change.seen.sighting().is_some_and(is_being_taken_back) =>
        {
            Some(Obstacle::Recycled { by: change.address.clone() })
        }
        // A hard need with the goal Stopped is refused as a contradiction before anything is decided.
        _ => None,
    })
}

/// What keeps the needs of these instances from being stopped: the first that is not down and will not be.
fn obstacle_to_stop<'a>(mut changes: impl Iterator<Item = &'a Change>) -> Option<Obstacle> {
    changes.find_map(|change| match &change.verdict {
        Verdict::Blocked(block) => Some(blocked(change, block)),
        Verdict::Any if change.seen.power() != Some(&Power::Stopped) => Some(unmanaged(change)),
        _ => None,
    })
}

/// Whether ECS is taking a spot instance back.
pub(super) fn is_being_taken_back(sighting: &Sighting) -> bool {
    sighting.locks.iter().any(|lock| lock.reason == LockReason::Recycling)
}

impl Change {
    /// Makes it a blocked one: nothing will be done, so nothing has to be explained or warned of but that.
    pub(super) fn give_up(&mut self, block: Block) {
        self.verdict = Verdict::Blocked(block);
        self.why = None;
        self.expected = None;
        self.warnings.clear();
    }
}

fn blocked(change: &Change, block: &Block) -> Obstacle {
    let root = match block {
        Block::HeldUp { root, .. } => root.clone(),
        _ => change.address.clone(),
    };
    Obstacle::Blocked { by: change.address.clone(), root }
}

fn unmanaged(change: &Change) -> Obstacle {
    let seen = match &change.seen {
        Seen::There(sighting) => sighting.power.word().to_owned(),
        Seen::Absent => "not visible".to_owned(),
        Seen::NotSeen { .. } => "not seen".to_owned(),
    };
    Obstacle::Unmanaged { by: change.address.clone(), seen }
}

/// Turns a start or a stop into a blocked one. An instance that is on its way already goes on; it is the call that might
/// have followed that is blocked.
fn block(change: &mut Change, obstacle: &Obstacle) {
    match &mut change.verdict {
        Verdict::Start { .. } => change.give_up(against_start(obstacle)),
        Verdict::Stop { .. } => change.give_up(against_stop(obstacle)),
        Verdict::Wait { then: Some(then), .. } => {
            let block = match then {
                Then::Start { .. } => against_start(obstacle),
                Then::Stop { .. } => against_stop(obstacle),
                // A reason of its own comes first.
                Then::Blocked(_) => return,
            };
            *then = Then::Blocked(block);
            change.warnings.clear();
        }
        Verdict::InSync
        | Verdict::Wait { then: None, .. }
        | Verdict::Blocked(_)
        | Verdict::Release
        | Verdict::Any => {}
    }
}

fn against_start(obstacle: &Obstacle) -> Block {
    match obstacle.clone() {
        Obstacle::Blocked { by, root } => Block::HeldUp { by, root },
        Obstacle::Unmanaged { by, seen } => Block::NeedsUnmanaged { need: by, seen },
        Obstacle::Recycled { by } => Block::NeedsRecycled { need: by },
    }
}

fn against_stop(obstacle: &Obstacle) -> Block {
    match obstacle.clone() {
        Obstacle::Blocked { by, root } => Block::HeldUp { by, root },
        Obstacle::Unmanaged { by, seen } => Block::StillNeeded { by, seen },
        Obstacle::Recycled { by } => Block::NeedsRecycled { need: by },
    }
}
