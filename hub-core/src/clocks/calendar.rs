//! When a kind of incident is worked on: hours of the week, holidays, and working days that make up for them.

use std::collections::{BTreeMap, BTreeSet};

use super::Zone;
use crate::workflow::Pause;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// How far ahead working time is looked for; a calendar without any has no deadlines.
const HORIZON: i64 = 400 * DAY;

/// A day of the local calendar, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

impl Day {
    /// Monday is 0. The first day of 1970 was a Thursday.
    pub fn weekday(self) -> usize {
        (self.0 + 3).rem_euclid(7) as usize
    }
}

/// Minutes of a day, 0 to 1440, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hours {
    pub from: u16,
    pub to: u16,
}

/// When work is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calendar {
    RoundTheClock,
    Hours {
        zone: Zone,
        /// From Monday to Sunday; within a day in order, apart from each other.
        week: Box<[Vec<Hours>; 7]>,
        holidays: BTreeSet<Day>,
        /// Days with hours of their own, whatever weekday or holiday they are.
        make_up: BTreeMap<Day, Vec<Hours>>,
    },
}

impl Calendar {
    /// When `wanted` ms of working time have gone by since `from`, without pauses (in order, apart from each
    /// other). `None` while a pause has no end, or where no such time comes.
    pub fn after(&self, from: i64, wanted: i64, pauses: &[Pause]) -> Option<i64> {
        let mut left = wanted;
        for (begin, end) in self.spans(from) {
            let mut at = begin.max(from);
            for pause in pauses.iter().filter(|p| p.to.is_none_or(|to| to > p.from)) {
                if at >= end || pause.from >= end {
                    break;
                }
                if pause.to.is_some_and(|to| to <= at) {
                    continue;
                }
                let free = (pause.from - at).max(0);
                if free >= left {
                    return Some(at + left);
                }
                left -= free;
                at = pause.to?;
            }
            let free = end.saturating_sub(at).max(0);
            if free >= left {
                return Some(at.saturating_add(left));
            }
            left -= free;
        }
        None
    }

    /// Whether work is done at this time.
    pub fn is_working(&self, utc: i64) -> bool {
        self.spans(utc).next().is_some_and(|(begin, _)| begin <= utc)
    }

    /// Working times that end after `from`, in order, up to the horizon.
    fn spans(&self, from: i64) -> Box<dyn Iterator<Item = (i64, i64)> + '_> {
        let Self::Hours { zone, week, holidays, make_up } = self else {
            return Box::new([(from, i64::MAX)].into_iter());
        };
        let until = from.saturating_add(HORIZON);
        // Within one offset, local days follow each other without gap or overlap.
        let stretches = zone.stretches(from).take_while(move |(begin, ..)| *begin < until);
        let spans = stretches.flat_map(move |(begin, end, offset)| {
            let first = (begin.max(from).saturating_add(offset)).div_euclid(DAY);
            let last = (end.min(until).saturating_add(offset)).div_euclid(DAY);
            (first..=last).flat_map(move |day| {
                let hours = hours_of(Day(day), week, holidays, make_up);
                hours.iter().filter_map(move |h| {
                    let at = |minute: u16| day * DAY + i64::from(minute) * MINUTE - offset;
                    let span = (at(h.from).max(begin), at(h.to).min(end));
                    (span.0 < span.1 && span.1 > from).then_some(span)
                })
            })
        });
        Box::new(spans)
    }
}

fn hours_of<'a>(
    day: Day,
    week: &'a [Vec<Hours>; 7],
    holidays: &BTreeSet<Day>,
    make_up: &'a BTreeMap<Day, Vec<Hours>>,
) -> &'a [Hours] {
    match make_up.get(&day) {
        Some(hours) => hours,
        None if holidays.contains(&day) => &[],
        None => &week[day.weekday()],
    }
}
