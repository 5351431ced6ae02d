//! Whether a process that reconciles again and again keeps anything: memory, open files, connections, tasks.
//!
//! 200 instances in two layers, simulated in another process and reached over HTTP. In each round somebody stops some of
//! them and starts some, behind the back of who then looks, decides, carries out and records, as `apply` does, with one
//! client throughout. Boots take no time; now and then an answer is lost or a call refused. The first fifth of the rounds
//! is the warm-up. `cargo bench --bench soak`, or `cargo bench --bench soak -- 30` for fewer than 1,000 rounds.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use fastrand::Rng;
use jiff::Timestamp;
use powerform::aliyun::client::{Client, Setup};
use powerform::aliyun::credentials::{CredentialSource, Credentials};
use powerform::aliyun::endpoint::Endpoint;
use powerform::cloud::{Accepted, Cloud as _, Clouds, Refusal, StartRequest, StopRequest};
use powerform::config::{self, Source};
use powerform::execute::Limits;
use powerform::fleet::{Desired, InstanceId, ProviderAlias, Recorded, Region, StopMode, StopPolicy};
use powerform::plan::Shape;
use powerform::probe::{Attempt, NotReady, Prober};
use powerform::reconcile::{Apply, apply, preview};
use powerform::simulator::Simulator;
use powerform::state::{LocalStore, LockInfo, Store as _};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

const SEED: u64 = 0x736f_616b;
const ROUNDS: usize = 1_000;
const INSTANCES: usize = 200;
/// How much more memory may be resident at the end than after the warm-up, in MB (of 10^6 bytes): what an allocator
/// holds back moves by less. A leak of 8 kB a round would be more in 1,000 rounds.
const MEMORY_SLACK: f64 = 8.0;
/// How many more files (connections are files) or tasks there may be than there ever were in the warm-up: fewer than the
/// calls that may be under way at once, which keep their connections for a while.
const SLACK: usize = 16;
/// What is left is given so long to end by itself, once nobody needs it.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    if first.as_deref() == Some("serve") {
        let account = arguments.next().context("which account?")?;
        return runtime.block_on(serve(Path::new(&account)));
    }
    let numbers = first.into_iter().chain(arguments);
    let rounds = numbers.filter_map(|argument| argument.parse().ok()).next().unwrap_or(ROUNDS);
    ensure!(rounds >= 10, "a soak takes 10 rounds at least");
    runtime.block_on(soak(rounds))
}

/// The other process: serves until nobody holds its stdin any more.
async fn serve(account: &Path) -> anyhow::Result<()> {
    let simulator = Simulator::open(account)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}", listener.local_addr()?);
    let gone = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    simulator.serve(listener, async { drop(gone.await) }).await?;
    Ok(())
}

/// Ends the other process by letting go of its stdin.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Either it has ended, or there is nothing more that could be done.
        let _ = self.0.wait();
    }
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Resident, in MB.
    memory: f64,
    files: usize,
    tasks: usize,
}

impl Held {
    /// None where the system does not tell.
    fn now() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let files = std::fs::read_dir("/proc/self/fd").ok()?.count();
        let tasks = Handle::current().metrics().num_alive_tasks();
        Some(Self { memory: kibibytes * 1024.0 / 1e6, files, tasks })
    }

    fn at_most(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            files: self.files.max(other.files),
            tasks: self.tasks.max(other.tasks),
        }
    }
}

