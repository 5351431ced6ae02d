//! Plans narrowed to some instances, turned into everything off, and to what moved; and plans that are saved.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::world::{HARD, NOW, SOFT, World, there};
use crate::fleet::{CallLimits, Goal, Power, ProviderAlias};
use crate::plan::saved::{self, Account, Refused};
use crate::plan::{Narrowed, Pattern, Plan, SavedPlan, Scope, Shape, Verdict, Why, drift_only, narrow};

/// db <- app (three) <- web; metrics is softly needed by web; cache is in sync and hard-needed by app.
fn shop(goal: Goal, power: &Power) -> World {
    let seen = || there(power.clone());
    let at_goal = if goal == Goal::Running { Power::Running } else { Power::Stopped };
    World::new()
        .several("app", goal, &[seen(), seen(), seen()], &[("db", HARD), ("cache", HARD)])
        .entry("cache", goal, there(at_goal), &[])
        .entry("db", goal, seen(), &[])
        .entry("metrics", goal, seen(), &[])
        .entry("web", goal, seen(), &[("app", HARD), ("metrics", SOFT)])
        .record("old", "i-old", Goal::Running, Power::Running)
}

fn narrowed(plan: Plan, targets: &[&str], excludes: &[&str]) -> Narrowed {
    let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern((*text).to_owned())).collect();
    let scope = Scope { targets: patterns(targets), excludes: patterns(excludes) };
    narrow(plan, &scope).expect("every pattern matches")
}

fn called(plan: &Plan) -> Vec<String> {
    let calls =
        plan.changes.iter().filter(|change| !matches!(change.verdict, Verdict::InSync | Verdict::Any));
    calls.map(|change| change.address.to_string()).collect()
}

