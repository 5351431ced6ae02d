//! The gate that the calls of one action at one provider pass through: who is next, and when.
//!
//! ECS counts calls per account, region and action, so what one call learns about the limit holds for all of them.
//! When a call goes is decided by their common pace, and here alone: the client hands a call back unsent only where it
//! knows that others who share its limit have had it closed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pace::Pace;
use crate::cloud::{Accepted, Advice, BATCH_LIMIT, LOOK_LIMIT, Refusal};
use crate::execute::ready::StepIndex;
use crate::execute::step::{FRESH, Moment};

/// Calls that come due within so long of each other travel together ...
pub(super) const TOGETHER: Duration = Duration::from_millis(40);
/// ... but the first of them waits no longer than this for others.
const LONGEST_TOGETHER: Duration = Duration::from_millis(100);
/// While no call was ever refused, looks are made for so many requests ahead.
const REQUESTS_AHEAD: usize = 16;
/// That calls wait is said at most once in so long.
const SAID_FOR: Duration = Duration::from_secs(10);

/// What became of the instances of one request.
pub(super) type Answers = [(StepIndex, Result<Accepted, Refusal>)];

/// The calls of one action at one provider.
#[derive(Debug)]
pub(super) struct Gate {
    waiting: BTreeSet<(Reverse<Duration>, StepIndex)>,
    /// Steps that wait for a look before they may be called.
    parked: Vec<StepIndex>,
    /// Those that wait to be called wait for others.
    company: Option<Company>,
    /// Whether many may travel in one request.
    travels_together: bool,
    /// When the requests under way were sent, by the first of their steps.
    under_way: BTreeMap<StepIndex, Moment>,
    pace: Pace,
    said_at: Option<Moment>,
    last_dealt_with: Moment,
    last_refusal: Option<Refusal>,
}

/// How those that wait to be called wait for others that can travel with them.
#[derive(Debug, Clone, Copy)]
struct Company {
    /// How many could be called.
    number: usize,
    /// Until when, if no other one comes.
    until: Moment,
    /// Until when, whoever comes.
    until_at_most: Moment,
}

impl Gate {
    /// At most `most` calls under way, each perhaps for many instances.
    pub(super) fn new(most: usize, travels_together: bool) -> Self {
        Self {
            travels_together,
            waiting: BTreeSet::new(),
            parked: Vec::new(),
            company: None,
            under_way: BTreeMap::new(),
            pace: Pace::new(most),
            said_at: None,
            last_dealt_with: Moment::ZERO,
            last_refusal: None,
        }
    }

    /// A step waits to be called. Those with the longest chain go first.
    pub(super) fn wait(&mut self, rank: Reverse<Duration>, step: StepIndex) {
        self.waiting.insert((rank, step));
    }

    /// A step waits for a look, and then to be called.
    pub(super) fn park(&mut self, step: StepIndex) {
        self.parked.push(step);
        self.company = self.company.filter(|_| !self.waiting.is_empty());
    }

    /// A look has come back: those that waited for one wait to be called again.
    pub(super) fn unpark(&mut self, rank_of: &[Reverse<Duration>]) {
        self.waiting.extend(self.parked.drain(..).map(|step| (rank_of[step], step)));
    }

    /// A step has ended otherwise.
    pub(super) fn forget(&mut self, rank: Reverse<Duration>, step: StepIndex) {
        self.waiting.remove(&(rank, step));
        self.company = self.company.filter(|_| !self.waiting.is_empty());
        self.parked.retain(|parked| *parked != step);
    }

    /// The step to be called next, if one may be called now.
    pub(super) fn next(&mut self, now: Moment) -> Option<StepIndex> {
        self.may_go_at().filter(|at| *at <= now)?;
        self.take()
    }

