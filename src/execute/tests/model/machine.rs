//! One machine of the strict cloud: what it was, is, and will be if nothing comes between.

use std::time::Duration;

use super::case::{AtFirst, Fate, MachineCase};
use super::cloud::LOOK;
use crate::execute::Action;
use crate::fleet::Power;

/// A moment that was drawn.
pub(super) fn tenths(tenths: u64) -> Duration {
    Duration::from_millis(tenths * 100)
}

/// What a machine was, is, and will be if nothing comes between.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    phases: Vec<(Duration, Option<Power>)>,
    takes: Duration,
    /// What becomes of its next calls.
    pub(super) fates: Vec<Fate>,
    pub(super) locked_from: Option<Duration>,
}

impl Machine {
    /// As it was drawn.
    pub(super) fn new(case: &MachineCase) -> Self {
        let takes = tenths(case.takes);
        let before = LOOK.saturating_sub(Duration::from_secs(5));
        let settled = |power: Power| vec![(Duration::ZERO, Some(power))];
        let on_its_way = |first: Power, from: Duration, way: Power, to: Power| {
            vec![
                (Duration::ZERO, Some(first)),
                (from, Some(way)),
                (from + takes.max(Duration::from_secs(6)), Some(to)),
            ]
        };
        // Long ago, so that no old read shows what was before.
        let long_ago = Duration::from_millis(1);
        let settles = |way: Power, to: Power| {
            vec![(Duration::ZERO, Some(way.clone())), (long_ago, Some(way)), (LOOK + takes, Some(to))]
        };
        let phases = match case.at_first {
            AtFirst::Stopped => settled(Power::Stopped),
            AtFirst::Running => settled(Power::Running),
            AtFirst::Starting => settles(Power::Starting, Power::Running),
            AtFirst::Stopping => settles(Power::Stopping, Power::Stopped),
            AtFirst::PendingThenStopped => settles(Power::Pending, Power::Stopped),
            AtFirst::PendingThenRunning => settles(Power::Pending, Power::Running),
            AtFirst::JustStarted => on_its_way(Power::Stopped, before, Power::Starting, Power::Running),
            AtFirst::JustStopped => on_its_way(Power::Running, before, Power::Stopping, Power::Stopped),
            AtFirst::StartingForEver => settled(Power::Starting),
            AtFirst::Strange => settled(Power::Unrecognised("Odd".into())),
            AtFirst::Absent => vec![(Duration::ZERO, None)],
        };
        let locked_from = case.locked_from.map(|from| LOOK + Duration::from_secs(from));
        Self { phases, takes, fates: case.fates.clone(), locked_from }
    }

    pub(super) fn at(&self, now: Duration) -> Option<&Power> {
        self.phases.iter().rev().find(|(from, _)| *from <= now)?.1.as_ref()
    }

    pub(super) fn set(&mut self, at: Duration, power: Option<Power>) {
        self.phases.retain(|(from, _)| *from < at);
        self.phases.push((at, power));
    }

    /// Goes its way from now on.
    pub(super) fn go(&mut self, now: Duration, action: Action, fate: Option<Fate>) {
        let (from, way, to) = match action {
            Action::Stop => (Power::Running, Power::Stopping, Power::Stopped),
            _ => (Power::Stopped, Power::Starting, Power::Running),
        };
        self.set(now, Some(way));
        match fate {
            Some(Fate::Hang) => {}
            Some(Fate::FallBack) => self.phases.push((now + self.takes, Some(from))),
            Some(Fate::Slow) => self.phases.push((now + self.takes * 5, Some(to))),
            _ => self.phases.push((now + self.takes, Some(to))),
        }
    }
}
