//! Renewal under a clock that the tests set.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;
use crate::aliyun::credentials::provider::{Fetching, Lifetime};
use crate::aliyun::surroundings::tests::surroundings;
use crate::aliyun::transport::Transport;

/// A place that gives numbered credentials for an hour each, counts how often it is asked, and fails on request.
#[derive(Clone, Default)]
struct Counter {
    asked: Arc<AtomicUsize>,
    failing: Arc<AtomicUsize>,
    same: Arc<AtomicUsize>,
    gate: Option<Arc<Notify>>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("within range")
}

fn numbered(number: usize, end: i64) -> Grant {
    let credentials = Credentials {
        access_key_id: format!("STS.{number}"),
        access_key_secret: "s3cret".into(),
        security_token: Some(format!("t0ken-{number}").into()),
        source: "a counter".to_owned(),
    };
    Grant { lifetime: Lifetime::Until(at(end)), ..Grant::lasting(credentials) }
}

impl Provider for Counter {
    fn place(&self) -> String {
        "a counter".to_owned()
    }

    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a> {
        Box::pin(async move {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            if let Some(gate) = &self.gate {
                gate.notified().await;
            }
            // Others run while an answer is on its way.
            tokio::task::yield_now().await;
            if self.failing.load(Ordering::SeqCst) > 0 {
                return Err(Missing::broken("it is out of order"));
            }
            let number = if self.same.load(Ordering::SeqCst) > 0 { 0 } else { number };
            Ok(numbered(number, context.surroundings.now().as_second() + 3600))
        })
    }
}

struct Bench {
    source: CredentialSource,
    counter: Counter,
    clock: Arc<AtomicI64>,
}

/// Credentials number 0, given at second 0 for an hour.
fn bench(counter: Counter) -> Bench {
    let clock = Arc::new(AtomicI64::new(0));
    let mut around = surroundings(&[], None);
    let told = Arc::clone(&clock);
    around.clock = Arc::new(move || at(told.load(Ordering::SeqCst)));
    let context = Context { surroundings: around, transport: Transport::default(), region: None, vpc: false };
    let source = CredentialSource::renewing(numbered(0, 3600), Box::new(counter.clone()), context);
    Bench { source, counter, clock }
}

impl Bench {
    fn set(&self, second: i64) {
        self.clock.store(second, Ordering::SeqCst);
    }

    async fn key(&self) -> String {
        self.source.current().await.map_or_else(|error| error.to_string(), |held| held.access_key_id.clone())
    }

    fn asked(&self) -> usize {
        self.counter.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn credentials_are_kept_until_three_minutes_before_they_expire() {
    let bench = bench(Counter::default());
    for second in [0, 1, 3419] {
        bench.set(second);
        assert_eq!(bench.key().await, "STS.0");
    }
    assert_eq!(bench.asked(), 0);
    bench.set(3420);
    assert_eq!(bench.key().await, "STS.1");
    bench.set(3420 + 3419);
    assert_eq!(bench.key().await, "STS.1");
    bench.set(20_000);
    assert_eq!(bench.key().await, "STS.2");
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn fifty_callers_renew_once() {
    for second in [3500, 4000] {
        let bench = bench(Counter::default());
        bench.set(second);
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let source = bench.source.clone();
            callers
                .spawn(async move { source.current().await.expect("there are some").access_key_id.clone() });
        }
        let keys = callers.join_all().await;
        assert_eq!(bench.asked(), 1, "at {second}");
        // While the old ones work nobody has to wait for the new ones.
        let allowed: &[&str] = if second < 3600 { &["STS.0", "STS.1"] } else { &["STS.1"] };
        assert!(keys.iter().all(|key| allowed.contains(&key.as_str())), "{keys:?}");
        assert_eq!(bench.key().await, "STS.1");
    }
}

#[tokio::test]
async fn nobody_waits_for_new_credentials_while_the_old_ones_work() {
    let gate = Arc::new(Notify::new());
    let bench = bench(Counter { gate: Some(Arc::clone(&gate)), ..Counter::default() });
    bench.set(3500);
    let source = bench.source.clone();
    let first = tokio::spawn(async move { source.current().await.map(|held| held.access_key_id.clone()) });
    while bench.asked() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.key().await, "STS.0", "the others go on");
    gate.notify_one();
    assert_eq!(first.await.expect("no panic").expect("renewed"), "STS.1");
    assert_eq!(bench.key().await, "STS.1");
}

#[tokio::test]
async fn old_credentials_are_used_while_they_work_if_there_are_no_new_ones() {
    let bench = bench(Counter::default());
    bench.counter.failing.store(1, Ordering::SeqCst);
    bench.set(3500);
    for _ in 0..3 {
        assert_eq!(bench.key().await, "STS.0");
    }
    assert_eq!(bench.asked(), 1, "not at every call");
    bench.set(3505);
    assert_eq!(bench.key().await, "STS.0");
    assert_eq!(bench.asked(), 2, "tried again after a while");
    bench.set(3600);
    assert_eq!(bench.key().await, "a counter gives no credentials: it is out of order");
    for _ in 0..3 {
        assert!(bench.source.current().await.is_err());
    }
    assert_eq!(bench.asked(), 3, "many calls fail as one");
    bench.counter.failing.store(0, Ordering::SeqCst);
    bench.set(3610);
    assert_eq!(bench.key().await, "STS.4");
}

#[tokio::test]
async fn a_renewal_that_is_given_up_leaves_the_turn_to_the_next() {
    let bench = bench(Counter { gate: Some(Arc::new(Notify::new())), ..Counter::default() });
    bench.set(4000);
    let source = bench.source.clone();
    let first = tokio::spawn(async move { source.current().await.is_ok() });
    while bench.asked() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    let _ = first.await;
    let gate = bench.counter.gate.clone().expect("there is one");
    gate.notify_one();
    assert_eq!(bench.key().await, "STS.2");
}

#[tokio::test]
async fn refused_credentials_are_replaced_once_for_all() {
    let bench = bench(Counter::default());
    let refused = bench.source.current().await.expect("held");
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (source, refused) = (bench.source.clone(), Arc::clone(&refused));
        callers.spawn(async move { source.replace(&refused).await });
    }
    assert!(callers.join_all().await.into_iter().all(|outcome| outcome == Ok(true)));
    assert_eq!((bench.asked(), bench.key().await.as_str()), (1, "STS.1"));
    let refused = bench.source.current().await.expect("held");
    bench.counter.failing.store(1, Ordering::SeqCst);
    assert!(bench.source.replace(&refused).await.is_err());
    assert_eq!(bench.key().await, "STS.1", "what is held stays");
}

#[tokio::test]
async fn equal_credentials_are_no_replacement() {
    let bench = bench(Counter::default());
    bench.counter.same.store(1, Ordering::SeqCst);
    let refused = bench.source.current().await.expect("held");
    assert_eq!(bench.source.replace(&refused).await, Ok(false));
    let fixed = CredentialSource::fixed(Credentials::clone(&refused));
    assert_eq!(fixed.replace(&refused).await, Ok(false));
    assert_eq!(fixed.current().await.expect("fixed").access_key_id, "STS.0");
    assert!(!format!("{fixed:?} {:?}", bench.source).contains("s3cret"));
}
