//! The executor against a strict cloud, under a paused clock, on cases drawn at random, judged by laws that are read
//! from the cloud's log and not from the executor's bookkeeping.
//!
//! The same cases are drawn each time. A failing one prints its seed and the smallest case that fails alike.
//! `PROPTEST_CASES` draws more of them, `PROPTEST_RNG_SEED` begins elsewhere.

mod case;
mod cloud;
mod evidence;
mod laws;
mod machine;
mod promises;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRng, TestRunner};

use super::unasked::unasked;
use crate::execute::{CallBounds, Event, Execution, Limits, execute};
use crate::fleet::{Actual, Desired, InstanceKey, Region, Seen, Sighting};
use crate::plan::{Change, plan};
use case::{Case, Weather};
use cloud::{LOOK, Strict, World};
use evidence::Evidence;

/// A run has this long, whatever happens: more than all timeouts of all its steps one after the other.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Looks at everything at once.
fn look(world: &mut World, desired: &Desired) -> Actual {
    let mut actual = Actual::new(Timestamp::UNIX_EPOCH);
    for entry in &desired.entries {
        actual.regions.insert(entry.provider.clone(), Region::new("cn-hangzhou").expect("valid"));
        for id in entry.ids() {
            let key = InstanceKey { provider: entry.provider.clone(), id: id.clone() };
            let seen = match world.read(LOOK, id) {
                Some(power) => Seen::There(Arc::new(Sighting::plain(id.clone(), power))),
                None => Seen::Absent,
            };
            actual.instances.insert(key, seen);
        }
    }
    actual
}

/// Plays one case, and says which law it breaks, if it breaks one.
fn trial(case: &Case) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let desired = case.desired();
        let mut world = World::new(case, &desired);
        let actual = look(&mut world, &desired);
        let plan = plan(&desired, None, &actual).expect("no cycle");
        let world = Arc::new(Mutex::new(world));
        let aliases = [false, true].map(case::provider);
        let clouds = aliases.map(|alias| (alias.clone(), Arc::new(Strict::new(alias, world.clone()))));
        let clouds = BTreeMap::from(clouds);
        let interrupt = async {
            match case.interrupt {
                Some(tenths) => tokio::time::sleep(Duration::from_millis(tenths * 100)).await,
                None => std::future::pending().await,
            }
        };
        let takes: HashMap<_, _> = desired
            .entries
            .iter()
            .zip(&case.entries)
            .flat_map(|(made, drawn)| made.ids().iter().cloned().zip(&drawn.machines))
            .collect();
        let expected =
            |change: &Change| Some(Duration::from_millis(takes.get(&change.key.id)?.expected? * 100));
        let max_in_flight = NonZeroUsize::new(case.max_in_flight).unwrap_or(NonZeroUsize::MIN);
        let calls = CallBounds { max_in_flight, batch_above: case.batch_above };
        let parallelism = case.parallelism.and_then(NonZeroUsize::new);
        let calls = [false, true].map(|far| (case::provider(far), calls));
        let limits = Limits { parallelism, calls: BTreeMap::from(calls), ..Limits::default() };
        let age = Duration::from_secs(case.age);
        let execution = Execution { plan: &plan, age, limits, expected: &expected };
        let mut events: Vec<Event> = Vec::new();
        let prober = unasked();
        let run = execute(execution, &clouds, &prober, interrupt, |event| events.push(event));
        let ended = tokio::time::timeout(DAY, run).await;
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_err() {
            return Err("termination: the run does not end".to_owned());
        }
        let now = world.now();
        world.click(now);
        let evidence =
            Evidence { case, desired: &desired, plan: &plan, world: &world, events: &events, ended: now };
        laws::judge(&evidence)?;
        promises::judge(&evidence)
    })
}

/// Tries so many cases. Each has a seed of its own, so that it can be drawn alone.
fn check(test: &str, weather: Weather, cases: u32) {
    let defaults = Config::default();
    let cases = if defaults.cases == 256 { cases } else { defaults.cases };
    let first = match defaults.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => 0,
    };
    let strategy = case::case(weather);
    for seed in (first..).take(cases as usize) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let config =
            Config { cases: 1, failure_persistence: None, max_shrink_iters: 3_000, ..Config::default() };
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let ended = TestRunner::new_with_rng(config, random)
            .run(&strategy, |case| trial(&case).map_err(TestCaseError::fail));
        match ended {
            Ok(()) => {}
            Err(TestError::Fail(law, smallest)) => panic!(
                "seed {seed}: {law}\nthe smallest case that was found to fail: {smallest:#?}\n\
                 draw this one alone: PROPTEST_RNG_SEED={seed} PROPTEST_CASES=1 cargo test --lib {test}"
            ),
            Err(TestError::Abort(reason)) => panic!("seed {seed}: {reason}"),
        }
    }
}

#[test]
fn in_calm_weather_all_that_is_not_blocked_is_done_by_the_laws() {
    check("in_calm_weather_all_that", Weather::Calm, 2_000);
}

#[test]
fn in_rough_weather_all_that_is_not_blocked_is_done_all_the_same() {
    check("in_rough_weather_all_that", Weather::Rough, 3_000);
}

#[test]
fn in_a_storm_no_law_is_broken() {
    check("in_a_storm_no_law", Weather::Storm, 4_000);
}

#[test]
fn in_a_storm_an_interruption_breaks_no_law_either() {
    check("in_a_storm_an_interruption", Weather::Interrupted, 2_000);
}
