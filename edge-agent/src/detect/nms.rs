//! Of boxes that are one object, the best: greedy non-maximum suppression within each label.

use edge_core::Rect;

/// More candidates than this are cut to the best of them, so that a broken model cannot stall.
pub const MAX_CANDIDATES: usize = 3000;

/// One candidate box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Index into the model's labels.
    pub label: usize,
    /// 0..1
    pub confidence: f32,
    pub bbox: Rect,
}

/// Best first; equal scores in the order of label and place, so that the answer never depends on
/// the order of the input.
pub fn suppress(mut candidates: Vec<Scored>, iou: f32) -> Vec<Scored> {
    candidates.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then(a.label.cmp(&b.label))
            .then(a.bbox.left.total_cmp(&b.bbox.left))
            .then(a.bbox.top.total_cmp(&b.bbox.top))
            .then(a.bbox.width.total_cmp(&b.bbox.width))
            .then(a.bbox.height.total_cmp(&b.bbox.height))
    });
    candidates.truncate(MAX_CANDIDATES);
    let mut kept: Vec<Scored> = Vec::new();
    for candidate in candidates {
        let same = |k: &Scored| k.label == candidate.label && k.bbox.iou(&candidate.bbox) > iou;
        if !kept.iter().any(same) {
            kept.push(candidate);
        }
    }
    kept
}
