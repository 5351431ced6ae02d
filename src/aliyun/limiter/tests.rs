//! The laws of the limiter, under a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::{advance, sleep};

use super::core::{Core, Turn};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const ROUND_TRIP: Duration = Duration::from_millis(30);
/// Whoever sends a write paces it: after a refusal it comes again a little later at the earliest.
const PAUSE_OF_WRITERS: Duration = Duration::from_millis(100);

fn most(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("not zero")
}

fn limiter() -> Limiter {
    Limiter::new(most(16), SECOND)
}

fn throttled(asked: Option<Duration>) -> Refusal {
    let mut refusal = Refusal::new(Advice::Throttled { retry_after: asked }, "in words");
    refusal.code = Some("Throttling.User".to_owned());
    refusal
}

/// A service that takes no calls for a while, and counts.
struct Service {
    limiter: Limiter,
    closed_until: Instant,
    asks: Option<Duration>,
    refused: AtomicUsize,
    out: AtomicUsize,
    most_out: AtomicUsize,
}

impl Service {
    fn closed_for(closed: Duration, asks: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            limiter: limiter(),
            closed_until: Instant::now() + closed,
            asks,
            refused: AtomicUsize::new(0),
            out: AtomicUsize::new(0),
            most_out: AtomicUsize::new(0),
        })
    }

    /// Sends a call; whether it passed.
    async fn send(&self, permit: Permit<'_>) -> bool {
        let out = self.out.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_out.fetch_max(out, Ordering::Relaxed);
        let arrives = Instant::now();
        sleep(ROUND_TRIP).await;
        self.out.fetch_sub(1, Ordering::Relaxed);
        if arrives >= self.closed_until {
            permit.answered(Passage::Passed, 0.5);
            return true;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        permit.answered(Passage::Refused(&throttled(self.asks)), 0.0);
        false
    }
}

