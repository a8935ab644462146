//! The analysis thread: newest frames in, findings out.
//!
//! Owns the detectors and every camera's scene; nobody else touches them. A slow box analyses fewer frames
//! of every camera and never falls behind: see `mailbox`. What a finding becomes is left to `alerts`.

mod mailbox;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use edge_core::{Detection, Finding, FrameSize, Scene, Step};
use protocol::{CameraId, TimeSource, Timestamp};

use crate::alerts::Event;
use crate::decode::Frame;
use crate::detect::ObjectDetector;
use crate::drill::Drills;
use crate::figures::Figures;
use crate::live::Live;
use crate::pipeline::Pipeline;
pub use mailbox::{Mailbox, Work};

/// A moment on a stream's own line, and on the wall.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    media_time: Duration,
    captured_at: Timestamp,
    pub time_source: TimeSource,
    pub uncertainty_ms: Option<u32>,
}

impl Stamp {
    pub fn of(frame: &Frame) -> Self {
        Self {
            media_time: frame.media_time,
            captured_at: frame.captured_at,
            time_source: frame.time_source,
            uncertainty_ms: frame.uncertainty_ms,
        }
    }

    /// The wall time of another moment of the same stream.
    pub fn wall_time(&self, media_time: Duration) -> Timestamp {
        let later = media_time.as_millis() as i64 - self.media_time.as_millis() as i64;
        self.captured_at.plus_ms(later)
    }
}

/// One camera's scene, made anew when the picture's size changes.
pub struct View {
    pipeline: Pipeline,
    scene: Option<(FrameSize, Scene)>,
    latest: Option<Stamp>,
}

impl View {
    pub fn new(pipeline: Pipeline) -> Self {
        Self { pipeline, scene: None, latest: None }
    }

    /// Follows what the pipeline wants of what the detector saw in this frame, and applies the rules.
    pub fn step(&mut self, frame: &Frame, detections: &[Detection]) -> Step {
        self.latest = Some(Stamp::of(frame));
        let size = size_of(frame);
        let mut ended = Vec::new();
        if let Some((of, scene)) = &mut self.scene
            && *of != size
        {
            ended = scene.discontinuity();
            self.scene = None;
        }
        let (_, scene) =
            self.scene.get_or_insert_with(|| (size, Scene::new(self.pipeline.scene_config(), size)));
        let wanted: Vec<_> = detections.iter().filter(|d| self.pipeline.wants(d)).copied().collect();
        let mut step = scene.step(frame.number, frame.media_time, &wanted);
        step.findings.splice(0..0, ended);
        step
    }

    /// The stream's time line broke: what was going on is over, as of the last frame before.
    pub fn discontinuity(&mut self) -> Option<(Stamp, Vec<Finding>)> {
        let (_, scene) = self.scene.as_mut()?;
        Some((self.latest?, scene.discontinuity()))
    }
}

/// The size of a frame's picture.
pub fn size_of(frame: &Frame) -> FrameSize {
    FrameSize { width: frame.width, height: frame.height }
}

/// A camera as the analysis thread sees it.
pub struct Watched {
    pub view: View,
    /// Which of the detectors this camera's pipeline uses.
    pub detector: usize,
}

/// The state of the analysis thread.
pub struct Analysis {
    detectors: Vec<ObjectDetector>,
    cameras: Vec<Watched>,
    figures: Arc<Figures>,
    alerts: SyncSender<Event>,
    drills: Drills,
    ids: Vec<CameraId>,
    live: Option<Live>,
}

impl Analysis {
    pub fn new(
        detectors: Vec<ObjectDetector>,
        cameras: Vec<Watched>,
        figures: Arc<Figures>,
        alerts: SyncSender<Event>,
    ) -> Self {
        Self { detectors, cameras, figures, alerts, drills: Drills::default(), ids: Vec::new(), live: None }
    }

    /// Serves those who ask for test alarms, and those who watch. `ids`: the cameras' in their order.
    pub fn serving(self, drills: Drills, live: Live, ids: Vec<CameraId>) -> Self {
        Self { drills, ids, live: Some(live), ..self }
    }

    /// Runs until the mailbox is closed.
    pub fn run(mut self, mailbox: &Mailbox) {
        while let Some(work) = mailbox.take() {
            match work {
                Work::Frame { camera, frame } => self.analyse(camera, frame),
                Work::Discontinuity { camera } => self.discontinuity(camera),
            }
        }
        for camera in 0..self.cameras.len() {
            self.discontinuity(camera);
        }
    }

    fn analyse(&mut self, camera: usize, frame: Frame) {
        let watched = &mut self.cameras[camera];
        let detections = match self.detectors[watched.detector].detect(&frame.planes()) {
            Ok(detections) => detections,
            Err(error) => {
                tracing::error!(camera, %error, "analysis of a frame failed");
                return self.figures.failed(camera);
            }
        };
        if let (Some(live), Some(id)) = (&self.live, self.ids.get(camera)) {
            live.analysed(id, frame.media_time, &detections);
        }
        let mut step = watched.view.step(&frame, &detections);
        self.figures.analysed(camera, frame.seen_at.elapsed());
        step.show_where_they_are();
        let findings = step.findings;
        if !findings.is_empty() {
            // Whoever asked for a test alarm waits for a picture in which nothing happens.
            self.send(Event::Findings { camera, frame: Box::new(frame), detections, findings });
        } else if let Some(drill) = self.ids.get(camera).and_then(|id| self.drills.take(id)) {
            self.send(Event::Test { camera, frame: Box::new(frame), detections, drill });
        }
    }

    fn discontinuity(&mut self, camera: usize) {
        if let (Some(live), Some(id)) = (&self.live, self.ids.get(camera)) {
            live.broken(id);
        }
        if let Some((stamp, findings)) = self.cameras[camera].view.discontinuity()
            && !findings.is_empty()
        {
            self.send(Event::Over { camera, stamp, findings });
        }
    }

    /// An alert is never dropped for lack of room: analysis waits, and frames are replaced meanwhile.
    fn send(&self, event: Event) {
        if let Err(TrySendError::Full(event)) = self.alerts.try_send(event) {
            self.figures.alerts_waited();
            // An error means that the alerts thread ended first, which `run` never lets happen.
            let _ = self.alerts.send(event);
        }
    }
}
