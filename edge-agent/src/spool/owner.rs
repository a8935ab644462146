//! The spool's only thread: numbers records, writes them, remembers what is settled, frees space.

mod append;
mod free;
mod recover;
mod settle;
mod stills;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use edge_core::spool::{ENVELOPE_BYTES, Key, Limits, Queue, RangeSet, SegmentFigures, Why, give_up};
use protocol::{Ack, Body, Epoch, Gap, Record, Severity, Still, Timestamp, Updated};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::disk::{self, Open, SegmentId};
use super::index::Index;
use super::{
    Batch, Course, Draft, LEAST_MESSAGE, OpenReport, Request, SpoolConfig, SpoolError, SpoolFigures, frame,
};

const SETTLE: u8 = 3;
/// Without a disk, records live here; the oldest of the lowest class goes first.
const MEMORY_BYTES: u64 = 16 << 20;
/// How often a disk that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(1);
/// How often the age of records is looked at.
const AGE: Duration = Duration::from_secs(10);
/// Records that share one sync at most.
const GROUP: usize = 256;

#[derive(Debug)]
struct EpochBook {
    epoch: Epoch,
    last: u64,
    settled: RangeSet,
    given_up: RangeSet,
    volatile: bool,
}

/// Where a record lies.
struct Entry {
    class: u8,
    length: u32,
    place: Place,
}

enum Place {
    Disk(SegmentId, u64),
    Memory(Vec<u8>),
}

struct Segment {
    bytes: u64,
    newest_ms: i64,
    keys: Vec<Key>,
    /// Records that are neither settled nor given up.
    open: u64,
}

impl Segment {
    fn new(bytes: u64) -> Self {
        Self { bytes, newest_ms: now_ms(), keys: Vec::new(), open: 0 }
    }
}

pub struct Owner {
    config: SpoolConfig,
    started: Instant,
    changed: watch::Sender<u64>,
    books: Vec<EpochBook>,
    /// Index into `books` that new records are numbered in, on disk and without one.
    current: u32,
    volatile: Option<u32>,
    hub_epoch: Option<Epoch>,
    queue: Queue,
    entries: BTreeMap<Key, Entry>,
    segments: BTreeMap<SegmentId, Segment>,
    index: Index,
    open: [Option<Open>; 4],
    next_segment: u64,
    /// Bytes of all segments but settle's.
    stored_bytes: u64,
    /// Where a settle file is full.
    settle_bytes: u64,
    memory_bytes: u64,
    /// Records without a disk, in the order in which they would be given up.
    in_memory: BTreeSet<(u8, Key)>,
    /// At least the bytes of stills that wait: the outbox takes some away.
    stills_bytes: u64,
    durable: bool,
    retry_at: Instant,
    age_at: Instant,
    given_up: [u64; 3],
    stills_given_up: u64,
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

fn mint() -> Epoch {
    let mut bytes = [0u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // No entropy source: the clock and the process id still tell two spools apart.
        bytes = (u128::from(now_ms() as u64) << 64 | u128::from(std::process::id())).to_be_bytes();
    }
    let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    text.parse().unwrap_or_else(|_| unreachable!("32 hex digits are an epoch"))
}

fn severity(class: u8) -> Option<Severity> {
    [Severity::Low, Severity::Medium, Severity::High].get(usize::from(class)).copied()
}

impl Owner {
    pub fn open(config: SpoolConfig, changed: watch::Sender<u64>) -> Result<(Self, OpenReport), SpoolError> {
        let now = Instant::now();
        let mut owner = Self {
            config,
            started: now,
            changed,
            books: Vec::new(),
            current: 0,
            volatile: None,
            hub_epoch: None,
            queue: Queue::default(),
            entries: BTreeMap::new(),
            segments: BTreeMap::new(),
            index: Index::default(),
            open: [None, None, None, None],
            next_segment: 1,
            stored_bytes: 0,
            settle_bytes: 0,
            memory_bytes: 0,
            in_memory: BTreeSet::new(),
            stills_bytes: 0,
            durable: true,
            retry_at: now,
            age_at: now,
            given_up: [0; 3],
            stills_given_up: 0,
        };
        let mut report = owner.recover()?;
        owner.keep_ballast();
        report.durable = owner.save_settled(true).is_ok();
        owner.durable = report.durable;
        Ok((owner, report))
    }

