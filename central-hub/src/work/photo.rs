//! Photos that people attach: JPEG or PNG, stripped of everything that is not picture.
//!
//! A phone writes into a photo where, when and with what it was taken, often a second picture and whatever came
//! behind the end. All of that stays outside: what is kept is written anew from the parts that a picture needs.
//! Pixels are not decoded; the orientation that some phones note beside them is lost (the page for the phone turns
//! the picture itself before it sends it).

/// Largest photo, bytes, as it is sent.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Most pixels: a small file must not become a huge picture on a phone.
const MOST_PIXELS: u64 = 64_000_000;

/// What a photo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
}

impl Format {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// Why some bytes are no photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPhoto {
    #[error("it is neither a JPEG nor a PNG picture")]
    Format,
    #[error("the picture is damaged: {0}")]
    Damaged(&'static str),
    #[error("the picture is too large: at most {MOST_BYTES} bytes and {MOST_PIXELS} pixels")]
    TooLarge,
}

/// The picture alone.
pub fn strip(bytes: &[u8]) -> Result<(Format, Vec<u8>), NoPhoto> {
    if bytes.len() > MOST_BYTES {
        return Err(NoPhoto::TooLarge);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xd8]) {
        return Ok((Format::Jpeg, jpeg(rest)?));
    }
    match bytes.strip_prefix(PNG) {
        Some(rest) => Ok((Format::Png, png(rest)?)),
        None => Err(NoPhoto::Format),
    }
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const CUT: NoPhoto = NoPhoto::Damaged("it is cut short");

fn jpeg(mut rest: &[u8]) -> Result<Vec<u8>, NoPhoto> {
    let mut kept = vec![0xff, 0xd8];
    let (mut has_frame, mut has_scan) = (false, false);
    loop {
        let [0xff, marker, after @ ..] = rest else {
            return Err(if rest.len() < 2 { CUT } else { NoPhoto::Damaged("a marker is missing") });
        };
        match marker {
            // Fill bytes before a marker.
            0xff => {
                rest = &rest[1..];
                continue;
            }
            // What comes behind the end is no part of it.
            0xd9 if has_frame && has_scan => {
                kept.extend([0xff, 0xd9]);
                return Ok(kept);
            }
            0xd9 => return Err(NoPhoto::Damaged("it holds no picture")),
            0x00 | 0x01 | 0xd0..=0xd8 => return Err(NoPhoto::Damaged("a marker is out of place")),
            _ => {}
        }
        let [high, low, ..] = after else { return Err(CUT) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let segment = after.get(2..length).ok_or(CUT)?;
        if let 0xc0..=0xcf = marker
            && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
        {
            let [_, h1, h2, w1, w2, ..] = segment else { return Err(CUT) };
            check_size(u16::from_be_bytes([*w1, *w2]).into(), u16::from_be_bytes([*h1, *h2]).into())?;
            has_frame = true;
        }
        // Of the application's segments only Adobe's word on the colours belongs to the picture.
        let is_adobe = *marker == 0xee && segment.len() == 12 && segment.starts_with(b"Adobe");
        if !matches!(marker, 0xe0..=0xef | 0xfe) || is_adobe {
            kept.extend([0xff, *marker]);
            kept.extend(&after[..length]);
        }
        rest = &after[length..];
        if *marker == 0xda {
            has_scan = true;
            let end = rest.windows(2).position(|w| w[0] == 0xff && !matches!(w[1], 0x00 | 0xd0..=0xd7));
            let end = end.ok_or(CUT)?;
            kept.extend(&rest[..end]);
            rest = &rest[end..];
        }
    }
}

fn png(mut rest: &[u8]) -> Result<Vec<u8>, NoPhoto> {
    /// Everything that a picture needs; text, times, places and animations are none of it.
    const KEPT: [&[u8]; 7] = [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"sRGB"];
    let mut kept = PNG.to_vec();
    let (mut has_header, mut has_pixels) = (false, false);
    loop {
        let (length, after) = rest.split_at_checked(4).ok_or(CUT)?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let whole = length.checked_add(12).and_then(|n| rest.get(..n)).ok_or(CUT)?;
        let (name, content) = (&after[..4], &after[4..4 + length]);
        if has_header == (name == b"IHDR") {
            return Err(NoPhoto::Damaged("its header is not at the beginning"));
        }
        if name == b"IHDR" {
            let [w1, w2, w3, w4, h1, h2, h3, h4, ..] = content else { return Err(CUT) };
            let size = |bytes| u64::from(u32::from_be_bytes(bytes));
            check_size(size([*w1, *w2, *w3, *w4]), size([*h1, *h2, *h3, *h4]))?;
            has_header = true;
        }
        has_pixels |= name == b"IDAT";
        if KEPT.contains(&name) {
            kept.extend(whole);
        }
        if name == b"IEND" {
            return if has_pixels { Ok(kept) } else { Err(NoPhoto::Damaged("it holds no picture")) };
        }
        rest = &rest[whole.len()..];
    }
}

fn check_size(width: u64, height: u64) -> Result<(), NoPhoto> {
    match width.saturating_mul(height) {
        0 => Err(NoPhoto::Damaged("it has no size")),
        pixels if pixels > MOST_PIXELS => Err(NoPhoto::TooLarge),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = (content.len() + 2) as u16;
        [&[0xff, marker], &length.to_be_bytes()[..], content].concat()
    }

    fn plain_jpeg(width: u16) -> Vec<u8> {
        let [high, low] = width.to_be_bytes();
        let frame = segment(0xc0, &[8, 0, 16, high, low, 1, 1, 0x11, 0]);
        let scan = segment(0xda, &[1, 1, 0, 0, 63, 0]);
        [&[0xff, 0xd8], &frame[..], &scan, &[0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0xff, 0xd9]].concat()
    }

    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32).to_be_bytes()[..], name, content, &[0; 4]].concat()
    }

    fn plain_png() -> Vec<u8> {
        let header = chunk(b"IHDR", &[0, 0, 0, 16, 0, 0, 0, 16, 8, 2, 0, 0, 0]);
        [PNG, &header, &chunk(b"IDAT", &[1, 2, 3]), &chunk(b"IEND", &[])].concat()
    }

    #[test]
    fn what_a_phone_adds_stays_outside() {
        let plain = plain_jpeg(16);
        let exif = segment(0xe1, b"Exif\0\0GPS: 30.25 N, 120.15 E");
        let mut photo = plain.clone();
        photo.splice(2..2, [exif, segment(0xe2, b"MPF\0"), segment(0xfe, b"taken by li")].concat());
        photo.extend(b"a second picture behind the end");
        assert_eq!(strip(&photo), Ok((Format::Jpeg, plain.clone())));
        let adobe = segment(0xee, b"Adobe\0\x64\0\0\0\0\x01");
        let mut coloured = plain;
        coloured.splice(2..2, adobe);
        assert_eq!(strip(&coloured), Ok((Format::Jpeg, coloured)));

        let plain = plain_png();
        let mut noted = plain.clone();
        let at = PNG.len() + 25;
        noted.splice(at..at, [chunk(b"tEXt", b"Author\0li"), chunk(b"eXIf", b"GPS")].concat());
        noted.extend(b"behind the end");
        assert_eq!(strip(&noted), Ok((Format::Png, plain)));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bytes in [&b""[..], b"<html>", b"GIF89a", b"%PDF-1.7", b"RIFF....WEBP"] {
            assert_eq!(strip(bytes), Err(NoPhoto::Format));
        }
        assert_eq!(strip(&plain_jpeg(0)), Err(NoPhoto::Damaged("it has no size")));
        assert_eq!(strip(&vec![0xff; MOST_BYTES + 1]), Err(NoPhoto::TooLarge));
        let mut huge = plain_png();
        huge[PNG.len() + 8..PNG.len() + 16].fill(0xff);
        assert_eq!(strip(&huge), Err(NoPhoto::TooLarge));
        for whole in [plain_jpeg(16), plain_png()] {
            for end in 2..whole.len() {
                assert!(strip(&whole[..end]).is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_let_a_note_through() {
        let mut state = 1u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize
        };
        for n in 0..40_000 {
            let mut bytes = if n % 2 == 0 { plain_jpeg(16) } else { plain_png() };
            for _ in 0..3 {
                let at = next() % bytes.len();
                bytes[at] = next() as u8;
            }
            if let Ok((_, kept)) = strip(&bytes) {
                assert_eq!(strip(&kept).map(|(_, again)| again), Ok(kept), "stripped once is stripped");
            }
        }
    }
}
