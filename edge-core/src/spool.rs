//! What the spool sends next, what an acknowledgement settles, what is given up when it is full.
//!
//! Owns the decisions; bytes, files and sockets belong to the agent. Only the hub's
//! acknowledgement settles a record. Live records go before a backlog; a record that is not
//! settled in [`protocol::RESEND_AFTER`] is sent again.

mod give_up;
mod queue;

pub use give_up::{Limits, SegmentFigures, Why, give_up};
pub use protocol::RangeSet;
pub use queue::{ENVELOPE_BYTES, Key, Queue};
