//! Answers at the control socket. Never touches a camera or the hub by itself: it reads what the agent
//! knows anyway.

use std::path::Path;
use std::sync::Arc;

use protocol::{AgentId, CameraId, Health, SiteId, Status};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::door::{Door, DoorError};
use super::{ASK_WITHIN, Answer, MAX_CLIENTS, MAX_REQUEST, Report, Request};
use crate::drill::{Drills, Stored};
use crate::run::Reload;
use crate::spool::SpoolHandle;
use crate::uplink::LinkState;

/// What the running agent knows, and what it lets be asked of it.
#[derive(Clone)]
pub struct Desk {
    pub site: SiteId,
    pub agent: AgentId,
    pub status: watch::Receiver<Status>,
    pub link: watch::Receiver<LinkState>,
    pub health: watch::Receiver<Option<Health>>,
    pub spool: SpoolHandle,
    pub drills: Drills,
    pub reload: mpsc::Sender<Reload>,
}

/// The socket of a running agent.
pub struct Control {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Control {
    /// Must be called within a tokio runtime.
    pub fn start(data: &Path, desk: Desk) -> Result<Self, DoorError> {
        let door = Door::open(data)?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(door, desk, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Hangs up and removes the socket.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn serve(door: Door, desk: Desk, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return, // dropping the set ends what is under way
            accepted = door.listener.accept() => accepted,
        };
        while clients.try_join_next().is_some() {}
        let mut stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors: better a pause than a busy loop.
                tracing::warn!(%error, "a client of the control socket could not be let in");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            let line = line(&refused("too many ask at once: try again"));
            let _ = stream.try_write(&line);
            continue;
        };
        let desk = desk.clone();
        clients.spawn(async move {
            let answer = match allowed(&stream) {
                true => answer(&mut stream, desk).await,
                false => Some(refused("only root and the agent's own user are answered here")),
            };
            if let Some(answer) = answer {
                let _ = tokio::time::timeout(ASK_WITHIN, stream.write_all(&line(&answer))).await;
            }
            drop(place);
        });
    }
}

/// Whether the other end may ask: root, or whoever the agent runs as.
#[allow(unsafe_code)]
fn allowed(stream: &UnixStream) -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    let own = unsafe { libc::geteuid() };
    stream.peer_cred().is_ok_and(|peer| may_ask(peer.uid(), own))
}

pub(super) fn may_ask(peer: u32, own: u32) -> bool {
    peer == 0 || peer == own
}

/// `None` where nothing was asked.
async fn answer(stream: &mut UnixStream, desk: Desk) -> Option<Answer> {
    let mut asked = Vec::new();
    let mut reader = BufReader::new(stream).take(MAX_REQUEST as u64);
    let read = tokio::time::timeout(ASK_WITHIN, reader.read_until(b'\n', &mut asked)).await;
    if !matches!(read, Ok(Ok(bytes)) if bytes > 0) {
        return None;
    }
    if asked.last() != Some(&b'\n') {
        return Some(refused("a request is one line of at most 4096 bytes"));
    }
    let request = match serde_json::from_slice::<Request>(&asked) {
        Ok(request) => request,
        Err(error) => return Some(refused(format!("the request cannot be read: {error}"))),
    };
    let answered = tokio::task::spawn_blocking(move || desk.answer(request)).await;
    Some(answered.unwrap_or_else(|_| refused("the agent is stopping")))
}

impl Desk {
    /// Blocks for as long as it takes.
    fn answer(&self, request: Request) -> Answer {
        match request {
            Request::Status => self.report(),
            Request::TestAlarm { camera } => self.test_alarm(&camera).map_or_else(refused, Answer::TestAlarm),
            Request::Course { epoch, seq } => match self.spool.course(epoch, seq) {
                Ok(course) => Answer::Course { settled: course.settled, still_waits: course.still_waits },
                Err(error) => refused(error.to_string()),
            },
            Request::Reload => self.reload(),
        }
    }

    fn reload(&self) -> Answer {
        let (answer, outcome) = oneshot::channel();
        match self.reload.try_send(Reload { answer: Some(answer) }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return refused("the settings are being read again already: try again in a moment");
            }
            Err(TrySendError::Closed(_)) => return refused("the agent is stopping"),
        }
        match outcome.blocking_recv() {
            Ok(Ok(())) => Answer::Done,
            Ok(Err(reason)) => refused(reason),
            Err(_) => refused("the agent is stopping"),
        }
    }

    /// Blocks until the test alarm is stored; else says why not.
    pub fn test_alarm(&self, camera: &CameraId) -> Result<Stored, String> {
        let cameras = self.status.borrow().cameras.clone().unwrap_or_default();
        if !cameras.iter().any(|c| c.camera == *camera) {
            return Err(format!("there is no camera `{camera}` on this box"));
        }
        self.drills.raise(camera, &self.spool).map_err(|error| error.to_string())
    }

    fn report(&self) -> Answer {
        let spool = match self.spool.figures() {
            Ok(figures) => figures.into(),
            Err(error) => return refused(error.to_string()),
        };
        Answer::Status(Box::new(Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            site: self.site.clone(),
            agent: self.agent.clone(),
            status: self.status.borrow().clone(),
            link: (&*self.link.borrow()).into(),
            spool,
            health: self.health.borrow().clone(),
        }))
    }
}

fn refused(reason: impl Into<String>) -> Answer {
    Answer::Refused { reason: reason.into() }
}

fn line(answer: &Answer) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}
