//! What must load before anything starts: pipelines, models, hardware profile, passwords.

use anyhow::Context;

use crate::analysis::{View, Watched};
use crate::camera::Credentials;
use crate::config::Config;
use crate::detect::ObjectDetector;
use crate::hardware::Profile;
use crate::model::{Engine, EngineConfig, Store};
use crate::pipeline::{Pipeline, Pipelines};
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
        let pipelines = Pipelines::load(config)?;
        let open = |(_, pipeline): &(_, Pipeline)| pipeline.open_detector(&engine, &store);
        let detectors = pipelines.files.iter().map(open).collect::<Result<_, _>>()?;
        let persons = pipelines.files.first().map(|(_, p)| p.detector().clone()).unwrap_or_default().card;
        let mut watched = Vec::new();
        let mut analyse_fps = Vec::new();
        for (camera, (detector, pipeline)) in std::iter::zip(&config.cameras, pipelines.cameras) {
            if !pipeline.has_rules() {
                tracing::warn!(camera = %camera.id, "no line and no zone: this camera raises no alert");
            }
            analyse_fps.push(camera.analyse_fps.unwrap_or(pipeline.detector().analyse_fps));
            watched.push(Watched { view: View::new(pipeline), detector });
        }
        let (faces, persons) = (store.card(&config.models.faces)?, store.card(&persons)?);
        let redactor = Redactor::load(&engine, &faces, &persons, redact_config(config))?;
        Ok(Self { hardware, detectors, watched, analyse_fps, redactor, credentials })
    }
}

fn redact_config(config: &Config) -> RedactConfig {
    RedactConfig { whole_person: config.stills.cover_persons, ..RedactConfig::default() }
}
