//! What a saved plan says of itself, over the plan that it holds.

use std::fmt::Write as _;

use crate::plan::SavedPlan;
use crate::render::words;

/// When it was made, with whose credentials, and what it was narrowed to. Ends with an empty line.
#[must_use]
pub fn saved_plan(saved: &SavedPlan) -> String {
    let mut text = format!("Made on {}", words::time(saved.made_at));
    for (alias, account) in &saved.accounts {
        // Writing to a string cannot fail.
        let _ = write!(text, ", for {alias} with credentials from {}", words::message(&account.source));
    }
    text.push_str(".\n");
    if let Some(narrowed) = words::narrowed(&saved.shape.scope) {
        let _ = writeln!(text, "It is {narrowed}.");
    }
    text.push('\n');
    text
}
