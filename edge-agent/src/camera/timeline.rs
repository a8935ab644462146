//! Media time that only grows: pure, whatever times a camera gives its pictures.

use std::time::Duration;

/// A gap longer than this is a new beginning.
const JUMP: Duration = Duration::from_secs(10);
/// Between pictures on both sides of a break, and between pictures with equal times.
const STEP: Duration = Duration::from_millis(1);

/// Why a stream does not continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The camera was connected anew.
    Reconnected,
    /// The stream's own time jumped.
    Time,
    /// Pictures have another size.
    Resized { from: (u32, u32), to: (u32, u32) },
    /// Pictures were passed over because the box was too slow.
    Overrun,
}

#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Last time of the source, and what became of it.
    last: Option<(Duration, Duration)>,
    /// Set by a reconnection: the real time that passed.
    away: Option<Duration>,
}

impl Timeline {
    /// The next picture's time comes from a new source, `away` after the last picture.
    pub fn rebase(&mut self, away: Duration) {
        self.away = Some(away);
    }

    /// Strictly growing media time of a picture, and whether its own time jumped.
    pub fn place(&mut self, pts: Duration) -> (Duration, bool) {
        let Some((last_pts, last)) = self.last else {
            self.last = Some((pts, Duration::ZERO));
            return (Duration::ZERO, false);
        };
        let (step, jumped) = match (self.away.take(), pts.checked_sub(last_pts)) {
            (Some(away), _) => (away.max(STEP), false),
            (None, Some(gap)) if gap <= JUMP => (gap.max(STEP), false),
            (None, _) => (STEP, true),
        };
        let time = last.saturating_add(step);
        self.last = Some((pts, time));
        (time, jumped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_times_give_growing_ones_or_say_that_they_jumped(ticks in prop::collection::vec(any::<u32>(), 2..50)) {
            let mut line = Timeline::default();
            let mut last: Option<(Duration, Duration)> = None;
            for tick in ticks {
                let pts = Duration::from_micros(u64::from(tick) * 100 / 9);
                let (time, jumped) = line.place(pts);
                if let Some((last_pts, last_time)) = last {
                    prop_assert!(time > last_time);
                    let gap = pts.checked_sub(last_pts);
                    prop_assert_eq!(jumped, gap.is_none_or(|g| g > JUMP));
                    if !jumped {
                        prop_assert!(time - last_time == gap.unwrap_or_default().max(STEP));
                    }
                }
                last = Some((pts, time));
            }
        }
    }

    #[test]
    fn a_reconnection_keeps_the_time_that_passed() {
        let mut line = Timeline::default();
        line.place(Duration::from_secs(100));
        line.rebase(Duration::from_secs(30));
        assert_eq!(line.place(Duration::ZERO), (Duration::from_secs(30), false));
        assert_eq!(line.place(Duration::from_millis(40)), (Duration::from_millis(30_040), false));
    }
}
