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
