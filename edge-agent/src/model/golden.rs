//! The golden picture: drawn from integers alone, here and in `models/golden.py` alike.

use super::card::{Colour, Golden};

/// The picture as the model's input: planes in the model's order, values 0..255.
///
/// Background of channel c (0 red, 1 green, 2 blue): ((5x + 3y + 40c) mod 64) + 80; over it the
/// card's ellipses, a pixel being inside when (x-cx)^2 ry^2 + (y-cy)^2 rx^2 <= rx^2 ry^2.
pub fn draw(golden: &Golden, colour: Colour) -> Vec<f32> {
    let (width, height) = (golden.width, golden.height);
    let mut planes = vec![0.0; 3 * width * height];
    for y in 0..height {
        for x in 0..width {
            let rgb = pixel(golden, x as i64, y as i64);
            for (channel, value) in rgb.into_iter().enumerate() {
                let plane = if colour == Colour::Rgb { channel } else { 2 - channel };
                planes[(plane * height + y) * width + x] = value as f32;
            }
        }
    }
    planes
}

fn pixel(golden: &Golden, x: i64, y: i64) -> [i64; 3] {
    let inside = |&&[cx, cy, rx, ry, ..]: &&[i64; 7]| {
        (x - cx).pow(2) * ry.pow(2) + (y - cy).pow(2) * rx.pow(2) <= rx.pow(2) * ry.pow(2)
    };
    match golden.ellipses.iter().rev().find(inside) {
        Some(&[.., red, green, blue]) => [red, green, blue],
        None => [0, 1, 2].map(|channel| (5 * x + 3 * y + 40 * channel) % 64 + 80),
    }
}
