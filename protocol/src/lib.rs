//! What travels between agent and hub: topics, messages, versions.
//!
//! Owns the wire types and nothing else: no socket, no clock, no store. Every type reads what an
//! older version wrote (unknown fields are ignored, new fields have defaults) and there is no
//! field in which an identity could travel: a track is a number that dies with the view.

pub mod ack;
pub mod alert;
pub mod command;
pub mod config;
pub mod enrol;
pub mod exchange;
pub mod health;
pub mod id;
pub mod kinds;
pub mod ranges;
pub mod schema;
pub mod status;
pub mod time;
pub mod topic;

pub use ack::{Ack, RejectReason, Rejected};
pub use alert::{
    AgentEvent, AlertMessage, BadRecord, Body, BoundingBox, Direction, Gap, Kind, MessageError, ObjectClass,
    Raised, Record, Severity, Still, TimeSource, Updated,
};
pub use command::{Command, Order, Outcome, Reply, ReplyWhy};
pub use config::{ConfigReport, ConfigState, ConfigWhy, ConfigWhyCode, DesiredConfig};
pub use health::{CameraHealth, Health};
pub use id::{AgentId, AlertId, CameraId, Epoch, IdError, RuleId, SiteId};
pub use ranges::RangeSet;
pub use status::{AgentState, CameraState, CameraStatus, Status};
pub use time::Timestamp;
pub use topic::{Channel, Topic};

/// The version written into every message. Version N reads what version N-1 wrote.
pub const VERSION: u32 = 1;
/// Most records one `alert` message may carry.
pub const MAX_RECORDS: usize = 64;
/// Most bytes one `alert` message may have.
pub const MAX_MESSAGE_BYTES: usize = 128 * 1024;
/// A record that is not settled in this time is sent again.
pub const RESEND_AFTER: std::time::Duration = std::time::Duration::from_secs(10);
/// Most bytes a still may have.
pub const MAX_STILL_BYTES: usize = 2 * 1024 * 1024;
