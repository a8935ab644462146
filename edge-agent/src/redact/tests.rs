//! Row P1: what is under a mask has no influence on the file, to the bit.

use edge_core::{FrameSize, Mask, MaskSource};
use proptest::prelude::*;

use super::*;
use crate::picture::{Chroma, Matrix, Planes};

const SIZE: FrameSize = FrameSize { width: 61, height: 45 };

#[derive(Debug)]
struct Frame {
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl Frame {
    fn picture(&self) -> Picture {
        let chroma = Chroma::Planar { u: &self.u, v: &self.v, stride: 31 };
        let (width, height) = (61, 45);
        let planes = Planes {
            width,
            height,
            y: &self.y,
            y_stride: 61,
            chroma,
            matrix: Matrix::Bt709,
            full_range: false,
        };
        Picture::from_planes(&planes).unwrap()
    }
}

fn frame() -> impl Strategy<Value = Frame> {
    let bytes = |n| proptest::collection::vec(any::<u8>(), n);
    (bytes(61 * 45), bytes(31 * 23), bytes(31 * 23)).prop_map(|(y, u, v)| Frame { y, u, v })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pixels_and_chroma_under_a_mask_do_not_reach_the_file(
        one in frame(), other in frame(), left in -5f32..60.0, top in -5f32..44.0, side in 0.5f32..40.0,
    ) {
        let Some(mask) = Mask::over(&Rect::new(left, top, side, side), SIZE, MaskSource::Face) else { return Ok(()) };
        let mut mixed = Frame { y: one.y.clone(), u: one.u.clone(), v: one.v.clone() };
        for y in mask.top as usize..(mask.top + mask.height) as usize {
            for x in mask.left as usize..(mask.left + mask.width) as usize {
                mixed.y[y * 61 + x] = other.y[y * 61 + x];
                mixed.u[y / 2 * 31 + x / 2] = other.u[y / 2 * 31 + x / 2];
                mixed.v[y / 2 * 31 + x / 2] = other.v[y / 2 * 31 + x / 2];
            }
        }
        let jpeg = |frame: &Frame| frame.picture().covered(vec![mask]).to_jpeg(85).unwrap();
        prop_assert!(jpeg(&one) == jpeg(&mixed));
    }
}

#[test]
fn a_change_beside_the_mask_does_reach_the_file() {
    let grey = Frame { y: vec![90; 61 * 45], u: vec![128; 31 * 23], v: vec![128; 31 * 23] };
    let mask = Mask::over(&Rect::new(8.0, 8.0, 8.0, 8.0), SIZE, MaskSource::Face).unwrap();
    let mut changed = Frame { y: grey.y.clone(), u: grey.u.clone(), v: grey.v.clone() };
    changed.y[8 * 61 + 16] = 255;
    let jpeg = |frame: &Frame| frame.picture().covered(vec![mask]).to_jpeg(85).unwrap();
    assert_ne!(jpeg(&grey), jpeg(&changed));
}

#[test]
fn the_file_carries_no_metadata() {
    let jpeg = Picture::from_rgb(16, 16, vec![120; 768]).unwrap().covered(Vec::new()).to_jpeg(80).unwrap();
    let bytes = jpeg.as_bytes();
    let mut at = 2;
    while bytes[at + 1] != 0xda {
        let marker = bytes[at + 1];
        // APP1..APP15 hold EXIF and the like, COM holds comments; APP0 is the plain JFIF header.
        assert!(!(0xe1..=0xef).contains(&marker) && marker != 0xfe, "segment {marker:x}");
        at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
    }
}

#[test]
fn a_picture_of_the_wrong_length_is_an_error() {
    assert!(Picture::from_rgb(2, 2, vec![0; 11]).is_err());
    assert!(Picture::from_rgb(0, 2, vec![]).is_err());
    assert!(Picture::from_rgb(usize::MAX, usize::MAX, vec![0; 3]).is_err());
}
