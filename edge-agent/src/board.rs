//! The state of the box and its cameras, as `status` tells it to the hub.

use protocol::{AgentState, CameraState, CameraStatus, Status, VERSION};
use tokio::sync::watch;

use crate::alerts::now;
use crate::config::Config;

/// Written by the cameras' threads, read by the uplink, which sends each change.
#[derive(Clone)]
pub struct Board(std::sync::Arc<watch::Sender<Status>>);

impl Board {
    /// `enrolled_as`: the name that came with the certificate.
    pub fn new(config: &Config, enrolled_as: Option<String>) -> Self {
        let since = now();
        let cameras = config.cameras.iter().map(|camera| CameraStatus {
            camera: camera.id.clone(),
            name: Some(camera.name.clone()).filter(|name| !name.is_empty()),
            state: CameraState::Connecting,
            since,
            reason: None,
            width: None,
            height: None,
        });
        let status = Status {
            v: VERSION,
            state: AgentState::Online,
            name: config.agent.name.clone().or(enrolled_as),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            since: Some(since),
            cameras: Some(cameras.collect()),
            config: None,
        };
        Self(std::sync::Arc::new(watch::Sender::new(status)))
    }

    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }

    /// Notes a camera's state and returns the one before it.
    pub fn set(&self, camera: usize, state: CameraState, reason: Option<String>) -> CameraState {
        let mut before = CameraState::Unknown;
        self.0.send_if_modified(|status| {
            let Some(entry) = status.cameras.as_mut().and_then(|c| c.get_mut(camera)) else { return false };
            before = entry.state;
            let changed = entry.state != state || entry.reason != reason;
            if entry.state != state {
                entry.since = now();
            }
            entry.state = state;
            entry.reason = reason;
            changed
        });
        before
    }

    /// Notes the size of a camera's pictures.
    pub fn set_size(&self, camera: usize, width: u32, height: u32) {
        self.0.send_if_modified(|status| {
            let Some(entry) = status.cameras.as_mut().and_then(|c| c.get_mut(camera)) else { return false };
            let changed = (entry.width, entry.height) != (Some(width), Some(height));
            (entry.width, entry.height) = (Some(width), Some(height));
            changed
        });
    }
}
