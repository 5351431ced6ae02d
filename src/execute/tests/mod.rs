//! Whole runs under a made-up clock against a cloud in memory.

mod dispatch;
mod endings;
mod laws;
mod model;
mod needs;
mod readiness;
mod rolling;
mod scale;
mod sketch;
mod stories;
mod tidings;
mod turns;
mod twin;
mod unasked;
