//! Which camera's frame is analysed next: one slot a camera, newest frame wins, cameras take turns.
//!
//! A slow accelerator lowers the analysed frame rate of all cameras alike and never grows a queue. What
//! a frame is and who runs the detector is left to the agent; time comes in.

use std::time::Duration;

/// Why frames were not analysed, and how many were, for one camera.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotCounts {
    pub offered: u64,
    pub taken: u64,
    /// A newer frame came before the detector was free.
    pub superseded: u64,
    /// The camera's analysed rate was reached.
    pub over_rate: u64,
    /// The slot was cleared: the camera stopped or its stream jumped.
    pub cleared: u64,
}

/// The slots of all cameras. `F` is a frame, or whatever stands for one.
#[derive(Debug)]
pub struct Schedule<F> {
    slots: Vec<Slot<F>>,
    /// Where the next turn begins.
    turn: usize,
}

#[derive(Debug)]
struct Slot<F> {
    waiting: Option<F>,
    /// Least time between two analysed frames; zero takes all.
    interval: Duration,
    /// Somebody watches: every frame is taken, as far as there is time.
    watched: bool,
    /// Not before this time.
    due: Duration,
    counts: SlotCounts,
}

impl<F> Schedule<F> {
    /// One slot for each entry: the most frames a second that are analysed of that camera, 0 for all.
    pub fn new(analysed_fps: &[f32]) -> Self {
        let slot = |fps: &f32| Slot {
            waiting: None,
            interval: Duration::try_from_secs_f64(1.0 / f64::from(*fps)).unwrap_or(Duration::ZERO),
            watched: false,
            due: Duration::ZERO,
            counts: SlotCounts::default(),
        };
        Self { slots: analysed_fps.iter().map(slot).collect(), turn: 0 }
    }

    /// A new frame of a camera. Answers the frame that gives way to it, or the frame itself if there is
    /// no such camera.
    pub fn offer(&mut self, camera: usize, now: Duration, frame: F) -> Option<F> {
        let Some(slot) = self.slots.get_mut(camera) else { return Some(frame) };
        slot.counts.offered += 1;
        let replaced = slot.waiting.replace(frame);
        if replaced.is_some() {
            match now <= slot.due {
                true => slot.counts.over_rate += 1,
                false => slot.counts.superseded += 1,
            }
        }
        replaced
    }

    /// The frame to analyse now, from the next camera in turn that has one due.
    pub fn take(&mut self, now: Duration) -> Option<(usize, F)> {
        let count = self.slots.len();
        let camera = (0..count)
            .map(|i| (self.turn + i) % count)
            .find(|&c| self.slots[c].waiting.is_some() && self.slots[c].due <= now)?;
        self.turn = (camera + 1) % count;
        let slot = &mut self.slots[camera];
        // Steady on average: a frame that comes a little late does not push the next ones back, and
        // after a pause there is no burst.
        let interval = if slot.watched { Duration::ZERO } else { slot.interval };
        let steady = slot.due.saturating_add(interval);
        slot.due = steady.max(now.saturating_add(interval / 2));
        slot.counts.taken += 1;
        slot.waiting.take().map(|frame| (camera, frame))
    }

    /// When `take` is worth asking: now or later; `None` while no frame waits.
    pub fn next_due(&self, now: Duration) -> Option<Duration> {
        self.slots.iter().filter(|s| s.waiting.is_some()).map(|s| s.due.max(now)).min()
    }

    /// Somebody watches a camera, or nobody any more: while they do its rate has no limit.
    pub fn watched(&mut self, camera: usize, watched: bool) {
        if let Some(slot) = self.slots.get_mut(camera) {
            slot.watched = watched;
            slot.due = if watched { Duration::ZERO } else { slot.due };
        }
    }

    /// Drops what waits of a camera.
    pub fn clear(&mut self, camera: usize) -> Option<F> {
        let slot = self.slots.get_mut(camera)?;
        let dropped = slot.waiting.take();
        slot.counts.cleared += u64::from(dropped.is_some());
        dropped
    }

    pub fn counts(&self, camera: usize) -> Option<SlotCounts> {
        self.slots.get(camera).map(|slot| slot.counts)
    }
}
