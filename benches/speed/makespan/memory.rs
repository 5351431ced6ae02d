//! A cloud in memory whose machines boot in made-up time, and which lets through only so many calls, if so asked.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use powerform::cloud::{Accepted, Advice, Cloud, Found, Refusal, Search, StartRequest, StopRequest};
use powerform::fleet::{InstanceId, Power, Region, Selector, Sighting};
use powerform::probe::{Attempt, NotReady, Prober};
use tokio::time::{Instant, sleep};

use super::shape::id;

/// How long a look takes.
const LOOK: Duration = Duration::from_millis(50);

/// The cloud.
pub(crate) struct Memory {
    region: Region,
    /// How long a call takes.
    call: Duration,
    park: Mutex<Park>,
}

#[derive(Default)]
struct Park {
    machines: HashMap<InstanceId, Machine>,
    looks: Vec<Instant>,
    calls: Vec<(Instant, bool)>,
    limit: Option<Limit>,
}

struct Machine {
    boots_for: Duration,
    /// When its starts were accepted.
    starts: Vec<Instant>,
}

/// What bounds the start calls.
pub(crate) enum Limit {
    /// A bucket that is filled with so many tokens a second, and holds as many as come in one.
    Bucket { a_second: f64, tokens: f64, counted_at: Instant },
    /// So many in each minute, counted from a moment on.
    Minutes { most: usize, minute: u64, let_through: usize, began: Instant },
}

impl Limit {
    /// A full bucket.
    pub(crate) fn bucket(a_second: f64) -> Self {
        Self::Bucket { a_second, tokens: a_second.max(1.0), counted_at: Instant::now() }
    }

    /// Minutes that begin now.
    pub(crate) fn minutes(most: usize) -> Self {
        Self::Minutes { most, minute: 0, let_through: 0, began: Instant::now() }
    }

    fn lets_through(&mut self, now: Instant) -> bool {
        match self {
            Self::Bucket { a_second, tokens, counted_at } => {
                let passed = now.duration_since(*counted_at).as_secs_f64();
                *tokens = (*tokens + passed * *a_second).min(a_second.max(1.0));
                *counted_at = now;
                let is_let_through = *tokens >= 1.0;
                *tokens -= f64::from(u8::from(is_let_through));
                is_let_through
            }
            Self::Minutes { most, minute, let_through, began } => {
                let this = now.duration_since(*began).as_secs() / 60;
                if this != *minute {
                    (*minute, *let_through) = (this, 0);
                }
                *let_through += 1;
                *let_through <= *most
            }
        }
    }
}

impl Memory {
    pub(crate) fn new(boots: &[Duration], call: Duration) -> Self {
        let machines = boots.iter().enumerate().map(|(position, boot)| {
            let id = InstanceId::new(&id(position)).expect("an instance id");
            (id, Machine { boots_for: *boot, starts: Vec::new() })
        });
        let machines = machines.collect();
        let region = Region::new("cn-hangzhou").expect("a region");
        Self { region, call, park: Mutex::new(Park { machines, ..Park::default() }) }
    }

    fn park<T>(&self, work: impl FnOnce(&mut Park) -> T) -> T {
        work(&mut self.park.lock().expect("one thread"))
    }

    /// From now on start calls are limited so.
    pub(crate) fn limit(&self, limit: Limit) {
        self.park(|park| park.limit = Some(limit));
    }

    /// When it was looked, in order.
    pub(crate) fn looks(&self) -> Vec<Instant> {
        self.park(|park| park.looks.clone())
    }

    /// When start calls came, in order, and whether they were let through.
    pub(crate) fn calls(&self) -> Vec<(Instant, bool)> {
        self.park(|park| park.calls.clone())
    }

    pub(crate) fn every_machine_was_started_once(&self) -> bool {
        self.park(|park| park.machines.values().all(|machine| machine.starts.len() == 1))
    }

    /// When the start of a machine was accepted, and when it was up.
    pub(crate) fn way_of(&self, id: &InstanceId) -> Option<(Instant, Instant)> {
        self.park(|park| {
            let machine = park.machines.get(id)?;
            let started = *machine.starts.first()?;
            Some((started, started + machine.boots_for))
        })
    }

    fn accept(&self, ids: &[&InstanceId]) -> Vec<Result<Accepted, Refusal>> {
        let now = Instant::now();
        self.park(|park| {
            let is_let_through = park.limit.as_mut().is_none_or(|limit| limit.lets_through(now));
            park.calls.push((now, is_let_through));
            let accept = |id: &&InstanceId| {
                if !is_let_through {
                    let advice = Advice::Throttled { retry_after: None };
                    return Err(Refusal::new(advice, "too many calls"));
                }
                let machine = park.machines.get_mut(*id).ok_or_else(|| unknown(id))?;
                machine.starts.push(now);
                Ok(Accepted::default())
            };
            ids.iter().map(accept).collect()
        })
    }
}

fn unknown(id: &InstanceId) -> Refusal {
    Refusal::new(Advice::Final, format!("{id} is never stopped here, or not there at all"))
}

/// No entry has a readiness, so nothing is asked.
pub(crate) struct Unasked;

impl Prober for Unasked {
    async fn attempt(&self, _: Attempt) -> Result<(), NotReady> {
        Ok(())
    }
}

impl Search for Memory {
    async fn find(&self, _: &Selector) -> Result<Vec<Found>, Refusal> {
        Err(Refusal::new(Advice::Final, "every instance is named"))
    }
}

impl Cloud for Memory {
    fn region(&self) -> &Region {
        &self.region
    }

    async fn describe(&self, ids: &[InstanceId]) -> Result<Vec<Sighting>, Refusal> {
        sleep(LOOK / 2).await;
        let now = Instant::now();
        let sightings = self.park(|park| {
            park.looks.push(now);
            let see = |id: &InstanceId| {
                let machine = park.machines.get(id)?;
                let power = match machine.starts.first() {
                    None => Power::Stopped,
                    Some(started) if now - *started < machine.boots_for => Power::Starting,
                    Some(_) => Power::Running,
                };
                Some(Sighting::plain(id.clone(), power))
            };
            ids.iter().filter_map(see).collect()
        });
        sleep(LOOK / 2).await;
        Ok(sightings)
    }

    async fn start(&self, request: StartRequest) -> Result<Accepted, Refusal> {
        sleep(self.call / 2).await;
        let answer = self.accept(&[&request.id]).pop();
        sleep(self.call / 2).await;
        answer.unwrap_or_else(|| Err(unknown(&request.id)))
    }

    async fn stop(&self, request: StopRequest) -> Result<Accepted, Refusal> {
        Err(unknown(&request.id))
    }

    async fn start_many(&self, requests: Vec<StartRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        sleep(self.call / 2).await;
        let answers = self.accept(&requests.iter().map(|request| &request.id).collect::<Vec<_>>());
        sleep(self.call / 2).await;
        requests.into_iter().map(|request| request.id).zip(answers).collect()
    }

    async fn stop_many(&self, requests: Vec<StopRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        let refused = requests.into_iter().map(|request| {
            let answer = Err(unknown(&request.id));
            (request.id, answer)
        });
        refused.collect()
    }
}
