//! Whole estates: instances by what they are like, in several regions and accounts.

use crate::harness::Scenario;

const TAGGED: &str = "instances:
  - { id: i-b1, name: batch-1, tags: { role: batch, env: dev } }
  - { id: i-b2, name: batch-2, tags: { role: batch, env: dev } }
  - { id: i-b3, name: batch-3, tags: { role: batch, env: prod } }
  - { id: i-web, name: web, tags: { role: web } }
";

const SELECTING: &str = "instances:
  batch: { select: { tags: { role: batch, env: dev } }, status: Running }
  web: { select: { name: \"w*\" }, status: Running, depends_on: [batch] }
";

fn sorted(mut calls: Vec<String>) -> Vec<String> {
    calls.sort();
    calls
}

#[test]
fn what_fits_is_started_in_order_and_shown_with_what_is_new() {
    let scenario = Scenario::new(TAGGED, SELECTING);
    scenario.run(&["plan"]).exits(0).prints(&[
        "Selected:",
        "batch: 2 instances fit tags env=dev and role=batch",
        "web: 1 instance fits name w*",
        "# batch[i-b1] will be started",
        "# web[i-web] will be started",
        "Plan: 3 to start",
    ]);
    let applied = scenario.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(applied.calls().last().map(String::as_str), Some("Start i-web"), "{:?}", applied.calls());
    assert_eq!(sorted(applied.calls()), ["Start i-b1", "Start i-b2", "Start i-web"]);
    scenario.run(&["plan", "--detailed-exitcode"]).exits(0).prints(&["No changes."]);

    // Somebody gives one more the tag, and takes it from another.
    let retagged = TAGGED.replace("role: batch, env: prod", "role: batch, env: dev");
    scenario.write_account(&retagged.replacen("role: batch, env: dev", "role: retired", 1));
    scenario.run(&["plan"]).exits(0).prints(&[
        "batch: 2 instances fit tags env=dev and role=batch; new since the last apply: i-b3; no longer: i-b1",
        "it fits the selection now, and did not at the last apply",
        "it does not fit the selection any more: it leaves the record, and is not touched",
    ]);
}

#[test]
fn a_matching_tag_that_came_after_the_plan_makes_it_stale_by_name() {
    let scenario = Scenario::new(TAGGED, SELECTING);
    scenario.run(&["plan", "--out", "p.plan"]).exits(0);
    // It runs already, so that nothing would be done about it: it is another set of instances all the same.
    let running = "tags: { role: batch, env: dev }, status: Running }";
    scenario.write_account(&TAGGED.replace("tags: { role: batch, env: prod } }", running));
    let refused = scenario.run(&["apply", "p.plan"]).exits(1);
    let refused =
        refused.complains(&["stale", "batch[i-b3]: planned on not in the plan; now Running, in sync"]);
    assert!(refused.calls().is_empty());
}

#[test]
fn selections_that_fit_too_little_or_the_same_are_errors_that_name_their_entries() {
    let scenario =
        Scenario::new(TAGGED, "instances: { db: { select: { tags: { role: db } }, status: Running } }\n");
    scenario.run(&["plan"]).exits(1).complains(&[
        "no instance fits the selection of the entry db (tag role=db), and one at least has to",
        "ecs:DescribeInstances",
        "at_least: 0",
    ]);
    let fine = "instances: { db: { select: { tags: { role: db } }, at_least: 0, status: Running } }\n";
    scenario.write_configuration(fine);
    scenario.run(&["plan", "--detailed-exitcode"]).exits(0).prints(&["db: 0 instances fit tag role=db"]);
    scenario.write_configuration(
        "instances:
  all: { select: { tags: { role: } , except: [i-web] }, status: Running }
  dev: { select: { tags: { env: dev } }, status: Stopped }
  one: { id: i-b3, status: Any }
",
    );
    scenario.run(&["apply", "--auto-approve"]).exits(1).complains(&[
        "the instance i-b1 is in two entries, all and dev",
        "the instance i-b3 is in two entries, all and one",
    ]);
}

const REGIONS: &str = "instances:
  - { id: i-db }
  - { id: i-edge, region: cn-hongkong }
";

const SECOND: &str = "account: \"2222222222222222\"
keys: [{ id: other-key, secret: other-secret }]
region: cn-beijing
pace: { start: 200ms, stop: 100ms }
instances:
  - { id: i-report, tags: { role: report } }
";

const EVERYWHERE: &str = "providers:
  hk: { region: cn-hongkong, simulator: account.yaml }
  second: { simulator: second.yaml }
instances:
  db: { id: i-db, status: Running }
  edge: { id: i-edge, provider: hk, status: Running, depends_on: [report] }
  report: { select: { tags: { role: report } }, provider: second, status: Running, depends_on: [db] }
";

#[test]
fn regions_and_accounts_make_one_graph() {
    let scenario = Scenario::new(REGIONS, EVERYWHERE);
    scenario.write("second.yaml", SECOND);
    scenario.run(&["plan", "--json"]).exits(0);
    let applied = scenario.run(&["apply", "--auto-approve"]).exits(0).prints(&["3 started"]);
    // What the second account was asked is in its own memory.
    assert_eq!(applied.calls(), ["Start i-db", "Start i-edge"]);
    let second = std::fs::read_to_string(scenario.folder().join("second.cloud.json")).unwrap();
    assert!(second.contains("StartInstance"), "{second}");
    scenario.run(&["plan", "--detailed-exitcode"]).exits(0).prints(&["No changes."]);
    scenario.start(&["doctor"]).finish_among_others().exits(0).prints(&["hk: ", "second: ", "All is well."]);
    scenario.run(&["apply", "--auto-approve", "--power-off"]).exits(0).prints(&["3 stopped"]);
}

#[test]
fn a_provider_that_cannot_be_looked_at_holds_up_its_own_and_their_dependents_only() {
    for (away, why) in [
        // Nothing listens there.
        ("{ region: cn-beijing, endpoint: \"http://127.0.0.1:9\", profile: nobody }", "nobody"),
        ("{ simulator: missing.yaml }", "missing.yaml"),
    ] {
        let scenario = Scenario::new(REGIONS, &EVERYWHERE.replace("{ simulator: second.yaml }", away));
        let plan = scenario.run(&["plan", "--detailed-exitcode"]).exits(2);
        let plan = plan.complains(&["the provider second cannot be connected", why]).prints(&[
            "report: nobody knows what fits tag role=report, because the look failed",
            "# edge is blocked",
            "1 selection not seen",
        ]);
        assert!(plan.stdout.contains("# db will be started"), "{}", plan.stdout);
        let applied = scenario.run(&["apply", "--auto-approve"]).exits(1);
        assert_eq!(applied.calls(), ["Start i-db"]);
        scenario.run(&["apply", "--auto-approve"]).exits(1);
    }
}
