//! The hub's pure rules: what is settled, how incidents are told to other systems.
//!
//! No clock, socket, file or database in here; the hub's shell (central-hub) feeds and stores it.

pub mod address;
pub mod cap;
pub mod csv;
pub mod delivery;
pub mod words;

pub use protocol::RangeSet;
