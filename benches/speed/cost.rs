//! What a command costs that runs to its end.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use nix::time::{ClockId, clock_gettime};

/// Asks this program to run a command and to print what it cost.
pub(crate) const COST: &str = "--cost";

/// What a process cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// In MB of 10^6 bytes.
    pub(crate) peak: f64,
}

impl Cost {
    /// Runs a command to its end, which has to be a good one: in a process between, because the system tells the peak
    /// of memory of the largest child only.
    #[expect(clippy::disallowed_methods, reason = "programs are found where the caller finds them")]
    pub(crate) fn of(command: &Command) -> anyhow::Result<Self> {
        let mut between = Command::new(std::env::current_exe()?);
        between.arg(COST).arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        // Whatever this machine's environment says, the same is measured.
        between.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        if let Some(folder) = command.get_current_dir() {
            between.current_dir(folder).env("HOME", folder);
        }
        between.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = between.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        let numbers: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [wall, cpu, peak] = numbers.as_slice() else { anyhow::bail!("no cost was told: {said}") };
        Ok(Self { wall: Duration::from_secs_f64(*wall), cpu: Duration::from_secs_f64(*cpu), peak: *peak })
    }
}

/// Runs a command, and prints what it cost: seconds on the wall, seconds of CPU time, MB.
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
pub(crate) fn tell(program: &str, arguments: &[String]) -> anyhow::Result<()> {
    let begun = now()?;
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
    let wall = now()?.saturating_sub(begun);
    ensure!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    // Linux counts in KiB.
    println!("{} {cpu} {}", wall.as_secs_f64(), usage.max_rss() as f64 * 1024.0 / 1e6);
    Ok(())
}

/// A clock that never goes back.
fn now() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into())
}
