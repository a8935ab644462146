//! CenterFace's outputs: a heat map of face centres, and for each place the log of the box's size
//! and the centre's offset, rows first (Xu et al. 2019, CenterFace, section 3).

use edge_core::Rect;

use super::Scored;
use super::nms::MAX_CANDIDATES;

/// Tensor pixels to one place of the heat map.
pub const STRIDE: usize = 4;

/// Boxes in tensor pixels. `map` is the width and height of the heat map.
pub fn decode(
    heat: &[f32],
    scale: &[f32],
    offset: &[f32],
    map: (usize, usize),
    confidence: f32,
) -> Result<Vec<Scored>, String> {
    let (width, places) = (map.0, map.0 * map.1);
    if heat.len() != places || scale.len() != 2 * places || offset.len() != 2 * places {
        return Err(format!("{} values for {places} places", heat.len()));
    }
    let stride = STRIDE as f32;
    let mut found = Vec::new();
    for (at, &score) in heat.iter().enumerate() {
        if score < confidence || found.len() == 4 * MAX_CANDIDATES {
            continue;
        }
        let (row, column) = ((at / width) as f32, (at % width) as f32);
        let (h, w) = (scale[at].exp() * stride, scale[places + at].exp() * stride);
        let y = (row + offset[at] + 0.5) * stride;
        let x = (column + offset[places + at] + 0.5) * stride;
        if [x, y, w, h, score].iter().all(|v| v.is_finite()) {
            let bbox = Rect::new(x - w / 2.0, y - h / 2.0, w, h);
            found.push(Scored { label: 0, confidence: score.clamp(0.0, 1.0), bbox });
        }
    }
    Ok(found)
}
