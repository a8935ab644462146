//! When the hub's clock may be believed enough to delete by it.
//!
//! A clock that jumps a year ahead must not empty the database. So the wall clock is compared with one that only
//! counts up; whoever deletes waits until both have agreed for a day. A restart does not begin that day anew where it
//! was short and the clock went on as it should.

use std::time::Duration;

/// The two clocks may differ by so much from one look to the next: slewing, leap seconds, a slow look.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// How long they must have agreed.
pub const PROOF: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a restart may take to be taken for one.
pub const RESTART: Duration = Duration::from_secs(60 * 60);

/// One look at both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Milliseconds since 1970.
    pub wall: i64,
    /// Since the process began.
    pub steady: Duration,
}

/// What is known of the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockTrust {
    last: Look,
    /// For how long the clocks have agreed.
    agreed: Duration,
}

impl ClockTrust {
    /// At the start. `before` is the wall clock at the last look in which it was believed, from before the restart.
    pub fn new(now: Look, before: Option<i64>) -> Self {
        let gap = before.map(|before| now.wall - before);
        let short = gap.is_some_and(|gap| (0..=millis(RESTART)).contains(&gap));
        Self { last: now, agreed: if short { PROOF } else { Duration::ZERO } }
    }

    /// Whether the wall clock is believed now.
    pub fn look(&mut self, now: Look) -> bool {
        let passed = now.steady.saturating_sub(self.last.steady);
        let difference = (now.wall - self.last.wall).abs_diff(millis(passed));
        self.agreed = if difference <= millis(TOLERANCE).unsigned_abs() {
            self.agreed.saturating_add(passed)
        } else {
            Duration::ZERO
        };
        self.last = now;
        self.agreed >= PROOF
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;
    const START: i64 = 1_800_000_000_000;

    /// Looks every ten minutes for so many hours, with the wall clock off by `off` milliseconds.
    fn pass(trust: &mut ClockTrust, from: u64, hours: u64, off: i64) -> bool {
        let looks = (from * 6 + 1..=(from + hours) * 6).map(|n| Duration::from_secs(n * 600));
        looks.map(|steady| trust.look(Look { wall: START + off + millis(steady), steady })).last().unwrap()
    }

    fn start(before: Option<i64>) -> ClockTrust {
        ClockTrust::new(Look { wall: START, steady: Duration::ZERO }, before)
    }

    #[test]
    fn a_clock_is_believed_after_a_day_and_no_longer_after_a_jump() {
        let day = millis(Duration::from_secs(24 * HOUR));
        for jump in [day, -day, 365 * day, 400_000] {
            let mut trust = start(None);
            assert!(!pass(&mut trust, 0, 23, 0));
            assert!(pass(&mut trust, 23, 2, 0));
            assert!(!pass(&mut trust, 25, 23, jump), "{jump}");
            assert!(pass(&mut trust, 48, 2, jump), "after a day of agreement it is the time, {jump}");
        }
    }

    #[test]
    fn a_short_restart_keeps_the_trust_and_a_long_one_or_a_jump_does_not() {
        let minute = 60_000;
        assert!(pass(&mut start(Some(START - minute)), 0, 1, 0));
        for before in
            [None, Some(START + minute), Some(START - 61 * minute), Some(START - 90 * 24 * 60 * minute)]
        {
            assert!(!pass(&mut start(before), 0, 1, 0), "{before:?}");
        }
    }
}
