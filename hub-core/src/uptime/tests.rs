//! Whatever is said and noted in whatever order: every moment of every day counts once, as one thing.

use proptest::prelude::*;
use protocol::{CameraStatus, Timestamp};

use super::*;

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;
/// 2026-11-25T00:00:00 at +08:00.
const MIDNIGHT: i64 = 1_795_536_000_000;
const TODAY: i64 = 20_782;

fn camera(name: &str, state: CameraState) -> CameraStatus {
    let since = Timestamp::from_unix_ms(0);
    CameraStatus {
        camera: name.parse().unwrap(),
        name: None,
        state,
        since,
        reason: None,
        width: None,
        height: None,
    }
}

fn online(cameras: Vec<CameraStatus>) -> Status {
    Status { state: AgentState::Online, cameras: Some(cameras), ..will() }
}

/// The last will.
fn will() -> Status {
    Status {
        v: 1,
        state: AgentState::Offline,
        name: None,
        version: None,
        since: None,
        cameras: None,
        config: None,
    }
}

fn times(sums: &Sums, camera: &str, day: i64) -> (i64, i64, i64) {
    let of = sums.get(&(camera.to_owned(), day)).copied().unwrap_or_default();
    (of.up_ms, of.down_ms, of.unknown_ms)
}

#[test]
fn a_day_of_a_box_and_its_cameras() {
    let mut sums = Sums::new();
    let mut open = Open::new(MIDNIGHT - 10 * MINUTE);
    open.said(&online(vec![camera("c1", CameraState::Live), camera("c2", CameraState::Stalled)]));
    // Over midnight; then one camera comes, one goes, one changes.
    let at = MIDNIGHT + 20 * MINUTE;
    open.pass(at, at, 480, &mut sums);
    open.said(&online(vec![camera("c1", CameraState::Offline), camera("c3", CameraState::Unknown)]));
    let at = at + 5 * MINUTE;
    open.pass(at, at, 480, &mut sums);
    // The last will names no camera: nobody knows of them.
    open.said(&will());
    let at = at + 7 * MINUTE;
    open.pass(at, at, 480, &mut sums);
    assert_eq!(times(&sums, "", TODAY - 1), (10 * MINUTE, 0, 0));
    assert_eq!(times(&sums, "", TODAY), (25 * MINUTE, 7 * MINUTE, 0));
    assert_eq!(times(&sums, "c1", TODAY), (20 * MINUTE, 5 * MINUTE, 7 * MINUTE));
    assert_eq!(times(&sums, "c2", TODAY), (0, 20 * MINUTE, 0), "not counted once it is gone");
    assert_eq!(times(&sums, "c3", TODAY), (0, 0, 12 * MINUTE), "a state of a later version");
}

#[test]
fn an_agent_is_up_for_a_minute_after_its_last_word() {
    let (mut sums, mut open) = (Sums::new(), Open::new(MIDNIGHT));
    open.said(&online(vec![camera("c1", CameraState::Live)]));
    open.look(true, Some(MIDNIGHT), MIDNIGHT + MINUTE, 480, &mut sums);
    assert_eq!(open.agent, State::Up);
    open.look(true, Some(MIDNIGHT), MIDNIGHT + 3 * MINUTE, 480, &mut sums);
    assert_eq!((open.agent, times(&sums, "c1", TODAY)), (State::Unknown, (MINUTE, 0, 2 * MINUTE)));
    // Heard before it was silent is not heard again.
    open.look(true, Some(MIDNIGHT), MIDNIGHT + 3 * MINUTE, 480, &mut sums);
    assert_eq!(open.agent, State::Unknown);
    let last = MIDNIGHT + 4 * MINUTE;
    open.look(false, Some(last), last + 1, 480, &mut sums);
    assert_eq!(open.agent, State::Unknown, "it has not said that it is there");
    open.look(true, Some(last + 2), last + 3, 480, &mut sums);
    assert_eq!((open.agent, times(&sums, "", TODAY)), (State::Up, (MINUTE + 1, 0, 3 * MINUTE + 2)));
}

#[test]
fn time_in_which_nobody_was_there_is_unknown() {
    let up = |sums: &mut Sums| {
        let mut open = Open::new(MIDNIGHT);
        open.said(&online(vec![]));
        open.pass(MIDNIGHT + 1, MIDNIGHT + 1, 480, sums);
        open
    };
    // A hub that was off; or a clock that was set ahead.
    let mut sums = Sums::new();
    up(&mut sums).lapse(MIDNIGHT + MINUTE, MIDNIGHT + DAY, 480, &mut sums);
    assert_eq!(times(&sums, "", TODAY), (MINUTE, 0, DAY - MINUTE));
    // A clock that is set back: that hour is lived through twice, and counts twice.
    let (mut sums, hour) = (Sums::new(), 60 * MINUTE);
    let mut open = up(&mut sums);
    open.lapse(MIDNIGHT + 2 * hour, MIDNIGHT + hour, 480, &mut sums);
    open.pass(MIDNIGHT + 2 * hour, MIDNIGHT + 2 * hour, 480, &mut sums);
    assert_eq!(times(&sums, "", TODAY), (3 * hour, 0, 0));
    // What came a little earlier than what is counted changes nothing of it.
    open.pass(MIDNIGHT, MIDNIGHT, 480, &mut sums);
    assert_eq!((open.at, times(&sums, "", TODAY)), (MIDNIGHT + 2 * hour, (3 * hour, 0, 0)));
    // From 1970, or to the end of time: a month of it and no more.
    for (from, to) in [(0, MIDNIGHT), (MIDNIGHT, i64::MAX), (i64::MIN, i64::MAX), (i64::MAX - 5, i64::MAX)] {
        for offset in [-840, 0, 840] {
            let (mut sums, mut open) = (Sums::new(), Open::new(from));
            open.lapse(from, to, offset, &mut sums);
            let sum: i64 = sums.values().map(Times::sum_ms).sum();
            assert_eq!((open.at, sum), (to, to.saturating_sub(from).min(LONGEST_MS)));
            assert!(sums.len() <= 32);
        }
    }
}

