//! A channel's source, and when it is asked for a key frame: at once, then not again for a moment.

use std::time::{Duration, Instant};

use super::Session;

/// Several who come together share one key frame, which is many times as large as other pictures.
const BETWEEN: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub struct Stream {
    pub source: Option<Session>,
    arriving: bool,
    asked: Option<Instant>,
    /// Somebody asked since, and no key frame has come.
    wanted: bool,
}

impl Stream {
    /// Whether to ask the source now; otherwise it is noted.
    pub fn ask(&mut self, now: Instant) -> bool {
        self.wanted = !self.may_ask(now);
        if !self.wanted {
            self.asked = Some(now);
        }
        !self.wanted
    }

    /// A packet came; whether it is the first of the source.
    pub fn arrived(&mut self, begins_key_frame: bool) -> bool {
        self.wanted &= !begins_key_frame;
        !std::mem::replace(&mut self.arriving, true)
    }

    pub fn lost(&mut self) {
        *self = Self::default();
    }

    pub fn key_frame_due(&self, now: Instant) -> bool {
        self.wanted && self.may_ask(now)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.asked.filter(|_| self.wanted).map(|at| at + BETWEEN)
    }

    fn may_ask(&self, now: Instant) -> bool {
        self.asked.is_none_or(|at| now.saturating_duration_since(at) >= BETWEEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_come_together_share_a_key_frame_and_nobody_is_forgotten() {
        let (mut stream, start) = (Stream::default(), Instant::now());
        assert!(stream.ask(start));
        assert!(!stream.ask(start + BETWEEN / 2), "just asked");
        assert_eq!(stream.deadline(), Some(start + BETWEEN));
        assert!(!stream.key_frame_due(start + BETWEEN / 2));
        assert!(stream.key_frame_due(start + BETWEEN));
        assert!(stream.arrived(true), "the first packet");
        assert!(!stream.key_frame_due(start + BETWEEN), "one has come meanwhile");
        assert!(!stream.arrived(false));
        stream.lost();
        assert!(stream.arrived(false), "another source");
    }
}
