//! What the hub settled, and how that is remembered.

use super::*;

/// What a settle frame says about one epoch: everything known then, so that the newest is enough.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Settled {
    pub(super) epoch: String,
    #[serde(default)]
    pub(super) hub_epoch: Option<String>,
    #[serde(default)]
    pub(super) settled: Vec<(u64, u64)>,
    #[serde(default)]
    pub(super) given_up: Vec<(u64, u64)>,
}

impl Owner {
    pub(super) fn acknowledge(&mut self, ack: &Ack) {
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

    /// Snapshots of all epochs; then older settle segments are not needed.
    pub(super) fn save_settled(&mut self, sync: bool) -> std::io::Result<()> {
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
}
