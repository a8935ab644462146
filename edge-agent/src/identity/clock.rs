//! What time it is for certificates, on a box whose clock may be wrong (ADR 6). Seconds since 1970.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// The start of the day on which this program was built.
pub fn build_day() -> i64 {
    env!("SIGNALBOX_BUILD_DAY").parse::<i64>().map_or(0, |days| days.saturating_mul(DAY))
}

/// The box's own clock, whatever it is worth.
pub fn now_seconds() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

/// From when to when a certificate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub not_before: i64,
    pub not_after: i64,
}

/// By which time a hub's certificate is judged, or `None` if it is out of date however one looks at it.
///
/// `floor` is the earliest time that can be now; `newest_seen` is when the newest certificate that this hub
/// has shown was issued. What looks expired or not yet valid counts all the same if it was issued no
/// earlier: the clock is wrong then, or the hub is, and neither may silence a box.
pub fn time_to_judge_by(local: i64, floor: i64, newest_seen: Option<i64>, hub: Validity) -> Option<i64> {
    let now = local.max(floor);
    if (hub.not_before..=hub.not_after).contains(&now) {
        return Some(now);
    }
    newest_seen.is_none_or(|seen| hub.not_before >= seen).then_some(hub.not_before)
}

/// What the hub's answers say about the time: how far the box's clock is off, and a time to go by.
///
/// Told by answers over TLS only; runs on by the monotonic clock.
#[derive(Debug, Default)]
pub struct HubClock(Mutex<Option<(i64, Instant)>>);

impl HubClock {
    pub fn tell(&self, seconds: i64) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((seconds, Instant::now()));
    }

    /// The hub's time now, if it ever said it.
    pub fn now(&self) -> Option<i64> {
        let told = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.map(|(at, heard)| {
            at.saturating_add(i64::try_from(heard.elapsed().as_secs()).unwrap_or(i64::MAX))
        })
    }

    /// The hub's time, else the box's own.
    pub fn best(&self) -> i64 {
        self.now().unwrap_or_else(now_seconds)
    }
}

/// Reads `Mon, 23 Nov 2026 08:00:00 GMT` (RFC 9110's only form that is still written).
pub fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_ascii_whitespace().skip(1);
    let day = parts.next()?;
    let month = MONTHS.iter().position(|m| Some(*m) == parts.clone().next())? + 1;
    let (year, time) = (parts.nth(1)?, parts.next()?);
    let iso = format!("{year:0>4}-{month:02}-{day:0>2}T{time}Z");
    Some(iso.parse::<protocol::Timestamp>().ok()?.unix_ms().div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: Validity = Validity { not_before: 1_000, not_after: 2_000 };

    #[test]
    fn a_wrong_clock_silences_no_box_and_an_old_certificate_stays_refused() {
        let judge = |local, floor, seen| time_to_judge_by(local, floor, seen, HUB);
        // A right clock, and one that stands at 1970 above which the floor lifts it.
        assert_eq!(judge(1_500, 900, Some(1_000)), Some(1_500));
        assert_eq!(judge(0, 1_200, Some(1_000)), Some(1_200));
        // Looks expired, looks not yet valid: it is the newest, so the clock is wrong.
        assert_eq!(judge(9_999, 900, Some(1_000)), Some(1_000));
        assert_eq!(judge(0, 500, Some(1_000)), Some(1_000));
        assert_eq!(judge(0, 500, None), Some(1_000));
        // The same of one that is older than what this hub has shown already.
        assert_eq!(judge(9_999, 900, Some(1_001)), None);
        assert_eq!(judge(1_500, 2_500, Some(2_500)), None);
    }

    #[test]
    fn the_hubs_date_is_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:01 GMT"), Some(1));
        assert_eq!(http_date("Mon, 23 Nov 2026 08:00:00 GMT"), Some(1_795_420_800));
        for wrong in ["", "Mon", "Mon, 23 Foo 2026 08:00:00 GMT", "23 Nov 2026 08:00:00 GMT"] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_build_has_a_day() {
        assert!(build_day() > 1_700_000_000, "{}", build_day());
    }
}
