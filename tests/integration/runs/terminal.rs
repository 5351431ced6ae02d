//! What stands on a real terminal while an apply runs.

use nix::sys::signal::Signal;

use crate::harness::{OnTerminal, Scenario, World};

/// Two instances that start when somebody clicks, and one that has to come after them.
fn scenario() -> Scenario {
    let mut scenario = Scenario::new(
        "instances: [{ id: i-a, start: 1h }, { id: i-b, start: 1h }, { id: i-c }]\n",
        "instances:
  first: { ids: [i-a, i-b], status: Running }
  then: { id: i-c, status: Running, depends_on: [first] }
",
    );
    scenario.set("TERM", "xterm-256color");
    scenario
}

fn apply(scenario: &Scenario, columns: u16, rows: u16) -> OnTerminal {
    OnTerminal::start(&mut scenario.command(&["apply", "--auto-approve"]), columns, rows)
}

/// Whether this is the last thing on the screen: a frame with both instances in transition.
fn shows_both(rows: &[String]) -> bool {
    rows.iter().any(|row| row.contains("0 of 3 done"))
        && ["i-a]", "i-b]"]
            .iter()
            .all(|id| rows.iter().any(|row| row.contains(id) && row.contains("Starting, ")))
}

#[test]
fn the_display_keeps_its_place_and_leaves_only_what_has_ended() {
    let scenario = scenario();
    let mut apply = apply(&scenario, 80, 40);
    apply.until("both are in transition", shows_both);
    scenario.click("i-a", "Running");
    apply.until("one has arrived", |rows| rows.iter().any(|row| row.contains("1 of 3 done")));
    let rows = apply.rows();
    let place =
        |text: &str| rows.iter().position(|row| row.contains(text)).unwrap_or_else(|| panic!("{rows:#?}"));
    assert!(place("first[i-a]: Running after ") < place("1 of 3 done"), "{rows:#?}");
    assert_eq!(rows.iter().filter(|row| row.contains(" of 3 done")).count(), 1, "{rows:#?}");
    assert!(place("1 of 3 done") < place("first[i-b]  Starting, "), "{rows:#?}");
    scenario.click("i-b", "Running");
    assert_eq!(apply.finish(), Some(0));
    let rows = apply.rows();
    let left = |text: &str| rows.iter().any(|row| row.contains(text));
    assert!(left("then: Running after ") && left("Apply complete: 3 started"), "{rows:#?}");
    assert!(!left("of 3 done") && !left("in transition"), "{rows:#?}");
}

#[test]
fn the_display_follows_the_window_and_an_interruption_tears_nothing() {
    let scenario = scenario();
    let mut apply = apply(&scenario, 80, 40);
    apply.until("both are in transition", shows_both);
    for (columns, rows) in [(30, 40), (120, 12), (40, 5), (60, 40)] {
        apply.resize(columns, rows);
        apply.until("it is drawn for the new width", |shown| match (columns, rows) {
            (30, _) => shown.iter().any(|row| row.starts_with("0 of 3 done; ")),
            (120, _) => {
                shown.iter().any(|row| row.contains("0 of 3 done, 2 in transition, 1 waiting, 0 failed; "))
            }
            (40, _) => shown
                .iter()
                .any(|row| row.starts_with("0 of 3 done; ") && row.ends_with(" of an unknown time")),
            _ => shown.iter().any(|row| row.starts_with("[     ") && row.contains("0 of 3 done; ")),
        });
        let shown = apply.rows();
        assert!(shown.iter().all(|row| row.chars().count() <= columns.into()), "{columns}: {shown:#?}");
    }
    apply.signal(Signal::SIGINT);
    assert_eq!(apply.finish(), Some(130));
    let rows = apply.rows();
    assert!(rows.iter().any(|row| row.starts_with("Apply interrupted: ")), "{rows:#?}");
    assert!(!rows.iter().any(|row| row.contains("0 of 3 done; ")), "{rows:#?}");
}

