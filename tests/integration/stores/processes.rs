//! Locks and saves of processes that die. The other process is this test binary, run with the name of one test.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use powerform::fleet::StackName;
use powerform::state::{LocalStore, LockError, StateError, Store};

use super::{LocalPlace, Place, record, user};

const HOLDER: &str = "stores::processes::holds_a_lock_until_it_is_killed";
const WRITER: &str = "stores::processes::saves_where_files_may_not_grow";

/// Runs one test of this binary, and tells it where the state is.
fn run(mut command: Command, test: &str, place: &LocalPlace) -> Child {
    let mut child = command
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{}", place.path().display()).unwrap();
    child
}

/// What the other process was told; none if a person runs it by hand.
fn told() -> Option<LocalStore> {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).unwrap();
    let path = path.trim();
    (!path.is_empty()).then(|| LocalStore::new(path.as_ref(), StackName::new("web-shop").unwrap()))
}

#[tokio::test]
#[ignore = "a part of another test"]
async fn holds_a_lock_until_it_is_killed() {
    let Some(store) = told() else { return };
    let held = store.lock(&user(u128::from(std::process::id())), Duration::ZERO).await.unwrap();
    store.save(&record(1), &held).await.unwrap();
    println!("\nholding");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[tokio::test]
async fn a_killed_process_leaves_a_lock_that_is_taken_over_without_a_person() {
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    let mut child = run(Command::new(std::env::current_exe().unwrap()), HOLDER, &place);
    let other = user(u128::from(child.id()));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"), "the other process did not get its lock");

    assert_eq!(store.holder().await.unwrap(), Some(other.clone()));
    assert!(matches!(
        store.lock(&user(1), Duration::ZERO).await,
        Err(LockError::Held { holder: Some(holder), .. }) if *holder == other
    ));
    assert!(matches!(store.force_unlock(other.id).await, Err(LockError::HolderAlive { .. })));

    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(store.holder().await.unwrap(), None);
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    assert_eq!(held.took_over, Some(other));
    assert_eq!(store.load().await.unwrap(), Some(record(1)));
    store.save(&record(2), &held).await.unwrap();
    store.unlock(held).await.unwrap();
}

#[tokio::test]
#[ignore = "a part of another test"]
async fn saves_where_files_may_not_grow() {
    let Some(store) = told() else { return };
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    let mut large = record(2);
    let (key, instance) = large.instances.pop_first().unwrap();
    for number in 0..1000 {
        let id = powerform::fleet::InstanceId::new(&format!("i-{number}")).unwrap();
        let mut instance = instance.clone();
        instance.address.instance = Some(id.clone());
        large.instances.insert(powerform::fleet::InstanceKey { id, ..key.clone() }, instance);
    }
    let failed = store.save(&large, &held).await.unwrap_err();
    let shown = failed.to_string();
    assert!(matches!(failed, StateError::File(_)), "{shown}");
    assert!(shown.contains("the previous state is intact"), "{shown}");
    assert!(shown.contains("Make room there"), "{shown}");
    store.unlock(held).await.unwrap();
}

#[tokio::test]
async fn a_save_that_finds_no_room_leaves_the_previous_state_and_no_rubbish() {
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(1), &held).await.unwrap();
    store.unlock(held).await.unwrap();

    // A limit on the size of files stands in for a full disk: the write gets a part of the way there, too.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap());
    let status = run(limited, WRITER, &place).wait_with_output().unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
    assert!(String::from_utf8_lossy(&status.stdout).contains("1 passed"));

    assert_eq!(store.load().await.unwrap(), Some(record(1)));
    let left: Vec<_> = std::fs::read_dir(place.path().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.as_encoded_bytes().starts_with(b"."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
