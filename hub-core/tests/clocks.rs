//! Clocks in field words, calendars against a walk minute by minute.

mod story;

use std::collections::{BTreeMap, BTreeSet};

use hub_core::clocks::{Calendar, ClockRules, Day, Due, Hours, IncidentClock, Mark, Target, Zone, timetable};
use hub_core::workflow::{Pause, Reopening, fold};
use story::{MONDAY, clock, facts, part, time};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn township() -> ClockRules {
    ClockRules {
        targets: BTreeMap::from([
            (Target::Acknowledge, 60 * SECOND),
            (Target::Dispatch, 5 * MINUTE),
            (Target::Arrive, 15 * MINUTE),
            (Target::Resolve, 2 * HOUR),
        ]),
        levels: vec![0, 5 * MINUTE],
        calendar: Calendar::RoundTheClock,
    }
}

/// Lets time run to `until`, one deadline after the other.
fn run(story: &str, rules: &ClockRules, until: &str) -> String {
    let standing = fold(&[part("A", "09:00:00")], &facts(story).into_iter().collect(), &Reopening::default());
    let mut running = IncidentClock::new(&standing, rules);
    let mut lines = format!("{}\n", standing.state.as_str());
    while let Some((at, why)) = running.deadline().filter(|(at, _)| *at <= time(until)) {
        running.handle(at - 1);
        assert_eq!(running.poll(), None, "nothing before its time");
        running.handle(at);
        assert!(running.deadline().is_none_or(|(next, _)| next > at), "{why:?} is done");
        while let Some(Due { at, mark }) = running.poll() {
            lines += &format!("  {} {}\n", clock(at), words(mark));
        }
    }
    match running.deadline() {
        Some((at, mark)) => lines + &format!("  next {} {}\n", clock(at), words(mark)),
        None => lines + "  nothing more\n",
    }
}

fn words(mark: Mark) -> String {
    match mark {
        Mark::Overdue(target) => format!("overdue {}", target.as_str()),
        Mark::Escalate { level, because } => format!("level {level} because of {}", because.as_str()),
    }
}

#[test]
fn stories_against_the_clock() {
    let stories = [
        ("nobody looks", ""),
        ("acknowledged in time", "09:00:20 li acknowledge"),
        ("acknowledged late", "09:01:00 overdue acknowledge\n09:01:00 escalated 1\n09:01:10 li acknowledge"),
        ("dispatched in time", "09:00:20 li acknowledge\n09:04:00 li dispatch unit:patrol-2"),
        ("on scene", "09:00:20 li dispatch unit:patrol-2\n09:04:00 wang arrive"),
        ("ended", "09:00:20 li dispatch unit:patrol-2\n09:04:00 wang resolve"),
        ("waits for the power company", "09:00:20 li acknowledge\n09:02:00 li pause"),
        ("goes on after ten minutes", "09:00:20 li acknowledge\n09:02:00 li pause\n09:12:00 li resume"),
        ("flares up again", "09:00:20 li acknowledge\n09:10:00 li resolve\n09:30:00 alert"),
        ("the clock is set forward a day", "09:00:20 li acknowledge\n33:00:30 clock set +86400"),
        ("the clock is set back half an hour", "09:00:20 li acknowledge\n09:00:30 clock set -1800"),
    ];
    let lines: String = stories
        .iter()
        .map(|(name, story)| format!("{name}: {}", run(story, &township(), "09:08:00")))
        .collect();
    insta::assert_snapshot!("against_the_clock", lines);
}

#[test]
fn an_alert_that_was_stored_for_hours_comes_neither_breached_nor_winds_a_running_clock_back() {
    // Its clock starts when the hub hears of it; that it happened at six in the morning counts for nothing.
    let first = timetable(
        &fold(
            &[part("A", "09:00:00")],
            &facts("09:00:00 alert of 06:00:00").into_iter().collect(),
            &Reopening::default(),
        ),
        &township(),
    );
    assert_eq!(first[0], Due { at: time("09:01:00"), mark: Mark::Overdue(Target::Acknowledge) });
    let later = "09:00:00 alert of 06:00:00\n09:00:50 alert of 05:00:00\n09:00:55 alert";
    let standing = fold(&[part("A", "09:00:00")], &facts(later).into_iter().collect(), &Reopening::default());
    assert_eq!(timetable(&standing, &township()), first);
}

#[test]
fn a_restart_gives_no_mark_twice() {
    let mut story = String::new();
    let mut given = Vec::new();
    for minute in 0..20 {
        let standing =
            fold(&[part("A", "09:00:00")], &facts(&story).into_iter().collect(), &Reopening::default());
        let mut running = IncidentClock::new(&standing, &township());
        running.handle(time("09:00:00") + minute * MINUTE);
        while let Some(due) = running.poll() {
            given.push(due.mark);
            story += &match due.mark {
                Mark::Overdue(target) => format!("{} overdue {}\n", clock(due.at), target.as_str()),
                Mark::Escalate { level, .. } => format!("{} escalated {level}\n", clock(due.at)),
            };
        }
    }
    let expected = [
        Mark::Overdue(Target::Acknowledge),
        Mark::Escalate { level: 1, because: Target::Acknowledge },
        Mark::Overdue(Target::Dispatch),
        Mark::Escalate { level: 2, because: Target::Acknowledge },
    ];
    assert_eq!(given, expected);
}

fn office(zone: Zone) -> Calendar {
    let day = vec![Hours { from: 9 * 60, to: 12 * 60 }, Hours { from: 13 * 60 + 30, to: 17 * 60 + 30 }];
    Calendar::Hours {
        zone,
        week: Box::new(std::array::from_fn(|n| if n < 5 { day.clone() } else { Vec::new() })),
        holidays: BTreeSet::from([Day(MONDAY / DAY + 1)]),
        make_up: BTreeMap::from([(Day(MONDAY / DAY + 5), day)]),
    }
}

