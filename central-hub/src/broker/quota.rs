//! How fast one agent may speak. Who is faster is read more slowly, nothing of it is lost.
//!
//! Pure: the time comes in, a pause comes out.

use std::time::{Duration, Instant};

/// Packets a second of one agent, whatever they are. A busy box sends ten.
pub(super) const PACKETS_A_SECOND: f64 = 500.0;
/// Packets at once after a silence: a spool that empties itself.
pub(super) const PACKETS_AT_ONCE: f64 = 2_000.0;
/// Payload a second of one agent: sixteen full alert messages.
pub(super) const BYTES_A_SECOND: f64 = 2.0 * 1024.0 * 1024.0;
/// Payload at once after a silence.
pub(super) const BYTES_AT_ONCE: f64 = 8.0 * 1024.0 * 1024.0;

/// One agent's allowance, kept over its connections.
#[derive(Debug)]
pub(super) struct Quota {
    packets: Bucket,
    bytes: Bucket,
}

impl Quota {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            packets: Bucket::new(PACKETS_A_SECOND, PACKETS_AT_ONCE, now),
            bytes: Bucket::new(BYTES_A_SECOND, BYTES_AT_ONCE, now),
        }
    }

    /// How long to wait before the next packet is read.
    pub(super) fn packet(&mut self, now: Instant) -> Duration {
        self.packets.take(now, 1.0)
    }

    pub(super) fn payload(&mut self, now: Instant, bytes: usize) -> Duration {
        self.bytes.take(now, bytes as f64)
    }
}

/// Filled at a steady rate up to a brim; may be overdrawn, then the pause is until it is even.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    brim: f64,
    level: f64,
    at: Instant,
}

impl Bucket {
    fn new(rate: f64, brim: f64, now: Instant) -> Self {
        Self { rate, brim, level: brim, at: now }
    }

    fn take(&mut self, now: Instant, amount: f64) -> Duration {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.level = (self.level + passed * self.rate).min(self.brim) - amount;
        Duration::from_secs_f64((-self.level).max(0.0) / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_slowed_to_the_rate() {
        let begun = Instant::now();
        let mut quota = Quota::new(begun);
        let mut now = begun;
        for _ in 0..PACKETS_AT_ONCE as u32 {
            assert_eq!(quota.packet(now), Duration::ZERO);
        }
        // Whoever waits as told sends exactly the rate.
        for _ in 0..1_000 {
            now += quota.packet(now);
        }
        let seconds = (now - begun).as_secs_f64();
        assert!((seconds - 1_000.0 / PACKETS_A_SECOND).abs() < 0.01, "{seconds}");
        // After a silence there is a burst again, and never more than one.
        now += Duration::from_secs(3600);
        for _ in 0..PACKETS_AT_ONCE as u32 {
            assert_eq!(quota.packet(now), Duration::ZERO);
        }
        assert!(quota.packet(now) > Duration::ZERO);
    }

    #[test]
    fn large_payloads_are_counted_by_their_bytes() {
        let now = Instant::now();
        let mut quota = Quota::new(now);
        assert_eq!(quota.payload(now, BYTES_AT_ONCE as usize), Duration::ZERO);
        let pause = quota.payload(now, BYTES_A_SECOND as usize);
        assert_eq!(pause, Duration::from_secs(1));
        // A clock that steps back gives nothing.
        assert!(quota.payload(now - Duration::from_secs(5), 1) >= pause);
    }
}
