//! Every operation that an apply uses, met by everything that can go wrong with an answer, at the first, the second or
//! every third of its calls: the apply ends in time, with all done and no call twice or unplanned. And what
//! goes wrong for good is said, with the rest done. The second call is met in the other dialect.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::harness::{CloudLog, Scenario, World, side_by_side};

const ROLE: &str = "acs:ram::1234567890123456:role/ops";

const OPERATIONS: [&str; 6] =
    ["DescribeInstances", "StartInstance", "StopInstance", "StartInstances", "StopInstances", "AssumeRole"];

/// The last is seen in what is read afterwards, see [`Cell::account`].
const FAULTS: [&str; 8] = [
    "drop: before",
    "drop: after",
    "delay: 700ms",
    "http: 503",
    "error: Throttling.User",
    "garbage: \"<html>not what you asked for</html>\"",
    "truncate: true",
    LAG,
];

const LAG: &str = "lag: 1500ms";

const OCCURRENCES: [&str; 3] = ["nth: 1", "nth: 2", "every: 3"];

/// Twelve instances in four turns, three of them with more than one call. A stop goes through them in reverse.
const IDS: [&str; 12] = [
    "i-db",
    "i-cache",
    "i-metrics",
    "i-app1",
    "i-app2",
    "i-app3",
    "i-app4",
    "i-web1",
    "i-web2",
    "i-web3",
    "i-web4",
    "i-edge",
];

fn configuration(goal: &str) -> String {
    format!(
        "defaults: {{ timeouts: {{ start: 40s, stop: 40s }} }}
instances:
  db: {{ id: i-db, status: {goal} }}
  cache: {{ id: i-cache, status: {goal} }}
  metrics: {{ id: i-metrics, status: {goal} }}
  app:
    ids: [i-app1, i-app2, i-app3, i-app4]
    status: {goal}
    depends_on: {{ db: {{}}, cache: {{}}, metrics: {{ required: false }} }}
  web: {{ ids: [i-web1, i-web2, i-web3, i-web4], status: {goal}, depends_on: [app] }}
  edge: {{ id: i-edge, status: {goal}, depends_on: [web] }}
"
    )
}

/// One place of the matrix.
#[derive(Debug, Clone, Copy)]
struct Cell {
    operation: &'static str,
    fault: &'static str,
    occurrence: &'static str,
}

impl Cell {
    fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for operation in OPERATIONS {
            for fault in FAULTS {
                cells.extend(OCCURRENCES.map(|occurrence| Self { operation, fault, occurrence }));
            }
        }
        cells
    }

    fn stops(self) -> bool {
        self.operation.starts_with("Stop")
    }

    fn is_role(self) -> bool {
        self.operation == "AssumeRole"
    }

    /// A look can be old by itself. What else is asked for is old news everywhere: its answer is lost, and the looks
    /// that have to tell what became of it show what was before.
    fn account(self) -> String {
        let Self { operation, fault, occurrence } = self;
        let status = if self.stops() { "Running" } else { "Stopped" };
        // Temporary keys have to be renewed meanwhile.
        let (pace, sts) = match self.is_role() {
            true => (", start: 1500ms", format!("roles: [{{ arn: \"{ROLE}\" }}]\nsts: {{ duration: 2s }}\n")),
            false => ("", String::new()),
        };
        let (lag, fault) = match fault == LAG && operation != "DescribeInstances" {
            true => (format!("{LAG}\n"), "drop: after"),
            false => (String::new(), fault),
        };
        let instances = IDS.map(|id| format!("{{ id: {id}, status: {status}{pace} }}")).join(", ");
        format!(
            "instances: [{instances}]\n{sts}{lag}faults: [{{ action: {operation}, {occurrence}, {fault} }}]\n"
        )
    }

    fn scenario(self) -> Scenario {
        let configuration = configuration(if self.stops() { "Stopped" } else { "Running" });
        let mut scenario = Scenario::in_world(World::Served, &self.account(), &configuration);
        scenario.provide(if self.operation.ends_with('s') { "batch_above: 2" } else { "batch_above: 0" });
        if self.is_role() {
            scenario.provide(&format!("assume_role: {{ arn: \"{ROLE}\", session_name: matrix }}"));
            scenario.set("ALIBABA_CLOUD_ENDPOINT_STS", &scenario.address());
        }
        if self.occurrence == "nth: 2" {
            scenario.provide("signature: v3, format: xml");
        }
        scenario.write_configuration(&configuration);
        scenario
    }

    /// How many requests of the operation there have to be, for the fault to strike at all.
    fn least_requests(self) -> usize {
        match self.occurrence {
            "nth: 1" => 1,
            "nth: 2" => 2,
            _ => 3,
        }
    }
}

