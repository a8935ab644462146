//! Points and boxes in a picture, in pixels, origin top left.

/// A picture's size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSize {
    pub width: u32,
    pub height: u32,
}

/// A point. In pixels, unless its name says that it is normalised (0..1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

impl Point {
    /// From normalised (0..1) to pixels.
    pub fn to_pixels(self, size: FrameSize) -> Self {
        Self { x: self.x * size.width as f32, y: self.y * size.height as f32 }
    }

    pub fn distance(self, other: Point) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// An upright box in pixels. `width` and `height` are never negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

impl Rect {
    pub fn new(left: f32, top: f32, width: f32, height: f32) -> Self {
        Self { left, top, width: width.max(0.0), height: height.max(0.0) }
    }

    pub fn from_corners(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self::new(left, top, right - left, bottom - top)
    }

    pub fn right(&self) -> f32 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f32 {
        self.top + self.height
    }

    pub fn area(&self) -> f32 {
        self.width * self.height
    }

    pub fn center(&self) -> Point {
        Point { x: self.left + self.width / 2.0, y: self.top + self.height / 2.0 }
    }

    /// Where an object stands: the middle of the lower edge.
    pub fn foot(&self) -> Point {
        Point { x: self.left + self.width / 2.0, y: self.bottom() }
    }

    /// The part that both have, if any.
    pub fn intersection(&self, other: &Rect) -> Option<Rect> {
        let left = self.left.max(other.left);
        let top = self.top.max(other.top);
        let right = self.right().min(other.right());
        let bottom = self.bottom().min(other.bottom());
        (right > left && bottom > top).then(|| Rect::from_corners(left, top, right, bottom))
    }

    /// Intersection over union, 0..1.
    pub fn iou(&self, other: &Rect) -> f32 {
        let both = self.intersection(other).map_or(0.0, |r| r.area());
        let either = self.area() + other.area() - both;
        if either > 0.0 { both / either } else { 0.0 }
    }

    /// The part inside a picture, if any.
    pub fn clipped(&self, size: FrameSize) -> Option<Rect> {
        self.intersection(&Rect::new(0.0, 0.0, size.width as f32, size.height as f32))
    }

    /// Grown by this share of its size, half of it on each side.
    pub fn grown(&self, share: f32) -> Rect {
        let (dx, dy) = (self.width * share / 2.0, self.height * share / 2.0);
        Rect::from_corners(self.left - dx, self.top - dy, self.right() + dx, self.bottom() + dy)
    }
}
