//! `ports.json` in the data folder: where a running hub really listens.
//!
//! Written once everything listens, removed at a clean stop. Read by the commands beside the hub
//! and by tests, which let the system choose the ports.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// The API and the wall.
    pub http: u16,
    /// HTTPS for boxes.
    #[serde(default)]
    pub agents: u16,
    /// MQTT over TLS for boxes, the door before the embedded broker; absent with an external one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mqtt: Option<u16>,
}

impl Ports {
    pub fn path(data: &Path) -> PathBuf {
        data.join("ports.json")
    }

    /// Appears whole or not at all.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let next = data.join("ports.json.new");
        std::fs::write(&next, serde_json::to_vec(self)?)?;
        std::fs::rename(next, Self::path(data))
    }

    pub fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(data)).ok()?).ok()
    }

    pub fn remove(data: &Path) {
        // Nothing there is what is wanted.
        let _ = std::fs::remove_file(Self::path(data));
    }
}
