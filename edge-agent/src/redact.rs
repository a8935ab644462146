//! Redaction: the only way a picture leaves this box.
//!
//! A `Picture` holds open pixels and can be neither encoded, written nor printed. `Redactor::cover`
//! turns it into a `Redacted`, and only that becomes a `Jpeg`; only a `Jpeg` has bytes. When anything
//! fails there is no picture. Where masks lie is `edge_core::mask`'s; finding faces is `detect`'s.
//!
//! Live video takes the same way: an `OpenFrame` can only be covered, and only a `CoveredFrame` can be encoded:
//!
//! ```compile_fail,E0308
//! fn send(encoder: &mut edge_agent::redact::Encoder, open: edge_agent::redact::OpenFrame) {
//!     let _ = encoder.encode(&open, false);
//! }
//! ```
//!
//! A picture can be made and measured, but as long as it is not covered it cannot be encoded:
//!
//! ```
//! let picture = edge_agent::redact::Picture::from_rgb(2, 2, vec![0; 12]).unwrap();
//! assert_eq!(picture.size().width, 2);
//! ```
//!
//! ```compile_fail,E0599
//! let picture = edge_agent::redact::Picture::from_rgb(2, 2, vec![0; 12]).unwrap();
//! picture.to_jpeg(80);
//! ```
//!
//! nor its pixels be had:
//!
//! ```compile_fail,E0616
//! let picture = edge_agent::redact::Picture::from_rgb(2, 2, vec![0; 12]).unwrap();
//! let pixels = picture.pixels;
//! ```

mod frame;
mod persons;
mod picture;
mod video;

pub use frame::{CoveredFrame, OpenFrame};
pub use persons::PersonFinder;
pub use picture::{Jpeg, Picture, Redacted};
pub use video::{AccessUnit, ENCODER, EncodeError, Encoder};

use edge_core::mask::{Looks, face_search_region, looks};
use edge_core::{Detection, FrameSize, Mask, Rect};
use protocol::ObjectClass;

use crate::detect::{DetectError, FaceDetector};
use crate::model::{Card, Engine};
use crate::tensor::TensorError;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    #[error("no still: the picture is not whole: {0}")]
    Picture(#[from] TensorError),
    #[error("no still: faces could not be looked for: {0}")]
    Detect(#[from] DetectError),
    #[error("no live frame: what was to be covered belongs to another one")]
    OtherFrame,
    #[error("no still: encoding failed: {0}")]
    Encode(String),
}

/// How stills are covered.
#[derive(Debug, Clone, PartialEq)]
pub struct RedactConfig {
    /// Faces from this score on are covered, 0..1.
    pub face_confidence: f32,
    /// Heads of persons from this score on are covered, 0..1.
    pub person_confidence: f32,
    /// The long side in which faces are looked for, pixels.
    pub long_side: usize,
    /// At most this many persons, the largest first, are searched again more closely. The heads of
    /// all persons are covered in any case.
    pub crops: usize,
    /// At most this many places are searched again for persons whom others hide. Persons beyond are
    /// covered whole.
    pub looks: usize,
    /// Cover persons whole instead of their heads.
    pub whole_person: bool,
}

impl Default for RedactConfig {
    fn default() -> Self {
        Self {
            face_confidence: 0.2,
            person_confidence: 0.1,
            long_side: 640,
            crops: 8,
            looks: 12,
            whole_person: false,
        }
    }
}

/// The long side of a closer look, pixels.
const CROP_SIDE: usize = 256;
/// A closer look enlarges at most this much: beyond it there is nothing more to see.
const CROP_ENLARGEMENT: f32 = 4.0;

/// Covers faces and heads. Owned by one thread.
pub struct Redactor {
    faces: FaceDetector,
    persons: PersonFinder,
    config: RedactConfig,
}

impl Redactor {
    /// Proves and loads the face model and the one that looks for persons more closely.
    pub fn load(
        engine: &Engine,
        faces: &Card,
        persons: &Card,
        config: RedactConfig,
    ) -> Result<Self, DetectError> {
        let faces = FaceDetector::load(engine, faces, config.face_confidence)?;
        Ok(Self { faces, persons: PersonFinder::load(engine, persons)?, config })
    }

    /// Covers the faces found in the picture and in crops of its persons, and the head of every
    /// person, those found at a closer look included. `persons` are an object detector's, in the picture's pixels; pass all of .1 and more
    /// (other classes and lower scores are left out here).
    pub fn cover(&mut self, picture: Picture, persons: &[Detection]) -> Result<Redacted, RedactError> {
        let (size, config) = (picture.size(), &self.config);
        let persons: Vec<Rect> = persons
            .iter()
            .filter(|p| p.class == ObjectClass::Human && p.confidence >= config.person_confidence)
            .filter_map(|p| p.bbox.clipped(size))
            .collect();
        let whole = |person: &Rect| Mask::over(person, size, edge_core::MaskSource::Head);
        let head = |person: &Rect| match config.whole_person {
            true => whole(person),
            false => Mask::over_head(person, size),
        };
        let Looks { areas, unseen } = looks(&persons, size, config.looks);
        let closer = self.persons.find(&picture, &areas)?;
        let mut heads: Vec<Mask> = persons.iter().chain(&closer).filter_map(head).collect();
        heads.extend(unseen.iter().filter_map(whole));
        let mut masks = self.faces(&picture, persons)?;
        masks.extend(heads);
        Ok(picture.covered(masks))
    }

    fn faces(&mut self, picture: &Picture, mut persons: Vec<Rect>) -> Result<Vec<Mask>, RedactError> {
        let size = picture.size();
        let mut found = Vec::new();
        for face in self.faces.detect(&picture.view(), self.config.long_side)? {
            found.extend(Mask::over_face(&face.bbox, size));
        }
        let still_scale = self.config.long_side as f32 / size.width.max(size.height) as f32;
        persons.sort_by(|a, b| b.area().total_cmp(&a.area()));
        for person in persons.iter().take(self.config.crops) {
            let Some(crop) = crop_of(person, size) else { continue };
            let long = crop.width.max(crop.height) as usize;
            let scaled = CROP_SIDE.min((long as f32 * CROP_ENLARGEMENT) as usize);
            if (scaled as f32) < still_scale * long as f32 * 1.2 {
                continue; // The whole picture was already searched at this size.
            }
            for face in self.faces.detect(&picture.crop(&crop), scaled)? {
                let b = face.bbox;
                let moved = Rect::new(b.left + crop.left as f32, b.top + crop.top as f32, b.width, b.height);
                found.extend(Mask::over_face(&moved, size));
            }
        }
        Ok(found)
    }
}

/// Where to look closer, in whole pixels.
fn crop_of(person: &Rect, size: FrameSize) -> Option<Mask> {
    Mask::over(&face_search_region(person), size, edge_core::MaskSource::Face)
}

#[cfg(test)]
mod tests;
