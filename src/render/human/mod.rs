//! What people read: the plan before approving, the summary after applying, the record.

mod attributes;
mod checkup;
mod outlook;
mod plan;
mod record;
mod saved;
mod summary;
#[cfg(test)]
mod tests;

pub use checkup::checkup;
pub use plan::{drift, plan, plan_line};
pub use record::{nothing_recorded, state, state_list, state_show};
pub use saved::saved_plan;
pub use summary::apply_summary;
