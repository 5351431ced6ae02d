//! One request after the other: guard, memory, limits, faults, operation, log. What it gives back is what to send,
//! and what to do to it on its way; the sending is `http`'s.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::Clock;
use super::account::{Account, Change, Effect};
use super::answer::{self, Format, Rendered};
use super::api::{self, Call, Done, LOGGED, Operation, Subject};
use super::guard::{self, Nonce, Nonces};
use super::log::{ACCEPTED, LogEvent, LogLine, RequestLine, UNSERVED};
use super::memory::{Memory, MemoryError, Session};
use super::refusal::Refusal;
use super::request::Parameters;
use super::status::Status;
use super::world::{Twist, World};

/// A request as it came in.
#[derive(Debug)]
pub(super) struct Incoming {
    /// As sent: it is part of what was signed.
    pub(super) method: String,
    pub(super) path: String,
    /// The host that the client asked, which errors name.
    pub(super) host: String,
    pub(super) parameters: Result<Parameters, Refusal>,
}

/// What to send, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) request_id: String,
    /// How long to wait before anything is sent.
    pub(super) delay: Duration,
    pub(super) delivery: Delivery,
    /// When it was decided, for the Date header.
    pub(super) at: Timestamp,
}

/// What becomes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It arrives.
    Whole(Rendered),
    /// Its length is announced, and half of it arrives.
    Torn(Rendered),
    /// The connection ends without it.
    Never,
}

/// The cloud that all connections share.
#[derive(Debug)]
pub(super) struct Service {
    account: Arc<Account>,
    clock: Clock,
    room: Mutex<Room>,
    /// One request at a time goes to the memory; the others wait here and not on threads.
    turnstile: Semaphore,
}

/// What changes.
#[derive(Debug)]
struct Room {
    world: World,
    memory: Memory,
    nonces: Nonces,
    random: fastrand::Rng,
}

/// A request whose signature holds, for an operation that exists.
struct Admitted {
    operation: &'static Operation,
    parameters: Parameters,
    nonce: Nonce,
    request_id: String,
}

/// What came of a request in the room.
struct Verdict {
    /// None where a fault kept the request away.
    outcome: Option<Result<Done, Refusal>>,
    /// The fault that strikes, and how late the answer leaves.
    effect: Option<Effect>,
    delay: Duration,
}

impl Service {
    /// The cloud of an account, with its memory begun if it is the first time or the account file changed.
    pub(super) fn open(account: Account, clock: Clock, seed: u64) -> Result<Self, MemoryError> {
        let account = Arc::new(account);
        let now = clock.now();
        let mut memory = Memory::new(account.memory.clone(), account.digest.clone());
        memory.begin(now)?;
        let mut room = Room {
            world: World::new(Arc::clone(&account), now),
            memory,
            nonces: Nonces::default(),
            random: fastrand::Rng::with_seed(seed),
        };
        room.visit(now, |_, _, _, _| Ok(()))?;
        Ok(Self { account, clock, room: Mutex::new(room), turnstile: Semaphore::new(1) })
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// Changes the status of an instance, as someone else's click in the console would. False where the instance is
    /// gone.
    pub(super) fn click(&self, id: &str, status: Status) -> Result<bool, MemoryError> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.visit(self.clock.now(), |world, session, _, now| {
            let Some(event) = world.change(id, &Change::Set(status), now) else { return Ok(false) };
            record(world, session, LogLine { at: now, event })?;
            Ok(true)
        })
    }

    /// Answers one request.
    pub(super) async fn answer(self: &Arc<Self>, incoming: Incoming) -> Reply {
        let request_id = uuid::Uuid::new_v4().to_string().to_uppercase();
        let at = self.clock.now();
        let format = incoming.parameters.as_ref().map_or(Ok(Format::Xml), guard::format);
        let host = incoming.host.clone();
        let (delay, delivery) = match self.admit(incoming, &request_id, at) {
            Err(refusal) => {
                tracing::debug!(code = %refusal.code, "request refused at the door");
                let format = format.unwrap_or_default();
                (Duration::ZERO, Delivery::Whole(answer::failure(format, &host, &request_id, &refusal)))
            }
            Ok(admitted) => {
                let action = admitted.operation.name;
                let verdict = self.serve(admitted).await;
                (verdict.delay, deliver(verdict, format.unwrap_or_default(), action, &host, &request_id))
            }
        };
        Reply { request_id, delay, delivery, at }
    }

    /// Everything that can be said without knowing the instances.
    fn admit(&self, incoming: Incoming, request_id: &str, now: Timestamp) -> Result<Admitted, Refusal> {
        if incoming.path != "/" {
            return Err(Refusal::of("InvalidApi.NotFound"));
        }
        let parameters = incoming.parameters?;
        guard::format(&parameters)?;
        let nonce = guard::check(&self.account, &incoming.method, &parameters, now)?;
        let operation = api::operation(parameters.required("Action")?)?;
        Ok(Admitted { operation, parameters, nonce, request_id: request_id.to_owned() })
    }

    async fn serve(self: &Arc<Self>, admitted: Admitted) -> Verdict {
        // The semaphore is never closed, so the permit is always had.
        let _permit = self.turnstile.acquire().await;
        let service = Arc::clone(self);
        // The memory file may be locked by another process.
        let served = tokio::task::spawn_blocking(move || {
            let mut room = service.room.lock().unwrap_or_else(PoisonError::into_inner);
            room.serve(&admitted, service.clock.now()).unwrap_or_else(|error| {
                let path = room.memory.path();
                tracing::error!(path = %path.display(), %error, "the simulator's memory cannot be used");
                Verdict::refused(Refusal::of("InternalError"))
            })
        });
        served.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request ended early");
            Verdict::refused(Refusal::of("InternalError"))
        })
    }
}

