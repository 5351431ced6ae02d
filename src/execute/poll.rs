//! The shared poll: whose turn it is to be looked at, and when.
//!
//! One look serves all that move. Plain data: it says which instances the next look takes, and never looks itself.
//!
//! There are looks of two kinds. Instances on their way are looked at by and by. A call waits for a look that is no
//! older than a few seconds at everything it depends on, which may be more than one look can take: those looks are
//! saved up for and sent together, because one after the other the first would be too old before the last is back.

mod quota;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

pub(super) use quota::Quota;

use super::step::Moment;
use crate::cloud::LOOK_LIMIT;

/// Between two looks at an instance on its way lies this share of the time it has been on its way ...
const SHARE_OF_AGE: f64 = 0.08;
/// ... but at least this ...
const SHORTEST: Duration = Duration::from_millis(250);
/// ... and at most this.
const LONGEST: Duration = Duration::from_secs(2);
/// If it is known how long the way took before, it is looked at after these shares of that, because it may be quicker
/// this time ...
const SHARES_OF_EXPECTED: [f64; 5] = [0.905, 0.925, 0.945, 0.965, 0.985];
/// ... unless another look has taken it along so little before, by share or by time ...
const SHARE_JUST_BEFORE: f64 = 0.01;
const JUST_BEFORE: Duration = Duration::from_millis(300);
/// ... and then so much later than it is expected, so that an early record does not call for a third look ...
const SHARE_AFTER_EXPECTED: f64 = 1.005;
/// ... or so much, where many are on their way: then one look finds several that are expected about then, and takes along
/// those that may be quicker.
const SHARE_AFTER_EXPECTED_OF_MANY: f64 = 1.01;
/// If siblings that were changed in the same way have told how long it takes, the first look comes after this share of
/// the shortest of their ways ...
const SHARE_BEFORE_FIRST_LOOK_AS_SIBLINGS: f64 = 0.94;
/// ... and between two looks lies this share of the age.
const SHARE_OF_AGE_AS_SIBLINGS: f64 = 0.04;
/// Once it is overdue, this share of the expected duration lies between two looks at first ...
const SHARE_OF_EXPECTED: f64 = 0.0075;
/// ... but at least this.
const SHORTEST_WHEN_EXPECTED: Duration = Duration::from_millis(100);
/// A look takes along those first that would be due before long.
const SOON: Duration = LONGEST;
/// More instances on their way than these are many ...
const MANY: usize = 10;
/// ... and more than these are a crowd: they cannot all be looked at as often as one would like.
const CROWD: usize = 3 * LOOK_LIMIT;
/// In a crowd, some of each entry are looked at for all of it: at first as soon as anyone, then no more often than this.
const SHORTEST_IN_A_CROWD: Duration = Duration::from_secs(1);
/// The others are looked at after this, and then whenever they are twice as old: some may be quicker than the sample.
const REST: Duration = Duration::from_secs(30);
/// What is recorded is at least this share of what was seen.
const SHARE_OF_SEEN: f64 = 0.95;
/// Instances on their way are looked at at the pace of the quota only as long as so many looks are left in the minute;
/// otherwise, and while looks are saved up for calls ...
const RESERVE: usize = 10;
/// ... once in so long.
const SLOWLY: Duration = Duration::from_secs(2);

/// The looks at one provider's instances. Instances are named by their positions in the plan.
#[derive(Debug, Default)]
pub(super) struct Poll {
    /// Looks at instances on their way.
    due: BTreeSet<(Moment, usize)>,
    /// Looks that calls wait for.
    urgent: BTreeSet<(Moment, usize)>,
    /// Whether these have become more than one look can take, and have not all been sent since.
    saves_up: bool,
    watched: BTreeMap<usize, Watched>,
    /// How many were watched when the last look was sent.
    watched_before: usize,
    /// When instances on their way were last looked at.
    polled_at: Option<Moment>,
    failures: u32,
}

