//! The loop that carries calls and looks to a cloud, under a paused clock.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::sketch::Sketch;
use super::twin::{fleet, plan_for, secs, story};
use super::unasked::unasked;
use crate::cloud::{Accepted, Cloud, Refusal, StartRequest, StopRequest};
use crate::execute::{Clouds, Event, EventKind, Execution, Limits, Outcome, Report, execute};
use crate::fleet::{Goal, InstanceId, Power, ProviderAlias, Region, Sighting, Strength};
use crate::plan::Plan;

const LATENCY: Duration = Duration::from_millis(50);
const BOOT: Duration = Duration::from_secs(20);

/// Machines that are stopped until they are started, and then take twenty seconds.
struct Machines {
    region: Region,
    began: Instant,
    started: Mutex<HashMap<InstanceId, Instant>>,
    calls: Mutex<Vec<(Duration, String)>>,
    panics: bool,
}

impl Machines {
    fn new() -> Self {
        Self {
            region: Region::new("cn-hangzhou").expect("valid"),
            began: Instant::now(),
            started: Mutex::default(),
            calls: Mutex::default(),
            panics: false,
        }
    }

    fn calls(&self) -> Vec<(u64, String)> {
        let calls = self.calls.lock().expect("not poisoned");
        calls.iter().map(|(at, id)| (at.as_secs(), id.clone())).collect()
    }
}

impl Cloud for Machines {
    fn region(&self) -> &Region {
        &self.region
    }

    async fn describe(&self, ids: &[InstanceId]) -> Result<Vec<Sighting>, Refusal> {
        sleep(LATENCY).await;
        let started = self.started.lock().expect("not poisoned");
        let sighting = |id: &InstanceId| {
            let power = match started.get(id) {
                None => Power::Stopped,
                Some(at) if at.elapsed() < BOOT => Power::Starting,
                Some(_) => Power::Running,
            };
            Sighting::plain(id.clone(), power)
        };
        Ok(ids.iter().map(sighting).collect())
    }

    async fn start(&self, request: StartRequest) -> Result<Accepted, Refusal> {
        assert!(!self.panics, "a defect in the cloud's code");
        sleep(LATENCY).await;
        self.calls.lock().expect("not poisoned").push((self.began.elapsed(), request.id.to_string()));
        self.started.lock().expect("not poisoned").insert(request.id, Instant::now());
        Ok(Accepted { request_id: Some("request".to_owned()) })
    }

    async fn stop(&self, _: StopRequest) -> Result<Accepted, Refusal> {
        unreachable!("nothing is stopped here")
    }

    async fn start_many(&self, _: Vec<StartRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        unreachable!("there are too few for a batch")
    }

    async fn stop_many(&self, _: Vec<StopRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        unreachable!("nothing is stopped here")
    }
}

/// db, and web behind it, both stopped.
fn two() -> Plan {
    let desired = Sketch::new()
        .entry("db", Goal::Running, 1, &[])
        .entry("web", Goal::Running, 1, &[("db", Strength::Hard)])
        .desired();
    plan_for(&desired, &fleet(&desired, &Power::Stopped, secs(0)))
}

async fn run(
    plan: &Plan,
    clouds: &Clouds<Machines>,
    interrupt: impl Future<Output = ()>,
) -> (Report, Vec<Event>) {
    let execution = Execution { plan, age: Duration::ZERO, limits: Limits::default(), expected: &|_| None };
    let mut report = Report::default();
    let mut events = Vec::new();
    execute(execution, clouds, &unasked(), interrupt, |event| {
        report.hear(&event);
        events.push(event);
    })
    .await;
    (report, events)
}

