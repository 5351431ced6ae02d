use std::sync::Arc;

use crate::fleet::{Goal, LockReason, Power, Region, Seen, StoppedMode, Strength};
use crate::plan::{Block, Change, Drift, Plan, Tally, Verdict, Why};
use crate::render::fixtures::{self, assert_harmless, change, with_lock};
use crate::render::human::plan as show;
use crate::render::human::plan_line;
use crate::render::style::Style;

fn plain(plan: &Plan) -> String {
    show(plan, Style::plain(), false)
}

#[test]
fn a_plan_reads_as_terraform_users_expect() {
    assert_eq!(
        plain(&fixtures::web_shop()),
        r#"  # db will be started  (i-bp1db0000000000001, cn-hangzhou)
  ~ instance "db" {
      ~ status = "Stopped" -> "Running"
        stopped outside powerform since the last apply 2026-11-21 20:04 UTC
    }

  # app[i-bp1app000000000001] will be started
  ~ instance "app[i-bp1app000000000001]" {
      ~ status = "Stopped" -> "Running"
        it was not there yet when it was last recorded, on 2026-11-21 20:04 UTC
        after db is Running
    }

  # app[i-bp1app000000000003] is blocked
  ! instance "app[i-bp1app000000000003]" {
        status = "Stopped"
        lock   = "security"
        ECS refuses to start it until the security lock is lifted: console > Security Center
    }

  # edge will be started  (i-bp1edge0000000000001, cn-hangzhou)
  ~ instance "edge" {
      ~ status = "Stopped" -> "Running"
        not in the record yet: this is the first apply that manages it
        after app is Running, and after db is Running or has failed
    }

  # batch will be stopped  (i-bp1batch0000000000001, cn-hangzhou)
  ~ instance "batch" {
      ~ status       = "Running" -> "Stopped"
      + stopped_mode = "KeepCharging"
        the configuration wants Stopped now; the last apply was for Running
    }

Order, each as soon as what it needs allows it:
  1. db (start), batch (stop)
  2. app (1 to start)
  3. edge (start)
Time: unknown, because no durations of these are recorded yet.

Plan: 3 to start, 1 to stop, 0 to wait for, 1 blocked, 1 in sync.
"#
    );
}

#[test]
fn colour_adds_escape_sequences_and_changes_no_word() {
    let plan = fixtures::web_shop();
    let coloured = show(&plan, Style::coloured(), true);
    assert!(coloured.contains(
        "  \u{1b}[1m# db will be started\u{1b}[0m  (i-bp1db0000000000001, cn-hangzhou)\n  \u{1b}[32m~\u{1b}[0m \
         instance \"db\" {\n      \u{1b}[33m~\u{1b}[0m status = \"Stopped\" -> \"Running\"\n"
    ));
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(stripped, show(&plan, Style::plain(), true));
}

#[test]
fn instances_in_sync_are_counted_and_shown_only_when_all_are_asked_for() {
    let plan = fixtures::web_shop();
    assert!(!plain(&plan).contains("cache is"));
    assert!(show(&plan, Style::plain(), true).contains(
        "  # cache is in sync  (i-bp1cache0000000000001, cn-hangzhou)\n    instance \"cache\" {\n        status = \
         \"Running\"\n        it is Running, as wanted\n    }\n"
    ));
}

#[test]
fn a_plan_without_changes_says_so_and_still_counts() {
    let in_sync = || change("db", Power::Running, Goal::Running, Verdict::InSync);
    let plan = fixtures::plan(vec![in_sync(), change("old", Power::Stopped, Goal::Any, Verdict::Any)], &[]);
    assert_eq!(
        plain(&plan),
        "No changes. Every instance is as wanted.\n\n\
         Plan: 0 to start, 0 to stop, 0 to wait for, 0 blocked, 1 in sync, 1 only looked at.\n"
    );
    let blocked = change("db", Power::Stopped, Goal::Running, Verdict::Blocked(Block::Overdue));
    assert!(!plain(&fixtures::plan(vec![blocked], &[])).contains("No changes"));
}

