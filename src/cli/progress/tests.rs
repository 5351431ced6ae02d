use std::io;
use std::sync::{Arc, Mutex};

use indicatif::TermLike;

use super::*;
use crate::execute::{Action, EventKind, Failure, How};
use crate::fleet::{Goal, Power, StoppedMode};
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

fn on_paper(plan: &Plan, style: Style) -> (Progress, Paper) {
    let paper = Paper::default();
    (Progress::on(Screen::Lines(Box::new(paper.clone())), plan, style), paper)
}

/// The width of the terminal that stands in for a real one.
const COLUMNS: usize = 100;

/// A terminal that remembers what stands on it. Like real ones it wraps only when the next character comes.
#[derive(Debug, Clone, Default)]
struct Glass(Arc<Mutex<Cells>>);

#[derive(Debug, Default)]
struct Cells {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Cells {
    fn write(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '\r' => self.column = 0,
                '\n' => (self.row, self.column) = (self.row + 1, 0),
                _ => {
                    if self.column == COLUMNS {
                        (self.row, self.column) = (self.row + 1, 0);
                    }
                    while self.rows.len() <= self.row {
                        self.rows.push(vec![' '; COLUMNS]);
                    }
                    self.rows[self.row][self.column] = character;
                    self.column += 1;
                }
            }
        }
    }
}

