//! What the instances of one entry tell of one another while they are on their way: how long it takes, where nobody
//! knew before, and in a crowd that it is time to look at all of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Run;
use crate::execute::poll::{Density, Known, Place, next_look};
use crate::execute::ready::StepIndex;
use crate::execute::step::{Moment, Phase, Step, Watch};
use crate::fleet::Durations;

/// So many of an entry are looked at, in a crowd, for all of it.
const SAMPLE: usize = 20;
/// So many must have arrived, and their ways have been alike, before others are expected to take as long.
const ENOUGH: usize = 3;

/// The instances of one entry that are on their way, or have arrived in this run.
#[derive(Debug, Clone, Default)]
pub(super) struct Siblings {
    sample: BTreeSet<StepIndex>,
    arrived: usize,
    shortest: Duration,
    longest: Duration,
    /// Whether they are expected to arrive at about the same time, if anything is known.
    are_alike: bool,
}

impl Siblings {
    /// Siblings that are expected to take so long.
    pub(super) fn new(expected: impl Iterator<Item = Duration>) -> Self {
        let (shortest, longest) = expected
            .fold((Duration::MAX, Duration::ZERO), |(shortest, longest), one| {
                (shortest.min(one), longest.max(one))
            });
        Self { are_alike: Durations::are_alike(shortest, longest), ..Self::default() }
    }

    fn arrive(&mut self, took: Duration) {
        self.shortest = if self.arrived == 0 { took } else { self.shortest.min(took) };
        self.longest = self.longest.max(took);
        self.arrived += 1;
    }

    fn known(&self) -> Known {
        match self.arrived >= ENOUGH && Durations::are_alike(self.shortest, self.longest) {
            true => Known::FromSiblings(self.shortest),
            false => Known::Nothing,
        }
    }
}

impl Run<'_> {
    fn siblings_of(&mut self, step: StepIndex) -> Option<&mut Siblings> {
        let group = self.group_of(self.steps[step].change)?;
        self.siblings.get_mut(group)
    }

    /// When the instance of a step that is on its way is looked at next.
    pub(super) fn next_look(&mut self, now: Moment, step: StepIndex, watch: &Watch) -> Moment {
        let Step { change, expected, ref phase, .. } = self.steps[step];
        let recorded = expected.map(Known::Recorded);
        let is_awaited = matches!(phase, Phase::Awaiting(_));
        let density = self.providers[self.provider_of[change]].poll.density();
        let Some(siblings) = self.siblings_of(step).filter(|_| is_awaited) else {
            return next_look(now, watch.since, recorded.unwrap_or(Known::Nothing), Place::Apart);
        };
        if siblings.sample.len() < SAMPLE {
            siblings.sample.insert(step);
        }
        let known = recorded.unwrap_or_else(|| siblings.known());
        let place = match density {
            Density::Few => Place::Apart,
            Density::Many => Place::Among,
            // Once some have arrived, others are as likely to have.
            Density::Crowd if recorded.is_none() && siblings.arrived > 0 => Place::Among,
            Density::Crowd if siblings.sample.contains(&step) => Place::Sample,
            Density::Crowd if recorded.is_none() || siblings.are_alike => Place::Crowd,
            Density::Crowd => Place::Among,
        };
        next_look(now, watch.since, known, place)
    }

    /// The instance of a step has arrived. If it is the first of its entry, it is time to look at the others of which
    /// nothing is known.
    pub(super) fn tell_siblings(&mut self, now: Moment, step: StepIndex, took: Duration) {
        let Some(siblings) = self.siblings_of(step) else { return };
        siblings.arrive(took);
        if siblings.arrived > 1 {
            return;
        }
        let plan = self.plan;
        let Some(group) = self.group_of(self.steps[step].change) else { return };
        for &change in &plan.groups[group].changes {
            let Some(sibling) = self.step_of[change].filter(|sibling| *sibling != step) else { continue };
            let Step { ref phase, expected, .. } = self.steps[sibling];
            let is_watched = matches!(phase, Phase::Awaiting(watch) if watch.is_on_the_way());
            if is_watched && expected.is_none() {
                self.want(change, now);
            }
        }
    }

    /// A step has ended: another one may stand for its entry.
    pub(super) fn leave_siblings(&mut self, step: StepIndex) {
        if let Some(siblings) = self.siblings_of(step) {
            siblings.sample.remove(&step);
        }
    }
}
