//! Where frames wait for analysis: one slot a camera, in which a newer frame replaces an older one.
//!
//! Cameras never block here and hold at most one waiting frame each; which frame is next is decided by
//! `edge_core::schedule`.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use edge_core::Schedule;

use crate::decode::Frame;

/// What the analysis thread does next. Cameras are counted from 0 in the order of the configuration.
pub enum Work {
    Frame {
        camera: usize,
        frame: Frame,
    },
    /// The stream's time line broke: tracks of before mean nothing now.
    Discontinuity {
        camera: usize,
    },
}

/// Shared by the cameras' threads and the analysis thread.
pub struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
    started: Instant,
}

struct State {
    schedule: Schedule<Frame>,
    broken: Vec<bool>,
    closed: bool,
    /// When the work was taken that is not finished yet.
    at_work_since: Option<Instant>,
}

impl Mailbox {
    /// One slot for each entry: the most frames a second that are analysed of that camera, 0 for all.
    pub fn new(analysed_fps: &[f32]) -> Self {
        let state = State {
            schedule: Schedule::new(analysed_fps),
            broken: vec![false; analysed_fps.len()],
            closed: false,
            at_work_since: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), started: Instant::now() }
    }

    /// Puts a frame into its camera's slot. True when an older one gave way.
    pub fn offer(&self, camera: usize, frame: Frame) -> bool {
        let replaced = self.lock().schedule.offer(camera, self.started.elapsed(), frame);
        self.changed.notify_one();
        replaced.is_some() // dropped here, after the lock: giving its memory back takes time
    }

    /// Somebody watches the camera, or nobody any more.
    pub fn watched(&self, camera: usize, watched: bool) {
        self.lock().schedule.watched(camera, watched);
        self.changed.notify_one();
    }

    /// What waits of the camera is dropped, and its scene is told.
    pub fn discontinuity(&self, camera: usize) {
        let mut state = self.lock();
        let waiting = state.schedule.clear(camera);
        if let Some(broken) = state.broken.get_mut(camera) {
            *broken = true;
        }
        drop(state);
        drop(waiting);
        self.changed.notify_one();
    }

    /// No more work; `take` answers `None` from now on.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// How long the analysis has been at the work it took last; zero while it waits for some.
    pub fn at_work_for(&self) -> Duration {
        self.lock().at_work_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Waits for work; what was taken before is finished. `None` when closed.
    pub fn take(&self) -> Option<Work> {
        self.lock().at_work_since = None;
        let work = self.wait();
        self.lock().at_work_since = work.is_some().then(Instant::now);
        work
    }

    fn wait(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(camera) = state.broken.iter().position(|broken| *broken) {
                state.broken[camera] = false;
                return Some(Work::Discontinuity { camera });
            }
            let now = self.started.elapsed();
            if let Some((camera, frame)) = state.schedule.take(now) {
                return Some(Work::Frame { camera, frame });
            }
            let wait = state.schedule.next_due(now).map(|due| due.saturating_sub(now));
            state = match wait {
                Some(wait) => {
                    let wait = wait.max(Duration::from_micros(100));
                    self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_was_taken_counts_until_the_next_is_asked_for() {
        let mailbox = Mailbox::new(&[0.0]);
        assert_eq!(mailbox.at_work_for(), Duration::ZERO);
        mailbox.discontinuity(0);
        assert!(matches!(mailbox.take(), Some(Work::Discontinuity { camera: 0 })));
        let since = mailbox.lock().at_work_since.expect("at work");
        assert!(mailbox.at_work_for() <= since.elapsed());
        mailbox.close();
        assert!(mailbox.take().is_none());
        assert_eq!(mailbox.at_work_for(), Duration::ZERO);
    }
}
