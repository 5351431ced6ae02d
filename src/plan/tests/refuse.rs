//! What ECS refuses when it is asked beforehand, and what that means for the rest of the plan.

use super::world::{HARD, SOFT, START, World, address, held_up, key, stop, there};
use crate::fleet::{Goal, Power, ProviderAlias};
use crate::plan::saved::differences;
use crate::plan::{Block, Call, Plan, Verdict, refuse, refuse_again};

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
    refuse_again(&mut now, &saved);
    assert_eq!(differences(&saved, &now), []);
    assert_eq!(now.changes, saved.changes);

    // It was started by someone else: the plan rests on something that is no longer so.
    world.see("i-db", there(Power::Running));
    let mut now = world.plan();
    refuse_again(&mut now, &saved);
    assert!(differences(&saved, &now).iter().any(|difference| difference.address == address("db")));
}

#[test]
fn a_refused_start_says_nothing_about_a_stop() {
    let saved = refused(shop(Goal::Running, Power::Stopped).plan(), "i-db", Call::Start);
    let mut now = shop(Goal::Stopped, Power::Running).plan();
    refuse_again(&mut now, &saved);
    assert_eq!(*verdict(&now, "db"), stop());
}