fn clouds(machines: &Arc<Machines>) -> Clouds<Machines> {
    BTreeMap::from([(ProviderAlias::main(), machines.clone())])
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_carried_out_in_order() {
    let (plan, machines) = (two(), Arc::new(Machines::new()));
    let (report, events) = run(&plan, &clouds(&machines), std::future::pending()).await;
    assert!(report.meets_every_goal(&plan) && !report.interrupted);
    assert_eq!(machines.calls(), [(0, "i-db0".to_owned()), (20, "i-web0".to_owned())]);
    let told = ["began start", "accepted", "seen Starting", "done Called"];
    assert_eq!(story(&plan, &events, "db"), told);
    assert_eq!(story(&plan, &events, "web"), told);
    assert!(machines.began.elapsed() < secs(45));
}

#[tokio::test(start_paused = true)]
async fn an_interruption_awaits_the_calls_under_way_and_nothing_else() {
    let plan = two();
    for (at, calls) in [(Duration::ZERO, 1), (LATENCY / 2, 1), (secs(5), 1), (secs(21), 2), (secs(30), 2)] {
        let machines = Arc::new(Machines::new());
        let (report, _) = run(&plan, &clouds(&machines), sleep(at)).await;
        assert!(report.interrupted);
        assert!(machines.began.elapsed() <= at + LATENCY + Duration::from_millis(1));
        assert!(machines.calls().len() <= calls, "interrupted after {at:?}");
        for outcome in report.outcomes.values() {
            assert!(matches!(outcome, Outcome::NotReached { .. } | Outcome::Started), "{outcome:?}");
        }
        assert_eq!(report.outcomes.len(), 2, "every step is accounted for");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_that_came_before_the_beginning_calls_nothing() {
    let (plan, machines) = (two(), Arc::new(Machines::new()));
    let (report, _) = run(&plan, &clouds(&machines), std::future::ready(())).await;
    assert!(report.interrupted);
    assert_eq!(machines.calls(), []);
    assert_eq!(report.outcomes.len(), 2, "every step is accounted for");
}

#[tokio::test(start_paused = true)]
async fn an_interruption_while_the_listener_blocks_is_heeded_before_the_next_call() {
    let (plan, machines) = (two(), Arc::new(Machines::new()));
    let (interrupt, interrupted) = tokio::sync::oneshot::channel::<()>();
    let mut interrupt = Some(interrupt);
    let limits = Limits::default();
    let execution = Execution { plan: &plan, age: Duration::ZERO, limits, expected: &|_| None };
    let mut report = Report::default();
    let clouds = clouds(&machines);
    let asked = async { interrupted.await.expect("it is sent") };
    execute(execution, &clouds, &unasked(), asked, |event| {
        report.hear(&event);
        if matches!(event.kind, EventKind::Completed { .. })
            && let Some(interrupt) = interrupt.take()
        {
            interrupt.send(()).expect("it is awaited");
        }
    })
    .await;
    assert!(report.interrupted);
    assert_eq!(machines.calls(), [(0, "i-db0".to_owned())], "web was about to be started");
}

#[tokio::test(start_paused = true)]
async fn an_interruption_after_the_last_step_has_ended_cuts_nothing_short() {
    let (plan, machines) = (two(), Arc::new(Machines::new()));
    let ended = std::cell::Cell::new(0);
    let last = std::future::poll_fn(|_| match ended.get() {
        2 => std::task::Poll::Ready(()),
        _ => std::task::Poll::Pending,
    });
    let limits = Limits::default();
    let execution = Execution { plan: &plan, age: Duration::ZERO, limits, expected: &|_| None };
    let mut report = Report::default();
    execute(execution, &clouds(&machines), &unasked(), last, |event| {
        report.hear(&event);
        ended.set(report.outcomes.len());
    })
    .await;
    assert!(report.meets_every_goal(&plan) && !report.interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_a_connection_fails_its_steps_and_skips_those_behind() {
    let plan = two();
    let (report, events) = run(&plan, &BTreeMap::new(), std::future::pending()).await;
    assert!(!report.meets_every_goal(&plan));
    assert_eq!(story(&plan, &events, "db"), ["began start", "failed Refused"]);
    assert_eq!(story(&plan, &events, "web"), ["skipped because of db"]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_nothing_to_do_ends_without_a_word() {
    let desired = Sketch::new().entry("db", Goal::Running, 1, &[]).desired();
    let plan = plan_for(&desired, &fleet(&desired, &Power::Running, secs(0)));
    let (report, events) = run(&plan, &BTreeMap::new(), std::future::pending()).await;
    assert!(report.meets_every_goal(&plan) && events.is_empty());
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a defect in the cloud's code")]
async fn a_defect_in_a_clouds_code_comes_to_light() {
    let machines = Arc::new(Machines { panics: true, ..Machines::new() });
    run(&two(), &clouds(&machines), std::future::pending()).await;
}
