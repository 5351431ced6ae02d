//! Runs in which nothing has to show that it is ready.

use std::sync::Arc;

use crate::probe::{Attempt, NotReady, Prober};

/// Whoever asks it is mistaken.
pub(super) struct Unasked;

impl Prober for Unasked {
    async fn attempt(&self, attempt: Attempt) -> Result<(), NotReady> {
        panic!("{attempt:?} was asked for, and nothing has a readiness")
    }
}

pub(super) fn unasked() -> Arc<Unasked> {
    Arc::new(Unasked)
}
