//! RGB pixels, scaled with the arithmetic of OpenCV's bilinear resize of bytes: 11-bit weights,
//! first along the row, then between rows, each with its own rounding.

use super::{Letterbox, RgbView};

const ONE: f32 = 2048.0;

/// One side's samples: left neighbour, right neighbour, their weights (sum 2048).
#[derive(Debug, Default, Clone, Copy)]
struct Tap {
    near: usize,
    far: usize,
    weight_near: i32,
    weight_far: i32,
}

#[derive(Default)]
pub struct Scaler {
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    key: (usize, usize, usize, usize),
    /// Two source rows, scaled along the row, and which they are.
    blended: [Vec<i32>; 2],
    held: [usize; 2],
}

impl Scaler {
    /// Scales into the top left of the three planes of `pitch` values a row.
    pub fn scale(
        &mut self,
        picture: &RgbView,
        fit: &Letterbox,
        pitch: usize,
        red: &mut [f32],
        green: &mut [f32],
        blue: &mut [f32],
    ) {
        let key = (picture.width, picture.height, fit.width, fit.height);
        if self.key != key {
            self.columns = taps(picture.width, fit.width);
            self.rows = taps(picture.height, fit.height);
            self.blended = [vec![0; 3 * fit.width], vec![0; 3 * fit.width]];
            self.key = key;
        }
        self.held = [usize::MAX; 2];
        for y in 0..fit.height {
            let tap = self.rows[y];
            let near = self.row(picture, tap.near, tap.far);
            let far = self.row(picture, tap.far, tap.near);
            let (near, far) = (&self.blended[near], &self.blended[far]);
            let at = y * pitch..y * pitch + fit.width;
            let (red, green, blue) = (&mut red[at.clone()], &mut green[at.clone()], &mut blue[at]);
            for x in 0..fit.width {
                let value = |channel: usize| {
                    let (a, b) = (near[3 * x + channel], far[3 * x + channel]);
                    let sum = ((tap.weight_near * (a >> 4)) >> 16) + ((tap.weight_far * (b >> 4)) >> 16);
                    ((sum + 2) >> 2).clamp(0, 255) as f32
                };
                (red[x], green[x], blue[x]) = (value(0), value(1), value(2));
            }
        }
    }

    /// Which of the two buffers holds this source row, scaled; it must not displace `keep`.
    fn row(&mut self, picture: &RgbView, row: usize, keep: usize) -> usize {
        if let Some(slot) = self.held.iter().position(|held| *held == row) {
            return slot;
        }
        let slot = usize::from(self.held[0] == keep);
        let source = &picture.pixels[row * picture.stride..][..3 * picture.width];
        for (tap, out) in self.columns.iter().zip(self.blended[slot].as_chunks_mut::<3>().0) {
            let (near, far) = (&source[3 * tap.near..][..3], &source[3 * tap.far..][..3]);
            for channel in 0..3 {
                out[channel] =
                    i32::from(near[channel]) * tap.weight_near + i32::from(far[channel]) * tap.weight_far;
            }
        }
        self.held[slot] = row;
        slot
    }
}

/// Pixel centres on pixel centres; the edges repeat.
fn taps(source: usize, target: usize) -> Vec<Tap> {
    let scale = 1.0 / (target as f64 / source as f64);
    (0..target)
        .map(|index| {
            let centre = ((index as f64 + 0.5) * scale - 0.5) as f32;
            let floor = centre.floor();
            let (near, part) = match floor as i64 {
                below if below < 0 => (0, 0.0),
                at if at as usize >= source - 1 => (source - 1, 0.0),
                at => (at as usize, centre - floor),
            };
            Tap {
                near,
                far: (near + 1).min(source - 1),
                weight_near: ((1.0 - part) * ONE).round_ties_even() as i32,
                weight_far: (part * ONE).round_ties_even() as i32,
            }
        })
        .collect()
}
