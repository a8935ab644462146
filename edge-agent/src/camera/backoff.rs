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

/// How long to wait after refused passwords. Cameras lock an account after some wrong ones (five within half
/// an hour is common), for half an hour or for good; and one that is starting up refuses right ones.
#[derive(Debug)]
pub(super) struct Pauses {
    first: Duration,
    refused: u32,
}

impl Pauses {
    /// `first`: after the second refusal.
    pub fn new(first: Duration) -> Self {
        Self { first, refused: 0 }
    }

    /// The password was refused again: `first`, twice, four and six times `first`; nothing special after the
    /// first refusal.
    pub fn refused(&mut self) -> Option<Duration> {
        let times = [0, 1, 2, 4, 6][self.refused.min(4) as usize];
        self.refused = self.refused.saturating_add(1);
        (times > 0).then(|| self.first * times)
    }

    pub fn reset(&mut self) {
        self.refused = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A camera's account as makers do it: `most` wrong passwords within `window` lock it.
    fn is_ever_locked(most: usize, window: Duration) -> bool {
        let mut pauses = Pauses::new(Duration::from_secs(300));
        let mut backoff = Backoff::new((Duration::from_secs(1), Duration::from_secs(30)));
        let (mut now, mut wrong) = (Duration::ZERO, Vec::new());
        while now < Duration::from_secs(7 * 86_400) {
            wrong.push(now);
            wrong.retain(|at| now - *at < window);
            if wrong.len() >= most {
                return true;
            }
            // The shortest waits that can be.
            let usual = backoff.next(0.0);
            now += pauses.refused().unwrap_or(usual);
        }
        false
    }

    #[test]
    fn a_wrong_password_locks_no_account_in_a_week() {
        for (most, minutes) in [(5, 30), (7, 30), (5, 5), (10, 60), (4, 15), (3, 5)] {
            let window = Duration::from_secs(minutes * 60);
            assert!(!is_ever_locked(most, window), "{most} within {minutes} min");
        }
        assert!(is_ever_locked(2, Duration::from_secs(60)), "the model does lock");
    }

    #[test]
    fn after_a_good_password_it_begins_anew() {
        let mut pauses = Pauses::new(Duration::from_secs(300));
        let seconds: Vec<_> = (0..6).map(|_| pauses.refused().map_or(0, |p| p.as_secs())).collect();
        assert_eq!(seconds, [0, 300, 600, 1200, 1800, 1800]);
        pauses.reset();
        assert_eq!(pauses.refused(), None);
    }

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
