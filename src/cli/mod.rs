//! The edge: commands, prompts, streams and exit codes. Everything that a person types or sees goes through here.

pub mod progress;
