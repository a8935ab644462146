//! Numbers records and writes them, on disk or, without one, in memory.

use std::fs;

use super::*;

type Reply = SyncSender<Result<Vec<Record>, SpoolError>>;

impl Owner {
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

    /// Answers this caller and all that wait behind it with one sync a class; returns the first
    /// other request that was met.
    pub(in crate::spool) fn append_waiting(
        &mut self,
        drafts: Vec<Draft>,
        reply: Reply,
        inbox: &Receiver<Request>,
    ) -> Option<Request> {
        let mut callers = vec![(drafts.len(), reply)];
        let (mut drafts, mut other) = (drafts, None);
        while drafts.len() < GROUP && other.is_none() {
            match inbox.try_recv() {
                Ok(Request::Append(more, reply)) => {
                    callers.push((more.len(), reply));
                    drafts.extend(more);
                }
                Ok(request) => other = Some(request),
                Err(_) => break,
            }
        }
        match self.append(&drafts) {
            Ok(records) => {
                let mut records = records.into_iter();
                for (count, reply) in callers {
                    let _ = reply.send(Ok(records.by_ref().take(count).collect()));
                }
            }
            // One caller's draft is no reason to refuse another's.
            Err(_) => {
                let mut rest = &drafts[..];
                for (count, reply) in callers {
                    let (mine, others) = rest.split_at(count);
                    rest = others;
                    let _ = reply.send(self.append(mine));
                }
            }
        }
        self.free();
        self.wake();
        other
    }

    fn append(&mut self, drafts: &[Draft]) -> Result<Vec<Record>, SpoolError> {
        if !self.durable && Instant::now() >= self.retry_at {
            self.durable = self.save_settled(true).is_ok();
            self.retry_at = Instant::now() + RETRY;
        }
        if self.durable {
            self.volatile = None;
            self.make_room_for_stills(drafts);
            // A failed file was dropped; the second turn writes the same records to new ones, the
            // third after the ballast was let go.
            for turn in 0..3 {
                match self.append_in(self.current, drafts) {
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
        Ok(self.append_in(book, drafts)?)
    }

    /// Numbers of records that may lie on disk in part, and went elsewhere: not used again.
    fn burn(&mut self, count: u64) {
        let book = &mut self.books[self.current as usize];
        book.given_up.insert_range(book.last + 1, book.last + count);
        book.last += count;
    }

    /// Numbers and stores; where that fails, nothing of it stays behind.
    pub(super) fn append_in(&mut self, at: u32, drafts: &[Draft]) -> Result<Vec<Record>, Failure> {
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
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
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
        let through = first + drafts.len() as u64 - 1;
        if !volatile {
            self.index.reserve(&epoch, through);
        }
        let places = if volatile { None } else { Some(self.write(at, first, &records, &payloads)?) };
        for (n, (record, (class, payload))) in records.iter().zip(payloads).enumerate() {
            let key = Key { epoch: at, seq: record.seq };
            let length = payload.len() as u32;
            let place = match &places {
                Some(places) => {
                    let (id, offset) = places[n];
                    if let Some(segment) = self.segments.get_mut(&id) {
                        segment.open += 1;
                        segment.keys.push(key);
                    }
                    Place::Disk(id, offset)
                }
                None => {
                    self.memory_bytes += u64::from(length);
                    self.in_memory.insert((class, key));
                    Place::Memory(payload)
                }
            };
            self.entries.insert(key, Entry { class, length, place });
            self.queue.push(key, length);
        }
        self.books[at as usize].last = through;
        if !volatile {
            self.index.handed(&epoch, through);
        }
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
            if let Some(segment) = self.segments.get_mut(&id) {
                segment.newest_ms = now_ms();
            }
            for (n, inside) in mine {
                places[n] = (id, offset + inside);
            }
        }
        Ok(places)
    }

    pub(super) fn write_class(
        &mut self,
        class: u8,
        at: u32,
        first: u64,
        bytes: &[u8],
        sync: bool,
    ) -> std::io::Result<(SegmentId, u64)> {
        let slot = usize::from(class);
        // A settle file begins with a snapshot: `save_settled` says when.
        if class != SETTLE
            && self.open[slot].as_ref().is_some_and(|o| o.bytes + bytes.len() as u64 > self.config.segment)
        {
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
                self.segments.insert(id, Segment::new(0));
                open.write(&header, false)?;
                open
            }
        };
        // On an error `open` is dropped here: that file is never written or synced again.
        let offset = open.write(bytes, sync)?;
        let id = open.id;
        if let Some(segment) = self.segments.get_mut(&id) {
            if class != SETTLE {
                self.stored_bytes += open.bytes - segment.bytes;
            }
            segment.bytes = open.bytes;
        }
        self.open[slot] = Some(open);
        Ok((id, offset))
    }
}

pub(super) enum Failure {
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
