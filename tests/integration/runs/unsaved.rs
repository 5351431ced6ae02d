//! A record that cannot be saved: the apply goes on, says so once, and does not pass for complete.

use crate::harness::Scenario;

#[test]
fn a_state_that_cannot_be_saved_is_said_once_and_the_summary_says_incomplete() {
    let account =
        "instances: [{ id: i-a, start: 1500ms }, { id: i-b, start: 1500ms }, { id: i-c, start: 1500ms }]\n";
    let configuration = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
  c: { id: i-c, status: Running, depends_on: [b] }
";
    let scenario = Scenario::new(account, configuration);
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    apply.until_called("StartInstance", "i-a");
    let folder = scenario.state().parent().unwrap();
    std::fs::rename(folder, folder.with_extension("away")).unwrap();
    let ran = apply.finish().exits(1);
    assert_eq!(ran.calls(), ["Start i-a", "Start i-b", "Start i-c"]);
    // Where a save was under way when the folder went, its error is another one than those after it.
    let said = |line: &&str| line.contains("The apply goes on and will try again");
    let mut errors: Vec<&str> = ran.stderr.lines().filter(said).collect();
    assert!((1..=2).contains(&errors.len()), "{}", ran.stderr);
    errors.dedup();
    assert_eq!(errors.len(), ran.stderr.lines().filter(said).count(), "{}", ran.stderr);
    assert!(ran.stderr.contains("\"lineage\""), "what it would say is shown: {}", ran.stderr);
    let ran = ran.prints(&["Apply incomplete: 3 started, ", "The state could not be saved: "]);
    let [summary] = ran.lines.of_type("apply_summary")[..] else { panic!("one summary: {:#?}", ran.lines) };
    assert_eq!(
        (&summary["summary"]["result"], &summary["summary"]["state_saved"]),
        (&"incomplete".into(), &false.into())
    );
}
