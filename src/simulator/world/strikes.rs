//! Which faults strike a request, and which only count it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{World, later};
use crate::simulator::account::{Effect, Fault, Twist};
use crate::simulator::refusal::Refusal;

/// What a request is struck at.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::simulator) struct Struck<'r> {
    pub(in crate::simulator) action: &'r str,
    /// The instances that it names.
    pub(in crate::simulator) ids: &'r [&'r str],
    /// Of a batch, the action that does the same to one instance: its faults strike items.
    pub(in crate::simulator) item_action: Option<&'r str>,
}

/// One fault that strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) struct Strike<'w> {
    pub(in crate::simulator) fault: &'w Fault,
    /// How long it goes on, where it lasts for some time.
    pub(in crate::simulator) left: Option<Duration>,
}

/// What the faults of the account make of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::simulator) struct Strikes<'w> {
    /// The positions of the faults that count it.
    pub(in crate::simulator) counted: Vec<usize>,
    /// The first that strikes the request as a whole.
    pub(in crate::simulator) call: Option<Strike<'w>>,
    /// By instance, the first that strikes an item of a batch.
    pub(in crate::simulator) items: BTreeMap<&'w str, Strike<'w>>,
}

impl Strike<'_> {
    /// The refusal that it answers with, if that is what it does.
    pub(in crate::simulator) fn refusal(&self) -> Option<Refusal> {
        let Some(Effect::Refuse { code, message }) = &self.fault.effect else { return None };
        let refusal = Refusal::of(code).again_after(self.left.filter(|_| self.fault.retry_after));
        Some(match message {
            Some(message) => refusal.saying(message.as_str()),
            None => refusal,
        })
    }

    /// Whether it is about the answer as a whole, which cannot be lost for one item alone.
    fn is_of_the_answer(&self) -> bool {
        match &self.fault.effect {
            Some(
                Effect::DropBefore
                | Effect::DropAfter
                | Effect::Garbage(_)
                | Effect::Truncate
                | Effect::Http(_),
            ) => true,
            Some(Effect::Refuse { .. }) | None => false,
        }
    }
}

impl Strikes<'_> {
    /// What becomes of an accepted call for this instance.
    pub(in crate::simulator) fn twist(&self, id: &str) -> Option<Twist> {
        // What takes the whole answer of a batch away may name the one instance that it does more to.
        let call =
            self.call.as_ref().filter(|call| call.fault.instance.as_deref().is_none_or(|one| one == id));
        self.items.get(id).or(call)?.fault.twist
    }

    /// How much later than usual the answer leaves.
    pub(in crate::simulator) fn delay(&self) -> Duration {
        let all = self.call.iter().chain(self.items.values());
        all.map(|strike| strike.fault.delay).max().unwrap_or_default()
    }

    /// How much older than usual is what a look shows.
    pub(in crate::simulator) fn lag(&self) -> Duration {
        self.call.as_ref().map(|strike| strike.fault.lag).unwrap_or_default()
    }

    /// What is done to the request as a whole.
    pub(in crate::simulator) fn effect(&self) -> Option<&Effect> {
        self.call.as_ref()?.fault.effect.as_ref()
    }
}

impl World {
    /// The faults that count this request, and those that strike it: the request as a whole or, in a batch, those
    /// that name an instance that one.
    pub(in crate::simulator) fn strikes(&self, struck: Struck<'_>, now: Timestamp) -> Strikes<'_> {
        let mut strikes = Strikes::default();
        for (position, fault) in self.account.faults.iter().enumerate() {
            let (named, instance) = (fault.action.as_deref(), fault.instance.as_deref());
            let is_item = struck.item_action.is_some() && instance.is_some();
            let matches = named.is_none_or(|wanted| {
                wanted == struck.action || (is_item && struck.item_action == Some(wanted))
            }) && instance.is_none_or(|wanted| struck.ids.contains(&wanted));
            if !matches {
                continue;
            }
            strikes.counted.push(position);
            let Some(strike) = self.strike(position, fault, now) else { continue };
            match instance.filter(|_| is_item && !strike.is_of_the_answer()) {
                Some(instance) => {
                    strikes.items.entry(instance).or_insert(strike);
                }
                None => {
                    strikes.call.get_or_insert(strike);
                }
            }
        }
        strikes
    }

    /// The fault, if it strikes the next request that it counts.
    fn strike<'w>(&self, position: usize, fault: &'w Fault, now: Timestamp) -> Option<Strike<'w>> {
        let number = self.fault_counts.get(position)?.saturating_add(1);
        let begins = match fault.from {
            Some(after) => Some(later(self.begun, after)),
            None => self.fault_since.get(&position).copied(),
        };
        match (fault.lasts, begins) {
            (Some(lasts), Some(begins)) => {
                let left: Duration = later(begins, lasts).duration_since(now).try_into().ok()?;
                (begins <= now && !left.is_zero()).then_some(Strike { fault, left: Some(left) })
            }
            (Some(lasts), None) => (number >= fault.first).then_some(Strike { fault, left: Some(lasts) }),
            (None, _) => {
                let since = number.checked_sub(fault.first)?;
                let (struck, between) = (since.checked_div(fault.every)?, since.checked_rem(fault.every)?);
                let strikes = between == 0 && fault.times.is_none_or(|times| struck < times);
                strikes.then_some(Strike { fault, left: None })
            }
        }
    }

    pub(super) fn count_faults(&mut self, counted: &[usize], at: Timestamp) {
        for position in counted {
            let Some(count) = self.fault_counts.get_mut(*position) else { continue };
            *count = count.saturating_add(1);
            let fault = self.account.faults.get(*position);
            if fault
                .is_some_and(|fault| fault.lasts.is_some() && fault.from.is_none() && *count >= fault.first)
            {
                self.fault_since.entry(*position).or_insert(at);
            }
        }
    }
}
