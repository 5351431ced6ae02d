//! What selections came to.

use super::{count, list, name, short};
use crate::fleet::InstanceId;
use crate::plan::{Selecting, SelectionOutcome};

/// The columns that a selector may take.
const SELECTOR_COLUMNS: usize = 200;

/// Which instances fit, and what of it is new: `2 instances fit tag role=batch; new since the last apply: i-bp1...`.
/// Of more than `most` instances the first are named.
#[must_use]
pub fn selecting(selecting: &Selecting, most: usize) -> String {
    let selector = selecting.selector.to_string();
    let selector = short(&selector, SELECTOR_COLUMNS);
    match &selecting.outcome {
        SelectionOutcome::NotSeen { why } => {
            format!("nobody knows what fits {selector}, because the look failed: {}", super::message(why))
        }
        SelectionOutcome::Fit { instances, newly, no_longer } => {
            let fit = if *instances == 1 { "fits" } else { "fit" };
            let mut text = format!("{} {fit} {selector}", count(*instances, "instance"));
            for (ids, what) in [(newly, "new since the last apply"), (no_longer, "no longer")] {
                if !ids.is_empty() {
                    let names: Vec<_> = ids.iter().map(InstanceId::as_str).map(name).collect();
                    text.push_str(&format!("; {what}: {}", list(&names, most)));
                }
            }
            text
        }
    }
}
