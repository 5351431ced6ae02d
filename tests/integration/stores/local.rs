//! What only files can get wrong.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use powerform::fleet::StackName;
use powerform::state::{Backend, LocalStore, LockError, StateError, Store};

use super::{LocalPlace, Place, record, user};

async fn save(store: &LocalStore, serial: u64) -> Result<(), StateError> {
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    let saved = store.save(&record(serial), &held).await;
    store.unlock(held).await.unwrap();
    saved
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn missing_folders_are_made_and_nobody_else_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one/two/web-shop.json");
    let store = Backend::local(&path, StackName::new("web-shop").unwrap());
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(1), &held).await.unwrap();
    assert_eq!(store.load().await.unwrap(), Some(record(1)));
    assert_eq!(names(path.parent().unwrap()), ["web-shop.json", "web-shop.json.lock"]);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("json.lock")), 0o600);
    store.unlock(held).await.unwrap();
}

#[tokio::test]
async fn trying_to_write_tells_what_the_first_save_would_meet_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let stack = || StackName::new("web-shop").unwrap();
    let missing = Backend::local(&folder.path().join("one/two/web-shop.json"), stack());
    missing.try_writing().await.unwrap();
    assert_eq!(names(folder.path()), [""; 0]);

    fs::write(folder.path().join("file"), "").unwrap();
    let below_a_file = Backend::local(&folder.path().join("file/web-shop.json"), stack());
    let error = below_a_file.try_writing().await.unwrap_err().to_string();
    assert!(error.contains("backend.local.path"), "{error}");

    fs::create_dir(folder.path().join("web-shop.json.lock")).unwrap();
    let lock_is_a_folder = Backend::local(&folder.path().join("web-shop.json"), stack());
    let error = lock_is_a_folder.try_writing().await.unwrap_err().to_string();
    assert!(error.contains("cannot lock the state with"), "{error}");
    assert_eq!(names(folder.path()), ["file", "web-shop.json.lock"]);

    // Someone else's lock does not keep anybody from trying, and is not disturbed.
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    place.open("web-shop").try_writing().await.unwrap();
    assert_eq!(store.holder().await.unwrap(), Some(user(1)));
    store.save(&record(1), &held).await.unwrap();
    store.unlock(held).await.unwrap();
}

#[tokio::test]
async fn a_record_that_others_could_read_is_closed_to_them_by_the_next_save() {
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    save(&store, 1).await.unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    save(&store, 2).await.unwrap();
    assert_eq!(mode(&place.path()), 0o600);
}

#[tokio::test]
async fn a_linked_record_stays_a_link_and_is_locked_where_it_is() {
    let place = LocalPlace::new();
    let direct = place.open("web-shop");
    let elsewhere = tempfile::tempdir().unwrap();
    let (first, second) = (elsewhere.path().join("first.json"), elsewhere.path().join("second.json"));
    symlink(place.path(), &second).unwrap();
    symlink("second.json", &first).unwrap();
    let linked = LocalStore::new(&first, StackName::new("web-shop").unwrap());

    // The first save through the link finds no target yet.
    save(&linked, 1).await.unwrap();
    save(&linked, 2).await.unwrap();
    assert!(first.is_symlink() && second.is_symlink());
    assert_eq!(direct.load().await.unwrap(), Some(record(2)));
    assert_eq!(names(elsewhere.path()), ["first.json", "second.json"]);

    let held = linked.lock(&user(1), Duration::ZERO).await.unwrap();
    assert!(matches!(direct.lock(&user(2), Duration::ZERO).await, Err(LockError::Held { .. })));
    linked.unlock(held).await.unwrap();
}

#[tokio::test]
async fn links_in_a_circle_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    symlink(&one, &two).unwrap();
    symlink(&two, &one).unwrap();
    let store = LocalStore::new(&one, StackName::new("web-shop").unwrap());
    let refused = store.load().await.unwrap_err().to_string();
    assert!(refused.contains("links lead in a circle"), "{refused}");
}

