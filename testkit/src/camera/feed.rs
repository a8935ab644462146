//! The one thread of a camera that hands out pictures by the clock.
//!
//! Owns the position in the clip and what is done to the pictures on their way. Times never jump:
//! picture n of a connection is due n frames after its first, over the loop point and all faults.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::clip::{AccessUnit, Clip, stamped};
use super::noise::Noise;

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The clip, over and over.
    Play,
    /// Nothing, while the connection stays.
    Stall,
    /// One key frame over and over: bit-equal pictures.
    Freeze,
}

/// Hands pictures to every connected pipeline until it is dropped.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    clip: Arc<Clip>,
    /// Takes the place of `clip` at its next key frame.
    next_clip: Option<Arc<Clip>>,
    position: usize,
    flow: Flow,
    frozen: usize,
    noise: Option<Noise>,
    outlets: Vec<Outlet>,
    over: bool,
}

/// One pipeline of the server; all clients of a camera share one.
#[derive(Debug)]
struct Outlet {
    source: gst_app::AppSrc,
    described: bool,
    /// Running time of its first picture, and its number in the feed's count.
    begun: Option<(Duration, u64)>,
    /// Pictures are held back until a decoder can start.
    waits_for_key: bool,
}

impl Feed {
    pub fn start(name: &str, clip: Arc<Clip>, start_at: Duration) -> std::io::Result<Self> {
        let offset = (start_at.as_nanos() / clip.frame.as_nanos().max(1)) as usize % clip.units.len();
        let state = State {
            clip,
            next_clip: None,
            position: offset,
            flow: Flow::Play,
            frozen: 0,
            noise: None,
            outlets: Vec::new(),
            over: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(format!("feed {name}")).spawn(move || own.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// A new pipeline to feed; it leaves by itself when it is closed.
    pub fn add(&self, source: gst_app::AppSrc) {
        let outlet = Outlet { source, described: false, begun: None, waits_for_key: true };
        self.shared.lock().outlets.push(outlet);
        self.shared.changed.notify_all();
    }

    /// Forgets all pipelines.
    pub fn clear(&self) {
        self.shared.lock().outlets.clear();
    }

    pub fn set_flow(&self, flow: Flow) {
        let mut state = self.shared.lock();
        if state.flow == Flow::Freeze && flow == Flow::Play {
            // The pictures between the frozen one and now were never sent: nothing may refer to them.
            state.outlets.iter_mut().for_each(|o| o.waits_for_key = true);
        }
        if flow == Flow::Freeze {
            state.frozen = state.clip.key_before(state.position);
        }
        state.flow = flow;
    }

    pub fn set_noise(&self, noise: Option<Noise>) {
        self.shared.lock().noise = noise;
    }

    /// The clip as it was made first or last; pictures change at the next key frame.
    pub fn set_clip(&self, clip: Arc<Clip>) {
        self.shared.lock().next_clip = Some(clip);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        let frame = state.clip.frame;
        let begun = Instant::now();
        for count in 0u64.. {
            let due = begun + frame.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
            loop {
                if state.over {
                    return;
                }
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                state.describe();
            }
            state.tick(count);
        }
    }
}

impl State {
    fn tick(&mut self, count: u64) {
        self.describe();
        if let Some(next) = self.next_clip.take_if(|next| next.units[self.position % next.units.len()].key) {
            self.clip = next;
            self.outlets.iter_mut().for_each(|o| o.waits_for_key = true);
        }
        let unit = match self.flow {
            Flow::Play => Some(&self.clip.units[self.position]),
            Flow::Freeze => Some(&self.clip.units[self.frozen]),
            Flow::Stall => None,
        };
        if let Some(unit) = unit {
            let key = unit.key;
            let bytes = spoiled(unit, self.noise.as_mut());
            let frame = self.clip.frame;
            self.outlets.retain_mut(|outlet| outlet.push(&bytes, key, count, frame));
        } else {
            // What comes after a gap must not refer to what fell into it.
            self.outlets.iter_mut().for_each(|o| o.waits_for_key = true);
        }
        self.position = (self.position + 1) % self.clip.units.len();
    }

    /// A server answers DESCRIBE only when it has seen parameter sets: give them at once, so that a
    /// stalled camera still answers and a playing one answers quickly.
    fn describe(&mut self) {
        let clip = &self.clip;
        for outlet in self.outlets.iter_mut().filter(|o| !o.described) {
            if let Some(now) = running_time(&outlet.source) {
                outlet.described = true;
                let buffer = gst::Buffer::from_mut_slice(clip.parameter_sets());
                let _ = outlet.source.push_buffer(stamped(&buffer, now, Duration::ZERO));
            }
        }
    }
}

impl Outlet {
    /// False when the pipeline is gone.
    fn push(&mut self, bytes: &gst::Buffer, key: bool, count: u64, frame: Duration) -> bool {
        let Some(now) = running_time(&self.source) else { return true };
        if self.waits_for_key && !key {
            return true;
        }
        self.waits_for_key = false;
        let (base, first) = *self.begun.get_or_insert((now, count));
        let at = base + frame.saturating_mul(u32::try_from(count - first).unwrap_or(u32::MAX));
        !matches!(
            self.source.push_buffer(stamped(bytes, at, frame)),
            Err(gst::FlowError::Flushing | gst::FlowError::Eos) if self.described
        )
    }
}

fn spoiled(unit: &AccessUnit, noise: Option<&mut Noise>) -> gst::Buffer {
    let Some(noise) = noise else { return unit.bytes.clone() };
    let Ok(map) = unit.bytes.map_readable() else { return unit.bytes.clone() };
    let mut bytes = map.to_vec();
    noise.damage(&mut bytes);
    gst::Buffer::from_mut_slice(bytes)
}

/// `None` until it plays: on its way there it has a clock and no base time yet, and a picture stamped
/// with the clock's own time would be due in as many hours as the machine has been up.
fn running_time(source: &gst_app::AppSrc) -> Option<Duration> {
    if source.current_state() != gst::State::Playing {
        return None;
    }
    let now = source.current_running_time()?;
    Some(Duration::from_nanos(now.nseconds()))
}
