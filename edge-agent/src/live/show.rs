//! One watched camera: its frames wait here until they may be shown, are covered, encoded and handed on.
//!
//! A thread of its own and bounded queues on both sides: what does not fit is dropped, and neither the camera nor
//! analysis ever waits. What fails, fails closed: no frame leaves without a cover of its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use edge_core::Rect;
use edge_core::live::{Cover, Covering, Input, Verdict};
use protocol::CameraId;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::push::{Push, Wishes};
use crate::identity::Pass;
use crate::redact::{AccessUnit, Encoder, OpenFrame};

/// Frames and findings on their way to the thread.
const STEPS: usize = 48;
/// Encoded pictures on their way to the network.
const UNITS: usize = 16;

/// What happened to the camera.
pub enum Step {
    Frame(OpenFrame),
    Analysed { at: Duration, persons: Vec<Rect> },
    Break,
}

/// Ends when dropped.
pub struct Show {
    steps: SyncSender<Step>,
    _pushing: DropGuard,
}

impl Show {
    /// `live`: what the hub calls its request.
    pub fn start(
        camera: &CameraId,
        live: String,
        whole_person: bool,
        pass: watch::Receiver<Arc<Pass>>,
        runtime: &Handle,
    ) -> std::io::Result<Self> {
        let (steps, taken) = sync_channel(STEPS);
        let (units, encoded) = mpsc::channel(UNITS);
        let wishes = Wishes::default();
        let line = Line {
            camera: camera.clone(),
            covering: Covering::new(whole_person),
            waiting: VecDeque::new(),
            encoder: None,
            units,
            wishes: wishes.clone(),
        };
        std::thread::Builder::new()
            .name(format!("live-{camera}").chars().take(15).collect())
            .spawn(move || line.run(&taken))?;
        let stop = CancellationToken::new();
        let push = Push { camera: camera.clone(), live, pass, encoded, wishes };
        runtime.spawn(push.run(stop.clone()));
        tracing::info!(%camera, "watched live");
        Ok(Self { steps, _pushing: stop.drop_guard() })
    }

    pub fn steps(&self) -> SyncSender<Step> {
        self.steps.clone()
    }
}

/// The thread's own.
struct Line {
    camera: CameraId,
    covering: Covering,
    waiting: VecDeque<OpenFrame>,
    encoder: Option<Encoder>,
    units: mpsc::Sender<AccessUnit>,
    wishes: Wishes,
}

impl Line {
    /// Until nobody watches any more.
    fn run(mut self, steps: &Receiver<Step>) {
        while let Ok(step) = steps.recv() {
            match step {
                Step::Frame(frame) => {
                    let at = frame.at();
                    self.waiting.push_back(frame);
                    self.covering.handle(Input::Frame { at });
                }
                Step::Analysed { at, persons } => {
                    self.covering.handle(Input::Analysed { at, persons: &persons });
                }
                Step::Break => self.covering.handle(Input::Break),
            }
            self.judge();
        }
        tracing::info!(camera = %self.camera, "no longer watched live");
    }

    fn judge(&mut self) {
        while let Some(verdict) = self.covering.poll() {
            match verdict {
                Verdict::Show(cover) => {
                    if let Some(frame) = self.take(cover.at()) {
                        self.show(frame, &cover);
                    }
                }
                Verdict::Drop { at } => drop(self.take(at)),
            }
        }
    }

    /// Verdicts come in the order of the frames.
    fn take(&mut self, at: Duration) -> Option<OpenFrame> {
        let index = self.waiting.iter().position(|frame| frame.at() == at)?;
        self.waiting.remove(index)
    }

    fn show(&mut self, frame: OpenFrame, cover: &Cover) {
        if !self.wishes.is_connected() {
            return; // Encoding would be for nobody.
        }
        let encoded = frame.covered(cover).map_err(|e| e.to_string()).and_then(|covered| {
            if self.encoder.as_ref().is_none_or(|encoder| encoder.size() != covered.size()) {
                self.encoder = Some(Encoder::open(covered.size()).map_err(|e| e.to_string())?);
                self.wishes.want_key_frame();
            }
            let Some(encoder) = &mut self.encoder else { return Err("there is no encoder".to_owned()) };
            encoder.encode(&covered, self.wishes.take_key_frame()).map_err(|e| e.to_string())
        });
        match encoded {
            // One that the network does not take leaves a hole: the next is a key frame.
            Ok(unit) => {
                if self.units.try_send(unit).is_err() {
                    self.wishes.want_key_frame();
                }
            }
            Err(error) => {
                self.encoder = None;
                tracing::error!(camera = %self.camera, error, "a frame is not sent live");
            }
        }
    }
}
