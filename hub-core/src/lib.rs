//! The hub's pure rules: what is settled (as ranges, which hub and agent share), which alerts are one incident, how it is
//! worked on, who may do what, how the audit is chained, how other systems are told, which cameras are watched live.
//!
//! No clock, socket, file, thread, lock or random number in here, and no order of a hash map; the hub's shell
//! (central-hub) feeds and stores it.

pub mod address;
pub mod area;
pub mod audit;
pub mod cap;
pub mod clocks;
pub mod correlate;
pub mod csv;
pub mod delivery;
pub mod figures;
pub mod live;
pub mod password;
pub mod plain;
pub mod procedure;
pub mod retention;
pub mod rights;
pub mod uptime;
pub mod words;
pub mod workflow;

pub use protocol::RangeSet;
