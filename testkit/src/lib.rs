//! Development kit: what tests, benches and the demo need around the real programs.
//!
//! Owns the simulated RTSP cameras, child processes that never outlive their parent, and the stage
//! on which the real programs are brought up together. Nothing of it is part of the product.

pub mod camera;
mod chance;
pub mod demo;
pub mod hub;
pub mod port;
pub mod process;
pub mod stage;
mod workspace;

pub use chance::Chance;
pub use workspace::{binary, cache, workspace};
