//! How long an apply takes beside the longest chain of boots, which no program can beat, and how often it looks.
//!
//! Random graphs are started through the executor in made-up time, against a cloud in memory: 100 ms for a call, 50 ms
//! for a look. First nobody knows how long anything takes; then the record does; then it does, but each boot takes up
//! to a tenth more or less than before.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use jiff::Timestamp;
use powerform::cloud::{Accepted, Advice, Cloud, Clouds, Found, Refusal, Search, StartRequest, StopRequest};
use powerform::config::{self, Source};
use powerform::execute::{EventKind, Execution, Limits, Report, execute};
use powerform::fleet::{Desired, InstanceId, InstanceKey, Power, ProviderAlias, Region, Selector, Sighting};
use powerform::observe::observe;
use powerform::plan::{Change, plan};
use powerform::probe::{Attempt, NotReady, Prober};
use tokio::time::{Instant, sleep};

use super::goal::Goal;

const CALL: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(50);
/// How many graphs of which size.
const GRAPHS: [(usize, u64); 2] = [(60, 200), (1_000, 20)];

/// Starts every graph in every way.
pub(crate) fn measure_all() -> anyhow::Result<Vec<Goal>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    println!("\nmakespan / longest chain, over random graphs");
    println!(
        "{:>9} {:>6}  {:<24} {:>7} {:>7} {:>14} {:>9} {:>12}",
        "instances", "graphs", "durations", "median", "worst", "of the limit", "looks", "looks/min"
    );
    for (size, graphs) in GRAPHS {
        let mut rows = [
            Row::new("unknown", 1.10),
            Row::new("recorded", 1.02),
            // No promise: it shows what a record is worth that is a little off.
            Row::new("recorded, 10 % off", f64::NAN),
        ];
        for seed in 0..graphs {
            runtime.block_on(one_graph(size, seed, &mut rows))?;
        }
        for row in rows {
            row.show(size, graphs);
        }
    }
    println!("the limit is 1.10 (unknown) or 1.02 (recorded) times the longest chain, plus one second");
    Ok(Vec::new())
}

/// What came of one way of knowing, over all graphs.
struct Row {
    durations: &'static str,
    factor: f64,
    ratios: Vec<f64>,
    worst_of_limit: f64,
    looks: usize,
    minutes: f64,
}

impl Row {
    fn new(durations: &'static str, factor: f64) -> Self {
        Self { durations, factor, ratios: Vec::new(), worst_of_limit: f64::NAN, looks: 0, minutes: 0.0 }
    }

    fn add(&mut self, run: &Run, chain: Duration) {
        let (took, chain) = (run.took.as_secs_f64(), chain.as_secs_f64());
        self.ratios.push(took / chain);
        self.worst_of_limit = self.worst_of_limit.max(took / (self.factor * chain + 1.0));
        self.looks += run.looks;
        self.minutes += took / 60.0;
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers for people")]
    fn show(mut self, size: usize, graphs: u64) {
        self.ratios.sort_by(f64::total_cmp);
        let median = self.ratios.get(self.ratios.len() / 2).copied().unwrap_or(f64::NAN);
        let worst = self.ratios.last().copied().unwrap_or(f64::NAN);
        let of_limit = match self.factor.is_nan() {
            true => "-".to_owned(),
            false => format!("{:.3}", self.worst_of_limit),
        };
        let looks = self.looks as f64;
        println!(
            "{size:>9} {graphs:>6}  {:<24} {median:>7.3} {worst:>7.3} {of_limit:>14} {:>9.1} {:>12.1}",
            self.durations,
            looks / graphs as f64,
            looks / self.minutes
        );
    }
}

async fn one_graph(size: usize, seed: u64, rows: &mut [Row; 3]) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (yaml, needs) = graph(size, &mut random);
    let source = Source { name: "graph".to_owned(), text: yaml.into_bytes() };
    let desired = config::read(&[source]).map_err(|_| anyhow!("the graph has problems"))?.desired;
    let boots: Vec<Duration> = (0..size).map(|_| Duration::from_millis(random.u64(15_000..90_000))).collect();
    let off: Vec<Duration> = boots.iter().map(|boot| boot.mul_f64(0.9 + 0.2 * random.f64())).collect();

