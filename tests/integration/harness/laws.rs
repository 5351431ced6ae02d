//! The laws that every run of every scenario is held to, from the simulator's own log.
//!
//! - No start before all that the instance needs is Running, no stop before all that needs it is Stopped.
//! - No call that the plan did not list, with the parameters that it listed.
//! - At most one accepted start, and one accepted stop, of each machine in one run.
//! - Nothing else is asked of ECS than looks at named instances and calls, for at most a hundred at a time, commands in
//!   guests where the configuration has them asked, and of STS nothing but a role.

use std::collections::BTreeMap;

use powerform::config::{self, Source};
use powerform::fleet::{Desired, Entry, InstanceId, Members, Probe, Strength};

use super::log::PowerCall;
use super::{CloudLog, Lines, Ran, Scenario};

/// Holds what is in the log since line `before` to the laws.
pub(super) fn check(scenario: &Scenario, log: &CloudLog, before: usize, ran: &Ran) {
    let since = log.since(before);
    for (_, request) in since.requests() {
        match request.action.as_str() {
            "DescribeInstances" if request.ids.is_none() => {
                let selects = written(scenario).entries.iter().any(|entry| entry.selection().is_some());
                assert!(selects, "nothing is selected, and everything was looked for: {request:?}");
            }
            "DescribeInstances" | "StartInstances" | "StopInstances" => {
                assert!(request.ids.is_some_and(|ids| (1..=100).contains(&ids)), "{request:?}")
            }
            "StartInstance" | "StopInstance" | "AssumeRole" => {}
            "RunCommand" | "DescribeInvocationResults" => {
                let is_guest = |probe: &Probe| matches!(probe, Probe::Guest { .. });
                let asks = |entry: &Entry| {
                    entry.readiness.as_ref().is_some_and(|ready| ready.probes.iter().any(is_guest))
                };
                let is_asked = written(scenario).entries.iter().any(asks);
                assert!(is_asked, "no guest is to be asked, and one was: {request:?}");
            }
            other => panic!("{other} was called, which no command needs"),
        }
    }
    let calls = since.calls();
    if calls.is_empty() {
        return;
    }
    let desired = desired(scenario, &ran.lines);
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for call in &calls {
        is_in_order(&desired, log, call);
        was_planned(call, std::iter::once(&ran.lines).chain(&*scenario.killed.borrow()));
        if call.was_accepted() {
            *accepted.entry(call.words()).or_default() += 1;
        }
    }
    let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "accepted more than once in one run: {twice:?}");
}

fn written(scenario: &Scenario) -> Desired {
    let path = scenario.configuration.as_deref().unwrap_or("powerform.yaml");
    let text = std::fs::read(scenario.folder().join(path)).unwrap();
    config::read(&[Source { name: path.to_owned(), text }]).unwrap().desired
}

/// What the configuration wants. Entries that select have the instances that the plan names under them.
fn desired(scenario: &Scenario, lines: &Lines) -> Desired {
    let mut desired = written(scenario);
    for entry in desired.entries.iter_mut().filter(|entry| entry.selection().is_some()) {
        let own = lines.planned().filter(|planned| planned.entry() == entry.name.as_str());
        let ids = own.map(|planned| InstanceId::new(planned.instance()).unwrap()).collect();
        entry.members = Members::Several(ids);
    }
    desired
}

fn is_in_order(desired: &Desired, log: &CloudLog, call: &PowerCall<'_>) {
    let holds = |entry: &Entry| entry.ids().iter().any(|id| id.as_str() == call.instance());
    let own =
        desired.entries.iter().position(holds).unwrap_or_else(|| panic!("{} is not wanted", call.words()));
    let hard = |from: &Entry, to: usize| {
        from.needs.iter().any(|need| need.strength == Strength::Hard && need.entry.at() == to)
    };
    let starts = call.action() == "StartInstance";
    for (position, entry) in desired.entries.iter().enumerate() {
        let comes_first = if starts { hard(&desired.entries[own], position) } else { hard(entry, own) };
        let needed = if starts { "Running" } else { "Stopped" };
        // What lives in another account is in another log.
        for id in entry.ids().iter().filter(|id| comes_first && log.knows(id.as_str())) {
            let status = log.status(id.as_str(), call.at);
            assert_eq!(status, needed, "{} was called while {id} was {status}", call.words());
        }
    }
}

fn was_planned<'l>(call: &PowerCall<'_>, plans: impl Iterator<Item = &'l Lines>) {
    let of_instance = plans.flat_map(Lines::planned).filter(|planned| planned.instance() == call.instance());
    let listed: Vec<_> = of_instance.filter_map(|planned| planned.call()).collect();
    let Some((action, parameters)) = listed.iter().find(|(action, _)| *action == call.action()) else {
        panic!("{} was called, and the plan lists {listed:?}", call.words());
    };
    let truth = |name: &str| parameters[name].as_bool().unwrap();
    if *action == "StartInstance" {
        let init = call.parameter("InitLocalDisk").unwrap_or("false");
        assert_eq!(init, truth("init_local_disk").to_string(), "InitLocalDisk of {}", call.words());
    } else {
        assert_eq!(call.parameter("StoppedMode"), parameters["stopped_mode"].as_str(), "{}", call.words());
        let force = truth("force_stop").to_string();
        assert_eq!(call.parameter("ForceStop"), Some(force.as_str()), "{}", call.words());
    }
}
