//! How much of a limit on calls is used, and how many calls are refused for going beyond it.
//!
//! Many instances are started one call each, in made-up time, against a cloud in memory whose calls take 20 ms, so that
//! the sixteen under way at most would allow 800 a second. It lets through so many a second, by a bucket of tokens that
//! holds what comes in one second, or so many in each minute. Counted is one minute, from five seconds after the
//! beginning, or after the limit has changed.
//!
//! More than 200 a second cannot be sustained in one account and region whatever it lets through: every instance is
//! looked at in the ten seconds before its call, a hundred at a time, by 120 looks a minute at most, and some of those are
//! for the instances on their way.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use powerform::execute::{CallBounds, Limits};
use tokio::time::{Instant, sleep};

use super::goal::Goal;
use super::makespan::memory::{Limit, Memory};
use super::makespan::run::{Known, desired, run};
use super::makespan::shape::id;

const CALL: Duration = Duration::from_millis(20);
const BOOT: Duration = Duration::from_secs(600);
/// The limit changes after so long.
const CHANGES_AFTER: Duration = Duration::from_secs(30);
/// Nothing is counted for so long after the beginning or a change.
const SETTLES: Duration = Duration::from_secs(5);
const COUNTED: Duration = Duration::from_secs(60);
/// Calls a second at first, and later.
const RATES: [(f64, f64); 9] = [
    (5.0, 5.0),
    (20.0, 20.0),
    (50.0, 50.0),
    (100.0, 100.0),
    (150.0, 150.0),
    (5.0, 50.0),
    (20.0, 100.0),
    (50.0, 5.0),
    (100.0, 20.0),
];
/// More than this each second is more than the looks allow.
const LOOKED_AT: f64 = 120.0;
/// Calls a minute.
const MINUTES: [usize; 3] = [60, 300, 1_200];

/// Measures all limits.
pub(crate) fn measure_all() -> anyhow::Result<Vec<Goal>> {
    println!("\nstart calls under a limit, in one minute from five seconds after the beginning, or a change");
    println!("{:<24} {:>8} {:>8} {:>8}", "limit", "calls", "used", "refused");
    let (mut unused, mut unused_by_looks, mut refused) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (first, then) in RATES {
        let changes = (first - then).abs() > 0.1;
        let from = SETTLES + if changes { CHANGES_AFTER } else { Duration::ZERO };
        let needed = if changes { first * 35.0 } else { 0.0 } + then * 75.0;
        let calls = apply(whole(needed), Limit::bucket(first), changes.then(|| Limit::bucket(then)))?;
        let counted = Counted::of(&calls, from);
        let used = share(counted.let_through, whole(then * COUNTED.as_secs_f64()));
        let name =
            if changes { format!("{first} a second, then {then}") } else { format!("{then} a second") };
        let refused_here = share(counted.refused, counted.let_through + counted.refused);
        println!(
            "{name:<24} {:>8} {:>6.1} % {:>6.1} %",
            counted.let_through + counted.refused,
            100.0 * used,
            100.0 * refused_here
        );
        let unused = if then > LOOKED_AT { &mut unused_by_looks } else { &mut unused };
        *unused = unused.max(1.0 - used);
        refused = refused.max(refused_here);
    }
    let mut over = 0.0_f64;
    for most in MINUTES {
        let calls = apply(4 * most, Limit::minutes(most), None)?;
        // The fourth minute ends when the last call has passed.
        let counted = Counted::between(&calls, Duration::ZERO, 3 * COUNTED);
        let allowed = 3 * (CallBounds::default().max_in_flight.get() + 60);
        println!(
            "{:<24} {:>8} {:>6.1} % {:>6.1} %",
            format!("{most} a minute"),
            counted.let_through + counted.refused,
            100.0 * share(counted.let_through, 3 * most),
            100.0 * share(counted.refused, counted.let_through + counted.refused)
        );
        over = over.max(share(counted.refused, allowed));
    }
    Ok(vec![
        Goal::new("a bucket's limit up to 100 a second, share not used", 0.05, "", unused),
        Goal::new("a bucket's limit of 150 a second, share not used", 0.05, "", unused_by_looks),
        Goal::new("calls refused by a bucket, share", 0.05, "", refused),
        Goal::new("calls refused by a minute, over 16 and one a second", 1.0, "", over),
    ])
}

/// Calls of some time.
struct Counted {
    let_through: usize,
    refused: usize,
}

impl Counted {
    fn of(calls: &[(Duration, bool)], from: Duration) -> Self {
        Self::between(calls, from, from + COUNTED)
    }

    fn between(calls: &[(Duration, bool)], from: Duration, to: Duration) -> Self {
        let within = calls.iter().copied().filter(|(at, _)| (from..to).contains(at));
        let (let_through, refused): (Vec<_>, Vec<_>) =
            within.partition(|(_, is_let_through)| *is_let_through);
        Self { let_through: let_through.len(), refused: refused.len() }
    }
}

/// Starts so many, and tells when each call came since the first one, and whether it was let through.
fn apply(size: usize, first: Limit, then: Option<Limit>) -> anyhow::Result<Vec<(Duration, bool)>> {
    let ids: Vec<String> = (0..size).map(id).collect();
    let yaml = format!(
        "stack: limit\nprovider: {{ region: cn-hangzhou }}\ninstances:\n  app: {{ ids: [{}], status: Running, \
         timeouts: {{ start: 2h }} }}\n",
        ids.join(", ")
    );
    let desired = desired(yaml)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let cloud = Arc::new(Memory::new(&vec![BOOT; size], CALL));
        cloud.limit(first);
        let began = Instant::now();
        let changed = async {
            if let Some(then) = then {
                sleep(CHANGES_AFTER).await;
                cloud.limit(then);
            }
        };
        let bounds = CallBounds { batch_above: 0, ..CallBounds::default() };
        let known = Known::new();
        let (run, ()) = tokio::join!(run(&desired, &cloud, Limits::of_main(bounds), &known), changed);
        run?;
        let calls: Vec<_> = cloud.calls().into_iter().map(|(at, passed)| (at - began, passed)).collect();
        ensure!(calls.len() >= size, "each start is a call");
        Ok(calls)
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers")]
fn whole(number: f64) -> usize {
    number.ceil() as usize
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn share(part: usize, of: usize) -> f64 {
    part as f64 / of as f64
}
