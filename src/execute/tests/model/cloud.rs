//! A cloud in memory, stricter than the real one, that keeps a log of all that was asked and of what was true.
//!
//! Strict: what the real one would at best put up with (a call that the status does not fit, too many at once, an
//! instance twice in a batch) is refused or a broken law here. It knows nothing of plans and runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::case::{Case, Does, Fate, provider};
use super::machine::{Machine, tenths};
use crate::cloud::{Accepted, Advice, BATCH_LIMIT, Cloud, LOOK_LIMIT, Refusal, StartRequest, StopRequest};
use crate::execute::Action;
use crate::fleet::{Desired, InstanceId, Power, ProviderAlias, Region, Sighting, StopPolicy};

/// When the plan's look is made: there is a time before it.
pub(super) const LOOK: Duration = Duration::from_secs(100);

/// A request to look.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) provider: ProviderAlias,
    pub(super) ids: Vec<InstanceId>,
    pub(super) sent: Duration,
    /// When its answer came; none while it is under way.
    pub(super) back: Option<Duration>,
    /// What it showed; none if it failed.
    pub(super) seen: Option<BTreeMap<InstanceId, Power>>,
}

/// A request to start or stop.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) provider: ProviderAlias,
    pub(super) action: Action,
    pub(super) is_batch: bool,
    pub(super) sent: Duration,
    pub(super) reached: Duration,
    pub(super) back: Option<Duration>,
    pub(super) items: Vec<Item>,
}

/// One instance of a request.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: InstanceId,
    pub(super) policy: Option<StopPolicy>,
    pub(super) init_local_disk: bool,
    /// Whether it was set on its way.
    pub(super) accepted: bool,
    pub(super) answer: Answer,
}

/// What was answered about an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Pending,
    Accepted,
    Refused { advice: Advice, http_500: bool },
}

/// All that is and was.
#[derive(Debug)]
pub(super) struct World {
    began: Instant,
    began_at: Duration,
    pub(super) machines: BTreeMap<InstanceId, Machine>,
    case: Case,
    ids: Vec<InstanceId>,
    clicks: usize,
    random: Rng,
    pub(super) looks: Vec<Look>,
    pub(super) requests: Vec<Request>,
    /// When an instance was clicked on, to an effect.
    pub(super) clicked: BTreeMap<InstanceId, Vec<Duration>>,
}

/// So many requests mean that the run goes round in circles.
const TOO_MANY: usize = 20_000;

