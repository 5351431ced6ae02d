//! What planning costs by itself: reading the configuration and the record, decoding what ECS answers, deciding, and
//! making the text of the plan. Not the network, and nobody's boot.
//!
//! Each fleet is planned by a process of its own, so that its peak of memory is its own. CPU time is that of the whole
//! process; each stage runs several times and the quickest counts.

mod fleet;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use powerform::config::{self, Source};
use powerform::fleet::{ProviderAlias, StackName};
use powerform::observe::observe;
use powerform::plan::plan;
use powerform::render::{human, style::Style};
use powerform::state::document;

use super::goal::Goal;
use super::terraform;
use fleet::{Answers, Story};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const STAGES: [&str; 5] = ["read YAML", "read record", "decode look", "decide", "show"];
/// CPU time of each stage, and the peak of memory in MB (of 10^6 bytes) where the system tells it.
struct Cost {
    stages: [Duration; STAGES.len()],
    peak: Option<f64>,
}

impl Cost {
    fn total(&self) -> Duration {
        self.stages.iter().sum()
    }
}

/// Asks this program to plan one fleet and to print what each stage cost.
pub(crate) const ONE: &str = "--one";

/// Plans one fleet several times, and prints what it cost.
pub(crate) fn one(story: &str, size: usize) -> anyhow::Result<()> {
    let cost = measure(Story::named(story).context("no such story")?, size)?;
    let stages: Vec<String> = cost.stages.iter().map(|stage| stage.as_nanos().to_string()).collect();
    println!("{} {}", stages.join(" "), cost.peak.unwrap_or(f64::NAN));
    Ok(())
}

/// Plans every fleet of every size.
pub(crate) fn measure_all() -> anyhow::Result<Vec<Goal>> {
    let mut goals = Vec::new();
    for story in [Story::InSync, Story::AllToStart] {
        println!("\n{}: CPU time in ms", story.title());
        print!("{:>10}", "instances");
        STAGES.iter().for_each(|stage| print!("{stage:>13}"));
        println!("{:>10}{:>12}{:>12}", "total", "us each", "peak MB");
        let mut costs: Vec<Cost> = Vec::new();
        for size in SIZES {
            let cost = in_a_process_of_its_own(story, size)?;
            show(size, &cost, costs.last());
            costs.push(cost);
        }
        if let (Story::InSync, [_, middle, largest]) = (story, costs.as_slice()) {
            goals.extend(goals_of(middle, largest));
            goals.extend(beside_terraform(middle)?);
        }
    }
    Ok(goals)
}

fn goals_of(middle: &Cost, largest: &Cost) -> [Goal; 5] {
    let total = largest.total().as_secs_f64();
    let peak = largest.peak.unwrap_or(f64::NAN);
    let without_reading = total - largest.stages[0].as_secs_f64();
    let exponent = (total / middle.total().as_secs_f64()).log10();
    [
        Goal::new("plan of 100,000: CPU time", 2.5, "s", total),
        Goal::new("plan of 100,000: CPU time without reading YAML", 1.0, "s", without_reading),
        Goal::new("plan of 100,000: memory", 500.0, "MB", peak),
        Goal::new("plan of 100,000: memory, beside the goal without reading YAML", 300.0, "MB", peak),
        Goal::new("plan: growth exponent from 10,000 to 100,000", 1.1, "", exponent),
    ]
}

