//! Who gets the detector: fairness, caps, and what is counted.

use std::time::Duration;

use edge_core::Schedule;

fn ms(t: u64) -> Duration {
    Duration::from_millis(t)
}

/// Cameras that bring a frame every so many ms, and a detector that takes `cost_ms` a frame.
fn run(every_ms: &[u64], fps: &[f32], cost_ms: u64, until_ms: u64) -> (Schedule<u64>, Vec<u64>) {
    let mut schedule = Schedule::new(fps);
    let mut oldest = vec![0; fps.len()];
    let mut free_at = 0;
    for now in 0..until_ms {
        for (camera, every) in every_ms.iter().enumerate() {
            if now % every == 0 {
                schedule.offer(camera, ms(now), now);
            }
        }
        if now >= free_at
            && let Some((camera, taken_at)) = schedule.take(ms(now))
        {
            oldest[camera] = oldest[camera].max(now - taken_at);
            free_at = now + cost_ms;
        }
    }
    (schedule, oldest)
}

#[test]
fn a_slow_detector_serves_all_cameras_alike_and_only_fresh_frames() {
    let (schedule, oldest) = run(&[40, 40, 33, 100], &[0.0; 4], 50, 60_000);
    for (camera, age) in oldest.iter().enumerate() {
        let counts = schedule.counts(camera).unwrap();
        assert!((295..=305).contains(&counts.taken), "camera {camera}: {counts:?}");
        assert!(counts.offered - counts.taken - counts.superseded <= 1, "camera {camera}: {counts:?}");
        assert!(*age <= 100, "camera {camera}: a frame {age} ms old");
    }
}

#[test]
fn a_busy_camera_takes_nothing_from_a_quiet_one() {
    let (schedule, _) = run(&[5, 500], &[0.0; 2], 20, 60_000);
    assert_eq!(schedule.counts(1).unwrap().taken, 120);
    assert_eq!(schedule.counts(1).unwrap().superseded, 0);
}

#[test]
fn a_cap_is_kept_on_average_and_what_it_costs_is_counted() {
    let (schedule, _) = run(&[40, 40], &[5.0, 0.0], 1, 60_000);
    let (capped, free) = (schedule.counts(0).unwrap(), schedule.counts(1).unwrap());
    assert!((298..=301).contains(&capped.taken), "{capped:?}");
    assert!(capped.over_rate > 1100 && capped.superseded == 0, "{capped:?}");
    assert_eq!((free.taken, free.over_rate), (1500, 0));
}

#[test]
fn after_a_pause_there_is_no_burst() {
    let mut schedule = Schedule::new(&[10.0]);
    schedule.offer(0, ms(0), ());
    assert!(schedule.take(ms(0)).is_some());
    let mut taken = 0;
    for now in (60_000..61_000).step_by(10) {
        schedule.offer(0, ms(now), ());
        taken += u64::from(schedule.take(ms(now)).is_some());
    }
    assert!((10..=11).contains(&taken), "{taken}");
}

#[test]
fn it_says_when_to_ask_again() {
    let mut schedule = Schedule::new(&[10.0, 0.0]);
    assert_eq!(schedule.next_due(ms(7)), None);
    schedule.offer(0, ms(0), "a");
    assert_eq!(schedule.next_due(ms(7)), Some(ms(7)));
    assert_eq!(schedule.take(ms(7)), Some((0, "a")));
    assert_eq!(schedule.offer(0, ms(8), "b"), None);
    assert_eq!(schedule.offer(0, ms(9), "c"), Some("b"));
    assert_eq!(schedule.next_due(ms(9)), Some(ms(100)));
    assert_eq!(schedule.take(ms(99)), None);
    schedule.offer(1, ms(99), "d");
    assert_eq!(schedule.take(ms(99)), Some((1, "d")));
    assert_eq!(schedule.clear(0), Some("c"));
    assert_eq!(schedule.next_due(ms(99)), None);
    assert_eq!(schedule.offer(5, ms(99), "nobody"), Some("nobody"));
}

#[test]
fn odd_rates_and_no_cameras_are_survived() {
    for fps in [f32::NAN, f32::INFINITY, -1.0, 1e-30, 1e30] {
        let mut schedule = Schedule::new(&[fps]);
        for now in 0..5 {
            schedule.offer(0, Duration::MAX.saturating_sub(ms(now)), now);
            schedule.take(Duration::MAX);
        }
    }
    assert_eq!(Schedule::<()>::new(&[]).take(ms(1)), None);
}

#[test]
fn while_somebody_watches_every_frame_is_taken_and_afterwards_the_rate_counts_again() {
    let mut schedule = Schedule::new(&[5.0]);
    let mut taken = |from: u64, watched: bool| {
        schedule.watched(0, watched);
        let times = (from..from + 2_000).step_by(40);
        times
            .filter(|now| {
                schedule.offer(0, ms(*now), *now);
                schedule.take(ms(*now)).is_some()
            })
            .count()
    };
    assert!((9..=12).contains(&taken(0, false)));
    assert_eq!(taken(2_000, true), 50);
    assert!((9..=13).contains(&taken(4_000, false)));
}
