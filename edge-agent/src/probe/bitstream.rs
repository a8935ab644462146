//! What a coded picture tells of itself, without decoding it: whether it is predicted from a later one.

use crate::decode::Codec;

/// Bytes of a slice header that are read: two numbers of at most 32 bits each, with escapes.
const HEADER: usize = 24;

/// Whether a picture (Annex B) has a B slice. Only H.264 says so in two numbers (ITU-T H.264, 7.3.3);
/// of H.265 the order of times tells, see `tally`.
pub(super) fn is_bi_predicted(codec: Codec, bytes: &[u8]) -> bool {
    codec == Codec::H264 && nal_units(bytes).any(|nal| slice_type(nal).is_some_and(|t| t % 5 == 1))
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
    let mut plain = Vec::with_capacity(HEADER);
    for byte in rest {
        // An escape: 00 00 03 stands for 00 00.
        if *byte == 3 && plain.ends_with(&[0, 0]) {
            continue;
        }
        plain.push(*byte);
    }
    let mut bits = Bits { bytes: &plain, at: 0 };
    bits.number()?;
    bits.number().filter(|t| *t <= 9)
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
        }
    }
}
