//! The agent: one box beside the cameras.
//!
//! camera -> decode -> detect -> track -> rules -> alert -> spool -> uplink, each in a module of its
//! own; `run` wires them up and `cmd` holds what the command line offers.

pub mod acceptance;
pub mod alerts;
pub mod analysis;
pub mod board;
pub mod camera;
pub mod clip;
pub mod cmd;
pub mod config;
pub mod control;
pub mod decode;
pub mod desired;
pub mod detect;
pub mod discover;
pub mod doctor;
pub mod drill;
pub mod figures;
pub mod hardware;
pub mod hub;
pub mod identity;
pub mod live;
pub mod logging;
pub mod model;
pub mod onvif;
pub mod outbox;
pub mod picture;
pub mod pipeline;
pub mod probe;
pub mod redact;
pub mod run;
pub mod secrets;
pub mod service;
pub mod spool;
pub mod tensor;
pub mod uplink;
pub mod usage;
pub mod watching;
pub mod wording;
