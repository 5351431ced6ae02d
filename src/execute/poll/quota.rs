//! How many looks may be sent: ECS counts those of an account in a region together, by whatever provider they come.

use std::collections::VecDeque;
use std::time::Duration;

use crate::execute::step::Moment;

/// Never more looks than this in any minute ...
const MOST: usize = 120;
/// ... and never more of them for calls: the rest is what instances on their way get at least.
const MOST_FOR_CALLS: usize = 90;
/// Instances on their way are looked at so often in a row ...
const BURST: f64 = 15.0;
/// ... and so often each second in the long run, which leaves a quarter of the looks for calls.
const LOOKS_PER_SECOND: f64 = 1.5;

/// The looks of one account and region.
#[derive(Debug)]
pub(in crate::execute) struct Quota {
    looks: Minute,
    looks_for_calls: Minute,
    /// How many looks at instances on their way are allowed in a row, and when that was counted.
    allowance: f64,
    counted_at: Moment,
}

impl Quota {
    pub(in crate::execute) fn new(now: Moment) -> Self {
        Self {
            looks: Minute::new(MOST),
            looks_for_calls: Minute::new(MOST_FOR_CALLS),
            allowance: BURST,
            counted_at: now,
        }
    }

    /// A look at instances on their way was sent.
    pub(super) fn spend(&mut self, now: Moment) {
        let passed = now.saturating_sub(self.counted_at);
        self.allowance = (self.allowance + passed.as_secs_f64() * LOOKS_PER_SECOND).min(BURST);
        self.counted_at = self.counted_at.max(now);
        self.allowance = (self.allowance - 1.0).max(0.0);
        self.looks.add(now);
    }

    /// Of the instances that a look was sent for, this share had arrived: as far as that goes, it was not in vain, and
    /// others may follow at once.
    pub(in crate::execute) fn refund(&mut self, share: f64) {
        self.allowance = (self.allowance + share).min(BURST);
    }

    /// A look for the sake of a call was sent.
    pub(super) fn spend_for_calls(&mut self, now: Moment) {
        self.looks.add(now);
        self.looks_for_calls.add(now);
    }

    /// When so many looks will be allowed at once.
    pub(super) fn allows(&self, looks: usize) -> Moment {
        self.looks.allows(looks)
    }

    /// When so many looks for the sake of calls will be allowed at once, or as many as ever are.
    pub(super) fn allows_for_calls(&self, looks: usize) -> Moment {
        let looks = looks.min(MOST_FOR_CALLS);
        self.looks.allows(looks).max(self.looks_for_calls.allows(looks))
    }

    /// When the next look at instances on their way keeps to the pace of the long run.
    pub(super) fn paced(&self) -> Moment {
        let missing = 1.0 - self.allowance;
        if missing <= 0.0 {
            return self.counted_at;
        }
        // Rounded up, so that waking at this moment finds the allowance whole.
        self.counted_at + Duration::from_secs_f64(missing / LOOKS_PER_SECOND) + Duration::from_millis(1)
    }
}

/// Looks that were sent in the last minute, and how many more may be.
#[derive(Debug)]
struct Minute {
    most: usize,
    /// The last of them, oldest first, at most `most`.
    sent: VecDeque<Moment>,
}

impl Minute {
    fn new(most: usize) -> Self {
        Self { most, sent: VecDeque::with_capacity(most) }
    }

    /// When so many looks, at most `most`, will be allowed at once.
    fn allows(&self, looks: usize) -> Moment {
        match (self.sent.len() + looks).checked_sub(self.most + 1) {
            Some(must_be_past) => self.sent[must_be_past] + Duration::from_secs(60),
            None => Moment::ZERO,
        }
    }

    fn add(&mut self, now: Moment) {
        if self.sent.len() == self.most {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }
}
