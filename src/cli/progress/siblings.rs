//! What the instances of one entry tell of one another: how long their steps take, where that is not recorded.

use std::time::Duration;

use crate::execute::Action;
use crate::fleet::Durations;

/// What the steps of one entry have taken in this run.
///
/// What others are expected to take is the median of the last few, by the rule of the record, and so what the record
/// will say next time. The longest would let one odd boot speak for all that come after it, and the shortest is what
/// few take. Execution wants to know more before it times looks by it: there it costs time to be wrong.
#[derive(Debug, Default)]
pub(super) struct Siblings {
    took: Durations,
    /// From Running to ready, after a start.
    readied: Durations,
    expected: Expected,
}

/// What follows from them. Kept, because it is asked for far more often than it changes.
#[derive(Debug, Default)]
struct Expected {
    start: Option<Duration>,
    stop: Option<Duration>,
    ready: Option<Duration>,
}

impl Siblings {
    /// An instance was called and has arrived. `readied` is how long it took then to show that it is ready.
    pub(super) fn arrived(&mut self, action: Action, took: Duration, readied: Option<Duration>) {
        match action {
            Action::Start => self.took.add_start(took),
            Action::Stop => self.took.add_stop(took),
            // When it set out is not known.
            Action::Wait => return,
        }
        if let Some(readied) = readied {
            self.readied.add_start(readied);
        }
        self.expected = Expected {
            start: self.took.expected_start(),
            stop: self.took.expected_stop(),
            ready: self.readied.expected_start(),
        };
    }

    /// How long the way from the accepted call takes.
    pub(super) fn way(&self, action: Action) -> Option<Duration> {
        match action {
            Action::Start => self.expected.start,
            Action::Stop => self.expected.stop,
            Action::Wait => None,
        }
    }

    /// How long it takes then to show that it is ready.
    pub(super) fn ready(&self, action: Action) -> Option<Duration> {
        self.expected.ready.filter(|_| action != Action::Stop)
    }
}
