//! Ids that the hub mints: UUID version 7 (RFC 9562, section 5.7), which sort by the time of their making.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::now_ms;
use crate::credential::{CredentialError, hex};

/// The 60 bits of milliseconds and counter (section 6.2, method 1) that were given last.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A new id, greater than every one that this process has made, also when the clock goes back.
pub fn uuid7() -> Result<String, CredentialError> {
    let now = now_ms().unsigned_abs() << 12;
    let later = |last: u64| Some(now.max(last + 1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).unwrap_or_default();
    let stamp = now.max(last + 1);
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes[8..]).map_err(CredentialError::Random)?;
    bytes[..6].copy_from_slice(&(stamp >> 12).to_be_bytes()[2..]);
    bytes[6] = 0x70 | (stamp >> 8) as u8 & 0x0f;
    bytes[7] = stamp as u8;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    let text = hex(&bytes);
    Ok(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_their_making_and_say_what_they_are() {
        let ids: Vec<_> = (0..10_000).map(|_| uuid7().unwrap()).collect();
        assert!(ids.is_sorted() && ids[0] != ids[1]);
        let id = ids[0].as_bytes();
        assert_eq!((id.len(), id[14]), (36, b'7'), "{}", ids[0]);
        assert!(b"89ab".contains(&id[19]), "{}", ids[0]);
    }
}