#[test]
fn office_hours_in_china() {
    let calendar = office(Zone::fixed(8 * 60));
    // Monday 17:00 there; half an hour of it is left, Tuesday is a holiday.
    let monday_17 = MONDAY + 9 * HOUR;
    assert!(calendar.is_working(monday_17));
    assert_eq!(calendar.after(monday_17, 20 * MINUTE, &[]), Some(monday_17 + 20 * MINUTE));
    let wednesday_9 = MONDAY + 2 * DAY + HOUR;
    assert_eq!(calendar.after(monday_17, HOUR, &[]), Some(wednesday_9 + 30 * MINUTE));
    // Friday evening: the Saturday makes up for the holiday.
    let friday_18 = MONDAY + 4 * DAY + 10 * HOUR;
    assert_eq!(calendar.after(friday_18, MINUTE, &[]), Some(MONDAY + 5 * DAY + HOUR + MINUTE));
    // Over lunch, with a pause that begins in it.
    let monday_11 = MONDAY + 3 * HOUR;
    let pause = Pause { from: monday_11 + 90 * MINUTE, to: Some(monday_11 + 3 * HOUR) };
    assert_eq!(calendar.after(monday_11, 2 * HOUR, &[pause]), Some(monday_11 + 4 * HOUR));
    let open = Pause { from: monday_11 + 30 * MINUTE, to: None };
    assert_eq!(calendar.after(monday_11, 2 * HOUR, &[open]), None);
    assert_eq!(calendar.after(monday_11, 20 * MINUTE, &[open]), Some(monday_11 + 20 * MINUTE));
}

#[test]
fn a_calendar_without_work_has_no_deadline() {
    let calendar = Calendar::Hours {
        zone: Zone::fixed(480),
        week: Default::default(),
        holidays: BTreeSet::new(),
        make_up: BTreeMap::new(),
    };
    assert_eq!(calendar.after(MONDAY, MINUTE, &[]), None);
    assert_eq!(Calendar::RoundTheClock.after(i64::MAX - 5, 100, &[]), None);
}

/// The oracle walks minute by minute and asks the clock on the wall.
#[test]
fn calendars_agree_with_a_walk_minute_by_minute() {
    // An hour forward on Tuesday at 02:00 local, an hour back on Thursday at 03:00, also over midnight.
    let summer = Zone::changing(HOUR, [(MONDAY + DAY + HOUR, 2 * HOUR), (MONDAY + 3 * DAY + HOUR, HOUR)]);
    let midnight = Zone::changing(0, [(MONDAY + DAY, HOUR), (MONDAY + 4 * DAY - HOUR, 0)]);
    let seed = 7u64;
    println!("SEED={seed}");
    let mut state = seed;
    let mut below = move |n: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % n
    };
    for n in 0..600 {
        let zone = [Zone::fixed(480), summer.clone(), midnight.clone(), Zone::fixed(-210)][n % 4].clone();
        let mut hours = || -> Vec<Hours> {
            let mut marks: Vec<u16> = (0..4).map(|_| below(49) as u16 * 30).collect();
            marks.sort_unstable();
            let all = [Hours { from: marks[0], to: marks[1] }, Hours { from: marks[2], to: marks[3] }];
            all.into_iter().filter(|h| h.from < h.to).collect()
        };
        let week: [Vec<Hours>; 7] = std::array::from_fn(|_| hours());
        let make_up = BTreeMap::from([(Day(MONDAY / DAY + 5), hours())]);
        let holidays = BTreeSet::from([Day(MONDAY / DAY + 2), Day(MONDAY / DAY + 5)]);
        let calendar = Calendar::Hours {
            zone: zone.clone(),
            week: Box::new(week.clone()),
            holidays: holidays.clone(),
            make_up: make_up.clone(),
        };
        let works = |utc: i64| {
            let local = zone.local(utc);
            let (day, minute) = (local.div_euclid(DAY), (local.rem_euclid(DAY) / MINUTE) as u16);
            let of_day = match make_up.get(&Day(day)) {
                Some(hours) => hours.clone(),
                None if holidays.contains(&Day(day)) => Vec::new(),
                None => week[Day(day).weekday()].clone(),
            };
            of_day.iter().any(|h| (h.from..h.to).contains(&minute))
        };
        let from = MONDAY + below(2 * 1440) * MINUTE;
        let mut pauses: Vec<i64> = (0..4).map(|_| MONDAY + below(4 * 1440) * MINUTE).collect();
        pauses.sort_unstable();
        let pauses =
            [Pause { from: pauses[0], to: Some(pauses[1]) }, Pause { from: pauses[2], to: Some(pauses[3]) }];
        let is_paused = |utc: i64| pauses.iter().any(|p| p.from <= utc && utc < p.to.unwrap());
        let wanted = (1 + below(1500)) * MINUTE;
        let (mut at, mut left) = (from, wanted);
        while left > 0 && at < from + 20 * DAY {
            if works(at) && !is_paused(at) {
                left -= MINUTE;
            }
            at += MINUTE;
        }
        let walked = (left == 0).then_some(at);
        let found = calendar.after(from, wanted, &pauses).filter(|at| *at <= from + 20 * DAY);
        assert_eq!(found, walked, "round {n}: {wanted} ms from {from} in {calendar:?}, {pauses:?}");
        assert_eq!(calendar.is_working(from), works(from), "round {n}");
    }
}
