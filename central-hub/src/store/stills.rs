//! Which stills are on disk. The bytes themselves are [`crate::still`]'s.

use protocol::AlertId;

use super::changes::Subject;
use super::{Store, StoreError, sql};
use crate::clock::now_ms;

impl Store {
    /// The SHA-256 of an alert's still, where it is here.
    pub async fn still_digest(&self, id: &AlertId) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "SELECT sha256 FROM stills WHERE agent = $1 AND epoch = $2 AND seq = $3";
        let query = sql(text).bind(id.agent.as_str()).bind(id.epoch.as_str()).bind(id.seq.cast_signed());
        Ok(self.read().optional::<(Vec<u8>,)>(query).await?.map(|(digest,)| digest))
    }

    /// Notes a still that is safely on disk, and tells the feed.
    pub async fn put_still(&self, id: &AlertId, bytes: usize, sha256: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let text = "INSERT INTO stills (agent, epoch, seq, bytes, sha256, received_at)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        tx.execute(
            sql(text)
                .bind(id.agent.as_str())
                .bind(id.epoch.as_str())
                .bind(id.seq.cast_signed())
                .bind(bytes as i64)
                .bind(sha256)
                .bind(now_ms()),
        )
        .await?;
        tx.changed(Subject::Alert {
            agent: id.agent.to_string(),
            epoch: id.epoch.to_string(),
            seq: id.seq.cast_signed(),
        });
        tx.commit().await
    }
}
