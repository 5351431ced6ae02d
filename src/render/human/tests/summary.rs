use std::time::Duration;

use crate::execute::{Action, Failure, Outcome, Report};
use crate::fleet::{Goal, Power};
use crate::plan::{Block, Change, Plan, Verdict};
use crate::render::fixtures::{self, assert_harmless, change};
use crate::render::human::apply_summary;
use crate::render::style::Style;

/// A run of the web shop in which the first failed and the rest follows from it.
fn failed_run() -> (Plan, Report) {
    let plan = fixtures::web_shop();
    let db = plan.changes[0].address.clone();
    let app = plan.changes[2].address.clone();
    let mut report = Report::default();
    report.hear(&fixtures::failed(900, 0, Action::Start, Failure::Refused(fixtures::expired())));
    report.outcomes.insert(2, Outcome::Skipped { because: db.clone(), root: db.clone() });
    report.outcomes.insert(4, Outcome::Skipped { because: app, root: db });
    report.outcomes.insert(5, Outcome::Stopped);
    (plan, report)
}

#[test]
fn an_incomplete_apply_ends_with_counts_reasons_and_remedies() {
    let (plan, report) = failed_run();
    assert_eq!(
        apply_summary(&plan, &report, true, Style::plain(), false),
        "\
Apply incomplete: 0 started, 1 stopped, 0 already there, 1 failed, 2 skipped, 0 not reached, 1 blocked.

Failed:
  db (i-bp1db0000000000001): ECS refused the start: InstanceExpired: The specified instance has expired \
(request 0C2DB2B2-1D5C-4F5F-8C3A-1B2C3D4E5F60)
    -> renew it: console > Expenses > Renewal Management

Blocked:
  app[i-bp1app000000000003]: ECS refuses to start it until the security lock is lifted
    -> console > Security Center

Skipped:
  app[i-bp1app000000000001]: not tried because of db
    -> mend db, then apply again
  edge (i-bp1edge0000000000001): not tried because of app[i-bp1app000000000001], which was held up by db
    -> mend db, then apply again

Stopped: batch
"
    );
}

#[test]
fn a_complete_apply_names_what_it_did() {
    let names: Vec<String> = (0..12).map(|n| format!("a{n}")).collect();
    let changes: Vec<Change> =
        names.iter().map(|name| change(name, Power::Stopped, Goal::Running, fixtures::start())).collect();
    let plan = fixtures::plan(changes, &[]);
    let mut report = Report::default();
    for position in 0..12 {
        report.outcomes.insert(position, Outcome::Started);
    }
    report.outcomes.insert(11, Outcome::AlreadyThere);
    report.outcomes.insert(10, Outcome::Arrived);
    report.outcomes.insert(9, Outcome::Arrived);
    assert_eq!(
        apply_summary(&plan, &report, true, Style::plain(), false),
        "Apply complete: 9 started, 0 stopped, 1 already there, 0 failed, 0 skipped, 0 not reached, 2 arrived by \
         themselves.\n\nStarted: a0, a1, a2, a3, a4, a5, a6, a7 and a8\n\nArrived without a call: a9 and a10\n\n\
         Already there: a11\n"
    );
}

#[test]
fn an_interrupted_apply_says_what_is_left() {
    let plan = fixtures::web_shop();
    let mut report = Report { interrupted: true, ..Report::default() };
    report.outcomes.insert(0, Outcome::NotReached { in_transition: true });
    let text = apply_summary(&plan, &report, true, Style::plain(), false);
    assert!(
        text.starts_with(
            "Apply interrupted: 0 started, 0 stopped, 0 already there, 0 failed, 0 skipped, 4 not reached, 1 blocked."
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "  db (i-bp1db0000000000001): it is on its way as far as is known, but its arrival was not awaited\n    -> plan again"
        ),
        "{text}"
    );
}

#[test]
fn a_long_summary_fits_a_screen_unless_all_is_asked_for_and_causes_come_before_what_they_hold_up() {
    let held = |n: usize| {
        let by = fixtures::address("z");
        let block = Block::HeldUp { by: by.clone(), root: by };
        change(&format!("b{n:03}"), Power::Stopped, Goal::Running, Verdict::Blocked(block))
    };
    let mut changes: Vec<Change> = (0..200).map(held).collect();
    changes.push(change("z", Power::Stopped, Goal::Running, Verdict::Blocked(Block::Overdue)));
    changes.extend(
        (0..200).map(|n| change(&format!("c{n:03}"), Power::Stopped, Goal::Running, fixtures::start())),
    );
    let plan = fixtures::plan(changes, &[]);
    let mut report = Report::default();
    for position in 201..300 {
        report
            .outcomes
            .insert(position, Outcome::Failed(Failure::Vanished { after: Duration::from_secs(1) }));
    }
    let text = apply_summary(&plan, &report, true, Style::plain(), false);
    assert!(text.lines().count() < 50, "{text}");
    assert!(text.contains("Blocked:\n  z (") && text.contains("  and 89 more\n"), "{text}");
    assert!(text.ends_with("\n--all names every instance.\n"));
    let everything = apply_summary(&plan, &report, true, Style::plain(), true);
    for change in &plan.changes {
        assert!(everything.contains(&format!("  {} (", change.address)), "{}", change.address);
    }
    assert!(!everything.contains(" more\n") && !everything.contains("--all"));
}

#[test]
fn failures_with_text_from_elsewhere_do_no_harm() {
    let failures = fixtures::every_failure(&fixtures::hostile());
    let one = |n| change(&format!("a{n:02}"), Power::Stopped, Goal::Running, fixtures::start());
    let plan = fixtures::plan((0..failures.len()).map(one).collect(), &[]);
    let mut report = Report::default();
    for (position, failure) in failures.into_iter().enumerate() {
        report.outcomes.insert(position, Outcome::Failed(failure));
    }
    assert_harmless(&apply_summary(&plan, &report, true, Style::plain(), true));
}

#[test]
fn an_apply_whose_record_could_not_be_saved_is_not_complete() {
    let plan = fixtures::plan(vec![change("db", Power::Stopped, Goal::Running, fixtures::start())], &[]);
    let mut report = Report::default();
    report.outcomes.insert(0, Outcome::Started);
    let text = apply_summary(&plan, &report, false, Style::plain(), false);
    assert!(text.starts_with("Apply incomplete: 1 started, "), "{text}");
    assert!(text.contains("\nThe state could not be saved: "), "{text}");
}
