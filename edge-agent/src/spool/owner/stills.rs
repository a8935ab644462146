//! Pictures on their way: stored before their record, bounded like the records.

use super::*;

impl Owner {
    pub(super) fn still_path(&self, epoch: &Epoch, seq: u64) -> std::path::PathBuf {
        self.config.folder.join("outbox").join(format!("{epoch}-{seq}.jpg"))
    }

    pub(super) fn store_still(&mut self, epoch: &Epoch, seq: u64, jpeg: &[u8], volatile: bool) -> Still {
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
