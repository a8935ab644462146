//! What was refused or decided about who is who. Rows are added, never altered or deleted.
//!
//! Whoever writes because of something that comes from outside bounds how often (see `door::quota`).

use sqlx::SqliteConnection;

use super::{Store, StoreError};
use crate::clock::now_ms;

/// Longest detail; the rest is cut off.
const DETAIL_CHARS: usize = 500;
/// Who does what the hub does by itself.
pub const HUB: &str = "hub";
/// Who does what is done on the hub's command line.
pub const OPERATOR: &str = "operator at the hub's command line";

/// A row, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AuditRow {
    pub at: i64,
    pub action: String,
    pub actor: String,
    pub agent: Option<String>,
    pub detail: String,
}

impl Store {
    /// Notes what was refused or decided. `actor`: a user, `agent:SITE/AGENT`, or [`HUB`].
    pub async fn audit(
        &self,
        action: &str,
        actor: &str,
        agent: Option<&str>,
        detail: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        log(&mut tx, action, actor, agent, detail).await?;
        Ok(tx.commit().await?)
    }

    /// The newest rows of an action, newest first.
    pub async fn audited(&self, action: &str, most: u32) -> Result<Vec<AuditRow>, StoreError> {
        let sql =
            "SELECT at, action, actor, agent, detail FROM audit WHERE action = ?1 ORDER BY id DESC LIMIT ?2";
        Ok(sqlx::query_as(sql).bind(action).bind(most).fetch_all(&self.reader).await?)
    }
}

/// The same within somebody's transaction: decided and noted together or not at all.
pub(super) async fn log(
    db: &mut SqliteConnection,
    action: &str,
    actor: &str,
    agent: Option<&str>,
    detail: &str,
) -> Result<(), StoreError> {
    let detail: String = detail.chars().take(DETAIL_CHARS).collect();
    sqlx::query("INSERT INTO audit (at, action, actor, agent, detail) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(now_ms())
        .bind(action)
        .bind(actor)
        .bind(agent)
        .bind(detail)
        .execute(db)
        .await?;
    Ok(())
}
