use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::*;
use crate::cloud::Advice;

type Scripted<T> = Mutex<VecDeque<Result<T, Refusal>>>;

/// A cloud with prepared answers. It says nothing any more once they are used up.
#[derive(Debug)]
struct Twin {
    begun: Instant,
    runs: Scripted<()>,
    outcomes: Scripted<Ran>,
    calls: Mutex<Vec<(u128, String)>>,
}

impl Twin {
    fn new(
        runs: impl IntoIterator<Item = Result<(), Refusal>>,
        outcomes: impl IntoIterator<Item = Result<Ran, Refusal>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            runs: Mutex::new(runs.into_iter().collect()),
            outcomes: Mutex::new(outcomes.into_iter().collect()),
            calls: Mutex::default(),
        })
    }

    async fn answer<T>(&self, script: &Scripted<T>, call: String) -> Result<T, Refusal> {
        self.calls.lock().expect("whole").push((self.begun.elapsed().as_millis(), call));
        let next = script.lock().expect("whole").pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn calls(&self) -> Vec<(u128, String)> {
        self.calls.lock().expect("whole").clone()
    }
}

impl Assistant for Twin {
    async fn run(&self, id: &InstanceId, script: &str, timeout: Duration) -> Result<Invocation, Refusal> {
        let call = format!("run {script} in {id} for {}", Words(timeout));
        self.answer(&self.runs, call)
            .await
            .map(|()| Invocation { id: "t-1".to_owned(), instance: id.clone() })
    }

    async fn outcome(&self, invocation: &Invocation) -> Result<Ran, Refusal> {
        self.answer(&self.outcomes, format!("look at {}", invocation.id)).await
    }
}

async fn ask(twin: &Arc<Twin>) -> Result<(), String> {
    let assistants = Clouds::from([(ProviderAlias::main(), Arc::clone(twin))]);
    let Probes { direct, outer, folder, withheld, commands, .. } = probes_in(".");
    let probes = Probes { assistants, direct, outer, folder, withheld, commands };
    let probe = Probe::Guest { script: "pg_isready".to_owned() };
    let attempt = Attempt { subject: subject(), probe, timeout: Duration::from_secs(10) };
    probes.attempt(attempt).await.map_err(|not_ready| not_ready.answer)
}

fn ran(exit_code: i64, output: &str) -> Result<Ran, Refusal> {
    Ok(Ran::Ended { exit_code, output: output.to_owned() })
}

fn refusal(advice: Advice, code: &str) -> Refusal {
    Refusal { code: Some(code.to_owned()), ..Refusal::new(advice, "in words") }
}

fn times(twin: &Twin) -> Vec<u128> {
    twin.calls().into_iter().map(|(at, _)| at).collect()
}

#[tokio::test(start_paused = true)]
async fn a_command_is_looked_at_calmly_until_it_has_ended() {
    let twin = Twin::new([Ok(())], [Ok(Ran::StillRunning), Ok(Ran::StillRunning), ran(0, "ok")]);
    assert_eq!(ask(&twin).await, Ok(()));
    assert_eq!(times(&twin), [0, 1000, 3000, 5000]);
    let said: Vec<String> = twin.calls().into_iter().map(|(_, call)| call).collect();
    assert_eq!(said[..2], ["run pg_isready in i-db for 10s", "look at t-1"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_well_is_the_answer() {
    for (outcome, expected) in [
        (ran(2, "checking\n/run:5432 - no response\n"), "exit status 2: /run:5432 - no response"),
        (ran(1, ""), "exit status 1"),
        (Ok(Ran::Failed { why: "Aborted: DeliveryTimeout".to_owned() }), "Aborted: DeliveryTimeout"),
        (Err(refusal(Advice::Busy { sends: 5 }, "InternalError")), "InternalError: in words"),
    ] {
        assert_eq!(ask(&Twin::new([Ok(())], [outcome])).await, Err(expected.to_owned()));
    }
    let denied = Refusal { remedy: Some("allow it".into()), ..refusal(Advice::Final, "Forbidden.RAM") };
    for (refused, expected) in [
        (refusal(Advice::WrongStatus, "InvalidInstance.NotMatch"), "InvalidInstance.NotMatch: in words"),
        (Refusal::new(Advice::OutcomeUnknown, "no answer"), "no answer"),
        (denied, "Forbidden.RAM: in words; allow it"),
    ] {
        let twin = Twin::new([Err(refused)], []);
        assert_eq!(ask(&twin).await, Err(expected.to_owned()));
        assert_eq!(twin.calls().len(), 1, "it is sent once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_too_early_for_the_cloud_is_sent_when_it_may_be() {
    let early = |retry_after| Err(refusal(Advice::Throttled { retry_after }, "Throttling"));
    let twin = Twin::new([early(None), early(Some(Duration::from_secs(3))), Ok(())], [ran(0, "")]);
    assert_eq!(ask(&twin).await, Ok(()));
    assert_eq!(times(&twin), [0, 1000, 4000, 5000]);
}

#[tokio::test(start_paused = true)]
async fn a_command_or_a_cloud_that_never_ends_is_given_up_in_time() {
    let late = Err("no end within 10s".to_owned());
    let running = std::iter::repeat_with(|| Ok(Ran::StillRunning)).take(99);
    let throttled = || Err(refusal(Advice::Throttled { retry_after: None }, "Throttling"));
    for twin in [
        Twin::new([Ok(())], running),
        Twin::new([Ok(())], []),
        Twin::new([], []),
        Twin::new(std::iter::repeat_with(throttled).take(99), []),
    ] {
        let begun = Instant::now();
        assert_eq!(ask(&twin).await, late);
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
    }
}

#[tokio::test]
async fn an_instance_of_a_provider_without_a_connection_is_not_asked() {
    let answer = attempt(&probes_in("."), Probe::Guest { script: "true".to_owned() }, LONG).await;
    assert_eq!(answer, Err("there is no connection for the provider default".to_owned()));
}
