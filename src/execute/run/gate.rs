//! The gate that the calls of one action at one provider pass through: how many at a time, and when none.
//!
//! ECS counts calls per account, region and action, so what one call learns about the limit holds for all of them.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::cloud::{LOOK_LIMIT, Refusal};
use crate::execute::ready::StepIndex;
use crate::execute::step::Moment;

/// While ECS refuses because too many calls come, it is probed with one call after so long, unless it says otherwise ...
const PROBE: Duration = Duration::from_secs(1);
/// ... but not at once ...
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// ... and nothing makes calls wait longer than this: ECS counts by minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The calls of one action at one provider.
#[derive(Debug)]
pub(super) struct Gate {
    waiting: BTreeSet<(Reverse<Duration>, StepIndex)>,
    /// Steps that wait for a look before they may be called.
    parked: Vec<StepIndex>,
    in_flight: usize,
    most: usize,
    /// How many may be under way now: halved by each refusal, raised by one with each acceptance.
    width: usize,
    closed_until: Moment,
    /// It was closed, and no call has passed since: one at a time goes to see whether it is open again.
    probing: bool,
    last_dealt_with: Moment,
    last_refusal: Option<Refusal>,
}

impl Gate {
    /// At most `most` calls under way.
    pub(super) fn new(most: usize) -> Self {
        Self {
            waiting: BTreeSet::new(),
            parked: Vec::new(),
            in_flight: 0,
            most,
            width: most,
            closed_until: Moment::ZERO,
            probing: false,
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
    }

    /// A look has come back: those that waited for one wait to be called again.
    pub(super) fn unpark(&mut self, rank_of: &[Reverse<Duration>]) {
        self.waiting.extend(self.parked.drain(..).map(|step| (rank_of[step], step)));
    }

    /// A step has ended otherwise.
    pub(super) fn forget(&mut self, rank: Reverse<Duration>, step: StepIndex) {
        self.waiting.remove(&(rank, step));
        self.parked.retain(|parked| *parked != step);
    }

    /// The step to be called next, if one may be called now.
    pub(super) fn next(&mut self, now: Moment) -> Option<StepIndex> {
        if self.closed_until > now || !self.has_room() {
            return None;
        }
        self.take()
    }

    /// The step that waits in the first place, to travel with another one. None while a whole look is waited for.
    pub(super) fn take(&mut self) -> Option<StepIndex> {
        if self.parked.len() >= LOOK_LIMIT {
            return None;
        }
        self.waiting.pop_first().map(|(_, step)| step)
    }

    /// How many steps wait to be called.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When a call may be made, if one waits and nothing that is under way has to come back first.
    pub(super) fn opens_at(&self) -> Option<Moment> {
        (!self.waiting.is_empty() && self.has_room()).then_some(self.closed_until)
    }

    /// A call was sent.
    pub(super) fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// A call was answered, or will never be.
    pub(super) fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// When ECS last took a call, or refused it for a reason other than that too many came.
    pub(super) fn last_dealt_with(&self) -> Moment {
        self.last_dealt_with
    }

    /// A call was let through, whatever became of it.
    pub(super) fn passed(&mut self, now: Moment) {
        self.last_dealt_with = now;
        self.last_refusal = None;
        self.probing = false;
        self.width = (self.width + 1).min(self.most);
    }

    /// Why calls wait, if they do because ECS has refused one.
    pub(super) fn last_refusal(&self) -> Option<&Refusal> {
        self.last_refusal.as_ref()
    }

    /// A call was refused because too many come. Says until when none is made, if that is the first since one passed.
    pub(super) fn throttled(
        &mut self,
        now: Moment,
        retry_after: Option<Duration>,
        refusal: &Refusal,
    ) -> Option<Moment> {
        self.last_refusal = Some(refusal.clone());
        let was_open = self.closed_until <= now;
        let is_news = !self.probing;
        self.closed_until =
            self.closed_until.max(now + retry_after.unwrap_or(PROBE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
        self.probing = true;
        if was_open {
            self.width = (self.width / 2).max(1);
        }
        is_news.then_some(self.closed_until)
    }

    /// The steps that a look may well take along.
    pub(super) fn queue(&self) -> impl Iterator<Item = StepIndex> {
        self.parked.iter().copied().chain(self.waiting.iter().map(|(_, step)| *step))
    }

    /// The steps that wait for a look.
    pub(super) fn parked(&self) -> &[StepIndex] {
        &self.parked
    }

    fn has_room(&self) -> bool {
        let width = if self.probing { 1 } else { self.width };
        self.in_flight < width && self.parked.len() < LOOK_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Advice;

    fn secs(seconds: u64) -> Moment {
        Moment::from_secs(seconds)
    }

    fn gate(steps: usize) -> Gate {
        let mut gate = Gate::new(16);
        for step in 0..steps {
            gate.wait(Reverse(Duration::ZERO), step);
        }
        gate
    }

    fn send_all(gate: &mut Gate, now: Moment) -> usize {
        let mut sent = 0;
        while gate.next(now).is_some() {
            gate.sent();
            sent += 1;
        }
        sent
    }

    fn throttle(gate: &mut Gate, now: Moment, retry_after: Option<Duration>) -> Option<Moment> {
        gate.throttled(now, retry_after, &Refusal::new(Advice::Throttled { retry_after }, "Throttling.User"))
    }

    #[test]
    fn no_more_are_under_way_than_allowed() {
        let mut gate = gate(40);
        assert_eq!(send_all(&mut gate, secs(0)), 16);
        gate.answered();
        gate.passed(secs(0));
        assert_eq!(send_all(&mut gate, secs(0)), 1);
    }

    #[test]
    fn refusals_close_the_gate_and_one_probe_a_second_tries_it() {
        let mut gate = gate(40);
        assert_eq!(send_all(&mut gate, secs(0)), 16);
        for refusal in 0..16 {
            gate.answered();
            assert_eq!(throttle(&mut gate, secs(0), None).is_some(), refusal == 0, "only the first is news");
        }
        for second in 1..5 {
            assert_eq!(gate.opens_at(), Some(secs(second)));
            assert_eq!(send_all(&mut gate, secs(second)), 1);
            gate.answered();
            assert_eq!(throttle(&mut gate, secs(second), None), None, "that they wait has been said");
        }
        assert_eq!(send_all(&mut gate, secs(5)), 1);
        gate.answered();
        gate.passed(secs(5));
        let width = send_all(&mut gate, secs(5));
        assert!((1..=2).contains(&width), "{width}: five refusals have halved it five times");
        assert!(throttle(&mut gate, secs(6), None).is_some(), "one has passed, so it is news again");
    }

    #[test]
    fn a_server_that_says_when_is_believed_up_to_a_minute() {
        let mut gate = gate(4);
        assert_eq!(throttle(&mut gate, secs(10), Some(secs(3))), Some(secs(13)));
        assert_eq!(gate.next(secs(12)), None);
        assert!(gate.next(secs(13)).is_some());
        gate.passed(secs(13));
        assert_eq!(throttle(&mut gate, secs(20), Some(secs(3600))), Some(secs(80)));
    }
}
