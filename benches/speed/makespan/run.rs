//! One apply in made-up time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use jiff::Timestamp;
use powerform::cloud::Clouds;
use powerform::config::{self, Source};
use powerform::execute::{EventKind, Execution, Limits, Report, execute};
use powerform::fleet::{Desired, InstanceKey, ProviderAlias};
use powerform::observe::observe;
use powerform::plan::{Change, plan};
use tokio::time::Instant;

use super::memory::{Memory, Unasked};

/// What an instance's start took, by what a record says.
pub(crate) type Known = HashMap<InstanceKey, Duration>;

/// What came of one apply.
pub(crate) struct Run {
    pub(crate) took: Duration,
    /// When each look of it was sent, since it began.
    pub(crate) looks: Vec<Duration>,
    /// How many looks a program would have made that looks at all that move once a second.
    pub(crate) looks_of_a_tick: usize,
    /// The longest time that passed between the end of a boot and its being noticed, over what is allowed: 2 % of the
    /// boot, or 250 ms if that is more.
    pub(crate) worst_delay: f64,
    /// Of so many instances the end of the boot was noticed later than that.
    pub(crate) late: usize,
    /// What a record would say afterwards.
    pub(crate) learnt: Known,
}

/// Reads a configuration.
pub(crate) fn desired(yaml: String) -> anyhow::Result<Desired> {
    let source = Source { name: "graph".to_owned(), text: yaml.into_bytes() };
    Ok(config::read(&[source]).map_err(|_| anyhow!("the graph has problems"))?.desired)
}

/// Starts everything.
pub(crate) async fn run(
    desired: &Desired,
    cloud: &Arc<Memory>,
    limits: Limits,
    known: &Known,
) -> anyhow::Result<Run> {
    let clouds: Clouds<Memory> = BTreeMap::from([(ProviderAlias::main(), Arc::clone(cloud))]);
    let looked_at = Instant::now();
    let observation = observe(desired, &clouds, &BTreeMap::new(), Timestamp::UNIX_EPOCH).await;
    let plan = plan(desired, None, &observation.actual)?;
    let looks_of_the_plan = cloud.looks().len();

    let began = Instant::now();
    let expected = |change: &Change| known.get(&change.key).copied();
    let mut report = Report::default();
    let mut learnt = HashMap::new();
    let mut worst_delay: f64 = 0.0;
    let mut late = 0;
    let mut ways = Vec::with_capacity(plan.changes.len());
    let execution = Execution { plan: &plan, age: looked_at.elapsed(), limits, expected: &expected };
    execute(execution, &clouds, &Arc::new(Unasked), std::future::pending(), |event| {
        report.hear(&event);
        let EventKind::Completed { change, took, .. } = event.kind else { return };
        let key = &plan.changes[change].key;
        if let Some(took) = took {
            learnt.insert(key.clone(), took);
        }
        if let Some((started, up)) = cloud.way_of(&key.id) {
            let delay = (began + event.at).saturating_duration_since(up);
            let allowed = (up - started).mul_f64(0.02).max(Duration::from_millis(250));
            worst_delay = worst_delay.max(delay.as_secs_f64() / allowed.as_secs_f64());
            late += usize::from(delay > allowed);
            ways.push((started - began, up - began));
        }
    })
    .await;
    let took = began.elapsed();
    ensure!(report.meets_every_goal(&plan), "not everything was started");
    ensure!(cloud.every_machine_was_started_once(), "a machine was started twice");
    let looks = cloud.looks().split_off(looks_of_the_plan).into_iter().map(|look| look - began).collect();
    Ok(Run { took, looks, looks_of_a_tick: looks_of_a_tick(&ways), worst_delay, late, learnt })
}

fn looks_of_a_tick(ways: &[(Duration, Duration)]) -> usize {
    let last = ways.iter().map(|(_, up)| up.as_secs()).max().unwrap_or_default();
    let mut moving = vec![0_isize; usize::try_from(last).unwrap_or_default() + 3];
    for (started, up) in ways {
        // It is looked at by every tick after its start, up to the first one that finds it up.
        for (at, by) in [(started.as_secs() + 1, 1), (up.as_secs() + 2, -1)] {
            if let Some(place) = usize::try_from(at).ok().and_then(|at| moving.get_mut(at)) {
                *place += by;
            }
        }
    }
    let ticks = moving.iter().scan(0_isize, |now, by| {
        *now += by;
        Some(usize::try_from(*now).unwrap_or_default().div_ceil(100))
    });
    ticks.sum()
}

impl Run {
    /// How many looks were sent in the busiest minute.
    pub(crate) fn busiest_minute(&self) -> usize {
        let from = |first: usize| {
            let end = self.looks[first] + Duration::from_secs(60);
            self.looks[first..].partition_point(|look| *look < end)
        };
        (0..self.looks.len()).map(from).max().unwrap_or_default()
    }
}
