//! The shared poll: whose turn it is to be looked at, and when.
//!
//! One look serves all that move. Plain data: it says which instances the next look takes, and never looks itself.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::step::Moment;
use crate::cloud::LOOK_LIMIT;

/// Between two looks at an instance on its way lies this share of the time it has been on its way ...
const SHARE_OF_AGE: f64 = 0.08;
/// ... but at least this ...
const SHORTEST: Duration = Duration::from_millis(250);
/// ... and at most this.
const LONGEST: Duration = Duration::from_secs(2);
/// Looks are counted so that there are never more than 120 in a minute: at most `BURST` saved up ...
const BURST: f64 = 30.0;
/// ... and so many more each second. 30 + 60 × 1.5 = 120.
const LOOKS_PER_SECOND: f64 = 1.5;

/// The looks at one provider's instances. Instances are named by their positions in the plan.
#[derive(Debug)]
pub(super) struct Poll {
    due: BTreeSet<(Moment, usize)>,
    watched: HashMap<usize, Watched>,
    allowance: f64,
    counted_at: Moment,
    failures: u32,
}

#[derive(Debug, Clone, Copy)]
struct Watched {
    due: Moment,
    /// A look at it is under way.
    in_flight: bool,
    /// Another look was wanted while one was under way.
    wanted_again: bool,
}

impl Poll {
    pub(super) fn new(now: Moment) -> Self {
        Self { due: BTreeSet::new(), watched: HashMap::new(), allowance: BURST, counted_at: now, failures: 0 }
    }

    /// Wants a look at an instance at a moment, instead of whenever it was wanted before. While a look at it is under
    /// way, the next one is wanted.
    pub(super) fn want(&mut self, change: usize, at: Moment) {
        let new = Watched { due: at, in_flight: false, wanted_again: false };
        let watched = self.watched.entry(change).or_insert(new);
        self.due.remove(&(watched.due, change));
        watched.due = at;
        if watched.in_flight {
            watched.wanted_again = true;
        } else {
            self.due.insert((at, change));
        }
    }

    /// As [`Poll::want`], but never later than it was wanted before.
    pub(super) fn want_by(&mut self, change: usize, at: Moment) {
        let earlier = self
            .watched
            .get(&change)
            .filter(|watched| !watched.in_flight || watched.wanted_again)
            .map_or(at, |watched| watched.due.min(at));
        self.want(change, earlier);
    }

    /// Wants no further look at an instance.
    pub(super) fn forget(&mut self, change: usize) {
        if let Some(watched) = self.watched.remove(&change) {
            self.due.remove(&(watched.due, change));
        }
    }

    /// The instances of a look that is to be sent now, if one is due and the looks of this minute are not used up.
    /// Those that are due come first; the rest of the batch is filled with others that are watched, because they
    /// cost nothing more, and then with `others`.
    pub(super) fn next(&mut self, now: Moment, others: impl Iterator<Item = usize>) -> Option<Vec<usize>> {
        self.refill(now);
        let &(first, _) = self.due.first()?;
        if first > now || self.allowance < 1.0 {
            return None;
        }
        self.allowance -= 1.0;
        let mut batch: Vec<usize> = self.due.iter().take(LOOK_LIMIT).map(|(_, change)| *change).collect();
        for change in &batch {
            if let Some(watched) = self.watched.get_mut(change) {
                self.due.remove(&(watched.due, *change));
                watched.in_flight = true;
            }
        }
        if batch.len() < LOOK_LIMIT {
            let mut taken: std::collections::HashSet<usize> = batch.iter().copied().collect();
            for other in others {
                if batch.len() == LOOK_LIMIT {
                    break;
                }
                let in_flight = self.watched.get(&other).is_some_and(|watched| watched.in_flight);
                if !in_flight && taken.insert(other) {
                    batch.push(other);
                }
            }
        }
        Some(batch)
    }

    /// A look has come back. Its instances are watched no more until somebody wants them again; those that were
    /// wanted again meanwhile are due as wanted.
    pub(super) fn came_back(&mut self, batch: &[usize], worked: bool) {
        self.failures = if worked { 0 } else { self.failures + 1 };
        for change in batch {
            if let Some(watched) = self.watched.get_mut(change).filter(|watched| watched.in_flight) {
                if watched.wanted_again {
                    *watched = Watched { due: watched.due, in_flight: false, wanted_again: false };
                    self.due.insert((watched.due, *change));
                } else {
                    self.watched.remove(change);
                }
            }
        }
    }

