//! The hub's pure rules. For now: what is settled, as ranges, which hub and agent share.
//!
//! No clock, socket, file or database in here; the hub's shell (central-hub) feeds and stores it.

pub mod area;
pub mod clocks;
pub mod procedure;
pub mod workflow;

pub use protocol::RangeSet;
