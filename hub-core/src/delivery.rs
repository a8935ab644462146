//! When a message to another system is tried, tried again, and given up.
//!
//! Owns back-off and the circuit breaker of one receiver. Time comes in as milliseconds; sending, storing and
//! signing are the shell's. A receiver that is away costs one attempt a minute, however much waits for it.

/// First wait after a failed attempt; doubled with each.
const FIRST_WAIT_MS: i64 = 5_000;
/// Longest wait between two attempts at one message.
const LONGEST_WAIT_MS: i64 = 15 * 60_000;
/// So many failures in a row open the circuit.
const FAILURES: u32 = 5;
/// How long an open circuit rests before one attempt is let through; doubled with each that fails.
const FIRST_REST_MS: i64 = 15_000;
const LONGEST_REST_MS: i64 = 60_000;

/// What to do with a message after an attempt at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Done,
    /// Again, not before then.
    At(i64),
    /// It is too old: nobody waits for it any more.
    GiveUp,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx.
    Taken,
    /// Not reached, too slow, 5xx, 408, 425 or 429: may be well later. With the receiver's own wish for when.
    Away { retry_after_ms: Option<i64> },
    /// It answered, and does not want it: another 4xx, or a redirect, which is never followed.
    Refused,
}

impl Outcome {
    /// By the status of the answer.
    pub fn of_status(status: u16, retry_after_ms: Option<i64>) -> Self {
        match status {
            200..=299 => Self::Taken,
            408 | 425 | 429 | 500..=599 => Self::Away { retry_after_ms },
            _ => Self::Refused,
        }
    }
}

/// After attempt number `attempts` (1 is the first) at a message that waits since `since`. `chance` is any
/// number: it spreads the attempts of many messages.
pub fn next(
    outcome: Outcome,
    attempts: u32,
    since: i64,
    now: i64,
    give_up_after_ms: i64,
    chance: u32,
) -> Next {
    let wished = match outcome {
        Outcome::Taken => return Next::Done,
        Outcome::Away { retry_after_ms } => retry_after_ms.unwrap_or(0),
        // Settings may be mended at the other end: it is tried on, seldom.
        Outcome::Refused => LONGEST_WAIT_MS,
    };
    if now.saturating_sub(since) >= give_up_after_ms {
        return Next::GiveUp;
    }
    let doubled = FIRST_WAIT_MS.saturating_mul(1_i64 << attempts.saturating_sub(1).min(20));
    let wait = doubled.max(wished).min(LONGEST_WAIT_MS);
    // Up to a quarter more.
    let more = wait / 4 * i64::from(chance % 1_000) / 1_000;
    Next::At(now.saturating_add(wait + more))
}

/// The circuit breaker of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Circuit {
    failures: u32,
    /// Open until then; afterwards one attempt is let through.
    open_until: Option<i64>,
    rest_ms: i64,
    probing: bool,
}

impl Circuit {
    /// Whether an attempt may be made now; if so, its outcome must be told. Otherwise when to ask again.
    pub fn ask(&mut self, now: i64) -> Result<(), i64> {
        match self.open_until {
            None => Ok(()),
            Some(until) if now < until => Err(until),
            // A second one waits for what becomes of the first.
            Some(_) if self.probing => Err(now.saturating_add(self.rest_ms)),
            Some(_) => {
                self.probing = true;
                Ok(())
            }
        }
    }

    /// What an attempt came to. A refusal is an answer: the receiver is there.
    pub fn tell(&mut self, now: i64, outcome: Outcome) {
        let probe = std::mem::take(&mut self.probing);
        if !matches!(outcome, Outcome::Away { .. }) {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        // What was under way when it opened says nothing new.
        if probe || (self.open_until.is_none() && self.failures >= FAILURES) {
            self.rest_ms = (self.rest_ms * 2).clamp(FIRST_REST_MS, LONGEST_REST_MS);
            self.open_until = Some(now.saturating_add(self.rest_ms));
        }
    }

    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: Outcome = Outcome::Away { retry_after_ms: None };
    const DAY: i64 = 24 * 3_600_000;

    #[test]
    fn waits_double_up_to_a_cap_and_end() {
        let waits: Vec<i64> = (1..=10)
            .map(|n| match next(AWAY, n, 0, 1_000, DAY, 0) {
                Next::At(at) => (at - 1_000) / 1_000,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(
            next(AWAY, u32::MAX, 0, 1_000, DAY, u32::MAX),
            Next::At(1_000 + 900_000 + 900_000 / 4 * 295 / 1_000)
        );
        assert_eq!(next(AWAY, 3, 0, DAY, DAY, 0), Next::GiveUp);
        assert_eq!(next(Outcome::Taken, 3, 0, DAY, DAY, 0), Next::Done);
        assert_eq!(next(Outcome::Refused, 1, 0, 0, DAY, 0), Next::At(900_000));
        let wished = Outcome::Away { retry_after_ms: Some(60_000) };
        assert_eq!(next(wished, 1, 0, 0, DAY, 0), Next::At(60_000));
        assert_eq!(next(AWAY, 1, 0, i64::MAX, i64::MAX, 0), Next::GiveUp);
    }

    #[test]
    fn statuses_are_what_they_mean() {
        assert_eq!(Outcome::of_status(204, None), Outcome::Taken);
        for away in [408, 425, 429, 500, 503] {
            assert_eq!(Outcome::of_status(away, Some(1)), Outcome::Away { retry_after_ms: Some(1) });
        }
        for refused in [100, 301, 302, 307, 400, 401, 404, 410, 600] {
            assert_eq!(Outcome::of_status(refused, None), Outcome::Refused, "{refused}");
        }
    }

    #[test]
    fn a_receiver_that_is_away_costs_an_attempt_a_minute() {
        let mut circuit = Circuit::default();
        let mut attempts = 0;
        // Ten minutes of somebody asking twice a second.
        for now in (0..600_000).step_by(500) {
            if circuit.ask(now).is_ok() {
                attempts += 1;
                circuit.tell(now, AWAY);
            }
        }
        assert!((14..=17).contains(&attempts), "{attempts}");
        assert!(circuit.is_open());
        // Once it answers, it is open to everything again.
        let now = 700_000;
        assert_eq!(circuit.ask(now), Ok(()));
        assert!(circuit.ask(now).is_err(), "one at a time until it is known");
        circuit.tell(now, Outcome::Taken);
        assert_eq!((circuit.ask(now), circuit.ask(now)), (Ok(()), Ok(())));
    }

    #[test]
    fn what_fails_at_the_same_time_opens_the_circuit_once() {
        let mut circuit = Circuit::default();
        (0..8).for_each(|_| assert_eq!(circuit.ask(0), Ok(())));
        (0..8).for_each(|_| circuit.tell(1_000, AWAY));
        assert_eq!(circuit.ask(1_000), Err(1_000 + FIRST_REST_MS));
        assert_eq!(circuit.ask(1_000 + FIRST_REST_MS), Ok(()));
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let mut circuit = Circuit::default();
        for now in 0..100 {
            assert_eq!(circuit.ask(now), Ok(()));
            circuit.tell(now, if now % 5 == 4 { Outcome::Refused } else { AWAY });
        }
        assert!(!circuit.is_open());
    }
}
