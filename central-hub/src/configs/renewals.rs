//! Who is told next to renew: a few at a time, so that a fleet does not come in one rush, and again those who
//! did not hear it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Boxes that are told at one look.
const AT_ONCE: usize = 16;
/// Who has not renewed by then is told again.
pub const AGAIN: Duration = Duration::from_secs(60);

/// Who was told, and when.
#[derive(Debug, Default)]
pub struct Renewals(BTreeMap<Bearer, Instant>);

/// Site and agent.
pub type Bearer = (String, String);

impl Renewals {
    /// `bearers`: all whose certificate is of an older authority. Those who have waited longest come first.
    pub fn due(&mut self, now: Instant, bearers: BTreeSet<Bearer>) -> Vec<Bearer> {
        self.0.retain(|bearer, _| bearers.contains(bearer));
        let told = |b: &Bearer| self.0.get(b).copied();
        let mut due: Vec<Bearer> = bearers
            .into_iter()
            .filter(|b| told(b).is_none_or(|at| now.duration_since(at) >= AGAIN))
            .collect();
        due.sort_by_key(|b| told(b));
        due.truncate(AT_ONCE);
        self.0.extend(due.iter().map(|b| (b.clone(), now)));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_told_once_a_minute_and_a_few_at_a_time() {
        let all: BTreeSet<Bearer> = (0..40).map(|n| ("market".into(), format!("box-{n:02}"))).collect();
        let (mut renewals, start) = (Renewals::default(), Instant::now());
        let told: Vec<Vec<Bearer>> = (0..4).map(|_| renewals.due(start, all.clone())).collect();
        assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8, 0]);
        assert_eq!(told.concat().into_iter().collect::<BTreeSet<_>>(), all);
        // Who has renewed is not told again.
        let left: BTreeSet<Bearer> = all.into_iter().skip(38).collect();
        assert_eq!(renewals.due(start + AGAIN / 2, left.clone()), []);
        assert_eq!(renewals.due(start + AGAIN, left.clone()), left.into_iter().collect::<Vec<_>>());
    }
}
