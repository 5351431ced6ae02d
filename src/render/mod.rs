//! Everything that people and programs read: text made from plans, events, records and problems.
//!
//! Returns text and never writes it; knows nothing of terminals beyond "with colour or without" and a width.

pub mod annotations;
pub mod checkup;
mod ending;
pub mod escape;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod graph;
pub mod human;
pub mod json;
mod login;
pub mod markdown;
pub mod problems;
pub mod report;
pub mod style;
#[cfg(test)]
mod tests;
mod text_diff;
pub mod visible;
pub mod words;
