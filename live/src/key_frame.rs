//! Where an H.264 stream can be joined: at the packet that begins a key frame (RFC 6184).

const TYPE: u8 = 0x1f;
const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const START: u8 = 0x80;

/// Whether this payload begins a key frame: with parameters before it, or the picture itself.
pub fn begins(payload: &[u8]) -> bool {
    let is_key = |header: &u8| matches!(header & TYPE, IDR | SPS);
    match payload {
        [header, ..] if is_key(header) => true,
        // Indicator, two bytes of size, then the first unit.
        [header, _, _, first, ..] if header & TYPE == STAP_A => is_key(first),
        [header, fragment, ..] if header & TYPE == FU_A => fragment & START != 0 && fragment & TYPE == IDR,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_joined_at_parameters_or_at_the_first_part_of_a_key_picture() {
        for beginning in [&[0x67, 0x42][..], &[0x65], &[0x78, 0, 9, 0x67], &[0x7c, 0x85]] {
            assert!(begins(beginning), "{beginning:x?}");
        }
        for other in [&[][..], &[0x41], &[0x7c, 0x05], &[0x7c, 0x81], &[0x78, 0, 9, 0x61], &[0x78], &[0x68]] {
            assert!(!begins(other), "{other:x?}");
        }
    }
}
