//! One request after the other: guard, memory, limits, faults, operation, log. What it gives back is what to send,
//! and what to do to it on its way; the sending is `http`'s.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinError;

use super::Clock;
use super::account::{Account, Change, Effect};
use super::answer::{self, Format, Rendered};
use super::api::{self, Call, Done, Item, LOGGED, Operation, Product, Subject};
use super::guard::{Nonce, Nonces, Passed, Scheme};
use super::keys::Caller;
use super::log::{ACCEPTED, ItemLine, LogEvent, LogLine, RequestLine, UNSERVED};
use super::memory::{Memory, MemoryError, Session};
use super::refusal::Refusal;
use super::request::{Incoming, Parameters};
use super::status::Status;
use super::world::{Listening, Strike, Strikes, Struck, World};

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
    /// Whether the memory belongs to a changed account file now.
    superseded: watch::Sender<bool>,
    /// Who lets machines listen, while someone does.
    follower: Mutex<Option<Follower>>,
}

impl Followed {
    /// Nothing is known to have happened; to be looked at again then.
    pub(super) fn nothing(until: Timestamp) -> Self {
        Self { generation: 0, until: Some(until) }
    }
}

/// How whoever lets machines listen is told to look, and tells that it has.
#[derive(Debug, Clone)]
struct Follower {
    /// How often a look was asked for.
    asked: watch::Sender<u64>,
    /// The latest of them that was followed, and by what.
    followed: watch::Receiver<(u64, Followed)>,
}

/// The other end of a follower.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) asked: watch::Receiver<u64>,
    pub(super) followed: watch::Sender<(u64, Followed)>,
}

/// What changes.
#[derive(Debug)]
struct Room {
    world: World,
    memory: Memory,
    nonces: Nonces,
    random: fastrand::Rng,
    /// Grows with whatever happens, except by the passing of time.
    generation: u64,
}

/// What machines were last let listen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Followed {
    /// What had happened.
    generation: u64,
    /// Until when that holds by itself; none is forever.
    pub(super) until: Option<Timestamp>,
}

