//! How long a running apply is expected to take in all. It learns as the apply goes on.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::board::whole;
use crate::plan::{Course, Plan, Remainder, Stand};

/// It is made anew at most this often, because that goes through the whole plan.
const EVERY: Duration = Duration::from_secs(1);

/// What an apply is expected to take, by all that was known when that was last asked.
#[derive(Debug)]
pub(super) struct Estimate {
    course: Course,
    /// How many instances may be in transition at a time.
    parallelism: Option<NonZeroUsize>,
    expected: Expected,
    made_at: Duration,
    /// When the first step that had not begun was expected to; none if all had.
    next: Option<Duration>,
    /// Whether something has happened since that it may rest on.
    is_stale: bool,
    /// Whether ECS has made calls wait.
    is_throttled: bool,
}

/// How long the whole apply is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    About(Duration),
    /// About so long, and that is over, although all has begun.
    Overdue(Duration),
    AtLeast(Duration),
    Unknown,
}

impl Estimate {
    /// The estimate before anything has happened.
    pub(super) fn new(
        plan: &Plan,
        parallelism: Option<NonZeroUsize>,
        stand: impl Fn(usize) -> Stand,
    ) -> Self {
        let mut estimate = Self {
            course: Course::of(plan),
            parallelism,
            expected: Expected::Unknown,
            made_at: Duration::ZERO,
            next: None,
            is_stale: false,
            is_throttled: false,
        };
        estimate.make(Duration::ZERO, stand);
        estimate
    }

    /// Something has happened that it may rest on.
    pub(super) fn age(&mut self) {
        self.is_stale = true;
    }

    /// ECS makes calls wait, for nobody knows how long.
    pub(super) fn throttled(&mut self) {
        self.is_throttled = true;
    }

    /// Makes it anew if it may have changed and is old enough.
    pub(super) fn renew(&mut self, now: Duration, stand: impl Fn(usize) -> Stand) {
        if (self.is_stale || self.is_late(now)) && now.saturating_sub(self.made_at) >= EVERY {
            self.make(now, stand);
        }
    }

    /// Whether something was expected to have begun, or all to have ended. If it had, something would have happened.
    fn is_late(&self, now: Duration) -> bool {
        let ends = match self.expected {
            Expected::About(ends) | Expected::AtLeast(ends) => Some(ends),
            Expected::Overdue(_) | Expected::Unknown => None,
        };
        [self.next, ends].into_iter().flatten().any(|at| at <= now)
    }

    fn make(&mut self, now: Duration, stand: impl Fn(usize) -> Stand) {
        let remainder = self.course.remainder(now, stand);
        self.is_stale = false;
        self.made_at = now;
        self.next = remainder.next;
        // What has ended takes no longer than was expected last.
        if remainder.steps > 0 {
            self.expected = self.expected(now, &remainder);
        }
    }

    fn expected(&self, now: Duration, remainder: &Remainder) -> Expected {
        let Remainder { steps, is_known, ends, next, work } = *remainder;
        let slots = self.parallelism.map(NonZeroUsize::get).filter(|slots| *slots < steps);
        let is_held_back = self.is_throttled && next.is_some();
        if is_known && slots.is_none() && !is_held_back && ends != now {
            return match ends < now && next.is_none() {
                true => Expected::Overdue(ends),
                false => Expected::About(ends),
            };
        }
        // However it is spread over the slots, no more than all of them are taken.
        let shared = slots.and_then(|slots| u32::try_from(slots).ok()).map(|slots| work / slots);
        match ends.max(now.saturating_add(shared.unwrap_or_default())) {
            ends if ends > now => Expected::AtLeast(ends),
            // Whatever is left, nothing is known of when it ends but that it may be any moment.
            _ => Expected::Unknown,
        }
    }

    /// How long it has taken, and how long it is expected to: `8s of about 40s`.
    pub(super) fn words(&self, now: Duration) -> String {
        let elapsed = whole(now);
        match self.expected {
            // That it takes longer is told with the next one.
            Expected::About(takes) => format!("{elapsed} of about {}", whole(takes.max(now))),
            Expected::Overdue(takes) => format!("{elapsed}, longer than the usual {}", whole(takes)),
            Expected::AtLeast(takes) if takes >= now => format!("{elapsed} of at least {}", whole(takes)),
            Expected::AtLeast(_) | Expected::Unknown => format!("{elapsed} of an unknown time"),
        }
    }
}
