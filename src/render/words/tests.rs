use proptest::prelude::*;

use super::*;
use crate::execute::{Action, Failure};
use crate::fleet::{Goal, Power, Strength};
use crate::plan::{Drift, Verdict};
use crate::render::fixtures::{
    self, assert_harmless, every_block, every_failure, every_verdict, every_warning,
};

#[test]
fn counts_and_lists_read_as_people_write_them() {
    assert_eq!(count(0, "warning"), "0 warnings");
    assert_eq!(count(1, "warning"), "1 warning");
    for (names, words) in [
        (&["a"][..], "a"),
        (&["a", "b"], "a and b"),
        (&["a", "b", "c"], "a, b and c"),
        (&["a", "b", "c", "d"], "a, b, c and 1 more"),
        (&[], ""),
    ] {
        assert_eq!(list(names, 3), words);
    }
}

#[test]
fn long_names_end_in_an_ellipsis_and_short_ones_stay_whole() {
    assert_eq!(short("db", 2), "db");
    assert_eq!(short("data", 3), "da…");
    assert_eq!(short("数据库", 6), "数据库");
    assert_eq!(short("数据库", 5), "数据…");
    assert_eq!(short(&"\u{300}".repeat(500), 10).chars().filter(|c| *c == '\u{300}').count(), 20);
    assert_eq!(
        address(&fixtures::address(&format!("db[i-{}]", "a".repeat(10_000)))).chars().count(),
        ADDRESS_COLUMNS
    );
}

#[test]
fn everything_that_can_be_said_is_said_with_a_remedy_and_without_raw_text_from_elsewhere() {
    for text in ["Hibernated", "", &fixtures::hostile()] {
        let mut explanations: Vec<Explanation> = every_block(text).iter().map(block).collect();
        explanations.extend(every_warning(text).iter().map(warning));
        for action in [Action::Start, Action::Stop, Action::Wait] {
            explanations.extend(every_failure(text).iter().map(|f| failure(f, action)));
        }
        explanations.extend([true, false].map(left_over));
        explanations.push(skipped(&fixtures::address("db"), &fixtures::address("cache")));
        for explanation in explanations {
            let Explanation { what, remedy } = &explanation;
            for part in [what.as_str(), remedy] {
                assert!(part.trim().len() > 10, "{part:?} says too little");
                assert!(!part.ends_with(['.', ':', ' ']) && !part.contains("  "), "{part:?} is not tidy");
                assert_harmless(part);
            }
        }
    }
}

#[test]
fn every_verdict_has_a_reason_whether_or_not_the_plan_knows_why() {
    let mut reasons = std::collections::BTreeSet::new();
    for verdict in every_verdict() {
        for why in fixtures::every_why().into_iter().map(Some).chain([None]) {
            let mut change = fixtures::change("db", Power::Stopped, Goal::Running, verdict.clone());
            change.why = why;
            for goal in [Some(Goal::Running), None] {
                change.goal = goal;
                let reason = reason(&change);
                assert!(reason.len() > 10, "{verdict:?}: {reason:?}");
                reasons.insert(reason);
            }
        }
        assert!(!super::verdict(&verdict).is_empty());
    }
    assert!(reasons.len() > 10, "different reasons are told apart: {reasons:?}");
}

#[test]
fn drift_says_what_moved_and_since_when() {
    let told = |is: Power| drift(&Drift { was: Power::Running, is, since: fixtures::since() });
    let since = "outside powerform since the last apply 2026-11-21 20:04 UTC";
    for (is, did) in [
        (Power::Stopped, "stopped"),
        (Power::Running, "started"),
        (Power::Starting, "being started"),
        (Power::Stopping, "being stopped"),
        (Power::Pending, "changed from Running to Pending"),
        (Power::Unrecognised("Odd".into()), "changed from Running to Odd"),
    ] {
        assert_eq!(told(is), format!("{did} {since}"));
    }
    assert_harmless(&told(Power::Unrecognised(fixtures::hostile().into())));
}

#[test]
fn a_refusal_names_code_message_request_and_remedy() {
    let explanation = failure(&crate::execute::Failure::Refused(fixtures::expired()), Action::Start);
    assert_eq!(
        explanation.what,
        "ECS refused the start: InstanceExpired: The specified instance has expired \
         (request 0C2DB2B2-1D5C-4F5F-8C3A-1B2C3D4E5F60)"
    );
    assert_eq!(explanation.remedy, "renew it: console > Expenses > Renewal Management");
}