/// A request whose signature holds, for an operation that exists.
struct Admitted {
    operation: &'static Operation,
    parameters: Parameters,
    caller: Caller,
    nonce: Option<Nonce>,
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
            generation: 0,
        };
        room.visit(now, |_, _, _, _| Ok(()))?;
        Ok(Self {
            account,
            clock,
            room: Mutex::new(room),
            turnstile: Semaphore::new(1),
            superseded: watch::Sender::new(false),
            follower: Mutex::new(None),
        })
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn shared_account(&self) -> Arc<Account> {
        Arc::clone(&self.account)
    }

    /// What time it is here.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// From now on, answers wait until whoever follows has let machines listen as the answer has it.
    pub(super) fn begin_to_follow(&self, first: Followed) -> Following {
        let (asked, to_follow) = watch::channel(0);
        let (tell, followed) = watch::channel((0, first));
        *self.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(Follower { asked, followed });
        Following { asked: to_follow, followed: tell }
    }

    /// Who listens now. None where the memory cannot be used.
    pub(super) async fn listening(self: &Arc<Self>) -> Option<(Listening, Followed)> {
        self.in_room(|service, room| {
            let listening = room.visit(service.clock.now(), |world, _, _, now| Ok(world.listening(now)))?;
            let followed = Followed { generation: room.generation, until: listening.until };
            Ok((listening, followed))
        })
        .await
    }

    /// Waits until machines listen by what had happened and was due, where someone lets them.
    async fn let_listen(&self, generation: u64, now: Timestamp) {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Follower { asked, mut followed }) = follower else { return };
        let (_, known) = *followed.borrow();
        if known.generation >= generation && known.until.is_none_or(|until| until > now) {
            return;
        }
        let mut number = 0;
        asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        // Who followed may have ended, and then nobody listens.
        let _ = followed.wait_for(|(followed, _)| *followed >= number).await;
    }

    /// Resolves once a request has found that the account file was changed and its memory begun anew by another
    /// process: no request will be served any more.
    pub(super) async fn superseded(&self) {
        // This service has the sender, so there is one.
        let _ = self.superseded.subscribe().wait_for(|superseded| *superseded).await;
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
        .inspect(|_| room.generation += 1)
    }

    /// Answers one request.
    pub(super) async fn answer(self: &Arc<Self>, incoming: Incoming) -> Reply {
        let request_id = uuid::Uuid::new_v4().to_string().to_uppercase();
        let at = self.clock.now();
        let scheme = Scheme::of(&incoming);
        let format = scheme.format(&incoming).unwrap_or_default();
        let operation = api::operation(scheme.asked(&incoming));
        let product = operation.as_ref().map_or(Product::Ecs, |operation| operation.product);
        let front = Front { format, product, host: incoming.host.clone(), request_id: request_id.clone() };
        let (delay, delivery) = match self.admit(scheme, operation, &incoming, &request_id, at) {
            Err(refusal) => {
                tracing::debug!(code = %refusal.code, "request refused at the door");
                (Duration::ZERO, Delivery::Whole(front.failure(&refusal)))
            }
            Ok(admitted) => {
                let action = admitted.operation.name;
                let verdict = self.serve(admitted).await;
                (verdict.delay, deliver(verdict, action, &front))
            }
        };
        Reply { request_id, delay, delivery, at }
    }

    /// Everything that can be said without knowing the instances.
    fn admit(
        &self,
        scheme: Scheme,
        operation: Result<&'static Operation, Refusal>,
        incoming: &Incoming,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Admitted, Refusal> {
        if incoming.path != "/" {
            return Err(Refusal::of("InvalidApi.NotFound"));
        }
        scheme.format(incoming)?;
        let unsigned = operation.as_ref().is_ok_and(|operation| operation.unsigned);
        let Passed { caller, nonce } = scheme.check(&self.account, incoming, unsigned, now)?;
        let parameters = incoming.parameters()?.clone();
        Ok(Admitted { operation: operation?, parameters, caller, nonce, request_id: request_id.to_owned() })
    }

    async fn serve(self: &Arc<Self>, admitted: Admitted) -> Verdict {
        let served = self.in_room(move |service, room| {
            let now = service.clock.now();
            let verdict = room.serve(&admitted, now)?;
            if verdict.changes() {
                room.generation += 1;
            }
            Ok((verdict, room.generation, now))
        });
        match served.await {
            Some((verdict, generation, now)) => {
                self.let_listen(generation, now).await;
                verdict
            }
            None => Verdict::refused(Refusal::of("InternalError")),
        }
    }

    /// Does something with the world and its memory, one after the other and not on the threads of the runtime: the
    /// memory file may be locked by another process. None where it failed, which is logged.
    async fn in_room<T: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&Self, &mut Room) -> Result<T, MemoryError> + Send + 'static,
    ) -> Option<T> {
        // The semaphore is never closed, so the permit is always had.
        let _permit = self.turnstile.acquire().await;
        let service = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let mut room = service.room.lock().unwrap_or_else(PoisonError::into_inner);
            let done = act(&service, &mut room);
            if let Err(error) = &done {
                let path = room.memory.path();
                tracing::error!(path = %path.display(), %error, "the simulator's memory cannot be used");
                if matches!(error, MemoryError::AccountChanged) {
                    service.superseded.send_replace(true);
                }
            }
            done.ok()
        });
        done.await.unwrap_or_else(|error: JoinError| {
            tracing::error!(%error, "a request ended early");
            None
        })
    }
}

impl Verdict {
    fn refused(refusal: Refusal) -> Self {
        Self { outcome: Some(Err(refusal)), effect: None, delay: Duration::ZERO }
    }

    /// Whether an instance is something else from now on.
    fn changes(&self) -> bool {
        let Some(Ok(done)) = &self.outcome else { return false };
        let is_changed = |item: &Item| item.outcome.as_ref().is_ok_and(|phases| !phases.is_empty());
        !done.phases.is_empty() || done.items.iter().any(is_changed)
    }
}