    /// The step that waits in the first place, to travel with another one. None while a whole look is waited for.
    pub(super) fn take(&mut self) -> Option<StepIndex> {
        if self.parked.len() >= self.most_parked() {
            return None;
        }
        self.waiting.pop_first().map(|(_, step)| step)
    }

    /// Whether so many that could be called now wait a little longer, because others may come due that can travel in the
    /// same request.
    pub(super) fn waits_for_company(&mut self, now: Moment, number: usize, others_may_come: bool) -> bool {
        if number >= BATCH_LIMIT || !others_may_come {
            self.company = None;
            return false;
        }
        let until = now + TOGETHER;
        let new = Company { number, until, until_at_most: now + LONGEST_TOGETHER };
        let company = self.company.get_or_insert(new);
        if number > company.number {
            *company = Company { until: until.min(company.until_at_most), number, ..*company };
        }
        if now < company.until {
            return true;
        }
        self.company = None;
        false
    }

    /// How many steps wait to be called.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When a call may be made, if one waits and nothing that is under way has to come back first.
    pub(super) fn opens_at(&self) -> Option<Moment> {
        let may_go_at = self.may_go_at().filter(|_| !self.waiting.is_empty())?;
        Some(self.company.map_or(may_go_at, |company| company.until.max(may_go_at)))
    }

    /// A request was sent, for this step and perhaps for others.
    pub(super) fn sent(&mut self, now: Moment, first: StepIndex) {
        self.under_way.insert(first, now);
        self.pace.sent(now);
    }

    /// A request was answered. If it was refused because too many come, and that is news, says until when none is made.
    pub(super) fn answered(&mut self, now: Moment, answers: &Answers) -> Option<Moment> {
        // A step that the answers do not name first has an answer of its own all the same.
        let sent_at = answers.iter().find_map(|(step, _)| self.under_way.remove(step))?;
        let refusals = || answers.iter().filter_map(|(_, answer)| answer.as_ref().err());
        let asked = |refusal: &Refusal| match refusal.advice {
            Advice::Throttled { retry_after } => Some((retry_after, refusal.clone())),
            _ => None,
        };
        if let Some((retry_after, refusal)) = refusals().filter_map(asked).max_by_key(|(asked, _)| *asked) {
            self.last_refusal = Some(refusal);
            self.pace.refused(now, sent_at, retry_after);
            let until = Some(self.pace.closed_until()).filter(|_| self.pace.is_closed())?;
            let is_news = self.said_at.is_none_or(|said| said + SAID_FOR <= now);
            self.said_at = Some(now);
            return is_news.then_some(until);
        }
        // Of a request without an answer it is not known whether it was let through.
        if answers.iter().all(|(_, answer)| is_unknown(answer)) {
            self.pace.lost(now);
        } else {
            self.last_dealt_with = now;
            self.last_refusal = None;
            self.pace.passed(now, sent_at);
        }
        None
    }

    /// When ECS last took a call, or refused it for a reason other than that too many came.
    pub(super) fn last_dealt_with(&self) -> Moment {
        self.last_dealt_with
    }

    /// Why calls wait, if they do because ECS has refused one.
    pub(super) fn last_refusal(&self) -> Option<&Refusal> {
        self.last_refusal.as_ref()
    }

    /// The steps that a look may well take along.
    pub(super) fn queue(&self) -> impl Iterator<Item = StepIndex> {
        self.parked.iter().copied().chain(self.waiting.iter().map(|(_, step)| *step))
    }

    /// The steps that wait for a look.
    pub(super) fn parked(&self) -> &[StepIndex] {
        &self.parked
    }

    fn may_go_at(&self) -> Option<Moment> {
        self.pace.opens_at().filter(|_| self.parked.len() < self.most_parked())
    }

    /// Looks are made for so many steps ahead: for no more than will be called before the looks are too old.
    fn most_parked(&self) -> usize {
        let in_one = if self.travels_together { BATCH_LIMIT } else { 1 };
        let requests = self.pace.calls_in(FRESH / 2).unwrap_or(REQUESTS_AHEAD);
        requests.saturating_mul(in_one).max(LOOK_LIMIT)
    }
}

