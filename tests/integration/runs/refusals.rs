//! Every error code of the StartInstance page, met at the call, where no plan could foresee it.

use crate::harness::{Ran, Scenario, World, side_by_side};

/// One code, as a fault of the first start of x.
struct Code {
    code: &'static str,
    message: Option<&'static str>,
    /// Whether it may pass: the call is sent again, once, and accepted.
    passes: bool,
    /// What the remedy says.
    remedy: &'static str,
}

#[rustfmt::skip]
const CODES: &[Code] = &[
    Code { code: "IncorrectInstanceStatus", message: None, passes: true, remedy: "" },
    Code { code: "DiskError", message: None, passes: true, remedy: "" },
    Code { code: "InstanceNotReady", message: None, passes: true, remedy: "" },
    Code { code: "InternalError", message: None, passes: true, remedy: "" },
    Code { code: "InstanceExpired", message: Some("The postPaid instance has been expired. Please ensure your account have enough balance."), passes: false, remedy: "pay what is due" },
    Code { code: "InstanceExpired", message: Some("The prePaid instance has been expired."), passes: false, remedy: "renew the subscription" },
    Code { code: "InvalidParameter.KMSKeyId.KMSUnauthorized", message: None, passes: false, remedy: "Key Management Service" },
    Code { code: "InstanceLockedForSecurity", message: None, passes: false, remedy: "Security Center" },
    Code { code: "InvalidInstanceId.NotFound", message: None, passes: false, remedy: "correct the configuration" },
];

/// y needs x, w comes after it for order's sake only, z has nothing to do with it.
pub(super) const CONFIGURATION: &str = "instances:
  x: { id: i-x, status: Running }
  y: { id: i-y, status: Running, depends_on: [x] }
  yy: { id: i-yy, status: Running, depends_on: [y] }
  w: { id: i-w, status: Running, depends_on: { x: { required: false } } }
  z: { id: i-z, status: Running }
";

pub(super) fn account(fault: &str) -> String {
    format!(
        "instances: [{{ id: i-x }}, {{ id: i-y }}, {{ id: i-yy }}, {{ id: i-w }}, {{ id: i-z }}]\n\
         faults: [{{ action: StartInstance, instance: i-x, {fault} }}]\n"
    )
}

/// How often the start of x reached the cloud.
pub(super) fn sends(ran: &Ran) -> usize {
    ran.calls().iter().filter(|call| *call == "Start i-x").count()
}

/// Everything that a failure of x has to say and do.
pub(super) fn fails_as_it_should(ran: &Ran, code: &str, remedy: &str) {
    let calls = ran.log.calls();
    let last = calls.iter().rfind(|call| call.instance() == "i-x").expect("x was called");
    let request_id = &last.request.request_id;
    let end = ran.lines.end_of("x");
    assert_eq!(end["type"], "apply_errored");
    let error = &end["hook"]["error"];
    assert_eq!(
        (error["code"].as_str(), error["request_id"].as_str()),
        (Some(code), Some(request_id.as_str()))
    );
    assert!(error["remedy"].as_str().is_some_and(|it| it.contains(remedy)), "{error}");
    for text in [
        code,
        request_id.as_str(),
        remedy,
        "Failed:\n  x (i-x): ",
        "Skipped:\n  y (i-y): not tried because of x",
    ] {
        assert!(ran.stdout.contains(text), "no \"{text}\" in the summary:\n{}", ran.stdout);
    }
    assert_eq!(ran.lines.summary_of("failed"), ["x"]);
    assert_eq!(ran.lines.summary_of("skipped"), ["y", "yy"]);
    assert_eq!(ran.lines.summary_of("started"), ["w", "z"]);
    for skipped in ["y", "yy"] {
        let end = ran.lines.end_of(skipped);
        assert_eq!((end["type"].as_str(), end["hook"]["root"].as_str()), (Some("apply_skipped"), Some("x")));
    }
}

#[test]
fn a_refusal_that_may_pass_is_tried_again_and_one_that_will_not_is_explained() {
    let rows: Vec<_> =
        World::BOTH.into_iter().flat_map(|world| CODES.iter().map(move |code| (world, code))).collect();
    side_by_side(&rows, |(world, row)| {
        let message = row.message.map(|text| format!(", message: \"{text}\"")).unwrap_or_default();
        let fault = account(&format!("nth: 1, error: {}{message}", row.code));
        let scenario = Scenario::in_world(*world, &fault, CONFIGURATION);
        let applied = scenario.apply();
        if row.passes {
            assert_eq!(sends(&applied), 2, "{}", row.code);
            let applied = applied.exits(0);
            assert_eq!(applied.lines.summary()["counts"]["started"], 5, "{}", row.code);
            let again = applied.lines.of_type("apply_progress");
            assert!(again.iter().any(|line| line["hook"]["error"]["code"] == row.code), "{again:?}");
        } else {
            assert_eq!(sends(&applied), 1, "{}", row.code);
            let applied = applied.exits(1);
            fails_as_it_should(&applied, row.code, row.remedy);
            if let Some(message) = row.message {
                assert!(applied.stdout.contains(message.trim_end_matches('.')), "{}", applied.stdout);
            }
            // What was said once is not held against the instance.
            assert_eq!(scenario.converge().calls(), ["Start i-x", "Start i-y", "Start i-yy"]);
        }
        scenario.is_in_sync();
    });
}

#[test]
fn a_refused_stop_leaves_what_it_needs_running() {
    let configuration = "instances:\n  app: { id: i-app, status: Stopped, depends_on: [db] }\n  \
         db: { id: i-db, status: Stopped }\n  other: { id: i-other, status: Stopped }\n";
    let account = "instances:\n  - { id: i-app, status: Running }\n  - { id: i-db, status: Running }\n  \
         - { id: i-other, status: Running }\nfaults: [{ action: StopInstance, instance: i-app, nth: 1, \
         error: OperationDenied.SystemInstanceNotSupport }]\n";
    let scenario = Scenario::new(account, configuration);
    let applied = scenario.apply().exits(1);
    let mut calls = applied.calls();
    calls.sort();
    assert_eq!(calls, ["Stop i-app", "Stop i-other"]);
    assert_eq!(applied.lines.summary_of("skipped"), ["db"]);
    assert_eq!(scenario.converge().calls(), ["Stop i-app", "Stop i-db"]);
}

#[test]
fn a_start_that_gets_stuck_fails_at_its_timeout_with_what_it_was_last_seen_as() {
    let configuration = CONFIGURATION.replace("x: { id: i-x,", "x: { id: i-x, timeouts: { start: 1s },");
    let scenario = Scenario::new(&account("nth: 1, stuck: true"), &configuration);
    let applied = scenario.apply().exits(1).prints(&["did not arrive within 1s: last seen Starting, for "]);
    assert_eq!(applied.lines.end_of("x")["hook"]["error"]["kind"], "timed_out");
    // It is on its way for ever; when it arrives after all, the rest follows without a second start.
    let mut apply = scenario.start(&["apply", "--auto-approve"]);
    apply.running().until("it waits for x", |running| running.stderr().contains("x: waiting"));
    scenario.click("i-x", "Running");
    assert_eq!(apply.finish().exits(0).calls(), ["Start i-y", "Start i-yy"]);
    scenario.is_in_sync();
}
