//! Where the record lives between runs, and the lock that keeps two runs apart.

pub mod document;
