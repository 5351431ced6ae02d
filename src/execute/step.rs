//! One step: where it stands, and what an observation or an answer means for it.
//!
//! Every move is made here, by plain functions of what was seen and when; nothing here waits or calls. Times are
//! moments since the look that the plan rests on.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use super::event::{Action, Failure, How};
use crate::cloud::{Advice, Refusal};
use crate::fleet::{Goal, OnNoStock, Power, StoppedMode};
use crate::plan::{Block, Group, Request};

/// A moment of a run: the time since the look that its plan rests on.
pub(super) type Moment = Duration;

/// After an accepted call the old status may still be read for so long: reads of ECS are not monotonic.
pub(super) const OLD_READS: Duration = Duration::from_secs(30);
/// A fall back is believed only if a second look, at least so much later, shows it too.
const SECOND_LOOK: Duration = Duration::from_secs(3);
/// No step acts on an observation older than this.
pub(super) const FRESH: Duration = Duration::from_secs(10);
/// While old reads are tolerated for a status that should have changed, it is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// An instance that is up and has yet to show that it is ready is looked at again after so long.
pub(super) const WHILE_READYING: Duration = Duration::from_secs(10);
/// How often a call may be sent in all when its outcome stayed unknown.
const SENDS_IN_DOUBT: u32 = 3;
/// How often a call may be sent in all when ECS said that the status does not fit, and the look says that it does.
const SENDS_AGAINST_STATUS: u32 = 5;

/// What one look said about one instance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// The status; none if the instance was not in the answer.
    pub(super) power: Option<Power>,
    /// When the look was sent: what it shows is at least as new as this.
    pub(super) asked_at: Moment,
    /// Since when it was seen as this.
    pub(super) since: Moment,
    /// Whether the look before showed something else.
    pub(super) has_changed: bool,
    /// When the last look was sent that showed something else.
    pub(super) otherwise_at: Moment,
    /// How ECS says it is stopped.
    pub(super) stopped_mode: StoppedMode,
    /// Its private address.
    pub(super) private_address: Option<IpAddr>,
    /// Its public address.
    pub(super) public_address: Option<IpAddr>,
}

impl View {
    /// The status in words.
    pub(super) fn words(&self) -> String {
        self.power.as_ref().map_or_else(|| "not visible".to_owned(), |power| power.word().to_owned())
    }
}

/// One step of a run.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Its position in the plan.
    pub(super) change: usize,
    /// What it does, in the words of the plan.
    pub(super) action: Action,
    /// Where it shall arrive: Running or Stopped.
    pub(super) goal: Goal,
    /// The call that it makes, unless the instance arrives by itself.
    pub(super) call: Option<Request>,
    /// Why no call follows where its instance settles away from the goal and one would be called for.
    pub(super) blocked: Option<Block>,
    /// How long to wait for Running.
    pub(super) start_timeout: Duration,
    /// How long to wait for Stopped.
    pub(super) stop_timeout: Duration,
    /// How long the way to the goal took before.
    pub(super) expected: Option<Duration>,
    /// Where it stands.
    pub(super) phase: Phase,
    /// When it was first watched or called.
    pub(super) began: Option<Moment>,
    /// When its turn to be called came.
    pub(super) turn_at: Option<Moment>,
    /// How often its call was sent.
    pub(super) sends: u32,
    /// Whether its call travels with no others any more: in a request for many, just this one was refused.
    pub(super) goes_alone: bool,
    /// Whether a call of this run was accepted, or may have been.
    pub(super) may_have_acted: bool,
    /// When its instance was seen to settle, if it was in transition at first.
    pub(super) settled_at: Option<Moment>,
    /// The id of the accepted request.
    pub(super) request_id: Option<String>,
    /// What the last attempt to call met.
    pub(super) last_refusal: Option<Refusal>,
    /// What to do where there is no stock.
    pub(super) on_no_stock: OnNoStock,
    /// Since when there is no stock, and how often it was asked for.
    pub(super) no_stock: Option<(Moment, u32)>,
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// Its instance was in transition when the plan was made, and has not settled yet.
    Settling(Watch),
    /// It waits for its turn.
    Queued,
    /// Its turn has come: it is called as soon as fresh looks and the limits of ECS allow.
    Due,
    /// Its call is under way.
    Calling,
    /// Its call was refused or got lost in a way that only a look can settle.
    InDoubt(Doubt),
    /// There was no stock for it: its turn to be called comes again then.
    OutOfStock(Moment),
    /// Its call was accepted: it waits for the goal.
    Awaiting(Watch),
    /// It is Running, and has yet to show that it is ready.
    Readying(Watch),
    /// It has ended.
    Ended,
}

