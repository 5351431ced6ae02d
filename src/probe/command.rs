//! Whether a command on this machine ends well.

use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::{NotReady, Probes, Subject};

/// So much of what a command says is kept, in bytes: its end.
const LONGEST_OUTPUT: usize = 64 * 1024;

/// Runs it, without a shell and without input. What is known of the instance is in its environment.
pub(super) async fn ask(probes: &Probes, subject: &Subject, words: &[String]) -> Result<(), NotReady> {
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
    for name in &probes.withheld {
        command.env_remove(name);
    }
    for (name, value) in facts(subject) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child =
        command.spawn().map_err(|error| NotReady::new(format!("{program} cannot be run: {error}")))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err, ended) = tokio::join!(tail(out), tail(err), child.wait());
    let ended = ended.map_err(|error| NotReady::new(format!("{program} was lost: {error}")))?;
    if ended.success() {
        return Ok(());
    }
    let said = last_line(&err).or_else(|| last_line(&out)).unwrap_or_default();
    let separator = if said.is_empty() { "" } else { ": " };
    Err(NotReady::new(format!("{ended}{separator}{said}")))
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
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return kept };
    let mut buffer = [0; 4096];
    while let Ok(number @ 1..) = stream.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..number]);
        if kept.len() > LONGEST_OUTPUT {
            kept.drain(..kept.len() - LONGEST_OUTPUT / 2);
        }
    }
    kept
}

/// The last line that says something, cut to a sane length.
fn last_line(output: &[u8]) -> Option<String> {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().take(LONGEST).collect())
}