impl Room {
    /// Enters the memory, takes in what others did and what is due, and does something there.
    fn visit<T>(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut World, &mut Session<'_>, &mut fastrand::Rng, Timestamp) -> Result<T, MemoryError>,
    ) -> Result<T, MemoryError> {
        let Self { world, memory, random, generation, .. } = self;
        let (mut session, news) = memory.enter(now)?;
        if news.begun.is_some() || !news.lines.is_empty() {
            *generation += 1;
        }
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
        let spent = request.nonce.map_or(Ok(()), |nonce| self.nonces.spend(nonce, clock));
        if let Err(refusal) = spent {
            return Ok(Verdict::refused(refusal));
        }
        self.visit(clock, |world, session, random, now| {
            let Admitted { operation, parameters, .. } = request;
            let subject = (operation.subject)(world, parameters);
            let region = operation.region(world, parameters, &subject).to_owned();
            let throttled = world.throttled(operation.name, &region, now);
            let strikes = match throttled {
                Some(_) => Strikes::default(),
                None => world.strikes(struck(operation.name, &subject, &subject.ids()), now),
            };
            let outcome = match strikes.effect() {
                _ if throttled.is_some() => {
                    let wait = throttled.and_then(|throttled| throttled.retry_after);
                    Some(Err(Refusal::of("Throttling.User").again_after(wait)))
                }
                Some(Effect::Refuse { .. }) => strikes.call.as_ref().and_then(Strike::refusal).map(Err),
                Some(Effect::DropBefore | Effect::Http(_)) => None,
                _ => Some((operation.perform)(&Call {
                    world,
                    parameters,
                    caller: &request.caller,
                    request_id: &request.request_id,
                    strikes: &strikes,
                    draw: random.f64(),
                    now,
                })),
            };
            let (effect, delay) = (strikes.effect().cloned(), strikes.delay());
            let event = log(request, subject, region, &outcome, effect.as_ref(), strikes.counted);
            record(world, session, LogLine { at: now, event })?;
            Ok(Verdict { outcome, effect, delay })
        })
    }
}

/// A batch is struck item by item, too.
fn struck<'r>(action: &'r str, subject: &Subject, ids: &'r [&'r str]) -> Struck<'r> {
    let item_action = match subject {
        Subject::Batch { item_action, .. } => Some(*item_action),
        Subject::Power(_) | Subject::Command(_) | Subject::Read(_) | Subject::Other => None,
    };
    Struck { action, ids, item_action }
}

/// Writes a line, and only then lets it happen.
fn record(world: &mut World, session: &mut Session<'_>, line: LogLine) -> Result<(), MemoryError> {
    session.append(std::slice::from_ref(&line))?;
    world.apply(&line);
    Ok(())
}

fn log(
    request: &Admitted,
    subject: Subject,
    region: String,
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
    let done = outcome.as_ref().and_then(|outcome| outcome.as_ref().ok());
    let given = |name: &&str| Some(((*name).to_owned(), request.parameters.get(name)?.to_owned()));
    let parameters = || LOGGED.iter().filter_map(given).collect();
    let (instance, ids, parameters, items) = match subject {
        Subject::Power(id) => (id, None, parameters(), Vec::new()),
        Subject::Batch { ids, .. } | Subject::Command(ids) => {
            (None, Some(ids.len()), parameters(), items(ids, done, &answer))
        }
        Subject::Read(ids) => (None, ids.map(|ids| ids.len()), BTreeMap::new(), Vec::new()),
        Subject::Other => (None, None, parameters(), Vec::new()),
    };
    LogEvent::Request(RequestLine {
        action: request.operation.name.to_owned(),
        region,
        instance,
        ids,
        parameters,
        answer,
        request_id: request.request_id.clone(),
        answered,
        faults,
        phases: done.map(|done| done.phases.clone()).unwrap_or_default(),
        items,
        invocation: done.and_then(|done| done.invocation.clone()).map(Box::new),
    })
}

/// Every instance that a batch names with its own answer; where the batch was refused as a whole, that is the same
/// for all.
fn items(ids: Vec<String>, done: Option<&Done>, answer: &str) -> Vec<ItemLine> {
    let Some(done) = done else {
        let refused = |instance| ItemLine { instance, answer: answer.to_owned(), phases: Vec::new() };
        return ids.into_iter().map(refused).collect();
    };
    let line = |item: &Item| {
        let (answer, phases) = match &item.outcome {
            Ok(phases) => (ACCEPTED.to_owned(), phases.clone()),
            Err(refusal) => (refusal.code.clone(), Vec::new()),
        };
        ItemLine { instance: item.instance.clone(), answer, phases }
    };
    done.items.iter().map(line).collect()
}

/// What every answer to a request has in common.
struct Front {
    format: Format,
    product: Product,
    host: String,
    request_id: String,
}

impl Front {
    fn failure(&self, refusal: &Refusal) -> Rendered {
        answer::failure(self.format, self.product.name(), &self.host, &self.request_id, refusal)
    }
}

/// The answer, and what the fault does to it.
fn deliver(verdict: Verdict, action: &str, front: &Front) -> Delivery {
    let rendered = match verdict.outcome {
        Some(Ok(done)) => answer::success(front.format, action, &front.request_id, done.fields),
        Some(Err(refusal)) => front.failure(&refusal),
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
    Rendered { status, content_type: "text/html", body, retry_after: None }
}
