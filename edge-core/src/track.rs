//! Follows objects through one camera's view, from boxes alone.
//!
//! Association in two stages after ByteTrack (Zhang et al., 2022): confident detections first, then
//! the weak ones to the tracks that are still without. A Kalman filter with real time steps carries
//! tracks over dropped frames and short occlusions. Positions and sizes only: no appearance is
//! computed or kept, and a number dies when its object leaves the view.
//!
//! Same input, same output: no clock, no random number, no hash order. What a track means to a rule
//! is left to `rules`.

mod assign;
mod kalman;
mod motion;
mod tracker;

use std::time::Duration;

use protocol::ObjectClass;

use crate::Rect;

pub(crate) use assign::pairs;
pub use tracker::Tracker;

/// How objects are followed. Lengths of time are media time; shares are 0..1 unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackerConfig {
    /// Detections of this confidence and more are matched first.
    pub high: f32,
    /// Detections below this confidence are ignored; between `low` and `high` they only continue a track.
    pub low: f32,
    /// A detection without a track begins a new one from this confidence on.
    pub birth: f32,
    /// Least overlap (IoU of predicted and detected box, both grown) in the first stage.
    pub first_overlap: f32,
    /// The same in the second stage, where detections are weak.
    pub second_overlap: f32,
    /// The same for tracks that are not confirmed yet.
    pub tentative_overlap: f32,
    /// Boxes are grown by this share of their size before overlaps are taken: small boxes and low
    /// frame rates get slack (the buffered IoU of Yang et al., 2023).
    pub grow: f32,
    /// More growth for each second that a track was not seen, up to 1 in all.
    pub grow_per_second: f32,
    /// A new track is confirmed, and reported, once it was followed for this long.
    pub confirm_after: Duration,
    /// A track that was not seen for this long is over.
    pub keep_lost: Duration,
    /// A confirmed track that is not seen is reported at its predicted place for this long.
    pub coast: Duration,
    /// Most tracks at a time, lost ones included. Births beyond it are counted and left out.
    pub max_tracks: usize,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            high: 0.5,
            low: 0.1,
            birth: 0.65,
            first_overlap: 0.2,
            second_overlap: 0.5,
            tentative_overlap: 0.3,
            grow: 0.5,
            grow_per_second: 0.5,
            confirm_after: Duration::from_millis(200),
            keep_lost: Duration::from_secs(2),
            coast: Duration::ZERO,
            max_tracks: 256,
        }
    }
}

/// A confirmed track in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Track {
    /// Counts up from 1 in each tracker; never used twice.
    pub id: u64,
    pub class: ObjectClass,
    /// Of the latest detection, 0..1.
    pub confidence: f32,
    /// In pixels; may reach over the picture's edge.
    pub bbox: Rect,
    /// Seen in this frame; otherwise the box is where it is expected to be.
    pub seen: bool,
}

/// What a tracker left out, since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrackerCounts {
    /// Detections that were no boxes: not finite, without area, or far outside any picture.
    pub malformed: u64,
    /// Births beyond `max_tracks`.
    pub over_limit: u64,
}
