//! Whole runs under a made-up clock against a cloud in memory.

mod endings;
mod laws;
mod scale;
mod stories;
mod twin;
