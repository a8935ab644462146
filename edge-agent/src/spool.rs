//! The spool: stores every record before anything else sees it and gives it its identity.
//!
//! One owner thread named `spool`; a handle is cheap to clone and blocks. `append` returns after
//! `fdatasync`. Whatever bytes lie in the folder, opening gives a running spool; loss is counted.
//! Without a writable disk it works on in memory under a volatile epoch. What is sent next is
//! decided in `edge_core::spool`; sending is `uplink`'s. Segments hold the data; `index.sled` only
//! knows how far numbers were handed out, and the spool runs without it.

mod disk;
mod frame;
mod index;
mod lock;
mod owner;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use protocol::{Ack, Body, Epoch, Record, TimeSource, Timestamp};
use tokio::sync::watch;

/// Where the spool lies and where it ends.
#[derive(Debug, Clone)]
pub struct SpoolConfig {
    pub folder: PathBuf,
    /// Most bytes of records on disk; stills have as much again.
    pub cap: u64,
    /// A file kept so that alerts still fit on a full disk.
    pub ballast: u64,
    /// How long settled records stay, for a hub that was restored from a backup.
    pub keep_settled: Duration,
    /// How old an open record may get.
    pub keep_open: Duration,
    /// Most bytes of one segment file.
    pub segment: u64,
}

impl SpoolConfig {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            cap: 1 << 30,
            ballast: 64 << 20,
            keep_settled: Duration::from_secs(48 * 3600),
            keep_open: Duration::from_secs(30 * 86_400),
            segment: 8 << 20,
        }
    }
}

