//! What goes wrong between the program and ECS, and what a whole run makes of it: the wire, every error code,
//! throttling, credentials that expire, and both signatures and formats throughout.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod batches;
mod codes;
mod dialects;
mod throttling;
mod tokens;
mod transport;
pub(super) mod wire;

use crate::harness::{CloudLog, Scenario, World};

/// The ids `i-000`, `i-001`, ... of so many instances.
fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("i-{number:03}")).collect()
}

/// So many stopped instances, with faults and whatever else the account has.
fn account(count: usize, rest: &str) -> String {
    let instances: Vec<String> = ids(count).iter().map(|id| format!("{{ id: {id} }}")).collect();
    format!("instances: [{}]\n{rest}", instances.join(", "))
}

/// All of them in one entry, which shall run.
fn all_running(count: usize) -> String {
    format!("instances: {{ all: {{ ids: [{}], status: Running }} }}\n", ids(count).join(", "))
}

/// A served account with more in the provider block.
fn served_with(keys: &str, account: &str, configuration: &str) -> Scenario {
    let mut scenario = Scenario::in_world(World::Served, account, configuration);
    if !keys.is_empty() {
        scenario.provide(keys);
        scenario.write_configuration(configuration);
    }
    scenario
}

/// Every machine was started once; a start that was sent again was looked for first, and not at once.
fn started_once_each_and_never_blindly(log: &CloudLog, ids: &[String]) {
    let calls = log.calls();
    for id in ids {
        assert_eq!(log.accepted("StartInstance", id), 1, "{id}");
        let sends: Vec<_> = calls.iter().filter(|call| call.is("StartInstance", id)).collect();
        for pair in sends.windows(2) {
            assert!(!pair[0].was_accepted(), "{id} was called again after it was accepted");
            let looks = log.requests_of("DescribeInstances");
            let between = looks.iter().filter(|(at, _)| pair[0].at < *at && *at < pair[1].at).count();
            assert!(between >= 1, "{id} was called again without a look");
        }
    }
}
