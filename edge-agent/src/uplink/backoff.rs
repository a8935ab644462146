//! How long to wait before the next connection. Pure: the random number comes from outside.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// A connection that stood this long was a good one, if nothing was settled over it either.
const GOOD: Duration = Duration::from_secs(30);

/// Exponential back-off with full jitter. A connection that a broker grants and then breaks over the
/// same refusal again counts as a failed try.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { ceiling: SHORTEST }
    }
}

impl Backoff {
    /// After a try: how long its connection `stood`, whether a record was `settled` over it.
    /// `random` in 0..=1; the n-th wait is uniform between 0 and min(60 s, 1 s x 2^n).
    pub fn next(&mut self, stood: Duration, settled: bool, random: f64) -> Duration {
        if settled || stood >= GOOD {
            self.ceiling = SHORTEST;
        }
        let ceiling = self.ceiling;
        self.ceiling = (ceiling * 2).min(LONGEST);
        ceiling.mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connection_that_lasted_or_settled_something_starts_over() {
        let mut backoff = Backoff::default();
        let mut wait = |stood, settled| backoff.next(Duration::from_secs(stood), settled, 1.0).as_secs();
        // Granted and refused again after a second: the waits grow all the same.
        let waits: Vec<u64> = (0..8).map(|_| wait(1, false)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!((wait(1, true), wait(0, false)), (1, 2));
        assert_eq!((wait(30, false), wait(29, false)), (1, 2));
        assert_eq!(backoff.next(Duration::ZERO, false, 0.0), Duration::ZERO);
    }
}
