//! What is covered in a still: the geometry of masks, pure. Finding faces and filling pixels is the
//! agent's.

mod looks;

pub use looks::{Looks, looks};

use crate::geometry::{FrameSize, Rect};

/// How much a face's box grows, half of it on each side.
pub const FACE_GROWTH: f32 = 0.3;

/// Why a part of a still is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MaskSource {
    /// A face was found there.
    Face,
    /// A person was found, and the head is there; distant faces are too small for any model.
    Head,
}

impl MaskSource {
    pub fn as_str(self) -> &'static str {
        match self {
            MaskSource::Face => "face",
            MaskSource::Head => "head",
        }
    }
}

/// A covered part of a still, in whole pixels. Its edges are even, or the picture's own, so that no
/// chroma sample lies half under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
    pub source: MaskSource,
}

impl Mask {
    /// The smallest mask over a box, or none when the box is outside the picture.
    pub fn over(area: &Rect, size: FrameSize, source: MaskSource) -> Option<Self> {
        let inside = area.clipped(size)?;
        // Casts of floats saturate, so nothing wraps whatever the box is.
        let left = inside.left.floor() as u32 & !1;
        let top = inside.top.floor() as u32 & !1;
        let right = (inside.right().ceil() as u32).next_multiple_of(2).min(size.width);
        let bottom = (inside.bottom().ceil() as u32).next_multiple_of(2).min(size.height);
        (right > left && bottom > top).then(|| Self {
            left,
            top,
            width: right - left,
            height: bottom - top,
            source,
        })
    }

    /// The mask over a face.
    pub fn over_face(face: &Rect, size: FrameSize) -> Option<Self> {
        Self::over(&face.grown(FACE_GROWTH), size, MaskSource::Face)
    }

    /// The mask over the head of a person's box.
    pub fn over_head(person: &Rect, size: FrameSize) -> Option<Self> {
        Self::over(&head_region(person), size, MaskSource::Head)
    }
}

/// Where the head of a person is: the upper end of the box over its whole width, since people lean.
///
/// A standing person's head is about an eighth of the height and the box about 2.5 times as high as
/// wide; of a person cut off at the chest the head is half the box. Six tenths of the shorter side
/// hold both, with room; a twentieth of the height is added above, since boxes cut hair and hats.
pub fn head_region(person: &Rect) -> Rect {
    let head = (0.6 * person.width.min(person.height)).max(0.2 * person.height);
    let above = 0.05 * person.height;
    Rect::new(person.left, person.top - above, person.width, head + above)
}

/// Where to look for a person's face more closely: the head region with room around it.
pub fn face_search_region(person: &Rect) -> Rect {
    head_region(person).grown(0.4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: FrameSize = FrameSize { width: 101, height: 51 };

    proptest! {
        #[test]
        fn masks_cover_their_box_and_cut_no_chroma_sample(
            left in -50f32..150.0, top in -50f32..100.0, width in 0f32..80.0, height in 0f32..80.0,
        ) {
            let area = Rect::new(left, top, width, height);
            let mask = Mask::over(&area, SIZE, MaskSource::Face);
            prop_assert_eq!(mask.is_some(), area.clipped(SIZE).is_some());
            let (Some(mask), Some(inside)) = (mask, area.clipped(SIZE)) else { return Ok(()) };
            let (right, bottom) = (mask.left + mask.width, mask.top + mask.height);
            prop_assert!(mask.left as f32 <= inside.left && inside.right() <= right as f32);
            prop_assert!(mask.top as f32 <= inside.top && inside.bottom() <= bottom as f32);
            prop_assert!(mask.left % 2 == 0 && mask.top % 2 == 0);
            prop_assert!(right % 2 == 0 || right == SIZE.width);
            prop_assert!(bottom % 2 == 0 || bottom == SIZE.height);
        }
    }

    #[test]
    fn a_box_that_is_no_number_covers_nothing_or_all_and_never_fails() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38] {
            for area in [Rect::new(bad, 0.0, 5.0, 5.0), Rect::new(0.0, 0.0, bad, bad)] {
                if let Some(mask) = Mask::over_head(&area, SIZE) {
                    assert!(mask.left + mask.width <= SIZE.width && mask.top + mask.height <= SIZE.height);
                }
            }
        }
    }

    #[test]
    fn the_head_is_at_the_top_of_a_standing_person_and_most_of_a_bust() {
        let standing = head_region(&Rect::new(10.0, 100.0, 40.0, 100.0));
        assert_eq!((standing.top, standing.bottom()), (95.0, 124.0));
        let bust = head_region(&Rect::new(0.0, 0.0, 100.0, 100.0));
        assert!(bust.bottom() >= 60.0);
    }
}
