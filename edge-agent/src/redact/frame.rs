//! A live frame, open and then covered: planes, for a video encoder. Fields are private: what is not offered here
//! cannot be done.
//!
//! What is covered, `edge_core::live` decides; its `Cover` is for one frame, and covers no other.

use std::time::Duration;

use edge_core::FrameSize;
use edge_core::live::Cover;

use super::RedactError;
use crate::picture::{Chroma, Planes};
use crate::tensor::{TensorError, check_whole};

/// Luma and chroma of what lies over heads: the same grey as in stills.
const GREY: (u8, u8) = (98, 128);
/// A frame that is sent has at most so many pixels (1280 x 720: level 3.1, which every browser takes).
const MOST_PIXELS: usize = 1280 * 720;

/// A copy of a decoder's picture with open pixels, made small enough to be sent. It can be covered, and nothing else.
pub struct OpenFrame {
    at: Duration,
    planes: I420,
    /// How many times smaller than the decoder's.
    shrunk: usize,
}

/// A frame whose heads are covered.
pub struct CoveredFrame {
    at: Duration,
    planes: I420,
}

/// Three planes without gaps, sides even.
struct I420 {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl OpenFrame {
    /// `at`: its time on the stream's own line.
    pub fn from_planes(planes: &Planes, at: Duration) -> Result<Self, TensorError> {
        check_whole(planes)?;
        let shrunk = (1..).find(|n| (planes.width / n) * (planes.height / n) <= MOST_PIXELS).unwrap_or(1);
        let (width, height) = ((planes.width / shrunk) & !1, (planes.height / shrunk) & !1);
        if width == 0 || height == 0 {
            let (width, height) = (planes.width, planes.height);
            return Err(TensorError { width, height, reason: "too narrow to be sent" });
        }
        let mut bytes = vec![0; width * height * 3 / 2];
        let (luma, chroma) = bytes.split_at_mut(width * height);
        let (u, v) = chroma.split_at_mut(width * height / 4);
        shrink(planes.y, planes.y_stride, 1, luma, width, shrunk);
        match planes.chroma {
            Chroma::Planar { u: from_u, v: from_v, stride } => {
                shrink(from_u, stride, 1, u, width / 2, shrunk);
                shrink(from_v, stride, 1, v, width / 2, shrunk);
            }
            Chroma::Interleaved { uv, stride } => {
                shrink(uv, stride, 2, u, width / 2, shrunk);
                shrink(uv.get(1..).unwrap_or_default(), stride, 2, v, width / 2, shrunk);
            }
        }
        Ok(Self { at, planes: I420 { width, height, bytes }, shrunk })
    }

    pub fn at(&self) -> Duration {
        self.at
    }

    /// Fills what is to be covered. A cover of another frame is refused, and the picture is gone.
    pub fn covered(self, cover: &Cover) -> Result<CoveredFrame, RedactError> {
        if cover.at() != self.at {
            return Err(RedactError::OtherFrame);
        }
        let Self { at, mut planes, shrunk } = self;
        let (width, height) = (planes.width, planes.height);
        let size = FrameSize { width: width as u32, height: height as u32 };
        let (luma, chroma) = planes.bytes.split_at_mut(width * height);
        let (u, v) = chroma.split_at_mut(width * height / 4);
        for mask in cover.masks(size, shrunk as f32) {
            // Sides are even: no chroma sample lies half under a mask.
            let [left, top, wide, tall] =
                [mask.left, mask.top, mask.width, mask.height].map(|side| side as usize);
            fill(luma, width, [left, top, wide, tall], GREY.0);
            fill(u, width / 2, [left / 2, top / 2, wide / 2, tall / 2], GREY.1);
            fill(v, width / 2, [left / 2, top / 2, wide / 2, tall / 2], GREY.1);
        }
        Ok(CoveredFrame { at, planes })
    }
}

impl CoveredFrame {
    pub fn at(&self) -> Duration {
        self.at
    }

