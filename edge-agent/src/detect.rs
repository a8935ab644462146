//! Detection: pictures in, boxes out, in the pixels of the picture.
//!
//! `ObjectDetector` finds objects in frames, `FaceDetector` finds faces for `redact` to cover. What
//! a model's numbers mean is in `yolox`, `centerface` and `nms`, pure. Whether a model may run is
//! `model`'s; following objects over time is the tracker's.

mod centerface;
mod nms;
mod yolox;

pub use nms::{Scored, suppress};

use edge_core::{Detection, FrameSize, Rect};
use protocol::ObjectClass;

use crate::model::{Card, Decoder, Engine, Model, ModelError};
use crate::picture::Planes;
use crate::tensor::{InputTensor, Letterbox, RgbView, TensorError};

/// Why a picture got no detections.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Picture(#[from] TensorError),
    #[error("model {model} is a {decoder:?} and cannot be used to {purpose}")]
    Purpose { model: String, decoder: Decoder, purpose: &'static str },
}

/// What counts as a detection.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorConfig {
    /// 0..1, on object score times class score.
    pub confidence: f32,
    /// 0..1; of two boxes of a label that overlap more, the better stays.
    pub nms_iou: f32,
    /// Only these; empty means all.
    pub classes: Vec<ObjectClass>,
}

impl DetectorConfig {
    /// What the model's card recommends, for all classes.
    pub fn of(card: &Card) -> Self {
        Self { confidence: card.confidence, nms_iou: card.nms_iou, classes: Vec::new() }
    }
}

/// Finds objects. Owned by one thread; the tensor is allocated once.
pub struct ObjectDetector {
    model: Model,
    config: DetectorConfig,
    /// Labels that are wanted, by index.
    wanted: Vec<bool>,
    tensor: InputTensor,
}

impl ObjectDetector {
    /// Proves and loads the model.
    pub fn load(engine: &Engine, card: &Card, config: DetectorConfig) -> Result<Self, DetectError> {
        if card.decoder != Decoder::Yolox {
            let (model, decoder) = (card.name.clone(), card.decoder);
            return Err(DetectError::Purpose { model, decoder, purpose: "find objects" });
        }
        let model = Model::open(engine, card)?;
        let wanted = card.classes.iter().map(|c| config.classes.is_empty() || config.classes.contains(c));
        let wanted = wanted.collect();
        let side = |length: i64| length.max(1) as usize;
        let input = &card.input;
        let tensor = InputTensor::new(side(input.width), side(input.height), input.colour, input.pad);
        Ok(Self { model, config, wanted, tensor })
    }

    pub fn card(&self) -> &Card {
        self.model.card()
    }

    /// Objects in a decoder's picture, best first.
    pub fn detect(&mut self, picture: &Planes) -> Result<Vec<Detection>, DetectError> {
        let fit = self.tensor.fill_planes(picture)?;
        let found = self.infer(&fit, picture.width, picture.height)?;
        Ok(self.in_classes(&found))
    }

    /// Objects in RGB pixels, best first.
    pub fn detect_rgb(&mut self, picture: &RgbView) -> Result<Vec<Detection>, DetectError> {
        let found = self.labelled_rgb(picture)?;
        Ok(self.in_classes(&found))
    }

    /// As `detect`, with the index of the model's own label.
    pub fn labelled(&mut self, picture: &Planes) -> Result<Vec<Scored>, DetectError> {
        let fit = self.tensor.fill_planes(picture)?;
        self.infer(&fit, picture.width, picture.height)
    }

    /// As `detect_rgb`, with the index of the model's own label.
    pub fn labelled_rgb(&mut self, picture: &RgbView) -> Result<Vec<Scored>, DetectError> {
        let fit = self.tensor.fill_rgb(picture)?;
        self.infer(&fit, picture.width, picture.height)
    }

    /// Conversion and scaling alone, without inference: what `bench` times.
    pub fn convert(&mut self, picture: &Planes) -> Result<(), DetectError> {
        self.tensor.fill_planes(picture)?;
        Ok(())
    }

