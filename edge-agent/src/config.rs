//! `edge-agent.toml`: what this box is, which hub it serves, which cameras it watches.
//!
//! Each section is the struct of its owner; this file only puts them together and checks what no
//! section can see alone. Relative paths are taken from the folder of the file itself. Cameras may also
//! have files of their own, in the folder `cameras` beside it: see `cameras`.

pub mod cameras;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use edge_core::TrialConfig;
use protocol::{AgentId, SiteId};
use serde::Deserialize;
use settings::{Size, Span};

use crate::camera::{CameraConfig, reach};
use crate::discover::Network;
use crate::identity::Home;
use crate::onvif::address;
use crate::pipeline::PACKAGED;
use crate::secrets::Secrets;
use crate::wording::Text;

/// No trial is longer.
const LONGEST_TRIAL: Duration = Duration::from_secs(3600);

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub agent: AgentSection,
    #[serde(default)]
    pub hub: HubSection,
    #[serde(default)]
    pub models: ModelsSection,
    #[serde(default)]
    pub spool: SpoolSection,
    #[serde(default)]
    pub stills: StillsSection,
    #[serde(default)]
    pub desired: DesiredSection,
    /// Nothing changes from afar; only this file and the cameras' files count. Default: false.
    #[serde(default)]
    pub locked: bool,
    /// Where it was read from.
    #[serde(skip)]
    pub file: PathBuf,
    /// At least one; those of the file itself come first, then those of `cameras/` by name.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<CameraConfig>,
}

/// Where this box keeps what. Who it is, its certificate says; what is said here as well must agree.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentSection {
    /// The site it stands at, as the hub knows it. Default: what its certificate says.
    pub site: Option<SiteId>,
    /// Its own id, as the hub knows it. Default: what its certificate says.
    pub id: Option<AgentId>,
    /// The name that people read. Default: the one that came with the certificate.
    pub name: Option<String>,
    /// The folder for what must survive a restart: identity, spool, stills on their way. Default:
    /// "/var/lib/signalbox-agent".
    pub data: PathBuf,
    /// The pipeline of cameras that name none. Default: none.
    pub pipeline: Option<PathBuf>,
    /// The hardware profile. Default: the built-in one for a plain CPU.
    pub hardware: Option<PathBuf>,
    /// Networks that cameras may be in, for example `["192.168.1.0/24"]`. Default: any.
    pub camera_networks: Vec<Network>,
}

impl Default for AgentSection {
    fn default() -> Self {
        Self {
            site: None,
            id: None,
            name: None,
            data: DEFAULT_DATA.into(),
            pipeline: None,
            hardware: None,
            camera_networks: Vec::new(),
        }
    }
}

/// The hub it reports to; may be left out, as `edge-agent provision` writes it down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubSection {
    /// The hub's agents' door, for example `https://hub.example:8443`. Default: where it was provisioned.
    pub url: Option<String>,
    /// `host:port` of its broker. Default: what the hub said at provisioning.
    pub mqtt: Option<String>,
}

/// Where the package puts the settings.
pub const DEFAULT_FILE: &str = "/etc/signalbox-agent/edge-agent.toml";
/// Where the box keeps what must survive a restart, unless the settings say otherwise.
pub const DEFAULT_DATA: &str = "/var/lib/signalbox-agent";

/// Where models are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelsSection {
    /// The folder of model cards. Default: `models` beside the working folder, else where the package
    /// installs them.
    pub folder: Option<PathBuf>,
    /// The card of the face detector that covers faces. Default: "centerface".
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
    /// Most bytes of records; stills may have as much again, and are given up first. Default: "1GiB".
    pub cap: Size,
    /// Kept free for alerts when the disk is full. Default: "64MiB".
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
    /// JPEG quality, 1 to 100. Default: 80.
    pub quality: u8,
    /// Cover whole persons instead of faces and heads. Default: false.
    pub cover_persons: bool,
}

impl Default for StillsSection {
    fn default() -> Self {
        Self { quality: 80, cover_persons: false }
    }
}

/// How what the hub wishes is tried.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DesiredSection {
    /// Cameras and hub must be well again after this time, or it is rolled back. Default: "120s".
    pub trial: Span,
    /// For this long without a break. Default: "30s".
    pub steady: Span,
}

impl Default for DesiredSection {
    fn default() -> Self {
        let TrialConfig { length, steady } = TrialConfig::default();
        Self { trial: Span(length), steady: Span(steady) }
    }
}

