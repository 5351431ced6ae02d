//! What stands between a plan and its calls: versions, limits, the machine itself, Auto Scaling groups, lost data.

use crate::harness::{MetadataService, Scenario, World};

#[test]
fn a_file_for_another_version_is_refused_by_every_command_that_reads_it() {
    let scenario = Scenario::new(
        "instances: [{ id: i-x }]\n",
        "required_version: \"~> 88.1\"\ninstances: { x: { id: i-x, status: Running } }\n",
    );
    scenario.write("p.plan", "{}");
    for command in [
        &["validate"][..],
        &["plan"],
        &["apply", "--auto-approve"],
        &["apply", "p.plan"],
        &["show"],
        &["state", "list"],
        &["state", "rm", "x"],
        &["doctor"],
        &["force-unlock", "--force", "00000000-0000-0000-0000-000000000000"],
    ] {
        let refused = scenario.run(command).exits(1).complains(&[
            "this needs powerform ~> 88.1",
            "powerform.yaml:3:19",
            "help: run a version that fits",
        ]);
        assert!(refused.log.looks().is_empty(), "{command:?}");
    }
    scenario.write_configuration(
        "required_version: \">= 0.1, < 88\"\ninstances: { x: { id: i-x, status: Running } }\n",
    );
    scenario.converge();
}

#[test]
fn a_plan_over_a_limit_is_shown_and_applied_only_with_a_word_of_its_own() {
    let fleet = "instances:
  a: { ids: [i-a, i-b], status: Running }
  c: { id: i-c, status: Running }
  d: { id: i-d, status: Stopped }
";
    let account = "instances:
  - { id: i-a }
  - { id: i-b }
  - { id: i-c, status: Pending, start: 300ms }
  - { id: i-d, status: Running }
";
    let with = |limits: &str| Scenario::new(account, &format!("limits: {limits}\n{fleet}"));
    let scenario = with("{ starts: 2, stops: 0 }");
    let over = [
        "holds 3 starts, and limits.starts allows 2",
        "holds 1 stop, and limits.stops allows 0",
        "--allow-over-limit",
    ];
    // What may follow a Pending instance counts.
    let plan = scenario.run(&["plan", "--out", "p.plan"]).exits(0).complains(&over);
    let plan = plan.prints(&["2 to start, 1 to stop, 1 to wait for"]);
    assert_eq!(plan.lines.of_type("diagnostic").len(), 2);
    scenario.run(&["show", "p.plan"]).exits(0).complains(&over);
    let document = scenario.run(&["show", "p.plan", "--json"]).exits(0).stdout;
    let document: serde_json::Value = serde_json::from_str(&document).expect("one document");
    assert_eq!((&document["limits"]["starts"], &document["limits"]["stops"]), (&2.into(), &0.into()));

    for command in [&["apply", "--auto-approve"][..], &["apply", "p.plan"]] {
        let refused = scenario.run(command).exits(1).complains(&over).complains(&["nothing was called"]);
        assert!(refused.calls().is_empty() && !scenario.state().exists(), "{command:?}");
    }
    // A narrower plan is within them.
    scenario.run(&["apply", "--auto-approve", "--target", "a"]).exits(0);
    scenario.run(&["plan", "--out", "p.plan"]).exits(0);
    scenario.run(&["apply", "p.plan", "--allow-over-limit"]).exits(0);
    scenario.is_in_sync();

    let scenario = with("{ starts: 3, stops: 1 }");
    let plan = scenario.plan();
    assert!(!plan.stderr.contains("limit"), "{}", plan.stderr);
    scenario.converge();
}