impl TermLike for Glass {
    fn width(&self) -> u16 {
        u16::try_from(COLUMNS).expect("a width")
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let mut cells = self.0.lock().expect("no panic");
        cells.row = cells.row.saturating_sub(n);
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.lock().expect("no panic").row += n;
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().expect("no panic").write(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut cells = self.0.lock().expect("no panic");
        let row = cells.row;
        if let Some(line) = cells.rows.get_mut(row) {
            line.fill(' ');
        }
        cells.column = 0;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Glass {
    fn print(&mut self, text: &str) {
        self.0.lock().expect("no panic").write(text);
    }

    fn shown(&self) -> Vec<String> {
        let cells = self.0.lock().expect("no panic");
        let rows = cells.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned());
        rows.filter(|row| !row.is_empty()).collect()
    }
}

fn on_glass(plan: &Plan, style: Style) -> (Progress, Glass) {
    let glass = Glass::default();
    let target = ProgressDrawTarget::term_like(Box::new(Ragged::new(glass.clone())));
    (Progress::on(Screen::Terminal(target), plan, style), glass)
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
        (10, "db: still starting after 10s\n"),
        (19, ""),
        (20, "db: still starting after 20s\nbatch: still stopping after 12s\n"),
        (45, "db: still starting after 45s\nbatch: still stopping after 37s\n"),
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
    assert_eq!(paper.take(), "db: still starting after 10s, not visible\n");
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
    assert!(told.ends_with("a09: still starting after 10s\nand 30 more are still in transition\n"), "{told}");
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
    let plan = fixtures::web_shop();
    let (mut progress, glass) = on_glass(&plan, Style::plain());
    progress.hear(&began(0, 0, Action::Start));
    progress.tick(seconds(1));
    assert_eq!(
        glass.shown(),
        [
            "[                        ] 0 of 4 done, 1 in transition, 3 waiting, 0 failed; 1s",
            "  db: starting for 1s, waits for ECS to take the call",
        ]
    );
    progress.hear(&at(1_500, EventKind::Accepted { change: 0, action: Action::Start, request_id: None }));
    progress.hear(&at(2_000, EventKind::Moved { change: 0, power: Some(Power::Starting) }));
    progress.hear(&began(2_000, 5, Action::Stop));
    progress.tick(seconds(3));
    assert_eq!(
        glass.shown(),
        [
            "[                        ] 0 of 4 done, 2 in transition, 2 waiting, 0 failed; 3s",
            "  db: starting for 3s, seen Starting, waits for Running",
            "  batch: stopping for 1s, waits for ECS to take the call",
        ]
    );
    progress.hear(&completed(4_100, 0, Action::Start, How::Called, Power::Running));
    progress.tick(seconds(5));
    let shown = glass.shown();
    assert_eq!(shown.len(), 3, "{shown:#?}");
    assert_eq!(shown[0], "db: Running after 4.1s [request 0C2DB2B2]");
    assert!(
        shown[1].starts_with("[======> ") && shown[1].contains("1 of 4 done, 1 in transition"),
        "{shown:#?}"
    );
    assert_eq!(shown[2], "  batch: stopping for 3s, waits for ECS to take the call");
    progress.finish();
    assert_eq!(glass.shown(), ["db: Running after 4.1s [request 0C2DB2B2]"]);
}

#[test]
fn what_a_terminal_echoes_for_an_interruption_leaves_nothing_of_the_display_behind() {
    let plan = fixtures::web_shop();
    let (mut progress, glass) = on_glass(&plan, Style::plain());
    progress.hear(&began(0, 0, Action::Start));
    progress.hear(&began(0, 5, Action::Stop));
    progress.tick(seconds(1));
    glass.clone().print("^C");
    assert_eq!(glass.shown().len(), 3, "it stands in the last line: {:#?}", glass.shown());
    let left = EventKind::NotReached { change: 0, action: Action::Start, in_transition: true };
    progress.hear(&at(1_500, left));
    progress.finish();
    assert_eq!(glass.shown(), [format!("db: {}", words::left_over(true).what)]);
}

#[test]
fn the_display_makes_room_for_what_else_is_written() {
    let plan = fixtures::web_shop();
    let (mut progress, glass) = on_glass(&plan, Style::plain());
    progress.hear(&began(0, 0, Action::Start));
    progress.tick(seconds(1));
    let mut other = glass.clone();
    progress.aside(move || other.print("error: the disk is full\n"));
    progress.tick(seconds(2));
    assert_eq!(
        glass.shown(),
        [
            "error: the disk is full",
            "[                        ] 0 of 4 done, 1 in transition, 3 waiting, 0 failed; 2s",
            "  db: starting for 2s, waits for ECS to take the call",
        ]
    );
}

#[test]
fn on_a_terminal_the_list_is_bounded() {
    let plan = starts(40);
    let (mut progress, glass) = on_glass(&plan, Style::plain());
    for change in 0..40 {
        progress.hear(&began(u64::try_from(change).expect("small"), change, Action::Start));
    }
    progress.tick(seconds(1));
    let shown = glass.shown();
    assert_eq!(shown.len(), 1 + LISTED + 1, "{shown:#?}");
    assert_eq!(shown.last().map(String::as_str), Some("  and 32 more"));
}

#[test]
fn a_step_says_what_it_waits_for() {
    let waits = |verdict: Verdict, action: Action| {
        let plan = fixtures::plan(vec![fixtures::change("db", Power::Stopping, Goal::Running, verdict)], &[]);
        let mut board = Board::new(&plan);
        board.hear(&began(0, 0, action));
        board.list(8).remove(0)
    };
    assert_eq!(
        waits(Verdict::Start { once_stopped: true, init_local_disk: false }, Action::Start),
        "db: starting for 0s, waits for Stopped"
    );
    assert_eq!(
        waits(Verdict::Wait { until: Goal::Stopped, then: None }, Action::Wait),
        "db: waiting for 0s, waits for Stopped"
    );
    let plan = fixtures::web_shop();
    let mut board = Board::new(&plan);
    board.hear(&began(0, 0, Action::Start));
    let refusal = fixtures::expired();
    board.hear(&at(1, EventKind::Retrying { change: 0, action: Action::Start, refusal, sends: 2 }));
    assert_eq!(board.list(8), ["db: starting for 0s, waits for another try (InstanceExpired, sent 2 times)"]);
}

#[test]
fn the_counts_add_up_whatever_happens() {
    let plan = fixtures::web_shop();
    let mut board = Board::new(&plan);
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
    assert_eq!(board.overall(), "0 of 4 done, 1 in transition, 0 waiting, 1 failed, 1 skipped; 0s");
    assert_eq!((board.ended(), board.steps()), (3, 4));
    assert_eq!(
        board.list(1),
        ["batch: stopping for 0s, waits for ECS to take the call"],
        "no more than that"
    );
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
    let mut progress = Progress::on(Screen::Lines(Box::new(Broken)), &plan, Style::plain());
    progress.hear(&began(0, 0, Action::Start));
    progress.tick(seconds(20));
    progress.finish();
}
