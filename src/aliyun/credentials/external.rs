//! Credentials from a program that prints them.

use std::process::Stdio;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::Credentials;
use super::account::Account;
use super::issued::{SecretObject, read_time};
use super::provider::{Context, Grant, Lifetime, Missing};

const DISABLED: &str = "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS";

/// How long the program may take: what the official libraries allow.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The longest output that is read, in bytes.
const LONGEST_OUTPUT: u64 = 64 * 1024;

/// How long credentials without an expiration are kept. The libraries run the program for every call, which would be
/// hundreds of times in an apply.
const KEPT: SignedDuration = SignedDuration::from_secs(60);

/// Runs the program. No shell takes part; what it prints, on whichever stream, is never repeated.
pub(super) async fn fetch(context: &Context, command: &str, source: &str) -> Result<Grant, Missing> {
    fetch_within(context, command, source, TIME_LIMIT).await
}

async fn fetch_within(
    context: &Context,
    command: &str,
    source: &str,
    limit: Duration,
) -> Result<Grant, Missing> {
    let refuse = |why: String| Missing::broken(format!("its process_command {why}"));
    let disabled = context.surroundings.variable(DISABLED);
    if disabled.is_some_and(|value| !matches!(value.trim().to_ascii_lowercase().as_str(), "false" | "0")) {
        return Err(refuse(format!("is not run, because {DISABLED} is set")));
    }
    let words = words(command).map_err(|why| refuse(why.to_owned()))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(refuse("is empty".to_owned()));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| refuse(format!("cannot be run: {}", error.kind())))?;
    let mut output = Vec::new();
    let running = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LONGEST_OUTPUT + 1).read_to_end(&mut output).await?;
        }
        child.wait().await
    };
    // A program that is not done in time is killed when its handle goes.
    let status = tokio::time::timeout(limit, running)
        .await
        .map_err(|_| refuse(format!("did not end within {} s", limit.as_secs_f64())))?
        .map_err(|error| refuse(format!("cannot be followed: {}", error.kind())))?;
    if output.len() as u64 > LONGEST_OUTPUT {
        return Err(refuse("prints more than 64 KiB".to_owned()));
    }
    if !status.success() {
        return Err(refuse(format!("failed with {status}; run it yourself to see why")));
    }
    let object =
        SecretObject::read(&output).map_err(|why| refuse(format!("prints something else: {why}")))?;
    read(&object, source).map_err(refuse)
}

fn read(object: &SecretObject, source: &str) -> Result<Grant, String> {
    let missing = |key: &str| format!("prints no {key}");
    let mode = object.text("mode").unwrap_or("AK");
    let security_token: Option<SecretString> = if mode.eq_ignore_ascii_case("AK") {
        None
    } else if mode.eq_ignore_ascii_case("StsToken") {
        Some(object.secret("sts_token").ok_or_else(|| missing("sts_token"))?)
    } else {
        return Err("prints a mode other than AK and StsToken".to_owned());
    };
    let lifetime = match object.text("expiration") {
        Some(text) => Lifetime::Until(read_time(text).ok_or("prints an expiration that is no time")?),
        None => Lifetime::Short(KEPT),
    };
    let credentials = Credentials {
        access_key_id: object.text("access_key_id").ok_or_else(|| missing("access_key_id"))?.to_owned(),
        access_key_secret: object.secret("access_key_secret").ok_or_else(|| missing("access_key_secret"))?,
        security_token,
        source: source.to_owned(),
    };
    // It may give others each time.
    Ok(Grant { lifetime, account: Account::Unknown, ..Grant::lasting(credentials) })
}

/// Splits a command into words as a POSIX shell does, quotes and backslashes included; everything else that a shell
/// would do (variables, pipes, patterns) stays plain text.
fn words(command: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some(letter) => word.push(letter),
                        None => return Err("has a quote that does not end"),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('"') => break,
                        Some('\\') => match letters.next() {
                            Some(letter @ ('"' | '\\' | '$' | '`')) => word.push(letter),
                            Some(letter) => word.extend(['\\', letter]),
                            None => return Err("has a quote that does not end"),
                        },
                        Some(letter) => word.push(letter),
                        None => return Err("has a quote that does not end"),
                    }
                }
            }
            '\\' => match letters.next() {
                Some(letter) => word.get_or_insert_default().push(letter),
                None => return Err("ends with a backslash"),
            },
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests;
