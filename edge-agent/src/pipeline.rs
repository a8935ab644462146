//! A pipeline: what one deployment shape detects, follows and looks for, from one TOML file.
//!
//! Owns reading and checking; the sections and their defaults are in `sections`. What they mean is
//! left to their users: the detector, and `edge_core::Scene`.

mod check;
mod of_cameras;
mod sections;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::detect::{DetectError, DetectorConfig, ObjectDetector};
use crate::model::{Engine, Store};
use crate::redact::RedactConfig;
use edge_core::{Detection, SceneConfig};
use protocol::{CameraId, ObjectClass};

pub use of_cameras::Pipelines;
use sections::Sections;
pub use sections::{Detector, DirectionFilter, Exclude, Line, Tracker, Zone};

/// Where the package puts them.
pub const PACKAGED: &str = "/usr/share/signalbox/pipelines";
/// Of two persons side by side, both heads must be covered: below this overlap no box is dropped.
const LEAST_NMS_IOU: f32 = 0.4;

/// A checked pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    sections: Sections,
    scene: SceneConfig,
}

/// Why a pipeline was refused.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Settings(#[from] settings::Error),
    #[error("there is no pipeline file {}: mend the `pipeline` that names it; the package's are in {PACKAGED}", path.display())]
    Absent { path: PathBuf },
    /// It can be read but means nothing sensible.
    #[error("{}: {place}: {why}", path.display())]
    Wrong { path: PathBuf, place: String, why: String },
    /// A rule of one camera.
    #[error("camera `{camera}`: {error}")]
    Camera { camera: CameraId, error: Box<PipelineError> },
}

impl Pipeline {
    /// Reads and checks a pipeline file.
    pub fn load(path: &Path) -> Result<Self, PipelineError> {
        match settings::load(path) {
            Ok(sections) => Self::checked(sections, path),
            Err(settings::Error::Read { path, source }) if source.kind() == ErrorKind::NotFound => {
                Err(PipelineError::Absent { path })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Pipeline::load`], from a text that came from `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PipelineError> {
        Self::checked(settings::parse(text, path)?, path)
    }

    /// The same with more rules, which come from `path`: those of one camera. All rules together are
    /// checked again, so that names stay unique and classes are looked for.
    pub fn with_rules(&self, lines: &[Line], zones: &[Zone], path: &Path) -> Result<Self, PipelineError> {
        if lines.is_empty() && zones.is_empty() {
            return Ok(self.clone());
        }
        let mut sections = self.sections.clone();
        sections.line.extend_from_slice(lines);
        sections.zone.extend_from_slice(zones);
        Self::checked(sections, path)
    }

    /// Which model looks at the frames, and how often.
    pub fn detector(&self) -> &Detector {
        &self.sections.detector
    }

    /// What is followed and looked for.
    pub fn scene_config(&self) -> &SceneConfig {
        &self.scene
    }

    /// Loads the detector it asks for. It looks for persons whatever the pipeline is after, down to the
    /// confidence from which heads are covered: see [`Pipeline::wants`] for what is followed.
    pub fn open_detector(&self, engine: &Engine, store: &Store) -> Result<ObjectDetector, DetectError> {
        ObjectDetector::load(engine, &store.card(&self.sections.detector.card)?, self.detector_config())
    }

    fn detector_config(&self) -> DetectorConfig {
        let covered = RedactConfig::default().person_confidence;
        let Detector { confidence, nms_iou, classes, .. } = &self.sections.detector;
        let mut classes = classes.clone();
        if !classes.is_empty() && !classes.contains(&ObjectClass::Human) {
            classes.push(ObjectClass::Human);
        }
        DetectorConfig { confidence: confidence.min(covered), nms_iou: nms_iou.max(LEAST_NMS_IOU), classes }
    }

    /// Whether a detection is one that the pipeline follows, and not only one to be covered.
    pub fn wants(&self, detection: &Detection) -> bool {
        let Detector { confidence, classes, .. } = &self.sections.detector;
        detection.confidence >= *confidence && (classes.is_empty() || classes.contains(&detection.class))
    }

    /// Whether it can raise an alert at all.
    pub fn has_rules(&self) -> bool {
        !self.scene.lines.is_empty() || !self.scene.zones.is_empty()
    }

    fn checked(sections: Sections, path: &Path) -> Result<Self, PipelineError> {
        let scene = check::scene(&sections).map_err(|check::Wrong { place, why }| PipelineError::Wrong {
            path: path.to_owned(),
            place,
            why,
        })?;
        Ok(Self { sections, scene })
    }
}

#[cfg(test)]
mod tests;
