//! Closed areas of a picture: zones, exclusions.

use crate::{FrameSize, Point, Rect};

/// An area bounded by straight edges, in the units of its corners. The last corner joins the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    corners: Vec<Point>,
}

impl Polygon {
    /// `None` unless there are three corners or more, all finite, that enclose something.
    pub fn new(corners: Vec<Point>) -> Option<Self> {
        let polygon = Self { corners };
        (polygon.corners.len() >= 3 && polygon.area() > 0.0).then_some(polygon)
    }

    /// Whether a point lies inside; the edges belong to one side only. Even-odd rule.
    pub fn contains(&self, p: Point) -> bool {
        self.edges().filter(|(a, b)| crosses_ray(*a, *b, p)).count() % 2 == 1
    }

    /// The enclosed area. By the shoelace formula: an outline that crosses itself counts less.
    pub fn area(&self) -> f32 {
        self.edges().map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f32>().abs() / 2.0
    }

    /// The share of a box that lies inside, 0..1, by sampling.
    pub fn share_of(&self, bbox: &Rect) -> f32 {
        const STEPS: usize = 8;
        let at = |from: f32, size: f32, i: usize| from + size * (i as f32 + 0.5) / STEPS as f32;
        let inside = (0..STEPS * STEPS)
            .filter(|i| {
                let x = at(bbox.left, bbox.width, i % STEPS);
                let y = at(bbox.top, bbox.height, i / STEPS);
                self.contains(Point { x, y })
            })
            .count();
        inside as f32 / (STEPS * STEPS) as f32
    }

    /// From normalised corners (0..1) to pixels.
    pub fn to_pixels(&self, size: FrameSize) -> Self {
        Self { corners: self.corners.iter().map(|p| p.to_pixels(size)).collect() }
    }

    fn edges(&self) -> impl Iterator<Item = (Point, Point)> + '_ {
        let next = self.corners.iter().cycle().skip(1);
        self.corners.iter().copied().zip(next.copied())
    }
}

/// Whether the ray from `p` to the right meets the edge `a`-`b`.
fn crosses_ray(a: Point, b: Point, p: Point) -> bool {
    (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(corners: &[(f32, f32)]) -> Option<Polygon> {
        Polygon::new(corners.iter().map(|&(x, y)| Point { x, y }).collect())
    }

    #[test]
    fn a_dent_is_outside() {
        let dented = polygon(&[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0)]).unwrap();
        assert!(dented.contains(Point { x: 0.5, y: 2.0 }));
        assert!(!dented.contains(Point { x: 2.0, y: 2.0 }));
        assert!(!dented.contains(Point { x: f32::NAN, y: 2.0 }));
    }

    #[test]
    fn the_share_of_a_box_counts_what_is_inside() {
        let left_half = polygon(&[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]).unwrap();
        let pixels = left_half.to_pixels(FrameSize { width: 100, height: 80 });
        assert_eq!(pixels.share_of(&Rect::new(0.0, 0.0, 100.0, 80.0)), 0.5);
        assert_eq!(pixels.share_of(&Rect::new(10.0, 10.0, 20.0, 20.0)), 1.0);
        assert_eq!(pixels.share_of(&Rect::new(60.0, 10.0, 20.0, 20.0)), 0.0);
    }

    #[test]
    fn what_encloses_nothing_is_no_polygon() {
        assert_eq!(polygon(&[(0.0, 0.0), (1.0, 1.0)]), None);
        assert_eq!(polygon(&[(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)]), None);
        assert_eq!(polygon(&[(0.0, 0.0), (1.0, f32::NAN), (1.0, 1.0)]), None);
    }
}
