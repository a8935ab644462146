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
    /// Somebody watches this camera: send its live video, or go on sending it, for 15 s from now. It is said again
    /// every few seconds. `live`: what hub and box call this request; the video is offered under it.
    LiveStart { camera: CameraId, live: String },
    /// Nobody watches any more: end what was begun under this name.
    LiveStop { camera: CameraId, live: String },
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
    /// The same for readers of every language, where it is one of the usual reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<ReplyWhy>,
}

/// The usual reasons why an order was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplyWhy {
    /// The box has no camera of that id.
    NoCamera,
    /// The box's settings let nobody watch this camera live.
    LiveOff,
    /// As many cameras are watched as the box can send.
    LiveMost,
    /// Something that the box needs for it is not installed.
    LiveMissing,
    /// One that this version does not know.
    #[serde(other)]
    Other,
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
