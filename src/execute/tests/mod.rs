//! Whole runs under a made-up clock against a cloud in memory.

mod endings;
mod laws;
mod stories;
mod twin;
