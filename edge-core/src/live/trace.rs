//! Where somebody was, between the analyses in which they were seen and for a while around them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Rect;

/// So long after the last time somebody was seen, their head is still covered (twice what P2 asks for).
pub const HOLD: Duration = Duration::from_secs(1);
/// So long before the first time, too: nobody comes out of nowhere.
pub const AHEAD: Duration = Duration::from_millis(100);
/// Observations that are kept; the last few tell the velocity.
const KEPT: usize = 24;
const OF_VELOCITY: usize = 4;
/// The box of somebody who is not seen grows by this share of its height in a second, on each side.
const DRIFT: f32 = 0.2;
/// Nobody moves faster, in heights a second.
const FASTEST: f32 = 2.0;

/// See the module. Times only go forward.
#[derive(Debug, Clone)]
pub struct Trace {
    seen: VecDeque<(Duration, Rect)>,
}

impl Trace {
    pub fn new(at: Duration, bbox: Rect) -> Self {
        Self { seen: VecDeque::from([(at, bbox)]) }
    }

    pub fn add(&mut self, at: Duration, bbox: Rect) {
        if self.seen.len() == KEPT {
            self.seen.pop_front();
        }
        self.seen.push_back((at, bbox));
    }

    pub fn is_over(&self, at: Duration) -> bool {
        self.seen.back().is_none_or(|(last, _)| at > *last + HOLD)
    }

    /// The box at a time; `None`: they are not there then.
    pub fn at(&self, at: Duration) -> Option<Rect> {
        let (first, last) = (self.seen.front()?, self.seen.back()?);
        if at >= last.0 {
            return (at <= last.0 + HOLD).then(|| self.drifted(last, at, self.seen.iter().rev()));
        }
        if at <= first.0 {
            return (at + AHEAD >= first.0).then(|| self.drifted(first, at, self.seen.iter()));
        }
        let later = self.seen.iter().position(|(time, _)| *time >= at)?;
        let (before, after) = (self.seen.get(later.checked_sub(1)?)?, self.seen.get(later)?);
        let share = (at - before.0).as_secs_f32() / (after.0 - before.0).as_secs_f32().max(f32::EPSILON);
        let between = |a: f32, b: f32| a + (b - a) * share;
        let (a, b) = (&before.1, &after.1);
        Some(Rect::new(
            between(a.left, b.left),
            between(a.top, b.top),
            between(a.width, b.width),
            between(a.height, b.height),
        ))
    }

    /// From an end of the trace on, or back, as its nearest observations move.
    fn drifted<'a>(
        &self,
        (from, bbox): &(Duration, Rect),
        at: Duration,
        nearest: impl Iterator<Item = &'a (Duration, Rect)>,
    ) -> Rect {
        let time = at.as_secs_f32() - from.as_secs_f32();
        let (vx, vy) = nearest.take(OF_VELOCITY).last().map_or((0.0, 0.0), |(other, there)| {
            let time = from.as_secs_f32() - other.as_secs_f32();
            if time.abs() < 0.01 {
                return (0.0, 0.0);
            }
            let (here, there) = (bbox.center(), there.center());
            let most = FASTEST * bbox.height;
            (((here.x - there.x) / time).clamp(-most, most), ((here.y - there.y) / time).clamp(-most, most))
        });
        let margin = DRIFT * bbox.height * time.abs();
        let (left, top) = (bbox.left + vx * time, bbox.top + vy * time);
        Rect::new(left - margin, top - margin, bbox.width + 2.0 * margin, bbox.height + 2.0 * margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_sights_in_between_and_around_them_as_they_moved() {
        let ms = Duration::from_millis;
        let mut trace = Trace::new(ms(1_000), Rect::new(100.0, 50.0, 40.0, 100.0));
        trace.add(ms(1_400), Rect::new(140.0, 50.0, 40.0, 100.0));
        assert_eq!(trace.at(ms(1_100)), Some(Rect::new(110.0, 50.0, 40.0, 100.0)));
        assert_eq!(trace.at(ms(1_000)), Some(Rect::new(100.0, 50.0, 40.0, 100.0)));
        let later = trace.at(ms(1_900)).unwrap();
        assert!((later.center().x - 210.0).abs() < 0.1, "100 pixels a second: {later:?}");
        assert!((later.width - 60.0).abs() < 0.1, "{later:?}");
        let before = trace.at(ms(900)).unwrap();
        assert!((before.center().x - 110.0).abs() < 0.1, "{before:?}");
        assert_eq!((trace.at(ms(899)), trace.at(ms(2_401))), (None, None));
        assert!(trace.is_over(ms(2_401)) && !trace.is_over(ms(2_400)));
    }
}