#[test]
fn whatever_goes_wrong_with_whichever_call_an_apply_ends_with_all_done_and_nothing_twice() {
    side_by_side(&Cell::all(), |cell| {
        let scenario = cell.scenario();
        let applied = scenario.apply().exits(0);
        let asked = applied.log.requests_of(cell.operation).len();
        assert!(asked >= cell.least_requests(), "{cell:?}: only {asked} requests, the fault never struck");
        assert_eq!(applied.lines.summary()["result"], "complete", "{cell:?}");
        every_machine_was_moved_once(&applied.log, *cell);
        nothing_was_sent_blindly(&applied.log, *cell);
        // A look that shows what is old would be no answer to the question.
        if !(cell.fault == LAG && cell.operation == "DescribeInstances") {
            scenario.is_in_sync();
        }
    });
}

/// What keeps a call from ever being carried out. A refusal for throttling lasts until the step's own time is over.
const FOR_GOOD: [&str; 4] = ["drop: before", "http: 503", "error: Throttling.User", "error: InternalError"];

#[test]
fn what_goes_wrong_for_good_with_one_machine_is_said_and_holds_up_what_comes_after_it_and_nothing_else() {
    let mut rows = Vec::new();
    for fault in FOR_GOOD {
        for (action, batch_above) in
            [("StartInstance", 0), ("StopInstance", 0), ("StartInstance", 2), ("StopInstance", 2)]
        {
            rows.push((fault, action, batch_above));
        }
    }
    side_by_side(&rows, |&(fault, action, batch_above)| {
        let starts = action == "StartInstance";
        let (status, goal) = if starts { ("Stopped", "Running") } else { ("Running", "Stopped") };
        let instances = IDS.map(|id| format!("{{ id: {id}, status: {status} }}")).join(", ");
        let account = format!(
            "instances: [{instances}]\nfaults: [{{ action: {action}, instance: i-app2, {fault} }}]\n"
        );
        let configuration = configuration(goal).replace("40s", "25s");
        let mut scenario = Scenario::in_world(World::Served, &account, &configuration);
        scenario.provide(&format!("batch_above: {batch_above}"));
        scenario.write_configuration(&configuration);
        let applied = scenario.apply().exits(1);
        let context = format!("{fault}, {action}\n{}\n{:#?}", applied.stdout, applied.log);
        // What takes the whole answer of a batch away keeps all that travel with that machine from being carried out,
        // until the others go without it; what is said about them is no different.
        let failed = applied.lines.summary_of("failed");
        assert!(failed.contains(&"app[i-app2]"), "{context}");
        let companions = batch_above > 0 && !fault.starts_with("error");
        assert!(
            failed.len() == 1 || companions && failed.iter().all(|it| it.starts_with("app[")),
            "{context}"
        );
        for item in applied.lines.summary()["failed"].as_array().expect("a list") {
            for key in ["reason", "remedy"] {
                assert!(item[key].as_str().is_some_and(|text| !text.is_empty()), "no {key}: {context}");
            }
        }
        let after: &[&str] = if starts { &["edge", "web"] } else { &["cache", "db"] };
        let mut skipped: Vec<&str> = applied
            .lines
            .summary_of("skipped")
            .into_iter()
            .map(|address| address.split('[').next().unwrap_or(address))
            .collect();
        skipped.dedup();
        assert_eq!(skipped, after, "{context}");
        let done = applied.lines.summary_of(if starts { "started" } else { "stopped" }).len();
        let held_up = applied.lines.summary_of("skipped").len();
        assert_eq!(done + failed.len() + held_up, IDS.len(), "{context}");
        assert_eq!(applied.log.accepted(action, "i-app2"), 0, "{context}");
        // Three times for what got lost, five times for what ECS is busy with; throttling has no count.
        let sends = applied.log.calls().iter().filter(|call| call.instance() == "i-app2").count();
        let most = if fault.contains("Throttling") { 40 } else { 5 };
        assert!((2..=most).contains(&sends), "{sends} times: {context}");
    });
}

