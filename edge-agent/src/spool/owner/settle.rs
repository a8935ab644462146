//! What the hub settled, and how that is remembered: a snapshot when a file begins, then what came
//! since. Neither is synced for each acknowledgement: what is not remembered is sent again.

use super::*;

/// What a settle frame says about one epoch: all of it, or, with `add`, what is more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Settled {
    pub(super) epoch: String,
    #[serde(default)]
    pub(super) hub_epoch: Option<String>,
    #[serde(default)]
    pub(super) settled: Vec<(u64, u64)>,
    #[serde(default)]
    pub(super) given_up: Vec<(u64, u64)>,
    #[serde(default)]
    pub(super) add: bool,
}

/// Ranges of each kind in one frame: a frame has a largest size.
const RANGES: usize = 1000;

impl Owner {
    pub(super) fn acknowledge(&mut self, ack: &Ack) {
        let new_hub = self.hub_epoch.as_ref() != Some(&ack.hub_epoch);
        if new_hub && self.hub_epoch.replace(ack.hub_epoch.clone()).is_some() {
            tracing::warn!("hub database is a new one; what is held is sent again");
            self.books.iter_mut().for_each(|b| b.settled = RangeSet::default());
            self.enqueue_open();
        }
        let Some(at) = self.books.iter().position(|b| b.epoch == ack.epoch) else { return };
        let mut gained = RangeSet::default();
        for seq in self.queue.acknowledge(at as u32, ack) {
            gained.insert_range(seq, seq);
            self.settle_one(Key { epoch: at as u32, seq });
        }
        let book = &mut self.books[at];
        let known = ack.settled.iter().map(|r| r.1).max().unwrap_or(0).max(ack.settled_through);
        if known > book.last && known < i64::MAX as u64 {
            // The hub has numbers that this spool lost: they are not used again.
            tracing::warn!("hub knows more records than the spool; their numbers are skipped");
            gained.insert_range(book.last + 1, known);
            book.last = known;
        }
        book.settled.extend(&gained);
        let saved = match self.durable {
            true if new_hub => self.save_settled(false),
            true if !gained.is_empty() => self.add_settled(at, &gained),
            _ => Ok(()),
        };
        if let Err(error) = saved {
            tracing::warn!(%error, "what is settled could not be saved; it will be sent again");
        }
        self.wake();
    }

    fn settle_one(&mut self, key: Key) {
        self.one_open_less(key);
        if let Some(Entry { place: Place::Memory(_), length, class }) = self.entries.get(&key) {
            self.memory_bytes -= u64::from(*length);
            self.in_memory.remove(&(*class, key));
            self.entries.remove(&key);
        }
    }

    /// Snapshots of all epochs; synced, older settle segments are not needed.
    pub(super) fn save_settled(&mut self, sync: bool) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        for book in self.books.iter().filter(|b| !b.volatile) {
            let (settled, given_up) = (book.settled.iter().collect(), book.given_up.iter().collect());
            self.encode_settled(&mut bytes, &book.epoch, settled, given_up, false)?;
        }
        let slot = usize::from(SETTLE);
        let full = |o: &Open| o.bytes + bytes.len() as u64 > self.config.segment;
        let sync = sync || self.open[slot].as_ref().is_none_or(full);
        if self.open[slot].as_ref().is_some_and(full) {
            self.open[slot] = None;
        }
        let (id, _) = self.write_class(SETTLE, self.current, 0, &bytes, sync)?;
        // A file that a snapshot alone would fill is not begun anew for each acknowledgement.
        self.settle_bytes = self.config.segment.max(2 * bytes.len() as u64);
        if sync {
            let old: Vec<SegmentId> =
                self.segments.keys().copied().filter(|s| s.class == SETTLE && *s != id).collect();
            old.into_iter().for_each(|s| self.unlink(s));
        }
        Ok(())
    }

    fn add_settled(&mut self, at: usize, gained: &RangeSet) -> std::io::Result<()> {
        let book = &self.books[at];
        if book.volatile {
            return Ok(());
        }
        let mut bytes = Vec::new();
        self.encode_settled(&mut bytes, &book.epoch, gained.iter().collect(), Vec::new(), true)?;
        match &self.open[usize::from(SETTLE)] {
            Some(open) if open.bytes + bytes.len() as u64 <= self.settle_bytes => {
                self.write_class(SETTLE, self.current, 0, &bytes, false).map(drop)
            }
            _ => {
                self.open[usize::from(SETTLE)] = None;
                self.save_settled(true)
            }
        }
    }

    fn encode_settled(
        &self,
        out: &mut Vec<u8>,
        epoch: &Epoch,
        settled: Vec<(u64, u64)>,
        given_up: Vec<(u64, u64)>,
        add: bool,
    ) -> std::io::Result<()> {
        for part in 0..settled.len().max(given_up.len()).div_ceil(RANGES).max(1) {
            let cut = |all: &[(u64, u64)]| all.iter().skip(part * RANGES).take(RANGES).copied().collect();
            let known = Settled {
                epoch: epoch.to_string(),
                hub_epoch: self.hub_epoch.as_ref().map(ToString::to_string),
                settled: cut(&settled),
                given_up: cut(&given_up),
                add: add || part > 0,
            };
            let payload = serde_json::to_vec(&known)?;
            frame::encode(out, frame::KIND_SETTLE, SETTLE, 0, now_ms(), &payload);
        }
        Ok(())
    }
}
