//! `edge-agent.toml`: what this box is, which hub it serves, which cameras it watches.
//!
//! Each section is the struct of its owner; this file only puts them together and checks what no
//! section can see alone. Relative paths are taken from the folder of the file itself. Cameras may also
//! have files of their own, in the folder `cameras` beside it: see `cameras`.

pub mod cameras;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use protocol::{AgentId, SiteId};
use serde::Deserialize;
use settings::Size;

use crate::camera::CameraConfig;
use crate::secrets::Secrets;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub agent: AgentSection,
    pub hub: HubSection,
    #[serde(default)]
    pub models: ModelsSection,
    #[serde(default)]
    pub spool: SpoolSection,
    #[serde(default)]
    pub stills: StillsSection,
    /// At least one; those of the file itself come first, then those of `cameras/` by name.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<CameraConfig>,
}

/// Who this box is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSection {
    /// The site it stands at, as the hub knows it.
    pub site: SiteId,
    /// Its own id, as the hub knows it.
    pub id: AgentId,
    /// The name that people read.
    pub name: Option<String>,
    /// The folder for what must survive a restart: the spool and the stills on their way.
    pub data: PathBuf,
    /// The pipeline of cameras that name none.
    pub pipeline: Option<PathBuf>,
    /// The hardware profile; without one, the built-in profile for a plain CPU.
    pub hardware: Option<PathBuf>,
}

/// The hub it reports to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSection {
    /// `host:port` of the MQTT broker.
    pub mqtt: String,
    /// Base URL for still uploads, for example `http://127.0.0.1:8080`.
    pub http: String,
    /// The agent's key, in a file that only its owner can read.
    pub key_file: PathBuf,
}

impl HubSection {
    /// Host and port of the broker.
    pub fn broker(&self) -> (String, u16) {
        split_broker(&self.mqtt).expect("checked when the configuration was loaded")
    }
}

fn split_broker(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty() && !host.contains('/')).then_some(())?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// Where models are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelsSection {
    /// The folder of model cards; by default `models` beside the working folder, else where the package
    /// installs them.
    pub folder: Option<PathBuf>,
    /// The card of the face detector that covers faces.
    pub faces: String,
}

impl Default for ModelsSection {
    fn default() -> Self {
        Self { folder: None, faces: "centerface".into() }
    }
}

/// How much may wait on disk for the hub.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolSection {
    /// Most bytes of records; stills may have as much again, and are given up first.
    pub cap: Size,
    /// Kept free for alerts when the disk is full.
    pub ballast: Size,
}

impl Default for SpoolSection {
    fn default() -> Self {
        Self { cap: Size(1 << 30), ballast: Size(64 << 20) }
    }
}

/// The picture that goes with an alert.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StillsSection {
    /// JPEG quality, 1..100.
    pub quality: u8,
    /// Cover whole persons instead of faces and heads.
    pub cover_persons: bool,
}

impl Default for StillsSection {
    fn default() -> Self {
        Self { quality: 80, cover_persons: false }
    }
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    File(#[from] settings::Error),
    #[error("{}: {problem}", path.display())]
    Invalid { path: PathBuf, problem: String },
    #[error(transparent)]
    Camera(#[from] cameras::CameraFileError),
}

impl Config {
    /// Reads and checks it, with at least one camera.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let config = Self::read(path)?;
        if config.cameras.is_empty() {
            let problem =
                "no camera: add one with `edge-agent camera add`, or a [[camera]] section".to_owned();
            return Err(ConfigError::Invalid { path: path.to_owned(), problem });
        }
        Ok(config)
    }

    /// As [`Config::load`], of a box that may have no camera yet.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = settings::load(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        config.cameras.extend(cameras::load(base)?);
        config.check().map_err(|problem| ConfigError::Invalid { path: path.to_owned(), problem })?;
        config.resolve(base);
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for camera in &self.cameras {
            if !seen.insert(&camera.id) {
                return Err(match &camera.file {
                    Some(file) => format!(
                        "the id `{}` is taken: {} has it too; give each camera its own",
                        camera.id,
                        file.display()
                    ),
                    None => format!("two cameras have the id `{}`: give each its own", camera.id),
                });
            }
            if let Some(fps) = camera.analyse_fps.filter(|fps| *fps != 0.0 && !(0.01..=1000.0).contains(fps))
            {
                return Err(format!(
                    "camera `{}`: analyse_fps = {fps}: use 0 for all frames, or 0.01 to 1000",
                    camera.id
                ));
            }
            if camera.pipeline.is_none() && self.agent.pipeline.is_none() {
                return Err(format!(
                    "camera `{}` has no pipeline: set `pipeline` there or in [agent]",
                    camera.id
                ));
            }
        }
        if !self.hub.http.starts_with("http://") {
            return Err(format!("hub.http is `{}`: write it like http://hub.example:8080", self.hub.http));
        }
        if split_broker(&self.hub.mqtt).is_none() {
            return Err(format!("hub.mqtt is `{}`: write it like hub.example:1883", self.hub.mqtt));
        }
        if !(1..=100).contains(&self.stills.quality) {
            return Err(format!("stills.quality is {}: use 1 to 100", self.stills.quality));
        }
        Ok(())
    }

