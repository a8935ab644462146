//! The book of one decoder: what went in, what came out, and which moment belongs to which frame.
//!
//! Pure. Both decoders keep one, so that they number, time and wait for key frames alike.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::{TimeSource, Timestamp};
use settings::Size;

use super::{DecodeCounts, DecodeError, Moment, Packet};

/// Moments kept for frames that a decoder holds back; H.264 reorders 16 at most.
const MOMENTS: usize = 64;

#[derive(Debug)]
pub(super) struct Ledger {
    pub counts: DecodeCounts,
    waiting: bool,
    moments: VecDeque<(Option<Duration>, Moment)>,
    last: Option<Duration>,
}

/// Number, media time and moment of one frame.
pub(super) type Entry = (u64, Duration, Moment);

impl Ledger {
    pub fn new() -> Self {
        let counts = DecodeCounts::default();
        Self { counts, waiting: true, moments: VecDeque::new(), last: None }
    }

    /// Whether the packet is to be decoded; `false` while a key frame is awaited.
    pub fn admit(&mut self, packet: &Packet, most: Size) -> Result<bool, DecodeError> {
        let limit = usize::try_from(most.0).unwrap_or(usize::MAX);
        if packet.size() > limit {
            self.counts.damaged += 1;
            return Err(DecodeError::TooLarge { bytes: packet.size(), limit });
        }
        self.counts.packets += 1;
        if self.waiting && !packet.key {
            self.counts.skipped += 1;
            return Ok(false);
        }
        self.waiting = false;
        if self.moments.len() == MOMENTS {
            self.moments.pop_front();
        }
        self.moments.push_back((packet.pts, packet.moment));
        Ok(true)
    }

    /// Books a frame that came out with this time. Without one it follows the last frame by 40 ms.
    pub fn frame(&mut self, pts: Option<Duration>) -> Entry {
        self.counts.frames += 1;
        let at = self.moments.iter().position(|(p, _)| *p == pts).unwrap_or(0);
        let moment = self.moments.remove(at).map_or_else(unknown_moment, |(_, moment)| moment);
        let media_time =
            pts.unwrap_or_else(|| self.last.map_or(Duration::ZERO, |t| t + Duration::from_millis(40)));
        self.last = Some(media_time);
        (self.counts.frames, media_time, moment)
    }

    /// The decoder starts anew: nothing that went in comes out any more.
    pub fn restart(&mut self) {
        self.waiting = true;
        self.moments.clear();
    }
}

fn unknown_moment() -> Moment {
    Moment {
        captured_at: Timestamp::from_unix_ms(0),
        time_source: TimeSource::Agent,
        uncertainty_ms: None,
        seen_at: Instant::now(),
    }
}
