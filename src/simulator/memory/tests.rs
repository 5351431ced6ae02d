use std::fs;
use std::io::Write as _;

use tempfile::TempDir;

use super::*;

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn line(second: i64) -> LogLine {
    LogLine { at: time(second), event: LogEvent::Unlock { instance: format!("i-{second}") } }
}

fn memory(folder: &TempDir) -> Memory {
    Memory::new(folder.path().join("deep/er/cloud.json"), "digest".to_owned())
}

fn write(memory: &mut Memory, lines: &[LogLine]) {
    memory.enter(time(0)).unwrap().0.append(lines).unwrap();
}

fn news(memory: &mut Memory) -> News {
    memory.enter(time(0)).unwrap().1
}

#[test]
fn the_file_is_made_with_its_folders_and_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut memory = memory(&folder);
    let first = memory.enter(time(5)).unwrap().1;
    assert_eq!((first.begun, first.lines.len()), (Some(time(5)), 0));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(memory.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn each_reads_what_the_others_wrote_and_not_what_it_wrote_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (memory(&folder), memory(&folder));
    write(&mut one, &[line(1)]);
    let first = news(&mut other);
    assert_eq!((first.begun.is_some(), first.lines), (true, vec![line(1)]));
    write(&mut other, &[line(2), line(3)]);
    let second = news(&mut one);
    assert_eq!((second.begun, second.lines), (None, vec![line(2), line(3)]));
    assert!(news(&mut one).lines.is_empty());
    assert!(news(&mut other).lines.is_empty());
}

#[test]
fn a_torn_line_is_ignored_and_cut_by_the_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut memory = memory(&folder);
    write(&mut memory, &[line(1)]);
    let mut file = fs::OpenOptions::new().append(true).open(memory.path()).unwrap();
    file.write_all(br#"{"at":"2027-01-15T08:00:02Z","event":{"kind":"unl"#).unwrap();
    assert!(news(&mut memory).lines.is_empty());
    write(&mut memory, &[line(3)]);
    let text = fs::read_to_string(memory.path()).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(!text.contains("\"unl\""));
    let mut fresh = super::tests::memory(&folder);
    assert_eq!(news(&mut fresh).lines, [line(1), line(3)]);
}

#[test]
fn a_changed_account_file_begins_anew_and_stops_those_that_know_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = memory(&folder);
    write(&mut old, &[line(1)]);
    let mut new = Memory::new(old.path().to_owned(), "another digest".to_owned());
    assert!(matches!(new.enter(time(9)), Err(MemoryError::AccountChanged)), "only beginning replaces a file");
    new.begin(time(9)).unwrap();
    let first = news(&mut new);
    assert_eq!((first.begun, first.lines.len()), (Some(time(9)), 0));
    assert!(matches!(old.enter(time(9)), Err(MemoryError::AccountChanged)));
    new.begin(time(20)).unwrap();
    assert_eq!(news(&mut new).begun, None, "the same account file goes on where it was");
}

#[test]
fn a_file_that_was_deleted_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut memory = memory(&folder);
    write(&mut memory, &[line(1)]);
    fs::remove_file(memory.path()).unwrap();
    let after = memory.enter(time(7)).unwrap().1;
    assert_eq!((after.begun, after.lines.len()), (Some(time(7)), 0));
}

#[test]
fn a_file_that_is_no_log_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["{\"format_version\":1,\"lineage\":\"x\"}", "{\n  \"lineage\": 1\n}\n", "hello\n", "\0\0\0"]
    {
        let path = folder.path().join("state.json");
        fs::write(&path, text).unwrap();
        let mut memory = Memory::new(path.clone(), "digest".to_owned());
        assert!(matches!(memory.begin(time(0)), Err(MemoryError::Damaged(1))), "{text}");
        assert!(matches!(memory.enter(time(0)), Err(MemoryError::Damaged(1))), "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let path = folder.path().join("empty.json");
    fs::write(&path, "").unwrap();
    assert!(Memory::new(path, "digest".to_owned()).begin(time(0)).is_ok(), "an empty file is nobody's");
}

#[test]
fn a_damaged_line_and_a_later_format_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut memory = memory(&folder);
    write(&mut memory, &[line(1)]);
    let good = fs::read_to_string(memory.path()).unwrap();
    fs::write(memory.path(), format!("{good}nonsense\n{good}")).unwrap();
    let mut fresh = super::tests::memory(&folder);
    assert!(matches!(fresh.enter(time(0)), Err(MemoryError::Damaged(3))));
    fs::write(memory.path(), good.replace("\"format_version\":1", "\"format_version\":2")).unwrap();
    assert!(matches!(fresh.enter(time(0)), Err(MemoryError::Newer(2))));
}

#[test]
fn a_large_log_is_begun_anew_with_a_snapshot_and_others_notice() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (memory(&folder), memory(&folder));
    one.largest = 2_000;
    write(&mut other, &[line(1)]);
    for second in 2..40 {
        write(&mut one, &[line(second)]);
    }
    let (session, _) = one.enter(time(50)).unwrap();
    assert!(session.is_large());
    let snapshot = Snapshot { scheduled: 7, ..Snapshot::default() };
    session.compact(time(50), snapshot.clone()).unwrap();
    let expected = LogLine { at: time(50), event: LogEvent::Snapshot(snapshot) };
    for memory in [&mut one, &mut other] {
        let news = news(memory);
        assert_eq!(news.begun, Some(time(0)), "it began when it began");
        assert_eq!(news.lines, std::slice::from_ref(&expected));
    }
    write(&mut other, &[line(51)]);
    assert_eq!(news(&mut one).lines, [line(51)]);
}

#[test]
fn many_writers_lose_nothing_though_the_log_is_begun_anew_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let written = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4_i64)
            .map(|writer| {
                let mut memory = memory(&folder);
                scope.spawn(move || {
                    for number in 0..50 {
                        let (mut session, _) = memory.enter(time(0)).unwrap();
                        session.append(&[line(writer * 1000 + number)]).unwrap();
                    }
                    50_usize
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum::<usize>()
    });
    let mut fresh = memory(&folder);
    assert_eq!(news(&mut fresh).lines.len(), written);

    // Each counts in a snapshot; every count is taken from the one before.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut memory = memory(&folder);
            scope.spawn(move || {
                let mut counted = 0;
                for _ in 0..25 {
                    let (session, news) = memory.enter(time(0)).unwrap();
                    for line in news.lines {
                        if let LogEvent::Snapshot(snapshot) = line.event {
                            counted = snapshot.scheduled;
                        }
                    }
                    counted += 1;
                    session.compact(time(1), Snapshot { scheduled: counted, ..Snapshot::default() }).unwrap();
                }
            });
        }
    });
    let last = news(&mut fresh).lines;
    assert!(
        matches!(&last[..], [LogLine { event: LogEvent::Snapshot(it), .. }] if it.scheduled == 100),
        "{last:?}"
    );
}
