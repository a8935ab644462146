//! Figures, sent every 10 s at QoS 0: nice to have, never needed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CameraId, Timestamp};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    pub v: u32,
    pub at: Timestamp,
    /// CPU seconds the agent and its decoders have used since the last message, a second.
    pub cpu_cores: f64,
    pub memory_bytes: u64,
    pub spool_bytes: u64,
    /// Records written but not settled.
    pub spool_open_records: u64,
    /// Stills waiting to be uploaded.
    pub stills_waiting: u64,
    #[serde(default)]
    pub cameras: Vec<CameraHealth>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CameraHealth {
    pub camera: CameraId,
    /// Frames decoded a second.
    pub decoded_fps: f64,
    /// Frames analysed a second.
    pub analysed_fps: f64,
    /// Frames that a newer one replaced before analysis, since the last message.
    pub replaced_frames: u64,
    /// Pictures the decoder could not decode, since the last message.
    pub damaged_frames: u64,
    /// Decoders that died or hung and were replaced, since the last message.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub decoder_restarts: u64,
    /// From a frame's arrival to the end of its analysis, mean since the last message.
    pub latency_ms: f64,
}

/// A count of nothing is not written, so that what older versions wrote is written unchanged.
fn is_none_yet(count: &u64) -> bool {
    *count == 0
}
