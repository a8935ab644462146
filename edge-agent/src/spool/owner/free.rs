//! Keeps to the caps and says so: everything that is given up unsettled becomes a `gap`.

use std::fs;

use super::*;

impl Owner {
    fn limits(&self) -> Limits {
        // One segment a class is always open for writing.
        let bytes = self.config.cap.saturating_sub(4 * self.config.segment).max(self.config.segment);
        Limits { bytes, keep_settled: self.config.keep_settled, keep_open: self.config.keep_open }
    }

    /// Keeps to the caps. Walks the segments only where something may have to go.
    pub(super) fn free(&mut self) {
        let now = Instant::now();
        let writing: u64 = self.open[..usize::from(SETTLE)].iter().flatten().map(|o| o.bytes).sum();
        if now >= self.age_at || self.stored_bytes.saturating_sub(writing) > self.limits().bytes {
            self.age_at = now + AGE;
            self.free_segments();
        }
        if self.memory_bytes > MEMORY_BYTES {
            self.free_memory();
        }
    }

    fn free_segments(&mut self) {
        let writing: Vec<SegmentId> = self.open.iter().flatten().map(|o| o.id).collect();
        let figures: Vec<SegmentFigures<SegmentId>> = self
            .segments
            .iter()
            .filter(|(id, _)| id.class != SETTLE && !writing.contains(id))
            .map(|(id, s)| SegmentFigures {
                id: *id,
                class: severity(id.class).unwrap_or(Severity::Low),
                bytes: s.bytes,
                open: s.open,
                newest_ms: s.newest_ms,
            })
            .collect();
        let in_use = figures.iter().map(|s| s.bytes).sum();
        let gone = give_up(&figures, in_use, now_ms(), self.limits());
        for (id, why) in &gone {
            let mut keys = self.segments.get_mut(id).map(|s| std::mem::take(&mut s.keys)).unwrap_or_default();
            // A record that a failed write left behind here lies elsewhere too.
            let here = |e: &Entry| matches!(e.place, Place::Disk(at, _) if at == *id);
            keys.retain(|k| self.entries.get(k).is_some_and(here));
            self.give_up_records(&keys, if *why == Why::Age { "age" } else { "cap" });
        }
        // What is settled must be on disk before the segments go, else they would look lost.
        if !gone.is_empty() && self.save_settled(true).is_ok() {
            gone.into_iter().for_each(|(id, _)| self.unlink(id));
        }
    }

    /// A quarter at a time, so that not each new record costs a gap.
    fn free_memory(&mut self) {
        let (mut keys, mut left) = (Vec::new(), self.memory_bytes);
        for (_, key) in &self.in_memory {
            if left <= MEMORY_BYTES / 4 * 3 {
                break;
            }
            left -= self.entries.get(key).map_or(0, |e| u64::from(e.length));
            keys.push(*key);
        }
        self.give_up_records(&keys, "cap");
    }

    /// Counts a record as settled or given up where it lies.
    pub(super) fn one_open_less(&mut self, key: Key) {
        if let Some(Entry { place: Place::Disk(id, _), .. }) = self.entries.get(&key)
            && let Some(segment) = self.segments.get_mut(id)
        {
            segment.open = segment.open.saturating_sub(1);
        }
    }

    pub(super) fn give_up_records(&mut self, keys: &[Key], cause: &str) {
        let mut open: BTreeMap<(u32, u8), (RangeSet, u64)> = BTreeMap::new();
        for key in keys {
            let is_open = self.queue.is_open(*key);
            if is_open {
                self.one_open_less(*key);
            }
            let Some(entry) = self.entries.remove(key) else { continue };
            if let Place::Memory(_) = entry.place {
                self.memory_bytes -= u64::from(entry.length);
                self.in_memory.remove(&(entry.class, *key));
            }
            if is_open {
                let (ranges, count) = open.entry((key.epoch, entry.class)).or_default();
                ranges.insert_range(key.seq, key.seq);
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
    pub(super) fn report_gap(
        &mut self,
        epoch: u32,
        first: u64,
        last: u64,
        count: u64,
        class: Option<Severity>,
        cause: &str,
    ) {
        if count == last - first + 1 {
            self.books[epoch as usize].given_up.insert_range(first, last);
        }
        let gap = Gap { count, first_seq: first, last_seq: last, class, cause: cause.to_owned() };
        if let Err(error) = self.report(epoch, Body::Gap(gap)) {
            tracing::error!(%error, "a gap could not be stored; it is only in this log");
        }
    }

    pub(super) fn report(&mut self, epoch: u32, body: Body) -> Result<(), SpoolError> {
        let at = Timestamp::from_unix_ms(now_ms());
        let draft =
            Draft { at, time_source: protocol::TimeSource::Agent, uncertainty_ms: None, body, still: None };
        // A segment names one epoch: what is about an older one gets a segment of its own.
        let other = epoch != self.current && !self.books[epoch as usize].volatile;
        if other {
            self.close_segments();
        }
        let stored = self.append_in(epoch, std::slice::from_ref(&draft));
        if other {
            self.close_segments();
        }
        self.wake();
        stored.map(drop).map_err(SpoolError::from)
    }

    fn close_segments(&mut self) {
        self.open[..usize::from(SETTLE)].iter_mut().for_each(|open| *open = None);
    }

    pub(super) fn unlink(&mut self, id: SegmentId) {
        let path = disk::path(&self.config.folder, id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %path.display(), "spool segment cannot be removed");
            }
            _ => {
                let gone = self.segments.remove(&id).filter(|_| id.class != SETTLE);
                self.stored_bytes -= gone.map_or(0, |s| s.bytes);
            }
        }
    }

    pub(super) fn keep_ballast(&self) {
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
}