    /// How many looks have failed in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The instances that are watched, in no order.
    pub(super) fn watched(&self) -> impl Iterator<Item = usize> {
        self.watched.keys().copied()
    }

    /// Whether a look would be sent now.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.wake_at().is_some_and(|wake| wake <= now)
    }

    /// When the next look is to be sent, if one is wanted.
    pub(super) fn wake_at(&self) -> Option<Moment> {
        let &(due, _) = self.due.first()?;
        let missing = 1.0 - self.allowance;
        let allowed = if missing <= 0.0 {
            self.counted_at
        } else {
            // Rounded up, so that waking at this moment finds the allowance whole.
            self.counted_at + Duration::from_secs_f64(missing / LOOKS_PER_SECOND) + Duration::from_millis(1)
        };
        Some(due.max(allowed))
    }

    fn refill(&mut self, now: Moment) {
        let passed = now.saturating_sub(self.counted_at);
        self.allowance = (self.allowance + passed.as_secs_f64() * LOOKS_PER_SECOND).min(BURST);
        self.counted_at = self.counted_at.max(now);
    }
}

/// When to look next at an instance that set out at `since`, having just been looked at.
///
/// If it is known how long it took before, the first look waits for that; past it, or with nothing known, the pause
/// grows with its age, so that the delay in noticing stays a small share of the whole.
pub(super) fn next_look(now: Moment, since: Moment, expected: Option<Duration>) -> Moment {
    let age = now.saturating_sub(since);
    match expected {
        Some(expected) if age < expected => since + expected,
        Some(expected) => now + pause(age - expected),
        None => now + pause(age),
    }
}

fn pause(age: Duration) -> Duration {
    age.mul_f64(SHARE_OF_AGE).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_pause_follows_the_age_within_bounds() {
        for (age, pause) in [(0, 250), (3_000, 250), (10_000, 800), (25_000, 2_000), (600_000, 2_000)] {
            assert_eq!(next_look(ms(age), ms(0), None), ms(age + pause), "age {age}");
        }
    }

    #[test]
    fn a_known_duration_times_the_first_look() {
        let expected = Some(ms(40_000));
        assert_eq!(next_look(ms(1_000), ms(1_000), expected), ms(41_000));
        assert_eq!(next_look(ms(20_000), ms(1_000), expected), ms(41_000));
        assert_eq!(next_look(ms(41_000), ms(1_000), expected), ms(41_250));
    }

    #[test]
    fn one_look_takes_all_that_are_watched_and_others_as_far_as_there_is_room() {
        let mut poll = Poll::new(ms(0));
        poll.want(1, ms(100));
        poll.want(2, ms(5_000));
        assert_eq!(poll.next(ms(50), std::iter::empty()), None);
        assert_eq!(poll.next(ms(100), [1, 2, 7].into_iter()), Some(vec![1, 2, 7]));
        assert_eq!(poll.next(ms(200), std::iter::empty()), None);
        poll.want(1, ms(300));
        poll.came_back(&[1, 2, 7], true);
        assert_eq!(poll.wake_at(), Some(ms(300)), "only what was wanted meanwhile is wanted still");
        assert_eq!(poll.next(ms(300), [2].into_iter()), Some(vec![1, 2]));
        poll.came_back(&[1, 2], true);
        assert_eq!(poll.wake_at(), None);
    }

    #[test]
    fn a_batch_has_at_most_a_hundred() {
        let mut poll = Poll::new(ms(0));
        for change in 0..150 {
            poll.want(change, ms(0));
        }
        assert_eq!(poll.next(ms(0), std::iter::empty()).map(|batch| batch.len()), Some(100));
        assert_eq!(poll.next(ms(0), 0..1_000).map(|batch| batch.len()), Some(100));
    }

    #[test]
    fn there_are_never_more_than_120_looks_in_any_minute() {
        let mut poll = Poll::new(ms(0));
        let mut sent: Vec<u64> = Vec::new();
        for now in 0..180_000 {
            poll.want(1, ms(0));
            if poll.next(ms(now), std::iter::empty()).is_some() {
                sent.push(now);
                poll.came_back(&[1], true);
            }
        }
        for (at, first) in sent.iter().enumerate() {
            let within = sent[at..].iter().take_while(|now| **now < first + 60_000).count();
            assert!(within <= 120, "{within} looks in the minute after {first} ms");
        }
        assert!(sent.len() >= 280, "only {} looks in three minutes", sent.len());
    }
}