#[test]
fn an_apply_that_was_suspended_goes_on_to_its_end() {
    let scenario = scenario();
    let mut apply = apply(&scenario, 80, 40);
    apply.until("both are in transition", shows_both);
    apply.signal(Signal::SIGSTOP);
    scenario.click("i-a", "Running");
    scenario.click("i-b", "Running");
    apply.signal(Signal::SIGCONT);
    assert_eq!(apply.finish(), Some(0));
    let rows = apply.rows();
    assert!(rows.iter().any(|row| row.starts_with("Apply complete: 3 started")), "{rows:#?}");
}

#[test]
fn a_dumb_terminal_gets_lines_without_a_single_escape_sequence() {
    for terminal in ["dumb", ""] {
        let mut scenario = scenario();
        scenario.set("TERM", terminal);
        let mut apply = apply(&scenario, 80, 24);
        apply.until("both are called", |_| scenario.log().calls().len() == 2);
        scenario.click("i-a", "Running");
        scenario.click("i-b", "Running");
        assert_eq!(apply.finish(), Some(0));
        let raw = apply.raw();
        // Colour on a terminal that does not say what it is does no harm; moving about would.
        let is_plain = if terminal == "dumb" { !raw.contains('\u{1b}') } else { !raw.contains("\u{1b}[J") };
        assert!(is_plain, "{raw:?}");
        assert!(raw.contains("first[i-a]: starting...") && raw.contains("then: Running after "), "{raw}");
    }
}

const ASKS: &str = "Only \"yes\" is accepted:";

fn asks(rows: &[String]) -> bool {
    rows.iter().any(|row| row.contains(ASKS))
}

#[test]
fn an_apply_asks_and_only_yes_is_one() {
    let scenario =
        Scenario::new("instances: [{ id: i-a }]\n", "instances: { a: { id: i-a, status: Running } }\n");
    for (answer, status, calls) in [("y", Some(1), 0), ("yes", Some(0), 1)] {
        let mut apply = OnTerminal::start(&mut scenario.command(&["apply"]), 120, 40);
        apply.until("it asks", asks);
        apply.types(answer);
        assert_eq!(apply.finish(), status, "{}", apply.raw());
        assert_eq!(scenario.log().calls().len(), calls, "{}", apply.raw());
        assert_eq!(apply.raw().contains("not approved: nothing was called"), calls == 0, "{}", apply.raw());
    }
    scenario.is_in_sync();
}

#[test]
fn force_unlock_says_whose_lock_it_is_and_asks() {
    let scenario = scenario();
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    apply.until_called("StartInstance", "i-a");
    apply.running().signal(Signal::SIGKILL);
    apply.finish();
    let lock = scenario.state().with_extension("json.lock");
    let content: serde_json::Value = serde_json::from_slice(&std::fs::read(lock).unwrap()).unwrap();
    let id = content["id"].as_str().unwrap();
    let answers =
        [("no", Some(1), "the lock was left as it is"), ("yes", Some(0), "Removed the lock of tester@")];
    for (answer, status, says) in answers {
        let mut unlock = OnTerminal::start(&mut scenario.command(&["force-unlock", id]), 250, 40);
        unlock.until("it asks", asks);
        for word in ["tester@", "running \"apply\"", id] {
            assert!(unlock.raw().contains(word), "{word}: {}", unlock.raw());
        }
        unlock.types(answer);
        assert_eq!(unlock.finish(), status, "{}", unlock.raw());
        assert!(unlock.raw().contains(says), "{}", unlock.raw());
    }
}

/// The window is closed, but the process is told nothing: it goes on, and what it did is recorded.
#[cfg(target_os = "linux")]
#[test]
fn an_apply_whose_terminal_vanishes_goes_on_and_loses_nothing() {
    let account = "instances: [{ id: i-a, start: 2s }, { id: i-b, start: 1s }]\n";
    let configuration = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
";
    let scenario = Scenario::in_world(World::Served, account, configuration);
    let mut apply = apply(&scenario, 120, 40);
    apply.until("it shows the plan", |rows| rows.iter().any(|row| row.contains("i-a")));
    // Its last words could not be written, and that is a failure, as for every other output that is lost.
    assert_eq!(apply.vanish(), Some(1));
    assert_eq!(scenario.log().calls().len(), 2);
    scenario.run(&["state", "show", "b"]).exits(0).prints(&["status: Running"]);
    scenario.is_in_sync();
}