    /// The pipeline that a camera uses: its own, else the agent's.
    pub fn pipeline_of<'a>(&'a self, camera: &'a CameraConfig) -> &'a Path {
        let path = camera.pipeline.as_deref().or(self.agent.pipeline.as_deref());
        path.expect("checked when the configuration was loaded")
    }

    fn resolve(&mut self, base: &Path) {
        let secrets = Secrets::open(&base.join(&self.agent.data));
        for camera in &mut self.cameras {
            camera.secrets = Some(secrets.clone());
        }
        let mut paths = vec![&mut self.agent.data, &mut self.hub.key_file];
        paths.extend(self.agent.hardware.as_mut());
        paths.extend(self.models.folder.as_mut());
        paths.extend(self.agent.pipeline.as_mut());
        for camera in &mut self.cameras {
            paths.extend(camera.pipeline.as_mut());
            paths.extend(camera.password_file.as_mut());
        }
        for path in paths {
            *path = base.join(&*path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../edge-agent.example.toml");

    /// The example with one text replaced by another.
    fn load(from: &str, to: &str) -> Result<Config, ConfigError> {
        assert!(EXAMPLE.contains(from), "the example has no `{from}`");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        std::fs::write(&path, EXAMPLE.replace(from, to)).unwrap();
        Config::load(&path)
    }

    #[test]
    fn the_example_holds_the_defaults_and_its_paths_are_beside_it() {
        let config = load("box-1.key", "keys/box-1.key").unwrap();
        assert!(config.hub.key_file.is_absolute() && config.hub.key_file.ends_with("keys/box-1.key"));
        assert_eq!(config.hub.broker(), ("127.0.0.1".to_owned(), 1883));
        assert!(config.pipeline_of(&config.cameras[0]).ends_with("pipelines/default.toml"));
        let (spool, stills) = (SpoolSection::default(), StillsSection::default());
        assert_eq!((config.spool.cap, config.spool.ballast), (spool.cap, spool.ballast));
        assert_eq!(
            (config.stills.quality, config.stills.cover_persons),
            (stills.quality, stills.cover_persons)
        );
        assert_eq!(config.models.faces, ModelsSection::default().faces);
    }

    #[test]
    fn what_is_wrong_is_named_with_the_cure() {
        for (from, to, said) in [
            ("mqtt = ", "mqqt = ", "did you mean `mqtt`?"),
            ("127.0.0.1:1883", "127.0.0.1", "hub.mqtt is `127.0.0.1`: write it like"),
            ("127.0.0.1:1883", "127.0.0.1:99999", "write it like"),
            ("http://127", "ftp://127", "hub.http is `ftp://127.0.0.1:8080`"),
            ("quality = 80", "quality = 0", "use 1 to 100"),
            ("\"1GiB\"", "\"1GB\"", "write a whole number and a unit"),
            ("rtsp://192", "rtsp://guard:secret@192", "take user and password out of the url"),
            ("pipeline = ", "# pipeline = ", "camera `gate` has no pipeline"),
            ("id = \"gate\"", "id = \"東門\"", "is no camera id"),
        ] {
            let error = load(from, to).unwrap_err().to_string();
            assert!(error.contains(said), "{from} -> {to}: {error}");
            assert!(error.contains("agent.toml") && !error.contains("secret@"), "{error}");
        }
    }

    #[test]
    fn two_cameras_of_one_id_and_none_at_all_are_refused() {
        let camera = &EXAMPLE[EXAMPLE.find("[[camera]]").unwrap()..];
        let twice = load(camera, &format!("{camera}\n{camera}")).unwrap_err().to_string();
        assert!(twice.contains("two cameras have the id `gate`"), "{twice}");
        let none = load(camera, "").unwrap_err().to_string();
        assert!(none.contains("no camera"), "{none}");
    }
}