/// Every one of 200 calls that wait passes in the end, and no more are refused than were out at first and one a
/// second.
async fn all_pass(closed: Duration, asks: Option<Duration>, reads: bool) -> (usize, Duration) {
    let service = Service::closed_for(closed, asks);
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let service = Arc::clone(&service);
        calls.spawn(async move {
            let deadline = Instant::now() + Duration::from_secs(75);
            loop {
                let entered =
                    if reads { service.limiter.enter(deadline).await } else { service.limiter.try_enter() };
                match entered {
                    Ok(permit) => {
                        if service.send(permit).await {
                            return;
                        }
                        if !reads {
                            sleep(PAUSE_OF_WRITERS).await;
                        }
                    }
                    Err(not_now) => {
                        assert!(!reads, "no read gives up within its deadline");
                        sleep(not_now.pause).await;
                    }
                }
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.expect("every call passes");
    }
    assert!(service.most_out.load(Ordering::Relaxed) <= 16);
    (service.refused.load(Ordering::Relaxed), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn two_hundred_reads_outlast_a_closed_window_at_the_cost_of_one_refusal_a_second() {
    for seconds in [5, 60] {
        let (refused, took) = all_pass(Duration::from_secs(seconds), None, true).await;
        assert!(refused <= 16 + seconds as usize, "{refused} refusals in {seconds} s");
        let late = took - Duration::from_secs(seconds);
        assert!(late < Duration::from_secs(3), "{late:?} after the window opened");
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_writes_that_come_back_when_told_outlast_it_at_the_same_cost() {
    for seconds in [5, 60] {
        let (refused, took) = all_pass(Duration::from_secs(seconds), None, false).await;
        assert!(refused <= 16 + seconds as usize, "{refused} refusals in {seconds} s");
        assert!(took - Duration::from_secs(seconds) < Duration::from_secs(6), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn writes_are_held_back_only_where_nothing_passes() {
    let limiter = limiter();
    let write = |passage: Passage<'_>| limiter.try_enter().expect("open").answered(passage, 0.0);
    let refusal = throttled(None);
    for _ in 0..100 {
        (0..15).for_each(|_| write(Passage::Refused(&refusal)));
        write(Passage::Passed);
    }
    (0..16).for_each(|_| write(Passage::Refused(&refusal)));
    assert_eq!(limiter.try_enter().expect_err("closed").pause, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_server_asks_for_is_kept() {
    let (refused, took) = all_pass(Duration::from_secs(20), Some(Duration::from_secs(20)), true).await;
    assert_eq!(refused, 16, "nobody probes before the moment that was named");
    assert!(took < Duration::from_secs(22), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_told_at_once_that_it_may_not_go_and_a_read_as_soon_as_it_is_known() {
    let limiter = limiter();
    let permit = limiter.try_enter().expect("open");
    permit.answered(Passage::Refused(&throttled(Some(Duration::from_secs(30)))), 0.0);
    let not_now = limiter.try_enter().expect_err("closed");
    assert_eq!(not_now.pause, Duration::from_secs(30));
    let refusal = not_now.into_refusal("StartInstance");
    assert_eq!(refusal.code.as_deref(), Some("Throttling.User"));
    assert_eq!(refusal.advice, Advice::Throttled { retry_after: Some(Duration::from_secs(30)) });
    let begun = Instant::now();
    assert!(limiter.enter(begun + Duration::from_secs(29)).await.is_err());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    drop(limiter.enter(begun + Duration::from_secs(31)).await.expect("in time"));
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn what_was_learned_halves_the_calls_at_once_and_grows_back_slowly() {
    let limiter = limiter();
    let permits: Vec<Permit<'_>> = (0..16).map(|_| limiter.try_enter().expect("room")).collect();
    assert!(limiter.try_enter().is_err(), "no more than 16");
    for permit in permits {
        permit.answered(Passage::Refused(&throttled(None)), 0.0);
    }
    assert_eq!(limiter.at_once(), most(8), "sixteen refusals of one moment count once");
    advance(SECOND).await;
    let probe = limiter.try_enter().expect("a probe");
    assert_eq!(limiter.try_enter().expect_err("one probe").pause, WHILE_PROBING);
    probe.answered(Passage::Passed, 0.0);
    let deadline = Instant::now() + SECOND;
    let mut out = Vec::new();
    while let Ok(Ok(permit)) = tokio::time::timeout(ROUND_TRIP, limiter.enter(deadline)).await {
        out.push(permit);
    }
    assert_eq!(out.len(), 8);
    for permit in out {
        permit.answered(Passage::Passed, 0.0);
    }
    assert_eq!(limiter.at_once(), most(9));
    for _ in 0..1000 {
        limiter.try_enter().expect("room").answered(Passage::Passed, 0.0);
    }
    assert_eq!(limiter.at_once(), most(16), "never beyond the bound");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_frees_its_place_and_a_lost_probe_is_followed_by_another() {
    let limiter = Limiter::new(most(1), SECOND);
    drop(limiter.try_enter().expect("open"));
    limiter.try_enter().expect("the place is free").answered(Passage::Refused(&throttled(Some(SECOND))), 0.0);
    advance(SECOND).await;
    drop(limiter.try_enter().expect("a probe"));
    assert_eq!(limiter.try_enter().expect_err("not at once").pause, SECOND);
    advance(SECOND).await;
    assert!(limiter.try_enter().is_ok());
}

#[derive(Debug, Clone, Copy)]
enum Move {
    Read,
    Write,
    Pass(prop::sample::Index),
    Refuse(prop::sample::Index, u16, f64),
    Lose(prop::sample::Index),
    Wait(u16),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let index = any::<prop::sample::Index>;
    let one = prop_oneof![
        3 => Just(Move::Read),
        3 => Just(Move::Write),
        2 => index().prop_map(Move::Pass),
        2 => (index(), 0_u16..5000, 0.0..1.0).prop_map(|(at, asked, random)| Move::Refuse(at, asked, random)),
        1 => index().prop_map(Move::Lose),
        2 => (0_u16..3000).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// However calls come and are answered: never more out than may be, never a second probe before the first is
    /// answered, and always somebody may go in the end.
    #[test]
    fn whatever_happens_the_bounds_hold_and_nobody_waits_for_nothing(moves in moves()) {
        let mut core = Core::new(most(4), SECOND);
        let mut now = Instant::now();
        let mut out = Vec::new();
        for one in moves {
            match one {
                Move::Read | Move::Write => {
                    let is_read = matches!(one, Move::Read);
                    let turn = if is_read { core.ask_for_read(now) } else { core.ask_for_write(now) };
                    match turn {
                        Turn::Go(ticket) => {
                            out.push(ticket);
                            prop_assert!(out.len() <= 4);
                        }
                        Turn::At(at) => prop_assert!(at > now && at <= now + Duration::from_secs(60)),
                        Turn::AfterAnAnswer => prop_assert!(!out.is_empty(), "nothing is out that could be answered"),
                    }
                }
                Move::Pass(at) if !out.is_empty() => core.passed(out.swap_remove(at.index(out.len()))),
                Move::Lose(at) if !out.is_empty() => core.lost(out.swap_remove(at.index(out.len())), now),
                Move::Refuse(at, asked, random) if !out.is_empty() => {
                    let asked = (asked > 1000).then(|| Duration::from_millis(asked.into()));
                    core.refused(out.swap_remove(at.index(out.len())), now, asked, random);
                }
                Move::Wait(milliseconds) => now += Duration::from_millis(milliseconds.into()),
                Move::Pass(_) | Move::Lose(_) | Move::Refuse(..) => {}
            }
            prop_assert!(core.at_once() <= most(4));
        }
        for ticket in out.drain(..) {
            core.passed(ticket);
        }
        now += Duration::from_secs(61);
        prop_assert!(matches!(core.ask_for_read(now), Turn::Go(_)), "all are answered and the pause is over");
    }
}
