//! What counts as a still.
//!
//! It comes already covered and stripped by its agent; here a picture that still carries metadata is refused. Where it
//! is kept is [`crate::evidence`]'s, which alert has one the database's.

/// Why some bytes are no still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoStill {
    #[error("not a JPEG picture: {0}")]
    NotJpeg(&'static str),
    #[error("the JPEG carries metadata (APP1 to APP15, or a comment): strip it before sending")]
    Metadata,
}

/// Walks the markers from the first byte to the last; pixels are not decoded.
pub fn check(bytes: &[u8]) -> Result<(), NoStill> {
    let Some(mut rest) = bytes.strip_prefix(&[0xff, 0xd8]) else {
        return Err(NoStill::NotJpeg("it does not begin with a start marker"));
    };
    let (mut has_frame, mut has_scan) = (false, false);
    loop {
        let [0xff, marker, after @ ..] = rest else {
            return Err(NoStill::NotJpeg("a marker is missing"));
        };
        match marker {
            // Fill bytes before a marker.
            0xff => {
                rest = &rest[1..];
                continue;
            }
            0xd9 if !after.is_empty() => return Err(NoStill::NotJpeg("there is something behind its end")),
            0xd9 if has_frame && has_scan => return Ok(()),
            0xd9 => return Err(NoStill::NotJpeg("it holds no picture")),
            0xe1..=0xef | 0xfe => return Err(NoStill::Metadata),
            0x00 | 0x01 | 0xd0..=0xd8 => return Err(NoStill::NotJpeg("a marker is out of place")),
            _ => {}
        }
        let [high, low, ..] = after else {
            return Err(NoStill::NotJpeg("it is cut short"));
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(segment) = after.get(2..length) else {
            return Err(NoStill::NotJpeg("a segment is cut short"));
        };
        rest = &after[length..];
        match marker {
            // Start of frame: precision, height, width. C4, C8 and CC are tables.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [_, h1, h2, w1, w2, ..] = segment else {
                    return Err(NoStill::NotJpeg("its frame header is cut short"));
                };
                if (*h1, *h2) == (0, 0) || (*w1, *w2) == (0, 0) {
                    return Err(NoStill::NotJpeg("it has no size"));
                }
                has_frame = true;
            }
            // Start of scan: coded pixels follow, up to the next real marker.
            0xda => {
                has_scan = true;
                let end = rest.windows(2).position(|w| w[0] == 0xff && !matches!(w[1], 0x00 | 0xd0..=0xd7));
                rest = &rest[end.ok_or(NoStill::NotJpeg("it is cut short"))?..];
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A drawn 1x1 picture's markers: tables are left out, they are not looked at.
    fn jpeg() -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8];
        bytes.extend([0xff, 0xe0, 0, 4, b'J', b'F']);
        bytes.extend([0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
        bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56]);
        bytes.extend([0xff, 0xd9]);
        bytes
    }

    #[test]
    fn a_picture_is_taken() {
        assert_eq!(check(&jpeg()), Ok(()));
    }

    #[test]
    fn every_cut_and_every_addition_is_refused() {
        let whole = jpeg();
        for end in 0..whole.len() {
            assert!(check(&whole[..end]).is_err(), "cut at {end}");
        }
        let mut longer = whole.clone();
        longer.extend(b"secret");
        assert!(check(&longer).is_err());
        assert!(check(b"<html>").is_err());
    }

    #[test]
    fn metadata_is_refused_wherever_it_stands() {
        let exif = [0xff, 0xe1, 0, 8, b'E', b'x', b'i', b'f', 0, 0];
        let whole = jpeg();
        for at in [2, whole.len() - 2] {
            let mut with = whole.clone();
            with.splice(at..at, exif);
            assert_eq!(check(&with), Err(NoStill::Metadata), "at {at}");
            for marker in (0xe2..=0xef).chain([0xfe]) {
                with[at + 1] = marker;
                assert_eq!(check(&with), Err(NoStill::Metadata), "{marker:x} at {at}");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 1u32;
        for _ in 0..20_000 {
            let mut bytes = jpeg();
            for _ in 0..3 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (state >> 8) as usize % bytes.len();
                bytes[at] = (state >> 24) as u8;
            }
            let _ = check(&bytes);
        }
    }
}
