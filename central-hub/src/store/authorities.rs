//! The hub's authorities: their certificates. Their keys are files of [`crate::ca`].

use sqlx::FromRow;

use super::{Store, StoreError, audit, sql};
use crate::clock::now_ms;

/// An authority's row.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AuthorityRow {
    /// SHA-256 of the certificate's DER, hexadecimal.
    pub fingerprint: String,
    pub pem: String,
    pub created_at: i64,
}

/// What became of a retirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retired {
    /// With so many certificates that ended with it.
    Done(u64),
    /// So many valid certificates still need it.
    Needed(u64),
    /// It is the only one, or none that is believed.
    NoOther,
}

impl Store {
    /// The believed authorities, oldest first.
    pub async fn authorities(&self) -> Result<Vec<AuthorityRow>, StoreError> {
        let text = "SELECT fingerprint, pem, created_at FROM authorities WHERE retired_at IS NULL
            ORDER BY created_at, fingerprint";
        self.read().all(sql(text)).await
    }

    /// Adds an authority where exactly `beside` are believed already; whether it was added. Two
    /// commands at a time make one between them.
    pub async fn add_authority(
        &self,
        fingerprint: &str,
        pem: &str,
        beside: usize,
        actor: &str,
    ) -> Result<bool, StoreError> {
        let now = now_ms();
        let mut tx = self.write().await?;
        tx.lock("authorities").await?;
        let (believed, newest): (i64, i64) = tx
            .one(sql(
                "SELECT count(*), coalesce(max(created_at), 0) FROM authorities WHERE retired_at IS NULL",
            ))
            .await?;
        if usize::try_from(believed) != Ok(beside) {
            return Ok(false);
        }
        // Their order is the order of their making, whatever the clock has done since.
        tx.execute(
            sql("INSERT INTO authorities (fingerprint, pem, created_at) VALUES ($1, $2, $3)")
                .bind(fingerprint)
                .bind(pem)
                .bind(now.max(newest + 1)),
        )
        .await?;
        let detail = format!("Its fingerprint (SHA-256) is {fingerprint}.");
        audit::log(&mut tx, "authority_made", actor, None, &detail).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends the oldest of two authorities. With `force`, valid certificates of it end as well.
    pub async fn retire_authority(
        &self,
        fingerprint: &str,
        force: bool,
        actor: &str,
    ) -> Result<Retired, StoreError> {
        let now = now_ms();
        let mut tx = self.write().await?;
        tx.lock("authorities").await?;
        let text = "SELECT fingerprint FROM authorities WHERE retired_at IS NULL
            ORDER BY created_at, fingerprint";
        let believed: Vec<(String,)> = tx.all(sql(text)).await?;
        if believed.len() < 2 || believed[0].0 != fingerprint {
            return Ok(Retired::NoOther);
        }
        let text = "SELECT count(*) FROM certificates
            WHERE authority = $1 AND state IN ('pending', 'active')";
        let (needed,): (i64,) = tx.one(sql(text).bind(fingerprint)).await?;
        if needed > 0 && !force {
            return Ok(Retired::Needed(needed.unsigned_abs()));
        }
        let text = "UPDATE certificates SET state = 'revoked', ended_at = $2
            WHERE authority = $1 AND state IN ('pending', 'active')";
        tx.execute(sql(text).bind(fingerprint).bind(now)).await?;
        tx.execute(
            sql("UPDATE authorities SET retired_at = $2 WHERE fingerprint = $1").bind(fingerprint).bind(now),
        )
        .await?;
        let detail = format!(
            "Authority {fingerprint} is believed no longer; {needed} valid certificates of it ended."
        );
        audit::log(&mut tx, "authority_retired", actor, None, &detail).await?;
        tx.commit().await?;
        Ok(Retired::Done(needed.unsigned_abs()))
    }
}
