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

/// The taps along a row, apart, as the vector code wants them.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub near: Vec<u32>,
    pub weight: Vec<u32>,
}

impl From<Vec<Tap>> for Columns {
    fn from(taps: Vec<Tap>) -> Self {
        Self {
            near: taps.iter().map(|tap| tap.near).collect(),
            weight: taps.iter().map(|tap| tap.weight).collect(),
        }
    }
}

#[derive(Default)]
pub struct Scaler {
    key: (usize, usize, usize, usize),
    luma_columns: Columns,
    luma_rows: Vec<Tap>,
    chroma_columns: Columns,
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

/// The whole picture as RGB bytes. The planes were checked.
pub fn to_rgb(picture: &Planes) -> Vec<u8> {
    let coefficients = Coefficients::of(picture.matrix, picture.full_range);
    let Planes { width, height, .. } = *picture;
    let mut pixels = vec![0; 3 * width * height];
    for (y, out) in pixels.chunks_exact_mut(3 * width).enumerate() {
        let luma = &picture.y[y * picture.y_stride..][..width];
        let chroma: (&[u8], &[u8], usize) = match picture.chroma {
            Chroma::Planar { u, v, stride } => (&u[y / 2 * stride..], &v[y / 2 * stride..], 1),
            Chroma::Interleaved { uv, stride } => (&uv[y / 2 * stride..], &uv[y / 2 * stride + 1..], 2),
        };
        for (x, (out, luma)) in out.as_chunks_mut::<3>().0.iter_mut().zip(luma).enumerate() {
            let (u, v) = (chroma.0[x / 2 * chroma.2], chroma.1[x / 2 * chroma.2]);
            let rgb = convert(&coefficients, f32::from(*luma), f32::from(u), f32::from(v));
            *out = rgb.map(|value| value as u8);
        }
    }
    pixels
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
        if super::avx2::pass(self, picture, fit, pitch, (red, green, blue)) {
            return;
        }
        self.pass(picture, fit, pitch, (red, green, blue), sample);
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
        self.luma_columns = taps(fit.width, across, picture.width).into();
        self.luma_rows = taps(fit.height, down, picture.height);
        self.chroma_columns = taps(fit.width, across / 2.0, half_width).into();
        self.chroma_rows = taps(fit.height, down / 2.0, half_height);
        let row = |width: usize| vec![0; width + 1];
        self.blended = [row(picture.width), row(half_width), row(half_width)];
        self.sampled = std::array::from_fn(|_| vec![0.0; fit.width]);
    }

    /// The pass over all rows; `sample` is the way to sample along a row.
    #[inline(always)]
    pub(super) fn pass(
        &mut self,
        picture: &Planes,
        fit: &Letterbox,
        pitch: usize,
        (red, green, blue): (&mut [f32], &mut [f32], &mut [f32]),
        sample: impl Fn(&[u16], &Columns, &mut [f32]),
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

/// At most 255 * 256, so nothing wraps; said with `wrapping` since a check for it does not vectorise.
#[inline(always)]
fn mix(near: u8, far: u8, a: u16, b: u16) -> u16 {
    u16::from(near).wrapping_mul(a).wrapping_add(u16::from(far).wrapping_mul(b))
}

#[inline(always)]
fn blend(plane: &[u8], stride: usize, rows: usize, tap: Tap, out: &mut [u16]) {
    let width = out.len() - 1;
    let (near, far) = two_rows(plane, stride, rows, tap, width);
    let (a, b) = (256 - tap.weight as u16, tap.weight as u16);
    for ((out, near), far) in out.iter_mut().zip(near).zip(far) {
        *out = mix(*near, *far, a, b);
    }
    out[width] = out[width - 1];
}

#[inline(always)]
fn blend_pairs(plane: &[u8], stride: usize, rows: usize, tap: Tap, u: &mut [u16], v: &mut [u16]) {
    let width = u.len() - 1;
    let (near, far) = two_rows(plane, stride, rows, tap, 2 * width);
    let (a, b) = (256 - tap.weight as u16, tap.weight as u16);
    let pairs = near.as_chunks::<2>().0.iter().zip(far.as_chunks::<2>().0);
    for ((u, v), (near, far)) in u.iter_mut().zip(v.iter_mut()).zip(pairs) {
        *u = mix(near[0], far[0], a, b);
        *v = mix(near[1], far[1], a, b);
    }
    u[width] = u[width - 1];
    v[width] = v[width - 1];
}

/// Samples along a row, blended between neighbours: at most 255 * 65536, which an f32 holds exactly.
#[inline(always)]
pub(super) fn sample(row: &[u16], columns: &Columns, out: &mut [f32]) {
    for ((out, near), weight) in out.iter_mut().zip(&columns.near).zip(&columns.weight) {
        let near = *near as usize;
        if let Some(&[a, b]) = row.get(near..near + 2) {
            *out = (u32::from(a) * (256 - weight) + u32::from(b) * weight) as i32 as f32;
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
