//! The hub's pure rules: what is settled, how incidents are told to other systems.
//!
//! No clock, socket, file or database in here; the hub's shell (central-hub) feeds and stores it.

pub mod address;
pub mod area;
pub mod cap;
pub mod clocks;
pub mod csv;
pub mod delivery;
pub mod figures;
pub mod procedure;
pub mod words;
pub mod workflow;

pub use protocol::RangeSet;
