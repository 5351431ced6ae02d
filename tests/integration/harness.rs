//! Whole runs of the built binary against the simulator, with laws that every run is held to.
//!
//! A scenario is a folder of its own with `powerform.yaml` and `account.yaml`. Its processes get an environment that
//! holds nothing but what the scenario says, so that no test can reach a real account, and are killed when they take
//! too long. What happened is read from the simulator's own log, never from what the program says of itself.
//!
//! Tests wait for events: a line of output, a line of the log, the end of a process. None of them sleeps and hopes.

#![expect(clippy::unwrap_used, reason = "what tests call may panic: that is how they fail")]

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use powerform::simulator::Simulator;
use tempfile::TempDir;

mod laws;
mod lines;
mod log;
mod metadata;
mod process;
mod terminal;

pub(crate) use self::lines::Lines;
pub(crate) use self::log::CloudLog;
pub(crate) use self::metadata::MetadataService;
pub(crate) use self::process::{Ended, Running};
pub(crate) use self::terminal::OnTerminal;

/// What every account file of a scenario begins with. Boots take long enough to be seen, and no longer.
const ACCOUNT: &str = "account: \"1234567890123456\"
keys: [{ id: sim-key, secret: sim-secret-of-the-scenario }]
region: cn-hangzhou
pace: { start: 200ms, stop: 100ms }
";

/// The secret of [`ACCOUNT`]: no output may ever hold it.
pub(crate) const SECRET: &str = "sim-secret-of-the-scenario";

/// Where the simulated cloud lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// In the process that is tested: `provider.simulator`.
    Embedded,
    /// In a process of its own, reached through `provider.endpoint` with keys from the environment.
    Served,
}

impl World {
    pub(crate) const BOTH: [Self; 2] = [Self::Embedded, Self::Served];
}

/// A configuration, a simulated account, and whatever runs leave beside them.
pub(crate) struct Scenario {
    folder: TempDir,
    /// As it is given to `-f`; none stands for the default.
    configuration: Option<String>,
    account: PathBuf,
    memory: PathBuf,
    state: PathBuf,
    variables: Vec<(String, String)>,
    server: Option<Running>,
    provider: String,
    runs: Cell<usize>,
    /// The plans of runs that were killed: what they had sent may arrive when the next one is under way.
    killed: RefCell<Vec<Lines>>,
}

impl Scenario {
    /// `account` is what follows the head of an account file: `instances`, `faults` and so on. `configuration` is what
    /// follows `stack` and `provider`. The simulator is embedded.
    pub(crate) fn new(account: &str, configuration: &str) -> Self {
        Self::in_world(World::Embedded, account, configuration)
    }

    /// As [`Scenario::new`], in either world.
    pub(crate) fn in_world(world: World, account: &str, configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut scenario = Self {
            configuration: None,
            account: folder.path().join("account.yaml"),
            memory: folder.path().join("account.cloud.json"),
            state: folder.path().join("state/scenario.json"),
            variables: Vec::new(),
            server: None,
            provider: "simulator: account.yaml".to_owned(),
            runs: Cell::new(0),
            killed: RefCell::default(),
            folder,
        };
        scenario.write_account(account);
        if world == World::Served {
            scenario.serve();
        }
        scenario.write_configuration(configuration);
        scenario
    }

    /// A copy of a folder under `examples/`, with the folder `state/` beside it.
    pub(crate) fn of_example(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("examples").join(name);
        std::fs::create_dir_all(&copy).unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        for file in ["powerform.yaml", "account.yaml"] {
            std::fs::copy(original.join(file), copy.join(file)).unwrap();
        }
        Self {
            configuration: Some(format!("examples/{name}/powerform.yaml")),
            account: copy.join("account.yaml"),
            memory: folder.path().join(format!("state/{name}.cloud.json")),
            state: folder.path().join(format!("state/{name}.json")),
            variables: Vec::new(),
            server: None,
            provider: String::new(),
            runs: Cell::new(0),
            killed: RefCell::default(),
            folder,
        }
    }

