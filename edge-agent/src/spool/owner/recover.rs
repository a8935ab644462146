//! Opening: reads every segment and never fails on the bytes that lie there.

use std::fs;

use super::settle::Settled;
use super::*;

impl Owner {
    /// Reads every segment; fails only where another agent holds the index.
    pub(super) fn recover(&mut self) -> Result<OpenReport, SpoolError> {
        let mut report = OpenReport::default();
        for folder in ["segments", "outbox", "quarantine"] {
            if let Err(error) = disk::folder(&self.config.folder.join(folder)) {
                tracing::error!(%error, folder, "spool folder cannot be made");
            }
        }
        self.index = Index::open(&self.config.folder)?;
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
        self.continue_after_marks();
        self.enqueue_open();
        self.count_loss(&mut report);
        self.drop_orphans();
        self.weigh_stills();
        report.records = self.entries.len() as u64;
        Ok(report)
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
        let mut segment = Segment::new(bytes.len() as u64);
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
        // Without the index nobody knows how many numbers were torn off the end: they are not used
        // again, at most one for each smallest frame.
        if let (Some(book), Some(&(from, to))) = (book, damage.last())
            && to == bytes.len()
            && id.class != SETTLE
            && self.index.mark(&self.books[book as usize].epoch).reserved == 0
        {
            let last = &mut self.books[book as usize].last;
            *last += 1 + ((to - from) / (frame::HEADER + 64)) as u64;
        }
        if id.class != SETTLE {
            self.stored_bytes += segment.bytes;
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
        if !known.add {
            book.settled = RangeSet::default();
        }
        known.settled.iter().for_each(|&(a, b)| book.settled.insert_range(a, b));
        known.given_up.iter().for_each(|&(a, b)| book.given_up.insert_range(a, b));
        let last = book.settled.last().max(book.given_up.last()).unwrap_or(0);
        book.last = book.last.max(last);
        self.hub_epoch = known.hub_epoch.and_then(|e| e.parse().ok()).or(self.hub_epoch.take());
    }

    /// What the index knows was handed out and lies in no segment is lost, which `count_loss` reports;
    /// what was only reserved is skipped, since it may have been handed out.
    fn continue_after_marks(&mut self) {
        for book in &mut self.books {
            let mark = self.index.mark(&book.epoch);
            book.last = book.last.max(mark.handed);
            if mark.reserved > book.last {
                tracing::info!(
                    after = book.last,
                    through = mark.reserved,
                    "spool was not closed: numbers are skipped"
                );
                book.given_up.insert_range(book.last + 1, mark.reserved);
                book.last = mark.reserved;
            }
        }
    }

    pub(super) fn enqueue_open(&mut self) {
        self.segments.values_mut().for_each(|s| s.open = 0);
        for (key, entry) in &self.entries {
            let book = &self.books[key.epoch as usize];
            if book.settled.contains(key.seq) || book.given_up.contains(key.seq) {
                continue;
            }
            self.queue.push_backlog(*key, entry.length);
            if let Place::Disk(id, _) = entry.place
                && let Some(segment) = self.segments.get_mut(&id)
            {
                segment.open += 1;
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
            self.entries.range(from..=to).for_each(|(k, _)| known.insert_range(k.seq, k.seq));
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
}
