//! Pictures on their way: stored before their record, bounded like the records.

use std::io::ErrorKind;

use super::*;
use crate::outbox::{Waiting, waiting};

impl Owner {
    pub(super) fn still_path(&self, epoch: &Epoch, seq: u64) -> std::path::PathBuf {
        self.config.folder.join("outbox").join(format!("{epoch}-{seq}.jpg"))
    }

    pub(super) fn weigh_stills(&mut self) -> Vec<Waiting> {
        let waiting = waiting(&self.config.folder.join("outbox"));
        self.stills_bytes = waiting.iter().map(|w| w.bytes).sum();
        waiting
    }

    /// At the cap the oldest stills go, each reported; a sixteenth more than is needed, so that the
    /// folder is not read for each new one.
    pub(super) fn make_room_for_stills(&mut self, drafts: &[Draft]) {
        let wanted: u64 = drafts.iter().filter_map(|d| d.still.as_ref()).map(|j| j.len() as u64).sum();
        let cap = self.config.cap;
        if wanted == 0 || wanted > cap || self.stills_bytes + wanted <= cap {
            return;
        }
        let waiting = self.weigh_stills();
        if self.stills_bytes + wanted <= cap {
            return;
        }
        for still in waiting.iter().rev() {
            if self.stills_bytes + wanted <= cap - cap / 16 {
                break;
            }
            tracing::error!(seq = still.seq, "still was given up: too many wait");
            if let Err(error) = self.still_given_up(&still.epoch, still.seq, "given_up".into()) {
                tracing::warn!(%error, seq = still.seq, "that a still is given up could not be stored");
                break;
            }
            if std::fs::remove_file(&still.path).is_ok() {
                self.stills_bytes -= still.bytes;
            }
        }
    }

    pub(super) fn store_still(&mut self, epoch: &Epoch, seq: u64, jpeg: &[u8], volatile: bool) -> Still {
        let none = |reason: &str| Still::None { reason: reason.to_owned() };
        if volatile {
            return none("no_disk");
        }
        if jpeg.len() > protocol::MAX_STILL_BYTES {
            return none("too_large");
        }
        let outbox = self.config.folder.join("outbox");
        if self.stills_bytes + jpeg.len() as u64 > self.config.cap {
            self.stills_given_up += 1;
            return none("no_space");
        }
        match disk::store(&outbox, &format!("{epoch}-{seq}.jpg"), jpeg) {
            Ok(()) => {
                self.stills_bytes += jpeg.len() as u64;
                Still::Pending
            }
            Err(error) => {
                tracing::error!(%error, "still cannot be stored");
                match error.kind() {
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => none("no_space"),
                    _ => none("not_stored"),
                }
            }
        }
    }

    pub(super) fn still_given_up(
        &mut self,
        epoch: &Epoch,
        seq: u64,
        reason: String,
    ) -> Result<(), SpoolError> {
        // Of a record that nobody knows, nobody waits for the picture.
        let Some(at) = self.books.iter().position(|b| b.epoch == *epoch) else { return Ok(()) };
        self.report(at as u32, Body::Updated(Updated { of_seq: seq, still: Some(Still::None { reason }) }))?;
        self.stills_given_up += 1;
        Ok(())
    }
}