#[derive(Debug, Clone, Copy)]
struct Watched {
    due: Moment,
    /// A call waits for it.
    urgent: bool,
    /// A look at it is under way.
    in_flight: bool,
    /// Another look was wanted while one was under way.
    wanted_again: bool,
}

impl Poll {
    /// Wants a look at an instance at a moment, instead of whenever it was wanted before. While a look at it is under
    /// way, the next one is wanted.
    pub(super) fn want(&mut self, change: usize, at: Moment) {
        self.enter(change, at, false);
    }

    /// Wants a look for the sake of a call, never later than one was wanted before. One that is under way will do.
    pub(super) fn want_for_call(&mut self, change: usize, at: Moment) {
        let before = self.watched.get(&change);
        if before.is_some_and(|watched| watched.in_flight && !watched.wanted_again) {
            return;
        }
        let at = before.map_or(at, |watched| watched.due.min(at));
        self.enter(change, at, true);
    }

    fn enter(&mut self, change: usize, at: Moment, urgent: bool) {
        let new = Watched { due: at, urgent, in_flight: false, wanted_again: false };
        let mut watched = self.watched.get(&change).copied().unwrap_or(new);
        self.leave_queue(change, watched);
        watched = Watched { due: at, urgent, wanted_again: watched.in_flight, ..watched };
        self.watched.insert(change, watched);
        if !watched.in_flight {
            self.queue(urgent).insert((at, change));
        }
        self.saves_up |= self.urgent.len() > LOOK_LIMIT;
    }

    fn leave_queue(&mut self, change: usize, watched: Watched) {
        self.queue(watched.urgent).remove(&(watched.due, change));
        self.saves_up &= !self.urgent.is_empty();
    }

    fn queue(&mut self, urgent: bool) -> &mut BTreeSet<(Moment, usize)> {
        if urgent { &mut self.urgent } else { &mut self.due }
    }

    /// Wants no further look at an instance.
    pub(super) fn forget(&mut self, change: usize) {
        if let Some(watched) = self.watched.remove(&change) {
            self.leave_queue(change, watched);
        }
    }

    /// The instances that are due, those first that calls wait for: as many as a look can take.
    pub(super) fn due(&self, now: Moment) -> impl Iterator<Item = usize> {
        due_by(&self.urgent, now).chain(due_by(&self.due, now)).take(LOOK_LIMIT)
    }

    /// The instances on their way that will be due before long: as many as a look can take.
    pub(super) fn soon_due(&self, now: Moment) -> impl Iterator<Item = usize> {
        let soon = (Bound::Excluded((now, usize::MAX)), Bound::Included((now + SOON, usize::MAX)));
        self.due.range(soon).map(|(_, change)| *change).take(LOOK_LIMIT)
    }

    /// The instances of a look that is to be sent now, if one is due and the looks of this minute are not used up.
    /// Those that are due come first. The rest of the batch is filled, because that costs nothing more, with `others`,
    /// and then with those that are watched and due later.
    pub(super) fn next(
        &mut self,
        quota: &mut Quota,
        now: Moment,
        others: impl Iterator<Item = usize>,
    ) -> Option<Vec<usize>> {
        let is_now = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        // Instances on their way are not forgotten over the calls that others wait for.
        let is_urgent = is_now(self.urgent_at(quota)) && !is_now(self.slowly_at(quota));
        if is_urgent && self.saves_up {
            quota.spend_saved(now);
        } else if is_urgent {
            quota.spend_for_calls(now);
        } else if is_now(self.paced_at(quota)) {
            self.polled_at = Some(now);
            quota.spend(now);
        } else {
            return None;
        }
        self.watched_before = self.watched.len();
        let mut taken = BTreeSet::new();
        let mut batch: Vec<usize> = Vec::with_capacity(LOOK_LIMIT);
        let urgent = due_by(&self.urgent, now).take_while(|_| is_urgent || !self.saves_up);
        let later = self.due.range((now, 0)..).map(|(_, change)| *change);
        for change in urgent.chain(due_by(&self.due, now)).chain(others).chain(later) {
            if batch.len() == LOOK_LIMIT {
                break;
            }
            let in_flight = self.watched.get(&change).is_some_and(|watched| watched.in_flight);
            if !in_flight && taken.insert(change) {
                batch.push(change);
            }
        }
        for change in &batch {
            if let Some(mut watched) = self.watched.get(change).copied() {
                self.leave_queue(*change, watched);
                watched.in_flight = true;
                self.watched.insert(*change, watched);
            }
        }
        Some(batch)
    }

