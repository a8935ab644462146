//! What the hub asks of a box now, and the answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CameraId, Timestamp};

/// hub -> agent, QoS 1. A box that does not know `do` answers `unknown`; one that reads it after
/// `expires_at` does nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    pub v: u32,
    /// Minted by the hub; the answer carries it.
    pub id: String,
    pub expires_at: Timestamp,
    #[serde(flatten)]
    pub order: Order,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Answer at once: the hub asks whether the box that has this connection is still there.
    Present,
    /// Ask the hub which authorities to believe, and renew the certificate if it says so.
    Renew,
    /// Raise an alert of this camera that is marked as a test.
    TestAlarm { camera: CameraId },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// agent -> hub, QoS 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    pub v: u32,
    /// The command's.
    pub id: String,
    pub outcome: Outcome,
    /// One plain English sentence, where it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    Refused,
    /// The order is not known to this box.
    #[serde(other)]
    Unknown,
}
