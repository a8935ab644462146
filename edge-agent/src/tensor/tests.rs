//! Against a plain double-precision oracle.

use proptest::prelude::*;

use super::*;
use crate::picture::{Chroma, Matrix};

fn bilinear(source: &dyn Fn(usize, usize) -> f64, width: usize, height: usize, x: f64, y: f64) -> f64 {
    let (x, y) = (x.clamp(0.0, (width - 1) as f64), y.clamp(0.0, (height - 1) as f64));
    let (x0, y0) = (x.floor() as usize, y.floor() as usize);
    let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
    let (fx, fy) = (x - x.floor(), y - y.floor());
    (source(x0, y0) * (1.0 - fx) + source(x1, y0) * fx) * (1.0 - fy)
        + (source(x0, y1) * (1.0 - fx) + source(x1, y1) * fx) * fy
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rgb_is_within_one_of_the_oracle(
        seed in any::<u64>(), w in 1usize..90, h in 1usize..90, side in 1usize..70, extra in 0usize..9,
    ) {
        let stride = 3 * w + extra;
        let pixels = noise(seed, stride * h);
        let view = RgbView { width: w, height: h, stride, pixels: &pixels };
        let mut tensor = InputTensor::new(side, side + 3, Colour::Bgr, 114);
        let fit = tensor.fill_rgb(&view).unwrap();
        for y in 0..side + 3 {
            for x in 0..side {
                for channel in 0..3 {
                    let got = f64::from(tensor.values()[((2 - channel) * (side + 3) + y) * side + x]);
                    if x >= fit.width || y >= fit.height {
                        prop_assert_eq!(got, 114.0);
                        continue;
                    }
                    let source = |x: usize, y: usize| f64::from(pixels[y * stride + 3 * x + channel]);
                    let sx = (x as f64 + 0.5) * w as f64 / fit.width as f64 - 0.5;
                    let sy = (y as f64 + 0.5) * h as f64 / fit.height as f64 - 0.5;
                    prop_assert!((got - bilinear(&source, w, h, sx, sy)).abs() <= 1.0);
                }
            }
        }
    }

    #[test]
    fn planes_are_within_three_of_the_oracle(
        seed in any::<u64>(), w in 1usize..90, h in 1usize..90, side in 1usize..70,
        full_range in any::<bool>(), hd in any::<bool>(), pairs in any::<bool>(),
    ) {
        let (hw, hh) = (w.div_ceil(2), h.div_ceil(2));
        let (y_stride, stride) = (w + 5, if pairs { 2 * hw + 3 } else { hw + 3 });
        let luma = noise(seed, y_stride * h);
        let (u, v) = (noise(seed ^ 77, stride * hh), noise(seed ^ 99, stride * hh));
        let chroma = if pairs { Chroma::Interleaved { uv: &u, stride } } else { Chroma::Planar { u: &u, v: &v, stride } };
        let matrix = if hd { Matrix::Bt709 } else { Matrix::Bt601 };
        let picture = Planes { width: w, height: h, y: &luma, y_stride, chroma, matrix, full_range };
        let mut tensor = InputTensor::new(side, side, Colour::Rgb, 114);
        let fit = tensor.fill_planes(&picture).unwrap();
        let (kr, kb) = if hd { (0.2126, 0.0722) } else { (0.299, 0.114) };
        for y in 0..fit.height {
            for x in 0..fit.width {
                let sx = (x as f64 + 0.5) * w as f64 / fit.width as f64;
                let sy = (y as f64 + 0.5) * h as f64 / fit.height as f64;
                let at = |plane: &dyn Fn(usize, usize) -> f64| bilinear(plane, hw, hh, sx / 2.0 - 0.5, sy / 2.0 - 0.5);
                let mut l = bilinear(&|x, y| f64::from(luma[y * y_stride + x]), w, h, sx - 0.5, sy - 0.5);
                let mut cb = at(&|x, y| f64::from(if pairs { u[y * stride + 2 * x] } else { u[y * stride + x] })) - 128.0;
                let mut cr = at(&|x, y| f64::from(if pairs { u[y * stride + 2 * x + 1] } else { v[y * stride + x] })) - 128.0;
                if !full_range {
                    l = (l - 16.0) * 255.0 / 219.0;
                    cb *= 255.0 / 224.0;
                    cr *= 255.0 / 224.0;
                }
                let red = l + 2.0 * (1.0 - kr) * cr;
                let blue = l + 2.0 * (1.0 - kb) * cb;
                let green = (l - kr * red - kb * blue) / (1.0 - kr - kb);
                for (channel, value) in [red, green, blue].into_iter().enumerate() {
                    let got = f64::from(tensor.values()[(channel * side + y) * side + x]);
                    prop_assert!((got - value.clamp(0.0, 255.0)).abs() <= 3.0, "{got} {value}");
                }
            }
        }
    }
}

#[test]
fn short_planes_are_an_error() {
    let bytes = [0u8; 100];
    let chroma = Chroma::Planar { u: &bytes, v: &bytes, stride: 5 };
    let mut picture = Planes {
        width: 10, height: 10, y: &bytes, y_stride: 10, chroma, matrix: Matrix::Bt601, full_range: false,
    };
    let mut tensor = InputTensor::new(32, 32, Colour::Rgb, 0);
    assert!(tensor.fill_planes(&picture).is_ok());
    picture.height = 11;
    assert!(tensor.fill_planes(&picture).is_err());
    picture.height = 0;
    assert!(tensor.fill_planes(&picture).is_err());
}

#[test]
fn a_smaller_picture_leaves_nothing_of_a_larger_one() {
    let bytes = [255u8; 300];
    let mut tensor = InputTensor::new(10, 10, Colour::Rgb, 7);
    tensor.fill_rgb(&RgbView { width: 10, height: 10, stride: 30, pixels: &bytes }).unwrap();
    tensor.fill_rgb(&RgbView { width: 10, height: 5, stride: 30, pixels: &bytes }).unwrap();
    assert_eq!((tensor.values()[49], tensor.values()[50]), (255.0, 7.0));
}