    /// How many are watched, in words: with those that are about to be again, after a look has shown them.
    pub(super) fn density(&self) -> Density {
        match self.watched.len().max(self.watched_before) {
            0..=MANY => Density::Few,
            watched if watched <= CROWD => Density::Many,
            _ => Density::Crowd,
        }
    }

    /// Whether the next look has room for instances that nobody is waiting to see.
    pub(super) fn has_room(&self, now: Moment) -> bool {
        let soon = self.due.iter().take(LOOK_LIMIT).take_while(|(due, _)| *due <= now + SOON).count();
        soon + self.urgent.len() < LOOK_LIMIT
    }

    /// A look has come back. Its instances are watched no more until somebody wants them again; those that were
    /// wanted again meanwhile are due as wanted.
    pub(super) fn came_back(&mut self, batch: &[usize], worked: bool) {
        self.failures = if worked { 0 } else { self.failures + 1 };
        for change in batch {
            if let Some(watched) = self.watched.remove(change) {
                if !watched.in_flight {
                    self.watched.insert(*change, watched);
                } else if watched.wanted_again {
                    self.enter(*change, watched.due, watched.urgent);
                }
            }
        }
    }

    /// How many looks have failed in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The instances that are watched, in the order of the plan.
    pub(super) fn watched(&self) -> impl Iterator<Item = usize> {
        self.watched.keys().copied()
    }

    /// Whether a look would be sent now.
    pub(super) fn is_due(&self, quota: &Quota, now: Moment) -> bool {
        self.wake_at(quota).is_some_and(|wake| wake <= now)
    }

    /// When the next look is to be sent, if one is wanted.
    pub(super) fn wake_at(&self, quota: &Quota) -> Option<Moment> {
        self.urgent_at(quota).into_iter().chain(self.paced_at(quota)).min()
    }

    /// When looks for the sake of calls are sent: once there are enough for all of them, or as many as can be saved.
    fn urgent_at(&self, quota: &Quota) -> Option<Moment> {
        let &(due, _) = self.urgent.first()?;
        Some(due.max(match self.saves_up {
            true => quota.allows_saved(self.urgent.len().div_ceil(LOOK_LIMIT)),
            false => quota.allows(1).max(quota.evenly()),
        }))
    }

    /// When instances on their way are looked at.
    fn paced_at(&self, quota: &Quota) -> Option<Moment> {
        let slowly = self.slowly_at(quota)?;
        if self.saves_up {
            return Some(slowly);
        }
        let &(due, _) = self.due.first()?;
        // A look that is full is as good as a look can be, and need not wait for more to come due.
        let full_at = self.due.iter().nth(LOOK_LIMIT - 1).map_or(Moment::MAX, |(due, _)| *due);
        let evenly = quota.evenly().min(full_at);
        Some(slowly.min(due.max(quota.paced()).max(evenly).max(quota.allows(1 + RESERVE))))
    }

    /// When they are looked at even if looks are scarce.
    fn slowly_at(&self, quota: &Quota) -> Option<Moment> {
        let &(due, _) = self.due.first()?;
        let slowly = self.polled_at.map_or(Moment::ZERO, |polled| polled + SLOWLY);
        Some(due.max(slowly).max(quota.allows(1)))
    }
}

