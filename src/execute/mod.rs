//! Carries out a plan.
mod event;
mod report;
pub use event::{Action, Event, EventKind, Failure, How};
pub use report::{Outcome, Report};
