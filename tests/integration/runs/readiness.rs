//! Running is not ready: what depends on an instance waits until its probes pass, against machines that truly listen.

use std::net::TcpListener;

use crate::harness::Scenario;

/// Ports that nothing listens on. They are free as long as nobody takes one within the moment.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
    std::array::from_fn(|at| listeners[at].local_addr().expect("bound").port())
}

#[test]
fn dependents_start_once_the_machines_listen() {
    let [tcp, http] = free_ports();
    let account = format!(
        "instances:
  - {{ id: i-db, listen: [{{ tcp: {tcp}, after: 1s }}] }}
  - {{ id: i-app, listen: [{{ http: {http}, path: /healthz, status: 200, body: all is well }}] }}
  - {{ id: i-web }}
"
    );
    let configuration = format!(
        "instances:
  db: {{ id: i-db, status: Running, ready: {{ tcp: {tcp}, every: 100ms }} }}
  app:
    id: i-app
    status: Running
    depends_on: [db]
    ready:
      http: {{ port: {http}, path: /healthz, contains: well }}
      command: [sh, -c, 'test \"$POWERFORM_ADDRESS\" = app']
  web: {{ id: i-web, status: Running, depends_on: [app] }}
"
    );
    let scenario = Scenario::new(&account, &configuration);
    scenario.run(&["plan"]).exits(0).prints(&[
        "Apply will ask whether these are ready:",
        &format!("db: tcp {tcp}"),
        &format!("app: http :{http}/healthz, command sh -c"),
    ]);
    let applied = scenario.run(&["apply", "--auto-approve"]).exits(0);
    let applied = applied.complains(&[&format!("db: Running, waiting for tcp {tcp}")]);
    assert_eq!(applied.calls(), ["Start i-db", "Start i-app", "Start i-web"]);
    let progress = applied.lines.of_type("apply_progress");
    let waited = progress.iter().find(|line| line["hook"]["waits_for"] == format!("tcp {tcp}"));
    assert!(waited.is_some_and(|line| line["hook"]["status"] == "Running"), "{progress:?}");
    assert!(progress.iter().any(|line| line["hook"]["answer"] == "connection refused"), "{progress:?}");
    scenario.run(&["plan", "--detailed-exitcode"]).exits(0).prints(&["No changes."]);
}

#[test]
fn what_does_not_get_ready_fails_by_the_name_of_its_probe_and_skips_its_dependents() {
    let [closed] = free_ports();
    let configuration = format!(
        "instances:
  db: {{ id: i-db, status: Running, ready: {{ tcp: {closed}, address: 127.0.0.1, every: 100ms, within: 1s }} }}
  other: {{ id: i-other, status: Running }}
  web: {{ id: i-web, status: Running, depends_on: [db] }}
"
    );
    let scenario =
        Scenario::new("instances: [{ id: i-db }, { id: i-other }, { id: i-web }]\n", &configuration);
    let applied = scenario.run(&["apply", "--auto-approve"]).exits(1);
    let applied = applied.prints(&[
        "1 started, 0 stopped, 0 already there, 1 failed, 1 skipped",
        &format!("it is Running, but not ready within 1s: tcp {closed} at 127.0.0.1: connection refused"),
    ]);
    assert_eq!(applied.lines.end_of("db")["hook"]["error"]["kind"], "not_ready");
    // It runs now, and is asked before its dependent is started.
    let again = scenario.run(&["apply", "--auto-approve"]).exits(1);
    let again = again.prints(&["0 started", "1 failed, 1 skipped", "not ready within 1s"]);
    assert!(again.calls().is_empty());
    // Once something answers there, nothing is in the way any more.
    let _answers = TcpListener::bind(("127.0.0.1", closed)).expect("still free");
    let last = scenario.run(&["apply", "--auto-approve"]).exits(0).prints(&["1 started"]);
    assert_eq!(last.calls(), ["Start i-web"]);
}

#[test]
fn a_command_in_the_machine_is_asked_until_it_ends_well() {
    let account = "instances:
  - id: i-db
    assistant: { delay: 50ms, answers: [{ when: pg_isready, times: 1, exit: 2, output: 'no response' }, { when: pg_isready, output: ok }] }
  - { id: i-web }
";
    let configuration = "instances:
  db: { id: i-db, status: Running, ready: { guest: pg_isready -q, every: 100ms } }
  web: { id: i-web, status: Running, depends_on: [db] }
";
    let scenario = Scenario::new(account, configuration);
    let applied = scenario.run(&["apply", "--auto-approve"]).exits(0);
    let applied = applied.complains(&["db: Running, waiting for guest"]);
    assert_eq!(applied.calls(), ["Start i-db", "Start i-web"]);
    let progress = applied.lines.of_type("apply_progress");
    let is_quoted = |answer: &str| progress.iter().any(|line| line["hook"]["answer"] == answer);
    assert!(is_quoted("exit status 2: no response"), "{progress:?}");
    assert_eq!(scenario.log().requests_of("RunCommand").len(), 2);
}

#[test]
fn a_machine_that_may_not_be_commanded_says_what_it_takes() {
    let account = "permissions: { deny: [RunCommand] }
instances: [{ id: i-db }]
";
    let ready = "ready: { guest: 'true', every: 100ms, within: 1s }";
    let configuration = format!("instances: {{ db: {{ id: i-db, status: Running, {ready} }} }}\n");
    let scenario = Scenario::new(account, &configuration);
    let applied = scenario.run(&["apply", "--auto-approve"]).exits(1);
    applied.prints(&["not ready within 1s: guest", "Forbidden.RAM", "allow ecs:RunCommand"]);
}

#[test]
fn a_missing_stock_is_asked_for_again_or_fails_as_the_entry_says() {
    let account = "instances: [{ id: i-a }]
faults: [{ action: StartInstance, error: OperationDenied.NoStock }]
";
    let entry = |policy: &str| format!("instances: {{ a: {{ id: i-a, status: Running{policy} }} }}\n");
    let scenario = Scenario::new(account, &entry(""));
    scenario.run(&["apply", "--auto-approve"]).exits(1).prints(&["OperationDenied.NoStock"]);
    let patient = Scenario::new(account, &entry(", on_no_stock: { retry_for: 1s }"));
    let applied = patient.run(&["apply", "--auto-approve"]).exits(1);
    let applied =
        applied.complains(&["a: no stock (OperationDenied.NoStock), asking again in 1s, for 1s more"]);
    let applied = applied.prints(&["there was no stock for 1s, asked for 2 times"]);
    assert_eq!(applied.lines.end_of("a")["hook"]["error"]["kind"], "no_stock");
}

#[test]
fn a_bad_rollout_stops_after_its_first_failure() {
    let account = "instances: [{ id: i-a1 }, { id: i-a2 }, { id: i-a3 }, { id: i-a4 }]
faults: [{ action: StartInstance, instance: i-a3, times: 9, error: InvalidInstanceType.NotSupported }]
";
    let rolling = "instances:
  app: { ids: [i-a2, i-a3, i-a1, i-a4], status: Running, at_once: 25%, order: as listed, on_failure: stop, pause: 200ms }
";
    let scenario = Scenario::new(account, rolling);
    let applied = scenario.run(&["apply", "--auto-approve"]).exits(1);
    let applied = applied.prints(&["1 started", "1 failed, 2 skipped"]);
    assert_eq!(applied.calls(), ["Start i-a2", "Start i-a3"]);
    assert_eq!(applied.lines.summary_of("skipped").len(), 2);
}
