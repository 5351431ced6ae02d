//! Selections: what they fit, what is new about that, and what follows where nobody knows.

use super::world::{HARD, World, address, held_up, there};
use crate::fleet::{Goal, InstanceId, Power, Selected, Selection, Selector};
use crate::plan::{
    Block, Misselected, Plan, SelectionOutcome, Verdict, Why, check_selections, narrow, plan, saved,
};

const WHY: &str = "the region is gone";

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

/// `batch` selects by a tag, `web` is named and needs it, `other` is by itself.
struct Fleet {
    world: World,
    at_least: u32,
}

impl Fleet {
    fn new() -> Self {
        let world = World::new()
            .several("batch", Goal::Running, &[there(Power::Running), there(Power::Stopped)], &[])
            .entry("other", Goal::Running, there(Power::Stopped), &[])
            .entry("web", Goal::Running, there(Power::Stopped), &[("batch", HARD)]);
        Self { world, at_least: 1 }
    }

    fn recorded(mut self, ids: &[&str]) -> Self {
        for id in ids {
            self.world = self.world.record(&format!("batch[{id}]"), id, Goal::Running, Power::Running);
        }
        self
    }

    fn parts(&self, selected: Selected) -> (crate::fleet::Desired, crate::fleet::Actual) {
        let mut desired = self.world.desired();
        let selector =
            Selector { tags: [("role".to_owned(), Some("batch".to_owned()))].into(), ..Selector::default() };
        let selection = Selection { selector, except: Vec::new(), at_least: self.at_least };
        desired.entries[0].members = crate::fleet::Members::Selected(Box::new(selection));
        let mut actual = self.world.actual();
        actual.selected.insert(crate::fleet::EntryIndex(0), selected);
        (desired, actual)
    }

    fn plan(&self, selected: Selected) -> Plan {
        let (desired, actual) = self.parts(selected);
        plan(&desired, self.world.recorded.as_ref(), &actual).expect("no cycle")
    }

    fn check(&self, selected: Selected) -> Result<(), Misselected> {
        let (desired, actual) = self.parts(selected);
        check_selections(&desired, &actual)
    }
}

fn fit(ids: &[&str]) -> Selected {
    Selected::Matched(ids.iter().map(|text| id(text)).collect())
}

fn verdict<'p>(plan: &'p Plan, at: &str) -> &'p Verdict {
    let change = plan.changes.iter().find(|change| change.address == address(at));
    &change.unwrap_or_else(|| panic!("nothing is said of {at}")).verdict
}

fn why(plan: &Plan, at: &str) -> Option<Why> {
    plan.changes.iter().find(|change| change.address == address(at)).and_then(|change| change.why.clone())
}

#[test]
fn what_fits_is_planned_as_if_it_were_listed_and_what_is_new_is_named() {
    let first = Fleet::new().plan(fit(&["i-batch0", "i-batch1"]));
    assert_eq!(verdict(&first, "batch[i-batch0]"), &Verdict::InSync);
    assert!(matches!(verdict(&first, "batch[i-batch1]"), Verdict::Start { .. }));
    assert_eq!(why(&first, "batch[i-batch1]"), Some(Why::NewlyManaged));
    let outcome = |plan: &Plan| plan.selections().next().expect("one selects").1.outcome.clone();
    let none = Vec::new;
    assert_eq!(
        outcome(&first),
        SelectionOutcome::Fit { instances: 2, newly: none(), no_longer: none() },
        "nothing is new to an entry that was never applied"
    );
    let later = Fleet::new().recorded(&["i-batch0", "i-gone"]).plan(fit(&["i-batch0", "i-batch1"]));
    assert_eq!(
        outcome(&later),
        SelectionOutcome::Fit { instances: 2, newly: vec![id("i-batch1")], no_longer: vec![id("i-gone")] }
    );
    assert_eq!(why(&later, "batch[i-batch1]"), Some(Why::NewlySelected));
    assert_eq!(verdict(&later, "batch[i-gone]"), &Verdict::Release);
    assert_eq!(why(&later, "batch[i-gone]"), Some(Why::NoLongerSelected));
}