async fn soak(rounds: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let account = folder.path().join("account.yaml");
    std::fs::write(&account, account_file())?;
    let (_served, address) = begin_to_serve(&account)?;
    let Some(beginning) = Held::now() else {
        println!("this system does not tell what a process holds");
        return Ok(());
    };

    let source = Source { name: "soak".to_owned(), text: configuration().into_bytes() };
    let desired = config::read(&[source]).map_err(|_| anyhow!("the configuration has problems"))?.desired;
    let store = LocalStore::new(&folder.path().join("state.json"), desired.stack.clone());
    let person = client(&address)?;
    let clouds: Clouds<Client> = BTreeMap::from([(ProviderAlias::main(), Arc::new(client(&address)?))]);
    let mut random = Rng::with_seed(SEED);
    let warm_up = rounds.div_ceil(5);
    let (mut warm, mut calls) = (beginning, 0);
    let began = Instant::now();
    println!("\n{rounds} rounds on {INSTANCES} instances, seed {SEED:#x}, the first {warm_up} to warm up");
    println!("{:>7} {:>9} {:>12} {:>7} {:>7}", "round", "calls", "resident", "files", "tasks");
    for round in 1..=rounds {
        drift(&person, &mut random).await;
        calls += reconcile(&desired, &clouds, &store).await.with_context(|| format!("round {round}"))?;
        let held = Held::now().context("it told before")?;
        if round <= warm_up {
            // Memory may grow while warming up; what counts is what it came to.
            warm = Held { memory: held.memory, ..warm.at_most(held) };
        } else {
            let files = warm.files + SLACK;
            ensure!(
                held.files <= files,
                "round {round}: {} files are open, at most {} in the warm-up",
                held.files,
                warm.files
            );
            let tasks = warm.tasks + SLACK;
            ensure!(
                held.tasks <= tasks,
                "round {round}: {} tasks live, at most {} in the warm-up",
                held.tasks,
                warm.tasks
            );
        }
        if round == warm_up || round % rounds.div_ceil(5) == 0 || round == rounds {
            println!("{round:>7} {calls:>9} {:>9.1} MB {:>7} {:>7}", held.memory, held.files, held.tasks);
        }
    }
    let end = Held::now().context("it told before")?;
    let grown = end.memory - warm.memory;
    println!("{grown:+.1} MB since the warm-up, in {:.0} s", began.elapsed().as_secs_f64());
    ensure!(grown <= MEMORY_SLACK, "resident memory grew by {grown:.1} MB since the warm-up");

    // Once nobody needs them, nothing of either client is left.
    drop((clouds, person));
    let gave_up = Instant::now() + PATIENCE;
    loop {
        let left = Held::now().context("it told before")?;
        if left.tasks <= beginning.tasks && left.files <= beginning.files {
            println!("afterwards {} files and {} tasks, as in the beginning", left.files, left.tasks);
            return Ok(());
        }
        ensure!(
            Instant::now() < gave_up,
            "after the end {left:?} are left; in the beginning there were {beginning:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

fn begin_to_serve(account: &Path) -> anyhow::Result<(Served, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").arg(account).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut served = Served(command.spawn()?);
    let stdout = served.0.stdout.take().context("no stdout")?;
    let mut address = String::new();
    BufReader::new(stdout).read_line(&mut address)?;
    ensure!(address.starts_with("http://"), "the simulator did not say where it is");
    Ok((served, address.trim().to_owned()))
}

fn client(address: &str) -> anyhow::Result<Client> {
    let credentials = CredentialSource::fixed(Credentials {
        access_key_id: "sim-key".to_owned(),
        access_key_secret: "sim-secret".into(),
        security_token: None,
        source: "the simulated account".to_owned(),
    });
    let region = Region::new("cn-hangzhou")?;
    Ok(Client::new(Setup::new(Endpoint::explicit(address)?, region, credentials, Arc::new(now)))?)
}

#[expect(clippy::disallowed_methods, reason = "requests are signed with the time of day")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn id(number: usize) -> String {
    format!("i-{number:03}")
}

/// Half of the instances shall run and half shall not.
fn goal_is_running(number: usize) -> bool {
    number < INSTANCES / 2
}

fn account_file() -> String {
    let mut text = "pace: { start: 0s, stop: 0s }\ninstances:\n".to_owned();
    for number in 0..INSTANCES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - {{ id: {} }}", id(number));
    }
    text.push_str(
        "faults:
  - { action: DescribeInstances, every: 31, drop: before }
  - { action: DescribeInstances, every: 47, truncate: true }
  - { action: StartInstance, every: 23, drop: after }
  - { action: StartInstances, every: 29, error: Throttling.User }
  - { action: StopInstance, every: 37, http: 503 }
",
    );
    text
}

/// Of those that shall run the second half needs the first; of those that shall not, it is needed by it.
fn configuration() -> String {
    let quarter = INSTANCES / 4;
    let mut text = "stack: soak\nprovider: { region: cn-hangzhou }\ninstances:\n".to_owned();
    let entries = [
        ("base", "Running", ""),
        ("top", "Running", "base"),
        ("old", "Stopped", ""),
        ("older", "Stopped", "old"),
    ];
    for (place, (name, status, need)) in entries.into_iter().enumerate() {
        let ids: Vec<String> = (place * quarter..(place + 1) * quarter).map(id).collect();
        let _ = writeln!(
            text,
            "  {name}: {{ ids: [{}], status: {status}, depends_on: [{need}] }}",
            ids.join(", ")
        );
    }
    text
}

/// Somebody stops and starts up to thirty instances. What is refused, because an instance is that way already, is no
/// matter.
async fn drift(person: &Client, random: &mut Rng) {
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    for _ in 0..random.usize(1..=30) {
        let number = random.usize(..INSTANCES);
        let Ok(id) = InstanceId::new(&id(number)) else { continue };
        let known = |other: &InstanceId| *other == id;
        if goal_is_running(number) && !stops.iter().any(|stop: &StopRequest| known(&stop.id)) {
            let policy = StopPolicy { mode: StopMode::KeepCharging, force: false };
            stops.push(StopRequest { id, policy });
        } else if !goal_is_running(number) && !starts.iter().any(|start: &StartRequest| known(&start.id)) {
            starts.push(StartRequest { id, init_local_disk: false });
        }
    }
    let _: Vec<(InstanceId, Result<Accepted, Refusal>)> = person.stop_many(stops).await;
    let _: Vec<(InstanceId, Result<Accepted, Refusal>)> = person.start_many(starts).await;
}

/// One apply, as the command makes it. How many machines it moved.
async fn reconcile(desired: &Desired, clouds: &Clouds<Client>, store: &LocalStore) -> anyhow::Result<usize> {
    let info = LockInfo {
        id: Uuid::new_v4(),
        who: "soak".to_owned(),
        host: "here".to_owned(),
        pid: std::process::id(),
        since: now(),
        command: "apply".to_owned(),
        stack: desired.stack.clone(),
    };
    let held = store.lock(&info, Duration::ZERO).await?;
    let recorded = store.load().await?;
    let preview =
        preview(desired, &Shape::default(), recorded.as_ref(), clouds, &BTreeMap::new(), now()).await?;
    ensure!(preview.failures.is_empty(), "a look failed: {:?}", preview.failures);
    let recorded = recorded.unwrap_or_else(|| Recorded::new(desired.stack.clone(), Uuid::new_v4()));
    let limits = Limits::default();
    let job = Apply {
        preview: &preview,
        recorded,
        clouds,
        prober: &Arc::new(Unasked),
        store,
        held: &held,
        limits,
        clock: &now,
    };
    let applied = apply(job, std::future::pending(), |_| {}).await;
    ensure!(applied.unsaved.is_none(), "the record was not saved: {:?}", applied.unsaved);
    ensure!(
        applied.report.meets_every_goal(&preview.plan),
        "not everything is as wanted: {:?}",
        applied.report
    );
    store.unlock(held).await?;
    let tally = preview.plan.tally();
    Ok(tally.start + tally.stop)
}

/// No entry has a readiness, so nothing is asked.
struct Unasked;

impl Prober for Unasked {
    async fn attempt(&self, _: Attempt) -> Result<(), NotReady> {
        Ok(())
    }
}
