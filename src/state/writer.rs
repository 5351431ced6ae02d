//! When a record that keeps changing is written: often enough that a crash loses little, seldom enough that the
//! writes of a long apply cost little. Pure: it keeps times, and neither waits nor writes.

use std::time::Duration;

/// Decides when to save. Times are measured from any one moment, such as the beginning of the run.
///
/// A change after a pause is due at once; after that at most two saves a second are, and saving takes at most a tenth
/// of the time. Changes in between are saved together. After saves that failed the rests grow: whatever is in the way
/// is not out of it half a second later. At the end the caller saves once more if [`Writer::is_behind`].
#[derive(Debug, Default)]
pub struct Writer {
    behind: bool,
    saving_since: Option<Duration>,
    not_before: Duration,
    /// How many saves have failed in a row.
    failures: u32,
}

impl Writer {
    /// The least time between the beginnings of two saves.
    pub const SPACING: Duration = Duration::from_millis(500);

    /// How many times as long as a save took passes before the next: keeps the saves of a huge record, or on a slow
    /// disk, to a tenth of the time.
    const REST: u32 = 9;

    /// The longest that a change is put off, however long saves take.
    pub const LONGEST_REST: Duration = Duration::from_secs(10);

    /// Nothing has changed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The record changed.
    pub fn changed(&mut self) {
        self.behind = true;
    }

    /// Whether something has changed since the last save was begun, or that save failed.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// When the next save is due; none while there is nothing to save or a save is under way. May lie in the past.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        (self.behind && self.saving_since.is_none()).then_some(self.not_before)
    }

    /// Whether a save is due now.
    #[must_use]
    pub fn due(&self, now: Duration) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// A save of everything so far is begun.
    pub fn began(&mut self, now: Duration) {
        self.behind = false;
        self.saving_since = Some(now);
    }

    /// The save that was begun has ended.
    pub fn ended(&mut self, now: Duration, succeeded: bool) {
        let Some(since) = self.saving_since.take() else { return };
        self.failures = if succeeded { 0 } else { self.failures.saturating_add(1) };
        let after_failures = match self.failures {
            0 => Duration::ZERO,
            failures => Self::SPACING.saturating_mul(2_u32.saturating_pow(failures)),
        };
        let rest = (now.saturating_sub(since)).saturating_mul(Self::REST);
        let rest = rest.max(after_failures).min(Self::LONGEST_REST);
        self.not_before = (since.saturating_add(Self::SPACING)).max(now.saturating_add(rest));
        self.behind |= !succeeded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn saves_are_due_at_once_after_a_pause_and_then_spaced() {
        enum Step {
            Changed,
            Began(u64),
            Ended(u64),
            Failed(u64),
        }
        use Step::{Began, Changed, Ended, Failed};
        let mut writer = Writer::new();
        assert_eq!(writer.next_due(), None);
        for (number, (step, due)) in [
            (Changed, Some(0)),
            (Changed, Some(0)),
            (Began(10), None),
            (Ended(20), None),
            (Changed, Some(510)),
            (Changed, Some(510)),
            (Began(515), None),
            (Changed, None),
            (Ended(525), Some(1015)),
            (Began(1020), None),
            (Ended(1120), None),
            (Changed, Some(2020)),
            (Began(9000), None),
            (Failed(9001), Some(10_001)),
            (Began(10_001), None),
            (Ended(20_001), None),
            (Changed, Some(30_001)),
        ]
        .into_iter()
        .enumerate()
        {
            match step {
                Changed => writer.changed(),
                Began(now) => writer.began(at(now)),
                Ended(now) => writer.ended(at(now), true),
                Failed(now) => writer.ended(at(now), false),
            }
            assert_eq!(writer.next_due(), due.map(at), "step {number}");
            if let Some(due) = due {
                assert!(writer.due(at(due)), "step {number}");
                assert!(due == 0 || !writer.due(at(due - 1)), "step {number}");
            }
        }
    }

    #[test]
    fn a_change_every_millisecond_makes_two_saves_a_second_and_none_is_forgotten() {
        let mut writer = Writer::new();
        let mut saves = 0;
        for now in 0..60_000 {
            writer.changed();
            if writer.due(at(now)) {
                writer.began(at(now));
                writer.ended(at(now), true);
                saves += 1;
            }
        }
        assert_eq!(saves, 120);
        assert!(writer.is_behind());
        assert_eq!(writer.next_due(), Some(at(60_000)));
    }

    #[test]
    fn the_rests_grow_with_each_failure_up_to_a_bound_and_one_success_ends_that() {
        let mut writer = Writer::new();
        let mut now = at(0);
        for rest in [1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
            writer.changed();
            writer.began(now);
            writer.ended(now, false);
            assert_eq!(writer.next_due(), Some(now + at(rest)));
            now += at(rest);
        }
        writer.began(now);
        writer.ended(now, true);
        writer.changed();
        assert_eq!(writer.next_due(), Some(now + Writer::SPACING));
    }

    #[test]
    fn what_changes_during_a_save_is_saved_by_the_next() {
        let mut writer = Writer::new();
        writer.changed();
        writer.began(at(0));
        assert!(!writer.is_behind());
        writer.changed();
        assert!(writer.is_behind());
        assert!(!writer.due(at(5_000)), "one save at a time");
        writer.ended(at(1), true);
        assert!(writer.is_behind());
        assert_eq!(writer.next_due(), Some(at(500)));
    }
}
