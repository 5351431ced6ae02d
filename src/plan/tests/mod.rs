//! Decisions about small worlds, as tables, and laws that hold for every world.

mod chains;
mod course;
mod laws;
mod limits;
mod order;
mod outlook;
mod record;
mod refuse;
mod scope;
mod selection;
mod single;
mod world;
