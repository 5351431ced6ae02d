//! One topology for test, staging and production: variables, files that add up, and overlays.

use crate::harness::Scenario;

const ACCOUNT: &str = "instances: [{ id: i-db }, { id: i-app1 }, { id: i-app2 }]\n";

const SHOP: &str = "variables:
  width: { type: number, default: 1 }
  goal: Running
instances:
  db: { id: i-db, status: \"${var.goal}\" }
  app: { ids: [i-app1, i-app2], status: \"${var.goal}\", depends_on: [db], at_once: \"${var.width}\" }
";

#[test]
fn values_come_from_the_environment_then_files_then_the_command_line() {
    let mut scenario = Scenario::new(ACCOUNT, SHOP);
    scenario.write("values.yaml", "width: 2\n");
    scenario.run(&["plan"]).exits(0).prints(&["app (2 to start, 1 at a time)"]);
    scenario.run(&["plan", "--var", "goal=Stopped"]).exits(0).prints(&["3 in sync"]);
    let plan = scenario.run(&["plan", "--var-file", "values.yaml"]).exits(0);
    assert!(!plan.stdout.contains("at a time"), "{}", plan.stdout);
    scenario.set("POWERFORM_VAR_goal", "Stopped");
    scenario.run(&["plan"]).exits(0).prints(&["3 in sync"]);
    scenario.run(&["plan", "--var", "goal=Running"]).exits(0).prints(&["3 to start"]);
    scenario.set("POWERFORM_VAR_width", "wide");
    scenario.run(&["plan"]).exits(1).complains(&[
        "the variable \"width\" must be a number, and this is \"wide\"",
        "--> POWERFORM_VAR_width:1:1",
    ]);
}

#[test]
fn a_plan_that_was_saved_with_other_values_is_another_configuration() {
    let scenario = Scenario::new(ACCOUNT, SHOP);
    scenario.run(&["plan", "--out", "p.plan", "--var", "width=2"]).exits(0);
    let refused =
        scenario.run(&["apply", "p.plan"]).exits(1).complains(&["stale", "has another meaning now"]);
    assert!(refused.calls().is_empty());
    scenario.run(&["apply", "p.plan", "--var", "width=2"]).exits(0).prints(&["3 started"]);
}

#[test]
fn an_overlay_changes_fields_of_what_is_there_and_gives_a_stack_a_state_of_its_own() {
    let scenario = Scenario::new(ACCOUNT, SHOP);
    scenario.write(
        "staging.yaml",
        "stack: staging\nvariables: { width: 2 }\ninstances:\n  app: { id: i-app1 }\n  db: { prevent_stop: true }\n",
    );
    scenario.write("wrong.yaml", "instances:\n  apps: { at_once: 1 }\n");
    scenario
        .run(&["--overlay", "staging.yaml", "plan"])
        .exits(0)
        .prints(&["# app will be started", "2 to start"]);
    scenario.run(&["--overlay", "staging.yaml", "validate"]).exits(0).prints(&[
        "2 files are valid (powerform.yaml, staging.yaml): stack staging, 2 entries, 2 instances.",
    ]);
    let wrong = scenario.run(&["--overlay", "staging.yaml", "--overlay", "wrong.yaml", "plan"]).exits(1);
    wrong.complains(&["there is no entry \"apps\" to change", "--> wrong.yaml:2:3", "did you mean `app`?"]);
    let apply = scenario.start(&["--overlay", "staging.yaml", "apply", "--auto-approve"]);
    apply.finish_among_others().exits(0).prints(&["2 started"]);
    assert!(scenario.folder().join("state/staging.json").exists());
    assert!(!scenario.state().exists());
}

#[test]
fn several_files_add_up_and_share_their_variables() {
    let scenario = Scenario::new(ACCOUNT, SHOP);
    scenario.write("more.yaml", "instances:\n  extra: { id: i-extra, status: \"${var.goal}\" }\n");
    let files = ["-f", "powerform.yaml", "-f", "more.yaml"];
    let validate = scenario.start(&[&files[..], &["validate"]].concat()).finish_among_others().exits(0);
    validate.prints(&["2 files are valid (powerform.yaml, more.yaml)", "3 entries, 4 instances"]);
    scenario.write("more.yaml", "instances:\n  db: { id: i-extra, status: \"${var.gaol}\" }\n");
    let twice = scenario.start(&[&files[..], &["validate"]].concat()).finish_among_others().exits(1);
    twice.complains(&[
        "the entry \"db\" is in two files",
        "there is no variable \"gaol\"",
        "did you mean `${var.goal}`?",
    ]);
}