fn names(addresses: &[crate::fleet::Address]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn a_targeted_start_takes_in_what_it_hard_needs_and_says_so() {
    let plan = shop(Goal::Running, &Power::Stopped).plan();
    let web = narrowed(plan.clone(), &["web"], &[]);
    let app = ["app[i-app0]", "app[i-app1]", "app[i-app2]"];
    assert_eq!(called(&web.plan), [app[0], app[1], app[2], "db", "web"]);
    assert_eq!(names(&web.taken_in), [app[0], app[1], app[2], "db"]);
    assert!(web.plan.changes.iter().any(|change| change.address.to_string() == "cache"), "it is looked at");

    let one = narrowed(plan.clone(), &["app[i-app1]"], &[]);
    assert_eq!(called(&one.plan), ["app[i-app1]", "db"]);
    assert_eq!(called(&narrowed(plan.clone(), &["app[*"], &[]).plan), [app[0], app[1], app[2], "db"]);
    assert_eq!(called(&narrowed(plan.clone(), &["db"], &[]).plan), ["db"]);
    assert_eq!(called(&narrowed(plan, &["metrics", "old"], &[]).plan), ["metrics", "old"]);
}

#[test]
fn a_targeted_stop_takes_in_what_hard_needs_it() {
    let plan = shop(Goal::Stopped, &Power::Running).plan();
    let db = narrowed(plan.clone(), &["db"], &[]);
    assert_eq!(called(&db.plan), ["app[i-app0]", "app[i-app1]", "app[i-app2]", "db", "web"]);
    assert_eq!(called(&narrowed(plan, &["web"], &[]).plan), ["web"]);
}

#[test]
fn an_exclude_leaves_out_what_would_have_to_come_after_it() {
    let plan = shop(Goal::Running, &Power::Stopped).plan();
    let db = narrowed(plan.clone(), &[], &["db"]);
    assert_eq!(called(&db.plan), ["metrics", "old"]);
    assert_eq!(names(&db.left_out), ["app[i-app0]", "app[i-app1]", "app[i-app2]", "web"]);
    let metrics = narrowed(plan.clone(), &[], &["metrics"]);
    assert!(called(&metrics.plan).contains(&"web".to_owned()), "a soft need holds nothing up");
    // What is as wanted stays, so that it is looked at before those that need it are called.
    let cache = narrowed(plan.clone(), &[], &["cache"]);
    assert_eq!(called(&cache.plan), called(&plan));
    assert_eq!(called(&narrowed(plan, &["web"], &["app*"]).plan), ["db"]);
}

#[test]
fn positions_still_point_at_the_right_changes() {
    let plan = shop(Goal::Running, &Power::Stopped).plan();
    let narrowed = narrowed(plan, &["app[i-app2]"], &[]).plan;
    for (index, group) in narrowed.groups.iter().enumerate() {
        for change in &group.changes {
            assert_eq!(narrowed.changes[*change].entry.map(|entry| entry.at()), Some(index));
        }
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error_that_knows_what_there_is() {
    let plan = shop(Goal::Running, &Power::Stopped).plan();
    let scope = Scope { targets: vec![Pattern("wbe".to_owned())], excludes: Vec::new() };
    let error = narrow(plan, &scope).expect_err("nothing matches");
    assert_eq!(error.pattern, "wbe");
    assert!(error.known.contains("web") && error.known.contains("app[i-app0]"), "{:?}", error.known);
}

#[test]
fn power_off_stops_what_shall_run_in_reverse_order_and_says_why() {
    let mut world = shop(Goal::Running, &Power::Running);
    world = world
        .entry("xkept", Goal::Running, there(Power::Running), &[])
        .with(|entry| entry.prevent_stop = true);
    let plan = world.powered_off();
    let web = plan.changes.iter().find(|change| change.address.to_string() == "web").expect("there");
    assert!(matches!(web.verdict, Verdict::Stop { .. }));
    assert_eq!(web.why, Some(Why::PoweredOff));
    let kept = plan.changes.iter().find(|change| change.address.to_string() == "xkept").expect("there");
    assert!(matches!(kept.verdict, Verdict::Blocked(_)));
    let db = plan.groups.iter().position(|group| group.name.as_str() == "db").expect("there");
    assert!(!plan.groups[db].after.is_empty(), "db is stopped after app");
}

#[test]
fn refreshing_shows_only_what_moved_and_does_nothing() {
    let world = shop(Goal::Running, &Power::Stopped)
        .record("db", "i-db", Goal::Running, Power::Running)
        .record("web", "i-web", Goal::Running, Power::Stopped);
    let plan = drift_only(world.plan());
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.changes[0].address.to_string(), "db");
    assert_eq!(plan.changes[0].verdict, Verdict::InSync);
}

fn accounts(fingerprint: Option<&str>) -> BTreeMap<ProviderAlias, Account> {
    let fingerprint = fingerprint.map(str::to_owned);
    BTreeMap::from([(ProviderAlias::main(), Account { source: "a test".to_owned(), fingerprint })])
}

fn saved(plan: Plan) -> SavedPlan {
    SavedPlan {
        limits: CallLimits { starts: Some(1), stops: None },
        made_at: NOW,
        lineage: Some(Uuid::nil()),
        serial: 3,
        configuration: "digest".to_owned(),
        accounts: accounts(Some("one")),
        shape: Shape::default(),
        plan,
    }
}

#[test]
fn a_saved_plan_reads_back_as_it_was_written() {
    let before = saved(shop(Goal::Running, &Power::Stopped).plan());
    let after = saved::read(&saved::write(&before)).expect("whole");
    assert_eq!(after.plan.changes, before.plan.changes);
    assert_eq!(after.plan.groups, before.plan.groups);
    assert_eq!((after.serial, after.lineage, after.shape), (before.serial, before.lineage, before.shape));
    assert_eq!((after.limits, after.accounts), (before.limits, before.accounts));
}

#[test]
fn a_saved_plan_is_of_another_account_only_where_that_can_be_told() {
    let mut saved = saved(shop(Goal::Running, &Power::Stopped).plan());
    for (then, now, differ) in [
        (Some("one"), Some("one"), false),
        (Some("one"), Some("other"), true),
        (Some("one"), None, false),
        (None, Some("one"), false),
        (None, None, false),
    ] {
        saved.accounts = accounts(then);
        assert_eq!(
            saved::other_accounts(&saved, &accounts(now)).len(),
            usize::from(differ),
            "{then:?} {now:?}"
        );
    }
    saved.accounts.clear();
    assert_eq!(saved::other_accounts(&saved, &accounts(Some("one"))), []);
}

#[test]
fn a_plan_file_that_is_not_as_it_was_written_is_refused() {
    let text = saved::write(&saved(shop(Goal::Running, &Power::Stopped).plan()));
    let text = String::from_utf8(text).expect("text");
    let refused = |text: &str| saved::read(text.as_bytes()).expect_err("refused");
    assert!(matches!(refused(""), Refused::NotAPlan { .. }));
    assert!(matches!(refused(&text[..text.len() / 2]), Refused::NotAPlan { .. }));
    assert!(matches!(refused("{\"format_version\":2,\"new\":true}"), Refused::Newer { version: 2 }));
    let moved = text.replace("\"init_local_disk\":false", "\"init_local_disk\":true");
    assert_ne!(moved, text);
    assert_eq!(refused(&moved), Refused::Damaged);
}

#[test]
fn a_saved_plan_is_stale_as_soon_as_an_instance_moved() {
    let planned = shop(Goal::Running, &Power::Stopped).plan();
    assert_eq!(saved::differences(&planned, &planned), []);
    let mut world = shop(Goal::Running, &Power::Stopped);
    world.see("i-db", there(Power::Running));
    let differences = saved::differences(&planned, &world.plan());
    let words: Vec<String> =
        differences.iter().map(|d| format!("{}: {} -> {}", d.address, d.planned, d.now)).collect();
    assert_eq!(words, ["db: Stopped, start -> Running, in sync"]);
    // Someone stopped what was in sync: a call that the saved plan does not list.
    world.see("i-cache", there(Power::Stopped));
    assert_eq!(saved::differences(&planned, &world.plan()).len(), 2);
}

#[test]
fn an_instance_that_was_only_waited_for_may_arrive() {
    let world = |power| World::new().entry("db", Goal::Running, there(power), &[]);
    let planned = world(Power::Starting).plan();
    assert_eq!(saved::differences(&planned, &world(Power::Running).plan()), []);
    assert_eq!(saved::differences(&planned, &world(Power::Stopped).plan()).len(), 1);
}
