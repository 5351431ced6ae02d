mod estimate;

use std::io;
use std::sync::{Arc, Mutex};

use super::*;
use unicode_width::UnicodeWidthStr as _;

use crate::cloud::Refusal;
use crate::execute::{Action, EventKind, Failure, How};
use crate::fleet::{Goal, Power, StoppedMode, Strength};
use crate::plan::Verdict;
use crate::render::fixtures::{self, assert_harmless, at, began, completed, failed};
use crate::render::words;

/// Bytes that a test can read while someone else writes them.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }

    fn take(&self) -> String {
        let text = self.text();
        self.0.lock().expect("no panic").clear();
        text
    }
}

/// A terminal that shows what was written to it, and that can be resized.
#[derive(Clone)]
struct Glass(Arc<Mutex<vt100::Parser>>);

impl Write for Glass {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").process(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Glass {
    fn new(columns: u16, rows: u16) -> Self {
        Self(Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0))))
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.0.lock().expect("no panic").screen_mut().set_size(rows, columns);
    }

    /// What someone else writes.
    fn print(&mut self, text: &str) {
        let _ = self.write(text.as_bytes());
    }

    fn shown(&self) -> Vec<String> {
        let parser = self.0.lock().expect("no panic");
        parser.screen().contents().lines().map(|row| row.trim_end().to_owned()).collect()
    }
}

fn on_paper(plan: &Plan, style: Style) -> (Progress, Paper) {
    let paper = Paper::default();
    (Progress::new(Screen::Lines(Box::new(paper.clone())), plan, None, style), paper)
}

fn on_glass_of(columns: u16, rows: u16, plan: &Plan) -> (Progress, Glass) {
    let glass = Glass::new(columns, rows);
    let asked = glass.clone();
    let size = Box::new(move || {
        let (rows, columns) = asked.0.lock().expect("no panic").screen().size();
        Size { columns: columns.into(), rows: rows.into() }
    });
    let terminal = Terminal { out: Box::new(glass.clone()), size };
    (Progress::new(Screen::Terminal(terminal), plan, None, Style::plain()), glass)
}

