//! What programs read. Each version has types of its own, converted by hand, so that a change inside never changes a
//! line that someone parses.

pub mod v1;