#[test]
fn an_instance_that_is_only_looked_at_and_was_not_seen_is_not_called_as_wanted() {
    for (seen, says) in [
        (Seen::Absent, "its goal is Any, but it is not visible (released,"),
        (
            Seen::NotSeen { why: "no connection".to_owned() },
            "its goal is Any, but it was not seen, because the look failed (no connection)",
        ),
    ] {
        let unseen = Change { seen, ..change("db", Power::Running, Goal::Any, Verdict::Any) };
        let text = plain(&fixtures::plan(vec![unseen], &[]));
        assert!(text.contains(says), "{text}");
        assert!(text.contains("No changes. Not every instance was seen: read above.\n"), "{text}");
    }
}

#[test]
fn the_counts_keep_their_order_and_name_the_rare_ones_only_when_there_are_any() {
    let tally = Tally { start: 4, stop: 1, wait: 0, blocked: 1, release: 0, in_sync: 7, any: 0, unknown: 0 };
    assert_eq!(plan_line(&tally), "Plan: 4 to start, 1 to stop, 0 to wait for, 1 blocked, 7 in sync.");
    assert_eq!(
        plan_line(&Tally { release: 1, any: 2, ..tally }),
        "Plan: 4 to start, 1 to stop, 0 to wait for, 1 blocked, 7 in sync, 1 to release, 2 only looked at."
    );
}

#[test]
fn what_is_in_sync_but_moved_or_carries_a_warning_has_a_block() {
    let mut moved = change("db", Power::Running, Goal::Running, Verdict::InSync);
    moved.drift = Some(Drift { was: Power::Stopped, is: Power::Running, since: fixtures::since() });
    let mut charging = fixtures::stopped_as(
        change("batch", Power::Stopped, Goal::Stopped, Verdict::InSync),
        StoppedMode::KeepCharging,
    );
    charging.warnings = fixtures::every_warning("odd").into_iter().filter(differs).take(1).collect();
    assert_eq!(
        plain(&fixtures::plan(vec![moved, charging], &[])),
        r#"  # db is in sync  (i-bp1db0000000000001, cn-hangzhou)
    instance "db" {
        status = "Running"
        it is Running, as wanted
        started outside powerform since the last apply 2026-11-21 20:04 UTC
    }

  # batch is in sync  (i-bp1batch0000000000001, cn-hangzhou)
    instance "batch" {
        status       = "Stopped"
        stopped_mode = "KeepCharging"
        it is Stopped, as wanted
        warning: it is Stopped, as wanted, but still charging (in the stop mode KeepCharging): to change the mode, start it and stop it again
    }

No changes. Every instance is as wanted.

1 warning: read it above.
Plan: 0 to start, 0 to stop, 0 to wait for, 0 blocked, 2 in sync.
"#
    );
}

fn differs(warning: &crate::plan::Warning) -> bool {
    matches!(warning, crate::plan::Warning::StopModeDiffers { .. })
}

#[test]
fn an_economical_start_shows_the_mode_that_it_leaves_and_a_lock_that_stays() {
    let asleep = fixtures::stopped_as(
        change("db", Power::Stopped, Goal::Running, fixtures::start()),
        StoppedMode::StopCharging,
    );
    let text = plain(&fixtures::plan(vec![asleep], &[]));
    assert!(
        text.contains(
            "      ~ status       = \"Stopped\" -> \"Running\"\n      - stopped_mode = \"StopCharging\"\n"
        ),
        "{text}"
    );
    let locked =
        with_lock(change("db", Power::Running, Goal::Stopped, fixtures::stop()), LockReason::Security);
    let text = plain(&fixtures::plan(vec![locked], &[]));
    assert!(
        text.contains(
            "      ~ status       = \"Running\" -> \"Stopped\"\n      + stopped_mode = \"KeepCharging\"\n        \
             lock         = \"security\"\n"
        ),
        "{text}"
    );
}

