//! The laws of a pace, against services in made-up time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

/// How a service counts.
#[derive(Debug, Clone, Copy)]
enum Counts {
    /// By a bucket that holds what comes in within a second.
    ByBucket,
    /// Minute by minute.
    ByMinute,
}

/// A service that lets so many calls a second through from each of these moments on, and says nothing of when to come
/// again.
#[derive(Debug, Clone)]
struct Service {
    counts: Counts,
    rates: Vec<(f64, f64)>,
    tokens: f64,
    counted_at: f64,
    minute: u64,
    calls: f64,
}

impl Service {
    fn new(counts: Counts, rates: &[(f64, f64)]) -> Self {
        let tokens = rates.first().map_or(0.0, |(_, rate)| rate.max(1.0));
        Self { counts, rates: rates.to_vec(), tokens, counted_at: 0.0, minute: 0, calls: 0.0 }
    }

    fn lets_through(&mut self, at: Moment) -> bool {
        let now = at.as_secs_f64();
        let rate = self.rates.iter().rev().find(|(from, _)| *from <= now).map_or(0.0, |(_, rate)| *rate);
        match self.counts {
            Counts::ByBucket => {
                self.tokens = (self.tokens + (now - self.counted_at) * rate).min(rate.max(1.0));
                self.counted_at = now;
                let has_one = self.tokens >= 1.0;
                self.tokens -= if has_one { 1.0 } else { 0.0 };
                has_one
            }
            Counts::ByMinute => {
                if self.minute != at.as_secs() / 60 {
                    self.minute = at.as_secs() / 60;
                    self.calls = 0.0;
                }
                self.calls += 1.0;
                self.calls <= rate * 60.0
            }
        }
    }
}

/// What is sent to a service by somebody who always has something to send.
struct Played {
    /// When each call reached the service, and whether it was let through.
    calls: Vec<(Moment, bool)>,
}

impl Played {
    fn count(&self, from: f64, to: f64, passed: bool) -> f64 {
        let within = |at: &Moment| (from..to).contains(&at.as_secs_f64());
        count(self.calls.iter().filter(|(at, did)| within(at) && *did == passed).count())
    }

    /// The share of what the service would have let through that it did, and the share that it refused.
    fn shares(&self, from: f64, rate: f64) -> (f64, f64) {
        let (passed, refused) = (self.count(from, from + 60.0, true), self.count(from, from + 60.0, false));
        (passed / (60.0 * rate), refused / (passed + refused))
    }
}

const MOST_UNDER_WAY: usize = 16;

/// Plays until this many seconds have passed. Timers are as coarse as real ones: a millisecond.
fn play(mut service: Service, latency: (f64, f64), seconds: f64, seed: u64) -> Played {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut pace = Pace::new(MOST_UNDER_WAY);
    let mut now = Moment::ZERO;
    // A call reaches the service, and then the answer comes back.
    let mut to_come: BinaryHeap<Reverse<(Moment, usize, bool)>> = BinaryHeap::new();
    let mut sent: Vec<(Moment, Moment)> = Vec::new();
    let mut played = Played { calls: Vec::new() };
    let mut passed: Vec<bool> = Vec::new();
    while now.as_secs_f64() < seconds {
        while pace.opens_at().is_some_and(|at| at <= now) {
            pace.sent(now);
            let way = (latency.0 + (latency.1 - latency.0) * random.f64()) / 2.0;
            let way = Duration::from_secs_f64(way);
            to_come.push(Reverse((now + way, sent.len(), false)));
            sent.push((now, now + way * 2));
            passed.push(false);
        }
        assert!(sent.len() - played.calls.len() <= MOST_UNDER_WAY, "too many under way");
        let opens_at = pace.opens_at().map(|at| {
            let milliseconds = at.as_nanos().div_ceil(1_000_000);
            Moment::from_millis(u64::try_from(milliseconds).expect("not for ever"))
        });
        let answer = to_come.peek().map(|Reverse((at, _, _))| *at);
        now = opens_at.into_iter().chain(answer).min().expect("somebody waits for something").max(now);
        while let Some(&Reverse((at, call, is_answer))) =
            to_come.peek().filter(|Reverse((at, _, _))| *at <= now)
        {
            to_come.pop();
            let (sent_at, back) = sent[call];
            if !is_answer {
                passed[call] = service.lets_through(at);
                played.calls.push((at, passed[call]));
                to_come.push(Reverse((back, call, true)));
            } else if passed[call] {
                pace.passed(now, sent_at);
            } else {
                pace.refused(now, sent_at, None);
            }
        }
    }
    played
}

/// The least and the most that an answer takes, in seconds.
const LATENCIES: [(f64, f64); 5] = [(0.005, 0.005), (0.03, 0.03), (0.03, 0.06), (0.1, 0.12), (0.2, 0.2)];

