//! A pipeline: what one deployment shape detects, follows and looks for, from one TOML file.
//!
//! Owns reading and checking; the sections and their defaults are in `sections`. What they mean is
//! left to their users: the detector, and `edge_core::Scene`.

mod check;
mod sections;

use std::path::{Path, PathBuf};

use crate::detect::{DetectError, DetectorConfig, ObjectDetector};
use crate::model::{Engine, Store};
use edge_core::SceneConfig;

use sections::Sections;
pub use sections::{Detector, DirectionFilter, Exclude, Line, Tracker, Zone};

/// A checked pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    detector: Detector,
    scene: SceneConfig,
}

/// Why a pipeline was refused.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// It can be read but means nothing sensible.
    #[error("{}: {place}: {why}", path.display())]
    Wrong { path: PathBuf, place: String, why: String },
}

impl Pipeline {
    /// Reads and checks a pipeline file.
    pub fn load(path: &Path) -> Result<Self, PipelineError> {
        Self::checked(settings::load(path)?, path)
    }

    /// As [`Pipeline::load`], from a text that came from `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PipelineError> {
        Self::checked(settings::parse(text, path)?, path)
    }

    /// Which model looks at the frames, and how often.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// What is followed and looked for.
    pub fn scene_config(&self) -> &SceneConfig {
        &self.scene
    }

    /// Loads the detector it asks for.
    pub fn open_detector(&self, engine: &Engine, store: &Store) -> Result<ObjectDetector, DetectError> {
        let Detector { card, confidence, nms_iou, classes, .. } = &self.detector;
        let config = DetectorConfig { confidence: *confidence, nms_iou: *nms_iou, classes: classes.clone() };
        ObjectDetector::load(engine, &store.card(card)?, config)
    }

    fn checked(sections: Sections, path: &Path) -> Result<Self, PipelineError> {
        let scene = check::scene(&sections).map_err(|check::Wrong { place, why }| PipelineError::Wrong {
            path: path.to_owned(),
            place,
            why,
        })?;
        Ok(Self { detector: sections.detector, scene })
    }
}

#[cfg(test)]
mod tests;
