//! Whole runs under a made-up clock against a cloud in memory.

mod laws;
mod stories;
mod twin;
