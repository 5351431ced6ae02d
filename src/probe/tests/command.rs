#![cfg(unix)]

use std::io::Read as _;
use std::path::Path;

use super::*;

fn command(words: &[&str]) -> Probe {
    Probe::Command { words: words.iter().map(|word| (*word).to_owned()).collect() }
}

fn shell(script: &str) -> Probe {
    command(&["/bin/sh", "-c", script])
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_command_that_does_not_end_well_is_quoted() {
    let folder = folder();
    let probes = probes_in(folder.path());
    for (script, expected) in [
        ("exit 0", Ok(())),
        ("echo lots; exit 3", Err("exit status 3: lots")),
        ("echo out; echo 'no route' >&2; echo >&2; exit 1", Err("exit status 1: no route")),
        ("exit 4", Err("exit status 4")),
        ("kill -9 $$", Err("killed by signal 9")),
        // Nothing comes in.
        ("read line || exit 5", Err("exit status 5")),
        // More than any pipe holds, and more than is kept.
        ("head -c 1000000 /dev/zero; echo; echo end; exit 6", Err("exit status 6: end")),
        ("exec >&- 2>&-; exit 7", Err("exit status 7")),
        // What it leaves behind is neither waited for nor left there.
        ("sleep 1000 & exit 0", Ok(())),
    ] {
        let answer = attempt(&probes, shell(script), LONG).await;
        assert_eq!(answer, expected.map_err(str::to_owned), "{script}");
    }
    let missing = attempt(&probes, command(&["no-such-program", "x"]), LONG).await;
    assert_eq!(missing, Err("not found: no-such-program (No such file or directory)".to_owned()));
    let long = attempt(&probes, shell("printf '%9999d' 7; exit 1"), LONG).await.expect_err("failed");
    assert!(long.chars().count() <= 220, "{long}");
}

#[tokio::test]
async fn a_command_sees_its_instance_and_no_secrets() {
    let folder = folder();
    let withheld = vec!["CARGO_MANIFEST_DIR".into()];
    let probes = Probes { withheld, ..probes_in(folder.path()) };
    let script = "echo \"$POWERFORM_ADDRESS|$POWERFORM_ENTRY|$POWERFORM_INSTANCE_ID|$POWERFORM_INSTANCE_NAME\
        |$POWERFORM_PROVIDER|$POWERFORM_REGION|$POWERFORM_PRIVATE_IP|${POWERFORM_PUBLIC_IP-none}\
        |${CARGO_MANIFEST_DIR-none}|${PATH:+path}\"; exit 1";
    let answer = attempt(&probes, shell(script), LONG).await;
    let seen = "exit status 1: db|db|i-db|the db|default|cn-hangzhou|127.0.0.1|none|none|path";
    assert_eq!(answer, Err(seen.to_owned()));
}

#[tokio::test]
async fn a_command_runs_in_the_folder_of_the_configuration() {
    let folder = folder();
    let probes = probes_in(folder.path());
    // Written by another process: this one could hold it open for writing while it forks.
    let write = "printf '#!/bin/sh\\ntest -e there' > check.sh && chmod +x check.sh && : > there";
    assert_eq!(attempt(&probes, shell(write), LONG).await, Ok(()));
    assert_eq!(attempt(&probes, command(&["./check.sh"]), LONG).await, Ok(()));
    assert!(folder.path().join("there").exists());
    let lost = Probes { folder: folder.path().join("gone"), ..probes };
    assert!(attempt(&lost, shell("exit 0"), LONG).await.is_err());
}

#[tokio::test]
async fn each_attempt_asks_anew() {
    let folder = folder();
    let probes = probes_in(folder.path());
    let script = "test -e up && rm up || { : > up; echo down; exit 1; }";
    for expected in [Err("exit status 1: down".to_owned()), Ok(()), Err("exit status 1: down".to_owned())] {
        assert_eq!(attempt(&probes, shell(script), LONG).await, expected);
    }
}

/// A shell and its child, both of which hold a pipe open until they have ended.
const HANGING: &str = "mkfifo made && mv made pipe && exec 3>pipe && { sleep 1000 & } && wait";

/// Begins [`HANGING`], and waits until it has begun. What is given ends when both processes have.
async fn begin(
    folder: &Path,
    timeout: Duration,
) -> (tokio::task::JoinHandle<Result<(), String>>, std::fs::File) {
    begin_of(probes_in(folder), timeout).await
}

async fn begin_of(
    probes: Probes<Nobody>,
    timeout: Duration,
) -> (tokio::task::JoinHandle<Result<(), String>>, std::fs::File) {
    let folder = probes.folder.clone();
    let attempt = tokio::spawn(async move { attempt(&probes, shell(HANGING), timeout).await });
    let pipe = folder.join("pipe");
    while !pipe.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pipe = tokio::task::spawn_blocking(move || std::fs::File::open(pipe)).await;
    (attempt, pipe.expect("no panic").expect("open at both ends"))
}

async fn until_ended(mut pipe: std::fs::File) {
    let mut said = Vec::new();
    let ended = tokio::task::spawn_blocking(move || pipe.read_to_end(&mut said)).await;
    ended.expect("no panic").expect("at its end");
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_in_time_with_all_that_it_began() {
    let folder = folder();
    let (attempt, pipe) = begin(folder.path(), Duration::from_secs(3600)).await;
    tokio::time::pause();
    let answer = attempt.await.expect("no panic");
    assert_eq!(answer, Err("no end within 1h".to_owned()));
    tokio::time::resume();
    until_ended(pipe).await;
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_any_more_is_ended_with_all_that_it_began() {
    let folder = folder();
    let (attempt, pipe) = begin(folder.path(), LONG).await;
    attempt.abort();
    assert!(attempt.await.expect_err("aborted").is_cancelled());
    until_ended(pipe).await;
}

#[tokio::test]
async fn a_process_that_is_about_to_end_ends_its_commands() {
    let folder = folder();
    let commands = Commands::default();
    let with = |folder: &Path| Probes { commands: commands.clone(), ..probes_in(folder) };
    let (attempted, pipe) = begin_of(with(folder.path()), LONG).await;
    commands.end();
    until_ended(pipe).await;
    let killed = Err("killed by signal 9".to_owned());
    assert_eq!(attempted.await.expect("no panic"), killed);
    assert_eq!(attempt(&with(folder.path()), shell("sleep 1000"), LONG).await, killed);
}

#[tokio::test]
async fn waiting_for_a_turn_takes_nothing_from_the_time_of_an_attempt() {
    let folder = folder();
    let commands = Commands::bounded(1);
    let probes = Probes { commands: commands.clone(), ..probes_in(folder.path()) };
    let taken = commands.turn().await;
    tokio::time::pause();
    let waiting = tokio::spawn(async move { attempt(&probes, shell("exit 0"), LONG).await });
    tokio::time::sleep(LONG * 10).await;
    assert!(!waiting.is_finished());
    tokio::time::resume();
    drop(taken);
    assert_eq!(waiting.await.expect("no panic"), Ok(()));
}
