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

#[cfg(test)]
mod tests {
    use super::super::tests::{at, request, world};
    use super::*;
    use crate::simulator::log::{LogEvent, LogLine, RequestLine};

    #[test]
    fn a_limit_holds_within_its_window_and_starts_again_with_the_next() {
        let mut world =
            world("limits: { StartInstance: 2/min, StopInstance: 1/s }\ninstances: [{ id: i-a }]");
        let mut ask = |action: &str, moment| {
            let throttled = world.throttled(action, "cn-hangzhou", at(moment)).is_some();
            world.apply(&LogLine {
                at: at(moment),
                event: LogEvent::Request(request(action, None, Vec::new())),
            });
            throttled
        };
        assert!(!ask("StartInstance", 0));
        assert!(!ask("StartInstance", 100));
        assert!(!ask("StopInstance", 100));
        assert!(ask("StopInstance", 900));
        assert!(!ask("StopInstance", 1000));
        assert!(ask("StartInstance", 59_999));
        assert!(!ask("StartInstance", 60_000));
        assert!(!ask("DescribeInstances", 60_000));
    }

    #[test]
    fn every_region_has_its_own_count() {
        let mut world = world("limits: { StartInstance: 1/min }\ninstances: [{ id: i-a }]");
        let line =
            RequestLine { region: "cn-hongkong".to_owned(), ..request("StartInstance", None, Vec::new()) };
        world.apply(&LogLine { at: at(0), event: LogEvent::Request(line) });
        assert_eq!(world.throttled("StartInstance", "cn-hangzhou", at(0)), None);
        assert!(world.throttled("StartInstance", "cn-hongkong", at(0)).is_some());
    }

    #[test]
    fn a_refusal_says_when_to_come_again_where_the_account_has_it_so() {
        for (limit, moment, wait) in [
            ("0/min", 10_500, None),
            ("{ rate: 0/min, retry_after: true }", 10_500, Some(49_500)),
            ("{ rate: 0/s, retry_after: true }", 10_999, Some(1)),
            ("{ rate: 0/s, retry_after: false }", 10_999, None),
        ] {
            let world = world(&format!("limits: {{ StartInstance: {limit} }}\ninstances: [{{ id: i-a }}]"));
            let throttled = world.throttled("StartInstance", "cn-hangzhou", at(moment)).unwrap();
            assert_eq!(throttled.retry_after, wait.map(Duration::from_millis), "{limit}");
        }
    }
}
