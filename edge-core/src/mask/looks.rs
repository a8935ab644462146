//! Where persons are looked for again, enlarged: squares around the persons that one look found.
//!
//! Of two persons in one line of sight, one behind the other, a detector that sees the whole picture
//! finds one box; enlarged it finds both. Pure geometry: looking is the agent's.

use super::{Mask, MaskSource};
use crate::geometry::{FrameSize, Rect};

/// A square's side, in heights of its tallest person: room around, and a rough doubling for persons of
/// a seventh of the picture. Measured: 1.8 to 3.2 do alike.
const SIDE: f32 = 2.2;
/// Persons share a square that fill at most this share of its side.
const FILL: f32 = 0.9;
/// Of persons in one square, the tallest is at most this much taller than the others.
const UNLIKE: f32 = 1.5;
/// A square is at least this share of the picture's longer side: beyond that there is nothing more to see.
const LEAST: f32 = 0.13;
/// At least so much larger than in the whole picture, or another look shows nothing new.
const ENLARGED: f32 = 1.2;

/// What to look at again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Looks {
    /// In whole pixels, inside the picture.
    pub areas: Vec<Mask>,
    /// Persons for whom no look was left: what is hidden in their boxes stays unknown.
    pub unseen: Vec<Rect>,
}

/// At most `most` looks, from left to right, so that the same persons always give the same looks.
pub fn looks(persons: &[Rect], size: FrameSize, most: usize) -> Looks {
    let whole = size.width.max(size.height) as f32;
    let mut waiting: Vec<Rect> = persons.iter().filter_map(|p| p.clipped(size)).collect();
    waiting.sort_by(|a, b| a.left.total_cmp(&b.left).then(a.top.total_cmp(&b.top)));
    let mut looks = Looks::default();
    while let Some(first) = waiting.first().copied() {
        if looks.areas.len() == most {
            looks.unseen = waiting;
            break;
        }
        let (mut group, mut long) = (first, long_side(&first));
        let mut index = 0;
        waiting.retain(|person| {
            index += 1;
            let both = union(&group, person);
            let longest = long.max(long_side(person));
            let alike = longest <= UNLIKE * long.min(long_side(person));
            let fits = long_side(&both) <= FILL * side(longest, whole);
            if index > 1 && !(alike && fits) {
                return true;
            }
            (group, long) = (both, longest);
            false
        });
        let side = side(long, whole);
        if side * ENLARGED <= whole {
            looks.areas.extend(Mask::over(&around(&group, side, size), size, MaskSource::Head));
        }
    }
    looks
}

fn long_side(of: &Rect) -> f32 {
    of.width.max(of.height)
}

fn side(long: f32, whole: f32) -> f32 {
    (SIDE * long).max(LEAST * whole)
}

fn union(a: &Rect, b: &Rect) -> Rect {
    let (right, bottom) = (a.right().max(b.right()), a.bottom().max(b.bottom()));
    Rect::from_corners(a.left.min(b.left), a.top.min(b.top), right, bottom)
}

/// A square around a box, moved into the picture; where it is larger than the picture, cut.
fn around(group: &Rect, side: f32, size: FrameSize) -> Rect {
    let centre = group.center();
    let begin = |at: f32, length: u32| (at - side / 2.0).min(length as f32 - side).max(0.0);
    Rect::new(begin(centre.x, size.width), begin(centre.y, size.height), side, side)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: FrameSize = FrameSize { width: 768, height: 576 };

    proptest! {
        #[test]
        fn every_person_lies_in_a_look_or_is_called_unseen(
            boxes in proptest::collection::vec((-50f32..800.0, -50f32..600.0, 1f32..120.0, 1f32..250.0), 0..40),
            most in 0usize..10,
        ) {
            let persons: Vec<Rect> = boxes.iter().map(|b| Rect::new(b.0, b.1, b.2, b.3)).collect();
            let looks = looks(&persons, SIZE, most);
            prop_assert!(looks.areas.len() <= most);
            for person in persons.iter().filter_map(|p| p.clipped(SIZE)) {
                let inside = |m: &Mask| {
                    m.left as f32 <= person.left && person.right() <= (m.left + m.width) as f32
                        && m.top as f32 <= person.top && person.bottom() <= (m.top + m.height) as f32
                };
                prop_assert!(looks.areas.iter().any(inside) || looks.unseen.contains(&person), "{person:?}");
            }
        }
    }

    #[test]
    fn neighbours_share_a_look_and_a_person_as_large_as_the_picture_needs_none() {
        let person = |left, height: f32| Rect::new(left, 200.0, height * 0.4, height);
        let near = looks(&[person(100.0, 80.0), person(140.0, 85.0), person(600.0, 80.0)], SIZE, 9);
        assert_eq!((near.areas.len(), near.unseen.len()), (2, 0));
        let large = looks(&[Rect::new(100.0, 20.0, 250.0, 550.0)], SIZE, 9);
        assert_eq!((large.areas.len(), large.unseen.len()), (0, 0));
    }

    #[test]
    fn boxes_that_are_no_numbers_do_no_harm() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38] {
            looks(&[Rect::new(bad, 0.0, 5.0, 5.0), Rect::new(0.0, 0.0, bad, bad)], SIZE, 3);
        }
    }
}
