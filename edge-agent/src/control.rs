//! The running agent's local socket: what is going on, a test alarm, reading the settings again.
//!
//! One JSON line in, one JSON line out, then the connection ends. Only root and the user that the agent
//! runs as are answered. Owns the words of this small protocol; `door` is the socket's file, `server` the
//! answering, `client` the asking. What a test alarm is stays with `drill`.

mod client;
mod door;
mod server;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{AgentId, CameraId, Epoch, Health, SiteId, Status};
use serde::{Deserialize, Serialize};

use crate::drill::Stored;
use crate::spool::SpoolFigures;
use crate::uplink::LinkState;

pub use client::{AskError, ask};
pub use door::DoorError;
pub use server::{Control, Desk};

/// Most bytes of one request, its end of line included.
pub const MAX_REQUEST: usize = 4096;
/// Most bytes of one answer.
pub const MAX_ANSWER: usize = 1 << 20;
/// Clients that are served at a time; one more is sent away with a word.
pub const MAX_CLIENTS: usize = 4;
/// A client that has not asked by then is hung up on.
const ASK_WITHIN: Duration = Duration::from_secs(5);

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    Status,
    /// Raise an alert of this camera that is marked as a test.
    TestAlarm {
        camera: CameraId,
    },
    /// How far a record has come.
    Course {
        epoch: Epoch,
        seq: u64,
    },
    /// Read the local settings again.
    Reload,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Status(Box<Report>),
    TestAlarm(Stored),
    Course {
        settled: bool,
        still_waits: bool,
    },
    Done,
    /// One plain English sentence: what, why, and what to do.
    Refused {
        reason: String,
    },
}

/// How the running agent is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub version: String,
    pub pid: u32,
    pub site: SiteId,
    pub agent: AgentId,
    /// Cameras and the configuration's generation, as the hub is told.
    pub status: Status,
    pub link: Link,
    pub spool: SpoolReport,
    /// The newest figures; none in the first seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// Whether the hub is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub connected: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&LinkState> for Link {
    fn from(state: &LinkState) -> Self {
        Self { connected: state.connected, reason: state.reason.clone() }
    }
}

/// What waits for the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolReport {
    pub bytes: u64,
    pub open_records: u64,
    pub stills_waiting: u64,
    /// Records given up since the start: low, medium, high.
    pub given_up: [u64; 3],
    pub stills_given_up: u64,
    /// Whether records survive a power cut.
    pub durable: bool,
}

impl From<SpoolFigures> for SpoolReport {
    fn from(figures: SpoolFigures) -> Self {
        let SpoolFigures { bytes, open_records, stills_waiting, given_up, stills_given_up, durable } =
            figures;
        Self { bytes, open_records, stills_waiting, given_up, stills_given_up, durable }
    }
}

/// Where the socket of an agent with this data folder is.
pub fn socket(data: &Path) -> PathBuf {
    data.join("control.sock")
}