/// The same size planned by Terraform, where it is present.
fn beside_terraform(ours: &Cost) -> anyhow::Result<Vec<Goal>> {
    let Some(theirs) = terraform::plan_without_changes(SIZES[1])? else {
        println!("no terraform binary was found to compare with");
        return Ok(Vec::new());
    };
    println!(
        "terraform, a plan without changes of {} terraform_data: {:.1} s of CPU time, {:.0} MB",
        SIZES[1],
        theirs.cpu.as_secs_f64(),
        theirs.peak
    );
    let cpu = ours.total().as_secs_f64() / theirs.cpu.as_secs_f64();
    let memory = ours.peak.unwrap_or(f64::NAN) / theirs.peak;
    Ok(vec![
        Goal::new("plan of 10,000: CPU time beside Terraform's", 1.0 / 200.0, "", cpu),
        Goal::new("plan of 10,000: memory beside Terraform's", 1.0 / 50.0, "", memory),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn show(size: usize, cost: &Cost, before: Option<&Cost>) {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    print!("{size:>10}");
    cost.stages.iter().for_each(|stage| print!("{:>13.1}", ms(*stage)));
    let each = ms(cost.total()) * 1e3 / size as f64;
    println!("{:>10.1}{each:>12.2}{:>12.1}", ms(cost.total()), cost.peak.unwrap_or(f64::NAN));
    if let Some(before) = before {
        // Ten times the instances: 1.00 is linear growth, 2.00 quadratic.
        let exponent = |now: Duration, then: Duration| (now.as_secs_f64() / then.as_secs_f64()).log10();
        print!("{:>10}", "exponent");
        for (now, then) in cost.stages.iter().zip(&before.stages) {
            print!("{:>13.2}", exponent(*now, *then));
        }
        println!("{:>10.2}", exponent(cost.total(), before.total()));
    }
}

fn in_a_process_of_its_own(story: Story, size: usize) -> anyhow::Result<Cost> {
    let output = Command::new(std::env::current_exe()?)
        .args([ONE, story.name(), &size.to_string()])
        .output()
        .context("cannot start the process that measures")?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<&str> = text.split_whitespace().collect();
    let [stages @ .., peak] = numbers.as_slice() else {
        return Err(anyhow!("nothing was measured: {}", String::from_utf8_lossy(&output.stderr)));
    };
    let stages = stages
        .iter()
        .map(|stage| Ok(Duration::from_nanos(stage.parse()?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let stages = stages.try_into().map_err(|_| anyhow!("not one number for each stage"))?;
    Ok(Cost { stages, peak: peak.parse().ok().filter(|peak: &f64| peak.is_finite()) })
}

fn measure(story: Story, size: usize) -> anyhow::Result<Cost> {
    // The small ones are over too soon to be measured once.
    let rounds = (30_000 / size).clamp(3, 20);
    let mut stages = [Duration::MAX; STAGES.len()];
    for _ in 0..rounds {
        for (quickest, now) in stages.iter_mut().zip(one_round(story, size)?) {
            *quickest = now.min(*quickest);
        }
    }
    Ok(Cost { stages, peak: peak_of_memory() })
}

/// One plan, from texts to text. What a real run has let go of by the time of a stage is let go of here.
fn one_round(story: Story, size: usize) -> anyhow::Result<[Duration; STAGES.len()]> {
    let fleet = fleet::Fleet::new(size);
    let (yaml, record) = (fleet.yaml(), fleet.record());
    let stack = StackName::new(fleet::STACK)?;
    let now = Timestamp::UNIX_EPOCH;
    let sources = [Source { name: "powerform.yaml".to_owned(), text: yaml.into_bytes() }];
    drop(fleet);

    let (configuration, reading) = timed(|| config::read(&sources))?;
    drop(sources);
    let desired = configuration.map_err(|_| anyhow!("the configuration has problems"))?.desired;

    let (recorded, remembering) = timed(|| document::read(record.as_bytes(), &stack))?;
    let recorded = recorded?;
    drop(record);

    // One thread, so that the time taken for making the answers can be taken off again.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let answers = Arc::new(Answers::new(story));
    let clouds = BTreeMap::from([(ProviderAlias::main(), Arc::clone(&answers))]);
    let unconnected = BTreeMap::new();
    let (observation, looking) = timed(|| runtime.block_on(observe(&desired, &clouds, &unconnected, now)))?;
    let looking = looking.saturating_sub(answers.making());
    anyhow::ensure!(observation.failures.is_empty(), "a look failed");

    let (plan, deciding) = timed(|| plan(&desired, Some(&recorded), &observation.actual))?;
    let plan = plan?;
    drop(observation);
    let tally = plan.tally();
    anyhow::ensure!(
        (tally.in_sync, tally.start) == story.expected(size),
        "another plan than meant: {tally:?}"
    );

    let (text, showing) = timed(|| human::plan(&plan, Style::plain(), false))?;
    black_box(text.len());
    Ok([reading, remembering, looking, deciding, showing])
}

fn timed<T>(work: impl FnOnce() -> T) -> anyhow::Result<(T, Duration)> {
    let before = cpu_time()?;
    let result = black_box(work());
    Ok((result, cpu_time()?.saturating_sub(before)))
}

/// The CPU time of this process so far.
pub(super) fn cpu_time() -> anyhow::Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?))
}

fn peak_of_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}
