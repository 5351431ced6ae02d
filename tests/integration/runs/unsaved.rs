//! A record that cannot be saved: the apply goes on, says so once, and does not pass for complete.

use std::process::{Command, Stdio};

use crate::harness::{Running, Scenario, World};

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

/// As on a disk that is full: what is small can be written, the record cannot.
#[test]
fn a_disk_that_is_full_holds_nothing_up_and_the_record_is_printed_as_a_last_resort() {
    let ids: Vec<String> = (0..40).map(|number| format!("i-{number:02}")).collect();
    let instances: Vec<String> = ids.iter().map(|id| format!("{{ id: {id} }}")).collect();
    let account = format!("instances: [{}]\n", instances.join(", "));
    let configuration = format!("instances: {{ a: {{ ids: [{}], status: Running }} }}\n", ids.join(", "));
    // The cloud has its memory in another process.
    let scenario = Scenario::in_world(World::Served, &account, &configuration);
    let apply = scenario.command(&["apply", "--auto-approve"]);
    let mut limited = Command::new("sh");
    // In blocks of 512 bytes; a file that would grow beyond gets an error where the signal is ignored.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$@\"", "sh"]);
    limited.arg(apply.get_program()).args(apply.get_args()).stdin(Stdio::null());
    limited.current_dir(apply.get_current_dir().unwrap()).env_clear();
    limited.envs(apply.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = Running::start(&mut limited).finish();
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("Apply incomplete: 40 started, "), "{ended:?}");
    let words = ["File too large", "The apply goes on and will try again", "What it would say follows"];
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    let printed = &ended.stderr[ended.stderr.find("\n{").expect("the record")..];
    // More is said after it.
    let mut printed = serde_json::Deserializer::from_str(printed).into_iter::<serde_json::Value>();
    let printed = printed.next().expect("a document").expect("the whole record");
    assert_eq!(printed["stack"], "scenario");
    // Nothing torn is left: what could be saved at first is there whole.
    scenario.run(&["state", "list"]).exits(0);
    // What is lost is explanations: all are as wanted.
    scenario.is_in_sync();
    // Where there is room again, what was printed can be put in its place.
    std::fs::write(scenario.state(), printed.to_string()).unwrap();
    scenario.run(&["state", "list"]).exits(0).prints(&["a[i-00]", "a[i-39]"]);
}
