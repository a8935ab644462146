//! The hub's pure rules: what is settled (as ranges, which hub and agent share), which alerts are one incident.
//!
//! No clock, socket, file, thread, lock or random number in here, and no order of a hash map; the hub's shell
//! (central-hub) feeds and stores it.

pub mod correlate;

pub mod area;
pub mod clocks;
pub mod procedure;
pub mod workflow;

pub use protocol::RangeSet;
