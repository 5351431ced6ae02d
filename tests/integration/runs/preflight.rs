//! Plans that ask ECS itself, by rehearsals, about every call that they hold.

use super::refusals::{CONFIGURATION, account};
use crate::harness::{Scenario, World, side_by_side};

#[test]
fn what_the_permissions_do_not_allow_is_blocked_before_anything_is_called() {
    side_by_side(&World::BOTH, |world| {
        let account = "instances: [{ id: i-a }, { id: i-b }, { id: i-c, status: Running }, { id: i-d, status: Running }]\n\
             permissions: { deny: [StartInstance] }\n";
        let configuration = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
  c: { id: i-c, status: Stopped }
  d: { id: i-d, status: Running }
";
        let scenario = Scenario::in_world(*world, account, configuration);
        assert_eq!(scenario.plan().log.rehearsals().len(), 0, "only who asks for it is told");

        let plan = scenario.run(&["plan", "--preflight"]).exits(0);
        let rehearsed: Vec<String> = {
            let mut words: Vec<String> = plan.log.rehearsals().iter().map(|call| call.words()).collect();
            words.sort();
            words
        };
        assert_eq!(rehearsed, ["Start i-a", "Start i-b", "Stop i-c"], "each call once");
        assert!(plan.calls().is_empty());
        let plan =
            plan.prints(&["asked beforehand, ECS refuses the start: Forbidden.RAM", "ecs:StartInstance"]);
        for refused in ["a", "b"] {
            assert_eq!(plan.lines.planned_of(refused).reason_code(), "refused");
        }
        assert_eq!(plan.lines.planned_of("c").action(), "stop");
        scenario.run(&["plan", "--preflight", "--detailed-exitcode"]).exits(2);
    });
}

#[test]
fn what_a_saved_plan_was_refused_is_not_called_and_not_asked_again() {
    let scenario =
        Scenario::new(&account("nth: 1, error: InvalidParameter.KMSKeyId.KMSUnauthorized"), CONFIGURATION);
    let plan = scenario.run(&["plan", "--preflight", "--out", "refused.plan"]).exits(0);
    let request_id = &plan
        .log
        .rehearsals()
        .iter()
        .find(|call| call.instance() == "i-x")
        .expect("asked")
        .request
        .request_id;
    let reason = plan.lines.planned_of("x").reason();
    assert!(reason.contains("KMSUnauthorized") && reason.contains(request_id), "{reason}");
    for held_up in ["y", "yy"] {
        assert_eq!(plan.lines.planned_of(held_up).reason_code(), "held_up");
    }
    scenario.run(&["show", "refused.plan"]).exits(0).prints(&["KMSUnauthorized", "Key Management Service"]);

    // The fault is over, and a start would be accepted now; but this plan does not hold it.
    let applied = scenario.run(&["apply", "refused.plan"]).exits(1);
    assert_eq!(applied.log.rehearsals().len(), 0);
    let mut calls = applied.calls();
    calls.sort();
    assert_eq!(calls, ["Start i-w", "Start i-z"]);
    assert_eq!(applied.lines.planned_of("x").reason_code(), "refused");
    scenario.converge();
}

#[test]
fn an_answer_that_may_pass_is_a_warning_and_blocks_nothing() {
    for code in ["InstanceNotReady", "IncorrectInstanceStatus"] {
        let scenario = Scenario::new(&account(&format!("error: {code}, times: 9")), CONFIGURATION);
        let plan = scenario.run(&["plan", "--preflight"]).exits(0).complains(&[
            "warning: asked beforehand, ECS did not say whether it would start x",
            code,
            "What to do: ",
        ]);
        assert_eq!(plan.lines.planned().filter(|planned| planned.action() == "start").count(), 5, "{code}");
    }
}

#[test]
fn more_questions_than_ecs_takes_are_asked_in_turn() {
    let instances: Vec<String> = (0..30).map(|at| format!("{{ id: i-{at} }}")).collect();
    let ids: Vec<String> = (0..30).map(|at| format!("i-{at}")).collect();
    let account = format!("limits: {{ StartInstance: 20/s }}\ninstances: [{}]\n", instances.join(", "));
    let configuration = format!("instances:\n  a: {{ ids: [{}], status: Running }}\n", ids.join(", "));
    let plan = Scenario::new(&account, &configuration).run(&["plan", "--preflight"]).exits(0);
    assert!(!plan.stderr.contains("asked beforehand"), "{}", plan.stderr);
    let settled =
        plan.log.rehearsals().iter().filter(|call| call.request.answer == "DryRunOperation").count();
    assert_eq!(settled, 30);
}

#[test]
fn a_plan_that_calls_nothing_has_nothing_to_ask() {
    let scenario = Scenario::new(
        "instances: [{ id: i-a, status: Running }]\n",
        "instances:\n  a: { id: i-a, status: Running }\n",
    );
    assert_eq!(scenario.run(&["plan", "--preflight"]).exits(0).log.rehearsals().len(), 0);
    scenario.run(&["plan", "--preflight", "--refresh-only"]).exits(1).complains(&["cannot be used with"]);
}
