//! How long to wait before the next try. Pure: the random number comes from outside.

use std::time::Duration;

/// Exponential back-off with full jitter, never under `least` (so that no camera is hit more often).
#[derive(Debug)]
pub(super) struct Backoff {
    least: Duration,
    most: Duration,
    tries: u32,
}

impl Backoff {
    pub fn new((least, most): (Duration, Duration)) -> Self {
        Self { least, most, tries: 0 }
    }

    /// `random` in 0..=1. The n-th wait is uniform between `least` and min(`most`, `least` x 2^n).
    pub fn next(&mut self, random: f64) -> Duration {
        self.tries = (self.tries + 1).min(16);
        let ceiling = self.most.min(self.least * 2_u32.pow(self.tries));
        self.least + ceiling.saturating_sub(self.least).mul_f64(random.clamp(0.0, 1.0))
    }

    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_never_hit_the_camera_more_than_once_a_second() {
        let (one, thirty) = (Duration::from_secs(1), Duration::from_secs(30));
        let mut backoff = Backoff::new((one, thirty));
        let ceilings: Vec<u64> = (0..7).map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(ceilings, [2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(backoff.next(0.0), one);
        backoff.reset();
        assert_eq!(backoff.next(1.0), 2 * one);
    }
}
