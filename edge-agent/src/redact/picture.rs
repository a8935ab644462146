//! The three states of a still: open, covered, encoded. Fields are private: what is not offered here
//! cannot be done.

use std::fmt;

use edge_core::{Detection, FrameSize, Mask, Rect};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::RedactError;
use crate::detect::{DetectError, ObjectDetector};
use crate::picture::Planes;
use crate::tensor::{RgbView, TensorError, rgb_of_planes};

/// What is put over faces and heads: one grey, whatever lay under it.
const FILL: [u8; 3] = [96, 96, 96];

/// A still with open pixels: RGB, full size. It can be covered, and nothing else.
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// A copy of a decoder's picture, in colour. Each chroma sample colours its own 2 x 2 pixels and
    /// no other, so that what is under a mask cannot show beside it.
    pub fn from_planes(planes: &Planes) -> Result<Self, TensorError> {
        Ok(Self { width: planes.width, height: planes.height, pixels: rgb_of_planes(planes)? })
    }

    /// From RGB pixels, three bytes each, without gaps.
    pub fn from_rgb(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self, TensorError> {
        if width == 0
            || height == 0
            || width.checked_mul(height).and_then(|n| n.checked_mul(3)) != Some(pixels.len())
        {
            return Err(TensorError { width, height, reason: "fewer or more pixels than its size says" });
        }
        Ok(Self { width, height, pixels })
    }

    pub fn size(&self) -> FrameSize {
        FrameSize { width: self.width as u32, height: self.height as u32 }
    }

    /// What a detector sees in it.
    pub fn detect(&self, detector: &mut ObjectDetector) -> Result<Vec<Detection>, DetectError> {
        detector.detect_rgb(&self.view())
    }

    pub(super) fn view(&self) -> RgbView<'_> {
        RgbView { width: self.width, height: self.height, stride: 3 * self.width, pixels: &self.pixels }
    }

    /// A part of it; `area` lies inside.
    pub(super) fn crop(&self, area: &Mask) -> RgbView<'_> {
        let stride = 3 * self.width;
        let first = area.top as usize * stride + 3 * area.left as usize;
        RgbView {
            width: area.width as usize,
            height: area.height as usize,
            stride,
            pixels: self.pixels.get(first..).unwrap_or_default(),
        }
    }

    /// Fills the masks.
    pub(super) fn covered(mut self, masks: Vec<Mask>) -> Redacted {
        for mask in &masks {
            let (left, width) = (mask.left as usize, mask.width as usize);
            let rows = self.pixels.chunks_exact_mut(3 * self.width);
            for row in rows.skip(mask.top as usize).take(mask.height as usize) {
                for pixel in row[3 * left..3 * (left + width)].as_chunks_mut::<3>().0 {
                    *pixel = FILL;
                }
            }
        }
        Redacted { picture: self, masks }
    }
}

/// A still whose faces and heads are covered.
pub struct Redacted {
    picture: Picture,
    masks: Vec<Mask>,
}

impl Redacted {
    pub fn size(&self) -> FrameSize {
        self.picture.size()
    }

    /// What is covered, and why.
    pub fn masks(&self) -> &[Mask] {
        &self.masks
    }

    /// Draws a box of two pixels around something.
    pub fn outline(&mut self, bbox: &Rect, colour: [u8; 3]) {
        let (width, height) = (self.picture.width, self.picture.height);
        let clamp = |at: f32, size: usize| (at.max(0.0) as usize).min(size.saturating_sub(1));
        let (left, right) = (clamp(bbox.left, width), clamp(bbox.right(), width));
        let (top, bottom) = (clamp(bbox.top, height), clamp(bbox.bottom(), height));
        for y in top..=bottom {
            for x in left..=right {
                if x < left + 2 || x + 2 > right || y < top + 2 || y + 2 > bottom {
                    self.picture.pixels[3 * (y * width + x)..][..3].copy_from_slice(&colour);
                }
            }
        }
    }

    /// Fills a box with a colour; what lies outside of the picture is left out.
    pub fn fill(&mut self, left: i64, top: i64, width: i64, height: i64, colour: [u8; 3]) {
        let inside = |at: i64, size: usize| usize::try_from(at).unwrap_or(0).min(size);
        let (wide, tall) = (self.picture.width, self.picture.height);
        let (right, bottom) = (left.saturating_add(width), top.saturating_add(height));
        let (left, right) = (inside(left, wide), inside(right, wide));
        let (top, bottom) = (inside(top, tall), inside(bottom, tall));
        for y in top..bottom {
            for x in left..right {
                self.picture.pixels[3 * (y * wide + x)..][..3].copy_from_slice(&colour);
            }
        }
    }

    /// Encodes it. `quality` 1..100. The file holds pixels alone: no EXIF, no place, no name.
    pub fn to_jpeg(&self, quality: u8) -> Result<Jpeg, RedactError> {
        let mut bytes = Vec::new();
        let FrameSize { width, height } = self.size();
        JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100))
            .encode(&self.picture.pixels, width, height, ExtendedColorType::Rgb8)
            .map_err(|error| RedactError::Encode(error.to_string()))?;
        Ok(Jpeg(bytes))
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redacted")
            .field("size", &self.size())
            .field("masks", &self.masks)
            .finish_non_exhaustive()
    }
}

/// An encoded still, fit to leave.
#[derive(Clone, PartialEq, Eq)]
pub struct Jpeg(Vec<u8>);

impl Jpeg {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Jpeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jpeg({} bytes)", self.0.len())
    }
}