    pub fn size(&self) -> FrameSize {
        FrameSize { width: self.planes.width as u32, height: self.planes.height as u32 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.planes.bytes
    }
}

/// Each sample is the mean of `by` x `by` of the source's, which lie `step` bytes apart. The source was checked to be
/// whole.
fn shrink(from: &[u8], stride: usize, step: usize, to: &mut [u8], width: usize, by: usize) {
    for (row, line) in to.chunks_exact_mut(width).enumerate() {
        if by == 1 {
            let from = from.get(row * stride..).unwrap_or_default();
            for (to, from) in line.iter_mut().zip(from.iter().step_by(step)) {
                *to = *from;
            }
            continue;
        }
        for (column, to) in line.iter_mut().enumerate() {
            let mut sum = 0;
            for y in 0..by {
                let begin = (row * by + y) * stride + column * by * step;
                let samples = from.get(begin..).unwrap_or_default().iter().step_by(step).take(by);
                sum += samples.map(|s| u32::from(*s)).sum::<u32>();
            }
            *to = (sum / (by * by) as u32) as u8;
        }
    }
}

fn fill(plane: &mut [u8], width: usize, [left, top, wide, tall]: [usize; 4], with: u8) {
    for row in plane.chunks_exact_mut(width).skip(top).take(tall) {
        row[left..left + wide].fill(with);
    }
}

#[cfg(test)]
mod tests {
    use edge_core::Rect;
    use edge_core::live::{Covering, Input, Verdict};

    use super::*;
    use crate::picture::Matrix;

    fn cover(at: Duration, persons: &[Rect]) -> Cover {
        let mut covering = Covering::new(false);
        covering.handle(Input::Frame { at });
        covering.handle(Input::Analysed { at, persons });
        covering.handle(Input::Analysed { at: at + Duration::from_millis(200), persons: &[] });
        match covering.poll() {
            Some(Verdict::Show(cover)) => cover,
            other => panic!("{other:?}"),
        }
    }

    fn open(width: usize, height: usize, luma: &dyn Fn(usize, usize) -> u8, interleaved: bool) -> OpenFrame {
        let y: Vec<u8> = (0..width * height).map(|n| luma(n % width, n / width)).collect();
        let (half, rows) = (width.div_ceil(2), height.div_ceil(2));
        let (u, v) = (vec![10; half * rows], vec![20; half * rows]);
        let uv = [10, 20].repeat(half * rows);
        let chroma = match interleaved {
            true => Chroma::Interleaved { uv: &uv, stride: 2 * half },
            false => Chroma::Planar { u: &u, v: &v, stride: half },
        };
        let (matrix, full_range) = (Matrix::Bt601, false);
        let planes = Planes { width, height, y: &y, y_stride: width, chroma, matrix, full_range };
        OpenFrame::from_planes(&planes, Duration::ZERO).unwrap()
    }

    /// Of what lies under a mask nothing is left, whatever it was; and nothing else changes.
    #[test]
    fn covered_pixels_do_not_depend_on_what_was_there() {
        let person = Rect::new(30.0, 20.0, 20.0, 50.0);
        for interleaved in [false, true] {
            let dark =
                open(101, 91, &|_, _| 16, interleaved).covered(&cover(Duration::ZERO, &[person])).unwrap();
            let size = dark.size();
            assert_eq!((size.width, size.height), (100, 90));
            let under = |x: usize, y: usize| {
                let masks = cover(Duration::ZERO, &[person]).masks(size, 1.0);
                masks.iter().any(|m| {
                    (m.left..m.left + m.width).contains(&(x as u32))
                        && (m.top..m.top + m.height).contains(&(y as u32))
                })
            };
            let other = open(101, 91, &|x, y| if under(x, y) { 235 } else { 16 }, interleaved);
            let other = other.covered(&cover(Duration::ZERO, &[person])).unwrap();
            assert!(dark.bytes() == other.bytes());
            let grey = dark.bytes()[..9000].iter().filter(|luma| **luma == GREY.0).count();
            assert!((400..2000).contains(&grey), "{grey}");
            assert_eq!((dark.bytes()[9000], dark.bytes()[9000 + 2250]), (10, 20));
        }
    }

    #[test]
    fn a_large_picture_is_shrunk_and_its_masks_with_it() {
        let person = Rect::new(900.0, 300.0, 100.0, 300.0);
        let open = open(1920, 1080, &|x, _| if x % 2 == 0 { 100 } else { 50 }, false);
        let covered = open.covered(&cover(Duration::ZERO, &[person])).unwrap();
        assert_eq!((covered.size().width, covered.size().height), (960, 540));
        assert_eq!((covered.bytes()[0], covered.bytes()[170 * 960 + 475]), (75, GREY.0));
    }

    #[test]
    fn a_cover_of_another_frame_covers_nothing() {
        let other = cover(Duration::from_millis(100), &[]);
        let refused = open(64, 64, &|_, _| 16, false).covered(&other);
        assert!(matches!(refused, Err(RedactError::OtherFrame)));
    }
}