impl Verdict {
    fn refused(refusal: Refusal) -> Self {
        Self { outcome: Some(Err(refusal)), effect: None, delay: Duration::ZERO }
    }
}

impl Room {
    /// Enters the memory, takes in what others did and what is due, and does something there.
    fn visit<T>(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut World, &mut Session<'_>, &mut fastrand::Rng, Timestamp) -> Result<T, MemoryError>,
    ) -> Result<T, MemoryError> {
        let Self { world, memory, random, .. } = self;
        let (mut session, news) = memory.enter(now)?;
        if let Some(begun) = news.begun {
            *world = World::new(world.shared_account(), begun);
        }
        news.lines.iter().for_each(|line| world.apply(line));
        let now = world.moment(now);
        loop {
            let due = world.due(now);
            if due.is_empty() {
                break;
            }
            session.append(&due)?;
            due.iter().for_each(|line| world.apply(line));
        }
        let done = act(world, &mut session, random, now)?;
        if session.is_large() {
            session.compact(now, world.snapshot())?;
        }
        Ok(done)
    }

    fn serve(&mut self, request: &Admitted, clock: Timestamp) -> Result<Verdict, MemoryError> {
        if let Err(refusal) = self.nonces.spend(request.nonce, clock) {
            return Ok(Verdict::refused(refusal));
        }
        self.visit(clock, |world, session, random, now| {
            let action = request.operation.name;
            let subject = (request.operation.subject)(&request.parameters);
            let throttled = world.is_throttled(action, now);
            let (counted, fault) =
                if throttled { (Vec::new(), None) } else { world.faults(action, &subject.ids()) };
            let effect = fault.and_then(|fault| fault.effect.clone());
            let delay = fault.map_or(Duration::ZERO, |fault| fault.delay);
            let outcome = match &effect {
                _ if throttled => Some(Err(Refusal::of("Throttling.User"))),
                Some(Effect::Refuse { code, message }) => {
                    let refusal = Refusal::of(code);
                    Some(Err(match message {
                        Some(message) => refusal.saying(message.as_str()),
                        None => refusal,
                    }))
                }
                Some(Effect::DropBefore | Effect::Http(_)) => None,
                other => Some((request.operation.perform)(&Call {
                    world,
                    parameters: &request.parameters,
                    twist: other.as_ref().and_then(twist),
                    draw: random.f64(),
                    now,
                })),
            };
            let line = LogLine { at: now, event: log(request, subject, &outcome, effect.as_ref(), counted) };
            record(world, session, line)?;
            Ok(Verdict { outcome, effect, delay })
        })
    }
}

/// Writes a line, and only then lets it happen.
fn record(world: &mut World, session: &mut Session<'_>, line: LogLine) -> Result<(), MemoryError> {
    session.append(std::slice::from_ref(&line))?;
    world.apply(&line);
    Ok(())
}

fn twist(effect: &Effect) -> Option<Twist> {
    match effect {
        Effect::Stuck => Some(Twist::Stuck),
        Effect::FailsToBoot => Some(Twist::FailsToBoot),
        Effect::Vanish => Some(Twist::Vanish),
        Effect::Refuse { .. }
        | Effect::DropBefore
        | Effect::DropAfter
        | Effect::Garbage(_)
        | Effect::Truncate
        | Effect::Http(_) => None,
    }
}

fn log(
    request: &Admitted,
    subject: Subject,
    outcome: &Option<Result<Done, Refusal>>,
    effect: Option<&Effect>,
    faults: Vec<usize>,
) -> LogEvent {
    let answer = match outcome {
        None => UNSERVED.to_owned(),
        Some(Ok(_)) => ACCEPTED.to_owned(),
        Some(Err(refusal)) => refusal.code.clone(),
    };
    let answered = !matches!(
        effect,
        Some(
            Effect::DropBefore | Effect::DropAfter | Effect::Garbage(_) | Effect::Truncate | Effect::Http(_)
        )
    );
    let (instance, ids, parameters) = match subject {
        Subject::Power(id) => {
            let given = |name: &&str| Some(((*name).to_owned(), request.parameters.get(name)?.to_owned()));
            (id, None, LOGGED.iter().filter_map(given).collect())
        }
        Subject::Read(ids) => (None, ids.map(|ids| ids.len()), BTreeMap::new()),
    };
    let phases = outcome.as_ref().and_then(|it| it.as_ref().ok()).map(|done| done.phases.clone());
    LogEvent::Request(RequestLine {
        action: request.operation.name.to_owned(),
        instance,
        ids,
        parameters,
        answer,
        request_id: request.request_id.clone(),
        answered,
        faults,
        phases: phases.unwrap_or_default(),
    })
}

/// The answer, and what the fault does to it.
fn deliver(verdict: Verdict, format: Format, action: &str, host: &str, request_id: &str) -> Delivery {
    let rendered = match verdict.outcome {
        Some(Ok(done)) => answer::success(format, action, request_id, done.fields),
        Some(Err(refusal)) => answer::failure(format, host, request_id, &refusal),
        None => match verdict.effect {
            Some(Effect::Http(status)) => return Delivery::Whole(gateway(status)),
            _ => return Delivery::Never,
        },
    };
    match verdict.effect {
        Some(Effect::DropAfter) => Delivery::Never,
        Some(Effect::Truncate) => Delivery::Torn(rendered),
        Some(Effect::Garbage(body)) => Delivery::Whole(Rendered { body, ..rendered }),
        _ => Delivery::Whole(rendered),
    }
}

/// What a proxy in front of ECS answers.
fn gateway(status: u16) -> Rendered {
    let body = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
    Rendered { status, content_type: "text/html", body }
}
