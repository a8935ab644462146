//! The hub's pure rules: for now, what is settled.
//!
//! No clock, socket, file or database in here; the hub's shell (central-hub) feeds and stores it.

pub mod settlement;

pub use settlement::RangeSet;