    pub fn run(mut self, inbox: &Receiver<Request>) {
        let mut held = None;
        loop {
            let request = held.take().map_or_else(|| inbox.recv_timeout(TICK), Ok);
            match request {
                Ok(Request::Append(drafts, reply)) => held = self.append_waiting(drafts, reply, inbox),
                Ok(Request::Take { window, max_bytes, reply }) => {
                    let _ = reply.send(self.take(window, max_bytes));
                }
                Ok(Request::Acknowledge(ack)) => self.acknowledge(&ack),
                Ok(Request::Link(true)) => self.queue.connect(),
                Ok(Request::Link(false)) => self.queue.disconnect(),
                Ok(Request::StillGivenUp { epoch, seq, reason, reply }) => {
                    let _ = reply.send(self.still_given_up(&epoch, seq, reason));
                }
                Ok(Request::Figures(reply)) => {
                    let _ = reply.send(self.figures());
                }
                Ok(Request::Cap(cap)) => {
                    self.config.cap = cap.max(4 * self.config.segment);
                    self.free();
                }
                Ok(Request::Course { epoch, seq, reply }) => {
                    let _ = reply.send(self.course(&epoch, seq));
                }
                Err(RecvTimeoutError::Timeout) => self.free(),
                Ok(Request::Close) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Err(error) = self.save_settled(true) {
            tracing::warn!(%error, "what is settled could not be saved; it will be sent again");
        }
        let kept = self.books.iter().filter(|b| !b.volatile);
        self.index.close(&kept.map(|b| (b.epoch.to_string(), b.last)).collect());
    }

    fn wake(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn book(&mut self, epoch: &Epoch, volatile: bool) -> u32 {
        if let Some(at) = self.books.iter().position(|b| b.epoch == *epoch) {
            return at as u32;
        }
        self.books.push(EpochBook {
            epoch: epoch.clone(),
            last: 0,
            settled: RangeSet::default(),
            given_up: RangeSet::default(),
            volatile,
        });
        self.books.len() as u32 - 1
    }

    fn take(&mut self, window: usize, max_bytes: usize) -> Option<Batch> {
        if max_bytes < LEAST_MESSAGE {
            return None;
        }
        loop {
            let keys = self.queue.next(self.started.elapsed(), window, max_bytes)?;
            // The queue hands a record that is larger than any message out alone.
            if let [key] = keys[..]
                && let Some(entry) = self.entries.get(&key)
                && entry.length as usize + ENVELOPE_BYTES > max_bytes
            {
                tracing::error!(bytes = entry.length, max_bytes, "record is larger than the broker takes");
                self.give_up_records(&[key], "too_large");
                continue;
            }
            let mut batch = Batch::new();
            for key in keys {
                match self.read(key) {
                    Some(payload) => batch.push(payload),
                    None => {
                        tracing::error!(seq = key.seq, "record cannot be read back");
                        self.queue.remove(&[key]);
                        self.one_open_less(key);
                        let class = self.entries.remove(&key).and_then(|e| severity(e.class));
                        self.report_gap(key.epoch, key.seq, key.seq, 1, class, "damage");
                    }
                }
            }
            if !batch.is_empty() {
                return Some(batch);
            }
        }
    }

    fn read(&self, key: Key) -> Option<Vec<u8>> {
        let entry = self.entries.get(&key)?;
        match &entry.place {
            Place::Memory(payload) => Some(payload.clone()),
            Place::Disk(id, offset) => {
                let length = frame::HEADER + entry.length as usize;
                let bytes = disk::read(&self.config.folder, *id, *offset, length).ok()?;
                let f = frame::at(&bytes, 0).filter(|f| f.seq == key.seq)?;
                Some(f.payload.to_vec())
            }
        }
    }

    fn course(&self, epoch: &Epoch, seq: u64) -> Course {
        Course {
            settled: self.books.iter().any(|b| b.epoch == *epoch && b.settled.contains(seq)),
            still_waits: self.still_path(epoch, seq).exists(),
        }
    }

    fn figures(&self) -> SpoolFigures {
        SpoolFigures {
            bytes: self.segments.values().map(|s| s.bytes).sum::<u64>() + self.memory_bytes,
            open_records: self.queue.len() as u64,
            stills_waiting: crate::outbox::waiting(&self.config.folder.join("outbox")).len() as u64,
            given_up: self.given_up,
            stills_given_up: self.stills_given_up,
            durable: self.durable,
        }
    }
}