impl DesiredSection {
    pub fn trial(self) -> TrialConfig {
        TrialConfig { length: self.trial.0, steady: self.steady.0 }
    }
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    File(#[from] settings::Error),
    #[error("{}: {}", path.display(), problem.en)]
    Invalid { path: PathBuf, problem: Box<Text> },
    #[error(transparent)]
    Camera(#[from] cameras::CameraFileError),
}

/// The settings and the certificate name different boxes or hubs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.en)]
pub struct Disagreement(pub Text);

impl Config {
    /// Reads and checks it, with at least one camera.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let config = Self::read(path)?;
        if config.cameras.is_empty() {
            let problem = Text::new(
                "没有摄像机：用 edge-agent camera add 添加，或写一个 [[camera]] 段",
                "no camera: add one with `edge-agent camera add`, or a [[camera]] section",
            );
            return Err(ConfigError::Invalid { path: path.to_owned(), problem: problem.into() });
        }
        Ok(config)
    }

    /// As [`Config::load`], of a box that may have no camera yet.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = settings::load(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        config.cameras.extend(cameras::load(base)?);
        config
            .check()
            .map_err(|problem| ConfigError::Invalid { path: path.to_owned(), problem: problem.into() })?;
        config.resolve(base);
        config.file = path.to_owned();
        Ok(config)
    }

    pub(crate) fn check(&self) -> Result<(), Text> {
        let DesiredSection { trial, steady } = self.desired;
        if trial.0 < Duration::from_secs(1) || trial.0 > LONGEST_TRIAL || steady.0 > trial.0 {
            let longest = Span(LONGEST_TRIAL);
            return Err(Text::new(
                format!(
                    "desired.trial 是 {trial}，desired.steady 是 {steady}：trial 用 1s 到 {longest}，steady 不能更长"
                ),
                format!(
                    "desired.trial is {trial} and desired.steady {steady}: use 1s to {longest} and no longer steady than the trial"
                ),
            ));
        }
        let mut seen = BTreeSet::new();
        for camera in &self.cameras {
            if !seen.insert(&camera.id) {
                let id = &camera.id;
                return Err(match camera.file.as_deref().map(Path::display) {
                    Some(file) => Text::new(
                        format!("编号 `{id}` 重复：{file} 里也是它；每台摄像机要有自己的编号"),
                        format!("the id `{id}` is taken: {file} has it too; give each camera its own"),
                    ),
                    None => Text::new(
                        format!("两台摄像机的编号都是 `{id}`：每台要有自己的编号"),
                        format!("two cameras have the id `{id}`: give each its own"),
                    ),
                });
            }
            if let Some(fps) = camera.analyse_fps.filter(|fps| *fps != 0.0 && !(0.01..=1000.0).contains(fps))
            {
                let id = &camera.id;
                return Err(Text::new(
                    format!("摄像机 `{id}`：analyse_fps = {fps}：用 0（全部帧）或 0.01 到 1000"),
                    format!("camera `{id}`: analyse_fps = {fps}: use 0 for all frames, or 0.01 to 1000"),
                ));
            }
            if camera.pipeline.is_none() && self.agent.pipeline.is_none() {
                let id = &camera.id;
                return Err(Text::new(
                    format!(
                        "摄像机 `{id}` 没有处理流程：在它那里或 [agent] 里写 pipeline，例如 \"{PACKAGED}/default.toml\""
                    ),
                    format!(
                        "camera `{id}` has no pipeline: set `pipeline` there or in [agent], for example \"{PACKAGED}/default.toml\""
                    ),
                ));
            }
        }
        for camera in &self.cameras {
            let host = address::host_of(camera.url.as_str()).unwrap_or_default();
            let outside = |a: &IpAddr| !reach::is_within(*a, &self.agent.camera_networks);
            if let Some(address) = reach::literal(&host).filter(outside) {
                let id = &camera.id;
                return Err(Text::new(
                    format!("摄像机 `{id}`：{address} 不在 [agent] camera_networks 的任何网段内"),
                    format!("camera `{id}`: {address} is in none of the networks of [agent] camera_networks"),
                ));
            }
        }
        if !(1..=100).contains(&self.stills.quality) {
            let quality = self.stills.quality;
            return Err(Text::new(
                format!("stills.quality 是 {quality}：用 1 到 100"),
                format!("stills.quality is {quality}: use 1 to 100"),
            ));
        }
        Ok(())
    }

    /// Whether what the file says of box and hub is what the certificate says.
    pub fn agrees_with(&self, home: &Home) -> Result<(), Disagreement> {
        let pairs = [
            ("agent.site", self.agent.site.as_ref().map(SiteId::as_str), home.site.as_str()),
            ("agent.id", self.agent.id.as_ref().map(AgentId::as_str), home.agent.as_str()),
            ("hub.url", self.hub.url.as_deref().map(|u| u.trim_end_matches('/')), home.hub.as_str()),
            ("hub.mqtt", self.hub.mqtt.as_deref(), home.mqtt.as_str()),
        ];
        match pairs
            .into_iter()
            .find_map(|(what, said, known)| Some((what, said.filter(|s| *s != known)?, known)))
        {
            None => Ok(()),
            Some((what, said, known)) => Err(Disagreement(Text::new(
                format!("{what} 写的是 `{said}`，而本盒登记的是 `{known}`：删去这一行，或重新登记"),
                format!(
                    "{what} is `{said}`, but this box was provisioned as `{known}`: take the line out, or provision the box again"
                ),
            ))),
        }
    }

