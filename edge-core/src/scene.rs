//! One camera's view: detections in, tracks and findings out.
//!
//! Ties exclusion, tracking and rules together, over one picture size: make a new scene when the size
//! changes. Owns no time: frames bring their own.

use std::time::Duration;

use crate::polygon::Polygon;
use crate::rules::{Finding, LineRule, Rules, ZoneRule};
use crate::track::{Track, Tracker, TrackerConfig, TrackerCounts};
use crate::{Detection, FrameSize};

/// What to look for in a view. Geometry is normalised to the picture, 0..1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SceneConfig {
    pub tracker: TrackerConfig,
    /// Detections that lie mostly in one of these are dropped: a poster, a sign, a screen.
    pub exclude: Vec<Polygon>,
    pub lines: Vec<LineRule>,
    pub zones: Vec<ZoneRule>,
}

/// The share of a box inside an excluded area from which on it is dropped.
pub const EXCLUDED_SHARE: f32 = 0.5;
/// Most detections of one frame that are looked at, the most confident first.
pub const MAX_DETECTIONS: usize = 300;

/// What one frame brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Confirmed tracks, by id.
    pub tracks: Vec<Track>,
    pub findings: Vec<Finding>,
}

impl Step {
    /// Moves each finding's box to where its object is in this frame: a finding is settled some frames
    /// after its condition came true, and its still shows this one.
    pub fn show_where_they_are(&mut self) {
        for finding in &mut self.findings {
            if let Some(track) = self.tracks.iter().find(|track| track.id == finding.track) {
                finding.bbox = track.bbox;
            }
        }
    }
}

/// What a scene left out, since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SceneCounts {
    /// Detections in excluded areas.
    pub excluded: u64,
    /// Detections beyond [`MAX_DETECTIONS`].
    pub too_many: u64,
    pub tracker: TrackerCounts,
}

/// One camera's view.
#[derive(Debug)]
pub struct Scene {
    exclude: Vec<Polygon>,
    tracker: Tracker,
    rules: Rules,
    /// The latest frame and its media time.
    latest: (u64, Duration),
    excluded: u64,
    too_many: u64,
}

impl Scene {
    pub fn new(config: &SceneConfig, size: FrameSize) -> Self {
        let forget = config.tracker.keep_lost;
        Self {
            exclude: config.exclude.iter().map(|area| area.to_pixels(size)).collect(),
            tracker: Tracker::new(config.tracker.clone()),
            rules: Rules::new(&config.lines, &config.zones, size, forget),
            latest: (0, Duration::ZERO),
            excluded: 0,
            too_many: 0,
        }
    }

    /// One analysed frame: its number (from 1), its media time, and what was detected, in pixels.
    pub fn step(&mut self, frame: u64, media_time: Duration, detections: &[Detection]) -> Step {
        let media_time = media_time.max(self.latest.1);
        self.latest = (frame, media_time);
        let detections = self.admit(detections);
        let tracks = self.tracker.step(media_time, &detections);
        let findings = self.rules.step(frame, media_time, &tracks);
        Step { tracks, findings }
    }

    /// The stream jumped: tracks die, what was raised ends. Media time may begin anew after it.
    pub fn discontinuity(&mut self) -> Vec<Finding> {
        let (frame, at) = std::mem::take(&mut self.latest);
        self.tracker.reset();
        self.rules.discontinuity(frame, at)
    }

    pub fn counts(&self) -> SceneCounts {
        SceneCounts { excluded: self.excluded, too_many: self.too_many, tracker: self.tracker.counts() }
    }

    fn admit(&mut self, detections: &[Detection]) -> Vec<Detection> {
        let mut admitted = detections.to_vec();
        admitted.retain(|d| !self.exclude.iter().any(|area| area.share_of(&d.bbox) >= EXCLUDED_SHARE));
        self.excluded += (detections.len() - admitted.len()) as u64;
        if admitted.len() > MAX_DETECTIONS {
            self.too_many += (admitted.len() - MAX_DETECTIONS) as u64;
            admitted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
            admitted.truncate(MAX_DETECTIONS);
        }
        admitted
    }
}