/// An instance on its way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Watch {
    /// When it set out: when the call was accepted, or when the run began.
    pub(super) since: Moment,
    /// When it must have arrived.
    pub(super) deadline: Moment,
    /// How long it was given.
    pub(super) timeout: Duration,
    /// As what it was seen off its way, none if it was missing, and when for the first time in a row, by looks that
    /// old reads do not explain any more.
    off_the_way: Option<(Option<Power>, Moment)>,
}

impl Watch {
    pub(super) fn new(since: Moment, timeout: Duration) -> Self {
        Self { since, deadline: since.saturating_add(timeout), timeout, off_the_way: None }
    }

    /// Whether the last look has not shown the instance off its way.
    pub(super) fn is_on_the_way(&self) -> bool {
        self.off_the_way.is_none()
    }
}

/// A call that has to be sent again, perhaps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Doubt {
    /// When the answer, or its absence, was noticed.
    since: Moment,
    /// When to look, after `since`; each look moves on to the next, and the last is repeated.
    looks: &'static [Duration],
    next_look: usize,
    /// A look at least so long after `since` that still shows the status before the call allows another send.
    send_again_after: Duration,
    /// How often the call may be sent in all.
    most_sends: u32,
    /// What the attempt met.
    refusal: Refusal,
}

/// What follows from an observation or an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Turn {
    /// Look again at this moment, at the latest.
    Look(Moment),
    /// Look again whenever the shared poll would, and at the latest at the deadline.
    Poll(Watch),
    /// The instance has settled: the step waits for its turn now.
    Queue,
    /// The call may be made.
    Call,
    /// The step's turn to be called comes again.
    CallAgain,
    /// There is no stock: the step's turn to be called comes again at this moment.
    Stock(Moment),
    /// The goal is reached.
    Done(How),
    /// The instance has settled, and the call that it would need is blocked.
    Blocked(Block),
    /// The step has failed.
    Fail(Failure),
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Step {
    /// A step of a group that has not begun.
    pub(super) fn new(change: usize, action: Action, goal: Goal, phase: Phase, group: &Group) -> Self {
        Self {
            change,
            action,
            goal,
            call: None,
            blocked: None,
            start_timeout: group.timeouts.start,
            stop_timeout: group.timeouts.stop,
            expected: None,
            phase,
            began: None,
            turn_at: None,
            sends: 0,
            goes_alone: false,
            may_have_acted: false,
            settled_at: None,
            request_id: None,
            last_refusal: None,
            on_no_stock: group.on_no_stock,
            no_stock: None,
        }
    }

    /// The settled status that the call starts from.
    fn before(&self) -> Power {
        match self.goal {
            Goal::Running | Goal::Any => Power::Stopped,
            Goal::Stopped => Power::Running,
        }
    }

    /// The status that an accepted call leads to first.
    fn on_the_way(&self) -> Power {
        match self.goal {
            Goal::Running | Goal::Any => Power::Starting,
            Goal::Stopped => Power::Stopping,
        }
    }

    fn timeout(&self) -> Duration {
        match self.goal {
            Goal::Running | Goal::Any => self.start_timeout,
            Goal::Stopped => self.stop_timeout,
        }
    }

    /// What its call is, in the words of the plan.
    pub(super) fn call_action(&self) -> Action {
        match self.goal {
            Goal::Running | Goal::Any => Action::Start,
            Goal::Stopped => Action::Stop,
        }
    }

    /// The status that its goal is.
    pub(super) fn arrived_as(&self) -> Power {
        match self.goal {
            Goal::Running | Goal::Any => Power::Running,
            Goal::Stopped => Power::Stopped,
        }
    }

    /// Whether it waits for looks at its instance, rather than for its turn.
    pub(super) fn is_watched(&self) -> bool {
        match self.phase {
            Phase::Settling(_) | Phase::InDoubt(_) | Phase::Awaiting(_) => true,
            // Its probes say more than looks do, and have a deadline of their own.
            Phase::Readying(_) => false,
            Phase::Queued | Phase::Due | Phase::Calling | Phase::OutOfStock(_) | Phase::Ended => false,
        }
    }

    /// When the step, its turn having come, must have got a call through. While ECS still deals with the calls of
    /// others, it only stands in line: that is no failure, however long the line.
    pub(super) fn call_deadline(&self, last_dealt_with: Moment) -> Option<Moment> {
        Some(self.turn_at?.max(last_dealt_with).saturating_add(self.timeout()))
    }

    /// What an observation means. Observations older than the last one must not come here.
    pub(super) fn observe(&mut self, view: &View) -> Option<Turn> {
        match &self.phase {
            Phase::Settling(watch) => {
                let watch = watch.clone();
                Some(self.settle(watch, view))
            }
            Phase::InDoubt(doubt) => {
                let doubt = doubt.clone();
                Some(self.resolve(doubt, view))
            }
            Phase::Awaiting(watch) => {
                let watch = watch.clone();
                Some(self.arrive(watch, view))
            }
            Phase::Readying(watch) => {
                let watch = watch.clone();
                self.stay_up(watch, view)
            }
            Phase::Queued | Phase::Due | Phase::Calling | Phase::OutOfStock(_) | Phase::Ended => None,
        }
    }

    /// Whether the call may be made on this observation of the step's own instance, which is fresh. It acts only on
    /// what was planned: already at the goal, it is done; anything else has moved.
    pub(super) fn check(&mut self, view: &View) -> Turn {
        match &view.power {
            Some(power) if self.goal.is_met_by(power) => Turn::Done(self.how_without_call()),
            Some(power) if *power == self.before() => Turn::Call,
            Some(power) if self.may_have_acted && *power == self.on_the_way() => {
                let watch = Watch::new(view.asked_at, self.timeout());
                self.phase = Phase::Awaiting(watch.clone());
                Turn::Poll(watch)
            }
            _ if self.settled_at.is_some_and(|settled| view.asked_at < settled + OLD_READS) => {
                Turn::Look(view.asked_at + LOOK_AGAIN)
            }
            _ => Turn::Fail(self.moved(view)),
        }
    }

    /// ECS has accepted the call.
    pub(super) fn accept(&mut self, now: Moment, request_id: Option<String>) -> Turn {
        self.may_have_acted = true;
        self.request_id = request_id;
        let watch = Watch::new(now, self.timeout());
        self.phase = Phase::Awaiting(watch.clone());
        Turn::Poll(watch)
    }

    /// ECS has refused the call, or no answer came.
    pub(super) fn refuse(&mut self, now: Moment, refusal: Refusal) -> Turn {
        const AFTER_DOUBT: &[Duration] = &[seconds(1), seconds(2), seconds(5)];
        const AFTER_FIRST: &[Duration] = &[Duration::from_millis(250), seconds(2)];
        const AFTER_SECOND: &[Duration] = &[Duration::from_millis(250), seconds(5)];
        const AFTER_MORE: &[Duration] = &[Duration::from_millis(250), seconds(10)];
        let patience = match self.sends {
            0 | 1 => AFTER_FIRST,
            2 => AFTER_SECOND,
            _ => AFTER_MORE,
        };
        let (looks, most_sends) = match refusal.advice {
            Advice::Capacity => return self.without_stock(now, refusal),
            Advice::Final => return Turn::Fail(Failure::Refused(refusal)),
            Advice::Throttled { .. } => {
                // It was refused before it was looked at, so it does not count as sent.
                self.sends = self.sends.saturating_sub(1);
                self.phase = Phase::Due;
                return Turn::CallAgain;
            }
            Advice::Busy { sends } => (patience, sends),
            Advice::WrongStatus => (patience, SENDS_AGAINST_STATUS),
            Advice::OutcomeUnknown => (AFTER_DOUBT, SENDS_IN_DOUBT),
        };
        // A server error may have come after the work was begun; any other answer says that it was not.
        self.may_have_acted |= match refusal.advice {
            Advice::OutcomeUnknown => true,
            _ => refusal.http_status.is_some_and(|status| status >= 500),
        };
        let doubt = Doubt {
            since: now,
            looks,
            next_look: 0,
            send_again_after: looks[looks.len() - 1],
            most_sends,
            refusal,
        };
        let turn = Turn::Look(now + doubt.looks[0]);
        self.phase = Phase::InDoubt(doubt);
        turn
    }

    /// There is no stock. It is asked for again, calmly, for as long as the entry says: the pauses grow, and the last try
    /// comes at the end.
    fn without_stock(&mut self, now: Moment, refusal: Refusal) -> Turn {
        const PAUSES: [Duration; 3] = [seconds(15), seconds(30), seconds(60)];
        let OnNoStock::RetryFor(patience) = self.on_no_stock else {
            return Turn::Fail(Failure::Refused(refusal));
        };
        let (since, tries) = self.no_stock.map_or((now, 1), |(since, tries)| (since, tries + 1));
        self.no_stock = Some((since, tries));
        // It was refused before anything was done, so it does not count as sent.
        self.sends = self.sends.saturating_sub(1);
        let end = since.saturating_add(patience);
        if now >= end {
            return Turn::Fail(Failure::NoStock { refusal, tries, patience });
        }
        let pause = PAUSES[(tries as usize).min(PAUSES.len()) - 1];
        let again = end.min(now + pause);
        self.phase = Phase::OutOfStock(again);
        Turn::Stock(again)
    }

    /// A look at an instance that is up and has yet to show that it is ready.
    fn stay_up(&mut self, mut watch: Watch, view: &View) -> Option<Turn> {
        match &view.power {
            Some(Power::Running) => watch.off_the_way = None,
            Some(Power::Stopped) | None => {
                if let Some(failure) = self.off_the_way(&mut watch, view) {
                    return Some(Turn::Fail(failure));
                }
            }
            Some(Power::Pending | Power::Starting | Power::Stopping | Power::Unrecognised(_)) => {}
        }
        let again = match &watch.off_the_way {
            Some((_, first)) => *first + SECOND_LOOK,
            None => view.asked_at + WHILE_READYING,
        };
        self.phase = Phase::Readying(watch);
        Some(Turn::Look(again))
    }

    fn how_without_call(&self) -> How {
        if self.may_have_acted { How::Called } else { How::AlreadyThere }
    }

    fn how_arrived(&self) -> How {
        if self.may_have_acted { How::Called } else { How::Arrived }
    }

    fn moved(&self, view: &View) -> Failure {
        Failure::Moved { planned: self.before().word().to_owned(), seen: view.words() }
    }

    /// The instance was in transition when the plan was made.
    fn settle(&mut self, mut watch: Watch, view: &View) -> Turn {
        // Where it must settle for the step to go on: at the goal, unless a call is to follow from elsewhere.
        let is_pending = self.action == Action::Wait && self.call.is_some();
        if let (Some(power), Some(block)) = (&view.power, &self.blocked)
            && *power == self.before()
        {
            return Turn::Blocked(block.clone());
        }
        match &view.power {
            Some(power) if is_pending && self.goal.is_met_by(power) => return Turn::Done(How::Arrived),
            Some(power) if self.call.is_some() && *power == self.before() => {
                self.settled_at = Some(view.asked_at);
                self.phase = Phase::Queued;
                return Turn::Queue;
            }
            Some(power) if self.call.is_none() && self.goal.is_met_by(power) => {
                return Turn::Done(How::Arrived);
            }
            Some(Power::Pending | Power::Starting | Power::Stopping) => watch.off_the_way = None,
            // At the goal, though it was on its way elsewhere: someone has turned it around, or this is a read from
            // before it set out. When that was is not known, only that it was before the run began; so this can be
            // told apart only once old reads have had their time, however often it is seen until then. To believe it
            // sooner might report a success that never was, and to wait costs time only. Then one look is enough.
            Some(power) if self.goal.is_met_by(power) => {
                let believed_at = watch.since + OLD_READS;
                if view.asked_at >= believed_at {
                    return Turn::Done(How::AlreadyThere);
                }
                // One that is where it shall be has not run out of time.
                if view.asked_at >= watch.deadline {
                    self.phase = Phase::Settling(watch);
                    return Turn::Look(believed_at);
                }
            }
            // Settled, but not where it was expected, or gone, or in a state nobody knows.
            Some(Power::Running | Power::Stopped) | None => {
                if let Some(failure) = self.off_the_way(&mut watch, view) {
                    return Turn::Fail(failure);
                }
            }
            Some(Power::Unrecognised(_)) => {}
        }
        self.watch_on(watch, view, Phase::Settling)
    }

    /// The call was accepted, or is known to have worked.
    fn arrive(&mut self, mut watch: Watch, view: &View) -> Turn {
        match &view.power {
            Some(power) if self.goal.is_met_by(power) => return Turn::Done(self.how_arrived()),
            Some(power) if *power == self.before() => {
                if let Some(failure) = self.off_the_way(&mut watch, view) {
                    return Turn::Fail(failure);
                }
            }
            None => {
                if let Some(failure) = self.off_the_way(&mut watch, view) {
                    return Turn::Fail(failure);
                }
            }
            Some(_) => watch.off_the_way = None,
        }
        self.watch_on(watch, view, Phase::Awaiting)
    }

    /// The failure, once an instance has been seen off its way twice, by looks that old reads do not explain.
    fn off_the_way(&self, watch: &mut Watch, view: &View) -> Option<Failure> {
        if view.asked_at < watch.since + OLD_READS {
            return None;
        }
        let first = match &watch.off_the_way {
            Some((power, first)) if *power == view.power => *first,
            // A second look confirms only what the first has shown: one that falls back and then vanishes has begun anew.
            _ => view.asked_at,
        };
        watch.off_the_way = Some((view.power.clone(), first));
        if view.asked_at < first + SECOND_LOOK {
            return None;
        }
        // An instance that never left keeps the moment of a look before it set out.
        let fell_at = if view.since > watch.since { view.since } else { view.asked_at };
        let after = fell_at.saturating_sub(watch.since);
        Some(match view.power {
            Some(_) => Failure::FellBack { seen: view.words(), after, was_called: self.may_have_acted },
            None => Failure::Vanished { after },
        })
    }

    /// Goes on watching, unless the deadline has passed.
    fn watch_on(&mut self, watch: Watch, view: &View, phase: fn(Watch) -> Phase) -> Turn {
        if view.asked_at >= watch.deadline {
            return Turn::Fail(Failure::TimedOut {
                last_seen: view.words(),
                for_so_long: view.asked_at.saturating_sub(view.since),
                timeout: watch.timeout,
            });
        }
        let turn = match &watch.off_the_way {
            Some((_, first)) => Turn::Look((*first + SECOND_LOOK).min(watch.deadline)),
            None => Turn::Poll(watch.clone()),
        };
        self.phase = phase(watch);
        turn
    }

    /// A look after a call whose outcome is not known, or that was refused for the time being.
    fn resolve(&mut self, mut doubt: Doubt, view: &View) -> Turn {
        match &view.power {
            Some(power) if self.goal.is_met_by(power) => return Turn::Done(self.how_without_call()),
            Some(power) if *power == self.on_the_way() => {
                let watch = Watch::new(doubt.since, self.timeout());
                self.phase = Phase::Awaiting(watch.clone());
                return Turn::Poll(watch);
            }
            Some(power) if *power == self.before() => {
                if view.asked_at >= doubt.since + doubt.send_again_after {
                    if self.sends >= doubt.most_sends {
                        return Turn::Fail(Failure::GaveUp { refusal: doubt.refusal, sends: self.sends });
                    }
                    self.phase = Phase::Due;
                    return Turn::CallAgain;
                }
            }
            // Neither before the call nor after it. Old reads explain that for a while.
            _ => {
                if view.asked_at >= doubt.since + OLD_READS {
                    return Turn::Fail(self.moved(view));
                }
            }
        }
        while doubt.next_look < doubt.looks.len()
            && view.asked_at >= doubt.since + doubt.looks[doubt.next_look]
        {
            doubt.next_look += 1;
        }
        let next =
            doubt.looks.get(doubt.next_look).map_or(view.asked_at + LOOK_AGAIN, |after| doubt.since + *after);
        self.phase = Phase::InDoubt(doubt);
        Turn::Look(next)
    }
}
