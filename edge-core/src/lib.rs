//! The agent's decisions, pure: where things are, what they do, what is worth an alert, what is
//! covered, what is sent next. No clock, socket, file, thread, lock or random number lives here;
//! time comes in, decisions come out. A test fails when one creeps in.

pub mod detection;
pub mod geometry;
pub mod spool;

pub use detection::Detection;
pub use geometry::{FrameSize, Point, Rect};
