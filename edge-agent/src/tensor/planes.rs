//! A decoder's planes, scaled and converted row by row.
//!
//! Luma and chroma are each blended between two rows (8-bit weights, whole numbers), sampled along
//! the row, and only then turned into colour: a third of the work of converting first. Chroma is
//! taken to lie in the middle of its four luma samples. The loops are written so that the compiler
//! vectorises them; on a processor with AVX2 the same code runs compiled for it, to the same bits.

use super::Letterbox;
use crate::picture::{Chroma, Matrix, Planes};

/// The sample at or before a position, and the weight (of 256) of the one after it.
#[derive(Debug, Default, Clone, Copy)]
struct Tap {
    near: u32,
    weight: u32,
}

#[derive(Default)]
pub struct Scaler {
    key: (usize, usize, usize, usize),
    luma_columns: Vec<Tap>,
    luma_rows: Vec<Tap>,
    chroma_columns: Vec<Tap>,
    chroma_rows: Vec<Tap>,
    /// Source rows, blended, with one sample repeated at the end.
    blended: [Vec<u16>; 3],
    /// The same, sampled along the row: values times 65536.
    sampled: [Vec<f32>; 3],
}

/// Colour from luma and chroma: `red = y*luma + (v-128)*v_red`, and so on.
#[derive(Clone, Copy)]
struct Coefficients {
    black: f32,
    luma: f32,
    v_red: f32,
    u_green: f32,
    v_green: f32,
    u_blue: f32,
}

impl Coefficients {
    /// ITU-R BT.601 and BT.709: from Kr and Kb; limited range is 16..235 and 16..240.
    fn of(matrix: Matrix, full_range: bool) -> Self {
        let (kr, kb) = match matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let kg = 1.0 - kr - kb;
        let (black, luma, chroma) =
            if full_range { (0.0, 1.0, 1.0) } else { (16.0, 255.0 / 219.0, 255.0 / 224.0) };
        Self {
            black,
            luma,
            v_red: chroma * 2.0 * (1.0 - kr),
            u_green: chroma * 2.0 * (1.0 - kb) * kb / kg,
            v_green: chroma * 2.0 * (1.0 - kr) * kr / kg,
            u_blue: chroma * 2.0 * (1.0 - kb),
        }
    }
}

/// Whether the planes hold what their sizes say.
pub fn check(picture: &Planes) -> Result<(), &'static str> {
    let Planes { width, height, .. } = *picture;
    if !(1..=16_384).contains(&width) || !(1..=16_384).contains(&height) {
        return Err("its size is out of range");
    }
    let holds = |plane: &[u8], stride: usize, width: usize, height: usize| {
        stride >= width && plane.len() >= (height - 1) * stride + width
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let whole = holds(picture.y, picture.y_stride, width, height)
        && match picture.chroma {
            Chroma::Planar { u, v, stride } => {
                holds(u, stride, half_width, half_height) && holds(v, stride, half_width, half_height)
            }
            Chroma::Interleaved { uv, stride } => holds(uv, stride, 2 * half_width, half_height),
        };
    if whole { Ok(()) } else { Err("a plane is shorter than its size says") }
}

/// One pixel in whole RGB values; chroma of its own 2 x 2 block alone.
pub fn colour_of(picture: &Planes) -> impl Fn(u8, u8, u8) -> [u8; 3] + use<> {
    let c = Coefficients::of(picture.matrix, picture.full_range);
    move |y, u, v| {
        let rgb = convert(&c, f32::from(y), f32::from(u), f32::from(v));
        rgb.map(|value| value as u8)
    }
}

impl Scaler {
    /// Scales into the top left of the three planes of `pitch` values a row. The planes were checked.
    pub fn scale(
        &mut self,
        picture: &Planes,
        fit: &Letterbox,
        pitch: usize,
        red: &mut [f32],
        green: &mut [f32],
        blue: &mut [f32],
    ) {
        self.prepare(picture, fit);
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, asked on the line above; the function needs nothing else.
            #[allow(unsafe_code)]
            unsafe {
                self.pass_avx2(picture, fit, pitch, red, green, blue);
            }
            return;
        }
        self.pass(picture, fit, pitch, red, green, blue);
    }

    fn prepare(&mut self, picture: &Planes, fit: &Letterbox) {
        let key = (picture.width, picture.height, fit.width, fit.height);
        if self.key == key {
            return;
        }
        self.key = key;
        let (half_width, half_height) = (picture.width.div_ceil(2), picture.height.div_ceil(2));
        let across = picture.width as f64 / fit.width as f64;
        let down = picture.height as f64 / fit.height as f64;
        self.luma_columns = taps(fit.width, across, picture.width);
        self.luma_rows = taps(fit.height, down, picture.height);
        self.chroma_columns = taps(fit.width, across / 2.0, half_width);
        self.chroma_rows = taps(fit.height, down / 2.0, half_height);
        let row = |width: usize| vec![0; width + 1];
        self.blended = [row(picture.width), row(half_width), row(half_width)];
        self.sampled = std::array::from_fn(|_| vec![0.0; fit.width]);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn pass_avx2(
        &mut self,
        picture: &Planes,
        fit: &Letterbox,
        pitch: usize,
        red: &mut [f32],
        green: &mut [f32],
        blue: &mut [f32],
    ) {
        self.pass(picture, fit, pitch, red, green, blue);
    }

    #[inline(always)]
    fn pass(
        &mut self,
        picture: &Planes,
        fit: &Letterbox,
        pitch: usize,
        red: &mut [f32],
        green: &mut [f32],
        blue: &mut [f32],
    ) {
        let coefficients = Coefficients::of(picture.matrix, picture.full_range);
        let [luma, u, v] = &mut self.blended;
        let [luma_out, u_out, v_out] = &mut self.sampled;
        for y in 0..fit.height {
            blend(picture.y, picture.y_stride, picture.height, self.luma_rows[y], luma);
            let (tap, rows) = (self.chroma_rows[y], picture.height.div_ceil(2));
            match picture.chroma {
                Chroma::Planar { u: u_plane, v: v_plane, stride } => {
                    blend(u_plane, stride, rows, tap, u);
                    blend(v_plane, stride, rows, tap, v);
                }
                Chroma::Interleaved { uv, stride } => blend_pairs(uv, stride, rows, tap, u, v),
            }
            sample(luma, &self.luma_columns, luma_out);
            sample(u, &self.chroma_columns, u_out);
            sample(v, &self.chroma_columns, v_out);
            let at = y * pitch..y * pitch + fit.width;
            let out = (&mut red[at.clone()], &mut green[at.clone()], &mut blue[at]);
            colour_row(&coefficients, luma_out, u_out, v_out, out);
        }
    }
}

