//! Looks are few, at the right moment, and never more than ECS allows.

use std::time::Duration;

use super::{Known, LOOK_LIMIT, Place, Poll, Quota, next_look, took};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn the_pause_follows_the_age_within_bounds() {
    for (age, pause) in [(0, 250), (3_000, 250), (10_000, 800), (25_000, 2_000), (600_000, 2_000)] {
        let next = next_look(ms(age), ms(0), Known::Nothing, Place::Apart);
        assert_eq!(next, ms(age + pause), "age {age}");
    }
    let far = Duration::MAX / 2;
    assert_eq!(next_look(far, ms(0), Known::Nothing, Place::Apart), far + ms(2_000));
}

#[test]
fn a_known_duration_times_the_looks() {
    let expected = ms(40_000);
    let next =
        |age: u64, place| next_look(ms(1_000 + age), ms(1_000), Known::Recorded(expected), place) - ms(1_000);
    for (age, then) in [
        (0, 36_200),
        (20_000, 36_200),
        // Another look has taken it along.
        (35_900, 37_000),
        (36_200, 37_000),
        (37_000, 37_800),
        (37_800, 38_600),
        (38_600, 39_400),
        (39_400, 40_200),
        (40_000, 40_300),
        (50_000, 50_800),
        (499_000, 501_000),
    ] {
        assert_eq!(next(age, Place::Apart), ms(then), "age {age}");
    }
    for (age, then) in [(0, 40_400), (39_400, 40_400), (40_400, 40_700), (50_000, 50_800)] {
        assert_eq!(next(age, Place::Among), ms(then), "age {age}, with others that are expected about then");
    }
    let next = |age, expected| next_look(ms(age), ms(0), Known::Recorded(expected), Place::Apart);
    for (age, then) in [(0, 1_810), (1_810, 2_100), (2_100, 2_200)] {
        assert_eq!(next(age, ms(2_000)), ms(then), "age {age}");
    }
    assert_eq!(next(0, Duration::MAX / 2), (Duration::MAX / 2).mul_f64(0.905));
}

#[test]
fn siblings_time_the_first_look_and_the_age_the_others() {
    let next = |age, shortest| next_look(ms(age), ms(0), Known::FromSiblings(ms(shortest)), Place::Apart);
    assert_eq!(next(0, 40_000), ms(37_600));
    assert_eq!(next(37_600, 40_000), ms(37_600 + 1_504));
    assert_eq!(next(80_000, 40_000), ms(82_000));
    assert_eq!(next(200, 200), ms(450));
}

#[test]
fn in_a_crowd_a_sample_is_looked_at_and_the_others_rest() {
    let next = |age, known, place| next_look(ms(age), ms(0), known, place);
    for (age, pause) in [(0, 250), (250, 1_000), (10_000, 1_000), (20_000, 1_600), (60_000, 2_000)] {
        assert_eq!(next(age, Known::Nothing, Place::Sample), ms(age + pause), "age {age}");
    }
    for (age, then) in [(0, 30_000), (30_000, 60_000), (60_000, 120_000)] {
        assert_eq!(next(age, Known::Nothing, Place::Crowd), ms(then), "age {age}");
    }
    let recorded = Known::Recorded(ms(40_000));
    assert_eq!(next(0, recorded, Place::Sample), ms(40_400));
    assert_eq!(next(0, recorded, Place::Crowd), ms(40_400), "when nearly all have arrived");
    assert_eq!(next(40_400, recorded, Place::Sample), ms(40_700));
    assert_eq!(next(40_400, recorded, Place::Crowd), ms(41_400));
}

#[test]
fn what_a_way_took_lies_between_the_looks_around_its_end() {
    for (since, before, seen, way) in [
        (1_000, 20_000, 21_000, 19_500),
        (1_000, 20_980, 21_000, 19_990),
        // Nobody looked before: it may have been there for long, and is thought to have been for a little.
        (1_000, 0, 21_000, 19_000),
        (1_000, 30_000, 21_000, 20_000),
        (5_000, 0, 5_000, 0),
    ] {
        assert_eq!(took(ms(since), ms(before), ms(seen)), ms(way), "{since} {before} {seen}");
    }
}

#[test]
fn one_look_takes_all_that_are_watched_and_others_as_far_as_there_is_room() {
    let (mut poll, mut quota) = (Poll::default(), Quota::new(ms(0)));
    poll.want(1, ms(100));
    poll.want(2, ms(5_000));
    assert_eq!(poll.next(&mut quota, ms(50), std::iter::empty()), None);
    assert_eq!(poll.next(&mut quota, ms(100), [1, 2, 7].into_iter()), Some(vec![1, 2, 7]));
    assert_eq!(poll.next(&mut quota, ms(200), std::iter::empty()), None);
    poll.want(1, ms(300));
    poll.came_back(&[1, 2, 7], true);
    assert_eq!(poll.wake_at(&quota), Some(ms(300)), "only what was wanted meanwhile is wanted still");
    assert_eq!(poll.next(&mut quota, ms(300), [2].into_iter()), Some(vec![1, 2]));
    poll.came_back(&[1, 2], true);
    assert_eq!(poll.wake_at(&quota), None);
}

#[test]
fn a_batch_has_at_most_a_hundred() {
    let (mut poll, mut quota) = (Poll::default(), Quota::new(ms(0)));
    for change in 0..150 {
        poll.want(change, ms(0));
    }
    assert_eq!(poll.next(&mut quota, ms(0), std::iter::empty()).map(|batch| batch.len()), Some(100));
    assert_eq!(poll.next(&mut quota, ms(0), 0..1_000).map(|batch| batch.len()), Some(100));
}

