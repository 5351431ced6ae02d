//! What every store must do, as one function per promise, and each function once per store.

use std::time::Duration;

use powerform::state::document::Refused;
use powerform::state::{LockError, StateError, Store};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::{LocalPlace, MemoryPlace, Place, record, user};

/// Time is paused: it goes on only while nothing works, so that no wait is real and none is too short.
macro_rules! every_store {
    ($($promise:ident),* $(,)?) => {
        mod local {
            $(#[tokio::test(start_paused = true)]
            async fn $promise() {
                super::$promise(super::LocalPlace::new()).await;
            })*
        }

        mod memory {
            $(#[tokio::test(start_paused = true)]
            async fn $promise() {
                super::$promise(super::MemoryPlace::new()).await;
            })*
        }
    };
}

every_store!(
    nothing_stored_is_a_first_run,
    what_is_saved_is_loaded,
    an_older_or_equal_serial_is_a_conflict,
    another_lineage_is_a_conflict,
    saving_what_is_stored_already_does_nothing,
    a_serial_that_was_not_raised_is_refused,
    the_record_of_another_stack_is_neither_loaded_nor_replaced,
    damaged_and_newer_records_are_refused_and_left_as_they_are,
    one_lock_excludes_the_other_and_tells_who_holds_it,
    a_lock_is_waited_for_until_it_is_free,
    a_lock_is_waited_for_no_longer_than_asked,
    a_lock_given_back_leaves_nothing_to_take_over,
    a_lock_left_behind_is_taken_over_with_a_word,
    nothing_is_saved_under_the_lock_of_another_place,
    a_lock_left_behind_is_removed_by_its_id_only,
    the_lock_of_one_who_works_is_not_removed,
    of_racing_writers_one_holds_the_lock_and_none_is_lost,
    a_save_given_up_does_not_undo_a_later_one,
    the_last_history_is_kept_beside_the_record_and_changes_nothing_of_it,
    no_history_is_kept_without_the_lock_or_over_something_else,
);

async fn nothing_stored_is_a_first_run(place: impl Place) {
    assert_eq!(place.open("web-shop").load().await.unwrap(), None);
    assert_eq!(place.open("web-shop").holder().await.unwrap(), None);
    assert_eq!(place.text(), None, "looking must not make anything");
}

/// What every history begins with, and something in it that tells it from others.
fn history(number: u32) -> Vec<u8> {
    format!("{{\"kind\":\"powerform-last-apply\",\"number\":{number}}}\n").into_bytes()
}

async fn the_last_history_is_kept_beside_the_record_and_changes_nothing_of_it(place: impl Place) {
    let store = place.open("web-shop");
    assert_eq!(store.history().await.unwrap(), None);
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(1), &held).await.unwrap();
    let text = place.text();
    for number in [1, 2] {
        store.keep_history(&history(number), &held).await.unwrap();
        assert_eq!(place.open("web-shop").history().await.unwrap(), Some(history(number)));
    }
    store.unlock(held).await.unwrap();
    assert_eq!(store.history().await.unwrap(), Some(history(2)), "it is read without the lock");
    assert_eq!(place.text(), text);
    assert_eq!(store.load().await.unwrap(), Some(record(1)));
}

async fn no_history_is_kept_without_the_lock_or_over_something_else(place: impl Place) {
    let store = place.open("web-shop");
    let elsewhere = MemoryPlace::new().open("web-shop").lock(&user(1), Duration::ZERO).await.unwrap();
    let refused = store.keep_history(&history(1), &elsewhere).await.unwrap_err();
    assert!(matches!(refused, StateError::LockLost { .. }), "{refused}");
    assert_eq!(store.history().await.unwrap(), None);

    let held = store.lock(&user(2), Duration::ZERO).await.unwrap();
    store.save(&record(1), &held).await.unwrap();
    for other in [b"notes of someone".as_slice(), &place.text().unwrap(), b"\xff\0"] {
        place.put_history(other);
        let refused = store.keep_history(&history(1), &held).await.unwrap_err();
        assert!(refused.to_string().contains("Move it away"), "{refused}");
        assert_eq!(store.history().await.unwrap().as_deref(), Some(other));
    }
    place.put_history(b"");
    store.keep_history(&history(1), &held).await.unwrap();
    assert_eq!(store.history().await.unwrap(), Some(history(1)));
    store.unlock(held).await.unwrap();
}

