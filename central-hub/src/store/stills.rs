//! Which stills are on disk. The bytes themselves are [`crate::still`]'s.

use protocol::AlertId;

use super::{Store, StoreError, changes};
use crate::clock::now_ms;

impl Store {
    /// The SHA-256 of an alert's still, where it is here.
    pub async fn still_digest(&self, id: &AlertId) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT sha256 FROM stills WHERE agent = ?1 AND epoch = ?2 AND seq = ?3";
        let query = sqlx::query_scalar(sql)
            .bind(id.agent.as_str())
            .bind(id.epoch.as_str())
            .bind(id.seq.cast_signed());
        Ok(query.fetch_optional(&self.reader).await?)
    }

    /// Notes a still that is safely on disk, and tells the feed.
    pub async fn put_still(&self, id: &AlertId, bytes: usize, sha256: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let sql = "INSERT INTO stills (agent, epoch, seq, bytes, sha256, received_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        sqlx::query(sql)
            .bind(id.agent.as_str())
            .bind(id.epoch.as_str())
            .bind(id.seq.cast_signed())
            .bind(bytes as i64)
            .bind(sha256)
            .bind(now_ms())
            .execute(&mut *tx)
            .await?;
        let change =
            changes::log_alert(&mut tx, id.agent.as_str(), id.epoch.as_str(), id.seq.cast_signed()).await?;
        tx.commit().await?;
        self.announce(change);
        Ok(())
    }
}
