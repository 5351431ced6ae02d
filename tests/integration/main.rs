//! Everything that is tested from outside the library, in one binary.

mod architecture;
mod secrecy;
mod signing;
mod stores;
mod trust;
