//! Everything that people and programs read: text made from plans, events, records and problems.
//!
//! Returns text and never writes it; knows nothing of terminals beyond "with colour or without" and a width.

pub mod problems;
pub mod visible;
pub mod words;
