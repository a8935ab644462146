//! Live video of this box: which cameras are watched, and the way of their frames to the hub.
//!
//! Owns the leases and one line a watched camera: frames wait for analysis (`show`), are covered and encoded
//! (`redact`), and are sent (`push`). Where nobody watches, a frame costs a look at a number. What is covered,
//! `edge_core::live` decides.

mod push;
mod show;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use edge_core::live::{Change, Leases};
use edge_core::{Detection, Rect};
use protocol::{CameraId, ObjectClass, ReplyWhy};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::camera::CameraConfig;
use crate::decode::Frame;
use crate::hardware;
use crate::identity::Pass;
use crate::redact::{ENCODER, OpenFrame, RedactConfig};
use show::{Show, Step};

/// How often leases are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Whether a camera may be watched live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LivePolicy {
    /// With the heads of all persons covered.
    #[default]
    Covered,
    /// Not at all.
    Off,
}

/// Why a camera is not sent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct NotSent {
    pub why: ReplyWhy,
    /// One plain English sentence.
    pub text: String,
}

/// One an agent. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    pass: watch::Receiver<Arc<Pass>>,
    runtime: Handle,
    begun: Instant,
    state: Mutex<Lines>,
    /// How many cameras are watched: looked at for every frame.
    watched: AtomicUsize,
}

#[derive(Default)]
struct Lines {
    policies: BTreeMap<CameraId, LivePolicy>,
    whole_person: bool,
    leases: Leases,
    shows: BTreeMap<CameraId, Show>,
}

impl Live {
    /// `runtime`: where connections are driven.
    pub fn new(pass: watch::Receiver<Arc<Pass>>, runtime: Handle) -> Self {
        let (begun, state) = (Instant::now(), Mutex::default());
        Self(Arc::new(Inner { pass, runtime, begun, state, watched: AtomicUsize::new(0) }))
    }

    /// What the settings say from now on. What they allow no more ends.
    pub fn configure<'a>(&self, cameras: impl Iterator<Item = &'a CameraConfig>, whole_person: bool) {
        let mut lines = self.lock();
        lines.policies = cameras.map(|camera| (camera.id.clone(), camera.live)).collect();
        let other = std::mem::replace(&mut lines.whole_person, whole_person) != whole_person;
        let may = |id: &CameraId| lines.policies.get(id) == Some(&LivePolicy::Covered);
        let ended: Vec<CameraId> = lines.shows.keys().filter(|id| other || !may(id)).cloned().collect();
        for camera in ended {
            lines.leases.end(&camera);
        }
        self.change(&mut lines);
    }

    /// The hub asks for a camera, or asks on.
    pub fn start(&self, camera: &CameraId, live: &str) -> Result<(), NotSent> {
        let refused = |why, text: String| Err(NotSent { why, text });
        let mut lines = self.lock();
        match lines.policies.get(camera) {
            None => return refused(ReplyWhy::NoCamera, format!("there is no camera `{camera}` on this box")),
            Some(LivePolicy::Off) => {
                let text = format!("the box's settings let nobody watch camera `{camera}` live");
                return refused(ReplyWhy::LiveOff, text);
            }
            Some(LivePolicy::Covered) => {}
        }
        if let Err(missing) = hardware::require(ENCODER) {
            return refused(ReplyWhy::LiveMissing, missing.to_string());
        }
        if let Err(error) = lines.leases.renew(self.0.begun.elapsed(), camera, live) {
            return refused(ReplyWhy::LiveMost, error.to_string());
        }
        self.change(&mut lines);
        Ok(())
    }

    pub fn stop(&self, camera: &CameraId, live: &str) {
        let mut lines = self.lock();
        lines.leases.stop(camera, live);
        self.change(&mut lines);
    }

    /// Ends what the hub asked for no more, until cancelled; then everything.
    pub async fn keep(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            {
                let mut lines = self.lock();
                lines.leases.expire(self.0.begun.elapsed());
                self.change(&mut lines);
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        self.lock().shows.clear();
        self.0.watched.store(0, Ordering::Release);
    }

    pub fn is_watched(&self, camera: &CameraId) -> bool {
        self.0.watched.load(Ordering::Acquire) > 0 && self.lock().shows.contains_key(camera)
    }

    /// A frame as the decoder left it. Copied where the camera is watched; never waits.
    pub fn frame(&self, camera: &CameraId, frame: &Frame) {
        let Some(steps) = self.steps(camera) else { return };
        match OpenFrame::from_planes(&frame.planes(), frame.media_time) {
            Ok(open) => drop(steps.try_send(Step::Frame(open))),
            Err(error) => tracing::warn!(%camera, %error, "a frame is not sent live"),
        }
    }

    /// What analysis saw in the frame of that time.
    pub fn analysed(&self, camera: &CameraId, at: Duration, detections: &[Detection]) {
        let Some(steps) = self.steps(camera) else { return };
        let least = RedactConfig::default().person_confidence;
        let is_person = |d: &&Detection| d.class == ObjectClass::Human && d.confidence >= least;
        let persons: Vec<Rect> = detections.iter().filter(is_person).map(|d| d.bbox).collect();
        let _ = steps.try_send(Step::Analysed { at, persons });
    }

    /// What follows of the camera does not continue what was. Said by its thread and by analysis, each when it
    /// comes to it, so that nothing from before counts after the later of the two.
    pub fn broken(&self, camera: &CameraId) {
        if let Some(steps) = self.steps(camera) {
            let _ = steps.try_send(Step::Break);
        }
    }

    fn steps(&self, camera: &CameraId) -> Option<std::sync::mpsc::SyncSender<Step>> {
        if self.0.watched.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.lock().shows.get(camera).map(Show::steps)
    }

    fn change(&self, lines: &mut Lines) {
        while let Some(change) = lines.leases.poll() {
            match change {
                Change::Begin { camera, live } => {
                    let Inner { pass, runtime, .. } = &*self.0;
                    match Show::start(&camera, live, lines.whole_person, pass.clone(), runtime) {
                        Ok(show) => drop(lines.shows.insert(camera, show)),
                        Err(error) => tracing::error!(%camera, %error, "no thread for live video"),
                    }
                }
                Change::End { camera } => drop(lines.shows.remove(&camera)),
            }
        }
        self.0.watched.store(lines.shows.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
