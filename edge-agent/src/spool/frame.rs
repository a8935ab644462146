//! Frames of a segment file: `magic | kind | class | 2 spare | len | seq | at_ms | crc32c | payload`,
//! little endian; the checksum covers the header before it and the payload. Reading finds the next
//! whole frame after damage. The magic's first byte never occurs in UTF-8, so no payload holds it.

pub const MAGIC: [u8; 4] = [0xF5, b'S', b'B', 0xFA];
pub const HEADER: usize = 32;
pub const MAX_PAYLOAD: usize = protocol::MAX_MESSAGE_BYTES;

pub const KIND_HEADER: u8 = 0;
pub const KIND_RECORD: u8 = 1;
pub const KIND_SETTLE: u8 = 2;

#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub kind: u8,
    pub class: u8,
    pub seq: u64,
    pub at_ms: i64,
    pub offset: usize,
    pub payload: &'a [u8],
}

pub fn encode(out: &mut Vec<u8>, kind: u8, class: u8, seq: u64, at_ms: i64, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[kind, class, 0, 0]);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&at_ms.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[start..]), payload);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(payload);
}

/// The frame that begins at `offset`, if a whole and sound one does.
pub fn at(bytes: &[u8], offset: usize) -> Option<Frame<'_>> {
    let header = bytes.get(offset..offset.checked_add(HEADER)?)?;
    if header[..4] != MAGIC {
        return None;
    }
    let len = u32::from_le_bytes(header[8..12].try_into().ok()?) as usize;
    if len > MAX_PAYLOAD {
        return None;
    }
    let payload = bytes.get(offset + HEADER..offset + HEADER + len)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..28]), payload);
    (header[28..32] == crc.to_le_bytes()).then_some(Frame {
        kind: header[4],
        class: header[5],
        seq: u64::from_le_bytes(header[12..20].try_into().ok()?),
        at_ms: i64::from_le_bytes(header[20..28].try_into().ok()?),
        offset,
        payload,
    })
}

/// All sound frames, and the damaged stretches between them (`start..end`).
pub fn scan(bytes: &[u8]) -> (Vec<Frame<'_>>, Vec<(usize, usize)>) {
    let (mut frames, mut damage, mut offset) = (Vec::new(), Vec::new(), 0);
    while offset < bytes.len() {
        let next = (offset..bytes.len()).find_map(|o| (bytes[o] == MAGIC[0]).then(|| at(bytes, o)).flatten());
        let start = next.as_ref().map_or(bytes.len(), |f| f.offset);
        if start > offset {
            damage.push((offset, start));
        }
        let Some(frame) = next else { break };
        offset = start + HEADER + frame.payload.len();
        frames.push(frame);
    }
    (frames, damage)
}
