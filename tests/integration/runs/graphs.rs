//! The dependency graph: it looks as plan does, changes nothing, and is drawn as far as it is known.

use crate::harness::Scenario;

const ACCOUNT: &str = "instances: [{ id: i-db }, { id: i-app1 }, { id: i-app2, locks: [security] }, { id: i-web }, \
                       { id: i-free, status: Running }]\n";

const SHOP: &str = "instances:
  db: { id: i-db, status: Running }
  app: { ids: [i-app1, i-app2], status: Running, depends_on: [db] }
  web: { id: i-web, status: Running, depends_on: { app: {}, free: { required: false } } }
  free: { id: i-free, status: Running }
";

#[test]
fn a_graph_shows_what_is_and_what_will_be_done_and_changes_nothing() {
    let scenario = Scenario::new(ACCOUNT, SHOP);
    let dot = scenario.run(&["graph"]).exits(0).prints(&[
        "digraph \"scenario\"",
        "\"app\" [label=\"app ×2\\n1 blocked, 1 start\\nStopped → Running\", shape=\"octagon\"",
        "\"app\" -> \"db\";",
        "\"web\" -> \"free\" [style=\"dashed\"",
        "Plan: 2 to start",
    ]);
    assert!(dot.calls().is_empty() && dot.stderr.is_empty());
    assert!(!scenario.state().exists(), "no state is written");
    scenario.run(&["graph", "--format", "mermaid"]).exits(0).prints(&["flowchart RL", "-.->", ":::blocked"]);
    scenario.run(&["graph", "--format", "svg"]).exits(0).prints(&[
        "<svg ",
        ">1 blocked, 1 start</text>",
        "</svg>",
    ]);
    scenario.run(&["graph", "--target", "db"]).exits(0).prints(&["3 entries are left out"]);
    scenario
        .run(&["graph", "--power-off"])
        .exits(0)
        .prints(&["\"free\" [label=\"free\\nstop\\nRunning → Stopped\""]);
    scenario.run(&["graph", "--format", "png"]).exits(1).complains(&["dot, mermaid, svg"]);
}

#[test]
fn a_saved_plan_is_drawn_without_looking() {
    let scenario = Scenario::new(ACCOUNT, SHOP);
    scenario.run(&["plan", "--out", "p.plan"]).exits(0);
    scenario.click("i-db", "Running");
    std::fs::remove_file(scenario.folder().join("powerform.yaml")).expect("it is there");
    let drawn = scenario
        .run(&["graph", "p.plan"])
        .exits(0)
        .prints(&["\"db\" [label=\"db\\nstart\\n", "\"app\" -> \"db\";"]);
    assert!(drawn.log.lines().is_empty(), "nothing was asked");
    scenario.run(&["graph", "p.plan", "--target", "db"]).exits(1).complains(&["cannot be used with"]);
}

#[test]
fn what_cannot_be_looked_at_is_drawn_as_the_configuration_wants_it() {
    let scenario = Scenario::new(
        "instances: [{ id: i-db }]\nfaults: [{ action: DescribeInstances, error: Forbidden }]\n",
        "instances: { db: { id: i-db, status: Running } }\n",
    );
    // The look was made and refused: the plan says so of each instance.
    scenario
        .run(&["graph"])
        .exits(0)
        .prints(&["blocked\\nnot seen → Running"])
        .complains(&["could not be looked at"]);
    let offline = scenario
        .run(&["graph", "--offline"])
        .exits(0)
        .prints(&["\"db\" [label=\"db\\ngoal Running\"", "not looked at"]);
    assert!(offline.log.lines().is_empty() && offline.stderr.is_empty());
    // No look can be made at all.
    scenario.write(
        "powerform.yaml",
        "stack: scenario\nprovider: { region: cn-hangzhou, simulator: missing.yaml }\n\
         instances: { db: { id: i-db, status: Running } }\n",
    );
    scenario
        .run(&["graph"])
        .exits(0)
        .prints(&["goal Running"])
        .complains(&["only what the configuration wants"]);
    scenario.run(&["graph", "--target", "db"]).exits(1).complains(&["missing.yaml"]);
}
