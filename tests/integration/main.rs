//! Everything that is tested from outside the library, in one binary.

mod architecture;
mod interop;
mod signing;
mod stores;
