//! Pictures into model input: conversion, scaling and letterboxing in one pass, into a tensor that
//! is allocated once.
//!
//! The tensor is planar (CHW), f32, whole values 0..255. The picture lies top left, scaled by one
//! ratio, the rest is padding. From decoder planes the rows are blended in `planes`, from RGB pixels
//! in `rgb` (to the bit as OpenCV's bilinear resize does it, since parity is measured against that).
//! What a model makes of it is `detect`'s.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod planes;
mod rgb;

use crate::model::Colour;
use crate::picture::Planes;

/// RGB pixels, three bytes each, borrowed. `stride` is bytes from row to row.
#[derive(Clone, Copy)]
pub struct RgbView<'a> {
    pub width: usize,
    pub height: usize,
    pub stride: usize,
    pub pixels: &'a [u8],
}

/// A picture that cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {width}x{height} picture cannot be converted: {reason}")]
pub struct TensorError {
    pub width: usize,
    pub height: usize,
    pub reason: &'static str,
}

/// How a picture lies in a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Letterbox {
    /// Tensor pixels to one picture pixel.
    pub ratio: f64,
    /// The picture's size in the tensor.
    pub width: usize,
    pub height: usize,
}

impl Letterbox {
    /// The largest fit of a picture into a tensor; sizes round down, as the reference does.
    pub fn fit(picture: (usize, usize), tensor: (usize, usize)) -> Self {
        let ratio = (tensor.0 as f64 / picture.0 as f64).min(tensor.1 as f64 / picture.1 as f64);
        let side = |length: usize, limit: usize| ((length as f64 * ratio) as usize).clamp(1, limit);
        Self { ratio, width: side(picture.0, tensor.0), height: side(picture.1, tensor.1) }
    }
}

/// A model's input tensor and the tables to fill it.
pub struct InputTensor {
    width: usize,
    height: usize,
    colour: Colour,
    pad: f32,
    values: Vec<f32>,
    /// What of the tensor the last picture filled; the rest is padding.
    filled: (usize, usize),
    planes: planes::Scaler,
    rgb: rgb::Scaler,
}

impl InputTensor {
    pub fn new(width: usize, height: usize, colour: Colour, pad: u8) -> Self {
        let pad = f32::from(pad);
        Self {
            width,
            height,
            colour,
            pad,
            values: vec![pad; 3 * width * height],
            filled: (0, 0),
            planes: planes::Scaler::default(),
            rgb: rgb::Scaler::default(),
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// 3 x height x width, in the order of the model's colours.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Another size, for models that take any; nothing happens when it is the same.
    pub fn resize(&mut self, width: usize, height: usize) {
        if (width, height) != (self.width, self.height) {
            (self.width, self.height, self.filled) = (width, height, (0, 0));
            self.values.clear();
            self.values.resize(3 * width * height, self.pad);
        }
    }

    /// Fills the tensor from a decoder's planes.
    pub fn fill_planes(&mut self, picture: &Planes) -> Result<Letterbox, TensorError> {
        check_whole(picture)?;
        let fit = self.place(picture.width, picture.height);
        let [red, green, blue] = split(&mut self.values, self.width * self.height, self.colour);
        self.planes.scale(picture, &fit, self.width, red, green, blue);
        Ok(fit)
    }

    /// Fills the tensor from RGB pixels.
    pub fn fill_rgb(&mut self, picture: &RgbView) -> Result<Letterbox, TensorError> {
        let short = picture.width == 0
            || picture.height == 0
            || picture.stride < 3 * picture.width
            || picture.pixels.len() < (picture.height - 1) * picture.stride + 3 * picture.width;
        if short {
            let reason = "fewer pixels than its size says";
            return Err(TensorError { width: picture.width, height: picture.height, reason });
        }
        let fit = self.place(picture.width, picture.height);
        let [red, green, blue] = split(&mut self.values, self.width * self.height, self.colour);
        self.rgb.scale(picture, &fit, self.width, red, green, blue);
        Ok(fit)
    }

    /// The place for a picture; what a larger one left beside it becomes padding again.
    fn place(&mut self, width: usize, height: usize) -> Letterbox {
        let fit = Letterbox::fit((width, height), (self.width, self.height));
        if self.filled != (fit.width, fit.height) {
            self.values.fill(self.pad);
            self.filled = (fit.width, fit.height);
        }
        fit
    }
}

/// A decoder's picture in full size as RGB bytes, without gaps. Each chroma sample colours its own
/// 2 x 2 pixels and no other.
pub(crate) fn rgb_of_planes(picture: &Planes) -> Result<Vec<u8>, TensorError> {
    check_whole(picture)?;
    Ok(planes::to_rgb(picture))
}

/// The three planes as red, green, blue.
fn split(values: &mut [f32], plane: usize, colour: Colour) -> [&mut [f32]; 3] {
    let (first, rest) = values.split_at_mut(plane);
    let (second, third) = rest.split_at_mut(plane);
    match colour {
        Colour::Rgb => [first, second, third],
        Colour::Bgr => [third, second, first],
    }
}

/// Whether a picture's planes hold as many samples as its size says.
pub(crate) fn check_whole(picture: &Planes) -> Result<(), TensorError> {
    planes::check(picture).map_err(|reason| TensorError {
        width: picture.width,
        height: picture.height,
        reason,
    })
}

#[cfg(test)]
mod tests;