#[test]
fn looks_for_a_call_are_sent_together_once_there_are_enough() {
    let (mut poll, mut quota) = (Poll::default(), Quota::new(ms(0)));
    // Instances on their way use up what they may.
    let mut now = 0;
    while now < 120_000 {
        poll.want(0, ms(0));
        if poll.next(&mut quota, ms(now), std::iter::empty()).is_some() {
            poll.came_back(&[0], true);
        }
        now += 50;
    }
    for change in 0..6_000 {
        poll.want_for_call(change, ms(now));
    }
    let mut sent: Vec<u64> = Vec::new();
    while sent.len() < 60 {
        assert!(now < 180_000, "it takes at most a minute");
        poll.want(9_999, ms(now));
        while let Some(batch) = poll.next(&mut quota, ms(now), std::iter::empty()) {
            poll.came_back(&batch, true);
            if batch.len() == LOOK_LIMIT {
                sent.push(now);
            }
        }
        now += 50;
    }
    assert_eq!(sent.first(), sent.last());
}

#[test]
fn instances_on_their_way_are_looked_at_although_calls_wait_for_looks() {
    let (mut poll, mut quota) = (Poll::default(), Quota::new(ms(0)));
    let mut polled: Vec<u64> = Vec::new();
    for now in (0..180_000).step_by(50) {
        poll.want(0, ms(now));
        if now % 1_000 == 0 {
            (1..10_000).for_each(|change| poll.want_for_call(change, ms(now)));
        }
        while let Some(batch) = poll.next(&mut quota, ms(now), std::iter::empty()) {
            if batch.contains(&0) {
                polled.push(now);
            }
            poll.came_back(&batch, true);
        }
    }
    let longest = polled.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest <= Some(2_500), "{longest:?}");
}

#[test]
fn there_are_never_more_than_120_looks_in_any_minute() {
    for calls in [false, true] {
        let (mut poll, mut quota) = (Poll::default(), Quota::new(ms(0)));
        let mut sent: Vec<u64> = Vec::new();
        for now in 0..180_000 {
            poll.want(1, ms(0));
            if calls && now % 700 == 0 {
                (2..700).for_each(|change| poll.want_for_call(change, ms(now)));
            }
            if let Some(batch) = poll.next(&mut quota, ms(now), std::iter::empty()) {
                sent.push(now);
                poll.came_back(&batch, true);
            }
        }
        for (at, first) in sent.iter().enumerate() {
            let within = sent[at..].iter().take_while(|now| **now < first + 60_000).count();
            assert!(within <= 120, "{within} looks in the minute after {first} ms");
        }
        assert!(sent.len() >= 280, "only {} looks in three minutes", sent.len());
    }
}

#[test]
fn what_was_saved_up_does_not_make_later_looks_wait() {
    let (mut poll, mut quota) = (Poll::default(), Quota::new(ms(0)));
    (0..9_000).for_each(|change| poll.want_for_call(change, ms(0)));
    while let Some(batch) = poll.next(&mut quota, ms(0), std::iter::empty()) {
        poll.came_back(&batch, true);
    }
    poll.want_for_call(7, ms(1_000));
    let wakes = poll.wake_at(&quota).expect("one is wanted");
    assert!(wakes <= ms(3_000), "{wakes:?}");
}

/// Where many small looks are wanted, they are spread over the minute, and none waits for long.
#[test]
fn looks_do_not_run_out() {
    let (mut poll, mut quota) = (Poll::default(), Quota::new(ms(0)));
    let mut sent: Vec<u64> = Vec::new();
    for now in (0..240_000).step_by(10) {
        poll.want_for_call(1, ms(now));
        if let Some(batch) = poll.next(&mut quota, ms(now), std::iter::empty()) {
            sent.push(now);
            poll.came_back(&batch, true);
        }
    }
    let pauses = || sent.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(pauses().max() <= Some(2_500), "{:?}", pauses().max());
    let later: Vec<u64> = sent.iter().copied().filter(|at| *at > 120_000).collect();
    assert!(later.len() >= 200, "{}", later.len());
}

#[test]
fn a_look_goes_out_at_the_moment_that_was_foretold() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut poll, mut quota) = (Poll::default(), Quota::new(ms(0)));
    let mut now = ms(0);
    for _ in 0..20_000 {
        match random.u8(0..4) {
            0 => poll.want(random.usize(0..300), now + ms(random.u64(0..3_000))),
            1 => poll.want_for_call(random.usize(0..3_000), now),
            2 => poll.forget(random.usize(0..300)),
            _ => {}
        }
        let Some(at) = poll.wake_at(&quota) else { continue };
        assert_eq!(poll.is_due(&quota, now), at <= now);
        now = now.max(at);
        assert!(poll.is_due(&quota, now));
        let batch = poll.next(&mut quota, now, std::iter::empty()).expect("due");
        assert!(!batch.is_empty());
        poll.came_back(&batch, true);
    }
}

#[test]
fn providers_of_one_account_and_region_share_its_looks() {
    let (mut polls, mut quota) = ([Poll::default(), Poll::default()], Quota::new(ms(0)));
    let mut sent = [Vec::new(), Vec::new()];
    for now in 0..180_000 {
        for (poll, sent) in polls.iter_mut().zip(&mut sent) {
            poll.want(1, ms(0));
            if let Some(batch) = poll.next(&mut quota, ms(now), std::iter::empty()) {
                sent.push(now);
                poll.came_back(&batch, true);
            }
        }
    }
    let mut all = sent.concat();
    all.sort_unstable();
    for (at, first) in all.iter().enumerate() {
        let within = all[at..].iter().take_while(|now| **now < first + 60_000).count();
        assert!(within <= 120, "{within} looks in the minute after {first} ms");
    }
    let longest = |sent: &[u64]| sent.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest(&sent[1]) <= Some(2_500), "the second one starves: {:?}", longest(&sent[1]));
}
