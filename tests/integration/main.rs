//! Everything that is tested from outside the library, in one binary.

mod architecture;
#[cfg(unix)]
mod harness;
mod interop;
#[cfg(unix)]
mod mistakes;
#[cfg(unix)]
mod pages;
mod readme;
#[cfg(unix)]
mod runs;
mod secrecy;
mod signing;
mod stores;
#[cfg(unix)]
mod transcripts;
mod trust;
mod volatile;
