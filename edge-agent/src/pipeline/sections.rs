//! The sections of a pipeline file, as they are written. Coordinates are shares of the picture's width
//! and height, from 0 (left, top) to 1 (right, bottom).

use std::time::Duration;

use edge_core::{LineRule, TrackerConfig, ZoneRule};
use protocol::{Direction, ObjectClass, RuleId, Severity};
use serde::Deserialize;
use settings::Span;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sections {
    #[serde(default)]
    pub detector: Detector,
    #[serde(default)]
    pub tracker: Tracker,
    #[serde(default)]
    pub exclude: Vec<Exclude>,
    #[serde(default)]
    pub line: Vec<Line>,
    #[serde(default)]
    pub zone: Vec<Zone>,
}

/// `[detector]`: which model looks at the frames, and how often.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detector {
    /// The model card's name. Default: "yolox-nano".
    pub card: String,
    /// Weaker detections are dropped at once. The tracker uses weak ones to go on with a track, so keep
    /// this as low as its `low`. Default: 0.1.
    pub confidence: f32,
    /// Of two boxes that overlap more than this (IoU), the weaker is dropped. Default: 0.45.
    pub nms_iou: f32,
    /// What is looked for. Default: ["Human"].
    pub classes: Vec<ObjectClass>,
    /// Most frames a second that are analysed of each camera; 0 for all. Default: 0.
    pub analyse_fps: f32,
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            card: "yolox-nano".to_owned(),
            confidence: 0.1,
            nms_iou: 0.45,
            classes: vec![ObjectClass::Human],
            analyse_fps: 0.0,
        }
    }
}

/// `[tracker]`: how objects are followed. See `edge_core::TrackerConfig` for each field.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tracker {
    /// Detections of this confidence and more are matched first.
    pub high: f32,
    /// Detections below this confidence are ignored.
    pub low: f32,
    /// A detection without a track begins a new one from this confidence on.
    pub birth: f32,
    /// Least overlap (IoU) with a confident detection.
    pub first_overlap: f32,
    /// Least overlap (IoU) with a weak detection.
    pub second_overlap: f32,
    /// Least overlap (IoU) for a track that is not confirmed yet.
    pub tentative_overlap: f32,
    /// Boxes are grown by this share before overlaps are taken.
    pub grow: f32,
    /// More growth for each second that a track was not seen.
    pub grow_per_second: f32,
    /// A new track is reported once it was followed for this long.
    pub confirm_after: Span,
    /// A track that was not seen for this long is over.
    pub keep_lost: Span,
    /// A track that is not seen is reported at its predicted place for this long.
    pub coast: Span,
}

impl Default for Tracker {
    fn default() -> Self {
        let t = TrackerConfig::default();
        Self {
            high: t.high,
            low: t.low,
            birth: t.birth,
            first_overlap: t.first_overlap,
            second_overlap: t.second_overlap,
            tentative_overlap: t.tentative_overlap,
            grow: t.grow,
            grow_per_second: t.grow_per_second,
            confirm_after: Span(t.confirm_after),
            keep_lost: Span(t.keep_lost),
            coast: Span(t.coast),
        }
    }
}

impl Tracker {
    pub(super) fn config(&self) -> TrackerConfig {
        TrackerConfig {
            high: self.high,
            low: self.low,
            birth: self.birth,
            first_overlap: self.first_overlap,
            second_overlap: self.second_overlap,
            tentative_overlap: self.tentative_overlap,
            grow: self.grow,
            grow_per_second: self.grow_per_second,
            confirm_after: self.confirm_after.0,
            keep_lost: self.keep_lost.0,
            coast: self.coast.0,
            max_tracks: TrackerConfig::default().max_tracks,
        }
    }
}

/// `[[exclude]]`: what is detected mostly inside is dropped. For signs, posters and screens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// Three corners or more.
    pub polygon: Vec<[f32; 2]>,
}

/// `[[line]]`: an alert for each crossing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The rule's identifier: ASCII letters, digits, `-`, `_`.
    pub name: RuleId,
    /// What people read. Default: the name.
    #[serde(default)]
    pub title: Option<String>,
    /// Where the line begins.
    pub a: [f32; 2],
    /// Where it ends.
    pub b: [f32; 2],
    /// "left" or "right" of one who looks from `a` to `b` in the picture; "any" for both. Default: "any".
    #[serde(default)]
    pub direction: DirectionFilter,
    /// "low", "medium" or "high". Default: "medium".
    #[serde(default = "medium")]
    pub severity: Severity,
    /// Who counts. Default: all that the detector looks for.
    #[serde(default)]
    pub classes: Vec<ObjectClass>,
    /// How far beyond the line the feet must get, as a share of the picture's height. Default: 0.007.
    #[serde(default = "margin")]
    pub margin: f32,
    /// How long they must stay beyond it. Default: "500ms".
    #[serde(default = "line_settle")]
    pub settle: Span,
}

/// `[[zone]]`: an alert for each who enters, or stays for long, or both.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// The rule's identifier: ASCII letters, digits, `-`, `_`.
    pub name: RuleId,
    /// What people read. Default: the name.
    #[serde(default)]
    pub title: Option<String>,
    /// Three corners or more.
    pub polygon: Vec<[f32; 2]>,
    /// Whether entering is an alert. Default: false.
    #[serde(default)]
    pub entry: bool,
    /// From when on staying is an alert. Default: never.
    #[serde(default)]
    pub loitering: Option<Span>,
    /// "low", "medium" or "high". Default: "medium".
    #[serde(default = "medium")]
    pub severity: Severity,
    /// Who counts. Default: all that the detector looks for.
    #[serde(default)]
    pub classes: Vec<ObjectClass>,
    /// How long somebody must be inside to have entered, and outside to have left. Default: "500ms".
    #[serde(default = "zone_settle")]
    pub settle: Span,
    /// How long a visitor may be lost from sight and go on with the visit. Default: "2500ms".
    #[serde(default = "bridge")]
    pub bridge: Span,
}

/// Which crossings of a line count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectionFilter {
    #[default]
    Any,
    Left,
    Right,
}

impl DirectionFilter {
    pub(super) fn wanted(self) -> Option<Direction> {
        match self {
            DirectionFilter::Any => None,
            DirectionFilter::Left => Some(Direction::Left),
            DirectionFilter::Right => Some(Direction::Right),
        }
    }
}

fn medium() -> Severity {
    Severity::Medium
}

fn margin() -> f32 {
    LineRule::MARGIN
}

fn line_settle() -> Span {
    Span(LineRule::SETTLE)
}

fn zone_settle() -> Span {
    Span(ZoneRule::SETTLE)
}

fn bridge() -> Span {
    Span(ZoneRule::BRIDGE)
}

/// No span of a pipeline is longer than this.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600);
