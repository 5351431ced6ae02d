//! Several simulated accounts at one address.

use std::process::Stdio;

use crate::harness::{Ended, Running, Scenario};

const OTHER: &str = "keys: [{ id: other-key, secret: other-secret }]
region: cn-shanghai
pace: { start: 0s, stop: 0s }
instances: [{ id: i-db }, { id: i-app, status: Running }]
";

#[test]
fn one_address_serves_several_accounts_each_to_who_has_its_key() {
    let scenario = Scenario::new("instances: [{ id: i-db }, { id: i-web }]", "instances: {}");
    scenario.write("other.yaml", OTHER);
    let mut command =
        scenario.command(&["simulator", "--account", "account.yaml", "--account", "other.yaml"]);
    let mut server = Running::start(command.stdin(Stdio::null()));
    server.until("it tells its address", |server| server.stdout().contains('\n'));
    assert!(server.stdout().starts_with("Serving account.yaml, other.yaml on http://127.0.0.1:"));
    let address =
        server.stdout().split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    scenario.write(
        "powerform.yaml",
        format!(
            "stack: other
provider: {{ region: cn-shanghai, endpoint: \"{address}\" }}
instances:
  db: {{ id: i-db, status: Running }}
  app: {{ id: i-app, status: Running }}
"
        ),
    );
    let run = |arguments: &[&str], key: &str, secret: &str| -> Ended {
        let mut command = scenario.command(arguments);
        command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", key).env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", secret);
        Running::start(&mut command).finish()
    };
    let applied = run(&["apply", "--auto-approve"], "other-key", "other-secret");
    assert_eq!(applied.status, Some(0), "{applied:?}");
    assert!(scenario.log().calls().is_empty(), "the account of another key is not touched");
    let stranger = run(&["plan"], "sim-key", crate::harness::SECRET);
    assert!(stranger.stdout.contains("1 blocked") || stranger.stdout.contains("2 blocked"), "{stranger:?}");

    let clicked = run(&["simulator", "set", "--account", "other.yaml", "i-db", "Stopped"], "", "");
    assert_eq!(clicked.status, Some(0), "{clicked:?}");
    let planned = run(&["plan", "--detailed-exitcode"], "other-key", "other-secret");
    assert_eq!(planned.status, Some(2), "{planned:?}");
}

#[test]
fn accounts_that_share_a_key_are_refused_with_both_names() {
    let scenario = Scenario::new("instances: []", "instances: {}");
    scenario.write("other.yaml", OTHER.replace("other-key", "sim-key"));
    let arguments = ["simulator", "--account", "account.yaml", "--account", "other.yaml"];
    let ended = Running::start(&mut scenario.command(&arguments)).finish();
    assert_eq!(ended.status, Some(1));
    let expected = "account.yaml and other.yaml both have the access key \"sim-key\"";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    let listen = ["simulator", "--listen", "127.0.0.1:0"];
    let ended = Running::start(&mut scenario.command(&listen)).finish();
    assert!(ended.status != Some(0) && ended.stderr.contains("--account"), "{ended:?}");
}
