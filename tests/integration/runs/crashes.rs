//! The crash matrix: an apply of forty machines is killed at hundreds of different points, and whatever it left behind,
//! the next one ends in the same place, with one accepted call of each machine and none that was sent blindly.
//!
//! All that the program asks goes through a gate of the test's own, so that it can be killed exactly when it asks
//! something: before the cloud hears of it, after the cloud has done it and before the program is told, and while what
//! it asked is still on its way and arrives only when the next apply is at work.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod estate;
mod gate;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use self::estate::CALLS;
use self::gate::{Fate, Gate};
use crate::harness::{Scenario, World, side_by_side};

/// So many applies have to be killed before their end, over all the tests here.
const POINTS: usize = 200;

/// When an apply is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// With its nth request, of which this becomes.
    Request(usize, Fate),
    /// So long after its nth request was passed on.
    After(usize, Duration),
    /// As soon as it is seen to write a file beside the record, from its nth request on.
    Write(usize),
}

/// Applies that are killed one after the other, and the one that ends it.
#[derive(Debug)]
struct Row {
    points: Vec<Point>,
    /// What else the account says.
    account: &'static str,
    /// Whether the cloud may tell what was a moment ago, so that calls are refused that were right to make.
    lags: bool,
}

impl Row {
    fn of(points: Vec<Point>) -> Self {
        Self { points, account: "", lags: false }
    }
}

/// An estate before which the gate stands.
fn gated(rest: &str) -> (Scenario, Gate) {
    let account = format!("{}{rest}", estate::account());
    let configuration = estate::configuration();
    let mut scenario = Scenario::in_world(World::Served, &account, &configuration);
    let gate = Gate::before(&scenario.address(), scenario.state());
    scenario.redirect(gate.address());
    scenario.provide(estate::PROVIDER);
    scenario.write_configuration(&configuration);
    (scenario, gate)
}

#[test]
fn an_apply_that_is_killed_at_any_of_two_hundred_points_is_finished_by_the_next() {
    let (scenario, _gate) = gated("");
    let whole = scenario.apply().exits(0);
    assert_eq!(whole.calls().len(), CALLS);
    let requests = whole.log.requests().count();

    let mut rows = Vec::new();
    for nth in 1..=requests {
        rows.extend(Fate::ALL.map(|fate| Row::of(vec![Point::Request(nth, fate)])));
    }
    for seed in 0..90 {
        rows.push(drawn(&mut Rng::with_seed(seed), requests));
    }
    let killed = AtomicUsize::new(0);
    side_by_side(&rows, |row| {
        killed.fetch_add(cut_and_finish(row), Ordering::Relaxed);
    });
    let killed = killed.into_inner();
    assert!(killed >= POINTS, "only {killed} of {} applies were killed before their end", rows.len());
}

/// One to three kills at random times.
fn drawn(random: &mut Rng, requests: usize) -> Row {
    let points = (0..random.usize(1..=3)).map(|kill| {
        // What was killed before has done a part of it.
        let nth = random.usize(1..=requests / (kill + 1));
        match random.u8(..4) {
            0 => Point::Write(nth),
            1 => Point::Request(nth, Fate::ALL[random.usize(..Fate::ALL.len())]),
            _ => Point::After(nth, Duration::from_millis(random.u64(..400))),
        }
    });
    let points = points.collect();
    let (account, lags) = [
        ("", false),
        // Calls are in flight for long.
        (
            "faults: [{ action: StartInstance, delay: 300ms }, { action: StopInstance, delay: 200ms }]\n",
            false,
        ),
        (
            "faults: [{ action: StartInstances, delay: 300ms }, { action: StopInstances, delay: 400ms }]\n",
            false,
        ),
        ("lag: 300ms\n", true),
    ][random.usize(..4)];
    Row { points, account, lags }
}

