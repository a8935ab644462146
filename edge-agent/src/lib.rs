//! The agent: one box beside the cameras.
//!
//! camera -> decode -> detect -> track -> rules -> alert -> spool -> uplink, each in a module of its
//! own; `run` wires them up and `cmd` holds what the command line offers.

pub mod cmd;
pub mod outbox;
pub mod picture;
pub mod spool;
pub mod uplink;
