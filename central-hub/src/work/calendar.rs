//! From what people write (`Asia/Shanghai`, `09:00-17:30`, `2026-10-01`) to calendars.
//!
//! Zones by name come from the system's zone files; a fixed offset needs none.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::clocks::{Calendar, Day, Hours, Zone};
use time::Date;
use time::macros::{date, format_description};

use super::settings;

/// Why a text is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCalendar {
    #[error(
        "`{0}` is no time zone: write an offset like `+08:00`, or a name of this machine's zone files like `Asia/Shanghai` (Debian package tzdata)"
    )]
    Zone(String),
    #[error(
        "`{0}` are no hours: write them like `09:00-17:30`, the end after the beginning, at most `24:00`"
    )]
    Hours(String),
    #[error("`{0}` begins before the hours before it end")]
    Overlap(String),
    #[error("`{0}` is no day: write it like `2026-10-01`")]
    Day(String),
}

pub fn read(written: &settings::Hours, zone: &Zone) -> Result<Calendar, NoCalendar> {
    let zone = match &written.zone {
        Some(name) => self::zone(name)?,
        None => zone.clone(),
    };
    let settings::Hours { monday, tuesday, wednesday, thursday, friday, saturday, sunday, .. } = written;
    let mut week: [Vec<Hours>; 7] = Default::default();
    for (day, texts) in week.iter_mut().zip([monday, tuesday, wednesday, thursday, friday, saturday, sunday])
    {
        *day = hours(texts)?;
    }
    let holidays = written.holidays.iter().map(|text| day(text)).collect::<Result<BTreeSet<_>, _>>()?;
    let make_up = written
        .make_up
        .iter()
        .map(|(text, texts)| Ok((day(text)?, hours(texts)?)))
        .collect::<Result<BTreeMap<_, _>, NoCalendar>>()?;
    Ok(Calendar::Hours { zone, week: Box::new(week), holidays, make_up })
}

/// `+08:00`, `-03:30`, `Asia/Shanghai`.
pub fn zone(text: &str) -> Result<Zone, NoCalendar> {
    match offset(text) {
        Some(minutes) => Ok(Zone::fixed(minutes)),
        None => named(text).ok_or_else(|| NoCalendar::Zone(text.to_owned())),
    }
}

fn offset(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let minutes = i32::from(minute(&text[1..])?);
    (minutes <= 18 * 60).then_some(sign * minutes)
}

fn named(name: &str) -> Option<Zone> {
    /// As far as clocks are looked ahead; then the last offset stays.
    const YEARS: i64 = 60;
    const HOUR: i64 = 3600;
    // A name below the zone files' folder and nothing else: no path, no POSIX rule like `UTC0`.
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b));
    let is_below = name.contains('/') && !name.contains("//") || name == "UTC";
    if !is_name || !is_below || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let zone = tz::TimeZone::from_posix_tz(name).ok()?;
    let offset = |at: i64| zone.find_local_time_type(at).ok().map(|t| i64::from(t.ut_offset()) * 1000);
    let begin = (date!(2020 - 01 - 01) - date!(1970 - 01 - 01)).whole_seconds();
    let end = begin + YEARS * 366 * 24 * HOUR;
    let first = offset(begin)?;
    let (mut changes, mut at, mut current) = (Vec::new(), begin, first);
    while at < end {
        let next = at + 6 * HOUR;
        let then = offset(next)?;
        if then != current {
            // Somewhere in these six hours: halved until the second is found.
            let (mut before, mut after) = (at, next);
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                if offset(middle)? == current { before = middle } else { after = middle }
            }
            changes.push((after * 1000, then));
            current = then;
        }
        at = next;
    }
    Some(Zone::changing(first, changes))
}

fn hours(texts: &[String]) -> Result<Vec<Hours>, NoCalendar> {
    let mut hours: Vec<Hours> = Vec::new();
    for text in texts {
        let parts = text.split_once('-').and_then(|(a, b)| minute(a.trim()).zip(minute(b.trim())));
        let (from, to) = parts.filter(|(a, b)| a < b).ok_or_else(|| NoCalendar::Hours(text.clone()))?;
        if hours.last().is_some_and(|last| last.to > from) {
            return Err(NoCalendar::Overlap(text.clone()));
        }
        hours.push(Hours { from, to });
    }
    Ok(hours)
}

/// `09:30` as minutes of the day, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (h, m) = text.split_once(':')?;
    let number = |t: &str| (t.len() == 2).then(|| t.parse::<u16>().ok()).flatten();
    let minute = number(h)? * 60 + number(m).filter(|m| *m < 60)?;
    (minute <= 24 * 60).then_some(minute)
}

fn day(text: &str) -> Result<Day, NoCalendar> {
    let date = Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| NoCalendar::Day(text.to_owned()))?;
    Ok(Day((date - date!(1970 - 01 - 01)).whole_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn offsets_and_names() {
        assert_eq!(zone("+08:00"), Ok(Zone::fixed(480)));
        assert_eq!(zone("-03:30"), Ok(Zone::fixed(-210)));
        for wrong in
            ["", "8", "+8", "+25:00", "Nowhere/City", "../etc/passwd", "/etc/localtime", "UTC0", "EST5EDT,M3"]
        {
            assert_eq!(zone(wrong), Err(NoCalendar::Zone(wrong.to_owned())), "{wrong}");
        }
    }

    #[test]
    fn zones_by_name_know_their_summers() {
        let Ok(berlin) = zone("Europe/Berlin") else {
            panic!("the machine has no zone files: tzdata is part of the set-up");
        };
        let at = |text: &str| text.parse::<protocol::Timestamp>().unwrap().unix_ms();
        let offset = |text: &str| (berlin.local(at(text)) - at(text)) / HOUR;
        assert_eq!(offset("2026-01-15T12:00:00Z"), 1);
        assert_eq!(offset("2026-03-29T00:59:59Z"), 1);
        assert_eq!(offset("2026-03-29T01:00:00Z"), 2);
        assert_eq!(offset("2026-10-25T00:59:59Z"), 2);
        assert_eq!(offset("2026-10-25T01:00:00Z"), 1);
        assert_eq!(offset("2050-07-01T00:00:00Z"), 2, "also beyond the file's own list");
        assert_eq!(zone("Asia/Shanghai"), Ok(Zone::fixed(480)));
    }

    #[test]
    fn hours_and_days_are_checked() {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(hours(&texts(&["00:00-24:00"])), Ok(vec![Hours { from: 0, to: 1440 }]));
        for wrong in ["9:00-10:00", "10:00-09:00", "09:00-24:01", "09:00", "09:60-10:00", "09:00-09:00"] {
            assert_eq!(hours(&texts(&[wrong])), Err(NoCalendar::Hours(wrong.to_owned())));
        }
        assert!(hours(&texts(&["09:00-12:00", "11:00-13:00"])).is_err());
        assert_eq!(day("1970-01-02"), Ok(Day(1)));
        assert_eq!(day("2026-02-29"), Err(NoCalendar::Day("2026-02-29".into())));
        assert_eq!(day("2026-11-23").unwrap().weekday(), 0);
    }
}