    let [unknown, recorded, recorded_off] = rows;
    let first = run(&desired, &boots, &HashMap::new()).await?;
    unknown.add(&first, longest_chain(&needs, &boots));
    let second = run(&desired, &boots, &first.learnt).await?;
    recorded.add(&second, longest_chain(&needs, &boots));
    let third = run(&desired, &off, &first.learnt).await?;
    recorded_off.add(&third, longest_chain(&needs, &off));
    Ok(())
}

/// Every instance needs up to three of those before it, most of them near.
fn graph(size: usize, random: &mut fastrand::Rng) -> (String, Vec<Vec<usize>>) {
    let mut yaml = "stack: graph\nprovider: { region: cn-hangzhou }\ninstances:\n".to_owned();
    let mut all_needs = Vec::with_capacity(size);
    for position in 0..size {
        let mut needs: Vec<usize> = (0..random.usize(..=3))
            .filter(|_| position > 0)
            .map(|_| position - 1 - random.usize(..position.min(size / 4)))
            .collect();
        needs.sort_unstable();
        needs.dedup();
        let names: Vec<String> = needs.iter().map(|need| format!("n{need}")).collect();
        let _ = writeln!(
            yaml,
            "  n{position}: {{ id: {}, status: Running, depends_on: [{}], timeouts: {{ start: 5m }} }}",
            id(position),
            names.join(", ")
        );
        all_needs.push(needs);
    }
    (yaml, all_needs)
}

fn id(position: usize) -> String {
    format!("i-{position:020}")
}

/// The longest time that boots take one after the other: what the apply cannot be quicker than.
fn longest_chain(needs: &[Vec<usize>], boots: &[Duration]) -> Duration {
    let mut ends: Vec<Duration> = Vec::with_capacity(boots.len());
    for (needs, boot) in needs.iter().zip(boots) {
        let begin = needs.iter().filter_map(|need| ends.get(*need)).max().copied().unwrap_or_default();
        ends.push(begin + *boot);
    }
    ends.into_iter().max().unwrap_or_default()
}

struct Run {
    took: Duration,
    looks: usize,
    /// What a record would say afterwards.
    learnt: HashMap<InstanceKey, Duration>,
}

async fn run(
    desired: &Desired,
    boots: &[Duration],
    known: &HashMap<InstanceKey, Duration>,
) -> anyhow::Result<Run> {
    let cloud = Arc::new(Memory::new(boots));
    let clouds: Clouds<Memory> = BTreeMap::from([(ProviderAlias::main(), Arc::clone(&cloud))]);
    let looked_at = Instant::now();
    let observation = observe(desired, &clouds, &BTreeMap::new(), Timestamp::UNIX_EPOCH).await;
    let plan = plan(desired, None, &observation.actual)?;
    ensure!(plan.tally().start == boots.len(), "not everything is to be started");
    let looks_of_the_plan = cloud.looks();

    let began = Instant::now();
    let expected = |change: &Change| known.get(&change.key).copied();
    let mut report = Report::default();
    let mut learnt = HashMap::new();
    let execution =
        Execution { plan: &plan, age: looked_at.elapsed(), limits: Limits::default(), expected: &expected };
    execute(execution, &clouds, &Arc::new(Unasked), std::future::pending(), |event| {
        report.hear(&event);
        if let EventKind::Completed { change, took: Some(took), .. } = event.kind {
            learnt.insert(plan.changes[change].key.clone(), took);
        }
    })
    .await;
    let took = began.elapsed();
    ensure!(report.meets_every_goal(&plan), "not everything was started");
    ensure!(cloud.every_machine_was_started_once(), "a machine was started twice");
    Ok(Run { took, looks: cloud.looks() - looks_of_the_plan, learnt })
}