fn on_glass(plan: &Plan) -> (Progress, Glass) {
    on_glass_of(100, 24, plan)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Starts of `a00`, `a01`, ...
fn starts(number: usize) -> Plan {
    let start = |n| fixtures::change(&format!("a{n:02}"), Power::Stopped, Goal::Running, fixtures::start());
    fixtures::plan((0..number).map(start).collect(), &[])
}

#[test]
fn without_a_terminal_each_beginning_and_each_end_is_a_line() {
    let plan = fixtures::web_shop();
    let (mut progress, paper) = on_paper(&plan, Style::plain());
    let (db, app) = (fixtures::address("db"), fixtures::address("app[i-bp1app000000000001]"));
    for event in [
        began(0, 0, Action::Start),
        at(10, EventKind::Accepted { change: 0, action: Action::Start, request_id: None }),
        at(900, EventKind::Moved { change: 0, power: Some(Power::Starting) }),
        completed(4_100, 0, Action::Start, How::Called, Power::Running),
        began(4_100, 2, Action::Start),
        failed(5_000, 2, Action::Start, Failure::Refused(fixtures::expired())),
        at(5_000, EventKind::Skipped { change: 4, action: Action::Start, because: app, root: db }),
        began(5_000, 5, Action::Stop),
        at(6_000, EventKind::NotReached { change: 5, action: Action::Stop, in_transition: true }),
    ] {
        progress.hear(&event);
    }
    progress.finish();
    assert_eq!(
        paper.text(),
        "\
db: starting... (i-bp1db0000000000001)
db: Running after 4.1s [request 0C2DB2B2]
app[i-bp1app000000000001]: starting...
app[i-bp1app000000000001]: failed after 5s: ECS refused the start: InstanceExpired: The specified instance has \
expired (request 0C2DB2B2-1D5C-4F5F-8C3A-1B2C3D4E5F60): renew it: console > Expenses > Renewal Management
edge: skipped: not tried because of app[i-bp1app000000000001], which was held up by db
batch: stopping... (i-bp1batch0000000000001)
batch: it is on its way as far as is known, but its arrival was not awaited
"
    );
}

#[test]
fn the_ways_to_arrive_are_told_apart() {
    let plan = fixtures::web_shop();
    let (mut progress, paper) = on_paper(&plan, Style::plain());
    progress.hear(&completed(2_000, 0, Action::Wait, How::Arrived, Power::Running));
    progress.hear(&completed(0, 2, Action::Start, How::AlreadyThere, Power::Running));
    let mut event = completed(3_000, 5, Action::Stop, How::Called, Power::Stopped);
    if let EventKind::Completed { stopped_mode, .. } = &mut event.kind {
        *stopped_mode = Some(StoppedMode::KeepCharging);
    }
    progress.hear(&event);
    assert_eq!(
        paper.text(),
        "db: Running after 2s, without a call [request 0C2DB2B2]\n\
         app[i-bp1app000000000001]: Running already [request 0C2DB2B2]\n\
         batch: Stopped after 3s [request 0C2DB2B2]; stopped, but still charging: ECS kept its resources\n"
    );
}

#[test]
fn every_ten_seconds_a_line_tells_what_is_still_in_transition() {
    let plan = fixtures::web_shop();
    let (mut progress, paper) = on_paper(&plan, Style::plain());
    progress.hear(&began(0, 0, Action::Start));
    progress.hear(&began(8_000, 5, Action::Stop));
    paper.take();
    for (at, told) in [
        (9, ""),
        (10, "db: Still starting... [10s elapsed]\n"),
        (19, ""),
        (20, "db: Still starting... [20s elapsed]\nbatch: Still stopping... [12s elapsed]\n"),
        (45, "db: Still starting... [45s elapsed]\nbatch: Still stopping... [37s elapsed]\n"),
        (54, ""),
    ] {
        progress.tick(seconds(at));
        assert_eq!(paper.take(), told, "at {at} s");
    }
}

#[test]
fn what_has_vanished_is_not_said_to_be_as_it_was_seen_last() {
    let plan = fixtures::web_shop();
    let (mut progress, paper) = on_paper(&plan, Style::plain());
    progress.hear(&began(0, 0, Action::Start));
    progress.hear(&at(900, EventKind::Moved { change: 0, power: Some(Power::Starting) }));
    progress.hear(&at(1_900, EventKind::Moved { change: 0, power: None }));
    paper.take();
    progress.tick(seconds(10));
    assert_eq!(paper.take(), "db: Still starting... [10s elapsed] not visible\n");
}

#[test]
fn many_in_transition_are_counted_after_the_first_ten() {
    let plan = starts(40);
    let (mut progress, paper) = on_paper(&plan, Style::plain());
    for change in 0..40 {
        progress.hear(&began(0, change, Action::Start));
    }
    paper.take();
    progress.tick(seconds(10));
    let told = paper.take();
    assert_eq!(told.lines().count(), 11);
    assert!(
        told.ends_with("a09: Still starting... [10s elapsed]\nand 30 more are still in transition\n"),
        "{told}"
    );
}

#[test]
fn colour_marks_how_it_went() {
    let plan = fixtures::web_shop();
    let (mut progress, paper) = on_paper(&plan, Style::coloured());
    progress.hear(&completed(4_100, 0, Action::Start, How::Called, Power::Running));
    assert_eq!(paper.text(), "\u{1b}[32mdb: Running after 4.1s [request 0C2DB2B2]\u{1b}[0m\n");
}

#[test]
fn on_a_terminal_the_list_keeps_its_place_and_what_ended_scrolls_up() {
    let mut plan = fixtures::web_shop();
    plan.changes[0].expected = Some(seconds(40));
    let (mut progress, glass) = on_glass(&plan);
    progress.hear(&began(0, 0, Action::Start));
    progress.tick(seconds(1));
    assert_eq!(
        glass.shown(),
        [
            "[                        ] 0 of 4 done, 1 in transition, 3 waiting, 0 failed; 1s of at least 41s",
            "  db  starting, 1s of about 40s, waits for ECS to take the call",
        ]
    );
    progress.hear(&at(1_500, EventKind::Accepted { change: 0, action: Action::Start, request_id: None }));
    progress.hear(&at(2_000, EventKind::Moved { change: 0, power: Some(Power::Starting) }));
    progress.hear(&began(2_000, 5, Action::Stop));
    progress.tick(seconds(3));
    assert_eq!(
        glass.shown(),
        [
            "[                        ] 0 of 4 done, 2 in transition, 2 waiting, 0 failed; 3s of at least 41s",
            "  db     Starting, 3s of about 41s",
            "  batch  stopping, 1s, waits for ECS to take the call",
        ]
    );
    progress.hear(&completed(4_100, 0, Action::Start, How::Called, Power::Running));
    progress.tick(seconds(5));
    assert_eq!(
        glass.shown(),
        [
            "db: Running after 4.1s [request 0C2DB2B2]",
            "[====>                  ] 1 of 4 done, 1 in transition, 2 waiting, 0 failed; 5s of an unknown time",
            "  batch  stopping, 3s, waits for ECS to take the call",
        ]
    );
    progress.finish();
    assert_eq!(glass.shown(), ["db: Running after 4.1s [request 0C2DB2B2]"]);
}

#[test]
fn what_a_terminal_echoes_for_an_interruption_leaves_nothing_of_the_display_behind() {
    for columns in [20, 40, 80] {
        let plan = fixtures::web_shop();
        let (mut progress, mut glass) = on_glass_of(columns, 24, &plan);
        progress.hear(&began(0, 0, Action::Start));
        progress.hear(&began(0, 5, Action::Stop));
        progress.tick(seconds(1));
        let lines = glass.shown().len();
        glass.print("^C");
        assert_eq!(glass.shown().len(), lines, "it stands in the last line: {:#?}", glass.shown());
        let left = EventKind::NotReached { change: 0, action: Action::Start, in_transition: true };
        progress.hear(&at(1_500, left));
        progress.finish();
        let told = format!("db: {}", words::left_over(true).what);
        assert_eq!(glass.shown().concat().replace(' ', ""), told.replace(' ', ""));
    }
}

#[test]
fn the_display_makes_room_for_what_else_is_written() {
    let plan = fixtures::web_shop();
    let (mut progress, glass) = on_glass(&plan);
    progress.hear(&began(0, 0, Action::Start));
    progress.tick(seconds(1));
    let mut other = glass.clone();
    progress.aside(move || other.print("error: the disk is full\r\n"));
    progress.tick(seconds(2));
    let shown = glass.shown();
    assert_eq!(shown.len(), 3, "{shown:#?}");
    assert_eq!(shown[0], "error: the disk is full");
    assert!(shown[1].ends_with("0 of 4 done, 1 in transition, 3 waiting, 0 failed; 2s of an unknown time"));
    assert_eq!(shown[2], "  db  starting, 2s, waits for ECS to take the call");
}

#[test]
fn after_a_suspension_the_display_begins_anew_below_what_the_shell_has_written() {
    let plan = fixtures::web_shop();
    let (mut progress, mut glass) = on_glass(&plan);
    progress.hear(&began(0, 0, Action::Start));
    progress.tick(seconds(1));
    glass.print("^Z\r\n[1]+  Stopped\r\n$ fg\r\npowerform apply\r\n");
    progress.resumed();
    progress.tick(seconds(9));
    let shown = glass.shown();
    assert_eq!(shown[2..5], ["[1]+  Stopped", "$ fg", "powerform apply"]);
    assert_eq!(shown[6], "  db  starting, 9s, waits for ECS to take the call");
    progress.finish();
    assert_eq!(glass.shown().last().map(String::as_str), Some("powerform apply"));
}

#[test]
fn after_a_resize_the_display_fits_the_window_again() {
    let plan = starts(40);
    let (mut progress, glass) = on_glass_of(100, 24, &plan);
    for change in 0..40 {
        progress.hear(&began(0, change, Action::Start));
    }
    progress.tick(seconds(1));
    for (columns, rows, lines) in [(100, 6, 5), (120, 24, 10), (100, 2, 1), (100, 24, 10)] {
        glass.resize(columns, rows);
        progress.tick(seconds(1));
        progress.tick(seconds(2));
        let shown = glass.shown();
        // What has left the window at its upper edge is out of reach.
        let frame: Vec<&String> = shown.iter().rev().take(lines).rev().collect();
        assert!(frame[0].contains("0 of 40 done"), "{columns} x {rows}: {shown:#?}");
        assert_eq!(frame.len(), lines, "{columns} x {rows}: {shown:#?}");
    }
}

#[test]
fn lines_that_a_narrower_window_has_broken_in_two_are_cleared_with_both_their_rows() {
    let plan = fixtures::web_shop();
    let written = Paper::default();
    let columns = Arc::new(Mutex::new(80));
    let asked = Arc::clone(&columns);
    let size = Box::new(move || Size { columns: *asked.lock().expect("no panic"), rows: 24 });
    let terminal = Terminal { out: Box::new(written.clone()), size };
    let mut progress = Progress::new(Screen::Terminal(terminal), &plan, None, Style::plain());
    progress.hear(&began(0, 0, Action::Start));
    progress.hear(&began(0, 5, Action::Stop));
    progress.tick(seconds(1));
    written.take();
    let drawn = frame(&progress.board, 80, 24);
    let rows: usize = drawn.iter().map(|line| line.width().div_ceil(20)).sum();
    assert!(rows > drawn.len(), "{drawn:#?}");
    *columns.lock().expect("no panic") = 20;
    progress.tick(seconds(1));
    let text = written.take();
    let up = text.strip_prefix("\r\u{1b}[").and_then(|text| text.split_once('A')).expect("it goes up").0;
    assert_eq!(up, (rows - 1).to_string(), "{text:?}");
}

/// A plan of long and short addresses, with events of all kinds heard.
fn busy(number: usize, known: bool) -> (Plan, Board) {
    let mut changes: Vec<_> = (0..number)
        .map(|n| {
            let address = match n % 3 {
                0 => format!("a{n:03}"),
                1 => format!("a{n:03}[i-bp1application{n:08}]"),
                _ => format!("a{n:03}{}", "long".repeat(10)),
            };
            fixtures::change(&address, Power::Stopped, Goal::Running, fixtures::start())
        })
        .collect();
    if known {
        changes.iter_mut().for_each(|change| change.expected = Some(seconds(40)));
    }
    let plan = fixtures::plan(changes, &[]);
    let mut board = Board::new(&plan, NonZeroUsize::new(if number < 100 { 10 } else { 2_000 }));
    for change in 0..number / 2 {
        board.hear(&began(0, change, Action::Start));
        if change % 2 == 0 {
            board.hear(&at(1, EventKind::Accepted { change, action: Action::Start, request_id: None }));
            let power = Power::Unrecognised("正在启动的状态".into());
            board.hear(&at(2, EventKind::Moved { change, power: Some(power) }));
        } else {
            let refusal = Refusal { code: Some("系统繁忙".to_owned()), ..fixtures::expired() };
            board.hear(&at(1, EventKind::Retrying { change, action: Action::Start, refusal, sends: 2 }));
        }
        if change % 7 == 6 {
            board.hear(&completed(3_000, change, Action::Start, How::Called, Power::Running));
        }
    }
    board.now(seconds(3_700));
    (plan, board)
}

#[test]
fn no_line_is_wider_than_the_terminal_and_no_frame_is_higher() {
    for (number, known) in [(1, true), (3, false), (60, true), (1_000, false), (1_001, true)] {
        let (_, board) = busy(number, known);
        for columns in (1..=200).chain([1_000]) {
            for rows in [1, 2, 3, 4, 5, 8, 12, 24, 100] {
                let lines = frame(&board, columns, rows);
                assert!(
                    !lines.is_empty() && lines.len() <= (rows - 1).max(1),
                    "{columns} x {rows}: {lines:#?}"
                );
                assert!(lines.len() <= 2 + frame::LISTED + 1, "{columns} x {rows}: {lines:#?}");
                for line in &lines {
                    assert!(line.width() <= columns, "{columns} x {rows}: {line:?}");
                    assert!(!line.contains(char::is_control), "{line:?}");
                }
            }
        }
    }
}

#[test]
fn narrow_terminals_show_what_matters_most() {
    let (_, board) = busy(60, false);
    for columns in [20, 30, 40, 60, 80, 120] {
        let lines = frame(&board, columns, 24);
        assert!(lines[0].contains("4 of 60 done"), "{columns}: {lines:#?}");
        assert!(lines[0].contains("1h1m"), "{columns}: {lines:#?}");
        assert!(lines[..2].concat().contains("26 in transi"), "{columns}: {lines:#?}");
    }
    let lines = frame(&board, 40, 24);
    assert_eq!(
        lines[..4],
        [
            "4 of 60 done; 1h1m of an unknown time",
            "26 in transition, 30 waiting (30 for …",
            "  a000               正在启动的状态, …",
            "  a001[i-b…0000001]  starting, 1h1m, …",
        ]
    );
}

#[test]
fn a_wide_terminal_shows_all_of_it_and_aligns_by_columns() {
    let (_, board) = busy(60, true);
    let lines = frame(&board, 160, 24);
    assert_eq!(
        lines[..3],
        [
            "[>                       ] 4 of 60 done, 26 in transition, 30 waiting (30 for a slot), 0 failed; 1h1m of an unknown time",
            "  a000                                          正在启动的状态, 1h1m",
            "  a001[i-bp1application00000001]                starting, 1h1m, waits for another try (系统繁忙, sent 2 times)",
        ]
    );
    assert_eq!(lines.last().map(String::as_str), Some("  and 18 more"));
}

#[test]
fn a_step_says_what_it_waits_for() {
    let stands = |verdict: Verdict, action: Action| {
        let plan = fixtures::plan(vec![fixtures::change("db", Power::Stopping, Goal::Running, verdict)], &[]);
        let mut board = Board::new(&plan, None);
        board.hear(&began(0, 0, action));
        board.oldest(8).remove(0).1
    };
    assert_eq!(
        stands(Verdict::Start { once_stopped: true, init_local_disk: false }, Action::Start),
        "Stopping, 0s, starting it once it is Stopped"
    );
    assert_eq!(stands(Verdict::Wait { until: Goal::Stopped, then: None }, Action::Wait), "Stopping, 0s");
    let plan = fixtures::web_shop();
    let mut board = Board::new(&plan, None);
    board.hear(&began(0, 0, Action::Start));
    let refusal = fixtures::expired();
    board.hear(&at(1, EventKind::Retrying { change: 0, action: Action::Start, refusal, sends: 2 }));
    assert_eq!(
        board.oldest(8),
        [("db".to_owned(), "starting, 0s, waits for another try (InstanceExpired, sent 2 times)".to_owned())]
    );
}

#[test]
fn what_only_a_slot_is_missing_for_is_told_apart_from_what_has_to_come_later() {
    let start = |at: &str| fixtures::change(at, Power::Stopped, Goal::Running, fixtures::start());
    let changes = ["app[i-1]", "app[i-2]", "app[i-3]", "db"].map(start).into();
    let plan = fixtures::plan(changes, &[("app", "db", Strength::Hard)]);
    let mut board = Board::new(&plan, None);
    board.hear(&began(0, 3, Action::Start));
    assert_eq!(board.counts()[..2], ["1 in transition", "3 waiting"]);
    board.hear(&completed(1, 3, Action::Start, How::Called, Power::Running));
    board.hear(&began(1, 0, Action::Start));
    board.hear(&began(1, 1, Action::Start));
    assert_eq!(board.counts()[..2], ["2 in transition", "1 waiting (1 for a slot)"]);
    board.hear(&began(2, 2, Action::Start));
    assert_eq!(board.counts()[..2], ["3 in transition", "0 waiting"]);
}

#[test]
fn the_counts_add_up_whatever_happens() {
    let plan = fixtures::web_shop();
    let mut board = Board::new(&plan, None);
    let db = fixtures::address("db");
    for event in [
        began(0, 0, Action::Start),
        began(1, 0, Action::Start),
        failed(2, 0, Action::Start, Failure::Vanished { after: seconds(1) }),
        at(3, EventKind::Skipped { change: 2, action: Action::Start, because: db.clone(), root: db }),
        at(4, EventKind::NotReached { change: 4, action: Action::Start, in_transition: false }),
        began(5, 5, Action::Stop),
    ] {
        board.hear(&event);
    }
    assert_eq!(board.counts(), ["1 in transition", "0 waiting", "1 failed", "1 skipped"]);
    assert_eq!((board.ended(), board.steps()), (3, 4));
    assert_eq!(board.oldest(9).len(), 1);
}

#[test]
fn text_from_elsewhere_and_instances_outside_of_the_plan_do_no_harm() {
    let plan = fixtures::web_shop();
    let hostile = fixtures::hostile();
    let (mut progress, paper) = on_paper(&plan, Style::plain());
    for change in [0, 99] {
        for event in fixtures::every_event(change, &hostile) {
            progress.hear(&began(0, 0, Action::Start));
            progress.hear(&event);
            progress.tick(seconds(60));
        }
    }
    assert_harmless(&paper.text());
    assert!(paper.text().contains("\\u{1b}[2J"));
}

#[test]
fn a_reader_that_has_gone_away_does_not_stop_the_apply() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let plan = fixtures::web_shop();
    let mut progress = Progress::new(Screen::Lines(Box::new(Broken)), &plan, None, Style::plain());
    progress.hear(&began(0, 0, Action::Start));
    progress.tick(seconds(20));
    progress.finish();
}
