//! How bad an incident is: a function of its alerts.
//!
//! Each alert counts by its rule's word, at least as much as its kind demands, and one step more at a sensitive place in
//! the site's sensitive hours. The incident is as bad as its worst alert, one step more for each number of alerts it reaches.
//! Test alerts are never raised.

use std::collections::BTreeMap;

use super::{Alert, Hours, Stats, Topology};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Severity; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// 1 to 4, the worst highest.
    pub fn rank(self) -> u8 {
        self as u8 + 1
    }

    pub fn of_rank(rank: u8) -> Option<Self> {
        Self::ALL.get(usize::from(rank).checked_sub(1)?).copied()
    }

    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    fn raised(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps).min(Self::ALL.len() - 1)]
    }
}

/// A site's rules for severity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeverityRules {
    /// Alerts of these kinds are at least so bad.
    pub at_least: BTreeMap<String, Severity>,
    /// When sensitive places are sensitive, in local time.
    pub sensitive: Hours,
    /// Local time is so many minutes ahead of UTC.
    pub utc_offset_minutes: i32,
    /// An incident is one step worse from each of these numbers of alerts on.
    pub steps: Vec<u64>,
}

impl SeverityRules {
    pub fn of_alert(&self, alert: &Alert, topology: &Topology) -> Severity {
        if alert.test {
            return alert.severity;
        }
        let least = self.at_least.get(&alert.kind).copied().unwrap_or(Severity::Low);
        let sensitive = topology.is_sensitive(&alert.camera)
            && self.sensitive.contain(minute_of_day(alert.at, self.utc_offset_minutes));
        alert.severity.max(least).raised(usize::from(sensitive))
    }

    pub fn of(&self, stats: &Stats) -> Severity {
        if stats.test {
            return stats.peak;
        }
        stats.peak.raised(self.steps.iter().filter(|step| stats.alerts >= **step).count())
    }
}

fn minute_of_day(at_ms: i64, offset_minutes: i32) -> u16 {
    let minutes = at_ms.div_euclid(60_000) + i64::from(offset_minutes);
    u16::try_from(minutes.rem_euclid(24 * 60)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_local() {
        assert_eq!(minute_of_day(0, 480), 8 * 60);
        assert_eq!(minute_of_day(-60_000, 0), 24 * 60 - 1);
        assert_eq!(minute_of_day(i64::MIN, 480), minute_of_day(i64::MIN, 480 - 24 * 60));
    }

    #[test]
    fn ranks_and_words_go_both_ways() {
        for severity in Severity::ALL {
            assert_eq!(Severity::of_rank(severity.rank()), Some(severity));
            assert_eq!(Severity::of_word(severity.as_str()), Some(severity));
        }
        assert_eq!((Severity::of_rank(0), Severity::of_rank(5)), (None, None));
        assert_eq!(Severity::High.raised(7), Severity::Critical);
    }
}
