//! A camera's thread and what it depends on: as long as that stays the same, the session outlives a change of
//! configuration, and only where its output goes changes.

use std::sync::{Arc, Mutex, PoisonError};

use super::sink::Sink;
use crate::camera::{Camera, CameraConfig, Credentials, RtspUrl, Transport};
use crate::discover::Network;
use crate::hardware::Profile;

/// Everything that a session is made of. Names, rules and rates are analysed elsewhere and not in here.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    id: protocol::CameraId,
    url: RtspUrl,
    transport: Transport,
    networks: Vec<Network>,
    credentials: Option<Credentials>,
    hardware: Profile,
}

impl Key {
    pub fn of(camera: &CameraConfig, credentials: Option<Credentials>, hardware: &Profile) -> Self {
        Self {
            id: camera.id.clone(),
            url: camera.url.clone(),
            transport: camera.transport,
            networks: camera.networks.clone(),
            credentials,
            hardware: hardware.clone(),
        }
    }
}

/// A running session; it ends when dropped.
pub struct Seat {
    key: Key,
    sink: Arc<Mutex<Sink>>,
    _camera: Camera,
}

impl Seat {
    pub(super) fn start(key: Key, camera: &CameraConfig, sink: Sink) -> std::io::Result<Self> {
        let sink = Arc::new(Mutex::new(sink));
        let own = sink.clone();
        let accept = move |output| own.lock().unwrap_or_else(PoisonError::into_inner).accept(output);
        let camera = Camera::start(camera.clone(), key.credentials.clone(), &key.hardware, accept)?;
        Ok(Self { key, sink, _camera: camera })
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What the camera says from now on goes there, beginning with how it is. Waits for an output that is being
    /// taken: whoever takes it must still run.
    pub(super) fn move_to(&self, next: Sink) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        *sink = next.after(&sink);
    }
}