#[tokio::test]
async fn what_crashed_saves_left_is_removed_and_nothing_else() {
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    save(&store, 1).await.unwrap();
    let folder = place.path().parent().unwrap().to_owned();
    for name in [
        ".web-shop.json.aB3aB3aB3aB3.powerform-tmp",
        ".other.json.aB3aB3aB3aB3.powerform-tmp",
        ".web-shop.json.mine",
    ] {
        fs::write(folder.join(name), "x").unwrap();
    }
    save(&store, 2).await.unwrap();
    assert_eq!(
        names(&folder),
        [
            ".other.json.aB3aB3aB3aB3.powerform-tmp",
            ".web-shop.json.mine",
            "web-shop.json",
            "web-shop.json.lock"
        ]
    );
}

#[tokio::test]
async fn a_folder_a_pipe_and_a_file_for_a_folder_are_clear_errors() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.json");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::create_dir(folder.path().join("folder.json")).unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    for (name, told) in [
        ("folder.json", "is a directory"),
        ("pipe.json", "a device or a pipe"),
        ("file/web-shop.json", "Name a file as backend.local.path"),
        ("..", "names no file"),
    ] {
        let store = LocalStore::new(&folder.path().join(name), StackName::new("web-shop").unwrap());
        let refused = store.load().await.unwrap_err().to_string();
        assert!(refused.contains(told) && refused.contains(name), "{refused}");
        assert!(refused.contains("backend.local.path"), "{refused}");
        let Ok(held) = store.lock(&user(1), Duration::ZERO).await else { continue };
        assert!(matches!(store.save(&record(1), &held).await, Err(StateError::File(_))), "{name}");
    }
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"x");
}

#[tokio::test]
async fn a_lock_file_that_is_a_pipe_or_full_of_rubbish_blocks_nobody() {
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    save(&store, 1).await.unwrap();
    let lock = place.path().with_extension("json.lock");
    for rubbish in [vec![0xff; 1_000_000], b"{\"id\": \"".to_vec(), b"{}".to_vec()] {
        fs::write(&lock, rubbish).unwrap();
        assert_eq!(store.holder().await.unwrap(), None);
        assert!(matches!(store.force_unlock(user(1).id).await, Err(LockError::NotLocked { .. })));
        let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
        assert_eq!(held.took_over, None);
        assert_eq!(store.holder().await.unwrap(), Some(user(1)));
        store.unlock(held).await.unwrap();
    }
    fs::remove_file(&lock).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
    assert!(matches!(store.holder().await, Err(LockError::File(_))));
    assert!(matches!(store.lock(&user(1), Duration::ZERO).await, Err(LockError::File(_))));
}

#[tokio::test]
async fn a_lock_whose_file_was_removed_saves_nothing_more() {
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(1), &held).await.unwrap();
    fs::remove_file(place.path().with_extension("json.lock")).unwrap();
    let lost = store.save(&record(2), &held).await.unwrap_err();
    assert!(matches!(lost, StateError::LockLost { .. }), "{lost}");
    let other = store.lock(&user(2), Duration::ZERO).await.unwrap();
    let lost = store.save(&record(2), &held).await.unwrap_err();
    assert!(matches!(lost, StateError::LockLost { .. }), "{lost}");
    assert!(matches!(store.unlock(held).await, Err(LockError::Lost { .. })));
    assert_eq!(store.holder().await.unwrap(), Some(user(2)));
    store.save(&record(2), &other).await.unwrap();
    store.unlock(other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_only_look_do_not_lock_anyone_out() {
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    let looking = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                // While the lock changes hands, its holder may not have said yet who it is.
                let _ = store.holder().await;
            }
        }
    });
    for number in 0..200 {
        let held = store.lock(&user(number), Duration::ZERO).await.unwrap();
        assert_eq!(held.took_over.map(|left| left.id), number.checked_sub(1).map(|left| user(left).id));
    }
    looking.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_look_at_once_do_not_take_each_other_for_a_holder() {
    let place = LocalPlace::new();
    let store = place.open("web-shop");
    drop(store.lock(&user(1), Duration::ZERO).await.unwrap());
    let mut looking = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        looking.spawn(async move {
            for _ in 0..200 {
                assert_eq!(store.holder().await.unwrap(), None);
            }
        });
    }
    while let Some(looked) = looking.join_next().await {
        looked.unwrap();
    }
}