/// The instances of a queue that are due by a moment, those first that have been for longest.
fn due_by(queue: &BTreeSet<(Moment, usize)>, moment: Moment) -> impl Iterator<Item = usize> {
    queue.range(..=(moment, usize::MAX)).map(|(_, change)| *change)
}

/// What is known of how long a way takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// So long took the shortest of the siblings that went the same way just now.
    FromSiblings(Duration),
    /// So long it took this instance before.
    Recorded(Duration),
}

/// How many instances are on their way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Density {
    /// So few that each is looked at when it is its time.
    Few,
    /// So many that most looks serve several.
    Many,
    /// So many that they cannot all be looked at as often as one would like.
    Crowd,
}

/// Where an instance stands among those that are on their way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// There are few.
    Apart,
    /// There are many.
    Among,
    /// There is a crowd, and it is one of those that show how far its entry is.
    Sample,
    /// There is a crowd, and others show how far its entry is.
    Crowd,
}

/// When to look next at an instance that set out at `since`, having just been looked at.
///
/// If it is known how long it took before, the looks begin shortly before that and are close together; the longer it
/// is overdue, the further they are apart. With nothing known the pause grows with its age. Either way the delay in
/// noticing stays a small share of the whole.
pub(super) fn next_look(now: Moment, since: Moment, known: Known, place: Place) -> Moment {
    let age = now.saturating_sub(since);
    match (known, place) {
        (Known::Nothing, Place::Apart | Place::Among) => now + pause(age, SHARE_OF_AGE, SHORTEST),
        (Known::Nothing, Place::Sample) if age < SHORTEST => now + SHORTEST,
        (Known::Nothing, Place::Sample) => now + pause(age, SHARE_OF_AGE, SHORTEST_IN_A_CROWD),
        (Known::Nothing, Place::Crowd) => now + age.max(REST),
        (Known::FromSiblings(shortest), _) => {
            let first = shortest.mul_f64(SHARE_BEFORE_FIRST_LOOK_AS_SIBLINGS);
            match age < first {
                true => since + first,
                false => now + pause(age, SHARE_OF_AGE_AS_SIBLINGS, SHORTEST),
            }
        }
        (Known::Recorded(expected), _) => {
            let soonest = age + expected.mul_f64(SHARE_JUST_BEFORE).max(JUST_BEFORE);
            let shares = SHARES_OF_EXPECTED.iter().filter(|_| place == Place::Apart);
            if let Some(first) = shares.map(|share| expected.mul_f64(*share)).find(|first| *first > soonest) {
                return since + first;
            }
            let (share, shortest) = match place {
                Place::Apart => (SHARE_AFTER_EXPECTED, SHORTEST_WHEN_EXPECTED),
                Place::Among | Place::Sample => (SHARE_AFTER_EXPECTED_OF_MANY, SHORTEST),
                Place::Crowd => (SHARE_AFTER_EXPECTED_OF_MANY, SHORTEST_IN_A_CROWD),
            };
            if age < expected {
                return since + expected.mul_f64(share).max(expected + SHORTEST_WHEN_EXPECTED);
            }
            let close = expected.mul_f64(SHARE_OF_EXPECTED).clamp(shortest, LONGEST);
            now + pause(age.saturating_sub(expected), SHARE_OF_AGE, close)
        }
    }
}

fn pause(age: Duration, share: f64, shortest: Duration) -> Duration {
    age.min(LONGEST.mul_f64(1.0 / share)).mul_f64(share).clamp(shortest, LONGEST)
}

/// How long a way took that was seen to have ended by a look sent at `seen`, and not yet by the one before, sent at
/// `before`: in the middle between them, for nothing more is known, but little less than what was seen. If the first
/// look of all came too late, that was by an old record; then one more run knows it better.
pub(super) fn took(since: Moment, before: Moment, seen: Moment) -> Duration {
    let most = seen.saturating_sub(since);
    let least = before.saturating_sub(since).min(most);
    (least + (most - least) / 2).max(most.mul_f64(SHARE_OF_SEEN))
}
