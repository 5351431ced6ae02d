//! Whole commands: the real program against a real simulator, each a process of its own, over loopback. How long a plan
//! and an apply take, what they cost in CPU time and memory beside the simulator, and how many calls they make over the
//! least that would do. The machines boot in no time, so that only the programs are measured.
//!
//! Where a `terraform` binary is found, it plans as many `terraform_data` in the same layers, in the same run.
//!
//! `cargo bench --bench wall`; sizes may be given: `cargo bench --bench wall -- 1000`

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("CPU time of other processes is read from /proc: nothing is measured on this system");
}

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    measuring::main()
}

#[cfg(target_os = "linux")]
mod measuring {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use anyhow::{Context as _, anyhow, ensure};
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    use nix::time::{ClockId, clock_gettime};
    use powerform::simulator::{LogEvent, read_log};

    const SIZES: [usize; 2] = [1_000, 10_000];
    const LAYERS: usize = 10;
    /// `/proc/PID/stat` counts in hundredths of a second.
    const TICK: Duration = Duration::from_millis(10);

    pub(super) fn main() -> anyhow::Result<()> {
        let given: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
        let sizes = if given.is_empty() { SIZES.to_vec() } else { given };
        println!("\nWhole commands over loopback: ten layers, one to three needs each, boots of 0 s");
        println!(
            "{:>10}  {:<16}{:>9}{:>9}{:>10}{:>11}{:>12}{:>9}",
            "instances", "command", "wall s", "CPU s", "peak MB", "a second", "CPU us each", "of sim."
        );
        for size in sizes {
            one(size)?;
        }
        Ok(())
    }

    /// What a process cost.
    struct Cost {
        wall: Duration,
        cpu: Duration,
        /// Of the largest child so far, in MB of 10^6 bytes.
        peak: f64,
    }

    fn one(size: usize) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("account.yaml"), account(size))?;
        let mut server = Server::start(folder.path())?;
        std::fs::write(folder.path().join("powerform.yaml"), configuration(size, &server.address))?;
        let memory = folder.path().join("account.cloud.json");
        let mut before = 0;
        for (name, arguments, expected) in [
            ("plan", &["plan"][..], BTreeMap::from([("DescribeInstances", size.div_ceil(100))])),
            (
                "apply",
                &["apply", "--auto-approve"],
                BTreeMap::from([
                    ("DescribeInstances", size.div_ceil(100) * 2),
                    ("StartInstances", LAYERS * (size / LAYERS).div_ceil(100)),
                ]),
            ),
            ("plan, in sync", &["plan"], BTreeMap::from([("DescribeInstances", size.div_ceil(100))])),
        ] {
            let simulator = server.cpu()?;
            let cost = run(folder.path(), arguments)?;
            let simulator = server.cpu()?.saturating_sub(simulator);
            show(size, name, &cost, simulator);
            before = calls(&memory, before, &expected)?;
        }
        if let Some(cost) = terraform(size)? {
            show(size, "terraform plan", &cost, Duration::ZERO);
        }
        server.stop();
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers for people")]
    fn show(size: usize, name: &str, cost: &Cost, simulator: Duration) {
        let (wall, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
        let (rate, each) = (size as f64 / wall, cpu * 1e6 / size as f64);
        let share = if simulator.is_zero() { f64::NAN } else { cpu / simulator.as_secs_f64() };
        println!(
            "{size:>10}  {name:<16}{wall:>9.2}{cpu:>9.2}{:>10.1}{rate:>11.0}{each:>12.0}{share:>9.2}",
            cost.peak
        );
    }

    /// What was asked since so many lines of the log, by action, over the least that would do. Says how many lines there are
    /// now.
    #[expect(clippy::cast_precision_loss, reason = "numbers for people")]
    fn calls(memory: &Path, before: usize, least: &BTreeMap<&str, usize>) -> anyhow::Result<usize> {
        let log = read_log(memory)?;
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        for line in log.iter().skip(before) {
            if let LogEvent::Request(request) = &line.event {
                *made.entry(request.action.as_str()).or_default() += 1;
            }
        }
        for (action, made) in made {
            let least = least.get(action).copied().unwrap_or_default();
            println!(
                "{:>12}{action:<20} {made:>6} calls, {:.2} of the least ({least})",
                "",
                made as f64 / least as f64
            );
        }
        Ok(log.len())
    }

    fn run(folder: &Path, arguments: &[&str]) -> anyhow::Result<Cost> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_powerform"));
        command
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "bench-key")
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "bench-secret");
        timed(&mut command)
    }

    /// A clock that never goes back.
    fn now() -> anyhow::Result<Duration> {
        Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into())
    }

    /// Runs a command to its end, which has to be a good one.
    #[expect(clippy::cast_precision_loss, reason = "numbers for people")]
    fn timed(command: &mut Command) -> anyhow::Result<Cost> {
        let before = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let begun = now()?;
        let output = command.stdin(Stdio::null()).output()?;
        let wall = now()?.saturating_sub(begun);
        ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        let after = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let spent = |usage: &nix::sys::resource::Usage| {
            let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
            Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())
        };
        let cpu = spent(&after).saturating_sub(spent(&before));
        // Linux counts in KiB.
        Ok(Cost { wall, cpu, peak: after.max_rss() as f64 * 1024.0 / 1e6 })
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
        let mut random = fastrand::Rng::with_seed(7);
        let layer = (size / LAYERS).max(1);
        let mut text = format!(
            "stack: bench\nprovider: {{ region: cn-hangzhou, endpoint: \"http://{address}\" }}\ninstances:\n"
        );
        for number in 0..size {
            let _ = write!(text, "  s{number:06}: {{ id: i-bp1{number:015x}, status: Running");
            if let Some(below) = (number / layer).checked_sub(1) {
                let mut needs: Vec<String> = (0..random.usize(1..=3))
                    .map(|_| format!("s{:06}", below * layer + random.usize(..layer)))
                    .collect();
                needs.sort_unstable();
                needs.dedup();
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
            let spent: u32 = fields
                .split_whitespace()
                .skip(11)
                .take(2)
                .filter_map(|field| field.parse::<u32>().ok())
                .sum();
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

    /// A plan of as many `terraform_data` in as many layers that has nothing to do, if Terraform is there.
    fn terraform(size: usize) -> anyhow::Result<Option<Cost>> {
        if Command::new("terraform").arg("version").output().is_err() {
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let layer = (size / LAYERS).max(1);
        let mut text = String::new();
        for number in 0..size {
            let _ = write!(text, "resource \"terraform_data\" \"s{number}\" {{\n  input = {number}\n");
            if let Some(below) = (number / layer).checked_sub(1) {
                let need = below * layer + number % layer;
                let _ = writeln!(text, "  depends_on = [terraform_data.s{need}]");
            }
            text.push_str("}\n");
        }
        std::fs::write(folder.path().join("main.tf"), text)?;
        let command = |arguments: &[&str]| {
            let mut command = Command::new("terraform");
            command.args(arguments).current_dir(folder.path());
            command
        };
        timed(&mut command(&["init", "-input=false"]))?;
        timed(&mut command(&["apply", "-auto-approve", "-input=false"]))?;
        timed(&mut command(&["plan", "-input=false"])).map(Some)
    }
}
