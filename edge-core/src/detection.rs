//! What a detector says of one frame.

use protocol::ObjectClass;

use crate::geometry::Rect;

/// One object in one frame, in the pixels of the source picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    pub class: ObjectClass,
    /// 0..1
    pub confidence: f32,
    pub bbox: Rect,
}
