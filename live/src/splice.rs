//! One unbroken numbering for a viewer, whatever the sources of the packets were numbered like.
//!
//! A box that connects anew begins anew; the viewer's player must not notice. Gaps within one source stay gaps,
//! so that what was lost can be asked for again. Pure.

use std::time::{Duration, Instant};

use crate::CLOCK;

/// Of a viewer, for one source after the other.
#[derive(Debug, Default)]
pub struct Splice {
    source: Option<Source>,
    /// The highest that were handed out, and when.
    last: Option<(u64, u32, Instant)>,
}

#[derive(Debug)]
struct Source {
    first_seq: u64,
    first_time: u32,
    seq_from: u64,
    time_from: u32,
}

impl Splice {
    /// The next packet begins at a key frame, of a source that may be another.
    pub fn cut(&mut self) {
        self.source = None;
    }

    /// Whether packets pass; otherwise [`Self::join`] is to come first.
    pub fn is_joined(&self) -> bool {
        self.source.is_some()
    }

    /// From this packet on.
    pub fn join(&mut self, seq: u64, time: u32, now: Instant) {
        let (seq_from, time_from) = match self.last {
            // Numbers begin low: a first one beyond 16 bits could not be decrypted (RFC 3711, 3.3.1).
            None => (1, 0),
            Some((seq, time, at)) => (seq + 1, time.wrapping_add(ticks(now.saturating_duration_since(at)))),
        };
        self.source = Some(Source { first_seq: seq, first_time: time, seq_from, time_from });
    }

    /// A packet's number and time for the viewer; `None`: it is from before the viewer joined.
    pub fn pass(&mut self, seq: u64, time: u32, now: Instant) -> Option<(u64, u32)> {
        let source = self.source.as_ref()?;
        let seq = source.seq_from + seq.checked_sub(source.first_seq)?;
        let time = source.time_from.wrapping_add(time.wrapping_sub(source.first_time));
        if self.last.is_none_or(|(highest, ..)| seq > highest) {
            self.last = Some((seq, time, now));
        }
        Some((seq, time))
    }
}

/// At least one: two pictures never have the same time.
fn ticks(time: Duration) -> u32 {
    let ticks = time.as_micros() * u128::from(CLOCK) / 1_000_000;
    u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_on_when_the_source_changes_and_gaps_stay() {
        let (mut splice, start) = (Splice::default(), Instant::now());
        assert_eq!(splice.pass(70_000, 5, start), None);
        splice.join(70_000, u32::MAX, start);
        assert_eq!(splice.pass(69_999, u32::MAX, start), None, "from before");
        assert_eq!(splice.pass(70_000, u32::MAX, start), Some((1, 0)));
        assert_eq!(splice.pass(70_003, 8_999, start), Some((4, 9_000)), "two are missing");
        assert_eq!(splice.pass(70_001, u32::MAX, start), Some((2, 0)), "late, in its place");
        splice.cut();
        assert!(!splice.is_joined());
        let later = start + Duration::from_secs(2);
        splice.join(12, 77, later);
        assert_eq!(splice.pass(12, 77, later), Some((5, 9_000 + 180_000)));
        splice.cut();
        splice.join(1, 1, later);
        let (_, time) = splice.pass(1, 1, later).unwrap();
        assert_eq!(time, 9_000 + 180_001, "never the same time twice");
    }
}
