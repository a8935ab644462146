//! What a coded picture tells of itself, without decoding it: whether it is predicted from a later one.

use crate::decode::Codec;

/// Bytes of a NAL unit that are read: more than the numbers below take, with escapes.
const HEADER: usize = 96;
/// Most sub-layers of H.265 but one (7.4.3.2.1).
const MOST_SUB_LAYERS: u32 = 6;

/// Whether pictures come out of the order of display. H.264 says so by a B slice (ITU-T H.264, 7.3.3); in
/// H.265 a B slice may look back only, and the sequence says how many pictures are reordered (ITU-T H.265,
/// 7.3.2.2). Annex B, one picture.
pub(super) fn is_bi_predicted(codec: Codec, bytes: &[u8]) -> bool {
    match codec {
        Codec::H264 => nal_units(bytes).any(|nal| slice_type(nal).is_some_and(|t| t % 5 == 1)),
        Codec::H265 => nal_units(bytes).any(|nal| reordered(nal).is_some_and(|n| n > 0)),
        _ => false,
    }
}

/// The beginnings of the NAL units, after their start codes.
fn nal_units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let found = bytes.get(at..)?.windows(3).position(|w| w == [0, 0, 1])?;
        at += found + 3;
        bytes.get(at..bytes.len().min(at + HEADER))
    })
}

fn slice_type(nal: &[u8]) -> Option<u32> {
    let (head, rest) = nal.split_first()?;
    matches!(head & 0x1f, 1 | 5).then_some(())?;
    let plain = without_escapes(rest);
    let mut bits = Bits { bytes: &plain, at: 0 };
    bits.number()?;
    bits.number().filter(|t| *t <= 9)
}

/// Most pictures that precede another in decoding and follow it in display, of an H.265 sequence parameter set.
fn reordered(nal: &[u8]) -> Option<u32> {
    let (head, rest) = nal.split_at_checked(2)?;
    (head[0] >> 1 & 0x3f == 33).then_some(())?;
    let plain = without_escapes(rest);
    let mut bits = Bits { bytes: &plain, at: 0 };
    bits.skip(4)?;
    let layers = bits.fixed(3).filter(|n| *n <= MOST_SUB_LAYERS)?;
    // Nesting, then profile, tier and level: 88 and 8 bits (7.3.3).
    bits.skip(1 + 96)?;
    let mut present = [(0, 0); MOST_SUB_LAYERS as usize];
    for layer in present.iter_mut().take(layers as usize) {
        *layer = (bits.bit()?, bits.bit()?);
    }
    if layers > 0 {
        bits.skip(2 * (8 - layers as usize))?;
    }
    for (profile, level) in present.iter().take(layers as usize) {
        bits.skip(88 * *profile as usize + 8 * *level as usize)?;
    }
    bits.number()?;
    if bits.number()? == 3 {
        bits.skip(1)?;
    }
    let (_width, _height) = (bits.number()?, bits.number()?);
    if bits.bit()? == 1 {
        (0..4).try_for_each(|_| bits.number().map(drop))?;
    }
    // Bit depths and the length of picture order counts.
    (0..3).try_for_each(|_| bits.number().map(drop))?;
    let each = bits.bit()? == 1;
    let mut most = 0;
    for _ in if each { 0 } else { layers }..=layers {
        let (_buffered, reordered, _latency) = (bits.number()?, bits.number()?, bits.number()?);
        most = most.max(reordered);
    }
    Some(most).filter(|n| *n <= 16)
}

/// 00 00 03 stands for 00 00.
fn without_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if *byte == 3 && plain.ends_with(&[0, 0]) {
            continue;
        }
        plain.push(*byte);
    }
    plain
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    fn fixed(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    /// Exp-Golomb, ue(v).
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            (zeros < 32).then_some(())?;
        }
        let mut value = 1_u32;
        for _ in 0..zeros {
            value = value.checked_mul(2)?.checked_add(self.bit()?)?;
        }
        Some(value - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(slice: &[u8]) -> bool {
        let sps = [0, 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x06, 5];
        is_bi_predicted(Codec::H264, &[&sps, &[0, 0, 1][..], slice].concat())
    }

    #[test]
    fn slice_types_are_read_whatever_their_size() {
        // first_mb 0 = `1`; slice_type 1 (B) = `010`, 6 (all B) = `00111`, 0 (P) = `1`, 7 (all I) = `0001000`.
        assert!(coded(&[0x41, 0b1010_0000]));
        assert!(coded(&[0x41, 0b1001_1100]));
        assert!(!coded(&[0x41, 0b1100_0000]));
        assert!(!coded(&[0x65, 0b1000_1000]));
        // first_mb 8191 = thirteen zeros, `1`, thirteen zeros; then B.
        assert!(coded(&[0x01, 0, 0b0000_0100, 0, 0b0000_1000, 0]));
        // first_mb 65535 = sixteen zeros, `1`, sixteen zeros, with an escape after the first two bytes; then B.
        assert!(coded(&[0x01, 0, 0, 3, 0b1000_0000, 0, 0b0010_0000]));
        assert!(!is_bi_predicted(Codec::H265, &[0, 0, 1, 0x41, 0b1010_0000]));
    }

    #[test]
    fn cut_and_senseless_bytes_are_no_b_slices_and_no_panic() {
        for bytes in [&[][..], &[0, 0, 1], &[0, 0, 1, 0x41], &[0, 0, 1, 0x41, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(!is_bi_predicted(Codec::H264, bytes));
        }
        let mut state = 7_u32;
        for _ in 0..2000 {
            let mut noise = vec![0, 0, 1, 0x41];
            noise.extend((0..40).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }));
            let _ = is_bi_predicted(Codec::H264, &noise);
            noise[3] = 0x42;
            let _ = is_bi_predicted(Codec::H265, &noise);
        }
    }
}
