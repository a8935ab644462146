//! A model's card: what the model is for, where it is from, and how to know it. One TOML file a
//! model, in `models/`; written by people, read here and by `models/prepare.py`.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::ObjectClass;
use serde::Deserialize;

use super::ModelError;

/// The largest model file that is read, in bytes.
const MAX_MODEL_BYTES: u64 = 256 << 20;
/// The largest side of an input or golden picture, in pixels.
const MAX_SIDE: usize = 4096;

/// What a model may be for. Anything else is refused by name: no recognition, no embeddings, no
/// traits of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    DetectObject,
    DetectFace,
    EstimatePose,
    ClassifyScene,
}

impl Task {
    pub const ALLOWED: [&'static str; 4] =
        ["detect-object", "detect-face", "estimate-pose", "classify-scene"];

    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "detect-object" => Task::DetectObject,
            "detect-face" => Task::DetectFace,
            "estimate-pose" => Task::EstimatePose,
            "classify-scene" => Task::ClassifyScene,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        Self::ALLOWED[self as usize]
    }
}

/// How a model's outputs become boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decoder {
    Yolox,
    Centerface,
}

/// The order of the colour planes in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    Rgb,
    Bgr,
}

/// The one input: 1 x 3 x height x width, f32, values 0..255 times `scale`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub name: String,
    /// Pixels; -1 when any multiple of `multiple` will do.
    pub width: i64,
    pub height: i64,
    pub multiple: usize,
    pub colour: Colour,
    pub scale: f32,
    /// The value around the picture, 0..255.
    pub pad: u8,
}

/// One output, f32. -1 stands for a length that follows the input's size.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    pub name: String,
    pub shape: Vec<i64>,
}

/// Where the file comes from (for `prepare.py` and for the reader).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub package: String,
    pub version: String,
    pub wheel_sha256: String,
    pub file: String,
    pub sha256: String,
    pub prepare: String,
}

/// A drawn picture and some values of the right answer to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    pub width: usize,
    pub height: usize,
    /// How far a value may be off.
    pub tolerance: f32,
    /// `[cx, cy, rx, ry, red, green, blue]`, drawn in this order.
    pub ellipses: Vec<[i64; 7]>,
    /// `(output, flat index, value)`
    pub samples: Vec<(usize, usize, f32)>,
}

/// A model's card, checked.
#[derive(Debug, Clone)]
pub struct Card {
    pub name: String,
    pub task: Task,
    pub decoder: Decoder,
    pub licence: String,
    pub sha256: String,
    pub size: u64,
    /// What counts as a detection unless the pipeline says otherwise.
    pub confidence: f32,
    pub nms_iou: f32,
    pub operators: Vec<String>,
    pub labels: Vec<String>,
    /// The class on the wire of each label.
    pub classes: Vec<ObjectClass>,
    pub input: Input,
    pub outputs: Vec<Output>,
    pub source: Source,
    pub golden: Golden,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    task: String,
    decoder: Decoder,
    licence: String,
    sha256: String,
    size: u64,
    confidence: f32,
    nms_iou: f32,
    operators: Vec<String>,
    labels: Vec<String>,
    #[serde(default)]
    classes: BTreeMap<String, ObjectClass>,
    input: Input,
    outputs: Vec<Output>,
    source: Source,
    golden: Golden,
}

/// Read before the rest, so that a card for a foreign task is refused for its task.
#[derive(Deserialize)]
struct TaskOnly {
    name: String,
    task: String,
}

impl Card {
    /// Reads a card. Errors: unreadable, not a card, task not allowed.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let text =
            settings::read_text(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        let invalid = |reason: String| ModelError::Card { path: path.to_owned(), reason };
        let first: TaskOnly = toml::from_str(&text).map_err(|e| invalid(e.to_string()))?;
        let task =
            Task::from_word(&first.task).ok_or(ModelError::Task { model: first.name, task: first.task })?;
        let written: Written = toml::from_str(&text).map_err(|e| invalid(e.to_string()))?;
        written.checked(task).map_err(invalid)
    }
}

impl Written {
    fn checked(self, task: Task) -> Result<Card, String> {
        debug_assert_eq!(self.task, task.as_str());
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(format!("name `{}`: use letters, digits, - and _", self.name));
        }
        if self.size == 0 || self.size > MAX_MODEL_BYTES {
            return Err(format!("size {}: must be 1 to {MAX_MODEL_BYTES} bytes", self.size));
        }
        for (key, value) in [("confidence", self.confidence), ("nms_iou", self.nms_iou)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("{key} {value}: must be 0 to 1"));
            }
        }
        if let Some(name) = self.classes.keys().find(|name| !self.labels.contains(name)) {
            return Err(format!("classes: `{name}` is not among the labels"));
        }
        let side = |value: i64| value == -1 || (1..=MAX_SIDE as i64).contains(&value);
        if !side(self.input.width) || !side(self.input.height) || !(1..=256).contains(&self.input.multiple) {
            return Err("input: sizes out of range".into());
        }
        let golden = &self.golden;
        if !(1..=MAX_SIDE).contains(&golden.width) || !(1..=MAX_SIDE).contains(&golden.height) {
            return Err("golden: sizes out of range".into());
        }
        if golden.samples.is_empty() || golden.samples.iter().any(|s| s.0 >= self.outputs.len()) {
            return Err("golden: needs samples, each of an output of the card".into());
        }
        if golden.ellipses.iter().flatten().any(|v| !(0..=MAX_SIDE as i64).contains(v)) {
            return Err("golden: ellipse values out of range".into());
        }
        heads(task, self.decoder, &self.outputs, self.labels.len())?;
        let class = |label| self.classes.get(label).copied().unwrap_or(ObjectClass::Other);
        Ok(Card {
            classes: self.labels.iter().map(class).collect(),
            name: self.name,
            task,
            decoder: self.decoder,
            licence: self.licence,
            sha256: self.sha256,
            size: self.size,
            confidence: self.confidence,
            nms_iou: self.nms_iou,
            operators: self.operators,
            labels: self.labels,
            input: self.input,
            outputs: self.outputs,
            source: self.source,
            golden: self.golden,
        })
    }
}

/// Only these outputs are ever read: boxes with scores and labels. A vector per face has no place.
fn heads(task: Task, decoder: Decoder, outputs: &[Output], labels: usize) -> Result<(), String> {
    let shapes: Vec<&[i64]> = outputs.iter().map(|o| o.shape.as_slice()).collect();
    let fits = match (task, decoder) {
        (Task::DetectObject, Decoder::Yolox) => {
            matches!(shapes[..], [[1, rows, values]] if *rows > 0 && *values == 5 + labels as i64)
        }
        (Task::DetectFace, Decoder::Centerface) => {
            shapes == [&[1, 1, -1, -1][..], &[1, 2, -1, -1], &[1, 2, -1, -1], &[1, 10, -1, -1]]
        }
        _ => return Err(format!("no decoder `{decoder:?}` for task {}", task.as_str())),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("outputs {shapes:?} are not those of a `{decoder:?}` decoder (boxes, scores, labels)"))
    }
}
