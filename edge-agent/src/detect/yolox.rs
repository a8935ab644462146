//! YOLOX's output: for each cell of three grids x, y, width, height, object score, label scores.
//!
//! Centre = (value + cell) * stride, size = exp(value) * stride (Ge et al. 2021, YOLOX, section 2);
//! scores are already sigmoids.

use edge_core::Rect;

use super::Scored;

const STRIDES: [usize; 3] = [8, 16, 32];

/// Boxes in tensor pixels. What is not finite is dropped. `wanted` has one entry a label.
pub fn decode(
    values: &[f32],
    width: usize,
    height: usize,
    wanted: &[bool],
    confidence: f32,
) -> Result<Vec<Scored>, String> {
    let row_length = 5 + wanted.len();
    let cells: usize = STRIDES.iter().map(|stride| (width / stride) * (height / stride)).sum();
    if values.len() != cells * row_length {
        return Err(format!("{} values for {cells} cells of {row_length}", values.len()));
    }
    let mut found = Vec::new();
    let mut rows = values.chunks_exact(row_length);
    for stride in STRIDES {
        for cell_y in 0..height / stride {
            for (cell_x, row) in rows.by_ref().take(width / stride).enumerate() {
                // Scores of labels are at most 1: most cells end here.
                if row[4] >= confidence {
                    best(row, (cell_x, cell_y), stride, wanted, confidence, &mut found);
                }
            }
        }
    }
    Ok(found)
}

/// The best wanted label of a cell, if it is good enough.
fn best(
    row: &[f32],
    cell: (usize, usize),
    stride: usize,
    wanted: &[bool],
    confidence: f32,
    found: &mut Vec<Scored>,
) {
    let scores = row[5..].iter().zip(wanted).enumerate().filter(|(_, (_, wanted))| **wanted);
    let top = scores.map(|(label, (score, _))| (label, row[4] * score));
    let Some((label, score)) = top.reduce(|a, b| if b.1 > a.1 { b } else { a }) else { return };
    let stride = stride as f32;
    let (x, y) = ((row[0] + cell.0 as f32) * stride, (row[1] + cell.1 as f32) * stride);
    let (w, h) = (row[2].exp() * stride, row[3].exp() * stride);
    let finite = [x, y, w, h, score].iter().all(|v| v.is_finite());
    if finite && score >= confidence {
        let bbox = Rect::new(x - w / 2.0, y - h / 2.0, w, h);
        found.push(Scored { label, confidence: score.clamp(0.0, 1.0), bbox });
    }
}
