//! Everything that is tested from outside the library, in one binary.

mod architecture;
mod readme;
mod signing;
mod stores;