#[test]
fn where_nobody_knows_what_fits_nothing_is_released_and_what_depends_on_it_is_blocked() {
    let not_seen = || Selected::NotSeen { why: WHY.to_owned() };
    let blind = Verdict::Blocked(Block::NotSeen { why: WHY.to_owned() });
    for recorded in [&[][..], &["i-batch0", "i-gone"]] {
        let plan = Fleet::new().recorded(recorded).plan(not_seen());
        for id in recorded {
            assert_eq!(verdict(&plan, &format!("batch[{id}]")), &blind);
        }
        let by = if recorded.is_empty() { "batch" } else { "batch[i-batch0]" };
        let expected = if recorded.is_empty() { held_up("batch", "batch") } else { held_up(by, by) };
        let web = verdict(&plan, "web");
        assert!(*web == expected || *web == held_up("batch", "batch"), "{web:?}");
        assert!(matches!(verdict(&plan, "other"), Verdict::Start { .. }), "a region holds up its own only");
        let tally = plan.tally();
        assert_eq!((tally.unknown, tally.release), (1, 0));
        assert!(tally.holds_anything());
        assert!(!crate::execute::Report::default().meets_every_goal(&plan));
    }
}

#[test]
fn too_few_and_shared_instances_are_named_with_their_entries() {
    let fleet = Fleet::new();
    assert_eq!(fleet.check(fit(&["i-batch0"])), Ok(()));
    assert_eq!(fleet.check(Selected::NotSeen { why: WHY.to_owned() }), Ok(()), "that is another matter");
    let none = fleet.check(fit(&[])).expect_err("too few").to_string();
    assert!(none.starts_with(
        "no instance fits the selection of the entry batch (tag role=batch), and one at least has to"
    ));
    assert!(none.contains("ecs:DescribeInstances") && none.contains("`at_least: 0`"), "{none}");
    assert_eq!(Fleet { at_least: 0, ..Fleet::new() }.check(fit(&[])), Ok(()));
    let few =
        Fleet { at_least: 3, ..Fleet::new() }.check(fit(&["i-batch0", "i-batch1"])).expect_err("too few");
    assert!(few.to_string().starts_with("only 2 instances fit"), "{few}");
    let shared = fleet.check(fit(&["i-batch0", "i-web"])).expect_err("shared").to_string();
    assert!(shared.contains("the instance i-web is in two entries, batch and web"), "{shared}");
}

#[test]
fn a_saved_plan_is_another_one_as_soon_as_something_else_fits() {
    let fleet = Fleet::new();
    let then = fleet.plan(fit(&["i-batch1"]));
    assert!(saved::differences(&then, &fleet.plan(fit(&["i-batch1"]))).is_empty());
    let more = saved::differences(&then, &fleet.plan(fit(&["i-batch0", "i-batch1"])));
    let named: Vec<_> = more.iter().map(|it| (it.address.to_string(), it.now.as_str())).collect();
    assert_eq!(
        named,
        [("batch[i-batch0]".to_owned(), "Running, in sync")],
        "though nothing is to be done about it"
    );
    let fewer = saved::differences(&then, &fleet.plan(fit(&[])));
    assert_eq!(fewer[0].address.to_string(), "batch[i-batch1]");
}

#[test]
fn an_entry_that_selects_nothing_can_be_targeted_all_the_same() {
    let fleet = Fleet { at_least: 0, ..Fleet::new() };
    let scope = |pattern: &str| crate::plan::Scope {
        targets: vec![crate::plan::Pattern(pattern.to_owned())],
        excludes: Vec::new(),
    };
    assert!(narrow(fleet.plan(fit(&[])), &scope("batch")).expect("known").plan.changes.is_empty());
    let unknown = narrow(fleet.plan(fit(&[])), &scope("btach")).expect_err("unknown");
    assert!(unknown.known.contains("batch"));
}