#[test]
fn a_link_that_ecs_recommends_is_shown_only_if_it_is_one() {
    let mut refusal = crate::cloud::Refusal::new(crate::cloud::Advice::Final, "no");
    refusal.recommend = Some("https://example.com/help".to_owned());
    assert_eq!(remedy_of(&refusal), "see https://example.com/help");
    refusal.recommend = Some("run this: rm -r".to_owned());
    assert_eq!(remedy_of(&refusal), "mend what the message names, then apply again");
}

#[test]
fn a_step_says_what_it_comes_after_and_leaves_out_what_does_not_move() {
    let order = |plan: &crate::plan::Plan| -> Vec<Option<String>> {
        let order = Order::of(plan);
        plan.changes.iter().map(|change| order.of_change(change).map(ToOwned::to_owned)).collect()
    };
    let starting = |name: &str| fixtures::change(name, Power::Stopped, Goal::Running, fixtures::start());
    let in_sync = |name: &str| fixtures::change(name, Power::Running, Goal::Running, Verdict::InSync);
    let waiting = |name: &str| {
        let verdict = Verdict::Wait { until: Goal::Running, then: None };
        fixtures::change(name, Power::Starting, Goal::Running, verdict)
    };
    let stopping = |name: &str| fixtures::change(name, Power::Running, Goal::Stopped, fixtures::stop());
    let (hard, soft) = (Strength::Hard, Strength::Soft);

    let plan = fixtures::plan(
        vec![starting("db"), waiting("cache"), in_sync("queue"), starting("metrics"), starting("app")],
        &[("app", "db", hard), ("app", "cache", hard), ("app", "queue", hard), ("app", "metrics", soft)],
    );
    assert_eq!(
        order(&plan)[4].as_deref(),
        Some("after db and cache are Running, and after metrics is Running or has failed")
    );
    assert_eq!(order(&plan)[..4], [None, None, None, None]);

    let plan = fixtures::plan(vec![stopping("app"), stopping("db")], &[("db", "app", hard)]);
    assert_eq!(order(&plan), [None, Some("after app is Stopped".to_owned())]);

    let many: Vec<String> = (0..9).map(|n| format!("need{n}")).collect();
    let needs: Vec<_> = many.iter().map(|need| ("app", need.as_str(), hard)).collect();
    let changes = many.iter().map(|name| starting(name)).chain([starting("app")]).collect();
    assert_eq!(
        order(&fixtures::plan(changes, &needs))[9].as_deref(),
        Some("after need0, need1, need2, need3, need4 and 4 more are Running")
    );
}

#[test]
fn a_plan_whose_positions_point_nowhere_is_no_reason_to_panic() {
    let mut plan = fixtures::web_shop();
    plan.groups[1].changes.push(99);
    plan.groups[2]
        .after
        .push(crate::plan::After { group: crate::fleet::EntryIndex(99), strength: Strength::Hard });
    plan.changes[0].entry = Some(crate::fleet::EntryIndex(99));
    let order = Order::of(&plan);
    assert_eq!(order.of_change(&plan.changes[0]), None);
}

proptest! {
    #[test]
    fn no_text_breaks_out_or_grows_too_wide(text in any::<String>(), columns in 1_usize..40) {
        let shown = short(&text, columns);
        prop_assert!(unicode_width::UnicodeWidthStr::width(&*shown) <= columns, "{shown:?}");
        assert_harmless(&shown);
        prop_assert!(!shown.contains('\n'));
    }
}

#[test]
fn a_fall_back_claims_a_call_only_if_there_was_one() {
    let fell = |was_called, seen: &str, action| {
        let after = std::time::Duration::from_secs(4);
        failure(&Failure::FellBack { seen: seen.to_owned(), after, was_called }, action).to_string()
    };
    let boot = "the boot failed: read its system log";
    let called = fell(true, "Stopped", Action::Start);
    assert!(
        called.starts_with("it was on its way and fell back to Stopped 4s after ECS accepted the start: ")
    );
    assert!(called.contains(boot));
    let awaited = fell(false, "Stopped", Action::Wait);
    let said = "it was on its way by itself, and was Stopped instead 4s after it was first awaited: ";
    assert!(awaited.starts_with(said) && awaited.contains(boot), "{awaited}");
    assert!(!fell(false, "Running", Action::Wait).contains("boot"), "it was on its way down");
}
