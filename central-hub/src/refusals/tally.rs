//! How many refusals there were, and which of them are written down. Pure: the time comes in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use protocol::enrol::Identity;

/// Rows of one action about one agent in a minute; what is beyond is counted.
const ROWS_A_MINUTE: u32 = 5;
const MINUTE: Duration = Duration::from_secs(60);
const DETAIL_CHARS: usize = 400;

/// What is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) action: &'static str,
    pub(super) identity: Identity,
    pub(super) detail: String,
}

/// By agent and action: both are bounded, as only enrolled agents come this far.
#[derive(Debug, Default)]
pub(super) struct Tally(HashMap<(Identity, &'static str), Window>);

#[derive(Debug)]
struct Window {
    since: Instant,
    written: u32,
    counted: u64,
    last: String,
}

impl Tally {
    pub(super) fn note(
        &mut self,
        now: Instant,
        action: &'static str,
        identity: &Identity,
        detail: String,
    ) -> Option<Row> {
        let mut detail: String = detail.chars().take(DETAIL_CHARS).collect();
        let fresh = || Window { since: now, written: 0, counted: 0, last: String::new() };
        let window = self.0.entry((identity.clone(), action)).or_insert_with(fresh);
        if now.saturating_duration_since(window.since) >= MINUTE {
            if window.counted > 0 {
                detail = format!("{detail}; {} more were refused before it", window.counted);
            }
            *window = fresh();
        }
        if window.written == ROWS_A_MINUTE {
            window.counted += 1;
            window.last = detail;
            return None;
        }
        window.written += 1;
        Some(Row { action, identity: identity.clone(), detail })
    }

    /// What was only counted, of minutes that are over. Forgets them.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Row> {
        let mut rows = Vec::new();
        self.0.retain(|(identity, action), window| {
            let over = now.saturating_duration_since(window.since) >= MINUTE;
            if over && window.counted > 0 {
                let detail = format!("{} more were refused; the last: {}", window.counted, window.last);
                rows.push(Row { action, identity: identity.clone(), detail });
            }
            !over
        });
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_a_few_rows_and_a_number() {
        let gate = Identity { site: "market".parse().unwrap(), agent: "gate".parse().unwrap() };
        let yard = Identity { site: "market".parse().unwrap(), agent: "yard".parse().unwrap() };
        let (mut tally, now) = (Tally::default(), Instant::now());
        let rows = (0..10_000).filter_map(|n| tally.note(now, "forged_topic", &gate, format!("topic {n}")));
        assert_eq!(rows.count() as u32, ROWS_A_MINUTE);
        assert!(tally.note(now, "forged_topic", &yard, "topic".into()).is_some(), "each by itself");
        assert!(tally.due(now).is_empty());
        let rows = tally.due(now + MINUTE);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].detail, "9995 more were refused; the last: topic 9999");
        assert_eq!((rows[0].identity.clone(), tally.0.len()), (gate, 0), "forgotten");
    }

    #[test]
    fn the_next_row_carries_the_number_and_long_details_are_cut() {
        let gate = Identity { site: "market".parse().unwrap(), agent: "gate".parse().unwrap() };
        let (mut tally, now) = (Tally::default(), Instant::now());
        for _ in 0..=ROWS_A_MINUTE {
            tally.note(now, "forged_topic", &gate, "x".repeat(100_000));
        }
        let row = tally.note(now + MINUTE, "forged_topic", &gate, "x".repeat(100_000)).unwrap();
        assert!(row.detail.ends_with("; 1 more were refused before it") && row.detail.len() < 500);
    }
}
