//! The spool's only thread: numbers records, writes them, remembers what is settled, frees space.

use std::collections::BTreeMap;
use std::fs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use edge_core::spool::{ENVELOPE_BYTES, Key, Limits, Queue, Ranges, SegmentFigures, Why, give_up};
use protocol::{Ack, Body, Epoch, Gap, Record, Severity, Still, Timestamp, Updated};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::disk::{self, Open, SegmentId};
use super::{Batch, Draft, LEAST_MESSAGE, OpenReport, Request, SpoolConfig, SpoolError, SpoolFigures, frame};

const SETTLE: u8 = 3;
/// Without a disk, records live here; the oldest of the lowest class goes first.
const MEMORY_BYTES: u64 = 16 << 20;
/// How often a disk that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(1);

/// What a settle frame says about one epoch: everything known then, so that the newest is enough.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Settled {
    epoch: String,
    #[serde(default)]
    hub_epoch: Option<String>,
    #[serde(default)]
    settled: Vec<(u64, u64)>,
    #[serde(default)]
    given_up: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct EpochBook {
    epoch: Epoch,
    last: u64,
    settled: Ranges,
    given_up: Ranges,
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
    open: [Option<Open>; 4],
    next_segment: u64,
    memory_bytes: u64,
    durable: bool,
    retry_at: Instant,
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
    pub fn open(config: SpoolConfig, changed: watch::Sender<u64>, opened: &SyncSender<OpenReport>) -> Self {
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
            open: [None, None, None, None],
            next_segment: 1,
            memory_bytes: 0,
            durable: true,
            retry_at: now,
            given_up: [0; 3],
            stills_given_up: 0,
        };
        let mut report = owner.recover();
        owner.keep_ballast();
        report.durable = owner.save_settled(true).is_ok();
        owner.durable = report.durable;
        let _ = opened.send(report);
        owner
    }

    pub fn run(mut self, inbox: &Receiver<Request>) {
        loop {
            match inbox.recv_timeout(TICK) {
                Ok(Request::Append(drafts, reply)) => {
                    let _ = reply.send(self.append(drafts));
                    self.free();
                    self.wake();
                }
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
                Err(RecvTimeoutError::Timeout) => self.free(),
                Ok(Request::Close) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Err(error) = self.save_settled(true) {
            tracing::warn!(%error, "what is settled could not be saved; it will be sent again");
        }
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
            settled: Ranges::default(),
            given_up: Ranges::default(),
            volatile,
        });
        self.books.len() as u32 - 1
    }

    /// Reads every segment; never fails.
    fn recover(&mut self) -> OpenReport {
        let mut report = OpenReport::default();
        for folder in ["segments", "outbox", "quarantine"] {
            if let Err(error) = disk::folder(&self.config.folder.join(folder)) {
                tracing::error!(%error, folder, "spool folder cannot be made");
            }
        }
        let mut newest = None;
        for id in disk::list(&self.config.folder) {
            self.next_segment = self.next_segment.max(id.number.saturating_add(1));
            let path = disk::path(&self.config.folder, id);
            let Ok(bytes) = fs::read(&path) else {
                let _ = fs::rename(&path, path.with_extension("unreadable"));
                report.damaged += 1;
                continue;
            };
            newest = self.recover_segment(id, &bytes, &mut report).or(newest);
        }
        let epoch = newest.unwrap_or_else(mint);
        self.current = self.book(&epoch, false);
        self.enqueue_open();
        self.count_loss(&mut report);
        self.drop_orphans();
        report.records = self.entries.len() as u64;
        report
    }

    /// Returns the segment's epoch, as far as it can be read.
    fn recover_segment(&mut self, id: SegmentId, bytes: &[u8], report: &mut OpenReport) -> Option<Epoch> {
        #[derive(Deserialize)]
        struct Header {
            epoch: Epoch,
        }
        let (frames, damage) = frame::scan(bytes);
        for &(from, to) in &damage {
            report.damaged += 1;
            let name = format!("{}-{:010}-{from}.damaged", disk::CLASSES[usize::from(id.class)], id.number);
            let _ = fs::write(self.config.folder.join("quarantine").join(name), &bytes[from..to]);
        }
        let epoch = frames
            .iter()
            .filter(|f| f.kind != frame::KIND_SETTLE)
            .find_map(|f| serde_json::from_slice::<Header>(f.payload).ok())
            .map(|h| h.epoch);
        let mut segment = Segment { bytes: bytes.len() as u64, newest_ms: now_ms(), keys: Vec::new() };
        let book = epoch.as_ref().map(|e| self.book(e, false));
        for f in &frames {
            match (f.kind, book) {
                (frame::KIND_RECORD, Some(book)) => {
                    let key = Key { epoch: book, seq: f.seq };
                    let place = Place::Disk(id, f.offset as u64);
                    let length = f.payload.len() as u32;
                    self.entries.insert(key, Entry { class: id.class.min(2), length, place });
                    let last = &mut self.books[book as usize].last;
                    *last = (*last).max(f.seq);
                    segment.newest_ms = f.at_ms;
                    segment.keys.push(key);
                }
                (frame::KIND_SETTLE, _) => self.recover_settled(f.payload),
                _ => {}
            }
        }
        // What was torn off the end had numbers; they are not used again.
        if let (Some(book), Some(&(from, to))) = (book, damage.last())
            && to == bytes.len()
            && id.class != SETTLE
        {
            let last = &mut self.books[book as usize].last;
            *last += 1 + ((to - from) / (frame::HEADER + 64)) as u64;
        }
        self.segments.insert(id, segment);
        epoch
    }

    fn recover_settled(&mut self, payload: &[u8]) {
        let Ok(known) = serde_json::from_slice::<Settled>(payload) else { return };
        let Ok(epoch) = known.epoch.parse::<Epoch>() else { return };
        let at = self.book(&epoch, false) as usize;
        let book = &mut self.books[at];
        // Frames lie in order: the newest snapshot replaces what an older one knew, since a new
        // hub makes settled records open again.
        book.settled = Ranges::default();
        known.settled.iter().for_each(|&(a, b)| book.settled.insert(a, b));
        known.given_up.iter().for_each(|&(a, b)| book.given_up.insert(a, b));
        let last = book.settled.last().max(book.given_up.last()).unwrap_or(0);
        book.last = book.last.max(last);
        self.hub_epoch = known.hub_epoch.and_then(|e| e.parse().ok()).or(self.hub_epoch.take());
    }

    fn enqueue_open(&mut self) {
        for (key, entry) in &self.entries {
            let book = &self.books[key.epoch as usize];
            if !book.settled.contains(key.seq) && !book.given_up.contains(key.seq) {
                self.queue.push_backlog(*key, entry.length);
            }
        }
    }

    /// Numbers that were given to records and are nowhere: damage took them.
    fn count_loss(&mut self, report: &mut OpenReport) {
        for at in 0..self.books.len() as u32 {
            let book = &self.books[at as usize];
            let mut known = book.settled.clone();
            known.extend(&book.given_up);
            let (from, to) = (Key { epoch: at, seq: 0 }, Key { epoch: at, seq: u64::MAX });
            self.entries.range(from..=to).for_each(|(k, _)| known.insert(k.seq, k.seq));
            for (first, last) in known.missing(1, book.last) {
                report.lost_records += last - first + 1;
                tracing::error!(first, last, "records were lost to damage on disk");
                self.report_gap(at, first, last, last - first + 1, None, "damage");
            }
        }
    }

    /// Stills whose record was never stored, and parts of files.
    fn drop_orphans(&self) {
        let Ok(files) = fs::read_dir(self.config.folder.join("outbox")) else { return };
        for file in files.flatten() {
            let name = file.file_name();
            let known = name.to_str().and_then(crate::outbox::identity).is_some_and(|(epoch, seq)| {
                let book = self.books.iter().position(|b| b.epoch == epoch);
                book.is_some_and(|b| self.entries.contains_key(&Key { epoch: b as u32, seq }))
            });
            if !known && name.to_str().is_some_and(|n| n.ends_with(".jpg") || n.ends_with(".part")) {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn class(&self, book: u32, body: &Body) -> u8 {
        match body {
            Body::Raised(r) => r.severity as u8,
            Body::Updated(Updated { of_seq, .. }) | Body::Ended { of_seq } => {
                self.entries.get(&Key { epoch: book, seq: *of_seq }).map_or(1, |e| e.class)
            }
            Body::AgentEvent(_) => 1,
            Body::Gap(_) => 2,
        }
    }

    fn append(&mut self, drafts: Vec<Draft>) -> Result<Vec<Record>, SpoolError> {
        if !self.durable && Instant::now() >= self.retry_at {
            self.durable = self.save_settled(true).is_ok();
            self.retry_at = Instant::now() + RETRY;
        }
        if self.durable {
            self.volatile = None;
            // A failed file was dropped; the second turn writes the same records to new ones, the
            // third after the ballast was let go.
            for turn in 0..3 {
                match self.append_in(self.current, &drafts) {
                    Err(Failure::Refused(error)) => return Err(error),
                    Ok(records) => return Ok(records),
                    Err(Failure::Disk(error)) => tracing::error!(%error, "spool cannot write"),
                }
                if turn == 1 {
                    let _ = fs::remove_file(self.config.folder.join("ballast"));
                }
            }
            self.burn(drafts.len() as u64);
            self.durable = false;
            self.retry_at = Instant::now() + RETRY;
        }
        let book = match self.volatile {
            Some(book) => book,
            None => self.book(&mint(), true),
        };
        self.volatile = Some(book);
        Ok(self.append_in(book, &drafts)?)
    }

    /// Numbers of records that may lie on disk in part, and went elsewhere: not used again.
    fn burn(&mut self, count: u64) {
        let book = &mut self.books[self.current as usize];
        book.given_up.insert(book.last + 1, book.last + count);
        book.last += count;
    }

    /// Numbers and stores; where that fails, nothing of it stays behind.
    fn append_in(&mut self, at: u32, drafts: &[Draft]) -> Result<Vec<Record>, Failure> {
        let stored = self.try_append_in(at, drafts);
        if stored.is_err() {
            let book = &self.books[at as usize];
            for (seq, _) in (book.last + 1..).zip(drafts).filter(|(_, d)| d.still.is_some()) {
                let _ = fs::remove_file(self.still_path(&book.epoch, seq));
            }
        }
        stored
    }

    fn try_append_in(&mut self, at: u32, drafts: &[Draft]) -> Result<Vec<Record>, Failure> {
        let book = &self.books[at as usize];
        let (epoch, volatile, first) = (book.epoch.clone(), book.volatile, book.last + 1);
        let (mut records, mut payloads) = (Vec::new(), Vec::new());
        for (seq, draft) in (first..).zip(drafts) {
            let mut body = draft.body.clone();
            if let (Body::Raised(raised), Some(jpeg)) = (&mut body, &draft.still) {
                raised.still = self.store_still(&epoch, seq, jpeg, volatile);
            }
            let record = Record {
                epoch: epoch.clone(),
                seq,
                at: draft.at,
                time_source: draft.time_source,
                uncertainty_ms: draft.uncertainty_ms,
                not_durable: volatile,
                body,
            };
            let payload = serde_json::to_vec(&record).map_err(|e| Failure::Refused(e.into()))?;
            if payload.len() > frame::MAX_PAYLOAD - 64 {
                return Err(Failure::Refused(SpoolError::TooLarge { bytes: payload.len() }));
            }
            payloads.push((self.class(at, &record.body), payload));
            records.push(record);
        }
        let places = if volatile { None } else { Some(self.write(at, first, &records, &payloads)?) };
        for (n, (record, (class, payload))) in records.iter().zip(payloads).enumerate() {
            let key = Key { epoch: at, seq: record.seq };
            let length = payload.len() as u32;
            let place = match &places {
                Some(places) => Place::Disk(places[n].0, places[n].1),
                None => {
                    self.memory_bytes += u64::from(length);
                    Place::Memory(payload)
                }
            };
            self.entries.insert(key, Entry { class, length, place });
            self.queue.push(key, length);
        }
        self.books[at as usize].last += records.len() as u64;
        Ok(records)
    }

    /// One write and one `fdatasync` a class.
    fn write(
        &mut self,
        at: u32,
        first: u64,
        records: &[Record],
        payloads: &[(u8, Vec<u8>)],
    ) -> Result<Vec<(SegmentId, u64)>, Failure> {
        let mut places = vec![(SegmentId { number: 0, class: 0 }, 0); records.len()];
        for class in 0..3u8 {
            let (mut bytes, mut mine) = (Vec::new(), Vec::new());
            for (n, (_, payload)) in payloads.iter().enumerate().filter(|(_, (c, _))| *c == class) {
                mine.push((n, bytes.len() as u64));
                let stored = now_ms();
                frame::encode(&mut bytes, frame::KIND_RECORD, class, first + n as u64, stored, payload);
            }
            if mine.is_empty() {
                continue;
            }
            let (id, offset) = self.write_class(class, at, first, &bytes, true).map_err(Failure::Disk)?;
            let segment = self.segments.entry(id).or_insert(Segment { bytes: 0, newest_ms: 0, keys: vec![] });
            segment.newest_ms = now_ms();
            for (n, inside) in mine {
                places[n] = (id, offset + inside);
                segment.keys.push(Key { epoch: at, seq: first + n as u64 });
            }
        }
        Ok(places)
    }

    fn write_class(
        &mut self,
        class: u8,
        at: u32,
        first: u64,
        bytes: &[u8],
        sync: bool,
    ) -> std::io::Result<(SegmentId, u64)> {
        let slot = usize::from(class);
        if self.open[slot].as_ref().is_some_and(|o| o.bytes + bytes.len() as u64 > self.config.segment) {
            self.open[slot] = None;
        }
        let mut open = match self.open[slot].take() {
            Some(open) => open,
            None => {
                let id = SegmentId { number: self.next_segment, class };
                self.next_segment += 1;
                let mut open = Open::create(&self.config.folder, id)?;
                let mut header = Vec::new();
                let payload =
                    serde_json::json!({ "format": 1, "epoch": self.books[at as usize].epoch }).to_string();
                frame::encode(&mut header, frame::KIND_HEADER, class, first, now_ms(), payload.as_bytes());
                self.segments.insert(id, Segment { bytes: 0, newest_ms: now_ms(), keys: vec![] });
                open.write(&header, false)?;
                open
            }
        };
        // On an error `open` is dropped here: that file is never written or synced again.
        let offset = open.write(bytes, sync)?;
        let id = open.id;
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.bytes = open.bytes;
        }
        self.open[slot] = Some(open);
        Ok((id, offset))
    }

    /// Snapshots of all epochs; then older settle segments are not needed.
    fn save_settled(&mut self, sync: bool) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        for book in self.books.iter().filter(|b| !b.volatile) {
            let known = Settled {
                epoch: book.epoch.to_string(),
                hub_epoch: self.hub_epoch.as_ref().map(ToString::to_string),
                settled: book.settled.iter().collect(),
                given_up: book.given_up.iter().collect(),
            };
            let payload = serde_json::to_vec(&known)?;
            frame::encode(&mut bytes, frame::KIND_SETTLE, SETTLE, 0, now_ms(), &payload);
        }
        let (id, _) = self.write_class(SETTLE, self.current, 0, &bytes, sync)?;
        if sync {
            let old: Vec<SegmentId> =
                self.segments.keys().copied().filter(|s| s.class == SETTLE && *s != id).collect();
            old.into_iter().for_each(|s| self.unlink(s));
        }
        Ok(())
    }

    fn unlink(&mut self, id: SegmentId) {
        let path = disk::path(&self.config.folder, id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %path.display(), "spool segment cannot be removed");
            }
            _ => {
                self.segments.remove(&id);
            }
        }
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

    fn acknowledge(&mut self, ack: &Ack) {
        if self.hub_epoch.as_ref() != Some(&ack.hub_epoch) {
            let first = self.hub_epoch.replace(ack.hub_epoch.clone()).is_none();
            if !first {
                tracing::warn!("hub database is a new one; what is held is sent again");
                self.books.iter_mut().for_each(|b| b.settled = Ranges::default());
                self.enqueue_open();
            }
        }
        let Some(at) = self.books.iter().position(|b| b.epoch == ack.epoch) else { return };
        for seq in self.queue.acknowledge(at as u32, ack) {
            self.books[at].settled.insert(seq, seq);
            let key = Key { epoch: at as u32, seq };
            if let Some(Entry { place: Place::Memory(_), length, .. }) = self.entries.get(&key) {
                self.memory_bytes -= u64::from(*length);
                self.entries.remove(&key);
            }
        }
        let known = ack.settled.iter().map(|r| r.1).max().unwrap_or(0).max(ack.settled_through);
        if known > self.books[at].last && known < i64::MAX as u64 {
            // The hub has numbers that this spool lost: they are not used again.
            tracing::warn!("hub knows more records than the spool; their numbers are skipped");
            let book = &mut self.books[at];
            book.settled.insert(book.last + 1, known);
            book.last = known;
        }
        // Synced only when a file was filled, so that the older ones can go.
        let sync = self.segments.keys().filter(|s| s.class == SETTLE).count() > 1;
        if self.durable
            && let Err(error) = self.save_settled(sync)
        {
            tracing::warn!(%error, "what is settled could not be saved; it will be sent again");
        }
        self.wake();
    }

    fn limits(&self) -> Limits {
        // One segment a class is always open for writing.
        let bytes = self.config.cap.saturating_sub(4 * self.config.segment).max(self.config.segment);
        Limits { bytes, keep_settled: self.config.keep_settled, keep_open: self.config.keep_open }
    }

    /// Keeps to the caps; everything given up unsettled becomes a `gap`.
    fn free(&mut self) {
        let writing: Vec<SegmentId> = self.open.iter().flatten().map(|o| o.id).collect();
        let figures: Vec<SegmentFigures<SegmentId>> = self
            .segments
            .iter()
            .filter(|(id, _)| id.class != SETTLE && !writing.contains(id))
            .map(|(id, s)| SegmentFigures {
                id: *id,
                class: severity(id.class).unwrap_or(Severity::Low),
                bytes: s.bytes,
                open: s.keys.iter().filter(|k| self.queue.is_open(**k)).count() as u64,
                newest_ms: s.newest_ms,
            })
            .collect();
        let in_use = figures.iter().map(|s| s.bytes).sum();
        let gone = give_up(&figures, in_use, now_ms(), self.limits());
        for (id, why) in &gone {
            let keys = self.segments.get(id).map(|s| s.keys.clone()).unwrap_or_default();
            self.give_up_records(&keys, if *why == Why::Age { "age" } else { "cap" });
        }
        // What is settled must be on disk before the segments go, else they would look lost.
        if !gone.is_empty() && self.save_settled(true).is_ok() {
            gone.into_iter().for_each(|(id, _)| self.unlink(id));
        }
        while self.memory_bytes > MEMORY_BYTES {
            let in_memory =
                |(k, e): (&Key, &Entry)| matches!(e.place, Place::Memory(_)).then_some((e.class, *k));
            let Some((_, key)) = self.entries.iter().filter_map(in_memory).min() else { break };
            self.give_up_records(&[key], "cap");
        }
    }

    fn give_up_records(&mut self, keys: &[Key], cause: &str) {
        let mut open: BTreeMap<(u32, u8), (Ranges, u64)> = BTreeMap::new();
        for key in keys {
            let Some(entry) = self.entries.remove(key) else { continue };
            if let Place::Memory(_) = entry.place {
                self.memory_bytes -= u64::from(entry.length);
            }
            if self.queue.is_open(*key) {
                let (ranges, count) = open.entry((key.epoch, entry.class)).or_default();
                ranges.insert(key.seq, key.seq);
                *count += 1;
            }
        }
        self.queue.remove(keys);
        for ((epoch, class), (ranges, count)) in open {
            self.given_up[usize::from(class.min(2))] += count;
            tracing::error!(count, class, cause, "records were given up");
            self.books[epoch as usize].given_up.extend(&ranges);
            let first = ranges.iter().next().map_or(0, |r| r.0);
            let last = ranges.last().unwrap_or(first);
            self.report_gap(epoch, first, last, count, severity(class), cause);
        }
    }

    /// The gap is a record of the epoch it is about, since a record names one epoch only.
    fn report_gap(
        &mut self,
        epoch: u32,
        first: u64,
        last: u64,
        count: u64,
        class: Option<Severity>,
        cause: &str,
    ) {
        if count == last - first + 1 {
            self.books[epoch as usize].given_up.insert(first, last);
        }
        let gap = Gap { count, first_seq: first, last_seq: last, class, cause: cause.to_owned() };
        if let Err(error) = self.report(epoch, Body::Gap(gap)) {
            tracing::error!(%error, "a gap could not be stored; it is only in this log");
        }
    }

    fn report(&mut self, epoch: u32, body: Body) -> Result<(), SpoolError> {
        let at = Timestamp::from_unix_ms(now_ms());
        let draft =
            Draft { at, time_source: protocol::TimeSource::Agent, uncertainty_ms: None, body, still: None };
        // A segment names one epoch: what is about an older one gets a segment of its own.
        let other = epoch != self.current && !self.books[epoch as usize].volatile;
        if other {
            self.open = [None, None, None, None];
        }
        let stored = self.append_in(epoch, std::slice::from_ref(&draft));
        if other {
            self.open = [None, None, None, None];
        }
        self.wake();
        stored.map(drop).map_err(SpoolError::from)
    }

    fn still_path(&self, epoch: &Epoch, seq: u64) -> std::path::PathBuf {
        self.config.folder.join("outbox").join(format!("{epoch}-{seq}.jpg"))
    }

    fn store_still(&mut self, epoch: &Epoch, seq: u64, jpeg: &[u8], volatile: bool) -> Still {
        let none = |reason: &str| Still::None { reason: reason.to_owned() };
        if volatile || jpeg.len() > protocol::MAX_STILL_BYTES {
            return none("no_space");
        }
        let outbox = self.config.folder.join("outbox");
        let bytes: u64 = crate::outbox::waiting(&outbox).iter().map(|w| w.bytes).sum();
        if bytes + jpeg.len() as u64 > self.config.cap {
            self.stills_given_up += 1;
            return none("no_space");
        }
        match disk::store(&outbox, &format!("{epoch}-{seq}.jpg"), jpeg) {
            Ok(()) => Still::Pending,
            Err(error) => {
                tracing::error!(%error, "still cannot be stored");
                none("no_space")
            }
        }
    }

    fn still_given_up(&mut self, epoch: &Epoch, seq: u64, reason: String) -> Result<(), SpoolError> {
        // Of a record that nobody knows, nobody waits for the picture.
        let Some(at) = self.books.iter().position(|b| b.epoch == *epoch) else { return Ok(()) };
        self.report(at as u32, Body::Updated(Updated { of_seq: seq, still: Some(Still::None { reason }) }))?;
        self.stills_given_up += 1;
        Ok(())
    }

    fn keep_ballast(&self) {
        let path = self.config.folder.join("ballast");
        if fs::metadata(&path).is_ok_and(|m| m.len() == self.config.ballast) {
            return;
        }
        let made = fs::File::create(&path).and_then(|file| {
            use std::io::Write;
            let zeros = vec![0u8; 1 << 16];
            let mut left = self.config.ballast;
            while left > 0 {
                let n = left.min(zeros.len() as u64);
                (&file).write_all(&zeros[..n as usize])?;
                left -= n;
            }
            file.sync_data()
        });
        if let Err(error) = made {
            let _ = fs::remove_file(&path);
            tracing::warn!(%error, "no room for the spool's reserve");
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

enum Failure {
    Refused(SpoolError),
    Disk(std::io::Error),
}

impl From<Failure> for SpoolError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Disk(error) => Self::Disk(error),
        }
    }
}