#[test]
fn a_member_of_an_auto_scaling_group_is_not_stopped_unless_its_entry_allows_it() {
    let account = "instances:
  - { id: i-a, status: Running, tags: { role: web, \"acs:autoscaling:scalingGroupId\": asg-1 } }
  - { id: i-b, status: Running, tags: { role: web } }
  - { id: i-c, tags: { \"acs:autoscaling:scalingGroupId\": asg-1 } }
";
    let fleet = |keys: &str| {
        format!(
            "instances:\n  a: {{ id: i-a, status: Stopped{keys} }}\n  b: {{ id: i-b, status: Stopped }}\n  \
             c: {{ id: i-c, status: Running }}\n"
        )
    };
    for format in ["json", "xml"] {
        let mut scenario = Scenario::new(account, "");
        scenario.provide(&format!("format: {format}"));
        scenario.write_configuration(&fleet(""));
        let kept = scenario.apply().exits(1).prints(&[
            "belongs to (acs:autoscaling:scalingGroupId=asg-1)",
            "write allow_autoscaling: true into its entry",
        ]);
        let planned = kept.lines.planned_of("a");
        assert_eq!((planned.action(), planned.reason_code()), ("blocked", "autoscaling"));
        let mut calls = kept.calls();
        calls.sort();
        assert_eq!(calls, ["Start i-c", "Stop i-b"], "a start needs no leave");
        scenario.run(&["apply", "--auto-approve", "--power-off"]).exits(1);

        scenario.write_configuration(&fleet(", allow_autoscaling: true"));
        let stopped = scenario.apply().exits(0);
        assert_eq!(stopped.lines.planned_of("a").warnings(), ["autoscaling_member"]);
        scenario.write_configuration(&format!("defaults: {{ allow_autoscaling: true }}\n{}", fleet("")));
        scenario.run(&["apply", "--auto-approve", "--power-off"]).exits(0);
    }
}

/// `own` needs `db`; `free` has nothing to do with either. All run and shall be stopped.
fn stopping() -> Scenario {
    let account = "instances:
  - { id: i-db, status: Running }
  - { id: i-own, status: Running }
  - { id: i-free, status: Running }
";
    let fleet = "instances:
  db: { id: i-db, status: Stopped }
  own: { id: i-own, status: Stopped, depends_on: [db] }
  free: { id: i-free, status: Stopped }
";
    Scenario::in_world(World::Served, account, fleet)
}

/// Puts the scenario on an instance.
fn move_to(scenario: &mut Scenario, service: &MetadataService) {
    scenario.set("POWERFORM_METADATA_SERVICE", &service.address);
    scenario.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false");
}

#[test]
fn powerform_does_not_stop_the_machine_that_it_runs_on() {
    let mut scenario = stopping();
    move_to(&mut scenario, &MetadataService::start(Some("i-own")));
    let plan = scenario.plan().prints(&["powerform runs on it", "--allow-self-stop"]);
    let reasons = ["own", "db", "free"].map(|at| plan.lines.planned_of(at).reason_code().to_owned());
    assert_eq!(reasons, ["own_machine", "held_up", "newly_managed"]);
    let applied = scenario.apply().exits(1);
    assert_eq!(applied.calls(), ["Stop i-free"]);

    let off = scenario.run(&["apply", "--auto-approve", "--allow-self-stop"]).exits(0);
    assert_eq!(off.calls(), ["Stop i-own", "Stop i-db"]);
    assert_eq!(off.lines.planned_of("own").warnings(), ["stops_own_machine"]);
}

#[test]
fn powering_everything_off_spares_the_machine_that_powerform_runs_on() {
    let mut scenario = Scenario::in_world(
        World::Served,
        "instances: [{ id: i-own, status: Running }, { id: i-free, status: Running }]\n",
        "instances: { own: { id: i-own, status: Running }, free: { id: i-free, status: Running } }\n",
    );
    move_to(&mut scenario, &MetadataService::start(Some("i-own")));
    let off = scenario.run(&["apply", "--auto-approve", "--power-off"]).exits(1);
    assert_eq!(off.lines.planned_of("own").reason_code(), "own_machine");
    assert_eq!(off.calls(), ["Stop i-free"]);
}

#[test]
fn a_pending_machine_that_powerform_runs_on_is_awaited_and_not_stopped() {
    let mut scenario = Scenario::in_world(
        World::Served,
        "instances: [{ id: i-own, status: Pending, start: 1h }]\n",
        "instances: { own: { id: i-own, status: Stopped } }\n",
    );
    move_to(&mut scenario, &MetadataService::start(Some("i-own")));
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    apply.running().until("own is waited for", |running| running.stderr().contains("own: "));
    scenario.click("i-own", "Running");
    let kept = apply.finish().exits(1).prints(&["then: no stop if Running: powerform runs on it"]);
    assert!(kept.calls().is_empty());
}

#[test]
fn which_machine_this_is_matters_only_where_something_is_stopped_and_may_stay_unknown() {
    let mut scenario = stopping();
    let service = MetadataService::start(Some("i-own"));
    move_to(&mut scenario, &service);
    scenario.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "TRUE");
    scenario.converge();
    assert_eq!(service.asked(), 0, "asking is forbidden");
    scenario.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false");
    scenario.plan();
    scenario.write_configuration("instances: { own: { id: i-own, status: Running } }\n");
    scenario.converge();
    assert_eq!(service.asked(), 0, "nothing is stopped");

    let mut scenario = stopping();
    move_to(&mut scenario, &MetadataService::start(None));
    scenario.converge();
}

#[test]
fn a_saved_plan_stops_no_machine_that_it_is_applied_on_or_was_made_on() {
    let mut scenario = stopping();
    scenario.run(&["plan", "--out", "elsewhere.plan"]).exits(0);
    move_to(&mut scenario, &MetadataService::start(Some("i-own")));
    let words =
        ["stale", "own: planned on Running, stop; now Running, blocked, because powerform runs on it"];
    let refused = scenario.run(&["apply", "elsewhere.plan"]).exits(1).complains(&words);
    assert!(refused.calls().is_empty());

    scenario.run(&["plan", "--out", "here.plan"]).exits(0);
    scenario.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let spared = scenario.run(&["apply", "here.plan", "--allow-self-stop"]).exits(1);
    let spared = spared.complains(&["--allow-self-stop adds no call to a saved plan"]);
    assert_eq!(spared.calls(), ["Stop i-free"]);

    scenario.run(&["plan", "--out", "elsewhere.plan"]).exits(0);
    scenario.set("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "false");
    let stopped = scenario.run(&["apply", "elsewhere.plan", "--allow-self-stop"]).exits(0);
    assert_eq!(stopped.calls(), ["Stop i-own", "Stop i-db"]);
}

#[test]
fn a_look_that_shows_none_of_many_known_instances_ends_the_run() {
    for (known, ends) in [(9, false), (10, true)] {
        let ids: Vec<String> = (0..known).map(|number| format!("i-{number}")).collect();
        let instances: String =
            ids.iter().map(|id| format!("  - {{ id: {id}, status: Running }}\n")).collect();
        let fleet = format!("instances: {{ app: {{ ids: [{}], status: Running }} }}\n", ids.join(", "));
        let scenario = Scenario::new(&format!("instances:\n{instances}"), &fleet);
        scenario.converge();
        let record = std::fs::read(scenario.state()).unwrap();
        scenario.write_account("instances: [{ id: i-other }]\n");
        if ends {
            let words = ["none of the 10 instances", "the credentials may not be allowed to see them"];
            scenario.run(&["plan"]).exits(1).complains(&words);
            scenario.apply().exits(1).complains(&words);
        } else {
            let plan = scenario.plan();
            assert_eq!(plan.lines.planned_of("app[i-0]").reason_code(), "not_visible");
        }
        assert_eq!(std::fs::read(scenario.state()).unwrap(), record, "nothing is forgotten");
    }
}
