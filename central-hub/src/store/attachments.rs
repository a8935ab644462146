//! Which photos there are, and to what they belong. The files are `work::attachment`'s.

use sqlx::FromRow;

use super::{Store, StoreError, sql};
use crate::clock::now_ms;

/// A photo's row.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AttachmentRow {
    pub incident: String,
    pub media_type: String,
    pub bytes: i64,
    pub added_at: i64,
    pub actor: String,
}

impl Store {
    /// Notes a photo, before the step that shows it.
    pub async fn put_attachment(
        &self,
        site: &str,
        file: &str,
        row: &AttachmentRow,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let text = "INSERT INTO attachments (site, file, incident, media_type, bytes, added_at, actor)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let statement = sql(text)
            .bind(site)
            .bind(file)
            .bind(&row.incident)
            .bind(&row.media_type)
            .bind(row.bytes)
            .bind(now_ms())
            .bind(&row.actor);
        tx.execute(statement).await?;
        tx.commit().await
    }

    /// Forgets a photo whose step was refused.
    pub async fn forget_attachment(&self, site: &str, file: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.execute(sql("DELETE FROM attachments WHERE site = $1 AND file = $2").bind(site).bind(file))
            .await?;
        tx.commit().await
    }

    pub async fn attachment(&self, site: &str, file: &str) -> Result<Option<AttachmentRow>, StoreError> {
        let text = "SELECT incident, media_type, bytes, added_at, actor FROM attachments
            WHERE site = $1 AND file = $2";
        self.read().optional(sql(text).bind(site).bind(file)).await
    }
}
