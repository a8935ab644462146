//! The pass over planes compiled for AVX2, with gathers along the row: the one module of the
//! conversion that holds `unsafe`. Its answers are those of the plain code, to the bit.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    _mm256_add_epi32, _mm256_and_si256, _mm256_cvtepi32_ps, _mm256_i32gather_epi32, _mm256_loadu_si256,
    _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_ps,
    _mm256_sub_epi32,
};

use super::Letterbox;
use super::planes::{Columns, Scaler, sample};
use crate::picture::Planes;

const LANES: usize = 8;

/// Does the whole pass, if the processor has AVX2; says whether it did.
pub fn pass(
    scaler: &mut Scaler,
    picture: &Planes,
    fit: &Letterbox,
    pitch: usize,
    planes: (&mut [f32], &mut [f32], &mut [f32]),
) -> bool {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return false;
    }
    // SAFETY: the processor has AVX2, asked just above; the function needs nothing else.
    unsafe { compiled(scaler, picture, fit, pitch, planes) };
    true
}

#[target_feature(enable = "avx2")]
fn compiled(
    scaler: &mut Scaler,
    picture: &Planes,
    fit: &Letterbox,
    pitch: usize,
    planes: (&mut [f32], &mut [f32], &mut [f32]),
) {
    scaler.pass(picture, fit, pitch, planes, |row, columns, out| {
        gather(row, columns, out);
    });
}

#[target_feature(enable = "avx2")]
fn gather(row: &[u16], columns: &Columns, out: &mut [f32]) {
    // Taps grow along the row, so the last is the largest; a gather reads it and its neighbour.
    let inside = columns.near.last().is_some_and(|last| (*last as usize) + 1 < row.len());
    if !inside || !columns.near.is_sorted() || columns.near.len() != columns.weight.len() {
        return sample(row, columns, out);
    }
    let whole = out.len().min(columns.near.len()) / LANES * LANES;
    let low = _mm256_set1_epi32(0xffff);
    for at in (0..whole).step_by(LANES) {
        // SAFETY: `at + 8` is within `near`, `weight` and `out` (`whole` is the least of their
        // lengths, in eights); each gathered pair is within `row` by the check above.
        unsafe {
            let near = _mm256_loadu_si256(columns.near.as_ptr().add(at).cast());
            let weight = _mm256_loadu_si256(columns.weight.as_ptr().add(at).cast());
            let pairs = _mm256_i32gather_epi32::<2>(row.as_ptr().cast(), near);
            let (a, b) = (_mm256_and_si256(pairs, low), _mm256_srli_epi32::<16>(pairs));
            // a * (256 - w) + b * w = 256 a + (b - a) w
            let change = _mm256_mullo_epi32(_mm256_sub_epi32(b, a), weight);
            let sum = _mm256_add_epi32(_mm256_slli_epi32::<8>(a), change);
            _mm256_storeu_ps(out.as_mut_ptr().add(at), _mm256_cvtepi32_ps(sum));
        }
    }
    let rest = whole..out.len().min(columns.near.len());
    for at in rest {
        let (near, weight) = (columns.near[at] as usize, columns.weight[at]);
        out[at] = (u32::from(row[near]) * (256 - weight) + u32::from(row[near + 1]) * weight) as i32 as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathers_are_the_plain_code_to_the_bit() {
        if !std::arch::is_x86_feature_detected!("avx2") {
            return;
        }
        for length in 1..70usize {
            let row: Vec<u16> = (0..=length).map(|i| (i * 40_503 % 65_281) as u16).collect();
            let near = (0..length as u32).collect::<Vec<_>>();
            let weight = (0..length as u32).map(|i| i * 37 % 256).collect();
            let columns = Columns { near, weight };
            let (mut plain, mut fast) = (vec![0.0; length], vec![1.0; length]);
            sample(&row, &columns, &mut plain);
            // SAFETY: the processor has AVX2, asked above.
            unsafe { gather(&row, &columns, &mut fast) };
            assert_eq!(plain, fast);
        }
    }
}