    fn infer(&mut self, fit: &Letterbox, width: usize, height: usize) -> Result<Vec<Scored>, DetectError> {
        let (config, wanted, tensor) = (&self.config, &self.wanted, &self.tensor);
        let (across, down) = (tensor.width(), tensor.height());
        let candidates = self.model.run(tensor.values(), across, down, |answers| match answers {
            [only] => yolox::decode(only.values, across, down, wanted, config.confidence),
            _ => Err(format!("{} outputs", answers.len())),
        })?;
        let in_picture = to_picture(candidates, fit, width, height);
        Ok(suppress(in_picture, self.config.nms_iou))
    }

    fn in_classes(&self, found: &[Scored]) -> Vec<Detection> {
        let classes = &self.model.card().classes;
        let class = |label: usize| classes.get(label).copied().unwrap_or(ObjectClass::Other);
        found
            .iter()
            .map(|f| Detection { class: class(f.label), confidence: f.confidence, bbox: f.bbox })
            .collect()
    }
}

/// Finds faces so that they can be covered. It yields boxes and nothing else about a face.
pub struct FaceDetector {
    model: Model,
    confidence: f32,
    nms_iou: f32,
    tensor: InputTensor,
}

impl FaceDetector {
    /// Proves and loads the model. `confidence` 0..1; low finds more.
    pub fn load(engine: &Engine, card: &Card, confidence: f32) -> Result<Self, DetectError> {
        if card.decoder != Decoder::Centerface {
            let (model, decoder) = (card.name.clone(), card.decoder);
            return Err(DetectError::Purpose { model, decoder, purpose: "find faces" });
        }
        let model = Model::open(engine, card)?;
        let tensor =
            InputTensor::new(card.input.multiple, card.input.multiple, card.input.colour, card.input.pad);
        Ok(Self { model, confidence, nms_iou: card.nms_iou, tensor })
    }

    pub fn card(&self) -> &Card {
        self.model.card()
    }

    /// Faces in RGB pixels, best first. The picture is scaled so that its long side is `long_side`.
    pub fn detect(&mut self, picture: &RgbView, long_side: usize) -> Result<Vec<Scored>, DetectError> {
        let multiple = self.model.card().input.multiple;
        let (width, height) = (picture.width.max(1), picture.height.max(1));
        let scale = long_side as f64 / width.max(height) as f64;
        let side = |length: usize| {
            let scaled = (length as f64 * scale).ceil() as usize;
            scaled.next_multiple_of(multiple).max(multiple)
        };
        self.tensor.resize(side(width), side(height));
        let fit = self.tensor.fill_rgb(picture)?;
        let (across, down, confidence) = (self.tensor.width(), self.tensor.height(), self.confidence);
        let candidates = self.model.run(self.tensor.values(), across, down, |answers| match answers {
            // The fourth output, the landmarks, is not read.
            [heat, scale, offset, _] => centerface::decode(
                heat.values,
                scale.values,
                offset.values,
                (across / centerface::STRIDE, down / centerface::STRIDE),
                confidence,
            ),
            _ => Err(format!("{} outputs", answers.len())),
        })?;
        Ok(suppress(to_picture(candidates, &fit, width, height), self.nms_iou))
    }
}

/// From tensor pixels to picture pixels, cut at the picture's edges.
fn to_picture(candidates: Vec<Scored>, fit: &Letterbox, width: usize, height: usize) -> Vec<Scored> {
    let size = FrameSize { width: width as u32, height: height as u32 };
    let scale = |value: f32| (f64::from(value) / fit.ratio) as f32;
    candidates
        .into_iter()
        .filter_map(|c| {
            let b = c.bbox;
            let bbox = Rect::new(scale(b.left), scale(b.top), scale(b.width), scale(b.height));
            Some(Scored { bbox: bbox.clipped(size)?, ..c })
        })
        .collect()
}

#[cfg(test)]
mod tests;
