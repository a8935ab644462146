//! Live video's decisions: for how long a camera is sent, and what of each frame is covered or that it is not shown.
//!
//! Pure: time comes in. Pixels, encoding and the network are the agent's.

mod covering;
mod lease;
mod trace;

pub use covering::{Cover, Covering, Input, Verdict};
pub use lease::{Change, LEASE, Leases, MOST, TooMany};