    /// The pipeline that a camera uses: its own, else the agent's.
    pub fn pipeline_of<'a>(&'a self, camera: &'a CameraConfig) -> &'a Path {
        let path = camera.pipeline.as_deref().or(self.agent.pipeline.as_deref());
        path.expect("checked when the configuration was loaded")
    }

    /// Where a camera's own rules stand: its file, else the main one, or what the hub wishes.
    pub fn rules_of<'a>(&'a self, camera: &'a CameraConfig) -> &'a Path {
        match &camera.file {
            _ if camera.rules_wished => Path::new("the hub's configuration"),
            Some(file) => file,
            None => &self.file,
        }
    }

    fn resolve(&mut self, base: &Path) {
        let secrets = Secrets::open(&base.join(&self.agent.data));
        for camera in &mut self.cameras {
            camera.secrets = Some(secrets.clone());
            camera.networks = self.agent.camera_networks.clone();
        }
        let mut paths = vec![&mut self.agent.data];
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
        let config = load("gate.password", "keys/gate.password").unwrap();
        let password = config.cameras[0].password_file.as_deref().unwrap();
        assert!(password.is_absolute() && password.ends_with("keys/gate.password"));
        assert_eq!(config.agent.data, PathBuf::from(DEFAULT_DATA));
        assert!(config.agent.site.is_none() && config.hub.url.is_none());
        assert!(config.pipeline_of(&config.cameras[0]).ends_with("pipelines/default.toml"));
        let (spool, stills) = (SpoolSection::default(), StillsSection::default());
        assert_eq!((config.spool.cap, config.spool.ballast), (spool.cap, spool.ballast));
        assert_eq!(
            (config.stills.quality, config.stills.cover_persons),
            (stills.quality, stills.cover_persons)
        );
        assert_eq!(config.models.faces, ModelsSection::default().faces);
        assert_eq!(config.desired.trial(), TrialConfig::default());
        assert!(!config.locked && config.agent.camera_networks.is_empty());
    }

    #[test]
    fn what_the_file_says_of_the_box_must_agree_with_its_certificate() {
        let home = Home {
            site: "market".parse().unwrap(),
            agent: "box-1".parse().unwrap(),
            name: None,
            hub: "https://hub.example:8443".into(),
            mqtt: "hub.example:8883".into(),
            roots: Vec::new(),
        };
        let right = "[agent]\nsite = \"market\"\nid = \"box-1\"\n";
        let hub = "\n[hub]\nurl = \"https://hub.example:8443/\"\nmqtt = \"hub.example:8883\"\n";
        for (from, to, wrong) in [
            ("", "", None),
            ("market", "square", Some("agent.site is `square`, but this box was provisioned as `market`")),
            ("box-1", "box-2", Some("agent.id is `box-2`")),
            ("8443", "8444", Some("hub.url is `https://hub.example:8444`")),
            ("8883", "1883", Some("hub.mqtt is `hub.example:1883`")),
        ] {
            let text = load("[agent]", &format!("{hub}{right}").replace(from, to));
            let said = text.unwrap().agrees_with(&home).err();
            match wrong {
                None => assert_eq!(said, None),
                Some(wrong) => assert!(said.as_ref().is_some_and(|s| s.0.en.contains(wrong)), "{said:?}"),
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_the_cure() {
        for (from, to, said) in [
            ("data = ", "date = ", "did you mean `data`?"),
            ("quality = 80", "quality = 0", "use 1 to 100"),
            ("\"1GiB\"", "\"1GB\"", "write a whole number and a unit"),
            ("rtsp://192", "rtsp://guard:secret@192", "take user and password out of the url"),
            ("pipeline = ", "# pipeline = ", "camera `gate` has no pipeline"),
            ("id = \"gate\"", "id = \"東門\"", "is no camera id"),
            ("rtsp://192.0.2.10", "rtsp://2130706433", "written as four numbers"),
            (
                "camera_networks = []",
                "camera_networks = [\"10.0.0.0/8\"]",
                "192.0.2.10 is in none of the networks",
            ),
            ("camera_networks = []", "camera_networks = [\"10.0.0.0/99\"]", "is no IPv4 network"),
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
