//! The hub's word, after its commit, on what it has stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Epoch;

/// hub -> agent. Only this settles a record; a broker's PUBACK does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// Minted when a hub database is created or restored. An agent that sees a new one sends
    /// again what it still holds.
    pub hub_epoch: Epoch,
    /// The spool epoch that this is about.
    pub epoch: Epoch,
    /// Every record up to and including this one is settled; 0 when none is.
    pub settled_through: u64,
    /// Settled ranges (inclusive) beyond `settled_through`, ascending, never touching.
    #[serde(default)]
    pub settled: Vec<(u64, u64)>,
    /// Records that the hub will never accept: settled, with the reason.
    #[serde(default)]
    pub rejected: Vec<Rejected>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    pub seq: u64,
    pub reason: RejectReason,
}

/// Why a record was refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// A field is missing, of the wrong shape or out of range.
    Malformed,
    /// A record type that this hub does not know.
    UnknownType,
    /// Its ids do not belong to the agent that sent it.
    Forged,
    /// The same id was stored before with other content.
    Conflict,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}
