//! How fast calls of one action are sent where the cloud lets only so many through: as fast as it does, and little
//! faster. Plain data: it is told what was sent and what became of it, and says when the next call may go.
//!
//! Nobody says what the limit is, so it is learned. Between two refusals a service that counts by a bucket of tokens has
//! let through exactly what the bucket was refilled with, and so has one that counts by windows; that is the rate. Calls
//! go a little faster than it, so that a refusal comes now and then and measures it again. If more is let through than
//! the rate explains, the limit has risen, and the pace is doubled until a refusal comes. If nothing at all is let
//! through, one call alone is tried, after longer and longer pauses, up to one a second.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::execute::step::Moment;

/// After two refusals in a row, the next call waits as long as they are apart, but at least this ...
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// ... and at most this: so often a service is probed that lets nothing through.
const PROBE: Duration = Duration::from_secs(1);
/// However long a server asks to wait: ECS counts by minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A service that let nothing through for so long counts by windows longer than a second, and begins anew.
const NEW_WINDOW: Duration = Duration::from_millis(1_500);
/// The rate is measured from the first to the last of so many refusals.
const MARKS: usize = 8;
/// The rate of which a service is suspected after its first refusal.
const FIRST_GUESS: f64 = 10.0;
/// Calls go faster than the rate by such a share of it that a refusal comes once in so many seconds ...
const SECONDS_BETWEEN_REFUSALS: f64 = 1.5;
/// ... but by at least this share ...
const LEAST_MORE: f64 = 0.01;
/// ... and by at most this one, once the rate is known well.
const MOST_MORE: f64 = 0.04;
/// What was not sent for so many seconds, because nothing was to be sent or nothing could be, may be sent at once.
const SAVED_SECONDS: f64 = 0.25;
/// So many calls more than the rate explains, and some for those under way, prove that the limit has risen: a bucket
/// that has refused a call holds less than one token.
const TOO_MANY: f64 = 1.1;
/// See [`TOO_MANY`].
const TOO_MANY_FOR_EACH_UNDER_WAY: f64 = 0.25;
/// A refusal while the limit is looked for shows that it has risen if so many more have passed than the rate explains.
const CLEARLY_TOO_MANY: f64 = 2.5;
/// How much faster calls go at first when the limit has risen.
const FIRST_FACTOR: f64 = 1.5;
const GREATEST_FACTOR: f64 = 4_096.0;
/// So many of the calls that passed last are remembered, because answers overtake one another.
const REMEMBERED: usize = 64;

/// The pace of the calls of one action.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    in_flight: usize,
    /// So many calls a second are let through; none while nothing was ever refused.
    rate: Option<f64>,
    search: Option<Search>,
    /// So many calls may be sent now, as far as the rate goes, and when that was counted.
    credit: f64,
    counted_at: Moment,
    /// So many more calls than the rate explains have passed since the last mark, and when that was counted.
    excess: f64,
    excess_at: Moment,
    marks: VecDeque<Mark>,
    /// How many calls have passed in all, and when the last of them reached the service.
    passed: u64,
    reached: VecDeque<Moment>,
    /// Refusals since a call passed, when the first of them was heard of, and when the last had reached the service.
    refused: usize,
    refused_since: Moment,
    refused_at: Moment,
    /// When the last refusal was heard of that was not sent before another one was: it says something new.
    heard_at: Moment,
    closed_until: Moment,
    /// Nothing has passed for a while: one call at a time goes to see whether that has changed.
    closed: bool,
}

/// A refusal after a call that passed: at this moment the service had nothing left.
#[derive(Debug)]
struct Mark {
    at: Moment,
    /// How many calls had passed before.
    passed: u64,
}

/// The limit has risen, and it is not known how far.
#[derive(Debug)]
struct Search {
    /// So many times as fast as the rate.
    factor: f64,
    /// When it was raised last. A call that was sent later and passes raises it again.
    raised_at: Moment,
    began: Moment,
    /// How many calls may be under way: those that were at first, and one more for each that has passed since.
    room: usize,
}