/// Kills applies at the points of a row and lets one more end; says how many were killed before their end.
fn cut_and_finish(row: &Row) -> usize {
    let (scenario, gate) = gated(row.account);
    let mut killed = 0;
    for point in &row.points {
        killed += usize::from(kill_at(*point, &scenario, &gate));
        leave_what_a_torn_write_leaves(&scenario);
        scenario.run(&["state", "list"]).exits(0);
    }
    let before = record(&scenario);
    let ended = scenario.apply();
    gate.ended();
    assert_eq!(ended.status, Some(0), "{row:?}: the next apply\n{}\n{}", ended.stdout, ended.stderr);
    scenario.is_in_sync();
    // Whoever writes the record clears up first.
    let left = leftovers(&scenario);
    assert!(left.is_empty() || record(&scenario) == before, "{row:?}: left beside the record: {left:?}");
    gate.has_no_complaints(&format!("{row:?}"));
    one_accepted_call_each_and_none_blindly(row, &scenario, &gate);
    killed
}

/// Starts an apply and kills it there; false if it ended before.
fn kill_at(point: Point, scenario: &Scenario, gate: &Gate) -> bool {
    let before = scenario.requests_so_far();
    match point {
        Point::Request(nth, fate) => gate.arm(nth, fate),
        Point::After(nth, _) | Point::Write(nth) => gate.arm(nth, Fate::Answered),
    }
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    apply.running().until("it is where it is to be killed, or has ended", |running| {
        if running.stdout().contains("\nApply ") {
            return true;
        }
        match point {
            Point::Request(_, Fate::Lost | Fate::Late) => gate.is_reached(),
            // The cloud has written down that it has done it.
            Point::Request(nth, Fate::Unanswered | Fate::Answered) => {
                gate.is_reached() && scenario.requests_so_far() >= before + nth
            }
            Point::After(_, after) => gate.reached_for().is_some_and(|long| long >= after),
            Point::Write(_) => gate.is_reached() && !leftovers(scenario).is_empty(),
        }
    });
    apply.running().signal(Signal::SIGKILL);
    let ended = apply.finish();
    gate.ended();
    assert!(matches!(ended.status, None | Some(0)), "{point:?}\n{}\n{}", ended.stdout, ended.stderr);
    ended.status.is_none()
}

/// The text of the record.
fn record(scenario: &Scenario) -> Option<String> {
    std::fs::read_to_string(scenario.state()).ok()
}

/// The temporary files beside the record.
fn leftovers(scenario: &Scenario) -> Vec<String> {
    let folder = scenario.state().parent().unwrap();
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".powerform-tmp")).collect()
}

/// Half a record in the temporary file that would have replaced it: what a kill leaves while it is being written. Not
/// every kill hits that moment, so it is made sure that each row has met it.
fn leave_what_a_torn_write_leaves(scenario: &Scenario) {
    let folder = scenario.state().parent().unwrap();
    if folder.exists() {
        let torn = "{\n  \"format_version\": 1,\n  \"stack\": \"scenario\",\n  \"lin";
        std::fs::write(folder.join(".scenario.json.Ab3Ab3Ab3Ab3.powerform-tmp"), torn).unwrap();
    }
}

fn one_accepted_call_each_and_none_blindly(row: &Row, scenario: &Scenario, gate: &Gate) {
    let log = scenario.log();
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for call in log.calls() {
        if call.was_accepted() {
            *accepted.entry(call.words()).or_default() += 1;
        }
    }
    assert_eq!(accepted.len(), CALLS, "{row:?}: {accepted:?}");
    assert!(accepted.values().all(|times| *times == 1), "{row:?}: {accepted:?}");
    // Nothing refuses a call here but the machine itself, where it was called although it had been called before.
    // That can be right only where the caller could not know: the first call was still on its way, or the cloud told
    // what was a moment ago.
    let may_cross = row.points.iter().any(|point| matches!(point, Point::Request(_, Fate::Late)));
    let refused: Vec<_> = log.calls().iter().filter(|it| !it.was_accepted()).map(|it| it.words()).collect();
    assert!(may_cross || row.lags || refused.is_empty(), "{row:?}: {refused:?} were called in vain");
    gate.every_repetition_was_looked_for(&format!("{row:?}"));
}
