//! What the hub wishes a box's configuration to be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

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
    /// Why it was refused or rolled back: what, where, and what to do, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What stands against the box's own settings, which were changed on its disk and are not in force.
    /// Where nothing was ever wished, `generation` is 0 beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
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