impl World {
    /// As it is at the plan's look. The clock stands still until [`World::begin`].
    pub(super) fn new(case: &Case, desired: &Desired) -> Self {
        let mut case = case.clone();
        case.clicks.sort_by_key(|click| click.at);
        let ids: Vec<InstanceId> = desired.entries.iter().flat_map(|entry| entry.ids().to_vec()).collect();
        let machines = desired
            .entries
            .iter()
            .zip(&case.entries)
            .flat_map(|(made, drawn)| made.ids().iter().cloned().zip(drawn.machines.iter().map(Machine::new)))
            .collect();
        Self {
            began: Instant::now(),
            began_at: LOOK + Duration::from_secs(case.age),
            machines,
            ids,
            clicks: 0,
            random: Rng::with_seed(case.seed),
            looks: Vec::new(),
            requests: Vec::new(),
            clicked: BTreeMap::new(),
            case,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.began_at + self.began.elapsed()
    }

    /// What a read made now shows.
    pub(super) fn read(&mut self, now: Duration, id: &InstanceId) -> Option<Power> {
        self.click(now);
        let lag = Duration::from_millis(self.random.u64(0..=self.case.lag * 1000));
        self.machines.get(id)?.at(now.saturating_sub(lag)).cloned()
    }

    /// Does what someone else has done until now.
    pub(super) fn click(&mut self, now: Duration) {
        while let Some(click) = self.case.clicks.get(self.clicks).copied() {
            let at = LOOK + tenths(click.at);
            if at > now {
                break;
            }
            self.clicks += 1;
            let id = self.ids[click.which % self.ids.len()].clone();
            let Some(machine) = self.machines.get_mut(&id) else { continue };
            let power = machine.at(at).cloned();
            match (click.does, power) {
                (_, None) => continue,
                (Does::Start, Some(Power::Stopped)) => machine.go(at, Action::Start, None),
                (Does::Stop, Some(Power::Running)) => machine.go(at, Action::Stop, None),
                (Does::Flip, Some(Power::Running | Power::Starting)) => machine.set(at, Some(Power::Stopped)),
                (Does::Flip, Some(Power::Stopped | Power::Stopping)) => machine.set(at, Some(Power::Running)),
                (Does::Release, Some(_)) => machine.set(at, None),
                (Does::Strange, Some(_)) => machine.set(at, Some(Power::Unrecognised("Odd".into()))),
                (Does::Start | Does::Stop | Does::Flip, Some(_)) => continue,
            }
            self.clicked.entry(id).or_default().push(at);
        }
    }

    /// How long a request is on its way, one way.
    fn way(&mut self) -> Duration {
        let slow = self.case.slow_answers && self.random.u8(0..8) == 0;
        Duration::from_millis(if slow {
            self.random.u64(500..12_000)
        } else {
            self.random.u64(1..=self.case.latency) / 2
        })
    }

    fn is_blind(&self, alias: &ProviderAlias, now: Duration) -> Option<Refusal> {
        self.case.blind.iter().find_map(|blind| {
            let from = LOOK + Duration::from_secs(blind.from);
            let covers = provider(blind.far) == *alias && from <= now;
            (covers && now < from + Duration::from_secs(blind.seconds)).then(|| {
                let advice = if blind.is_final { Advice::Final } else { Advice::OutcomeUnknown };
                Refusal::new(advice, "nothing to be seen")
            })
        })
    }

    fn throttles(&self, alias: &ProviderAlias, action: Action, now: Duration) -> Option<Refusal> {
        self.case.throttled.iter().find_map(|span| {
            let from = LOOK + Duration::from_secs(span.from);
            let covers = provider(span.far) == *alias && span.starts == (action == Action::Start);
            (covers && from <= now && now < from + Duration::from_secs(span.seconds)).then(|| {
                let retry_after = span.retry_after.map(Duration::from_millis);
                Refusal::new(Advice::Throttled { retry_after }, "Throttling.User")
            })
        })
    }

    /// A request has reached the cloud.
    fn act(&mut self, number: usize, now: Duration) -> Vec<Result<Accepted, Refusal>> {
        self.click(now);
        let (alias, action) = (self.requests[number].provider.clone(), self.requests[number].action);
        self.requests[number].reached = now;
        let ids: Vec<InstanceId> = self.requests[number].items.iter().map(|item| item.id.clone()).collect();
        if let Some(refusal) = self.throttles(&alias, action, now) {
            return ids.iter().map(|_| Err(refusal.clone())).collect();
        }
        let whole = self.case.requests.iter().find(|(nth, _)| *nth == number).map(|(_, fate)| *fate);
        let mut answers = Vec::new();
        for (at, id) in ids.iter().enumerate() {
            let (accepted, answer) = self.act_on(id, action, whole, now);
            self.requests[number].items[at].accepted = accepted;
            answers.push(answer);
        }
        answers
    }

    fn act_on(
        &mut self,
        id: &InstanceId,
        action: Action,
        whole: Option<Fate>,
        now: Duration,
    ) -> (bool, Result<Accepted, Refusal>) {
        let refusal = |advice: Advice| Refusal::new(advice, "refused");
        let internal_error = || Refusal { http_status: Some(500), ..refusal(Advice::Busy { sends: 5 }) };
        let Some(machine) = self.machines.get_mut(id).filter(|machine| machine.at(now).is_some()) else {
            return (false, Err(refusal(Advice::Final)));
        };
        if machine.locked_from.is_some_and(|from| from <= now) {
            return (false, Err(refusal(Advice::Final)));
        }
        let own = |machine: &mut Machine| (!machine.fates.is_empty()).then(|| machine.fates.remove(0));
        let fate = whole.or_else(|| own(machine));
        let before = match fate {
            Some(Fate::LoseRequest) => Some(refusal(Advice::OutcomeUnknown)),
            Some(Fate::Busy) => Some(refusal(Advice::Busy { sends: 5 })),
            Some(Fate::InternalError) => Some(internal_error()),
            Some(Fate::WrongStatus) => Some(refusal(Advice::WrongStatus)),
            Some(Fate::Final) => Some(refusal(Advice::Final)),
            Some(Fate::NoCapacity) => Some(refusal(Advice::Capacity)),
            Some(Fate::Throttled) => Some(refusal(Advice::Throttled { retry_after: None })),
            _ => None,
        };
        if let Some(refusal) = before {
            return (false, Err(refusal));
        }
        let needed = if action == Action::Stop { Power::Running } else { Power::Stopped };
        let fits = machine.at(now) == Some(&needed);
        if fits {
            machine.go(now, action, fate);
        }
        let answer = match fate {
            Some(Fate::LoseAnswer) => Err(refusal(Advice::OutcomeUnknown)),
            Some(Fate::InternalErrorAfter) => Err(internal_error()),
            _ if !fits => Err(refusal(Advice::WrongStatus)),
            _ => Ok(Accepted { request_id: Some("request".to_owned()) }),
        };
        (fits, answer)
    }
}

/// One provider of the world.
#[derive(Debug)]
pub(super) struct Strict {
    alias: ProviderAlias,
    region: Region,
    world: Arc<Mutex<World>>,
}

impl Strict {
    pub(super) fn new(alias: ProviderAlias, world: Arc<Mutex<World>>) -> Self {
        Self { alias, region: Region::new("cn-hangzhou").expect("valid"), world }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn call(
        &self,
        action: Action,
        is_batch: bool,
        items: Vec<Item>,
    ) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        assert!(!items.is_empty() && items.len() <= BATCH_LIMIT, "a request for {} instances", items.len());
        let ids: Vec<InstanceId> = items.iter().map(|item| item.id.clone()).collect();
        let (number, there, back) = {
            let mut world = self.world();
            let now = world.now();
            assert!(world.requests.len() < TOO_MANY, "requests without end");
            world.requests.push(Request {
                provider: self.alias.clone(),
                action,
                is_batch,
                sent: now,
                reached: now,
                back: None,
                items,
            });
            (world.requests.len() - 1, world.way(), world.way())
        };
        sleep(there).await;
        let answers = {
            let mut world = self.world();
            let now = world.now();
            world.act(number, now)
        };
        sleep(back).await;
        let mut world = self.world();
        let now = world.now();
        world.requests[number].back = Some(now);
        for (item, answer) in world.requests[number].items.iter_mut().zip(&answers) {
            item.answer = match answer {
                Ok(_) => Answer::Accepted,
                Err(refusal) => {
                    Answer::Refused { advice: refusal.advice, http_500: refusal.http_status.is_some() }
                }
            };
        }
        ids.into_iter().zip(answers).collect()
    }
}

fn start_item(request: StartRequest) -> Item {
    let StartRequest { id, init_local_disk } = request;
    Item { id, policy: None, init_local_disk, accepted: false, answer: Answer::Pending }
}

fn stop_item(request: StopRequest) -> Item {
    let StopRequest { id, policy } = request;
    Item { id, policy: Some(policy), init_local_disk: false, accepted: false, answer: Answer::Pending }
}

impl Cloud for Strict {
    fn region(&self) -> &Region {
        &self.region
    }

