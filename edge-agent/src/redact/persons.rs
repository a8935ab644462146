//! Persons whom the first look missed, mostly because somebody stands behind them: the picture again,
//! then enlarged parts of it, without dropping boxes that overlap.
//!
//! Only for covering: what is found here is never followed and raises nothing.

use edge_core::{Mask, Rect};
use protocol::ObjectClass;

use super::Picture;
use crate::detect::{DetectError, DetectorConfig, ObjectDetector};
use crate::model::{Card, Engine};

/// From this score on, in the whole picture: a box too many covers some pixels, one too few shows a head.
const WHOLE_CONFIDENCE: f32 = 0.05;
/// From this score on, in an enlarged part, where scores are higher.
const PART_CONFIDENCE: f32 = 0.1;
/// Boxes that overlap less are different persons. One behind the other overlap by .7 and more.
const SAME_IOU: f32 = 0.9;

/// See the module. Owned by one thread.
pub struct PersonFinder {
    detector: ObjectDetector,
}

impl PersonFinder {
    /// Proves and loads the model of a card that knows persons.
    pub fn load(engine: &Engine, card: &Card) -> Result<Self, DetectError> {
        let classes = vec![ObjectClass::Human];
        let config = DetectorConfig { confidence: WHOLE_CONFIDENCE, nms_iou: SAME_IOU, classes };
        Ok(Self { detector: ObjectDetector::load(engine, card, config)? })
    }

    /// Boxes of persons in the picture and in parts of it, in the picture's pixels.
    pub(super) fn find(&mut self, picture: &Picture, parts: &[Mask]) -> Result<Vec<Rect>, DetectError> {
        let whole = self.detector.detect_rgb(&picture.view())?;
        let mut found: Vec<Rect> = whole.into_iter().map(|d| d.bbox).collect();
        for part in parts {
            let persons = self.detector.detect_rgb(&picture.crop(part))?;
            found.extend(persons.iter().filter(|d| d.confidence >= PART_CONFIDENCE).map(|d| {
                let b = d.bbox;
                Rect::new(b.left + part.left as f32, b.top + part.top as f32, b.width, b.height)
            }));
        }
        Ok(found)
    }
}