fn reachable(rate: f64, latency: (f64, f64)) -> f64 {
    rate.min(count(MOST_UNDER_WAY) * 2.0 / (latency.0 + latency.1))
}

/// The law: from five seconds after the limit has changed, over a minute.
fn holds(rates: &[(f64, f64)], latency: (f64, f64), seed: u64, most_refused: f64) {
    let (changed, rate) = *rates.last().expect("a rate");
    let played = play(Service::new(Counts::ByBucket, rates), latency, changed + 66.0, seed);
    let (used, refused) = played.shares(changed + 5.0, reachable(rate, latency));
    assert!(
        used >= 0.95 && refused <= most_refused,
        "{rates:?} with answers after {latency:?} s: used {used:.3}, refused {refused:.3}"
    );
}

#[test]
fn a_limit_is_used_by_95_percent_and_refuses_5_percent_at_most() {
    for rate in [5.0, 8.0, 20.0, 100.0, 500.0] {
        for latency in LATENCIES {
            holds(&[(0.0, rate)], latency, 7, 0.05);
        }
    }
}

#[test]
fn a_limit_that_has_changed_is_found_within_five_seconds() {
    let changes = [
        (5.0, 500.0),
        (5.0, 20.0),
        (20.0, 5.0),
        (20.0, 25.0),
        (20.0, 18.0),
        (100.0, 5.0),
        (100.0, 50.0),
        (100.0, 110.0),
        (250.0, 500.0),
        (500.0, 5.0),
        (500.0, 100.0),
        (500.0, 450.0),
    ];
    for (seed, (before, after)) in (0_u32..).zip(changes) {
        for latency in LATENCIES {
            let at = 20.0 + f64::from(seed) * 0.37;
            holds(&[(0.0, before), (at, after)], latency, u64::from(seed), 0.055);
        }
    }
}

/// A small rise of a small limit is noticed late, for it shows in every twentieth call only, and costs some refusals.
#[test]
fn a_small_rise_of_a_small_limit_costs_little_more() {
    for (before, after) in [(5.0, 6.0), (5.0, 7.0), (8.0, 10.0)] {
        for latency in LATENCIES {
            holds(&[(0.0, before), (20.0, after)], latency, 3, 0.08);
        }
    }
}

#[test]
fn minute_windows_refuse_what_was_under_way_and_one_probe_a_second() {
    for rate in [100.0, 600.0, 3_000.0] {
        for latency in [(0.005, 0.005), (0.03, 0.03), (0.2, 0.2), (0.005, 0.2)] {
            let played = play(Service::new(Counts::ByMinute, &[(0.0, rate / 60.0)]), latency, 241.0, 1);
            for minute in 0..4 {
                let (from, to) = (f64::from(minute) * 60.0, f64::from(minute) * 60.0 + 60.0);
                let closed_at = played
                    .calls
                    .iter()
                    .find(|(at, passed)| at.as_secs_f64() >= from && !*passed)
                    .map_or(to, |(at, _)| at.as_secs_f64());
                let refused = played.count(from, to, false);
                let allowed = count(MOST_UNDER_WAY) + (to - closed_at).ceil() + 1.0;
                assert!(
                    refused <= allowed,
                    "{rate} a minute, {latency:?}: {refused} refused, {allowed} allowed"
                );
                let used = played.count(from, to, true) / rate.min(reachable(1e9, latency) * 60.0);
                assert!(used >= 0.95, "{rate} a minute, {latency:?}: used {used:.3}");
            }
        }
    }
}

#[test]
fn what_the_server_asks_for_is_kept_and_then_one_call_goes() {
    let mut pace = Pace::new(4);
    let at = Moment::from_secs;
    pace.sent(at(1));
    pace.refused(at(1), at(1), Some(Duration::from_secs(7)));
    assert_eq!(pace.opens_at(), Some(at(8)));
    pace.sent(at(8));
    assert_eq!(pace.opens_at(), None, "one call alone");
    pace.lost(at(9));
    assert_eq!(pace.opens_at(), Some(at(10)), "nothing was learnt");
    pace.sent(at(10));
    pace.refused(at(10), at(10), Some(Duration::from_secs(3_600)));
    assert_eq!(pace.opens_at(), Some(at(70)));
}

#[test]
fn nothing_is_held_back_where_nothing_is_refused() {
    let mut pace = Pace::new(4);
    for round in 0..1_000 {
        let now = Moment::from_millis(round * 10);
        for _ in 0..4 {
            assert!(pace.opens_at().is_some_and(|at| at <= now));
            pace.sent(now);
        }
        assert_eq!(pace.opens_at(), None);
        (0..4).for_each(|_| pace.passed(now, now));
    }
}