    async fn describe(&self, ids: &[InstanceId]) -> Result<Vec<Sighting>, Refusal> {
        assert!(!ids.is_empty() && ids.len() <= LOOK_LIMIT, "a look at {} instances", ids.len());
        let (number, there, back) = {
            let mut world = self.world();
            let sent = world.now();
            assert!(world.looks.len() < TOO_MANY, "looks without end");
            let (provider, ids) = (self.alias.clone(), ids.to_vec());
            world.looks.push(Look { provider, ids, sent, back: None, seen: None });
            (world.looks.len() - 1, world.way(), world.way())
        };
        sleep(there).await;
        let answer = {
            let mut world = self.world();
            let now = world.now();
            match world.is_blind(&self.alias, now) {
                Some(refusal) => Err(refusal),
                None => Ok(ids
                    .iter()
                    .filter_map(|id| Some(Sighting::plain(id.clone(), world.read(now, id)?)))
                    .collect::<Vec<_>>()),
            }
        };
        sleep(back).await;
        let mut world = self.world();
        let now = world.now();
        world.looks[number].back = Some(now);
        world.looks[number].seen = answer.as_ref().ok().map(|sightings| {
            sightings.iter().map(|sighting| (sighting.id.clone(), sighting.power.clone())).collect()
        });
        answer
    }

    async fn start(&self, request: StartRequest) -> Result<Accepted, Refusal> {
        let mut answers = self.call(Action::Start, false, vec![start_item(request)]).await;
        answers.pop().expect("one").1
    }

    async fn stop(&self, request: StopRequest) -> Result<Accepted, Refusal> {
        let mut answers = self.call(Action::Stop, false, vec![stop_item(request)]).await;
        answers.pop().expect("one").1
    }

    async fn start_many(&self, requests: Vec<StartRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        self.call(Action::Start, true, requests.into_iter().map(start_item).collect()).await
    }

    async fn stop_many(&self, requests: Vec<StopRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
        self.call(Action::Stop, true, requests.into_iter().map(stop_item).collect()).await
    }
}
