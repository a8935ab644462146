//! Where a box is and where it will be.

use super::kalman::{Moving, Slow};
use crate::Rect;

/// A box's filtered course: its centre moves, its size changes slowly. All noise scales with the
/// box's height: what is far away is small, moves few pixels and is measured to few pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    x: Moving,
    y: Moving,
    width: Slow,
    height: Slow,
}

/// Deviation of a detected centre, as a share of the height.
const CENTER_SIGMA: f32 = 0.05;
/// Deviation of a detected width or height, as a share of the height.
const SIZE_SIGMA: f32 = 0.1;
/// Deviation of an unknown velocity, in heights a second: a brisk walk.
const START_SPEED_SIGMA: f32 = 0.7;
/// How freely the velocity changes, in heights/s for each root second.
const TURN_SIGMA: f32 = 0.8;
/// How freely the size changes, as a share of the height for each root second.
const GROWTH_SIGMA: f32 = 0.2;
/// An unseen object's velocity falls to 1/e in this many seconds: nobody walks straight for ever.
const SPEED_MEMORY_S: f32 = 1.5;
/// Boxes are at least this high and wide, in pixels.
const LEAST_SIZE: f32 = 1.0;

impl Motion {
    pub fn new(bbox: &Rect) -> Self {
        let (center, h) = (bbox.center(), bbox.height.max(LEAST_SIZE));
        Self {
            x: Moving::new(center.x, CENTER_SIGMA * h, START_SPEED_SIGMA * h),
            y: Moving::new(center.y, CENTER_SIGMA * h, START_SPEED_SIGMA * h),
            width: Slow::new(bbox.width, SIZE_SIGMA * h),
            height: Slow::new(bbox.height, SIZE_SIGMA * h),
        }
    }

    /// Goes on by `dt` seconds. `seen`: whether the object was seen at the start of them.
    pub fn predict(&mut self, dt: f32, seen: bool) {
        let h = self.height.value.max(LEAST_SIZE);
        let turn = (TURN_SIGMA * h).powi(2);
        for axis in [&mut self.x, &mut self.y] {
            axis.predict(dt, turn);
            if !seen {
                axis.velocity *= (-dt / SPEED_MEMORY_S).exp();
            }
        }
        let growth = (GROWTH_SIGMA * h).powi(2);
        self.width.predict(dt, growth);
        self.height.predict(dt, growth);
    }

    /// Takes a detection in. The less confident, the less it counts (after Du et al., "StrongSORT", 2023).
    pub fn update(&mut self, bbox: &Rect, confidence: f32) {
        let h = self.height.value.max(LEAST_SIZE);
        let doubt = 1.5 - confidence.clamp(0.0, 1.0);
        let center = bbox.center();
        self.x.update(center.x, CENTER_SIGMA * h * doubt);
        self.y.update(center.y, CENTER_SIGMA * h * doubt);
        self.width.update(bbox.width, SIZE_SIGMA * h * doubt);
        self.height.update(bbox.height, SIZE_SIGMA * h * doubt);
    }

    pub fn bbox(&self) -> Rect {
        let (w, h) = (self.width.value.max(LEAST_SIZE), self.height.value.max(LEAST_SIZE));
        Rect::new(self.x.position - w / 2.0, self.y.position - h / 2.0, w, h)
    }
}