/// A cloud whose machines boot in made-up time.
struct Memory {
    region: Region,
    park: Mutex<Park>,
}

#[derive(Default)]
struct Park {
    machines: HashMap<InstanceId, Machine>,
    looks: usize,
}

struct Machine {
    boots_for: Duration,
    /// When its starts were accepted.
    starts: Vec<Instant>,
}

impl Memory {
    fn new(boots: &[Duration]) -> Self {
        let machines = boots
            .iter()
            .enumerate()
            .map(|(position, boot)| {
                let id = InstanceId::new(&id(position)).expect("an instance id");
                (id, Machine { boots_for: *boot, starts: Vec::new() })
            })
            .collect();
        let region = Region::new("cn-hangzhou").expect("a region");
        Self { region, park: Mutex::new(Park { machines, looks: 0 }) }
    }

    fn park<T>(&self, work: impl FnOnce(&mut Park) -> T) -> T {
        work(&mut self.park.lock().expect("one thread"))
    }

    fn looks(&self) -> usize {
        self.park(|park| park.looks)
    }

    fn every_machine_was_started_once(&self) -> bool {
        self.park(|park| park.machines.values().all(|machine| machine.starts.len() == 1))
    }
}

impl Memory {
    fn accept(&self, id: &InstanceId, now: Instant) -> Result<Accepted, Refusal> {
        let machine =
            self.park(|park| park.machines.get_mut(id).map(|machine| machine.starts.push(now)).is_some());
        if machine { Ok(Accepted::default()) } else { Err(refusal(id)) }
    }
}

fn refusal(id: &InstanceId) -> Refusal {
    Refusal::new(Advice::Final, format!("{id} is never stopped here, or not there at all"))
}

/// No entry has a readiness, so nothing is asked.
struct Unasked;

impl Prober for Unasked {
    async fn attempt(&self, _: Attempt) -> Result<(), NotReady> {
        Ok(())
    }
}

impl Search for Memory {
    async fn find(&self, _: &Selector) -> Result<Vec<Found>, Refusal> {
        Err(Refusal::new(Advice::Final, "every instance is named"))
    }
}

impl Cloud for Memory {
    fn region(&self) -> &Region {
        &self.region
    }

    async fn describe(&self, ids: &[InstanceId]) -> Result<Vec<Sighting>, Refusal> {
        sleep(LOOK / 2).await;
        let now = Instant::now();
        let sightings = self.park(|park| {
            park.looks += 1;
            let see = |id: &InstanceId| {
                let machine = park.machines.get(id)?;
                let power = match machine.starts.first() {
                    None => Power::Stopped,
                    Some(started) if now - *started < machine.boots_for => Power::Starting,
                    Some(_) => Power::Running,
                };
                Some(Sighting::plain(id.clone(), power))
            };
            ids.iter().filter_map(see).collect()
        });
        sleep(LOOK / 2).await;
        Ok(sightings)
    }

    async fn start(&self, request: StartRequest) -> Result<Accepted, Refusal> {
        sleep(CALL / 2).await;
        let answer = self.accept(&request.id, Instant::now());
        sleep(CALL / 2).await;
        answer
    }

    async fn stop(&self, request: StopRequest) -> Result<Accepted, Refusal> {
        Err(refusal(&request.id))
    }

    async fn start_many(&self, requests: Vec<StartRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        sleep(CALL / 2).await;
        let now = Instant::now();
        let answers = requests.into_iter().map(|request| {
            let answer = self.accept(&request.id, now);
            (request.id, answer)
        });
        let answers = answers.collect();
        sleep(CALL / 2).await;
        answers
    }

    async fn stop_many(&self, requests: Vec<StopRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        let refused = requests.into_iter().map(|request| {
            let answer = Err(refusal(&request.id));
            (request.id, answer)
        });
        refused.collect()
    }
}