fn taps(target: usize, scale: f64, source: usize) -> Vec<Tap> {
    let last = (source - 1) as f64;
    (0..target)
        .map(|index| {
            let at = ((index as f64 + 0.5) * scale - 0.5).clamp(0.0, last);
            let fixed = (at * 256.0).round() as u32;
            Tap { near: fixed >> 8, weight: fixed & 255 }
        })
        .collect()
}

fn two_rows(plane: &[u8], stride: usize, rows: usize, tap: Tap, width: usize) -> (&[u8], &[u8]) {
    let near = tap.near as usize;
    let far = (near + 1).min(rows - 1);
    (&plane[near * stride..][..width], &plane[far * stride..][..width])
}

#[inline(always)]
fn blend(plane: &[u8], stride: usize, rows: usize, tap: Tap, out: &mut [u16]) {
    let width = out.len() - 1;
    let (near, far) = two_rows(plane, stride, rows, tap, width);
    let (a, b) = (256 - tap.weight as u16, tap.weight as u16);
    for ((out, near), far) in out.iter_mut().zip(near).zip(far) {
        *out = u16::from(*near) * a + u16::from(*far) * b;
    }
    out[width] = out[width - 1];
}

#[inline(always)]
fn blend_pairs(plane: &[u8], stride: usize, rows: usize, tap: Tap, u: &mut [u16], v: &mut [u16]) {
    let width = u.len() - 1;
    let (near, far) = two_rows(plane, stride, rows, tap, 2 * width);
    let (a, b) = (256 - tap.weight as u16, tap.weight as u16);
    let pairs = near.as_chunks::<2>().0.iter().zip(far.as_chunks::<2>().0);
    for (((u, v), near), far) in u.iter_mut().zip(v.iter_mut()).zip(pairs.clone().map(|p| p.0)).zip(pairs.map(|p| p.1)) {
        *u = u16::from(near[0]) * a + u16::from(far[0]) * b;
        *v = u16::from(near[1]) * a + u16::from(far[1]) * b;
    }
    u[width] = u[width - 1];
    v[width] = v[width - 1];
}

#[inline(always)]
fn sample(row: &[u16], columns: &[Tap], out: &mut [f32]) {
    for (out, tap) in out.iter_mut().zip(columns) {
        let near = tap.near as usize;
        if let Some(&[a, b]) = row.get(near..near + 2) {
            // At most 255 * 65536: an f32 holds it exactly.
            *out = (u32::from(a) * (256 - tap.weight) + u32::from(b) * tap.weight) as i32 as f32;
        }
    }
}

#[inline(always)]
fn colour_row(
    coefficients: &Coefficients,
    luma: &[f32],
    u: &[f32],
    v: &[f32],
    (red, green, blue): (&mut [f32], &mut [f32], &mut [f32]),
) {
    const TO_BYTE: f32 = 1.0 / 65536.0;
    let width = luma.len();
    let (u, v) = (&u[..width], &v[..width]);
    let (red, green, blue) = (&mut red[..width], &mut green[..width], &mut blue[..width]);
    for x in 0..width {
        let rgb = convert(coefficients, luma[x] * TO_BYTE, u[x] * TO_BYTE, v[x] * TO_BYTE);
        (red[x], green[x], blue[x]) = (rgb[0], rgb[1], rgb[2]);
    }
}

/// Whole values 0..255.
#[inline(always)]
fn convert(c: &Coefficients, y: f32, u: f32, v: f32) -> [f32; 3] {
    // Adding and taking away 1.5 * 2^23 rounds to a whole number, and vectorises.
    const ROUND: f32 = 12_582_912.0;
    let (y, u, v) = ((y - c.black) * c.luma, u - 128.0, v - 128.0);
    let rgb = [y + v * c.v_red, y - u * c.u_green - v * c.v_green, y + u * c.u_blue];
    rgb.map(|value| (value.clamp(0.0, 255.0) + ROUND) - ROUND)
}
