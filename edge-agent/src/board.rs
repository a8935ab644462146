//! The state of the box and its cameras, as `status` tells it to the hub.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use edge_core::trial::SeenCamera;
use protocol::{AgentState, CameraState, CameraStatus, ConfigReport, Status, VERSION};
use tokio::sync::watch;

use crate::alerts::now;
use crate::config::Config;

/// Read by the uplink, which sends each change.
#[derive(Clone)]
pub struct Board {
    status: Arc<watch::Sender<Status>>,
    /// Which configuration's cameras are on it; changed under the status's lock.
    round: Arc<AtomicU64>,
    enrolled_as: Option<String>,
}

/// The board as the cameras of one configuration write on it. What they say after the next one's have been
/// put up is left out.
#[derive(Clone)]
pub struct CameraBoard {
    board: Board,
    round: u64,
}

impl Board {
    /// Without cameras yet. `enrolled_as`: the name that came with the certificate.
    pub fn new(enrolled_as: Option<String>) -> Self {
        let status = Status {
            v: VERSION,
            state: AgentState::Online,
            name: enrolled_as.clone(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            since: Some(now()),
            cameras: Some(Vec::new()),
            config: None,
        };
        Self { status: Arc::new(watch::Sender::new(status)), round: Arc::default(), enrolled_as }
    }

    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Puts up the cameras of a configuration in place of those of before.
    pub fn show(&self, config: &Config) -> CameraBoard {
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
        let mut round = 0;
        self.status.send_modify(|status| {
            round = self.round.fetch_add(1, Ordering::AcqRel) + 1;
            status.name = config.agent.name.clone().or(self.enrolled_as.clone());
            status.cameras = Some(cameras.collect());
        });
        CameraBoard { board: self.clone(), round }
    }

    /// What became of the hub's desired configuration.
    pub fn set_config(&self, report: Option<ConfigReport>) {
        self.status.send_if_modified(|status| {
            let changed = status.config != report;
            status.config = report;
            changed
        });
    }
}

impl CameraBoard {
    /// Notes a camera's state.
    pub fn set(&self, camera: usize, state: CameraState, reason: Option<String>) {
        self.change(camera, |entry| {
            let changed = entry.state != state || entry.reason != reason;
            if entry.state != state {
                entry.since = now();
            }
            entry.state = state;
            entry.reason = reason;
            changed
        });
    }

    /// Notes the size of a camera's pictures.
    pub fn set_size(&self, camera: usize, width: u32, height: u32) {
        self.change(camera, |entry| {
            let changed = (entry.width, entry.height) != (Some(width), Some(height));
            (entry.width, entry.height) = (Some(width), Some(height));
            changed
        });
    }

    fn change(&self, camera: usize, change: impl FnOnce(&mut CameraStatus) -> bool) {
        self.board.status.send_if_modified(|status| {
            if self.board.round.load(Ordering::Acquire) != self.round {
                return false;
            }
            status.cameras.as_mut().and_then(|c| c.get_mut(camera)).is_some_and(change)
        });
    }
}

/// The cameras of a status, as a trial sees them.
pub fn seen(status: &Status) -> Vec<SeenCamera> {
    let cameras = status.cameras.as_deref().unwrap_or_default().iter();
    let seen = cameras.map(|camera| {
        let live = match camera.state {
            CameraState::Live => Some(true),
            CameraState::Connecting => None,
            _ => Some(false),
        };
        SeenCamera { id: camera.camera.clone(), live, why: camera.reason.clone() }
    });
    seen.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn cameras_of_a_configuration_that_is_over_write_nothing_more() {
        let text = include_str!("../edge-agent.example.toml");
        let config: Config = settings::parse(text, Path::new("example")).unwrap();
        let board = Board::new(None);
        let (old, new) = (board.show(&config), board.show(&config));
        old.set(0, CameraState::Live, None);
        let state = || seen(&board.subscribe().borrow())[0].live;
        assert_eq!(state(), None);
        new.set(0, CameraState::Live, None);
        assert_eq!(state(), Some(true));
        old.set(0, CameraState::Offline, None);
        old.set_size(0, 1, 1);
        assert_eq!(state(), Some(true));
        assert_eq!(board.subscribe().borrow().cameras.as_ref().unwrap()[0].width, None);
    }
}
