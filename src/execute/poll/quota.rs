//! How many looks may be sent: ECS counts those of an account in a region together, by whatever provider they come.

use std::collections::VecDeque;
use std::time::Duration;

use crate::execute::step::Moment;

const MINUTE: Duration = Duration::from_secs(60);
/// Never more looks than this in any minute ...
const MOST: usize = 120;
/// ... and never more of them saved up for calls: the rest is what instances on their way get at least.
const MOST_SAVED: usize = 90;
/// Once so many were sent in a minute, the rest is spread out.
const SPREAD_FROM: usize = 80;
/// Instances on their way are looked at so often in a row ...
const BURST: f64 = 15.0;
/// ... and so often each second in the long run, which leaves a quarter of the looks for calls.
const LOOKS_PER_SECOND: f64 = 1.5;

/// The looks of one account and region.
#[derive(Debug)]
pub(in crate::execute) struct Quota {
    looks: Minute,
    saved_looks: Minute,
    /// When the next look is to be sent if they are spread out evenly.
    evenly: Moment,
    /// How many looks at instances on their way are allowed in a row, and when that was counted.
    allowance: f64,
    counted_at: Moment,
}

impl Quota {
    pub(in crate::execute) fn new(now: Moment) -> Self {
        Self {
            looks: Minute::new(MOST),
            saved_looks: Minute::new(MOST_SAVED),
            evenly: Moment::ZERO,
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
        self.sent(now);
    }

    /// Of the instances that a look was sent for, this share had arrived: as far as that goes, it was not in vain, and
    /// others may follow at once.
    pub(in crate::execute) fn refund(&mut self, share: f64) {
        self.allowance = (self.allowance + share).min(BURST);
        if let Some(last) = self.looks.last() {
            self.evenly = last + self.evenly.saturating_sub(last).mul_f64(1.0 - share);
        }
    }

    /// A look for the sake of calls was sent, which took those along that are on their way and were due.
    pub(super) fn spend_for_calls(&mut self, now: Moment) {
        self.sent(now);
    }

    /// One of several looks was sent that were saved up for calls.
    pub(super) fn spend_saved(&mut self, now: Moment) {
        self.sent(now);
        self.saved_looks.add(now);
    }

    fn sent(&mut self, now: Moment) {
        self.looks.add(now);
        if self.looks.since(now.saturating_sub(MINUTE)) >= SPREAD_FROM {
            let looks = (1_u32..).zip(1..=MOST);
            let pauses = looks.map(|(number, looks)| self.looks.allows(looks).saturating_sub(now) / number);
            self.evenly = now + pauses.max().unwrap_or_default();
        }
    }

    /// When the next look is to be sent, so that the looks of the minute do not run out, unless many were not in vain.
    pub(super) fn evenly(&self) -> Moment {
        self.evenly
    }

    /// When so many looks will be allowed at once.
    pub(super) fn allows(&self, looks: usize) -> Moment {
        self.looks.allows(looks)
    }

    /// When so many looks that are saved up will be allowed at once, or as many as ever are.
    pub(super) fn allows_saved(&self, looks: usize) -> Moment {
        let looks = looks.min(MOST_SAVED);
        self.looks.allows(looks).max(self.saved_looks.allows(looks))
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
            Some(must_be_past) => self.sent[must_be_past] + MINUTE,
            None => Moment::ZERO,
        }
    }

    fn add(&mut self, now: Moment) {
        if self.sent.len() == self.most {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// The last one that was sent.
    fn last(&self) -> Option<Moment> {
        self.sent.back().copied()
    }

    /// How many were sent after a moment.
    fn since(&self, moment: Moment) -> usize {
        self.sent.iter().rev().take_while(|sent| **sent > moment).count()
    }
}
