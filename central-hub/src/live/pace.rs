//! How many live views an account may open in a minute. Each costs keys and key frames.

use std::collections::BTreeMap;
use std::time::Duration;

/// A wall of sixteen pictures, opened four times.
const A_MINUTE: u32 = 64;
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Pace(BTreeMap<String, (Duration, u32)>);

impl Pace {
    /// Uses one; whether there was one left.
    pub fn take(&mut self, account: &str, now: Duration) -> bool {
        self.0.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW);
        let (_, used) = self.0.entry(account.to_owned()).or_insert((now, 0));
        *used += 1;
        *used <= A_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_opens_too_many_waits_and_nobody_else_does() {
        let (mut pace, now) = (Pace::default(), Duration::from_secs(9));
        assert!((0..A_MINUTE).all(|_| pace.take("wang", now)));
        assert!(!pace.take("wang", now) && pace.take("li", now));
        assert!(pace.take("wang", now + WINDOW));
    }
}
