//! Where the record lives between runs, and the lock that keeps two runs apart.
//!
//! A store keeps a [`Recorded`](crate::fleet::Recorded) and hands out one lock. It never decides what is recorded and
//! never repairs: what it cannot read it refuses, untouched. Time, identities and ids are arguments.

mod backend;
pub mod document;
mod error;
mod local;
mod lock;
mod memory;
mod store;
mod writer;

pub use backend::Backend;
pub use error::{FileTrouble, LockError, StateError};
pub use local::LocalStore;
pub use lock::{Held, LockInfo};
pub use memory::MemoryStore;
pub use store::Store;
pub use writer::Writer;
