//! What must load before anything starts: pipelines, models, hardware profile, passwords.

use std::path::Path;

use anyhow::Context;

use crate::analysis::{View, Watched};
use crate::camera::Credentials;
use crate::config::Config;
use crate::detect::ObjectDetector;
use crate::hardware::Profile;
use crate::model::{Engine, EngineConfig, Store};
use crate::pipeline::Pipeline;
use crate::redact::{RedactConfig, Redactor};

/// Loaded, and not started.
pub struct Prepared {
    pub(super) hardware: Profile,
    pub(super) detectors: Vec<ObjectDetector>,
    pub(super) watched: Vec<Watched>,
    pub(super) analyse_fps: Vec<f32>,
    pub(super) redactor: Redactor,
    pub(super) credentials: Vec<Option<Credentials>>,
}

impl Prepared {
    pub fn load(config: &Config) -> anyhow::Result<Self> {
        if config.cameras.is_empty() {
            tracing::warn!(
                "no camera: the box is online and watches nothing; add one with `edge-agent camera add`"
            );
        }
        // Quick to find, so looked for first.
        let credentials = config
            .cameras
            .iter()
            .map(|camera| camera.credentials().with_context(|| format!("camera `{}`", camera.id)))
            .collect::<Result<_, _>>()?;
        let hardware = match &config.agent.hardware {
            Some(path) => Profile::load(path)?,
            None => Profile::builtin()?,
        };
        let store = Store::locate(config.models.folder.clone(), None);
        let engine = Engine::start(EngineConfig::new(&store, hardware.inference.threads as usize))?;
        let mut pipelines: Vec<(&Path, Pipeline, usize)> = Vec::new();
        let mut detectors = Vec::new();
        let mut watched = Vec::new();
        let mut analyse_fps = Vec::new();
        for camera in &config.cameras {
            let path = config.pipeline_of(camera);
            let known = pipelines.iter().position(|(of, ..)| *of == path);
            let index = match known {
                Some(index) => index,
                None => {
                    let pipeline = Pipeline::load(path)?;
                    detectors.push(pipeline.open_detector(&engine, &store)?);
                    pipelines.push((path, pipeline, detectors.len() - 1));
                    pipelines.len() - 1
                }
            };
            let (_, pipeline, detector) = &pipelines[index];
            let own = camera.file.as_deref().unwrap_or(path);
            let pipeline = pipeline
                .with_rules(&camera.lines, &camera.zones, own)
                .with_context(|| format!("camera `{}`", camera.id))?;
            if !pipeline.has_rules() {
                tracing::warn!(camera = %camera.id, "no line and no zone: this camera raises no alert");
            }
            analyse_fps.push(camera.analyse_fps.unwrap_or(pipeline.detector().analyse_fps));
            watched.push(Watched { view: View::new(pipeline), detector: *detector });
        }
        let persons = pipelines.first().map_or_else(Default::default, |(_, p, _)| p.detector().clone()).card;
        let (faces, persons) = (store.card(&config.models.faces)?, store.card(&persons)?);
        let redactor = Redactor::load(&engine, &faces, &persons, redact_config(config))?;
        Ok(Self { hardware, detectors, watched, analyse_fps, redactor, credentials })
    }
}

fn redact_config(config: &Config) -> RedactConfig {
    RedactConfig { whole_person: config.stills.cover_persons, ..RedactConfig::default() }
}