#[test]
fn a_hub_has_run_while_it_notes_it() {
    assert!(has_run(100, 100) && has_run(100, 100 + LAPSE_MS));
    assert!(!has_run(100, 101 + LAPSE_MS) && !has_run(100, 99) && !has_run(i64::MAX, i64::MIN));
}

#[test]
fn cameras_are_bounded() {
    let cameras: Vec<_> =
        (0..MOST_CAMERAS + 5).map(|n| camera(&format!("c{n}"), CameraState::Live)).collect();
    let mut open = Open::new(0);
    open.said(&online(cameras));
    assert_eq!(open.cameras.len(), MOST_CAMERAS);
}

/// Times at which something happens, some minutes to days apart, and what state follows.
fn story() -> impl Strategy<Value = Vec<(i64, u8)>> {
    proptest::collection::vec((0..2 * DAY, 0..4u8), 1..30)
}

fn tell(open: &mut Open, what: u8) {
    match what {
        0 => open.said(&will()),
        1 => open.said(&online(vec![camera("c1", CameraState::Live), camera("c2", CameraState::Offline)])),
        2 => open.said(&online(vec![camera("c1", CameraState::Stalled)])),
        _ => open.agent = State::Unknown,
    }
}

proptest! {
    #[test]
    fn every_moment_counts_once_in_its_day(story in story(), offset in -840..=840i16, start in 0..4 * DAY) {
        let (mut sums, mut open) = (Sums::new(), Open::new(start));
        let mut now = start;
        for (after, what) in story {
            now += after;
            open.pass(now, now, offset, &mut sums);
            tell(&mut open, what);
        }
        for day in day_and_hour(start, offset).0..=day_and_hour(now, offset).0 {
            let (begins, ends) = (day_begins(day, offset).max(start), day_begins(day + 1, offset).min(now));
            let agent = sums.get(&(String::new(), day)).copied().unwrap_or_default();
            prop_assert_eq!(agent.sum_ms(), ends - begins);
            for name in ["c1", "c2"] {
                let camera = sums.get(&(name.to_owned(), day)).copied().unwrap_or_default();
                prop_assert!(camera.sum_ms() <= agent.sum_ms());
                prop_assert!(camera.up_ms + camera.down_ms <= agent.up_ms, "known without its agent");
            }
        }
    }

    #[test]
    fn where_it_is_cut_makes_no_difference(
        story in story(), cuts in proptest::collection::vec(0..60 * DAY, 0..40), offset in -840..=840i16,
    ) {
        let run = |cuts: &[i64]| {
            let (mut sums, mut open) = (Sums::new(), Open::new(0));
            let mut now = 0;
            for (after, what) in &story {
                let mut between: Vec<_> = cuts.iter().filter(|c| (now..now + after).contains(*c)).collect();
                between.sort();
                between.iter().for_each(|cut| open.pass(**cut, **cut, offset, &mut sums));
                now += after;
                open.pass(now, now, offset, &mut sums);
                tell(&mut open, *what);
            }
            (sums, open)
        };
        prop_assert_eq!(run(&cuts), run(&[]));
    }

    #[test]
    fn nothing_is_known_while_nobody_was_there(
        at in 0..DAY, through in 0..3 * DAY, now in 0..6 * DAY, offset in -840..=840i16,
    ) {
        let (mut sums, mut open) = (Sums::new(), Open::new(at));
        open.said(&online(vec![camera("c1", CameraState::Live)]));
        open.lapse(through, now, offset, &mut sums);
        let (known, all) = ((through - at).max(0), (now.max(through) - at).max(0));
        for name in ["", "c1"] {
            let of = sums.iter().filter(|((n, _), _)| n == name);
            let all_days = of.fold(Times::default(), |mut sum, (_, times)| { sum += *times; sum });
            prop_assert_eq!((all_days.up_ms, all_days.sum_ms()), (known.min(all), all));
        }
        prop_assert_eq!(open.at, now);
    }

    #[test]
    fn clocks_that_jump_about_break_nothing(
        jumps in proptest::collection::vec((any::<i64>(), any::<i64>(), 0..7u8), 0..20), offset in -840..=840i16,
    ) {
        let (mut sums, mut open) = (Sums::new(), Open::new(0));
        for (a, b, what) in &jumps {
            match what {
                0 => open.pass(*a, *b, offset, &mut sums),
                1 => open.lapse(*a, *b, offset, &mut sums),
                2 => open.look(true, Some(*a), *b, offset, &mut sums),
                _ => tell(&mut open, *what - 3),
            }
        }
        prop_assert!(sums.values().all(|t| t.up_ms >= 0 && t.down_ms >= 0 && t.unknown_ms >= 0));
        prop_assert!(sums.len() <= jumps.len() * 3 * 3 * 33);
    }
}
