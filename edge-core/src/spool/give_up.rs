//! What goes first when the spool reaches a cap: settled segments, then low severity before high,
//! oldest first. A segment holds records of one severity, so that unlinking one frees its bytes,
//! on a full disk too.

use std::time::Duration;

use protocol::Severity;

/// One closed segment file. `I` is whatever names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFigures<I> {
    pub id: I,
    pub class: Severity,
    pub bytes: u64,
    /// Records that are neither settled nor given up.
    pub open: u64,
    /// Unix time of its newest record, in ms.
    pub newest_ms: i64,
}

/// Where the spool ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub bytes: u64,
    /// How long settled records stay, for a hub that was restored from a backup.
    pub keep_settled: Duration,
    /// How old an open record may get.
    pub keep_open: Duration,
}

/// Why a segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Settled,
    Cap,
    Age,
}

/// Which segments go, in this order, given `in_use` bytes altogether. `segments` are oldest first.
pub fn give_up<I: Clone>(
    segments: &[SegmentFigures<I>],
    in_use: u64,
    now_ms: i64,
    limits: Limits,
) -> Vec<(I, Why)> {
    let age = |s: &SegmentFigures<I>| u128::try_from(now_ms.saturating_sub(s.newest_ms)).unwrap_or(0);
    let mut left = in_use;
    let mut gone = Vec::new();
    let mut stay: Vec<&SegmentFigures<I>> = Vec::new();
    for segment in segments {
        let why = match segment.open {
            0 if age(segment) > limits.keep_settled.as_millis() => Some(Why::Settled),
            n if n > 0 && age(segment) > limits.keep_open.as_millis() => Some(Why::Age),
            _ => None,
        };
        match why {
            Some(why) => {
                left = left.saturating_sub(segment.bytes);
                gone.push((segment.id.clone(), why));
            }
            None => stay.push(segment),
        }
    }
    // A stable sort keeps the oldest first within a class.
    stay.sort_by_key(|s| (s.open > 0, if s.open > 0 { s.class } else { Severity::Low }));
    for segment in stay {
        if left <= limits.bytes {
            break;
        }
        left = left.saturating_sub(segment.bytes);
        gone.push((segment.id.clone(), if segment.open == 0 { Why::Settled } else { Why::Cap }));
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 300,
        keep_settled: Duration::from_secs(48 * 3600),
        keep_open: Duration::from_secs(30 * 86_400),
    };

    fn segment(id: u32, class: Severity, open: u64, newest_ms: i64) -> SegmentFigures<u32> {
        SegmentFigures { id, class, bytes: 100, open, newest_ms }
    }

    #[test]
    fn settled_goes_first_then_low_before_high_then_the_oldest() {
        let all = [
            segment(1, Severity::High, 5, 0),
            segment(2, Severity::Low, 5, 0),
            segment(3, Severity::High, 0, 0),
            segment(4, Severity::Low, 5, 0),
            segment(5, Severity::Medium, 5, 0),
            segment(6, Severity::High, 5, 0),
        ];
        let order = |bytes| give_up(&all, 600, 0, Limits { bytes, ..LIMITS });
        assert_eq!(order(600), []);
        assert_eq!(order(599), [(3, Why::Settled)]);
        assert_eq!(order(300), [(3, Why::Settled), (2, Why::Cap), (4, Why::Cap)]);
        assert_eq!(order(0).iter().map(|g| g.0).collect::<Vec<_>>(), [3, 2, 4, 5, 1, 6]);
    }

    #[test]
    fn age_frees_settled_after_two_days_and_open_after_a_month() {
        let day = 86_400_000;
        let all = [segment(1, Severity::High, 1, 0), segment(2, Severity::High, 0, 0)];
        assert_eq!(give_up(&all, 200, 2 * day, LIMITS), []);
        assert_eq!(give_up(&all, 200, 2 * day + 1, LIMITS), [(2, Why::Settled)]);
        assert_eq!(give_up(&all, 200, 30 * day + 1, LIMITS), [(1, Why::Age), (2, Why::Settled)]);
    }
}
