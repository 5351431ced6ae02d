//! How many calls there may be: ECS counts by account, region and action, in windows that begin with the minute (or,
//! here, the second).

use std::time::Duration;

use jiff::Timestamp;

use super::World;

/// A refusal for having called too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) struct Throttled {
    /// How long until the window ends, where the account says that a header tells.
    pub(in crate::simulator) retry_after: Option<Duration>,
}

fn key(action: &str, region: &str) -> String {
    format!("{action}/{region}")
}

impl World {
    /// Whether one more request of this action in this region is too many now.
    pub(in crate::simulator) fn throttled(
        &self,
        action: &str,
        region: &str,
        now: Timestamp,
    ) -> Option<Throttled> {
        let limit = self.account.limits.get(action)?;
        let window = now.as_second().div_euclid(limit.rate.window);
        let counted = self.windows.get(&key(action, region)).filter(|(latest, _)| *latest == window);
        if counted.map_or(0, |(_, count)| *count) < limit.rate.most {
            return None;
        }
        let next = window.saturating_add(1).saturating_mul(limit.rate.window);
        let wait =
            Timestamp::from_second(next).ok().and_then(|next| next.duration_since(now).try_into().ok());
        Some(Throttled { retry_after: wait.filter(|_| limit.retry_after) })
    }

    /// One more request; refused ones count, too.
    pub(super) fn count_call(&mut self, action: &str, region: &str, at: Timestamp) {
        let Some(limit) = self.account.limits.get(action) else { return };
        let window = at.as_second().div_euclid(limit.rate.window);
        let counted = self.windows.entry(key(action, region)).or_insert((window, 0));
        if counted.0 != window {
            *counted = (window, 0);
        }
        counted.1 = counted.1.saturating_add(1);
    }
}
