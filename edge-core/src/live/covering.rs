//! What is covered in a live frame, and whether it may be shown at all.
//!
//! Frames wait until what analysis saw at them or after them is known, so that whoever appears in between is
//! covered from the first frame on. There is no guessing in place of analysis: a frame for which it does not
//! come in time is dropped. Heads of all persons whom analysis saw are covered, however doubtful, between two
//! sights where they must have been, and for a while after the last.

use std::collections::VecDeque;
use std::time::Duration;

use super::trace::{AHEAD, Trace};
use crate::mask::head_region;
use crate::track::pairs;
use crate::{FrameSize, Mask, MaskSource, Rect};

/// A frame waits at most this long, on the stream's line. Between two analyses there is no more either.
pub const LONGEST: Duration = Duration::from_millis(700);
/// Frames that wait at a time.
const MOST_FRAMES: usize = 32;
/// Boxes that overlap more are the same person's.
const SAME_IOU: f32 = 0.3;
/// How much a head's region grows for live video: on each side by this share of its width, above and below by these
/// of the person's height. Measured on a clip (docs/ref/measurements.md): a third of it above and below leaves
/// one head in thirty open.
/// Between two looks nobody looks closer, as is done for stills.
const GROWTH: (f32, f32, f32) = (0.4, 0.1, 0.15);

/// What happened. Times are the stream's own.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    Frame {
        at: Duration,
    },
    /// Analysis looked at the frame of that time. `persons`: all whom it saw, down to the least confidence from
    /// which heads are covered.
    Analysed {
        at: Duration,
        persons: &'a [Rect],
    },
    /// What follows has nothing to do with what was.
    Break,
}

/// What becomes of a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Show(Cover),
    Drop { at: Duration },
}

/// What is covered in one frame. Made here alone, of what analysis saw: whoever holds one may show the frame of
/// that time with its areas filled, and no other.
#[derive(Debug, Clone, PartialEq)]
pub struct Cover {
    at: Duration,
    areas: Vec<Rect>,
}

impl Cover {
    /// Which frame it is for.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// In the pixels of a picture that is `shrunk` times smaller than what was analysed.
    pub fn masks(&self, size: FrameSize, shrunk: f32) -> Vec<Mask> {
        let mask = |area: &Rect| {
            let scale = |length: f32| length / shrunk;
            let small = Rect::new(scale(area.left), scale(area.top), scale(area.width), scale(area.height));
            Mask::over(&small, size, MaskSource::Head)
        };
        self.areas.iter().filter_map(mask).collect()
    }
}

/// One camera's.
#[derive(Debug)]
pub struct Covering {
    whole_person: bool,
    frames: VecDeque<Duration>,
    analyses: VecDeque<Duration>,
    traces: Vec<Trace>,
    verdicts: VecDeque<Verdict>,
}

impl Covering {
    /// `whole_person`: cover persons whole instead of their heads.
    pub fn new(whole_person: bool) -> Self {
        Self {
            whole_person,
            frames: VecDeque::new(),
            analyses: VecDeque::new(),
            traces: Vec::new(),
            verdicts: VecDeque::new(),
        }
    }

    pub fn handle(&mut self, input: Input<'_>) {
        match input {
            Input::Frame { at } => self.frame(at),
            Input::Analysed { at, persons } => self.analysed(at, persons),
            Input::Break => self.broken(),
        }
        self.judge();
    }

    pub fn poll(&mut self) -> Option<Verdict> {
        self.verdicts.pop_front()
    }

    fn frame(&mut self, at: Duration) {
        if self.frames.back().is_some_and(|last| *last >= at) {
            return self.verdicts.push_back(Verdict::Drop { at });
        }
        self.frames.push_back(at);
        while self.frames.len() > MOST_FRAMES {
            self.drop_first();
        }
    }

