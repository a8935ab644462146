//! A simulated RTSP camera: one port, one user and password (digest only), one looping clip.
//!
//! Owns the camera's public face and what can be done to it while it runs. Parts: `clip` (the
//! pictures), `feed` (their pace), `server` (RTSP), `nonsense` (a server that answers rubbish),
//! `control` (commands over a loopback port).

pub mod clip;
pub mod control;
mod feed;
mod lock;
mod noise;
mod nonsense;
mod server;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use clip::{Clip, ClipError};
use feed::{Feed, Flow};
use lock::Lock;
use noise::Noise;
use nonsense::Nonsense;
use server::Server;

/// The path every simulated camera serves.
pub const PATH: &str = "/stream";

/// What a camera is made of.
#[derive(Debug, Clone)]
pub struct Spec {
    pub id: String,
    pub clip: Arc<Clip>,
    /// 0 takes a free one.
    pub port: u16,
    pub user: String,
    pub password: String,
    /// Where in the clip it begins, so that cameras of one clip differ.
    pub start_at: Duration,
    /// RTSP sessions it grants at a time; 0 for no limit.
    pub max_sessions: u32,
    /// Wrong passwords after which the account is locked, until `unlock`; 0 for never.
    pub lock_after: u64,
}

/// What can be done to a camera while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Port closed, connections dropped.
    Stop,
    /// Listens again, on the same port, as before.
    Start,
    /// Connected, but no packet comes.
    Stall,
    /// The same key frame over and over.
    Freeze,
    /// Ends `stall`, `freeze`, `garbage` and `rtsp_garbage`.
    Resume,
    /// Another picture size, from the next key frame on.
    Resolution { width: u32, height: u32 },
    /// On: the right password is refused and open connections are dropped.
    RefusePassword { on: bool },
    /// Opens an account that too many wrong passwords locked.
    Unlock,
    /// On: pictures are damaged, the same way for the same seed.
    Garbage {
        on: bool,
        #[serde(default)]
        seed: u64,
    },
    /// Every request is answered with rubbish; ended by `resume`, `start` or `stop`.
    RtspGarbage {
        #[serde(default)]
        kind: Rubbish,
    },
}

/// What `rtsp_garbage` answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rubbish {
    /// A web page.
    #[default]
    Http,
    /// One header of 200 MB.
    HugeHeader,
    /// A body that does not end.
    EndlessBody,
    /// Interleaved frames whose length is a lie.
    LyingFrame,
    /// A session description that is none.
    BadSdp,
}

/// Counted since the camera was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub connections: u64,
    pub setups: u64,
    pub plays: u64,
    pub teardowns: u64,
    /// Wrong passwords, or any while the account is locked.
    pub refused: u64,
    /// How often the account was locked.
    pub locks: u64,
}

/// Why a camera can't be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("camera {camera}: cannot listen on port {port}: {reason}")]
    Listen { camera: String, port: u16, reason: String },
    #[error("camera {camera}: cannot start a thread: {source}")]
    Thread {
        camera: String,
        #[source]
        source: std::io::Error,
    },
    #[error("camera {camera}: {source}")]
    Clip {
        camera: String,
        #[source]
        source: ClipError,
    },
}

/// A running camera; gone when dropped.
#[derive(Debug)]
pub struct Camera {
    spec: Spec,
    port: u16,
    feed: Arc<Feed>,
    counters: Arc<Counters>,
    lock: Arc<Lock>,
    front: Mutex<Front>,
}

#[derive(Debug)]
struct Front {
    refuses: bool,
    on_air: OnAir,
}

/// Who owns the port.
#[derive(Debug)]
enum OnAir {
    Nobody,
    Server { _server: Server },
    Rubbish { _nonsense: Nonsense },
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    setups: AtomicU64,
    plays: AtomicU64,
    teardowns: AtomicU64,
}

impl Camera {
    pub fn start(spec: Spec) -> Result<Self, Error> {
        let feed = Feed::start(&spec.id, Arc::clone(&spec.clip), spec.start_at)
            .map_err(|source| Error::Thread { camera: spec.id.clone(), source })?;
        let (feed, counters) = (Arc::new(feed), Arc::new(Counters::default()));
        let lock = Arc::new(Lock::new(spec.lock_after));
        let server = Server::start(&spec, spec.port, false, &feed, &counters, &lock)?;
        let port = server.port();
        let front = Mutex::new(Front { refuses: false, on_air: OnAir::Server { _server: server } });
        Ok(Self { spec, port, feed, counters, lock, front })
    }

    pub fn id(&self) -> &str {
        &self.spec.id
    }

    /// The same for as long as the camera lives, stopped or not.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Without user and password.
    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}{PATH}", self.port)
    }

    pub fn counts(&self) -> Counts {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let c = &self.counters;
        Counts {
            connections: read(&c.connections),
            setups: read(&c.setups),
            plays: read(&c.plays),
            teardowns: read(&c.teardowns),
            refused: self.lock.refused(),
            locks: self.lock.locks(),
        }
    }

    /// Takes effect before it returns; a new resolution is encoded first, which takes a while.
    pub fn apply(&self, command: &Command) -> Result<(), Error> {
        tracing::info!(camera = %self.spec.id, ?command, "camera told");
        let mut front = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        match *command {
            Command::Stop => self.close(&mut front),
            Command::Start => self.open(&mut front)?,
            Command::Stall => self.feed.set_flow(Flow::Stall),
            Command::Freeze => self.feed.set_flow(Flow::Freeze),
            Command::Resume => {
                self.feed.set_noise(None);
                self.feed.set_flow(Flow::Play);
                if matches!(front.on_air, OnAir::Rubbish { .. }) {
                    self.open(&mut front)?;
                }
            }
            Command::Resolution { width, height } => {
                let clip = self.spec.clip.resized(width, height);
                let clip = clip.map_err(|source| Error::Clip { camera: self.spec.id.clone(), source })?;
                self.feed.set_clip(Arc::new(clip));
            }
            Command::RefusePassword { on } => {
                front.refuses = on;
                if matches!(front.on_air, OnAir::Server { .. }) {
                    self.open(&mut front)?;
                }
            }
            Command::Unlock => {
                self.lock.open();
                if matches!(front.on_air, OnAir::Server { .. }) {
                    self.open(&mut front)?;
                }
            }
            Command::Garbage { on, seed } => self.feed.set_noise(on.then(|| Noise::new(seed))),
            Command::RtspGarbage { kind } => {
                self.close(&mut front);
                let counters = Arc::clone(&self.counters);
                let nonsense = Nonsense::start(self.port, kind, counters).map_err(|e| Error::Listen {
                    camera: self.spec.id.clone(),
                    port: self.port,
                    reason: e.to_string(),
                })?;
                front.on_air = OnAir::Rubbish { _nonsense: nonsense };
            }
        }
        Ok(())
    }

    fn open(&self, front: &mut Front) -> Result<(), Error> {
        self.close(front);
        let refuses = front.refuses || self.lock.is_locked();
        let server = Server::start(&self.spec, self.port, refuses, &self.feed, &self.counters, &self.lock)?;
        front.on_air = OnAir::Server { _server: server };
        Ok(())
    }

    fn close(&self, front: &mut Front) {
        front.on_air = OnAir::Nobody;
        self.feed.clear();
    }
}
