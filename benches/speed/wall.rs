//! Whole commands: the real program against a real simulator, each a process of its own, over loopback. How long a plan
//! and an apply take, what they cost in CPU time and memory beside the simulator, and how many calls they make over the
//! least that would do. The machines boot in no time, so that only the programs are measured.
//!
//! Where a `terraform` binary is found, it plans as many `terraform_data` in the same layers, and applies 1,000 of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use powerform::simulator::{LogEvent, read_log};

use super::cost::Cost;
use super::goal::Goal;
use super::layers::{self, LAYERS};
use super::terraform;

const SIZES: [usize; 2] = [1_000, 10_000];
/// Terraform's first apply of more takes minutes: its time grows faster than their number.
const APPLIED_BY_TERRAFORM: usize = 1_000;
/// `/proc/PID/stat` counts in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// Measures both sizes.
pub(crate) fn measure_all() -> anyhow::Result<Vec<Goal>> {
    println!("\nWhole commands over loopback: ten layers, one to three needs each, boots of 0 s");
    println!(
        "{:>10}  {:<18}{:>9}{:>9}{:>10}{:>11}{:>12}{:>15}",
        "instances", "command", "wall s", "CPU s", "peak MB", "a second", "CPU us each", "of simulator's"
    );
    let mut goals = Vec::new();
    for size in SIZES {
        goals.extend(one(size)?);
        beside_terraform(size)?;
    }
    Ok(goals)
}

fn one(size: usize) -> anyhow::Result<Vec<Goal>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("account.yaml"), account(size))?;
    let mut server = Server::start(folder.path())?;
    std::fs::write(folder.path().join("powerform.yaml"), configuration(size, &server.address))?;
    let memory = folder.path().join("account.cloud.json");
    let mut before = 0;
    let mut goals = Vec::new();
    let looks = size.div_ceil(100);
    for (name, arguments, least) in [
        ("plan", &["plan"][..], BTreeMap::from([("DescribeInstances", looks)])),
        (
            "apply",
            &["apply", "--auto-approve"],
            BTreeMap::from([
                // Each is seen for the plan, and once it runs.
                ("DescribeInstances", looks * 2),
                ("StartInstances", LAYERS * (size / LAYERS).div_ceil(100)),
            ]),
        ),
        ("plan, in sync", &["plan"], BTreeMap::from([("DescribeInstances", looks)])),
    ] {
        let simulator = server.cpu()?;
        let cost = run(folder.path(), arguments)?;
        let simulator = server.cpu()?.saturating_sub(simulator);
        let share = cost.cpu.as_secs_f64() / simulator.as_secs_f64();
        show(size, name, &cost, Some(share));
        if name == "apply" {
            let writes = writes_of_the_state(folder.path())?;
            println!(
                "{:>12}state: written {writes} times, {:.1} a second",
                "",
                writes / cost.wall.as_secs_f64()
            );
            // The first and the last need not wait.
            let most = 2.0 * cost.wall.as_secs_f64() + 2.0;
            goals.push(Goal::new(
                format!("apply of {size}: writes of the state, over two a second"),
                1.0,
                "",
                writes / most,
            ));
        }
        if name == "apply" && size == SIZES[1] {
            let what = "apply of 10,000 with boots of 0 s: CPU time beside the simulator's";
            goals.push(Goal::new(what, 1.0, "", share));
        }
        let made = calls(&memory, before, &least)?;
        before = made.lines;
        goals.extend(made.over_least.into_iter().map(|(action, over)| {
            Goal::new(format!("{name} of {size}: {action} calls over the least"), 1.05, "", over)
        }));
    }
    server.stop();
    Ok(goals)
}

fn beside_terraform(size: usize) -> anyhow::Result<()> {
    if let Some(cost) = terraform::plan_without_changes(size)? {
        show(size, "terraform plan", &cost, None);
    }
    if size <= APPLIED_BY_TERRAFORM
        && let Some(cost) = terraform::first_apply(size)?
    {
        show(size, "terraform apply", &cost, None);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn show(size: usize, name: &str, cost: &Cost, share: Option<f64>) {
    let (wall, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
    let (rate, each) = (size as f64 / wall, cpu * 1e6 / size as f64);
    let share = share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}"));
    println!(
        "{size:>10}  {name:<18}{wall:>9.2}{cpu:>9.2}{:>10.1}{rate:>11.0}{each:>12.0}{share:>15}",
        cost.peak
    );
}

/// What a command asked of the simulator.
struct Calls {
    /// How many lines the simulator's log has now.
    lines: usize,
    /// By action, how many calls over the least that would do.
    over_least: BTreeMap<String, f64>,
}

/// What was asked since so many lines of the log.
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn calls(memory: &Path, before: usize, least: &BTreeMap<&str, usize>) -> anyhow::Result<Calls> {
    let log = read_log(memory)?;
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for line in log.iter().skip(before) {
        if let LogEvent::Request(request) = &line.event {
            *made.entry(request.action.to_string()).or_default() += 1;
        }
    }
    let mut over_least = BTreeMap::new();
    for (action, made) in made {
        let least = least.get(action.as_str()).copied().unwrap_or_default();
        println!("{:>12}{action:<20} {made:>6} calls, {least} at least", "");
        over_least.insert(action, made as f64 / least as f64);
    }
    Ok(Calls { lines: log.len(), over_least })
}

/// How often an apply that began without a state has written one: each write raises its serial by one.
fn writes_of_the_state(folder: &Path) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(folder.join("state/bench.json"))?;
    let state: serde_json::Value = serde_json::from_str(&text)?;
    state["serial"].as_f64().context("the state has no serial")
}

fn run(folder: &Path, arguments: &[&str]) -> anyhow::Result<Cost> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powerform"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "bench-key")
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "bench-secret");
    Cost::of(&command)
}

fn account(size: usize) -> String {
    let mut text = "account: \"1234567890123456\"\nkeys: [{ id: bench-key, secret: bench-secret }]\n\
         region: cn-hangzhou\npace: { start: 0s, stop: 0s }\ninstances:\n"
        .to_owned();
    for number in 0..size {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "  - {{ id: i-bp1{number:015x}, name: service-{number} }}");
    }
    text
}

fn configuration(size: usize, address: &str) -> String {
    let mut text = format!(
        "stack: bench\nprovider: {{ region: cn-hangzhou, endpoint: \"http://{address}\" }}\ninstances:\n"
    );
    for (number, needs) in layers::needs(size).into_iter().enumerate() {
        let _ = write!(text, "  s{number:06}: {{ id: i-bp1{number:015x}, status: Running");
        if !needs.is_empty() {
            let needs: Vec<String> = needs.iter().map(|need| format!("s{need:06}")).collect();
            let _ = write!(text, ", depends_on: [{}]", needs.join(", "));
        }
        text.push_str(" }\n");
    }
    text
}

/// The simulator in a process of its own.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_powerform"))
            .args(["simulator", "--account", "account.yaml", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().context("a pipe")?;
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if let Some((_, rest)) = line.split_once("http://") {
                let address = rest.split_whitespace().next().unwrap_or_default();
                let address = address.trim_end_matches(['/', '.', ',', ';']).to_owned();
                return Ok(Self { child, address });
            }
        }
        Err(anyhow!("the simulator did not say where it listens"))
    }

    /// Its CPU time so far.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program may hold anything; what follows it does not.
        let (_, fields) = stat.rsplit_once(')').context("a name")?;
        let spent: u32 =
            fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
        Ok(TICK * spent)
    }

    fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