    fn analysed(&mut self, at: Duration, persons: &[Rect]) {
        if self.analyses.back().is_some_and(|last| *last >= at) {
            return;
        }
        // A frame that still waits is older than this look.
        let oldest = self.frames.front().map_or(at, |waiting| at.min(*waiting));
        self.traces.retain(|trace| !trace.is_over(oldest));
        let there: Vec<Option<Rect>> = self.traces.iter().map(|trace| trace.at(at)).collect();
        let alike = |row: usize, column: usize| there[row].as_ref().map_or(0.0, |b| b.iou(&persons[column]));
        let paired = pairs(self.traces.len(), persons.len(), SAME_IOU, alike);
        let mut is_new = vec![true; persons.len()];
        for (row, column) in paired {
            self.traces[row].add(at, persons[column]);
            is_new[column] = false;
        }
        let new = std::iter::zip(persons, is_new).filter(|(_, new)| *new);
        self.traces.extend(new.map(|(bbox, _)| Trace::new(at, *bbox)));
        self.analyses.push_back(at);
        // Those before the oldest frame that may still come are of no use; one before it is.
        while self.analyses.get(1).is_some_and(|second| *second + 2 * LONGEST < at) {
            self.analyses.pop_front();
        }
    }

    fn broken(&mut self) {
        while !self.frames.is_empty() {
            self.drop_first();
        }
        self.analyses.clear();
        self.traces.clear();
    }

    /// Decides about all frames that can be decided about, in their order.
    fn judge(&mut self) {
        let newest = self.frames.back().max(self.analyses.back()).copied();
        while let (Some(at), Some(newest)) = (self.frames.front().copied(), newest) {
            let looked_past = self.analyses.back().is_some_and(|last| *last >= at + AHEAD);
            if looked_past && self.is_between(at) {
                self.frames.pop_front();
                self.verdicts.push_back(Verdict::Show(self.cover(at)));
            } else if looked_past || at + LONGEST < newest {
                self.drop_first();
            } else {
                return;
            }
        }
    }

    /// Whether analysis looked before the frame and after it, not far apart.
    fn is_between(&self, at: Duration) -> bool {
        let after = self.analyses.iter().position(|analysis| *analysis >= at);
        let Some(after) = after else { return false };
        if self.analyses[after] == at {
            return true;
        }
        after.checked_sub(1).is_some_and(|before| self.analyses[after] - self.analyses[before] <= LONGEST)
    }

    fn cover(&self, at: Duration) -> Cover {
        let area = |bbox: Rect| match self.whole_person {
            true => bbox.grown(GROWTH.1),
            false => grown(&bbox),
        };
        Cover { at, areas: self.traces.iter().filter_map(|trace| trace.at(at)).map(area).collect() }
    }

    fn drop_first(&mut self) {
        if let Some(at) = self.frames.pop_front() {
            self.verdicts.push_back(Verdict::Drop { at });
        }
    }
}