async fn what_is_saved_is_loaded(place: impl Place) {
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    for serial in [1, 2, 7] {
        store.save(&record(serial), &held).await.unwrap();
        assert_eq!(store.load().await.unwrap(), Some(record(serial)));
        assert_eq!(place.open("web-shop").load().await.unwrap(), Some(record(serial)));
    }
    store.unlock(held).await.unwrap();
    assert_eq!(store.load().await.unwrap(), Some(record(7)));
}

async fn an_older_or_equal_serial_is_a_conflict(place: impl Place) {
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(5), &held).await.unwrap();
    for serial in [1, 4, 5] {
        let mut offered = record(serial);
        offered.instances.clear();
        match store.save(&offered, &held).await {
            Err(StateError::Conflict { stored, offered, .. }) => {
                assert_eq!((stored.serial, offered.serial), (5, serial));
            }
            other => panic!("serial {serial}: {other:?}"),
        }
    }
    assert_eq!(store.load().await.unwrap(), Some(record(5)));
}

async fn another_lineage_is_a_conflict(place: impl Place) {
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(5), &held).await.unwrap();
    let mut offered = record(6);
    offered.lineage = Uuid::from_u128(0x2222);
    let refused = store.save(&offered, &held).await.unwrap_err();
    assert!(matches!(refused, StateError::Conflict { .. }), "{refused}");
    assert!(refused.to_string().contains("Nothing was written"), "{refused}");
    assert_eq!(store.load().await.unwrap(), Some(record(5)));
}

async fn saving_what_is_stored_already_does_nothing(place: impl Place) {
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(5), &held).await.unwrap();
    let text = place.text();
    store.save(&record(5), &held).await.unwrap();
    assert_eq!(place.text(), text);
}

async fn a_serial_that_was_not_raised_is_refused(place: impl Place) {
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    let refused = store.save(&record(0), &held).await.unwrap_err();
    assert!(matches!(refused, StateError::SerialNotRaised { .. }), "{refused}");
    assert_eq!(place.text(), None);
}

async fn the_record_of_another_stack_is_neither_loaded_nor_replaced(place: impl Place) {
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(1), &held).await.unwrap();
    store.unlock(held).await.unwrap();
    let text = place.text();

    let other = place.open("other");
    let held = other.lock(&user(2), Duration::ZERO).await.unwrap();
    let mut offered = record(2);
    let misplaced = other.save(&offered, &held).await.unwrap_err();
    assert!(matches!(misplaced, StateError::WrongStore { .. }), "{misplaced}");
    offered.stack = powerform::fleet::StackName::new("other").unwrap();
    for refused in [other.load().await.unwrap_err(), other.save(&offered, &held).await.unwrap_err()] {
        let named = matches!(refused, StateError::Refused { refused: Refused::OtherStack { .. }, .. });
        assert!(named, "{refused}");
    }
    assert_eq!(place.text(), text);
}