#[test]
fn places_are_named_where_they_differ() {
    let mut changes = fixtures::web_shop().changes;
    changes[4].region = Some(Region::new("cn-hongkong").expect("a region"));
    changes[4].key.provider = "hk".parse().expect("an alias");
    let text = plain(&fixtures::plan(changes, &[]));
    for line in [
        "# db will be started  (i-bp1db0000000000001, cn-hangzhou, provider default)\n",
        "# app[i-bp1app000000000001] will be started  (cn-hangzhou, provider default)\n",
        "# edge will be started  (i-bp1edge0000000000001, cn-hongkong, provider hk)\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn every_verdict_has_a_block_with_a_reason_and_unseen_instances_have_no_attributes() {
    for verdict in fixtures::every_verdict() {
        let heading = crate::render::words::verdict(&verdict);
        let mut one = change("db", Power::Stopping, Goal::Running, verdict);
        for seen in [one.seen.clone(), Seen::Absent, Seen::NotSeen { why: "no answer".to_owned() }] {
            one.seen = seen;
            let text = show(&fixtures::plan(vec![one.clone()], &[]), Style::plain(), true);
            assert!(text.starts_with(&format!("  # db {heading}  (")), "{text}");
            let reasons = text.lines().filter(|line| line.starts_with("        ") && !line.contains(" = "));
            assert!(reasons.count() >= 1, "{text}");
        }
    }
    let waiting = Verdict::Wait {
        until: Goal::Running,
        then: Some(crate::plan::Then::Start { init_local_disk: false }),
    };
    let text = plain(&fixtures::plan(vec![change("db", Power::Pending, Goal::Running, waiting)], &[]));
    assert!(text.contains("        then: start if Stopped\n"), "{text}");
    let root = fixtures::address("db");
    let block = crate::plan::Block::HeldUp { by: root.clone(), root };
    let waiting = Verdict::Wait { until: Goal::Running, then: Some(crate::plan::Then::Blocked(block)) };
    let text = plain(&fixtures::plan(vec![change("web", Power::Pending, Goal::Running, waiting)], &[]));
    let said =
        "        then: no start if Stopped: it has to come after db, which is blocked: see what blocks db\n";
    assert!(text.contains(said), "{text}");
}

#[test]
fn text_from_elsewhere_is_never_obeyed_and_never_floods_the_screen() {
    let hostile = fixtures::hostile();
    let mut changes: Vec<Change> = fixtures::every_block(&hostile)
        .into_iter()
        .map(|block| {
            let odd = Power::Unrecognised(hostile.as_str().into());
            let odd = change("db", odd.clone(), Goal::Running, Verdict::Blocked(block));
            let mut odd = with_lock(odd, LockReason::Other(hostile.as_str().into()));
            odd.warnings = fixtures::every_warning(&hostile);
            fixtures::drifted(odd, Power::Running, Power::Unrecognised(hostile.as_str().into()))
        })
        .collect();
    changes.push(change(
        &format!("db[i-{}]", "x".repeat(10_000)),
        Power::Stopped,
        Goal::Running,
        fixtures::start(),
    ));
    let plan = fixtures::plan(changes, &[]);
    let text = show(&plan, Style::plain(), true);
    assert_harmless(&text);
    assert!(text.contains("status = \"\\u{1b}[2J") && text.contains("31m\\\"'"), "{text}");
}

#[test]
fn a_release_leaves_the_machine_alone_and_says_so() {
    let mut gone = change("old", Power::Running, Goal::Running, Verdict::Release);
    (gone.seen, gone.region, gone.goal) = (Seen::NotSeen { why: "not looked at".to_owned() }, None, None);
    gone.why = Some(Why::LeftConfiguration);
    assert_eq!(
        plain(&fixtures::plan(vec![gone], &[])),
        r#"  # old will be released  (i-bp1old0000000000001)
  - instance "old" {
        no longer in the configuration: it leaves the record, and is not touched
    }

Plan: 0 to start, 0 to stop, 0 to wait for, 0 blocked, 0 in sync, 1 to release.
"#
    );
}

/// The instances of one entry, `app[i-bp1app0]` and so on, all to be started.
fn app(instances: usize) -> Vec<Change> {
    (0..instances)
        .map(|at| change(&format!("app[i-bp1app{at}]"), Power::Stopped, Goal::Running, fixtures::start()))
        .collect()
}

#[test]
fn several_instances_of_an_entry_that_have_the_same_to_say_share_a_block() {
    let mut changes = app(9);
    changes[3].verdict = Verdict::Blocked(Block::Overdue);
    changes.iter_mut().filter(|change| change.verdict == fixtures::start()).for_each(|change| {
        change.why = Some(Why::NewlyManaged);
    });
    changes[5].warnings.push(crate::plan::Warning::Spot);
    let plan = fixtures::plan(changes, &[]);
    assert_eq!(
        plain(&plan),
        r#"  # app: 7 instances will be started
  ~ each of these instances {
      ~ status = "Stopped" -> "Running"
        not in the record yet: this is the first apply that manages it
        i-bp1app0, i-bp1app1, i-bp1app2, i-bp1app4, i-bp1app6 and 2 more (--all shows each)
    }

  # app[i-bp1app3] is blocked
  ! instance "app[i-bp1app3]" {
        status = "Stopped"
        payment for it is overdue, and ECS refuses to start it: settle the bill, then reactivate it: console > ECS > Instances > Reactivate
    }

  # app[i-bp1app5] will be started
  ~ instance "app[i-bp1app5]" {
      ~ status = "Stopped" -> "Running"
        not in the record yet: this is the first apply that manages it
        warning: it is a spot instance, so a start may find no stock or too high a price, and ECS may take it back: use a pay-as-you-go instance for what has to run
    }

Time: unknown, because no durations of these are recorded yet.

1 warning: read it above.
Plan: 8 to start, 0 to stop, 0 to wait for, 1 blocked, 0 in sync.
"#
    );
    let every = show(&plan, Style::plain(), true);
    assert_eq!(every.matches("  ~ instance \"app[i-bp1app").count(), 8, "{every}");
    // Two are not worth a block of another kind.
    assert!(!plain(&fixtures::plan(app(2), &[])).contains("each of these"));
}

#[test]
fn many_that_differ_in_nothing_but_their_region_are_kept_apart() {
    let mut changes = app(6);
    for change in &mut changes[3..] {
        change.region = Some(Region::new("cn-hongkong").expect("a region"));
    }
    let text = plain(&fixtures::plan(changes, &[]));
    for heading in [
        "# app: 3 instances will be started  (cn-hangzhou)\n",
        "# app: 3 instances will be started  (cn-hongkong)\n",
    ] {
        assert!(text.contains(heading), "{text}");
    }
}

#[test]
fn what_moved_alike_shares_a_block_too() {
    let moved = app(4)
        .into_iter()
        .map(|change| Change {
            verdict: Verdict::InSync,
            goal: None,
            why: None,
            ..fixtures::drifted(change, Power::Running, Power::Stopped)
        })
        .collect();
    let plan = fixtures::plan(moved, &[]);
    let text = crate::render::human::drift(&plan, Style::plain(), false);
    assert!(text.starts_with("  # app: 4 instances have moved\n    each of these instances {\n"), "{text}");
    assert!(text.ends_with("4 instances have moved outside powerform since the last apply.\n"), "{text}");
    assert!(!crate::render::human::drift(&plan, Style::plain(), true).contains("each of these"));
}

#[test]
fn the_order_is_told_in_turns_and_the_time_along_the_longest_chain() {
    let mut plan = fixtures::web_shop();
    let outlook = |plan: &Plan, all: bool| {
        let text = show(plan, Style::plain(), all);
        let from = text.find("Order, ").or_else(|| text.find("Time: ")).expect("an outlook");
        text[from..].split("\n\n").next().expect("a first part").to_owned()
    };
    let took = |seconds| Some(std::time::Duration::from_secs(seconds));
    plan.changes[0].expected = took(100);
    plan.changes[2].expected = took(50);
    assert_eq!(
        outlook(&plan, false),
        "Order, each as soon as what it needs allows it:\n  1. db (start), batch (stop)\n  2. app (1 to start)\n  3. edge \
         (start)\nTime: at least 2m30s by recorded durations (db -> app); how long edge and batch take is not \
         recorded yet."
    );
    plan.changes[4].expected = took(1);
    plan.changes[5].expected = took(1);
    assert!(outlook(&plan, false).ends_with("Time: about 2m31s by recorded durations (db -> app -> edge)."));

    // Pauses count where something is recorded.
    let app = |recorded: Option<u64>| {
        let start = |at: &str| fixtures::change(at, Power::Stopped, Goal::Running, fixtures::start());
        let mut plan = fixtures::plan(vec![start("app[i-1]"), start("app[i-2]"), start("app[i-3]")], &[]);
        plan.groups[0].pause = std::time::Duration::from_secs(30);
        plan.changes.iter_mut().for_each(|change| change.expected = recorded.and_then(took));
        outlook(&plan, false)
    };
    assert_eq!(app(Some(10)), "Time: about 50s by recorded durations and pauses (app).");
    assert_eq!(app(None), "Time: unknown, because no durations of these are recorded yet.");

    // A long chain is told by its ends, many turns by the first ones.
    let entries: Vec<String> = (0..12).map(|at| format!("e{at:02}")).collect();
    let mut changes: Vec<Change> =
        entries.iter().map(|name| change(name, Power::Stopped, Goal::Running, fixtures::start())).collect();
    changes.iter_mut().for_each(|change| change.expected = took(1));
    let needs: Vec<(&str, &str, Strength)> =
        entries.windows(2).map(|pair| (pair[1].as_str(), pair[0].as_str(), Strength::Hard)).collect();
    let plan = fixtures::plan(changes, &needs);
    let text = outlook(&plan, false);
    assert!(text.contains("  8. e07 (start)\n  and then 4 more turns (--all shows each)\n"), "{text}");
    assert!(
        text.ends_with("Time: about 12s by recorded durations (e00 -> e01 -> e02 -> e03 -> 7 more -> e11)."),
        "{text}"
    );
    assert!(outlook(&plan, true).contains("\n   9. e08 (start)\n  10. e09 (start)\n"));
}

#[test]
fn eighty_columns_are_enough_and_fewer_break_lines_between_words() {
    let mut changes: Vec<Change> = fixtures::every_block("odd")
        .into_iter()
        .enumerate()
        .map(|(at, block)| {
            change(&format!("entry{at}"), Power::Stopped, Goal::Running, Verdict::Blocked(block))
        })
        .collect();
    changes[0].warnings = fixtures::every_warning("odd");
    if let Seen::There(sighting) = &mut changes[1].seen {
        let sighting = Arc::make_mut(sighting);
        sighting.name = "数据库".repeat(5);
    }
    changes.extend(app(9));
    let plan = fixtures::plan(changes, &[]);
    let whole = plain(&plan);
    for columns in [40, 60, 80, 132] {
        let text = show(&plan, Style::plain().within(Some(columns)), false);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&text), words(&whole), "no word is lost at {columns} columns");
        if columns >= 80 {
            for line in text.lines() {
                let width = unicode_width::UnicodeWidthStr::width(line);
                assert!(width <= columns, "{width} columns: {line}");
            }
        }
    }
}

#[test]
fn the_name_of_an_instance_is_told_where_it_says_more_than_the_address() {
    let named = |at: &str, name: &str| {
        let mut change = change(at, Power::Stopped, Goal::Running, fixtures::start());
        if let Seen::There(sighting) = &mut change.seen {
            let sighting = Arc::make_mut(sighting);
            sighting.name = name.to_owned();
        }
        plain(&fixtures::plan(vec![change], &[]))
    };
    assert!(named("db", "db").starts_with("  # db will be started  (i-bp1db0000000000001, cn-hangzhou)\n"));
    let text = named("db", "生产 \"db\"");
    let says = "  # db will be started  (i-bp1db0000000000001, named \"生产 \\\"db\\\"\", cn-hangzhou)\n";
    assert!(text.starts_with(says), "{text}");
    let text = named("app[i-bp1app1]", "app-1");
    assert!(text.starts_with("  # app[i-bp1app1] will be started  (named \"app-1\")\n"), "{text}");
}
