//! Whether a command on this machine ends well.

use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
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
    let group = Group::of(&child);
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

/// All that a command has begun and that has not moved to a group of its own.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    fn of(child: &Child) -> Self {
        #[cfg(not(unix))]
        let _ = child;
        Self {
            #[cfg(unix)]
            leader: child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)),
        }
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // An empty group is none, and there is nobody to tell.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

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
