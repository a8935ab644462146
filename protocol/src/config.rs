//! What the hub wishes a box's configuration to be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CameraId, Timestamp};

/// hub -> agent, QoS 1, retained. Whole each time; the newest generation counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DesiredConfig {
    pub v: u32,
    /// Counts up, per agent.
    pub generation: u64,
    pub issued_at: Timestamp,
    /// The TOML text; what it may say is the agent's to check. Never a secret.
    pub toml: String,
}

/// In the agent's status: which generation it works by, and what became of the newest one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigReport {
    /// The generation that is in force; absent while only local files are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    /// The newest generation that was looked at.
    pub generation: u64,
    pub state: ConfigState,
    /// An older one than `generation` that is on trial still: the newer was refused meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trying: Option<u64>,
    /// Why it was refused or rolled back: what, where, and what to do, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for readers of every language, where it is one of the usual reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<ConfigWhy>,
    /// What stands against the box's own settings, which were changed on its disk and are not in force.
    /// Where nothing was ever wished, `generation` is 0 beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
}

/// Why a wish was not taken; the reader puts it into words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigWhy {
    pub code: ConfigWhyCode,
    /// The camera that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    /// A name, a place in the text, or ids of cameras.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// The usual reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigWhyCode {
    /// The box's own settings say `locked = true`.
    Locked,
    /// No settings that the box knows; `reason` says where.
    Unreadable,
    /// `detail`: the section that only the box itself may set.
    LocalOnly,
    /// `detail`: where a secret stands.
    Secret,
    /// `detail`: the pipeline that the box does not have.
    NoPipeline,
    /// `detail`: the user for whom the box has no password.
    NoPassword,
    /// The camera's password was entered for another host.
    OtherHost,
    /// A model or a pipeline could not be read within `seconds`.
    CheckHangs,
    /// The box stopped while it was on trial.
    BrokenOff,
    /// `detail`: the cameras that were not back, or not steadily, within `seconds`.
    CamerasLost,
    /// The hub was not reached again, or not steadily, within `seconds`.
    HubLost,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigState {
    /// In force, and cameras and uplink are well under it.
    Applied,
    /// In force on trial: it is rolled back if cameras or uplink do not recover.
    Trying,
    /// Checked, and not taken.
    Refused,
    /// Taken, and given up again.
    RolledBack,
    /// A state that this version does not know.
    #[serde(other)]
    Unknown,
}
