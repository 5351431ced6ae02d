//! The room as a whole: from instances to text, and back by the reader of configurations.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::config::{self, Configuration, ProviderSettings, Source};
use crate::fleet::{Members, Power, Region, Sighting, StackName, StoppedMode};

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn found(id_text: &str, name: &str, power: &str, tags: &[(&str, &str)]) -> Found {
    let sighting =
        Sighting { name: name.to_owned(), ..Sighting::plain(id(id_text), Power::from_word(power)) };
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Found { sighting, tags }
}

fn stopped(id_text: &str, name: &str, mode: StoppedMode, tags: &[(&str, &str)]) -> Found {
    let mut found = found(id_text, name, "Stopped", tags);
    found.sighting.stopped_mode = mode;
    found
}

fn alias(text: &str) -> ProviderAlias {
    ProviderAlias::new(text).expect("valid")
}

fn here(instances: Vec<Found>) -> Inventory {
    Inventory::from([(ProviderAlias::main(), instances)])
}

fn by_role(select: bool) -> Shape {
    Shape { group_by: Some("role".to_owned()), select, ..Shape::default() }
}

fn written(inventory: &Inventory, known: &Known, shape: &Shape) -> String {
    entries(&drafts(inventory, known, shape))
}

fn read(text: &str) -> Configuration {
    let source = Source { name: "imported.yaml".to_owned(), text: text.as_bytes().to_owned() };
    config::read(&[source])
        .unwrap_or_else(|problems| panic!("{:#?}\n{text}", problems.iter().collect::<Vec<_>>()))
}

fn whole(inventory: &Inventory, shape: &Shape) -> String {
    let region = Some(Region::new("cn-hangzhou").expect("valid"));
    let settings = inventory.keys().map(|alias| {
        (alias.clone(), ProviderSettings { region: region.clone(), ..ProviderSettings::default() })
    });
    let stack = StackName::new("imported").expect("valid");
    document(&stack, &settings.collect(), &drafts(inventory, &Known::default(), shape))
}

#[test]
fn every_instance_has_an_entry_of_its_own_with_its_status_as_the_goal() {
    let inventory = here(vec![
        found("i-2", "web", "Stopped", &[]),
        found("i-1", "web", "Running", &[]),
        found("i-3", "数据库 1", "Starting", &[]),
        found("i-4", "", "Running", &[]),
        found("i-5", " ", "Hibernated", &[]),
        stopped("i-6", "saving", StoppedMode::StopCharging, &[]),
        stopped("i-7", "kept", StoppedMode::KeepCharging, &[]),
    ]);
    assert_eq!(
        written(&inventory, &Known::default(), &Shape::default()),
        "\
i-4:
  id: i-4
  status: Running
i-5:
  # in transition, or in no known status: choose Running or Stopped once that has settled
  id: i-5 # Hibernated
  status: Any
instance-1:
  # in transition, or in no known status: choose Running or Stopped once that has settled
  id: i-3 # 数据库 1, Starting
  status: Any
kept:
  id: i-7
  status: Stopped
saving:
  id: i-6
  status: Stopped
  stop: { mode: StopCharging }
web:
  id: i-1
  status: Running
web-2:
  id: i-2 # web
  status: Stopped
"
    );
}

#[test]
fn a_group_is_split_by_status_and_by_provider_and_who_has_no_tag_stands_alone() {
    let mut scaled = found("i-5", "s", "Running", &[("role", "web")]);
    scaled.sighting.scaling_tag = Some("acs:autoscaling:scalingGroupId=asg-1".into());
    let inventory = Inventory::from([
        (alias("hk"), vec![found("i-6", "hk-1", "Running", &[("role", "web")])]),
        (
            ProviderAlias::main(),
            vec![
                found("i-1", "web-1", "Running", &[("role", "web")]),
                found("i-2", "web-2", "Stopped", &[("role", "web")]),
                stopped("i-3", "web-3", StoppedMode::StopCharging, &[("role", "web")]),
                found("i-4", "web-4\u{1b}[2J", "Stopping", &[("role", "web")]),
                scaled,
                found("i-7", "lone", "Running", &[]),
                found("i-8", "job", "Stopped", &[("role", "1.10")]),
            ],
        ),
    ]);
    assert_eq!(
        written(&inventory, &Known::default(), &by_role(false)),
        "\
lone:
  id: i-7
  status: Running
role-1.10:
  ids:
    - i-8 # job
  status: Stopped
web:
  ids:
    - i-1 # web-1
  status: Running
web-economical:
  ids:
    - i-3 # web-3
  status: Stopped
  stop: { mode: StopCharging }
web-scaled:
  # in an Auto Scaling group, which would release what is stopped
  ids:
    - i-5 # s, Running
  status: Any
web-stopped:
  ids:
    - i-2 # web-2
  status: Stopped
web-unsettled:
  # in transition, or in no known status: choose Running or Stopped once that has settled
  ids:
    - i-4 # web-4\\u{1b}[2J, Stopping
  status: Any
web-hk:
  ids:
    - i-6 # hk-1
  provider: hk
  status: Running
"
    );
}