/// What is to become a record.
#[derive(Debug, Clone)]
pub struct Draft {
    pub at: Timestamp,
    pub time_source: TimeSource,
    pub uncertainty_ms: Option<u32>,
    pub body: Body,
    /// A redacted JPEG; stored before its record.
    pub still: Option<Vec<u8>>,
}

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("spool: {0}")]
    Config(&'static str),
    #[error("spool: record of {bytes} bytes is too large for a message: shorten its texts")]
    TooLarge { bytes: usize },
    #[error("spool: cannot write a record: {0}")]
    Disk(#[source] std::io::Error),
    #[error("another agent is running on {}: stop it, or choose another folder", folder.display())]
    InUse { folder: PathBuf },
    #[error("spool: it was closed")]
    Closed,
    #[error("spool: cannot write a record as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What opening found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Records found, settled ones included.
    pub records: u64,
    /// Records that damage took, as far as sequence numbers tell; each is reported by a `gap`.
    pub lost_records: u64,
    /// Damaged stretches, copied to `quarantine/`.
    pub damaged: u64,
    /// Whether records survive a power cut now.
    pub durable: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolFigures {
    pub bytes: u64,
    pub open_records: u64,
    pub stills_waiting: u64,
    /// Records given up since the start, by severity: low, medium, high.
    pub given_up: [u64; 3],
    /// Stills given up since the start.
    pub stills_given_up: u64,
    pub durable: bool,
}

/// How far one record has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Course {
    /// The hub has committed it.
    pub settled: bool,
    /// Its still is not uploaded yet.
    pub still_waits: bool,
}

/// The least that a message must be able to hold: a `gap` fits in any case.
pub const LEAST_MESSAGE: usize = 1024;

/// A message's records, each as the JSON that was stored.
pub type Batch = Vec<Vec<u8>>;

#[derive(Debug)]
enum Request {
    Append(Vec<Draft>, SyncSender<Result<Vec<Record>, SpoolError>>),
    Take { window: usize, max_bytes: usize, reply: SyncSender<Option<Batch>> },
    Acknowledge(Ack),
    Link(bool),
    StillGivenUp { epoch: Epoch, seq: u64, reason: String, reply: SyncSender<Result<(), SpoolError>> },
    Figures(SyncSender<SpoolFigures>),
    Cap(u64),
    Course { epoch: Epoch, seq: u64, reply: SyncSender<Course> },
    Close,
}

/// Requests that may wait for the owner.
const QUEUE: usize = 256;

pub struct Spool;

impl Spool {
    /// Starts the owner. Only a config that makes no sense is refused, and a folder that another agent uses.
    pub fn open(config: SpoolConfig) -> Result<(SpoolHandle, OpenReport), SpoolError> {
        if config.segment < 4096 || config.cap < 4 * config.segment {
            return Err(SpoolError::Config("`cap` must hold at least four segments of 4 KiB or more"));
        }
        let lock = lock::take(&config.folder)?;
        let (requests, inbox) = sync_channel(QUEUE);
        let (changed, changes) = watch::channel(0);
        let (opened, report) = sync_channel(1);
        let outbox = config.folder.join("outbox");
        let thread = std::thread::Builder::new()
            .name("spool".into())
            .spawn(move || {
                let _locked = lock;
                match owner::Owner::open(config, changed) {
                    Ok((owner, report)) => {
                        let _ = opened.send(Ok(report));
                        owner.run(&inbox);
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            })
            .map_err(|_| SpoolError::Config("no thread could be started"))?;
        let report = report.recv().map_err(|_| SpoolError::Closed)??;
        let thread = std::sync::Arc::new(std::sync::Mutex::new(Some(thread)));
        Ok((SpoolHandle { requests, changes, outbox, thread }, report))
    }
}

/// Blocking, except where a method says otherwise.
#[derive(Clone)]
pub struct SpoolHandle {
    requests: SyncSender<Request>,
    changes: watch::Receiver<u64>,
    outbox: PathBuf,
    thread: std::sync::Arc<std::sync::Mutex<Option<std::thread::JoinHandle<()>>>>,
}

impl SpoolHandle {
    /// Returns once the records are on disk (or marked `not_durable` where no disk can be written).
    pub fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Record>, SpoolError> {
        let (reply, answer) = sync_channel(1);
        self.ask(Request::Append(drafts, reply), &answer)?
    }

    /// The next message's records, or nothing now. See [`edge_core::spool::Queue::next`]. A record
    /// that no message of `max_bytes` holds is given up, which a `gap` reports; with less than
    /// [`LEAST_MESSAGE`] nothing goes.
    pub fn take(&self, window: usize, max_bytes: usize) -> Result<Option<Batch>, SpoolError> {
        let (reply, answer) = sync_channel(1);
        self.ask(Request::Take { window, max_bytes, reply }, &answer)
    }

    pub fn acknowledge(&self, ack: Ack) -> Result<(), SpoolError> {
        self.requests.send(Request::Acknowledge(ack)).map_err(|_| SpoolError::Closed)
    }

    /// Whether a link to the hub stands; without one, what was on its way goes again.
    pub fn link(&self, connected: bool) -> Result<(), SpoolError> {
        self.requests.send(Request::Link(connected)).map_err(|_| SpoolError::Closed)
    }

    /// A still will never be sent: returns once an `updated` record that says so is stored. Its file
    /// is the caller's to remove, after that.
    pub fn still_given_up(&self, epoch: Epoch, seq: u64, reason: &str) -> Result<(), SpoolError> {
        let (reply, answer) = sync_channel(1);
        self.ask(Request::StillGivenUp { epoch, seq, reason: reason.to_owned(), reply }, &answer)?
    }

    pub fn figures(&self) -> Result<SpoolFigures, SpoolError> {
        let (reply, answer) = sync_channel(1);
        self.ask(Request::Figures(reply), &answer)
    }

    /// Another most of bytes, at least four segments. What is above it is given up in the usual order.
    pub fn set_cap(&self, cap: u64) -> Result<(), SpoolError> {
        self.requests.send(Request::Cap(cap)).map_err(|_| SpoolError::Closed)
    }

    /// How far a record has come.
    pub fn course(&self, epoch: Epoch, seq: u64) -> Result<Course, SpoolError> {
        let (reply, answer) = sync_channel(1);
        self.ask(Request::Course { epoch, seq, reply }, &answer)
    }

    /// Changes whenever there may be something to send.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Where stills wait: `{epoch}-{seq}.jpg`.
    pub fn outbox(&self) -> &std::path::Path {
        &self.outbox
    }

    /// Stops the owner after what was asked before, and waits for it.
    pub fn close(&self) {
        let _ = self.requests.send(Request::Close);
        let thread = self.thread.lock().ok().and_then(|mut t| t.take());
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn ask<T>(&self, request: Request, answer: &Receiver<T>) -> Result<T, SpoolError> {
        self.requests.send(request).map_err(|_| SpoolError::Closed)?;
        answer.recv().map_err(|_| SpoolError::Closed)
    }
}
