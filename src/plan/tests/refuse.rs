//! What ECS refuses when it is asked beforehand, and what that means for the rest of the plan.

use super::world::{HARD, SOFT, START, World, address, held_up, key, stop, there};
use crate::fleet::{Goal, InstanceId, Power, ProviderAlias};
use crate::plan::saved::differences;
use crate::plan::{Block, Call, Plan, Then, Verdict, Warning, keep_refusals, refuse, spare_own_machine};

fn no(call: Call) -> Block {
    Block::Refused {
        call,
        code: "Forbidden.RAM".to_owned(),
        message: "not you".to_owned(),
        request_id: None,
        remedy: None,
    }
}

fn refused(mut plan: Plan, id: &str, call: Call) -> Plan {
    refuse(&mut plan, [(key(ProviderAlias::main().as_str(), id), no(call))]);
    plan
}

fn verdict<'p>(plan: &'p Plan, at: &str) -> &'p Verdict {
    let found = plan.changes.iter().find(|change| change.address == address(at));
    &found.unwrap_or_else(|| panic!("nothing is said of {at}")).verdict
}

fn shop(goal: Goal, power: Power) -> World {
    World::new()
        .entry("app", goal, there(power.clone()), &[("db", HARD)])
        .entry("db", goal, there(power.clone()), &[])
        .entry("metrics", goal, there(power.clone()), &[("db", SOFT)])
        .entry("web", goal, there(power), &[("app", HARD)])
}

#[test]
fn a_refused_start_is_blocked_and_holds_up_what_hard_needs_it() {
    let plan = refused(shop(Goal::Running, Power::Stopped).plan(), "i-db", Call::Start);
    assert_eq!(*verdict(&plan, "db"), Verdict::Blocked(no(Call::Start)));
    assert_eq!(*verdict(&plan, "app"), held_up("db", "db"));
    assert_eq!(*verdict(&plan, "web"), held_up("app", "db"));
    assert_eq!(*verdict(&plan, "metrics"), START);
    let with_a_reason_to_act = plan.changes.iter().filter(|change| change.why.is_some());
    assert_eq!(
        with_a_reason_to_act.map(|change| change.address.to_string()).collect::<Vec<_>>(),
        ["metrics"]
    );
}

#[test]
fn a_refused_stop_holds_up_the_stops_of_what_it_needs() {
    let plan = refused(shop(Goal::Stopped, Power::Running).plan(), "i-app", Call::Stop);
    assert_eq!(*verdict(&plan, "app"), Verdict::Blocked(no(Call::Stop)));
    assert_eq!(*verdict(&plan, "db"), held_up("app", "app"));
    assert_eq!(*verdict(&plan, "web"), stop());
    assert_eq!(*verdict(&plan, "metrics"), stop());
}

#[test]
fn only_calls_are_refused_and_holding_up_again_changes_nothing() {
    let world = shop(Goal::Running, Power::Running).entry("old", Goal::Running, there(Power::Stopped), &[]);
    let world = world.locked("security").entry("zoo", Goal::Running, there(Power::Stopped), &[("old", HARD)]);
    let plan = world.plan();
    for id in ["i-db", "i-old", "i-zoo", "i-unknown"] {
        assert_eq!(refused(plan.clone(), id, Call::Start).changes, plan.changes, "{id}");
    }
}

#[test]
fn what_was_refused_for_a_saved_plan_stays_refused_and_does_not_make_it_stale() {
    let mut world = shop(Goal::Running, Power::Stopped);
    let saved = refused(world.plan(), "i-db", Call::Start);
    assert_ne!(differences(&saved, &world.plan()), [], "without its refusals the plan is another");

    let mut now = world.plan();
    keep_refusals(&mut now, &saved);
    assert_eq!(differences(&saved, &now), []);
    assert_eq!(now.changes, saved.changes);

    // It was started by someone else: the plan rests on something that is no longer so.
    world.see("i-db", there(Power::Running));
    let mut now = world.plan();
    keep_refusals(&mut now, &saved);
    assert!(differences(&saved, &now).iter().any(|difference| difference.address == address("db")));
}

#[test]
fn a_refused_start_says_nothing_about_a_stop() {
    let saved = refused(shop(Goal::Running, Power::Stopped).plan(), "i-db", Call::Start);
    let mut now = shop(Goal::Stopped, Power::Running).plan();
    keep_refusals(&mut now, &saved);
    assert_eq!(*verdict(&now, "db"), stop());
}

fn spared(mut plan: Plan, id: &str, allowed: bool) -> Plan {
    spare_own_machine(&mut plan, &InstanceId::new(id).expect("valid"), allowed);
    plan
}

#[test]
fn the_machine_that_powerform_runs_on_is_not_stopped_nor_what_it_needs() {
    let plan = spared(shop(Goal::Stopped, Power::Running).plan(), "i-app", false);
    assert_eq!(*verdict(&plan, "app"), Verdict::Blocked(Block::OwnMachine));
    assert_eq!(*verdict(&plan, "db"), held_up("app", "app"));
    assert_eq!((verdict(&plan, "web"), verdict(&plan, "metrics")), (&stop(), &stop()));

    let pending = World::new().entry("app", Goal::Stopped, there(Power::Pending), &[]).plan();
    let then = Some(Then::Blocked(Block::OwnMachine));
    let plan = spared(pending, "i-app", false);
    assert_eq!(*verdict(&plan, "app"), Verdict::Wait { until: Goal::Stopped, then });
}

#[test]
fn nothing_but_a_stop_of_its_own_machine_concerns_powerform() {
    for (goal, power, id) in [
        (Goal::Running, Power::Stopped, "i-app"),
        (Goal::Running, Power::Running, "i-app"),
        (Goal::Stopped, Power::Stopped, "i-app"),
        (Goal::Stopped, Power::Stopping, "i-app"),
        (Goal::Stopped, Power::Running, "i-elsewhere"),
    ] {
        let plan = shop(goal, power).plan();
        assert_eq!(spared(plan.clone(), id, false).changes, plan.changes);
        assert_eq!(spared(plan.clone(), id, true).changes, plan.changes);
    }
    let allowed = spared(shop(Goal::Stopped, Power::Running).plan(), "i-app", true);
    assert_eq!((verdict(&allowed, "app"), verdict(&allowed, "db")), (&stop(), &stop()));
    let app = allowed.changes.iter().find(|change| change.address == address("app")).expect("is there");
    assert_eq!(app.warnings, [Warning::OwnMachine]);
}

#[test]
fn what_a_saved_plan_spared_stays_spared_elsewhere() {
    for power in [Power::Running, Power::Pending] {
        let world = World::new().entry("app", Goal::Stopped, there(power), &[]);
        let saved = spared(world.plan(), "i-app", false);
        let mut now = world.plan();
        assert!(!differences(&saved, &now).is_empty());
        keep_refusals(&mut now, &saved);
        assert_eq!(differences(&saved, &now), []);
    }
}