/// The head's region of a person, with room around it.
fn grown(person: &Rect) -> Rect {
    let head = head_region(person);
    let (side, above, below) = (GROWTH.0 * head.width, GROWTH.1 * person.height, GROWTH.2 * person.height);
    Rect::from_corners(head.left - side, head.top - above, head.right() + side, head.bottom() + below)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: FrameSize = FrameSize { width: 768, height: 576 };

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    fn verdicts(covering: &mut Covering) -> Vec<(u64, Option<usize>)> {
        let short = |verdict| match verdict {
            Verdict::Show(cover) => (cover.at.as_millis() as u64, Some(cover.areas.len())),
            Verdict::Drop { at } => (at.as_millis() as u64, None),
        };
        std::iter::from_fn(|| covering.poll()).map(short).collect()
    }

    #[test]
    fn a_frame_waits_until_analysis_has_looked_past_it() {
        let mut covering = Covering::new(false);
        let person = [Rect::new(100.0, 100.0, 30.0, 80.0)];
        for at in [0, 100, 200] {
            covering.handle(Input::Frame { at: ms(at) });
        }
        covering.handle(Input::Analysed { at: ms(0), persons: &[] });
        assert_eq!(verdicts(&mut covering), []);
        covering.handle(Input::Analysed { at: ms(200), persons: &person });
        assert_eq!(verdicts(&mut covering), [(0, Some(0)), (100, Some(1))], "covered before they were seen");
        for at in (300..1_600).step_by(100) {
            covering.handle(Input::Frame { at: ms(at) });
            covering.handle(Input::Analysed { at: ms(at), persons: &[] });
        }
        let shown = verdicts(&mut covering);
        let covered: Vec<u64> = shown.iter().filter(|(_, n)| *n == Some(1)).map(|(at, _)| *at).collect();
        assert_eq!((covered[0], covered[covered.len() - 1]), (200, 1_200), "for a second after");
    }

    #[test]
    fn without_analysis_nothing_is_shown() {
        let mut covering = Covering::new(false);
        for at in (0..5_000).step_by(40) {
            covering.handle(Input::Frame { at: ms(at) });
        }
        let judged = verdicts(&mut covering);
        assert!(judged.len() > 100 && judged.iter().all(|(_, shown)| shown.is_none()));
        // It looks again: what lies before is not shown, for nobody knows who was there.
        covering.handle(Input::Analysed { at: ms(4_960), persons: &[] });
        assert!(verdicts(&mut covering).iter().all(|(_, shown)| shown.is_none()));
        covering.handle(Input::Frame { at: ms(5_000) });
        covering.handle(Input::Analysed { at: ms(5_100), persons: &[] });
        let judged = verdicts(&mut covering);
        assert_eq!(judged, [(4_880, None), (4_920, None), (4_960, Some(0)), (5_000, Some(0))]);
    }

    #[test]
    fn after_a_break_what_was_seen_before_counts_no_more() {
        let mut covering = Covering::new(false);
        covering.handle(Input::Analysed { at: ms(900), persons: &[Rect::new(0.0, 0.0, 9.0, 9.0)] });
        covering.handle(Input::Frame { at: ms(1_000) });
        covering.handle(Input::Break);
        covering.handle(Input::Frame { at: ms(40) });
        covering.handle(Input::Analysed { at: ms(200), persons: &[] });
        assert_eq!(verdicts(&mut covering), [(1_000, None), (40, None)]);
    }

    #[test]
    fn masks_of_a_smaller_picture_cover_the_same_part() {
        let mut covering = Covering::new(true);
        covering.handle(Input::Frame { at: ms(0) });
        covering.handle(Input::Analysed { at: ms(0), persons: &[Rect::new(200.0, 100.0, 60.0, 160.0)] });
        covering.handle(Input::Analysed { at: ms(100), persons: &[] });
        let Some(Verdict::Show(cover)) = covering.poll() else { panic!("not shown") };
        let (whole, half) = (cover.masks(SIZE, 1.0), cover.masks(FrameSize { width: 384, height: 288 }, 2.0));
        assert!(whole[0].left <= 200 && whole[0].top <= 100 && whole[0].top + whole[0].height >= 260);
        assert!(2 * half[0].left <= 200 && 2 * (half[0].left + half[0].width) >= 260);
    }

    proptest! {
        /// Whatever comes in whatever order: each frame is judged once, in order, and one is shown only when
        /// analysis looked at it, or before and after it.
        #[test]
        fn each_frame_is_judged_once_and_never_shown_unseen(
            steps in prop::collection::vec((0u64..200, any::<bool>(), 0usize..3, 0u32..40), 1..200),
        ) {
            let mut covering = Covering::new(false);
            let (mut now, mut frames, mut looks, mut judged) = (0, Vec::new(), Vec::new(), Vec::new());
            for (wait, is_frame, persons, rare) in steps {
                now += wait + 1;
                if rare == 0 {
                    covering.handle(Input::Break);
                    looks.clear();
                } else if is_frame {
                    covering.handle(Input::Frame { at: ms(now) });
                    frames.push(now);
                } else {
                    let late = now.saturating_sub(150);
                    let seen = vec![Rect::new(5.0, 5.0, 20.0, 50.0); persons];
                    covering.handle(Input::Analysed { at: ms(late), persons: &seen });
                    looks.push(late);
                }
                for (at, shown) in verdicts(&mut covering) {
                    judged.push(at);
                    let before = looks.iter().any(|look| *look <= at);
                    let after = looks.iter().any(|look| *look >= at + AHEAD.as_millis() as u64);
                    prop_assert!(shown.is_none() || before && after, "{at} was shown, analysis looked at {looks:?}");
                }
            }
            prop_assert_eq!(&judged[..], &frames[..judged.len()]);
            prop_assert!(frames.len() - judged.len() <= MOST_FRAMES);
        }
    }
}