async fn damaged_and_newer_records_are_refused_and_left_as_they_are(place: impl Place) {
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    store.save(&record(1), &held).await.unwrap();
    let whole = place.text().unwrap();
    let torn = &whole[..whole.len() / 2];
    for (text, named) in [
        (torn, "ends in the middle"),
        (b"".as_slice(), "empty"),
        (b"\xff\xfe\0".as_slice(), "not JSON"),
        (b"{}".as_slice(), "format_version"),
        (br#"{"format_version": 2, "stack": "web-shop"}"#.as_slice(), "newer powerform"),
    ] {
        place.put(text);
        for refused in [store.load().await.unwrap_err(), store.save(&record(2), &held).await.unwrap_err()] {
            assert!(matches!(refused, StateError::Refused { .. }), "{refused}");
            let shown = refused.to_string();
            assert!(shown.contains(named), "{shown}");
            assert!(
                shown.contains("ove it away and run plan again: nothing but explanations is lost"),
                "{shown}"
            );
        }
        assert_eq!(place.text().as_deref(), Some(text));
    }
}

async fn one_lock_excludes_the_other_and_tells_who_holds_it(place: impl Place) {
    let (one, two) = (place.open("web-shop"), place.open("web-shop"));
    let held = one.lock(&user(1), Duration::ZERO).await.unwrap();
    assert_eq!((&held.info, &held.took_over), (&user(1), &None));
    for store in [&one, &two] {
        assert_eq!(store.holder().await.unwrap(), Some(user(1)));
        match store.lock(&user(2), Duration::ZERO).await {
            Err(error @ LockError::Held { .. }) => {
                let shown = error.to_string();
                assert!(shown.contains("user1@example") && shown.contains("--lock-timeout"), "{shown}");
            }
            other => panic!("{other:?}"),
        }
    }
    one.unlock(held).await.unwrap();
    assert_eq!(two.holder().await.unwrap(), None);
    let held = two.lock(&user(2), Duration::ZERO).await.unwrap();
    assert_eq!(one.holder().await.unwrap(), Some(user(2)));
    two.unlock(held).await.unwrap();
}

async fn a_lock_is_waited_for_until_it_is_free(place: impl Place) {
    let (one, two) = (place.open("web-shop"), place.open("web-shop"));
    let held = one.lock(&user(1), Duration::ZERO).await.unwrap();
    let began = Instant::now();
    let waiting = tokio::spawn(async move { two.lock(&user(2), Duration::MAX).await });
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert!(!waiting.is_finished());
    one.unlock(held).await.unwrap();
    let held = waiting.await.unwrap().unwrap();
    assert_eq!((held.info, &held.took_over), (user(2), &None));
    // A try may fall just before the unlocking, and timers round up.
    assert!(began.elapsed() <= Duration::from_millis(90_500), "tried about four times a second");
}

async fn a_lock_is_waited_for_no_longer_than_asked(place: impl Place) {
    let (one, two) = (place.open("web-shop"), place.open("web-shop"));
    let held = one.lock(&user(1), Duration::ZERO).await.unwrap();
    for (timeout, waited) in [(0, 100), (30, 100), (700, 700), (5_000, 5_000)] {
        let began = Instant::now();
        let refused = two.lock(&user(2), Duration::from_millis(timeout)).await.unwrap_err();
        assert!(matches!(refused, LockError::Held { holder: Some(holder), .. } if *holder == user(1)));
        let waited = Duration::from_millis(waited);
        assert!(
            (waited..waited + Duration::from_millis(20)).contains(&began.elapsed()),
            "{:?}",
            began.elapsed()
        );
    }
    one.unlock(held).await.unwrap();
}

async fn a_lock_given_back_leaves_nothing_to_take_over(place: impl Place) {
    let store = place.open("web-shop");
    for number in 1..4 {
        let held = store.lock(&user(number), Duration::ZERO).await.unwrap();
        assert_eq!(held.took_over, None);
        store.unlock(held).await.unwrap();
        let refused = store.force_unlock(user(number).id).await.unwrap_err();
        assert!(matches!(refused, LockError::NotLocked { .. }), "{refused}");
    }
}

async fn a_lock_left_behind_is_taken_over_with_a_word(place: impl Place) {
    let (one, two) = (place.open("web-shop"), place.open("web-shop"));
    drop(one.lock(&user(1), Duration::ZERO).await.unwrap());
    assert_eq!(two.holder().await.unwrap(), None, "nobody works under it");
    assert_eq!(two.left_behind().await.unwrap(), Some(user(1)));
    let held = two.lock(&user(2), Duration::ZERO).await.unwrap();
    assert_eq!(one.left_behind().await.unwrap(), None, "it is held");
    assert_eq!(held.took_over, Some(user(1)));
    two.save(&record(1), &held).await.unwrap();
    two.unlock(held).await.unwrap();
    assert_eq!(one.left_behind().await.unwrap(), None);
    assert_eq!(one.lock(&user(3), Duration::ZERO).await.unwrap().took_over, None);
}

async fn nothing_is_saved_under_the_lock_of_another_place(place: impl Place) {
    let (memory, local) = (MemoryPlace::new(), LocalPlace::new());
    let store = place.open("web-shop");
    let of_memory = memory.open("web-shop").lock(&user(1), Duration::ZERO).await.unwrap();
    let of_local = local.open("web-shop").lock(&user(1), Duration::ZERO).await.unwrap();
    for (held, unlocked) in [
        (of_memory, memory.open("web-shop").holder().await),
        (of_local, local.open("web-shop").holder().await),
    ] {
        assert_eq!(unlocked.unwrap(), Some(user(1)));
        let refused = store.save(&record(1), &held).await.unwrap_err();
        assert!(matches!(refused, StateError::LockLost { .. }), "{refused}");
        let refused = store.unlock(held).await.unwrap_err();
        assert!(matches!(refused, LockError::Lost { .. }), "{refused}");
    }
    assert_eq!(place.text(), None);
}

async fn a_lock_left_behind_is_removed_by_its_id_only(place: impl Place) {
    let store = place.open("web-shop");
    let refused = store.force_unlock(user(1).id).await.unwrap_err();
    assert!(matches!(refused, LockError::NotLocked { .. }), "{refused}");
    drop(store.lock(&user(1), Duration::ZERO).await.unwrap());
    match store.force_unlock(user(9).id).await {
        Err(error @ LockError::WrongId { given, .. }) => {
            assert_eq!(given, user(9).id);
            assert!(error.to_string().contains(&user(1).to_string()), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.force_unlock(user(1).id).await.unwrap(), user(1));
    let refused = store.force_unlock(user(1).id).await.unwrap_err();
    assert!(matches!(refused, LockError::NotLocked { .. }), "{refused}");
    assert_eq!(store.lock(&user(2), Duration::ZERO).await.unwrap().took_over, None);
}

async fn the_lock_of_one_who_works_is_not_removed(place: impl Place) {
    let (one, two) = (place.open("web-shop"), place.open("web-shop"));
    let held = one.lock(&user(1), Duration::ZERO).await.unwrap();
    let refused = two.force_unlock(user(1).id).await.unwrap_err();
    assert!(matches!(refused, LockError::HolderAlive { .. }), "{refused}");
    assert!(refused.to_string().contains("process 4711"), "{refused}");
    assert!(refused.to_string().contains("Interrupt that process"), "{refused}");
    let refused = two.force_unlock(user(9).id).await.unwrap_err();
    assert!(matches!(refused, LockError::WrongId { .. }), "{refused}");
    one.save(&record(1), &held).await.unwrap();
    one.unlock(held).await.unwrap();
}

async fn of_racing_writers_one_holds_the_lock_and_none_is_lost(place: impl Place) {
    const ROUNDS: u64 = 20;
    const WRITERS: u128 = 16;
    for round in 1..=ROUNDS {
        let mut racing = JoinSet::new();
        for number in 0..WRITERS {
            let store = place.open("web-shop");
            racing.spawn(async move { store.lock(&user(number), Duration::ZERO).await });
        }
        let mut winners = Vec::new();
        while let Some(raced) = racing.join_next().await {
            match raced.unwrap() {
                Ok(held) => winners.push(held),
                Err(LockError::Held { holder, .. }) => assert!(holder.is_some(), "round {round}"),
                Err(other) => panic!("round {round}: {other}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let held = winners.remove(0);
        let store = place.open("web-shop");
        assert_eq!(store.holder().await.unwrap().as_ref(), Some(&held.info));
        let serial = store.load().await.unwrap().map_or(0, |record| record.serial);
        assert_eq!(serial, round - 1);
        store.save(&record(serial + 1), &held).await.unwrap();
        store.unlock(held).await.unwrap();
    }
}

async fn a_save_given_up_does_not_undo_a_later_one(place: impl Place) {
    let store = place.open("web-shop");
    let held = store.lock(&user(1), Duration::ZERO).await.unwrap();
    for serial in 1..50 {
        // Polled once, so that it is under way, and dropped.
        let (earlier, later) = (record(serial * 2), record(serial * 2 + 1));
        let mut given_up = std::pin::pin!(store.save(&earlier, &held));
        let once = std::future::poll_fn(|context| {
            std::task::Poll::Ready(given_up.as_mut().poll(context).is_ready())
        });
        once.await;
        given_up.set(store.save(&later, &held));
        given_up.await.unwrap();
        assert_eq!(store.load().await.unwrap().unwrap().serial, serial * 2 + 1);
    }
    store.unlock(held).await.unwrap();
    assert_eq!(store.load().await.unwrap(), Some(record(99)));
    assert_eq!(store.holder().await.unwrap(), None);
}
