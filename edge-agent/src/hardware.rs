//! Hardware profiles: which decoder elements, isolation, inference provider and limits suit a box.
//!
//! Owns the profile file and the search for elements in GStreamer's registry. What the elements do
//! stays with `decode`, what the provider does with the detector.

use std::collections::BTreeMap;
use std::path::Path;

use gstreamer as gst;
use serde::{Deserialize, Serialize};
use settings::{Size, Span};

use crate::decode::Codec;

/// One box, as `hardware-profiles/NAME.toml` describes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The profile's own name.
    pub name: String,
    /// Whether somebody has run it on such a box. `doctor` says so when not.
    #[serde(default)]
    pub tested: bool,
    #[serde(default)]
    pub decoder: DecoderProfile,
    #[serde(default)]
    pub inference: InferenceProfile,
    #[serde(default)]
    pub limits: Limits,
}

/// How pictures are decoded.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderProfile {
    /// `process`: a sandboxed child a camera. `none`: inside the agent (what hardware decoders need).
    pub isolation: Isolation,
    /// Threads a decoder may use; 0 lets it choose. Clips are always decoded with one.
    pub threads: u32,
    /// The GStreamer element of each codec.
    pub elements: BTreeMap<Codec, String>,
    /// Pictures a camera may hold at a time, waiting or in use (`process` only); 2 to 64.
    pub slots: u32,
    /// Most address space of one decoding process.
    pub memory: Size,
    /// A decoding process that has computed so long without an answer is killed and replaced, as is one that
    /// has done nothing for so long. Waiting for a busy CPU does not count, up to ten times as long.
    pub answer_within: Span,
    /// Most pixels (width x height) of a picture.
    pub max_pixels: u32,
    /// Most bytes of one encoded picture.
    pub max_packet: Size,
}

/// Where the decoder runs. Decided by measurement in `docs/adr/0001-decode-seam.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    Process,
    None,
}

/// How models are run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceProfile {
    /// ONNX Runtime's execution provider: `cpu`, `openvino`, `cuda`, ...
    pub provider: String,
    /// Threads of one inference.
    pub threads: u32,
}

/// What the box can bear.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most cameras.
    pub cameras: u32,
    /// Most frames a second that are analysed for one camera.
    pub frames_per_second: u32,
}

impl Default for DecoderProfile {
    fn default() -> Self {
        let elements = [
            (Codec::H264, "avdec_h264"),
            (Codec::H265, "avdec_h265"),
            (Codec::Mpeg4, "avdec_mpeg4"),
            (Codec::Msmpeg4, "avdec_msmpeg4"),
            (Codec::Mjpeg, "avdec_mjpeg"),
        ];
        Self {
            isolation: Isolation::Process,
            threads: 1,
            elements: elements.into_iter().map(|(codec, name)| (codec, name.to_owned())).collect(),
            slots: 8,
            memory: Size(1 << 30),
            answer_within: Span(std::time::Duration::from_secs(1)),
            max_pixels: 4096 * 2304,
            max_packet: Size(8 << 20),
        }
    }
}

impl Default for InferenceProfile {
    fn default() -> Self {
        Self { provider: "cpu".to_owned(), threads: 1 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { cameras: 8, frames_per_second: 10 }
    }
}

const BUILTIN: &str = include_str!("../../hardware-profiles/generic-cpu.toml");

/// Why a profile can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error(transparent)]
    Settings(#[from] settings::Error),
    #[error("hardware profile {name}: {what}")]
    Value { name: String, what: &'static str },
    #[error(transparent)]
    Missing(#[from] MissingElement),
}

/// A GStreamer element that is not installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("GStreamer element {element} is not installed: {}", cure(.element))]
pub struct MissingElement {
    pub element: String,
}

impl Profile {
    /// Reads and checks a profile. A missing GStreamer element is found by [`Profile::check_elements`].
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        let text = settings::read_text(path)
            .map_err(|source| settings::Error::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// The profile every box can run: software decoding, one process a camera.
    pub fn builtin() -> Result<Self, ProfileError> {
        Self::parse(BUILTIN, Path::new("hardware-profiles/generic-cpu.toml"))
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ProfileError> {
        let profile: Self = settings::parse(text, path)?;
        let refuse = |what| Err(ProfileError::Value { name: profile.name.clone(), what });
        if !(2..=64).contains(&profile.decoder.slots) {
            return refuse("decoder.slots must be 2 to 64");
        }
        if !(64 * 64..=8192 * 4320).contains(&profile.decoder.max_pixels) {
            return refuse("decoder.max_pixels must be 4096 to 35389440");
        }
        if profile.decoder.max_packet.0 > 64 << 20 || profile.decoder.max_packet.0 < 64 << 10 {
            return refuse("decoder.max_packet must be 64KiB to 64MiB");
        }
        Ok(profile)
    }

    /// Checks that every element the profile names is installed.
    ///
    /// # Errors
    /// The first one that is not, with the Debian package that has it.
    pub fn check_elements(&self) -> Result<(), MissingElement> {
        self.decoder.elements.values().try_for_each(|name| require(name))
    }
}

/// Whether GStreamer can make this element.
pub fn require(element: &str) -> Result<(), MissingElement> {
    let found = gst::init().is_ok() && gst::ElementFactory::find(element).is_some();
    if found { Ok(()) } else { Err(MissingElement { element: element.to_owned() }) }
}

/// Makes an element, or says how to get it.
pub(crate) fn make(element: &str) -> Result<gst::Element, MissingElement> {
    let missing = |_| MissingElement { element: element.to_owned() };
    gst::init().map_err(missing)?;
    gst::ElementFactory::make(element).build().map_err(|_| MissingElement { element: element.to_owned() })
}

fn cure(element: &str) -> String {
    let package = match element {
        e if e.starts_with("avdec_") => "gstreamer1.0-libav",
        e if e.starts_with("va") || e.starts_with("v4l2codecs") => "gstreamer1.0-plugins-bad",
        "h264parse" | "h265parse" | "openh264dec" | "openh264enc" => "gstreamer1.0-plugins-bad",
        "appsink" | "parsebin" => "gstreamer1.0-plugins-base",
        "rtspsrc" | "rtph264depay" | "rtph265depay" | "filesrc" | "jpegdec" => "gstreamer1.0-plugins-good",
        e if e.starts_with("v4l2") => "gstreamer1.0-plugins-good",
        _ => return "name another one in the hardware profile".to_owned(),
    };
    format!("run `apt-get install --no-install-recommends {package}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_profile_is_the_default_and_isolates() {
        let profile = Profile::builtin().unwrap();
        assert_eq!(profile.decoder, DecoderProfile::default());
        assert_eq!(profile.decoder.isolation, Isolation::Process);
    }

    #[test]
    fn every_shipped_profile_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hardware-profiles");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
        assert!(files.len() >= 2);
        for file in files {
            let profile = Profile::load(&file).unwrap();
            assert_eq!(file.file_stem().unwrap().to_str().unwrap(), profile.name);
        }
    }

    #[test]
    fn a_missing_element_names_itself_and_its_package() {
        let error = require("avdec_nothing").unwrap_err().to_string();
        assert!(error.contains("avdec_nothing") && error.contains("gstreamer1.0-libav"), "{error}");
    }

    #[test]
    fn a_wrong_field_is_refused_by_name() {
        let error = Profile::parse("name = \"x\"\n[decoder]\nthread = 1\n", Path::new("x.toml")).unwrap_err();
        assert!(error.to_string().contains("did you mean `threads`"), "{error}");
    }
}