    /// The folder that commands run in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The record.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// The account file.
    pub(crate) fn account(&self) -> &Path {
        &self.account
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.folder().join(name), text).unwrap();
    }

    /// Writes the account anew: the simulated cloud begins anew, too.
    pub(crate) fn write_account(&self, account: &str) {
        std::fs::write(&self.account, format!("{ACCOUNT}{account}")).unwrap();
    }

    /// Writes the configuration anew, with the same stack and provider.
    pub(crate) fn write_configuration(&self, configuration: &str) {
        let head = format!("stack: scenario\nprovider: {{ region: cn-hangzhou, {} }}\n", self.provider);
        self.write("powerform.yaml", format!("{head}{configuration}"));
    }

    /// Sets a variable for all processes from now on; nothing takes it away.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.variables.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Adds keys to the provider block, as in `signature: v3`. They are there from the next
    /// [`Scenario::write_configuration`] on.
    pub(crate) fn provide(&mut self, keys: &str) {
        self.provider = format!("{}, {keys}", self.provider);
    }

    /// The address of the served simulator.
    pub(crate) fn address(&self) -> String {
        self.provider.split('"').nth(1).expect("an endpoint").to_owned()
    }

    /// Lets the program go to another address from the next [`Scenario::write_configuration`] on: that of something
    /// that stands in front of the served simulator.
    pub(crate) fn redirect(&mut self, address: &str) {
        let (_, rest) = self.provider.split_once("\", ").unwrap_or_default();
        let rest = if rest.is_empty() { String::new() } else { format!(", {rest}") };
        self.provider = format!("endpoint: \"{address}\"{rest}");
    }

    fn serve(&mut self) {
        let mut command = self.command(&["simulator", "--account", "account.yaml"]);
        let mut server = Running::start(command.stdin(Stdio::null()));
        server.until("the simulator tells its address", |server| server.stdout().contains('\n'));
        let address = server.stdout().split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        self.provider = format!("endpoint: \"{address}\"");
        self.server = Some(server);
        self.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "sim-key");
        self.set("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET);
    }

    /// The process that serves the cloud.
    pub(crate) fn take_server(&mut self) -> Running {
        self.server.take().unwrap()
    }

    /// The binary with arguments, in the folder, with nothing in its environment but what the scenario says.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_powerform"));
        command
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("USER", "tester")
            // Whether this machine is an ECS instance is of no concern to a test.
            .env("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .args(self.configuration.iter().flat_map(|file| ["-f", file]))
            .args(arguments);
        command
    }

    /// Begins a command. One that plans also writes its JSON lines to a file, for the laws.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process<'_> {
        let mut command = self.command(arguments);
        let lines = matches!(arguments.first(), Some(&("plan" | "apply"))).then(|| {
            self.runs.set(self.runs.get() + 1);
            self.folder().join(format!("lines-{}.json", self.runs.get()))
        });
        if let Some(lines) = &lines {
            command.arg("--json-into").arg(lines);
        }
        let before = self.log().lines().len();
        let json = arguments.contains(&"--json");
        Process { scenario: self, running: Running::start(&mut command), lines, before, json }
    }

    /// Runs a command to its end and holds it to the laws.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).finish()
    }

    /// Plans.
    pub(crate) fn plan(&self) -> Ran {
        self.run(&["plan"]).exits(0)
    }

    /// Applies without asking; how it ends is for the test to say.
    pub(crate) fn apply(&self) -> Ran {
        self.run(&["apply", "--auto-approve"])
    }

    /// Applies, with success; a plan that follows has nothing to do.
    pub(crate) fn converge(&self) -> Ran {
        let applied = self.apply().exits(0);
        self.is_in_sync();
        applied
    }

    /// A plan has nothing to do.
    pub(crate) fn is_in_sync(&self) {
        self.run(&["plan", "--detailed-exitcode"]).exits(0);
    }

    /// Someone else's click in the console.
    pub(crate) fn click(&self, id: &str, status: &str) {
        Simulator::open(&self.account).unwrap().set(id, status).unwrap();
    }

    /// How many requests have reached the simulated cloud. Cheap: it may be asked over and over.
    pub(crate) fn requests_so_far(&self) -> usize {
        let log = std::fs::read_to_string(&self.memory).unwrap_or_default();
        log.matches("\"kind\":\"request\"").count()
    }

    /// What has happened in the simulated cloud.
    pub(crate) fn log(&self) -> CloudLog {
        CloudLog::read(&self.memory, &self.account)
    }
}

