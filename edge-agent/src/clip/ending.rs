//! Whether a video file ends where its container says: demuxers read up to a cut and call it the end.
//!
//! Reads the outermost structure of AVI, MP4 and Matroska, and nothing inside. Raw H.264 has none: there
//! nobody can tell.

use std::io::{self, Read, Seek, SeekFrom};

/// Chunks that are walked; a file with more is taken for whole.
const MOST_CHUNKS: usize = 1 << 16;
const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];

/// Why a file of `length` bytes is not whole, or `None`.
pub fn missing(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<String>> {
    let mut head = [0; 12];
    if length < 12 {
        return Ok(None); // no container at all
    }
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut head)?;
    match &head {
        [b'R', b'I', b'F', b'F', ..] => riff(file, length),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => boxes(file, length),
        head if head.starts_with(&EBML) => matroska(file, length),
        _ => Ok(None),
    }
}

fn short(needed: u64, length: u64) -> Option<String> {
    Some(format!("the file is cut off: it has {length} of {needed} bytes"))
}

/// One `RIFF` chunk or, in files over 1 GiB, several in a row.
fn riff(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<String>> {
    let mut at = 0;
    for _ in 0..MOST_CHUNKS {
        let Some(head) = read::<8>(file, at, length)? else { return Ok(None) };
        let [b'R', b'I', b'F', b'F', size @ ..] = head else { return Ok(None) };
        let size = u64::from(u32::from_le_bytes(size));
        if size == 0 {
            return Ok(Some("the file was never completed: its size is missing".to_owned()));
        }
        at += 8 + size;
        if at > length {
            return Ok(short(at, length));
        }
        at += size % 2;
    }
    Ok(None)
}

/// ISO/IEC 14496-12, 4.2.
fn boxes(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<String>> {
    let mut at = 0u64;
    for _ in 0..MOST_CHUNKS {
        let Some(head) = read::<8>(file, at, length)? else { return Ok(None) };
        let [a, b, c, d, ..] = head;
        let size = match u32::from_be_bytes([a, b, c, d]) {
            0 => return Ok(None), // up to the end of the file
            1 => read::<8>(file, at + 8, length)?.map_or(u64::MAX, u64::from_be_bytes),
            size => u64::from(size),
        };
        let end = at.saturating_add(size.max(8));
        if end > length {
            return Ok(short(end, length));
        }
        at = end;
    }
    Ok(None)
}

/// RFC 8794: the EBML header, then one segment, whose length may be unknown.
fn matroska(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<String>> {
    let Some((size, digits)) = vint(file, 4, length)? else { return Ok(None) };
    let at = (4 + digits).saturating_add(size.unwrap_or(0));
    if read::<4>(file, at, length)? != Some(SEGMENT) {
        return Ok(None);
    }
    let Some((Some(size), digits)) = vint(file, at + 4, length)? else { return Ok(None) };
    let end = (at + 4 + digits).saturating_add(size);
    Ok(if end > length { short(end, length) } else { None })
}

/// A number of variable length and how many bytes it takes; all ones: unknown.
fn vint(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Option<(Option<u64>, u64)>> {
    let Some([first]) = read::<1>(file, at, length)? else { return Ok(None) };
    let digits = u64::from(first.leading_zeros()) + 1;
    if digits > 8 {
        return Ok(None);
    }
    let mut value = u64::from(first) & ((1 << (8 - digits)) - 1);
    for n in 1..digits {
        let Some([next]) = read::<1>(file, at + n, length)? else { return Ok(None) };
        value = value << 8 | u64::from(next);
    }
    let unknown = value == (1 << (7 * digits)) - 1;
    Ok(Some(((!unknown).then_some(value), digits)))
}

/// `None`: so many bytes don't lie there.
fn read<const N: usize>(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Option<[u8; N]>> {
    if at.checked_add(N as u64).is_none_or(|end| end > length) {
        return Ok(None);
    }
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn of(bytes: &[u8]) -> Option<String> {
        missing(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    fn check(whole: &[u8], from: usize) {
        assert_eq!(of(whole), None);
        for cut in from..whole.len() {
            let told = of(&whole[..cut]);
            assert!(told.is_some_and(|t| t.contains(&format!("{cut} of {}", whole.len()))), "cut at {cut}");
        }
    }

    #[test]
    fn a_cut_anywhere_is_told() {
        let data = [b'.'; 16];
        check(&[&b"RIFF\x14\0\0\0AVI "[..], &data].concat(), 12);
        // From the second box's header on: a file that ends between two boxes looks whole.
        check(&[&b"\0\0\0\x10ftypisom....\0\0\0\x18mdat"[..], &data].concat(), 24);
        check(&[&EBML[..], b"\x84....", &SEGMENT, b"\x01\0\0\0\0\0\0\x10", &data].concat(), 21);
    }

    #[test]
    fn what_says_nothing_about_its_length_is_taken_for_whole() {
        assert_eq!(of(&[&EBML[..], b"\x84....", &SEGMENT, b"\xff........"].concat()), None);
        assert_eq!(of(b"\0\0\0\x01\x67raw H.264 has no end"), None);
        assert_eq!(of(b"\0\0\0\x10ftypisom....\0\0\0\0mdat....."), None);
        assert!(of(b"RIFF\0\0\0\0AVI ....").unwrap().contains("never completed"));
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_it_ends(
            bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0usize..3,
        ) {
            let head = [&b"RIFF"[..], b"\0\0\0\x08ftyp", &EBML][kind];
            of(&[head, &bytes].concat());
        }
    }
}
