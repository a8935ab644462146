//! Where one camera's output goes. Lives on the camera's thread.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError};

use protocol::{AgentEvent, CameraId, CameraState};

use super::Lost;
use crate::alerts::Event;
use crate::analysis::Mailbox;
use crate::board::CameraBoard;
use crate::camera::CameraOutput;
use crate::decode::Frame;
use crate::figures::Figures;
use crate::live::Live;

pub(super) struct Sink {
    pub index: usize,
    pub id: CameraId,
    pub mailbox: Arc<Mailbox>,
    pub alerts: SyncSender<Event>,
    pub board: CameraBoard,
    pub figures: Arc<Figures>,
    pub lost: Lost,
    pub live: Live,
    /// As analysis was last told.
    pub watched: bool,
    /// As the camera last said.
    pub latest: Latest,
}

/// What a camera says once and not again.
#[derive(Debug, Clone, Default)]
pub(super) struct Latest {
    state: Option<(CameraState, Option<String>)>,
    size: Option<(u32, u32)>,
}

impl Sink {
    /// Takes over a running camera from the sink of before.
    pub fn after(mut self, before: &Self) -> Self {
        self.latest = before.latest.clone();
        if let Some((width, height)) = self.latest.size {
            self.board.set_size(self.index, width, height);
        }
        if let Some((state, reason)) = self.latest.state.clone() {
            self.board.set(self.index, state, reason);
        }
        self
    }

    /// A closed channel means that the agent is stopping: what still comes is of no use.
    pub fn accept(&mut self, output: CameraOutput) {
        let camera = self.index;
        match output {
            CameraOutput::Frame(frame) => {
                let size = Some((frame.width, frame.height));
                if self.latest.size != size {
                    self.latest.size = size;
                    self.board.set_size(camera, frame.width, frame.height);
                }
                self.figures.decoded(camera);
                if frame.damaged {
                    self.figures.damaged(camera); // never evidence, and no ground for an alert
                } else {
                    self.watch(&frame);
                    if self.mailbox.offer(camera, frame) {
                        self.figures.replaced(camera);
                    }
                }
            }
            CameraOutput::Discontinuity { .. } => {
                self.live.broken(&self.id);
                self.mailbox.discontinuity(camera);
            }
            CameraOutput::Damaged { .. } => self.figures.damaged(camera),
            CameraOutput::DecoderLost { reason, announce } => {
                self.figures.decoder_restarted(camera);
                if announce {
                    self.tell("decoder_restarted", Some(reason));
                }
            }
            CameraOutput::State { state, reason } => {
                self.state(state, Some(reason).filter(|r| !r.is_empty()))
            }
        }
    }

    /// Before analysis gets it: a live frame waits for what analysis sees in it.
    fn watch(&mut self, frame: &Frame) {
        let watched = self.live.is_watched(&self.id);
        if std::mem::replace(&mut self.watched, watched) != watched {
            self.mailbox.watched(self.index, watched);
        }
        if watched {
            self.live.frame(&self.id, frame);
        }
    }

    fn state(&mut self, state: CameraState, reason: Option<String>) {
        self.latest.state = Some((state, reason.clone()));
        self.board.set(self.index, state, reason.clone());
        if let Some(event) = self.event(state) {
            self.tell(event, reason);
        }
    }

    fn tell(&self, event: &str, reason: Option<String>) {
        let event = AgentEvent { event: event.to_owned(), camera: Some(self.id.clone()), reason };
        let _ = self.alerts.send(Event::Agent(event));
    }

    /// What the hub is told of the change, if anything.
    fn event(&self, state: CameraState) -> Option<&'static str> {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        match state {
            CameraState::Live => lost.remove(&self.id).then_some("camera_restored"),
            CameraState::Connecting | CameraState::Unknown => None,
            _ if !lost.insert(self.id.clone()) => None,
            CameraState::Credentials => Some("credentials_refused"),
            _ => Some("camera_lost"),
        }
    }
}