#[test]
fn a_selection_is_written_only_where_it_comes_to_the_same_instances() {
    let inventory = here(vec![
        found("i-1", "a", "Running", &[("role", "web")]),
        found("i-2", "b", "Running", &[("role", "web")]),
        found("i-3", "c", "Running", &[("role", "db")]),
        found("i-4", "d", "Stopped", &[("role", "db")]),
        found("i-5", "e", "Running", &[("role", "known")]),
        found("i-6", "f", "Running", &[("role", "known")]),
        found("i-7", "g", "Running", &[("role", "")]),
        found("i-8", "h", "Running", &[("role", "${x}")]),
    ]);
    let known = Known { names: BTreeSet::new(), ids: HashSet::from([id("i-6")]) };
    let filter = Selector {
        tags: BTreeMap::from([("env".to_owned(), Some("true".to_owned())), ("owner".to_owned(), None)]),
        name: Some("*".to_owned()),
        ..Selector::default()
    };
    let shape = Shape { filter, ..by_role(true) };
    let text = written(&inventory, &known, &shape);
    assert_eq!(
        text,
        "\
db:
  # by ids, because not all with this tag have the same status
  ids:
    - i-3 # c
  status: Running
db-stopped:
  # by ids, because not all with this tag have the same status
  ids:
    - i-4 # d
  status: Stopped
known:
  # by ids, because others with this tag are in entries already
  ids:
    - i-5 # e
  status: Running
role:
  # by ids, because the value of the tag is empty
  ids:
    - i-7 # g
  status: Running
web:
  select: # 2 instances
    tags: { env: \"true\", owner: ~, role: web }
    name: \"*\"
  status: Running
x:
  # by ids, because the tag is nothing that a selection could name
  ids:
    - i-8 # h
  status: Running
"
    );
    let read = read(&whole(&inventory, &shape));
    let web = read.desired.entries.iter().find(|entry| entry.name.as_str() == "web").expect("there");
    let mut selector = shape.filter.clone();
    selector.tags.insert("role".to_owned(), Some("web".to_owned()));
    assert_eq!(web.selection().map(|selection| &selection.selector), Some(&selector));
}

#[test]
fn what_the_configuration_has_already_is_left_out_and_its_names_stay_its_own() {
    let inventory = Inventory::from([
        (
            ProviderAlias::main(),
            vec![found("i-1", "web", "Running", &[]), found("i-2", "web", "Running", &[])],
        ),
        // The same account by another name.
        (alias("again"), vec![found("i-2", "web", "Running", &[])]),
    ]);
    let names = ["web", "web-2"].map(str::to_owned);
    let known = Known { names: BTreeSet::from(names), ids: HashSet::from([id("i-1")]) };
    assert_eq!(
        written(&inventory, &known, &Shape::default()),
        "web-3:\n  id: i-2 # web\n  status: Running\n"
    );
}

#[test]
fn instances_stopped_otherwise_than_the_file_would_stop_them_say_so() {
    let inventory = here(vec![
        stopped("i-1", "saving", StoppedMode::StopCharging, &[]),
        stopped("i-2", "kept", StoppedMode::KeepCharging, &[]),
    ]);
    let shape = Shape { stop_mode: StopMode::StopCharging, ..Shape::default() };
    assert_eq!(
        written(&inventory, &Known::default(), &shape),
        "\
kept:
  id: i-2
  status: Stopped
  stop: { mode: KeepCharging }
saving:
  id: i-1
  status: Stopped
"
    );
}

#[test]
fn long_names_are_cut_and_stay_unique() {
    let name = "a".repeat(128);
    let inventory = here((1..=12).map(|n| found(&format!("i-{n}"), &name, "Running", &[])).collect());
    let names: BTreeSet<String> = drafts(&inventory, &Known::default(), &Shape::default())
        .iter()
        .map(|draft| draft.name.to_string())
        .collect();
    assert_eq!(names.len(), 12);
    assert!(names.iter().all(|name| name.len() <= 63));
    assert!(
        names.contains(&"a".repeat(63)) && names.contains(&format!("{}-12", "a".repeat(60))),
        "{names:?}"
    );
}

prop_compose! {
    fn any_found()(
        name in ".{0,12}",
        power in select(vec!["Running", "Stopped", "Starting", "Stopping", "Pending", "Odd\nword"]),
        mode in select(vec![StoppedMode::KeepCharging, StoppedMode::StopCharging, StoppedMode::NotApplicable]),
        role in proptest::option::of(prop_oneof![".{0,6}", select(vec!["web", "Web", "true", "1.10", "~", "a: b", "<<"]).prop_map(str::to_owned)]),
        is_scaled in proptest::bool::weighted(0.1),
    ) -> (Sighting, Option<String>) {
        let scaling_tag = is_scaled.then(|| "acs:x=y".into());
        let plain = Sighting::plain(id("i-0"), Power::from_word(power));
        (Sighting { name, stopped_mode: mode, scaling_tag, ..plain }, role)
    }
}

proptest! {
    #[test]
    fn whatever_exists_reads_back_as_what_it_is(
        instances in proptest::collection::vec((any_found(), any::<bool>()), 0..24),
        is_grouped: bool,
        is_selected: bool,
        key in prop_oneof![Just("role".to_owned()), ".{1,6}"],
    ) {
        let mut inventory = Inventory::from([(ProviderAlias::main(), Vec::new()), (alias("hk"), Vec::new())]);
        let mut all = BTreeMap::new();
        for (number, ((sighting, role), is_elsewhere)) in instances.into_iter().enumerate() {
            let sighting = Sighting { id: id(&format!("i-{number}")), ..sighting };
            let tags = role.map(|role| (key.clone(), role)).into_iter().collect();
            let provider = if is_elsewhere { alias("hk") } else { ProviderAlias::main() };
            all.insert(sighting.id.clone(), (provider.clone(), sighting.clone()));
            inventory.entry(provider).or_default().push(Found { sighting, tags });
        }
        let shape = Shape {
            group_by: is_grouped.then(|| key.clone()),
            select: is_selected,
            ..Shape::default()
        };
        let text = whole(&inventory, &shape);
        let backwards = inventory.iter().map(|(alias, found)| (alias.clone(), found.iter().rev().cloned().collect()));
        prop_assert_eq!(&whole(&backwards.collect(), &shape), &text);
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));

        let read = read(&text);
        prop_assert_eq!(read.warnings.iter().count(), 0);
        let mut seen = BTreeSet::new();
        for entry in &read.desired.entries {
            let ids: Vec<InstanceId> = match &entry.members {
                Members::Selected(selection) => {
                    let fits = |found: &&Found| selection.selector.tags.iter().all(|(key, value)| found.tags.get(key) == value.as_ref());
                    inventory[&entry.provider].iter().filter(fits).map(|found| found.sighting.id.clone()).collect()
                }
                _ => entry.ids().to_vec(),
            };
            for id in ids {
                let (provider, sighting) = &all[&id];
                prop_assert_eq!(&entry.provider, provider);
                prop_assert!(entry.goal.is_met_by(&sighting.power));
                let is_settled = matches!(sighting.power, Power::Running | Power::Stopped) && sighting.scaling_tag.is_none();
                prop_assert_eq!(entry.goal == Goal::Any, !is_settled);
                if entry.goal == Goal::Stopped && sighting.stopped_mode != StoppedMode::NotApplicable {
                    prop_assert_eq!(entry.stop.mode.word(), sighting.stopped_mode.word());
                }
                prop_assert!(seen.insert(id));
            }
        }
        prop_assert_eq!(seen.len(), all.len());
    }
}
