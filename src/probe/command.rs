//! Whether a command on this machine ends well.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::{NotReady, Probes, Subject, ended, in_words, last_line, one_line};

/// So much of what a command says is kept, in bytes: its end.
const LONGEST_OUTPUT: usize = 64 * 1024;

/// How long the last words of a command are waited for once it has ended: something that it left behind, out of reach,
/// may hold on to its output.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs it, without a shell and without input. What is known of the instance is in its environment. It is a process
/// group of its own, which ends with it.
pub(super) async fn ask<A>(probes: &Probes<A>, subject: &Subject, words: &[String]) -> Result<(), NotReady> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(NotReady::new("no program is named"));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&probes.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    for name in &probes.withheld {
        command.env_remove(name);
    }
    for (name, value) in facts(subject) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command.spawn().map_err(|error| not_run(program, &error))?;
    // Dropped before the child is, so that its id is still its own.
    let group = Group::of(&child, &probes.commands);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let streams = (child.stdout.take(), child.stderr.take());
    let ended_with = {
        let reading = async { tokio::join!(tail(streams.0, &mut out), tail(streams.1, &mut err)) };
        let mut reading = std::pin::pin!(reading);
        let ended_first = tokio::select! {
            ended_with = child.wait() => Some(ended_with),
            _ = &mut reading => None,
        };
        match ended_first {
            Some(ended_with) => {
                drop(group);
                let _ = timeout(LAST_WORDS, reading).await;
                ended_with
            }
            None => child.wait().await,
        }
    };
    let status = ended_with.map_err(|error| NotReady::new(format!("it was lost: {}", in_words(&error))))?;
    if status.success() {
        return Ok(());
    }
    let said = |output: &[u8]| last_line(&String::from_utf8_lossy(output));
    Err(ended(&how(status), said(&err).or_else(|| said(&out))))
}

/// So many commands run at once: each is a process with two pipes. What has to wait for its turn has all of its time
/// still before it.
const MOST: usize = 64;

/// The commands that run on this machine, each of which has its turn in the order in which they came. Clones are the
/// same.
#[derive(Debug, Clone)]
pub struct Commands {
    turns: Arc<Semaphore>,
    running: Arc<Mutex<Running>>,
}

/// The groups of those that run, by the ids of their first processes.
#[derive(Debug, Default)]
struct Running {
    leaders: BTreeSet<u32>,
    is_over: bool,
}

impl Default for Commands {
    fn default() -> Self {
        Self::bounded(MOST)
    }
}

impl Commands {
    /// So many at once.
    pub(super) fn bounded(most: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(most)), running: Arc::default() }
    }

    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.turns.acquire().await.ok()
    }

    /// Ends all that run and all that would begin from now on, for a process that is about to end.
    pub fn end(&self) {
        let mut running = self.running();
        running.is_over = true;
        running.leaders.iter().copied().for_each(kill);
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that a command has begun and that has not moved to a group of its own.
struct Group<'c> {
    commands: &'c Commands,
    leader: Option<u32>,
}

impl<'c> Group<'c> {
    fn of(child: &Child, commands: &'c Commands) -> Self {
        let leader = child.id();
        let mut running = commands.running();
        running.leaders.extend(leader);
        if running.is_over {
            leader.into_iter().for_each(kill);
        }
        Self { commands, leader }
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            let mut running = self.commands.running();
            running.leaders.remove(&leader);
            kill(leader);
        }
    }
}

#[cfg(unix)]
fn kill(leader: u32) {
    if let Some(leader) = leader.try_into().ok().and_then(rustix::process::Pid::from_raw) {
        // An empty group is none, and there is nobody to tell.
        let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill(_: u32) {}

fn not_run(program: &str, error: &std::io::Error) -> NotReady {
    let program = one_line(program, 100);
    let why = in_words(error);
    match error.kind() {
        ErrorKind::NotFound => NotReady::new(format!("not found: {program} ({why})")),
        _ => NotReady::new(format!("cannot be run: {program} ({why})")),
    }
}

fn how(status: ExitStatus) -> String {
    if let Some(code) = status.code() {
        return format!("exit status {code}");
    }
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    status.to_string()
}

fn facts(subject: &Subject) -> [(&'static str, Option<String>); 8] {
    [
        ("POWERFORM_ADDRESS", Some(subject.address.to_string())),
        ("POWERFORM_ENTRY", Some(subject.address.entry.to_string())),
        ("POWERFORM_INSTANCE_ID", Some(subject.key.id.to_string())),
        // What a person wrote may hold anything but what ends a text.
        ("POWERFORM_INSTANCE_NAME", Some(subject.name.replace('\0', ""))),
        ("POWERFORM_PROVIDER", Some(subject.key.provider.to_string())),
        ("POWERFORM_REGION", subject.region.as_ref().map(ToString::to_string)),
        ("POWERFORM_PRIVATE_IP", subject.private_address.map(|address| address.to_string())),
        ("POWERFORM_PUBLIC_IP", subject.public_address.map(|address| address.to_string())),
    ]
}

/// Reads a stream to its end, so that its writer never waits, and keeps the end of it.
async fn tail(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = [0; 4096];
    while let Ok(number @ 1..) = stream.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..number]);
        if kept.len() > LONGEST_OUTPUT {
            kept.drain(..kept.len() - LONGEST_OUTPUT / 2);
        }
    }
}
