//! What was refused or decided about who is who. Rows are added, never altered or deleted.
//!
//! Whoever writes because of something that comes from outside bounds how often (see `door::quota`).

use super::{Store, StoreError, Tx, sql};
use crate::clock::now_ms;
use crate::uuid::uuid7;

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
        tx.commit().await
    }

    /// The newest rows of an action, newest first.
    pub async fn audited(&self, action: &str, most: u32) -> Result<Vec<AuditRow>, StoreError> {
        let text =
            "SELECT at, action, actor, agent, detail FROM audit WHERE action = $1 ORDER BY id DESC LIMIT $2";
        Ok(self.read().all(sql(text).bind(action).bind(most)).await?)
    }
}

/// The same within somebody's transaction: decided and noted together or not at all.
pub(super) async fn log(
    tx: &mut Tx,
    action: &str,
    actor: &str,
    agent: Option<&str>,
    detail: &str,
) -> Result<(), StoreError> {
    let detail: String = detail.chars().take(DETAIL_CHARS).collect();
    tx.execute(
        sql("INSERT INTO audit (id, at, action, actor, agent, detail) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(uuid7()?)
            .bind(now_ms())
            .bind(action)
            .bind(actor)
            .bind(agent)
            .bind(detail),
    )
    .await?;
    Ok(())
}
