//! Who is there, and which camera works.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CameraId, ConfigReport, Timestamp};

/// agent -> hub, retained. The broker sends the `offline` form as the last will.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    pub v: u32,
    pub state: AgentState,
    /// The name that people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The agent's version, for example `0.1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Since when it has been so, by the agent's clock; absent in the last will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Absent in the last will: then the last known cameras stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cameras: Option<Vec<CameraStatus>>,
    /// What became of the hub's desired configuration; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigReport>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    Online,
    Offline,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraStatus {
    pub camera: CameraId,
    /// The name that people read, for example `东门`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub state: CameraState,
    pub since: Timestamp,
    /// One plain English sentence for the log; people are shown the state's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CameraState {
    /// Never reached yet.
    Connecting,
    /// Pictures come.
    Live,
    /// Connected, but no picture comes.
    Stalled,
    /// Not reachable.
    Offline,
    /// User or password refused; tried again after a pause so that no account is locked.
    Credentials,
    /// Reached, but its stream can't be used.
    Unsupported,
    /// A state that this version does not know.
    #[serde(other)]
    Unknown,
}