impl Pace {
    /// At most `most` calls under way.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            in_flight: 0,
            rate: None,
            search: None,
            credit: 0.0,
            counted_at: Moment::ZERO,
            excess: 0.0,
            excess_at: Moment::ZERO,
            marks: VecDeque::new(),
            passed: 0,
            reached: VecDeque::new(),
            refused: 0,
            refused_since: Moment::ZERO,
            refused_at: Moment::ZERO,
            heard_at: Moment::ZERO,
            closed_until: Moment::ZERO,
            closed: false,
        }
    }

    /// When the next call may go; none if one that is under way has to be answered first.
    pub(super) fn opens_at(&self) -> Option<Moment> {
        let room = match &self.search {
            _ if self.closed => 1,
            Some(search) => search.room.min(self.most),
            None => self.most,
        };
        if self.in_flight >= room {
            return None;
        }
        // A probe is no matter of the rate.
        let Some(speed) = self.speed().filter(|_| !self.closed) else { return Some(self.closed_until) };
        let missing = (1.0 - self.credit).max(0.0);
        Some(self.closed_until.max(self.counted_at + Duration::from_secs_f64(missing / speed)))
    }

    /// Whether nothing has passed for a while.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many calls go in so long, if anything is known of the limit.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of calls, rounded"
    )]
    pub(super) fn calls_in(&self, span: Duration) -> Option<usize> {
        self.speed().map(|speed| (speed * span.as_secs_f64()) as usize)
    }

    /// Until when no call is made, whatever is answered.
    pub(super) fn closed_until(&self) -> Moment {
        self.closed_until
    }

    /// A call was sent.
    pub(super) fn sent(&mut self, now: Moment) {
        self.refill(now);
        self.credit = (self.credit - 1.0).max(-1.0);
        self.in_flight += 1;
    }

    /// It is not known whether a call was let through.
    pub(super) fn lost(&mut self, now: Moment) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.closed {
            self.closed_until = self.closed_until.max(now + PROBE);
        }
    }

    /// A call was let through, whatever became of it.
    pub(super) fn passed(&mut self, now: Moment, sent_at: Moment) {
        let reached = middle(sent_at, now);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.refill(now);
        self.passed += 1;
        for mark in self.marks.iter_mut().rev().take_while(|mark| reached < mark.at) {
            mark.passed += 1;
        }
        if self.reached.len() == REMEMBERED {
            self.reached.pop_front();
        }
        self.reached.push_back(reached);
        // One that had reached the service before the last refusal says nothing of what is let through since.
        if reached >= self.refused_at {
            let refused = std::mem::take(&mut self.refused);
            if std::mem::take(&mut self.closed) {
                self.closed_until = now;
                if refused > 0 && now.saturating_sub(self.refused_since) > NEW_WINDOW {
                    self.marks.clear();
                    self.rate = self.rate.map(|rate| rate.max(FIRST_GUESS));
                    self.search = Some(self.begin_search(now, 2.0));
                }
            }
        }
        if self.marks.back().is_some_and(|mark| reached < mark.at) {
            // It had overtaken the refusal that was taken for the end.
            self.measure();
            return;
        }
        self.count_excess(reached, 1.0);
        let too_many = TOO_MANY + TOO_MANY_FOR_EACH_UNDER_WAY * count(self.in_flight);
        match &mut self.search {
            Some(search) => {
                if sent_at >= search.began {
                    search.room = search.room.saturating_add(1);
                }
                if sent_at >= search.raised_at {
                    search.factor = (search.factor * 2.0).min(GREATEST_FACTOR);
                    search.raised_at = now;
                }
            }
            None if self.rate.is_some() && self.excess > too_many => {
                self.search = Some(self.begin_search(now, FIRST_FACTOR));
            }
            None => {}
        }
    }

    /// A call was refused because too many come, and the server may have said how long to wait.
    pub(super) fn refused(&mut self, now: Moment, sent_at: Moment, asked: Option<Duration>) {
        let reached = middle(sent_at, now);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.refill(now);
        self.refused += 1;
        self.refused_at = self.refused_at.max(reached);
        if self.refused == 1 {
            self.refused_since = now;
        }
        let is_new = sent_at >= self.heard_at;
        if is_new {
            self.heard_at = now;
            self.count_excess(reached, 0.0);
            if self.refused == 1 || self.marks.is_empty() {
                self.learn(reached);
            }
            self.credit = 0.0;
            self.excess = 0.0;
            self.excess_at = self.excess_at.max(reached);
        }
        let pause = match asked {
            Some(asked) => asked.clamp(SHORTEST_PAUSE, LONGEST_PAUSE),
            // One that was refused between others that pass does not close anything.
            None if !self.closed && (self.refused < 2 || self.refused == 2 && !is_new) => return,
            // Nothing tells that it ever lets anything through.
            None if self.passed == 0 => PROBE,
            // Of the calls that might have been under way at first some are not spent yet.
            None if self.refused < self.most => {
                now.saturating_sub(self.refused_since).clamp(SHORTEST_PAUSE, PROBE)
            }
            None if self.closed && is_new => PROBE,
            None => SHORTEST_PAUSE,
        };
        self.closed = true;
        self.closed_until = self.closed_until.max(now + pause);
    }

    /// How many calls a second are sent.
    fn speed(&self) -> Option<f64> {
        let rate = self.rate?;
        let known = match (self.marks.front(), self.marks.back()) {
            (Some(first), Some(last)) => last.passed.saturating_sub(first.passed),
            _ => 0,
        };
        let more = match &self.search {
            Some(search) => return Some(rate * search.factor),
            // One more or less in so many is what a measurement cannot tell.
            None => 1.0 / (count_of(known) + 1.0),
        };
        let least = (1.0 / (rate * SECONDS_BETWEEN_REFUSALS)).clamp(LEAST_MORE, MOST_MORE);
        Some(rate * (1.0 + more.max(least)))
    }

    fn refill(&mut self, now: Moment) {
        let passed = now.saturating_sub(self.counted_at).as_secs_f64();
        self.counted_at = self.counted_at.max(now);
        if let Some(speed) = self.speed() {
            self.credit = (self.credit + passed * speed).min((speed * SAVED_SECONDS).max(1.0));
        }
    }

    fn count_excess(&mut self, reached: Moment, more: f64) {
        let passed = reached.saturating_sub(self.excess_at).as_secs_f64();
        self.excess_at = self.excess_at.max(reached);
        if let Some(rate) = self.rate {
            self.excess = (self.excess - passed * rate).max(-rate * SAVED_SECONDS) + more;
        }
    }

    fn begin_search(&self, now: Moment, factor: f64) -> Search {
        Search { factor, raised_at: now, began: now, room: self.in_flight + 2 }
    }

    /// The service had nothing left when this call reached it: what it lets through can be measured.
    fn learn(&mut self, reached: Moment) {
        let overtaken = self.reached.iter().filter(|other| **other > reached).count();
        let passed = self.passed.saturating_sub(u64::try_from(overtaken).unwrap_or(u64::MAX));
        let was_searched = self.search.take().is_some();
        let mut guess = None;
        if let (Some(last), Some(rate)) = (self.marks.back(), self.rate) {
            let seconds = reached.saturating_sub(last.at).as_secs_f64();
            let since = count_of(passed.saturating_sub(last.passed));
            let has_risen = was_searched && self.excess > CLEARLY_TOO_MANY;
            let has_risen_far = has_risen && since > 1.3 * rate * seconds;
            let has_fallen = since + 1.5 < 0.75 * rate * seconds;
            if has_risen_far {
                // When it rose is not known: what passed since the last mark tells nothing but the least.
                guess = Some(since / seconds).filter(|guess| guess.is_finite());
                self.marks.clear();
            } else if has_risen || has_fallen {
                self.marks.drain(..self.marks.len() - 1);
            }
        }
        if self.marks.len() == MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back(Mark { at: reached, passed });
        if !self.measure() {
            self.rate = guess.or(self.rate).or(Some(FIRST_GUESS));
        }
    }

    /// Takes the rate from the first and the last mark, if there are two.
    fn measure(&mut self) -> bool {
        let (Some(first), Some(last)) = (self.marks.front(), self.marks.back()) else { return false };
        let seconds = last.at.saturating_sub(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return false;
        }
        self.rate = Some(count_of(last.passed.saturating_sub(first.passed)).max(0.5) / seconds);
        true
    }
}

/// When a call reached the service, as far as that can be known.
fn middle(sent_at: Moment, now: Moment) -> Moment {
    sent_at + now.saturating_sub(sent_at) / 2
}

#[expect(clippy::cast_precision_loss, reason = "fewer calls than a float can count")]
fn count_of(calls: u64) -> f64 {
    calls as f64
}

fn count(calls: usize) -> f64 {
    count_of(u64::try_from(calls).unwrap_or(u64::MAX))
}