fn is_unknown(answer: &Result<Accepted, Refusal>) -> bool {
    answer.as_ref().is_err_and(|refusal| refusal.advice == Advice::OutcomeUnknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Moment {
        Moment::from_secs(seconds)
    }

    fn gate(steps: usize) -> Gate {
        let mut gate = Gate::new(16, false);
        for step in 0..steps {
            gate.wait(Reverse(Duration::ZERO), step);
        }
        gate
    }

    fn send_all(gate: &mut Gate, now: Moment) -> Vec<StepIndex> {
        let mut sent = Vec::new();
        while let Some(step) = gate.next(now) {
            gate.sent(now, step);
            sent.push(step);
        }
        sent
    }

    fn pass(gate: &mut Gate, now: Moment, step: StepIndex) {
        assert_eq!(gate.answered(now, &[(step, Ok(Accepted::default()))]), None);
    }

    fn throttle(
        gate: &mut Gate,
        now: Moment,
        step: StepIndex,
        retry_after: Option<Duration>,
    ) -> Option<Moment> {
        let refusal = Refusal::new(Advice::Throttled { retry_after }, "Throttling.User");
        gate.answered(now, &[(step, Err(refusal))])
    }

    #[test]
    fn no_more_are_under_way_than_allowed() {
        let mut gate = gate(40);
        let sent = send_all(&mut gate, secs(0));
        assert_eq!(sent.len(), 16);
        pass(&mut gate, secs(0), sent[0]);
        assert_eq!(send_all(&mut gate, secs(0)).len(), 1);
    }

    #[test]
    fn refusals_close_the_gate_and_one_probe_a_second_tries_it() {
        let mut gate = gate(40);
        let news = send_all(&mut gate, secs(0)).into_iter().filter_map(|step| {
            // They wait to be called again, behind the others.
            throttle(&mut gate, secs(0), step, None)
        });
        assert_eq!(news.count(), 1, "only one is news");
        let mut probes = Vec::new();
        while let Some(at) = gate.opens_at().filter(|at| *at <= secs(5)) {
            let sent = send_all(&mut gate, at);
            assert_eq!(sent.len(), 1);
            probes.push(at);
            assert_eq!(throttle(&mut gate, at, sent[0], None), None, "that they wait has been said");
        }
        assert!(probes.len() <= 6, "{probes:?}");
    }

    #[test]
    fn a_server_that_says_when_is_believed_up_to_a_minute() {
        let mut gate = gate(4);
        let send = |gate: &mut Gate, at: Moment| {
            let step = gate.next(at).expect("open");
            gate.sent(at, step);
            step
        };
        let first = send(&mut gate, secs(10));
        assert_eq!(throttle(&mut gate, secs(10), first, Some(secs(3))), Some(secs(13)));
        assert_eq!(gate.next(secs(12)), None);
        let second = send(&mut gate, secs(13));
        pass(&mut gate, secs(13), second);
        let third = send(&mut gate, secs(20));
        assert_eq!(throttle(&mut gate, secs(20), third, Some(secs(3600))), Some(secs(80)));
    }

    #[test]
    fn a_request_for_many_counts_as_one_call() {
        let mut gate = gate(40);
        let first = gate.next(secs(0)).expect("open");
        let second = gate.take().expect("another");
        gate.sent(secs(0), first);
        let unknown = || Err(Refusal::new(Advice::OutcomeUnknown, "not named"));
        // Some answer has come, in whatever order.
        assert_eq!(gate.answered(secs(1), &[(second, unknown()), (first, Ok(Accepted::default()))]), None);
        assert_eq!(gate.last_dealt_with(), secs(1));
        assert_eq!(send_all(&mut gate, secs(1)).len(), 16, "it is under way no more");
    }
}
