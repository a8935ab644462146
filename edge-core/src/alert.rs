//! From a finding to the body of a record on the wire. The one place where the core's own types and
//! the protocol's meet.

use protocol::{Body, BoundingBox, CameraId, Raised, Still};

use crate::rules::Finding;
use crate::{FrameSize, Rect};

/// The record of a finding that was raised. `still`: what is known of its picture by now.
pub fn raised(finding: &Finding, camera: &CameraId, size: FrameSize, still: Still) -> Body {
    Body::Raised(Raised {
        camera: camera.clone(),
        kind: finding.kind,
        rule: finding.rule.clone(),
        rule_name: finding.rule_name.clone(),
        severity: finding.severity,
        direction: finding.direction,
        track: Some(finding.track),
        object_class: Some(finding.class),
        confidence: Some(finding.confidence),
        bounding_box: normalised(&finding.bbox, size),
        still,
        test: false,
    })
}

/// The record of a finding that ended; `raised_seq` is the sequence number that its `Raised` was given.
pub fn ended(raised_seq: u64) -> Body {
    Body::Ended { of_seq: raised_seq }
}

/// The part of a box inside the picture, as shares of it; none if it lies outside.
fn normalised(bbox: &Rect, size: FrameSize) -> Option<BoundingBox> {
    let inside = bbox.clipped(size)?;
    let (w, h) = (size.width as f32, size.height as f32);
    Some(BoundingBox {
        left: inside.left / w,
        top: inside.top / h,
        width: inside.width / w,
        height: inside.height / h,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_over_the_edge_is_cut_to_the_picture() {
        let size = FrameSize { width: 200, height: 100 };
        let cut = normalised(&Rect::new(-20.0, 50.0, 120.0, 80.0), size).unwrap();
        assert_eq!(cut, BoundingBox { left: 0.0, top: 0.5, width: 0.5, height: 0.5 });
        assert_eq!(normalised(&Rect::new(300.0, 0.0, 10.0, 10.0), size), None);
    }
}