/// A command that is under way in a scenario.
pub(crate) struct Process<'s> {
    scenario: &'s Scenario,
    running: Running,
    lines: Option<PathBuf>,
    before: usize,
    json: bool,
}

impl Process<'_> {
    /// The process itself.
    pub(crate) fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Waits until what happened in the simulated cloud since the command was begun is as wanted.
    pub(crate) fn until_log(&mut self, what: &str, holds: impl Fn(&CloudLog) -> bool) {
        let (scenario, before) = (self.scenario, self.before);
        self.running.until(what, |_| holds(&scenario.log().since(before)));
    }

    /// Waits until a power call about this instance has reached the cloud.
    pub(crate) fn until_called(&mut self, action: &str, id: &str) {
        self.until_log(&format!("{action} of {id}"), |log| log.calls().iter().any(|it| it.is(action, id)));
    }

    /// Waits for the end, and holds what was done to the laws.
    pub(crate) fn finish(self) -> Ran {
        let (scenario, before) = (self.scenario, self.before);
        let ran = self.finish_among_others();
        laws::check(scenario, &scenario.log(), before, &ran);
        if ran.status.is_none() {
            scenario.killed.borrow_mut().push(ran.lines.clone());
        }
        ran
    }

    /// As [`Process::finish`], where other processes call at the same time, so that what is in the log says nothing
    /// about this one.
    pub(crate) fn finish_among_others(self) -> Ran {
        let ended = self.running.finish();
        let whole = ended.status.is_some();
        let lines = match &self.lines {
            Some(path) => Lines::read(&std::fs::read_to_string(path).unwrap_or_default(), whole),
            None => Lines::default(),
        };
        if self.json && self.lines.is_some() {
            let printed = Lines::read(&ended.stdout, whole);
            assert!(!whole || printed == lines, "stdout and --json-into differ\n{ended:?}");
        }
        for stream in [&ended.stdout, &ended.stderr] {
            assert!(!stream.contains(SECRET), "a secret was printed\n{ended:?}");
            assert!(!stream.contains("panicked"), "the program panicked\n{}", ended.stderr);
        }
        let log = self.scenario.log().since(self.before);
        Ran { status: ended.status, stdout: ended.stdout, stderr: ended.stderr, lines, log }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit status; none if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The JSON lines, if it was a plan or an apply.
    pub(crate) lines: Lines,
    /// What happened in the simulated cloud meanwhile.
    pub(crate) log: CloudLog,
}

impl Ran {
    /// Fails the test unless the exit status is this one.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(
            self.status,
            Some(status),
            "\n--- stdout\n{}\n--- stderr\n{}\n--- cloud\n{:#?}",
            self.stdout,
            self.stderr,
            self.log
        );
        self
    }

    /// Fails the test unless every one of these texts is on stdout.
    #[track_caller]
    pub(crate) fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "no \"{text}\" on stdout:\n{}", self.stdout);
        }
        self
    }

    /// Fails the test unless every one of these texts is on stderr.
    #[track_caller]
    pub(crate) fn complains(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "no \"{text}\" on stderr:\n{}", self.stderr);
        }
        self
    }

    /// The power calls that reached the cloud, as `Start i-a`, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.log.calls().iter().map(|call| call.words()).collect()
    }
}

/// Tries all rows of a table, many at a time: nearly all of their time is spent waiting.
pub(crate) fn side_by_side<T: Sync>(rows: &[T], test: impl Fn(&T) + Sync) {
    const AT_ONCE: usize = 24;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(rows.len()) {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    test(row);
                }
            });
        }
    });
}
