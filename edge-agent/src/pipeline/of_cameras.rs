//! The pipelines of a configuration: each file read once, and for every camera that with the camera's own rules.

use std::path::PathBuf;

use super::{Pipeline, PipelineError};
use crate::config::Config;

/// All that the cameras of a configuration need.
#[derive(Debug)]
pub struct Pipelines {
    /// Each file once.
    pub files: Vec<(PathBuf, Pipeline)>,
    /// One a camera, in their order: which of the files it has, and that file with the camera's rules.
    pub cameras: Vec<(usize, Pipeline)>,
}

impl Pipelines {
    /// Reads and checks them. What is wrong with a rule names the camera, and the file that the rule stands in.
    pub fn load(config: &Config) -> Result<Self, PipelineError> {
        let mut all = Self { files: Vec::new(), cameras: Vec::new() };
        for camera in &config.cameras {
            let path = config.pipeline_of(camera);
            let index = match all.files.iter().position(|(of, _)| of == path) {
                Some(index) => index,
                None => {
                    all.files.push((path.to_owned(), Pipeline::load(path)?));
                    all.files.len() - 1
                }
            };
            let own = all.files[index].1.with_rules(&camera.lines, &camera.zones, config.rules_of(camera));
            let own = own.map_err(|error| PipelineError::Camera {
                camera: camera.id.clone(),
                error: Box::new(error),
            })?;
            all.cameras.push((index, own));
        }
        Ok(all)
    }
}
