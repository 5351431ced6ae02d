//! Temporary credentials that end, or are refused, while an apply is under way.

use super::{ids, served_with};
use crate::harness::{Ran, Scenario, side_by_side};

const ROLE: &str = "acs:ram::1234567890123456:role/ops";

/// A chain of four machines that takes longer to start than the credentials live.
const CONFIGURATION: &str = "instances:
  a: { id: i-000, status: Running }
  b: { id: i-001, status: Running, depends_on: [a] }
  c: { id: i-002, status: Running, depends_on: [b] }
  d: { id: i-003, status: Running, depends_on: [c] }
";

fn account(pace: &str, rest: &str) -> String {
    let instances: Vec<String> = ids(4).iter().map(|id| format!("{{ id: {id}, start: {pace} }}")).collect();
    format!("instances: [{}]\nroles: [{{ arn: \"{ROLE}\" }}]\n{rest}", instances.join(", "))
}

/// With a role to take on, and STS where the simulator is.
fn with_role(keys: &str, account: &str) -> Scenario {
    let mut scenario = served_with(keys, account, CONFIGURATION);
    scenario.set("ALIBABA_CLOUD_ENDPOINT_STS", &scenario.address());
    scenario
}

fn nothing_was_lost(applied: &Ran, least_renewals: usize) {
    assert_eq!(applied.lines.summary()["counts"]["started"], 4);
    for id in ids(4) {
        assert_eq!(applied.log.accepted("StartInstance", &id), 1, "{id}");
    }
    let asked = applied.log.requests_of("AssumeRole").len();
    assert!(asked > least_renewals, "{asked} times STS was asked");
}

#[test]
fn credentials_that_end_in_the_middle_are_replaced_before_they_do() {
    let scenario = with_role(
        &format!("assume_role: {{ arn: \"{ROLE}\", session_name: nightly }}"),
        &account("2s", "sts: { duration: 4s }\n"),
    );
    nothing_was_lost(&scenario.converge(), 1);
}

#[test]
fn a_profile_of_the_cli_that_takes_on_a_role_does_the_same() {
    let mut scenario = with_role("profile: prod", &account("2s", "sts: { duration: 4s }\n"));
    let secret = crate::harness::SECRET;
    std::fs::create_dir(scenario.folder().join(".aliyun")).unwrap();
    scenario.write(
        ".aliyun/config.json",
        format!(
            "{{\"current\":\"other\",\"profiles\":[{{\"name\":\"prod\",\"mode\":\"RamRoleArn\",\
             \"access_key_id\":\"sim-key\",\"access_key_secret\":\"{secret}\",\"ram_role_arn\":\"{ROLE}\",\
             \"ram_session_name\":\"nightly\",\"expired_seconds\":900}}]}}"
        ),
    );
    // The profile that the file names beats these.
    scenario.set("ALIBABA_CLOUD_ACCESS_KEY_ID", "nobody");
    let applied = scenario.converge();
    nothing_was_lost(&applied, 1);
    assert!(applied.stderr.contains("the profile \"prod\""), "{}", applied.stderr);
}

#[test]
fn credentials_that_are_refused_before_their_time_are_replaced_and_the_request_signed_anew() {
    let mut rows = Vec::new();
    for (action, nth) in
        [("StartInstance", 1), ("StartInstance", 3), ("DescribeInstances", 1), ("DescribeInstances", 4)]
    {
        for code in ["InvalidSecurityToken.Expired", "InvalidAccessKeyId.NotFound"] {
            rows.push((action, nth, code));
        }
    }
    side_by_side(&rows, |(action, nth, code)| {
        let fault = format!("faults: [{{ action: {action}, nth: {nth}, error: {code} }}]\n");
        let scenario = with_role(
            &format!("assume_role: {{ arn: \"{ROLE}\", session_name: nightly }}"),
            &account("300ms", &fault),
        );
        let applied = scenario.converge();
        nothing_was_lost(&applied, 1);
        let refused = applied.log.requests_of(action).iter().filter(|(_, it)| it.answer == **code).count();
        assert_eq!(refused, 1, "{action} {code}");
    });
}