#[test]
fn while_nothing_can_be_looked_at_an_apply_calls_nothing_more_and_then_goes_on() {
    let faults =
        ["drop: before", "http: 503", "garbage: \"<html>\"", "truncate: true", "error: InternalError"];
    side_by_side(&faults, |fault| {
        let instances = IDS.map(|id| format!("{{ id: {id} }}")).join(", ");
        // The first look is the plan's. From the second on, all are blind for longer than it takes to give one up.
        let account = format!(
            "instances: [{instances}]\nfaults: [{{ action: DescribeInstances, nth: 2, for: 15s, {fault} }}]\n"
        );
        let scenario = Scenario::in_world(World::Served, &account, &configuration("Running"));
        let applied = scenario.apply().exits(0).complains(&["a look failed and will be repeated"]);
        let context = format!("{fault}\n{}\n{:#?}", applied.stdout, applied.log);
        let looks = applied.log.requests_of("DescribeInstances");
        // The second look was the first that failed. What comes in the first turn rests on the plan's look, and may be
        // on its way still; nothing else is called for 15 s from then on.
        let blind_from = looks.get(1).expect("a second look").0;
        let blind =
            |at: Timestamp| at > blind_from && at.duration_since(blind_from) < SignedDuration::from_secs(15);
        let later = |id: &str| !["i-db", "i-cache", "i-metrics"].contains(&id);
        let calls = applied.log.calls();
        let meanwhile = calls.iter().filter(|call| blind(call.at) && later(call.instance())).count();
        assert_eq!(meanwhile, 0, "no call without a look: {context}");
        every_start_was_accepted_once(&applied.log, &context);
    });
}

fn every_start_was_accepted_once(log: &CloudLog, context: &str) {
    for id in IDS {
        assert_eq!(log.accepted("StartInstance", id), 1, "{id}: {context}");
    }
}

fn every_machine_was_moved_once(log: &CloudLog, cell: Cell) {
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for call in log.calls().iter().filter(|call| call.was_accepted()) {
        *accepted.entry(call.words()).or_default() += 1;
    }
    let verb = if cell.stops() { "Stop" } else { "Start" };
    let once = IDS.iter().map(|id| (format!("{verb} {id}"), 1)).collect();
    assert_eq!(accepted, once, "{cell:?}\n{log:#?}");
}

/// Where a call was not answered, the machine was looked at before it was called again.
fn nothing_was_sent_blindly(log: &CloudLog, cell: Cell) {
    let looks = log.requests_of("DescribeInstances");
    let calls = log.calls();
    for id in IDS {
        let sends: Vec<_> = calls.iter().filter(|call| call.instance() == id).collect();
        for pair in sends.windows(2).filter(|pair| !pair[0].request.answered) {
            let between = looks.iter().any(|(at, _)| pair[0].at < *at && *at < pair[1].at);
            assert!(between, "{id} was called again without a look: {cell:?}\n{log:#?}");
        }
    }
}
