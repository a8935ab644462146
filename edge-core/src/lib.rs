//! The agent's decisions, pure: where things are, what they do, what is worth an alert, what is
//! covered, what is sent next. No clock, socket, file, thread, lock or random number lives here;
//! time comes in, decisions come out. A test fails when one creeps in.

pub mod alert;
pub mod detection;
pub mod geometry;
pub mod live;
pub mod mask;
pub mod polygon;
pub mod rules;
pub mod scene;
pub mod schedule;
pub mod spool;
pub mod track;
pub mod trial;

pub use detection::Detection;
pub use geometry::{FrameSize, Point, Rect};
pub use mask::{Mask, MaskSource};
pub use polygon::Polygon;
pub use rules::{Finding, LineRule, Phase, ZoneRule};
pub use scene::{Scene, SceneConfig, SceneCounts, Step};
pub use schedule::{Schedule, SlotCounts};
pub use track::{Track, Tracker, TrackerConfig};
pub use trial::{Trial, TrialConfig};
