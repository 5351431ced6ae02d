//! What stands between a plan and its calls: versions, limits, the machine itself, Auto Scaling groups, lost data.

use crate::harness::Scenario;

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
