//! Desired configuration: what the hub may wish of this box, and how a wish becomes what is in force.
//!
//! Owns what such a text may say (here), how it goes together with the box's own settings (`merge`), where
//! it is kept (`folder`), and the course from message to verdict (`keeper`; decided by `edge_core::trial`).
//! What the box itself says comes first: who it is, its hub, its data, its passwords, how its stills are
//! covered at least, and whatever is marked `locked = true` there, never changes from afar.

pub mod folder;
pub mod keeper;
mod merge;
#[cfg(test)]
mod tests;

use std::path::Path;

use edge_core::trial::Reason;
use protocol::{CameraId, ConfigWhyCode, RuleId};
use serde::Deserialize;
use settings::{Size, WishError};

use crate::camera::{RtspUrl, Transport};
use crate::pipeline::{Line, Zone};
pub use merge::{Merged, Shelf, merge};

/// Most cameras that a wish may name.
const MOST_CAMERAS: usize = 256;
/// Longest name, user and address, letters.
const LONGEST: (usize, usize, usize) = (100, 64, 1024);
/// What stays at the box, and what to say of it.
const LOCAL_ONLY: [(&str, &str); 7] = [
    ("agent", "who the box is"),
    ("hub", "which hub it serves"),
    ("data", "where it keeps its data"),
    ("models", "its models"),
    ("live", "plain live"),
    ("desired", "how it tries what the hub wishes"),
    ("locked", "what is locked"),
];

/// Everything that the hub may wish. What is absent stays as the box has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Desired {
    pub stills: StillsWish,
    pub spool: SpoolWish,
    #[serde(rename = "camera")]
    pub cameras: Vec<CameraWish>,
}

/// `[stills]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StillsWish {
    /// JPEG quality, 1..100.
    pub quality: Option<u8>,
    /// Cover whole persons. It can be asked for from afar, and never be taken back below what the box says.
    pub cover_persons: Option<bool>,
}

/// `[spool]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolWish {
    /// Most bytes of records; in force once the trial is passed.
    pub cap: Option<Size>,
}

/// `[[camera]]`: a new one, or changes of one that is there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraWish {
    pub id: CameraId,
    /// Take it out; then nothing else may be said of it.
    #[serde(default)]
    pub remove: bool,
    pub name: Option<String>,
    pub url: Option<RtspUrl>,
    pub user: Option<String>,
    /// By name: a file of the box's folders of pipelines, without `.toml`.
    pub pipeline: Option<RuleId>,
    pub transport: Option<Transport>,
    /// Most frames a second that are analysed; 0 for all.
    pub analyse_fps: Option<f32>,
    /// In place of the camera's own lines; `line = []` takes them away.
    #[serde(rename = "line")]
    pub lines: Option<Vec<Line>>,
    /// In place of the camera's own zones; `zone = []` takes them away.
    #[serde(rename = "zone")]
    pub zones: Option<Vec<Zone>>,
}

/// Why a wish was refused.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    #[error("the configuration from the hub was refused: {0}")]
    Text(#[from] WishError),
    #[error(
        "the configuration from the hub was refused: [{section}] says {what}, which is set at the box alone"
    )]
    LocalOnly { section: &'static str, what: &'static str },
    #[error("the configuration from the hub was refused: {0}")]
    Settings(#[from] settings::Error),
    #[error("the configuration from the hub was refused: {0}")]
    Wrong(String),
    #[error("the configuration from the hub was refused: camera `{camera}`: {text}")]
    NoPipeline { camera: CameraId, name: String, text: String },
    #[error(
        "the configuration from the hub was refused: camera `{camera}`: its url names another host than the one \
         that its password was entered for: set the address at the box (edge-agent camera add), or take the \
         password away with `user = \"\"`"
    )]
    OtherHost { camera: CameraId },
    #[error("this box is locked: its own settings file says `locked = true`, so nothing changes from afar")]
    Locked,
}

impl From<DesiredError> for Reason {
    fn from(error: DesiredError) -> Self {
        let new = |code| Self::new(code, error.to_string());
        match &error {
            DesiredError::Locked => new(ConfigWhyCode::Locked),
            DesiredError::LocalOnly { section, .. } => new(ConfigWhyCode::LocalOnly).detail(*section),
            DesiredError::NoPipeline { camera, name, .. } => {
                new(ConfigWhyCode::NoPipeline).of_camera(camera).detail(name)
            }
            DesiredError::OtherHost { camera } => new(ConfigWhyCode::OtherHost).of_camera(camera),
            DesiredError::Text(WishError::Secret { place } | WishError::Address { place }) => {
                new(ConfigWhyCode::Secret).detail(place)
            }
            DesiredError::Text(_) | DesiredError::Settings(_) => new(ConfigWhyCode::Unreadable),
            DesiredError::Wrong(_) => error.to_string().into(),
        }
    }
}

impl Desired {
    /// Reads a text that came from the hub. Where it came from is named `generation N` in errors.
    pub fn read(text: &str, generation: u64) -> Result<Self, DesiredError> {
        let table = settings::check_wish(text.as_bytes())?;
        for (section, what) in LOCAL_ONLY {
            if table.contains_key(section) {
                return Err(DesiredError::LocalOnly { section, what });
            }
        }
        let desired: Self = settings::parse(text, Path::new(&format!("generation {generation}")))?;
        desired.check().map_err(DesiredError::Wrong)?;
        Ok(desired)
    }

    /// What the types cannot say.
    fn check(&self) -> Result<(), String> {
        if self.cameras.len() > MOST_CAMERAS {
            return Err(format!(
                "it names {} cameras: at most {MOST_CAMERAS} are allowed",
                self.cameras.len()
            ));
        }
        for (at, camera) in self.cameras.iter().enumerate() {
            if self.cameras[..at].iter().any(|other| other.id == camera.id) {
                return Err(format!("two sections name camera `{}`: put them together", camera.id));
            }
            camera.check().map_err(|why| format!("camera `{}`: {why}", camera.id))?;
        }
        Ok(())
    }
}

impl CameraWish {
    fn check(&self) -> Result<(), String> {
        let bare = Self { remove: true, ..Self::bare(self.id.clone()) };
        if self.remove && *self != bare {
            return Err("`remove = true` goes with nothing but the id".into());
        }
        let texts = [
            ("name", self.name.as_deref(), LONGEST.0),
            ("user", self.user.as_deref(), LONGEST.1),
            ("url", self.url.as_ref().map(RtspUrl::as_str), LONGEST.2),
        ];
        for (field, text, most) in texts {
            let Some(text) = text else { continue };
            if text.chars().count() > most {
                return Err(format!("{field} is longer than {most} letters"));
            }
            if text.chars().any(char::is_control) {
                return Err(format!("{field} holds a control character"));
            }
        }
        Ok(())
    }

    /// Nothing is wished of it.
    fn bare(id: CameraId) -> Self {
        let (name, url, user, pipeline, transport) = (None, None, None, None, None);
        let (analyse_fps, lines, zones) = (None, None, None);
        Self { id, remove: false, name, url, user, pipeline, transport, analyse_fps, lines, zones }
    }
}
